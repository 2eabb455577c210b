/* Hopper's own instructions (sm_90a): barriers in shared memory that copies complete, bulk copies,
 * and the products of warpgroups in 8 bits. */
#ifndef AUTEUR_KERNELS_CUDA_HOPPER_CUH
#define AUTEUR_KERNELS_CUDA_HOPPER_CUH

#include <stdint.h>

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

static __device__ __forceinline__ unsigned shared_address(const void *p)
{
    return (unsigned)__cvta_generic_to_shared(p);
}

static __device__ __forceinline__ void barrier_init(uint64_t *b, int arrivals)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(b)), "r"(arrivals));
}

static __device__ __forceinline__ void arrive(uint64_t *b)
{
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(b)) : "memory");
}

static __device__ __forceinline__ void wait_for(uint64_t *b, int phase)
{
    unsigned done;
    do
        asm volatile("{.reg .pred p;"
                     "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;"
                     "selp.b32 %0, 1, 0, p;}"
                     : "=r"(done)
                     : "r"(shared_address(b)), "r"(phase)
                     : "memory");
    while (!done);
}

/* `size` bytes on their way to shared memory; the barrier completes when they are there. */
static __device__ __forceinline__ void bring(void *to, const void *from, int size, uint64_t *b)
{
    unsigned barrier = shared_address(b);
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(size)
                 : "memory");
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
                 "[%0], [%1], %2, [%3];" ::"r"(shared_address(to)),
                 "l"(from), "r"(size), "r"(barrier)
                 : "memory");
}

/* A matrix of rows of WIDTH bytes, 64 or 128, whose chunks have changed places. */
template <int WIDTH> static __device__ __forceinline__ uint64_t matrix_at(const void *p)
{
    const uint64_t eight_rows = WIDTH * 8 / 16, swizzle = WIDTH == 128 ? 1 : 2;
    return (uint64_t)(shared_address(p) >> 4 & 0x3fff) | (uint64_t)1 << 16 | eight_rows << 32 |
           swizzle << 62;
}

static __device__ __forceinline__ void products_begin()
{
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

static __device__ __forceinline__ void products_commit()
{
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

/* Until no more than so many of those committed are under way. */
template <int LEFT> static __device__ __forceinline__ void products_wait()
{
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(LEFT) : "memory");
}

#define FOUR(d, i)  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define EIGHT(d, i) FOUR(d, i), FOUR(d, i + 4)
#define EIGHT_INTEGERS(d, i)                                                                       \
    "+r"(d[i]), "+r"(d[i + 1]), "+r"(d[i + 2]), "+r"(d[i + 3]), "+r"(d[i + 4]), "+r"(d[i + 5]),    \
        "+r"(d[i + 6]), "+r"(d[i + 7])

/* d[64, n] += a[64, 32] b[n, 32]^T, n in the name; a in shared memory or in registers. */
static __device__ __forceinline__ void multiply_128(int *d, uint64_t a, uint64_t b)
{
    asm volatile("{.reg .pred p; setp.ne.b32 p, %66, 0;"
                 "wgmma.mma_async.sync.aligned.m64n128k32.s32.s8.s8 {"
                 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
                 "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
                 "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "
                 "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
                 "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "
                 "%60, %61, %62, %63"
                 "}, %64, %65, p;}"
                 : EIGHT_INTEGERS(d, 0), EIGHT_INTEGERS(d, 8), EIGHT_INTEGERS(d, 16),
                   EIGHT_INTEGERS(d, 24), EIGHT_INTEGERS(d, 32), EIGHT_INTEGERS(d, 40),
                   EIGHT_INTEGERS(d, 48), EIGHT_INTEGERS(d, 56)
                 : "l"(a), "l"(b), "r"(1));
}

static __device__ __forceinline__ void multiply_136(float *d, const unsigned *a, uint64_t b)
{
    asm volatile("{.reg .pred p; setp.ne.b32 p, %73, 0;"
                 "wgmma.mma_async.sync.aligned.m64n136k32.f32.e4m3.e4m3 {"
                 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
                 "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
                 "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "
                 "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
                 "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "
                 "%60, %61, %62, %63, %64, %65, %66, %67"
                 "}, {%68, %69, %70, %71}, %72, p, 1, 1;}"
                 : EIGHT(d, 0), EIGHT(d, 8), EIGHT(d, 16), EIGHT(d, 24), EIGHT(d, 32), EIGHT(d, 40),
                   EIGHT(d, 48), EIGHT(d, 56), FOUR(d, 64)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(1));
}

static __device__ __forceinline__ void multiply_72(float *d, const unsigned *a, uint64_t b)
{
    asm volatile("{.reg .pred p; setp.ne.b32 p, %41, 0;"
                 "wgmma.mma_async.sync.aligned.m64n72k32.f32.e4m3.e4m3 {"
                 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
                 "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
                 "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35"
                 "}, {%36, %37, %38, %39}, %40, p, 1, 1;}"
                 : EIGHT(d, 0), EIGHT(d, 8), EIGHT(d, 16), EIGHT(d, 24), FOUR(d, 32)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(1));
}

static __device__ __forceinline__ unsigned four_bytes(float a, float b, float c, float d)
{
    unsigned r;
    asm("{.reg .b16 low, high;"
        "cvt.rn.satfinite.e4m3x2.f32 low, %2, %1;"
        "cvt.rn.satfinite.e4m3x2.f32 high, %4, %3;"
        "mov.b32 %0, {low, high};}"
        : "=r"(r)
        : "f"(a), "f"(b), "f"(c), "f"(d));
    return r;
}

#undef FOUR
#undef EIGHT
#undef EIGHT_INTEGERS

#endif
#endif

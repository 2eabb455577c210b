/* Hopper's own instructions (sm_90a): barriers in shared memory that copies complete, bulk copies
 * and copies of tiles, and the products of warpgroups in 8 and 16 bits. */
#ifndef AUTEUR_KERNELS_CUDA_HOPPER_CUH
#define AUTEUR_KERNELS_CUDA_HOPPER_CUH

#include <cuda.h>
#include <cuda_runtime.h>
#include <stdint.h>

/* Whether this GPU is one whose own instructions the kernel was compiled for. */
static inline bool is_hopper(const void *kernel)
{
    struct cudaFuncAttributes attributes;
    if (cudaFuncGetAttributes(&attributes, kernel) != cudaSuccess) {
        cudaGetLastError();
        return false;
    }
    return attributes.binaryVersion == 90;
}

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

/* The barrier completes when so many bytes are there that are brought. */
static __device__ __forceinline__ void expect(uint64_t *b, int size)
{
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(b)),
                 "r"(size)
                 : "memory");
}

/* `size` bytes on their way to shared memory; the barrier completes when they are there. */
static __device__ __forceinline__ void bring(void *to, const void *from, int size, uint64_t *b)
{
    expect(b, size);
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
                 "[%0], [%1], %2, [%3];" ::"r"(shared_address(to)),
                 "l"(from), "r"(size), "r"(shared_address(b))
                 : "memory");
}

/* The box of a map that begins there, on its way to shared memory, whole: what lies outside of the
 * matrix is zeros. Rows of 128 bytes have their chunks where matrix_at<128>() has them; `to` lies
 * on 1024 bytes. The map is a kernel's own parameter. */
static __device__ __forceinline__ void bring_tile(void *to, const CUtensorMap *map, int column,
                                                  int row, uint64_t *b)
{
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
                 "[%0], [%1, {%2, %3}], [%4];" ::"r"(shared_address(to)),
                 "l"(map), "r"(column), "r"(row), "r"(shared_address(b))
                 : "memory");
}

/* Back: what lies outside of the matrix is left out. What threads wrote there has to be told to
 * copies first, by each of them (written_for_copies()) before they meet. */
static __device__ __forceinline__ void send_tile(const CUtensorMap *map, int column, int row,
                                                 const void *from)
{
    asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group "
                 "[%0, {%1, %2}], [%3];" ::"l"(map),
                 "r"(column), "r"(row), "r"(shared_address(from))
                 : "memory");
}

static __device__ __forceinline__ void written_for_copies()
{
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

static __device__ __forceinline__ void sends_commit()
{
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
}

/* Until what this thread sent has been read, so that its memory may be written again. */
static __device__ __forceinline__ void sends_read()
{
    asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
}

/* Where the 128 threads of a warpgroup meet; `which` from 1 on, its own. */
static __device__ __forceinline__ void group_meets(int which)
{
    asm volatile("bar.sync %0, 128;" ::"r"(which) : "memory");
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

#define SIXTEEN(d, i)    EIGHT(d, i), EIGHT(d, i + 8)
#define SIXTY_FOUR(d, i) SIXTEEN(d, i), SIXTEEN(d, i + 16), SIXTEEN(d, i + 32), SIXTEEN(d, i + 48)
#define MULTIPLY_256(type)                                                                         \
    asm volatile("{.reg .pred p; setp.ne.b32 p, %130, 0;"                                          \
                 "wgmma.mma_async.sync.aligned.m64n256k16.f32." type "." type " {"                 \
                 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "                              \
                 "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "                    \
                 "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "                    \
                 "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "                    \
                 "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "                    \
                 "%60, %61, %62, %63, %64, %65, %66, %67, %68, %69, %70, %71, "                    \
                 "%72, %73, %74, %75, %76, %77, %78, %79, %80, %81, %82, %83, "                    \
                 "%84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "                    \
                 "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, "            \
                 "%108, %109, %110, %111, %112, %113, %114, %115, %116, %117, %118, %119, "        \
                 "%120, %121, %122, %123, %124, %125, %126, %127"                                  \
                 "}, %128, %129, p, 1, 1, 0, 0;}"                                                  \
                 : SIXTY_FOUR(d, 0), SIXTY_FOUR(d, 64)                                             \
                 : "l"(a), "l"(b), "r"(adds))

/* d[64, 256] = a[64, 16] b[256, 16]^T, and d where it adds; halves, both in shared memory. */
template <bool BF16>
static __device__ __forceinline__ void multiply_256(float *d, uint64_t a, uint64_t b, int adds)
{
    if constexpr (BF16)
        MULTIPLY_256("bf16");
    else
        MULTIPLY_256("f16");
}

/* Numbers that products were making are there from here on: the compiler reads none before. */
template <int COUNT> static __device__ __forceinline__ void products_are_there(float *d)
{
#pragma unroll
    for (int i = 0; i < COUNT; i++)
        asm volatile("" : "+f"(d[i])::"memory");
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
#undef SIXTEEN
#undef SIXTY_FOUR
#undef MULTIPLY_256
#undef EIGHT_INTEGERS

#endif
#endif

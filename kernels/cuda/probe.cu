/* Paths that no operation shows, timed: through pinned memory, to another GPU, and between all of
 * them by NCCL, which is opened where it is installed. Each leaves nothing behind. */
#include <dlfcn.h>
#include <stdio.h>
#include <time.h>

#include <vector>

#include "kernels/cuda/cuda.cuh"

static const size_t BYTES = (size_t)256 << 20;
enum { RUNS = 8 };

/* As nccl.h has them. */
typedef struct ncclComm *nccl_comm;
enum { NCCL_OK = 0, NCCL_FLOAT = 7, NCCL_SUM = 0 };
struct nccl {
    int (*version)(int *);
    int (*init)(nccl_comm *, int, const int *);
    int (*destroy)(nccl_comm);
    int (*group_start)(void);
    int (*group_end)(void);
    int (*all_reduce)(const void *, void *, size_t, int, int, nccl_comm, cudaStream_t);
    const char *(*error_string)(int);
};

static int failed(char *why, size_t size, cudaError_t status)
{
    cudaGetLastError();
    snprintf(why, size, "%s", cudaGetErrorString(status));
    return -1;
}

/* RUNS copies on the device's stream, after one that counts for nothing. */
static cudaError_t time_copies(struct context *c, void *to, const void *from, double *rate)
{
    cudaEvent_t begin = NULL, end = NULL;
    float ms = 0;
    cudaError_t status = cudaEventCreate(&begin);

    if (status == cudaSuccess)
        status = cudaEventCreate(&end);
    for (int i = 0; status == cudaSuccess && i <= RUNS; i++) {
        if (i == 1)
            status = cudaEventRecord(begin, c->stream);
        if (status == cudaSuccess)
            status = cudaMemcpyAsync(to, from, BYTES, cudaMemcpyDefault, c->stream);
    }
    if (status == cudaSuccess)
        status = cudaEventRecord(end, c->stream);
    if (status == cudaSuccess)
        status = cudaEventSynchronize(end);
    if (status == cudaSuccess)
        status = cudaEventElapsedTime(&ms, begin, end);
    if (begin)
        cudaEventDestroy(begin);
    if (end)
        cudaEventDestroy(end);
    *rate = ms > 0 ? RUNS * (double)BYTES / (ms * 1e-3) : 0;
    return status;
}

static int probe_host(struct context *c, bool upload, double *rate, char *why, size_t size)
{
    void *here = NULL, *there = NULL;
    cudaError_t status = cudaMallocHost(&here, BYTES);

    if (status == cudaSuccess)
        status = cudaMalloc(&there, BYTES);
    if (status == cudaSuccess)
        status = time_copies(c, upload ? there : here, upload ? here : there, rate);
    cudaFree(there);
    cudaFreeHost(here);
    return status == cudaSuccess ? 0 : failed(why, size, status);
}

static int probe_peer(struct context *c, int peer, double *rate, char *why, size_t size)
{
    void *here = NULL, *there = NULL;
    int can = 0;
    cudaError_t status = cudaDeviceCanAccessPeer(&can, c->index, peer);

    if (status != cudaSuccess)
        return failed(why, size, status);
    if (!can) {
        snprintf(why, size, "no straight way between GPU %d and GPU %d: copies go through the host",
                 c->index, peer);
        return 1;
    }
    status = cudaDeviceEnablePeerAccess(peer, 0);
    if (status == cudaErrorPeerAccessAlreadyEnabled)
        status = cudaSuccess;
    if (status == cudaSuccess)
        status = cudaMalloc(&here, BYTES);
    if (status == cudaSuccess)
        status = cudaSetDevice(peer);
    if (status == cudaSuccess)
        status = cudaMalloc(&there, BYTES);
    cudaSetDevice(c->index);
    if (status == cudaSuccess)
        status = time_copies(c, there, here, rate);
    cudaFree(here);
    cudaFree(there);
    cudaDeviceDisablePeerAccess(peer);
    cudaGetLastError();
    return status == cudaSuccess ? 0 : failed(why, size, status);
}

/* ---- NCCL */

static bool find(void *library, const char *name, void *function)
{
    *(void **)function = dlsym(library, name);
    return *(void **)function != NULL;
}

static bool find_all(void *library, struct nccl *n)
{
    return find(library, "ncclGetVersion", &n->version) &&
           find(library, "ncclCommInitAll", &n->init) &&
           find(library, "ncclCommDestroy", &n->destroy) &&
           find(library, "ncclGroupStart", &n->group_start) &&
           find(library, "ncclGroupEnd", &n->group_end) &&
           find(library, "ncclAllReduce", &n->all_reduce) &&
           find(library, "ncclGetErrorString", &n->error_string);
}

struct gpu {
    nccl_comm comm;
    cudaStream_t stream;
    void *bytes;
};

/* One sum over all GPUs, enqueued. */
static int reduce(const struct nccl *n, const std::vector<struct gpu> &gpus)
{
    int status = n->group_start();

    for (size_t i = 0; status == NCCL_OK && i < gpus.size(); i++)
        status = n->all_reduce(gpus[i].bytes, gpus[i].bytes, BYTES / sizeof(float), NCCL_FLOAT,
                               NCCL_SUM, gpus[i].comm, gpus[i].stream);
    int ended = n->group_end();
    return status != NCCL_OK ? status : ended;
}

static cudaError_t wait_all(const std::vector<struct gpu> &gpus)
{
    cudaError_t status = cudaSuccess;

    for (size_t i = 0; status == cudaSuccess && i < gpus.size(); i++) {
        cudaSetDevice((int)i);
        status = cudaStreamSynchronize(gpus[i].stream);
    }
    return status;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Sums of zeros: NCCL moves them as it moves anything. */
static int time_reductions(const struct nccl *n, std::vector<struct gpu> *gpus, double *rate,
                           char *why, size_t size)
{
    std::vector<nccl_comm> comms(gpus->size());
    int count = (int)gpus->size(), bad = n->init(comms.data(), count, NULL);
    cudaError_t status = cudaSuccess;
    double start = 0;

    for (int i = 0; bad == NCCL_OK && i < count; i++)
        (*gpus)[i].comm = comms[i]; /* all of them, for whoever closes them */
    for (int i = 0; bad == NCCL_OK && status == cudaSuccess && i < count; i++) {
        struct gpu *g = &(*gpus)[i];
        status = cudaSetDevice(i);
        if (status == cudaSuccess)
            status = cudaStreamCreateWithFlags(&g->stream, cudaStreamNonBlocking);
        if (status == cudaSuccess)
            status = cudaMalloc(&g->bytes, BYTES);
        if (status == cudaSuccess)
            status = cudaMemset(g->bytes, 0, BYTES);
    }
    for (int i = 0; bad == NCCL_OK && status == cudaSuccess && i < RUNS + 2; i++) {
        if (i == 2) {
            status = wait_all(*gpus);
            start = now();
        }
        if (status == cudaSuccess)
            bad = reduce(n, *gpus);
    }
    if (bad == NCCL_OK && status == cudaSuccess)
        status = wait_all(*gpus);
    if (bad != NCCL_OK) {
        snprintf(why, size, "NCCL: %s", n->error_string(bad));
        return -1;
    }
    if (status != cudaSuccess)
        return failed(why, size, status);
    *rate = RUNS * (double)BYTES * 2 * (count - 1) / count / (now() - start);
    return 0;
}

static int probe_all_reduce(struct context *c, double *rate, char *why, size_t size)
{
    std::vector<struct gpu> gpus(c->device->facts.gpus);
    void *library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    struct nccl n = {};

    if (!library || !find_all(library, &n)) {
        snprintf(why, size, "NCCL is not installed: %s", library ? "it is too old" : dlerror());
        return 1;
    }
    int rc = time_reductions(&n, &gpus, rate, why, size), version = 0;
    for (size_t i = 0; i < gpus.size(); i++) {
        cudaSetDevice((int)i);
        if (gpus[i].comm)
            n.destroy(gpus[i].comm);
        cudaFree(gpus[i].bytes);
        if (gpus[i].stream)
            cudaStreamDestroy(gpus[i].stream);
    }
    cudaSetDevice(c->index);
    if (rc == 0 && n.version(&version) == NCCL_OK)
        snprintf(why, size, "NCCL %d.%d.%d, %zu GPUs", version / 10000, version / 100 % 100,
                 version % 100, gpus.size());
    return rc;
}

int cuda_probe(struct device *d, enum device_probe what, int peer, double *rate, char *why,
               size_t size)
{
    struct context *c = context_of(d);

    *rate = 0;
    why[0] = '\0';
    switch (what) {
    case PROBE_UPLOAD:
    case PROBE_DOWNLOAD:
        return probe_host(c, what == PROBE_UPLOAD, rate, why, size);
    case PROBE_PEER:
        return probe_peer(c, peer, rate, why, size);
    default:
        return probe_all_reduce(c, rate, why, size);
    }
}

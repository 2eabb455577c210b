/* cuDNN's graphs: described, planned once for a shape, run. */
#ifndef AUTEUR_KERNELS_CUDA_CUDNN_CUH
#define AUTEUR_KERNELS_CUDA_CUDNN_CUH

#include <cudnn.h>

#include <map>
#include <vector>

#include "kernels/cuda/cuda.cuh"

/* The functions, from the library where it is found. */
struct cudnn_functions {
    decltype(&cudnnCreate) create;
    decltype(&cudnnDestroy) destroy;
    decltype(&cudnnSetStream) set_stream;
    decltype(&cudnnGetErrorString) error_string;
    decltype(&cudnnBackendCreateDescriptor) make;
    decltype(&cudnnBackendDestroyDescriptor) unmake;
    decltype(&cudnnBackendSetAttribute) set;
    decltype(&cudnnBackendGetAttribute) get;
    decltype(&cudnnBackendFinalize) finalize;
    decltype(&cudnnBackendExecute) execute;
};

struct cudnn_plan {
    cudnnBackendDescriptor_t plan; /* NULL: cuDNN has nothing for this graph */
    size_t workspace;
    int guess; /* which of cuDNN's it is, the best first */
};

struct cudnn {
    void *library;
    struct cudnn_functions call;
    cudnnHandle_t handle;
    std::map<std::vector<int64_t>, struct cudnn_plan> plans; /* by all that makes a shape */
};

/* Numbers of a graph's real tensors; those between operations have theirs from VIRTUAL on. */
enum cudnn_uid { UID_X = 1, UID_W, UID_Y, UID_BIAS, UID_ADD, UID_SCALE, UID_VIRTUAL = 100 };

/* A graph while it is described. Sticky: after the first refusal nothing happens any more. */
class cudnn_graph
{
  public:
    explicit cudnn_graph(struct cudnn *n) : n(n)
    {
    }
    ~cudnn_graph();
    cudnn_graph(const cudnn_graph &) = delete;
    cudnn_graph &operator=(const cudnn_graph &) = delete;

    cudnnBackendDescriptor_t tensor(int64_t uid, cudnnDataType_t type, int rank,
                                    const int64_t *size, const int64_t *stride);
    /* A number that is given when the plan is run, by a host address. */
    cudnnBackendDescriptor_t scalar(int64_t uid, int rank);
    /* b is NULL for functions of one argument */
    void pointwise(cudnnPointwiseMode_t mode, cudnnBackendDescriptor_t x,
                   cudnnBackendDescriptor_t b, cudnnBackendDescriptor_t y);
    /* over the axes where y has the size 1 */
    void reduce(cudnnReduceTensorOp_t how, cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t y);
    void multiply(cudnnBackendDescriptor_t a, cudnnBackendDescriptor_t b,
                  cudnnBackendDescriptor_t y);
    /* The whole of attention as one operation: q, k, v, out [items, heads, tokens, dim]. */
    void attend(cudnnBackendDescriptor_t q, cudnnBackendDescriptor_t k, cudnnBackendDescriptor_t v,
                cudnnBackendDescriptor_t scale, cudnnBackendDescriptor_t out);
    /* pads: before and after, for each axis of space */
    void convolve(int axes, const int64_t *stride, const int64_t *before, const int64_t *after,
                  cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t w,
                  cudnnBackendDescriptor_t y);
    /* The first engine that takes the graph within the workspace allowed, of cuDNN's guesses from
     * number `from` on; the graph is complete then. */
    struct cudnn_plan plan(size_t workspace, int from = 0);

  private:
    cudnnBackendDescriptor_t make(cudnnBackendDescriptorType_t type);
    void set(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
             cudnnBackendAttributeType_t type, int64_t count, const void *values);
    void link(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
              cudnnBackendDescriptor_t value);
    void finalize(cudnnBackendDescriptor_t d);
    cudnnBackendDescriptor_t whole();
    bool choose(cudnnBackendDescriptor_t graph, cudnnBackendHeurMode_t mode, size_t workspace,
                int from, struct cudnn_plan *out);

    struct cudnn *n;
    bool ok = true;
    cudnnBackendDescriptor_t graph = NULL;
    std::vector<cudnnBackendDescriptor_t> all, operations;
};

cudnnDataType_t cudnn_type(int type);
/* Enqueues; workspace: of the plan's size. */
cudnnStatus_t cudnn_execute(const struct cudnn *n, const struct cudnn_plan *p, int count,
                            const int64_t *uids, void *const *pointers, void *workspace);
/* The same with scratch memory. CUDNN_REFUSED: this plan cannot be run after all; nothing was done.
 * CUDNN_FAILED is reported. */
enum cudnn_result { CUDNN_RAN, CUDNN_REFUSED, CUDNN_FAILED };
enum cudnn_result cudnn_run(struct context *c, const struct cudnn_plan *p, int count,
                            const int64_t *uids, void *const *pointers);

#endif

#include "kernels/cuda/cudnn.cuh"

#include <dlfcn.h>
#include <stdlib.h>

#include <new>

/* ---- opened where it is installed; without it everything works, slower */

static bool find(void *library, const char *name, void *function)
{
    *(void **)function = dlsym(library, name);
    return *(void **)function != NULL;
}

static bool find_all(void *library, struct cudnn_functions *f)
{
    return find(library, "cudnnCreate", &f->create) && find(library, "cudnnDestroy", &f->destroy) &&
           find(library, "cudnnSetStream", &f->set_stream) &&
           find(library, "cudnnGetErrorString", &f->error_string) &&
           find(library, "cudnnBackendCreateDescriptor", &f->make) &&
           find(library, "cudnnBackendDestroyDescriptor", &f->unmake) &&
           find(library, "cudnnBackendSetAttribute", &f->set) &&
           find(library, "cudnnBackendGetAttribute", &f->get) &&
           find(library, "cudnnBackendFinalize", &f->finalize) &&
           find(library, "cudnnBackendExecute", &f->execute);
}

static void note_version(struct context *c, void *library)
{
    decltype(&cudnnGetVersion) version;

    if (!find(library, "cudnnGetVersion", &version))
        return;
    int v = (int)version();
    c->device->facts.cudnn = v;
    c->host.note(c->device, NOTE_CUDNN, NOTE_ACTIVE, "cuDNN %d.%d.%d Activated.", v / 10000,
                 v / 100 % 100, v % 100);
}

/* AUTEUR_CUDNN=0: as if it were not installed, to compare. */
void cudnn_open(struct context *c)
{
    const char *off = getenv("AUTEUR_CUDNN");
    struct cudnn *n;
    void *library;

    if (off && off[0] == '0') {
        c->host.note(c->device, NOTE_CUDNN, NOTE_OFF, "AUTEUR_CUDNN=0");
        return;
    }
    library = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        c->host.note(c->device, NOTE_CUDNN, NOTE_UNAVAILABLE, "%s", dlerror());
    n = library ? new (std::nothrow) cudnn() : NULL;
    if (!n)
        return;
    n->library = library; /* stays open: it does not survive being unloaded */
    if (!find_all(library, &n->call) || n->call.create(&n->handle) != CUDNN_STATUS_SUCCESS) {
        c->host.note(c->device, NOTE_CUDNN, NOTE_UNAVAILABLE, "libcudnn.so.9 does not start");
        delete n;
        return;
    }
    if (n->call.set_stream(n->handle, c->stream) != CUDNN_STATUS_SUCCESS) {
        n->call.destroy(n->handle);
        delete n;
        return;
    }
    c->cudnn = n;
    note_version(c, library);
}

void cudnn_close(struct context *c)
{
    struct cudnn *n = c->cudnn;

    if (!n)
        return;
    for (auto &known : n->plans)
        if (known.second.plan)
            n->call.unmake(known.second.plan);
    n->call.destroy(n->handle);
    delete n;
    c->cudnn = NULL;
}

cudnnDataType_t cudnn_type(int type)
{
    return type == DTYPE_F32   ? CUDNN_DATA_FLOAT
           : type == DTYPE_F16 ? CUDNN_DATA_HALF
                               : CUDNN_DATA_BFLOAT16;
}

/* ---- describing */

cudnn_graph::~cudnn_graph()
{
    for (size_t i = all.size(); i > 0; i--)
        n->call.unmake(all[i - 1]);
}

cudnnBackendDescriptor_t cudnn_graph::make(cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t d = NULL;

    if (ok && n->call.make(type, &d) != CUDNN_STATUS_SUCCESS)
        ok = false;
    if (ok)
        all.push_back(d);
    return ok ? d : NULL;
}

void cudnn_graph::set(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                      cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    if (ok && n->call.set(d, name, type, count, values) != CUDNN_STATUS_SUCCESS)
        ok = false;
}

void cudnn_graph::link(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                       cudnnBackendDescriptor_t value)
{
    set(d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

void cudnn_graph::finalize(cudnnBackendDescriptor_t d)
{
    if (ok && n->call.finalize(d) != CUDNN_STATUS_SUCCESS)
        ok = false;
}

cudnnBackendDescriptor_t cudnn_graph::tensor(int64_t uid, cudnnDataType_t type, int rank,
                                             const int64_t *size, const int64_t *stride)
{
    cudnnBackendDescriptor_t d = make(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    bool is_virtual = uid >= UID_VIRTUAL, by_value = uid == UID_SCALE;
    int64_t alignment = 16;

    set(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &uid);
    set(d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    set(d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, rank, size);
    set(d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, rank, stride);
    set(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    if (is_virtual)
        set(d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_virtual);
    if (by_value)
        set(d, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &by_value);
    finalize(d);
    return d;
}

cudnnBackendDescriptor_t cudnn_graph::scalar(int64_t uid, int rank)
{
    const int64_t ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    return tensor(uid, CUDNN_DATA_FLOAT, rank, ones, ones);
}

void cudnn_graph::pointwise(cudnnPointwiseMode_t mode, cudnnBackendDescriptor_t x,
                            cudnnBackendDescriptor_t b, cudnnBackendDescriptor_t y)
{
    cudnnBackendDescriptor_t how = make(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    cudnnDataType_t precision = CUDNN_DATA_FLOAT;

    set(how, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    set(how, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &precision);
    finalize(how);
    cudnnBackendDescriptor_t op = make(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    link(op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how);
    link(op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
    if (b)
        link(op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
    link(op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    finalize(op);
    operations.push_back(op);
}

void cudnn_graph::reduce(cudnnReduceTensorOp_t kind, cudnnBackendDescriptor_t x,
                         cudnnBackendDescriptor_t y)
{
    cudnnBackendDescriptor_t how = make(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
    cudnnDataType_t precision = CUDNN_DATA_FLOAT;

    set(how, CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, 1, &kind);
    set(how, CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &precision);
    finalize(how);
    cudnnBackendDescriptor_t op = make(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
    link(op, CUDNN_ATTR_OPERATION_REDUCTION_DESC, how);
    link(op, CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x);
    link(op, CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y);
    finalize(op);
    operations.push_back(op);
}

void cudnn_graph::multiply(cudnnBackendDescriptor_t a, cudnnBackendDescriptor_t b,
                           cudnnBackendDescriptor_t y)
{
    cudnnBackendDescriptor_t how = make(CUDNN_BACKEND_MATMUL_DESCRIPTOR);
    cudnnDataType_t precision = CUDNN_DATA_FLOAT;

    set(how, CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &precision);
    finalize(how);
    cudnnBackendDescriptor_t op = make(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
    link(op, CUDNN_ATTR_OPERATION_MATMUL_DESC, how);
    link(op, CUDNN_ATTR_OPERATION_MATMUL_ADESC, a);
    link(op, CUDNN_ATTR_OPERATION_MATMUL_BDESC, b);
    link(op, CUDNN_ATTR_OPERATION_MATMUL_CDESC, y);
    finalize(op);
    operations.push_back(op);
}

void cudnn_graph::attend(cudnnBackendDescriptor_t q, cudnnBackendDescriptor_t k,
                         cudnnBackendDescriptor_t v, cudnnBackendDescriptor_t scale,
                         cudnnBackendDescriptor_t out)
{
#if CUDNN_VERSION >= 91301
    cudnnBackendDescriptor_t op = make(CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR);
    link(op, CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, q);
    link(op, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, k);
    link(op, CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, v);
    link(op, CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, scale);
    link(op, CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, out);
    finalize(op);
    operations.push_back(op);
#else
    (void)q, (void)k, (void)v, (void)scale, (void)out;
    ok = false;
#endif
}

void cudnn_graph::convolve(int axes, const int64_t *stride, const int64_t *before,
                           const int64_t *after, cudnnBackendDescriptor_t x,
                           cudnnBackendDescriptor_t w, cudnnBackendDescriptor_t y)
{
    const int64_t ones[3] = {1, 1, 1}, count = axes;
    cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    cudnnDataType_t precision = CUDNN_DATA_FLOAT;
    float alpha = 1, beta = 0;
    cudnnBackendDescriptor_t how = make(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);

    set(how, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &precision);
    set(how, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    set(how, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &count);
    set(how, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, axes, ones);
    set(how, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, axes, stride);
    set(how, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, axes, before);
    set(how, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, axes, after);
    finalize(how);
    cudnnBackendDescriptor_t op = make(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
    link(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, how);
    link(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x);
    link(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w);
    link(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y);
    set(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1, &alpha);
    set(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, 1, &beta);
    finalize(op);
    operations.push_back(op);
}

/* ---- planning */

cudnnBackendDescriptor_t cudnn_graph::whole()
{
    cudnnBackendDescriptor_t graph = make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);

    set(graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &n->handle);
    set(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
        (int64_t)operations.size(), operations.data());
    finalize(graph);
    return graph;
}

bool cudnn_graph::choose(cudnnBackendDescriptor_t graph, cudnnBackendHeurMode_t mode,
                         size_t workspace, int from, struct cudnn_plan *out)
{
    enum { MOST = 16 };
    cudnnBackendDescriptor_t heuristics = make(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    cudnnBackendDescriptor_t config[MOST];
    int64_t found = 0;

    link(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    set(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    finalize(heuristics);
    for (int i = 0; i < MOST; i++)
        config[i] = make(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    if (!ok || n->call.get(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                           MOST, &found, config) != CUDNN_STATUS_SUCCESS)
        return false;
    for (int64_t i = from; i < found && i < MOST; i++) {
        cudnnBackendDescriptor_t plan = NULL;
        int64_t size = 0, count = 0;
        if (n->call.make(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &plan) != CUDNN_STATUS_SUCCESS)
            return false;
        if (n->call.set(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &n->handle) ==
                CUDNN_STATUS_SUCCESS &&
            n->call.set(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
                        CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &config[i]) == CUDNN_STATUS_SUCCESS &&
            n->call.finalize(plan) == CUDNN_STATUS_SUCCESS &&
            n->call.get(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &count,
                        &size) == CUDNN_STATUS_SUCCESS &&
            (size_t)size <= workspace) {
            out->plan = plan;
            out->workspace = (size_t)size;
            out->guess = (int)i;
            return true;
        }
        n->call.unmake(plan);
    }
    return false;
}

struct cudnn_plan cudnn_graph::plan(size_t workspace, int from)
{
    struct cudnn_plan out = {};

    if (!graph)
        graph = whole();
    if (ok && !choose(graph, CUDNN_HEUR_MODE_A, workspace, from, &out) && from == 0) {
        ok = true; /* that there are no heuristics for a graph is no reason not to look further */
        choose(graph, CUDNN_HEUR_MODE_FALLBACK, workspace, 0, &out);
        out.guess = 0;
    }
    return out;
}

/* ---- running */

cudnnStatus_t cudnn_execute(const struct cudnn *n, const struct cudnn_plan *p, int count,
                            const int64_t *uids, void *const *pointers, void *workspace)
{
    cudnnBackendDescriptor_t pack = NULL;
    cudnnStatus_t s = n->call.make(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack);

    if (s == CUDNN_STATUS_SUCCESS)
        s = n->call.set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, count, uids);
    if (s == CUDNN_STATUS_SUCCESS)
        s = n->call.set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, count,
                        pointers);
    if (s == CUDNN_STATUS_SUCCESS)
        s = n->call.set(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1,
                        &workspace);
    if (s == CUDNN_STATUS_SUCCESS)
        s = n->call.finalize(pack);
    if (s == CUDNN_STATUS_SUCCESS)
        s = n->call.execute(n->handle, p->plan, pack);
    if (pack)
        n->call.unmake(pack);
    return s;
}

static bool is_memory(cudnnStatus_t s)
{
    return s == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
           s == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
}

/* Some engines only say so when they run. */
static bool is_refusal(cudnnStatus_t s)
{
    return s >= CUDNN_STATUS_NOT_SUPPORTED && s < CUDNN_STATUS_INTERNAL_ERROR;
}

enum cudnn_result cudnn_run(struct context *c, const struct cudnn_plan *p, int count,
                            const int64_t *uids, void *const *pointers)
{
    struct cudnn *n = c->cudnn;
    void *workspace = p->workspace ? scratch_take(c, SCRATCH_VENDOR, p->workspace) : NULL;

    if (p->workspace && !workspace)
        return CUDNN_FAILED;
    cudnnStatus_t s = cudnn_execute(n, p, count, uids, pointers, workspace);
    if (s == CUDNN_STATUS_SUCCESS)
        return CUDNN_RAN;
    if (is_refusal(s))
        return CUDNN_REFUSED;
    c->host.fail(c->device, is_memory(s) ? ERROR_MEMORY : ERROR_INTERNAL,
                 "cuDNN: running a plan: %s", n->call.error_string(s));
    return CUDNN_FAILED;
}

/* cuDNN's graphs: descriptors that are set, made final, run. Every graph has five engines. */
#include <cudnn.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/cuda/fake.h"

enum { ENGINES = 5 };

struct descriptor {
    cudnnBackendDescriptorType_t type;
    bool final;
    int64_t workspace; /* a plan's bytes */
    void *bytes;       /* a variant pack's workspace */
};

FAKE size_t cudnnGetVersion(void)
{
    return CUDNN_VERSION;
}

FAKE const char *cudnnGetErrorString(cudnnStatus_t status)
{
    return status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED
               ? "out of memory"
               : "an error of the fake cuDNN";
}

FAKE cudnnStatus_t cudnnCreate(cudnnHandle_t *out)
{
    *out = fault_here(FAULT_DESCRIPTOR) ? NULL : thing_new(DNN_HANDLE, 0);
    return *out ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED;
}

FAKE cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    return thing_drop(DNN_HANDLE, handle, "cudnnDestroy") ? CUDNN_STATUS_SUCCESS
                                                          : CUDNN_STATUS_BAD_PARAM;
}

FAKE cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    return thing_need(DNN_HANDLE, handle, 1, "cudnnSetStream") &&
                   thing_need(STREAM, stream, 1, "cudnnSetStream")
               ? CUDNN_STATUS_SUCCESS
               : CUDNN_STATUS_BAD_PARAM;
}

FAKE cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                                cudnnBackendDescriptor_t *out)
{
    struct descriptor *own;

    *out = fault_here(FAULT_DESCRIPTOR) ? NULL : thing_new(DNN_DESCRIPTOR, sizeof *own);
    own = *out ? thing_own(DNN_DESCRIPTOR, *out, "cudnnBackendCreateDescriptor") : NULL;
    if (!own)
        return CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED;
    own->type = type;
    return CUDNN_STATUS_SUCCESS;
}

FAKE cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor)
{
    return thing_drop(DNN_DESCRIPTOR, descriptor, "cudnnBackendDestroyDescriptor")
               ? CUDNN_STATUS_SUCCESS
               : CUDNN_STATUS_BAD_PARAM;
}

/* What a descriptor refers to must be there: others final, addresses of the GPU alive. */
static void check_values(cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    for (int64_t i = 0; i < count; i++) {
        void *value;
        if (type != CUDNN_TYPE_BACKEND_DESCRIPTOR && type != CUDNN_TYPE_VOID_PTR)
            return;
        memcpy(&value, (const char *)values + (size_t)i * sizeof value, sizeof value);
        if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
            struct descriptor *own = thing_own(DNN_DESCRIPTOR, value, "a cuDNN attribute");
            if (own && !own->final)
                misuse("a cuDNN descriptor is used that is not final");
        } else if (memory_is_gone(value)) {
            misuse("cuDNN is given %p, which was freed", value);
        }
    }
}

FAKE cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor,
                                            cudnnBackendAttributeName_t name,
                                            cudnnBackendAttributeType_t type, int64_t count,
                                            const void *values)
{
    struct descriptor *own = thing_own(DNN_DESCRIPTOR, descriptor, "cudnnBackendSetAttribute");

    if (!own)
        return CUDNN_STATUS_BAD_PARAM;
    if (own->final)
        misuse("a cuDNN descriptor is changed after it was made final");
    check_values(type, count, values);
    if (name == CUDNN_ATTR_VARIANT_PACK_WORKSPACE)
        memcpy(&own->bytes, values, sizeof own->bytes);
    return CUDNN_STATUS_SUCCESS;
}

static void guess(int64_t wanted, int64_t *found, cudnnBackendDescriptor_t *out)
{
    *found = wanted < ENGINES ? wanted : ENGINES;
    for (int64_t i = 0; i < *found; i++) {
        struct descriptor *own = thing_own(DNN_DESCRIPTOR, out[i], "an engine's configuration");
        if (own)
            own->final = true;
    }
}

FAKE cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor,
                                            cudnnBackendAttributeName_t name,
                                            cudnnBackendAttributeType_t type, int64_t wanted,
                                            int64_t *found, void *out)
{
    struct descriptor *own = thing_own(DNN_DESCRIPTOR, descriptor, "cudnnBackendGetAttribute");

    (void)type;
    if (!own)
        return CUDNN_STATUS_BAD_PARAM;
    if (!own->final)
        misuse("a cuDNN descriptor is asked that is not final");
    if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS) {
        guess(wanted, found, out);
    } else if (name == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE) {
        *found = 1;
        memcpy(out, &own->workspace, sizeof own->workspace);
    } else {
        misuse("cuDNN's attribute %d is asked for", (int)name);
    }
    return CUDNN_STATUS_SUCCESS;
}

FAKE cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor)
{
    static atomic_uint plans;
    struct descriptor *own = thing_own(DNN_DESCRIPTOR, descriptor, "cudnnBackendFinalize");

    if (!own)
        return CUDNN_STATUS_BAD_PARAM;
    if (own->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR)
        own->workspace = (int64_t)(plans++ % 4) * (3 << 20); /* some need none */
    own->final = true;
    return CUDNN_STATUS_SUCCESS;
}

FAKE cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                       cudnnBackendDescriptor_t pack)
{
    struct descriptor *p = thing_own(DNN_DESCRIPTOR, plan, "cudnnBackendExecute's plan");
    struct descriptor *v = thing_own(DNN_DESCRIPTOR, pack, "cudnnBackendExecute's pack");

    if (!p || !v || !thing_need(DNN_HANDLE, handle, 1, "cudnnBackendExecute"))
        return CUDNN_STATUS_BAD_PARAM;
    if (!p->final || !v->final)
        misuse("cuDNN runs what is not final");
    if (p->workspace)
        thing_need(DEVICE_MEMORY, v->bytes, (size_t)p->workspace, "a cuDNN plan's workspace");
    if (fault_here(FAULT_ENGINE))
        return CUDNN_STATUS_NOT_SUPPORTED;
    return fault_here(FAULT_ENGINE_MEMORY) ? CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED
                                           : CUDNN_STATUS_SUCCESS;
}

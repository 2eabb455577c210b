# `make test-cuda-host`: the host side of the CUDA object without a GPU. The objects that `make cuda`
# compiled are linked with a CUDA that runs no kernel (fake.h) in place of NVIDIA's; it has cuDNN's
# name, by which the object finds it again.
FAKE_CUDA_SRC := \
	tests/cuda/copies.c \
	tests/cuda/cublaslt.c \
	tests/cuda/cudnn.c \
	tests/cuda/driver.c \
	tests/cuda/graphs.c \
	tests/cuda/kernels.c \
	tests/cuda/memory.c \
	tests/cuda/streams.c \
	tests/cuda/things.c
FAKE_CUDA_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(FAKE_CUDA_SRC))

$(FAKE_CUDA_OBJ): CFLAGS += -fPIC -isystem $(CUDA_HOME)/include

$(BUILD)/tests/cuda/libcudnn.so.9: $(FAKE_CUDA_OBJ)
	$(CC) -shared $(LDFLAGS) -Wl,-z,defs,-soname,libcudnn.so.9 -o $@ $^ -lxxhash -lpthread

$(BUILD)/tests/cuda/libauteur-cuda.so: $(CUDA_OBJ) $(BUILD)/tests/cuda/libcudnn.so.9
	$(CXX) -shared $(LDFLAGS) -Wl,--gc-sections,-z,defs,-rpath,'$$ORIGIN' -o $@ $^ -ldl -lpthread

.PHONY: test-cuda-host
ifneq ($(shell command -v $(NVCC) 2>/dev/null),)
test-cuda-host: all $(BUILD)/tests/kernels/check_ops $(BUILD)/tests/cuda/libauteur-cuda.so
	tests/run-cuda-host $(BUILD)
else
test-cuda-host:
	@echo "skip: there is no nvcc here to compile the CUDA object"
	@echo "0 passed, 0 failed, 1 skipped"
endif

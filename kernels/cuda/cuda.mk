# The CUDA object, which the program opens at run time; `make cuda` builds it, `make` too where there
# are both a compiler for it and an NVIDIA GPU. CUDA_ARCH: the architectures to compile for, the last
# of them as PTX as well, for those to come. One of them is enough to try something:
#   make cuda CUDA_ARCH=90a
CUDA_HOME ?= /usr/local/cuda
CUDA_ARCH ?= 80 90a 100 120 121
NVCC      ?= $(or $(wildcard $(CUDA_HOME)/bin/nvcc),nvcc)

CUDA_SRC := \
	kernels/cuda/attention.cu \
	kernels/cuda/channel_norm.cu \
	kernels/cuda/bulk.cu \
	kernels/cuda/context.cu \
	kernels/cuda/conv.cu \
	kernels/cuda/conv_clips.cu \
	kernels/cuda/conv_pack.cu \
	kernels/cuda/conv_unfold.cu \
	kernels/cuda/copy.cu \
	kernels/cuda/cudnn.cu \
	kernels/cuda/cudnn_attention.cu \
	kernels/cuda/cudnn_conv.cu \
	kernels/cuda/distance.cu \
	kernels/cuda/flash_attention.cu \
	kernels/cuda/fp8_attention.cu \
	kernels/cuda/fp8_operands.cu \
	kernels/cuda/gemm.cu \
	kernels/cuda/gemm_search.cu \
	kernels/cuda/glu.cu \
	kernels/cuda/graph.cu \
	kernels/cuda/group_norm.cu \
	kernels/cuda/index.cu \
	kernels/cuda/linear.cu \
	kernels/cuda/linear_glu.cu \
	kernels/cuda/linear_pack.cu \
	kernels/cuda/map.cu \
	kernels/cuda/mover.cu \
	kernels/cuda/norm.cu \
	kernels/cuda/normalise.cu \
	kernels/cuda/reading.cu \
	kernels/cuda/norm_rope.cu \
	kernels/cuda/rows.cu \
	kernels/cuda/probe.cu \
	kernels/cuda/transfer.cu
CUDA_OBJ := $(patsubst %.cu,$(BUILD)/%.o,$(CUDA_SRC))

# PTX of an architecture with a letter runs on that one alone: the plain one is for the others.
CUDA_LAST  = $(shell echo $(lastword $(CUDA_ARCH)) | tr -d a-z)
CUDA_PTX   = -gencode arch=compute_$(CUDA_LAST),code=compute_$(CUDA_LAST)
NVCC_FLAGS = -std=c++17 -O3 -I. -D_GNU_SOURCE --threads 2 $(if $(CI),-Werror all-warnings) \
             -Xcompiler -fPIC,-fvisibility=hidden,-Wall,-Wextra \
             $(foreach a,$(CUDA_ARCH),-gencode arch=compute_$(a),code=sm_$(a)) \
             $(if $(filter $(CUDA_LAST),$(CUDA_ARCH)),$(CUDA_PTX))

$(BUILD)/kernels/cuda/%.o: kernels/cuda/%.cu
	@mkdir -p $(@D)
	$(NVCC) $(NVCC_FLAGS) -MMD -MF $(@:.o=.d) -MP -c -o $@ $<

$(BUILD)/libauteur-cuda.so: $(CUDA_OBJ)
	$(NVCC) -shared -cudart static -gencode arch=compute_$(CUDA_LAST),code=sm_$(CUDA_LAST) \
	  -Xlinker --gc-sections,-z,defs,-rpath,'$$ORIGIN:$$ORIGIN/lib:$(CUDA_HOME)/lib64' \
	  -o $@ $^ -L$(CUDA_HOME)/lib64 -lcublasLt -ldl

.PHONY: cuda
cuda: $(BUILD)/libauteur-cuda.so
ifneq ($(and $(wildcard /dev/nvidia0),$(shell command -v $(NVCC) 2>/dev/null)),)
all: cuda
endif

# Holds every operation against the reference; links kernels/ alone, so that it runs on a machine
# that has nothing else.
$(BUILD)/tests/kernels/check_ops: $(patsubst %,$(BUILD)/tests/kernels/%.o,check_attention \
  check_fused check_graphs check_large check_matrices check_ops check_pictures check_rows check_time) $(BUILD)/libauteur.a
	$(CC) $(LDFLAGS) $(OPT) -o $@ $(filter %.o,$^) $(BUILD)/libauteur.a -lm -lpthread

# Part of the tests: on the CPU always, on a GPU where there is one (it says so when there is none).
.PHONY: check-ops
check-ops: $(BUILD)/tests/kernels/check_ops
	$< --device cpu --rounds 10
	$< --rounds 20
test run-tests: check-ops

# Into lib/auteur-pipe, where it has been built.
.PHONY: install-cuda
install-cuda: all
	if [ -f $(BUILD)/libauteur-cuda.so ]; then \
	  install -D -m 755 $(BUILD)/libauteur-cuda.so $(INSTALLED)/lib/auteur-pipe/libauteur-cuda.so; fi
install: install-cuda

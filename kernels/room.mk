KERNELS_SRC := \
	kernels/base/arena.c \
	kernels/base/error.c \
	kernels/base/file.c \
	kernels/base/hash.c \
	kernels/base/json.c \
	kernels/base/strbuf.c \
	kernels/base/suggest.c \
	kernels/config.c \
	kernels/cpu/attention_f16.c \
	kernels/cpu/cpu.c \
	kernels/cpu/isa_avx2.c \
	kernels/cpu/isa_avx512.c \
	kernels/cpu/isa_base.c \
	kernels/cuda/load.c \
	kernels/device.c \
	kernels/device_memory.c \
	kernels/f8.c \
	kernels/dry/dry.c \
	kernels/dry/mover.c \
	kernels/dry/ops.c \
	kernels/dry/processor.c \
	kernels/graph.c \
	kernels/load_watch.c \
	kernels/loader.c \
	kernels/machine/limits.c \
	kernels/machine/measure.c \
	kernels/machine/measure_disk.c \
	kernels/machine/nvml.c \
	kernels/machine/report.c \
	kernels/machine/sampler.c \
	kernels/notes.c \
	kernels/ops.c \
	kernels/ops_fused.c \
	kernels/outline.c \
	kernels/ops_pictures.c \
	kernels/pack.c \
	kernels/pool.c \
	kernels/prefetch.c \
	kernels/reference/matrix.c \
	kernels/reference/pictures.c \
	kernels/reference/reference.c \
	kernels/reference/rows.c \
	kernels/safetensors.c \
	kernels/tensor.c \
	kernels/tuning.c \
	kernels/weight_file.c \
	kernels/weight_stream.c

KERNELS_TESTS := \
	tests/kernels/test_device_memory.c \
	tests/kernels/test_f8.c \
	tests/kernels/test_file.c \
	tests/kernels/test_graph.c \
	tests/kernels/test_machine.c \
	tests/kernels/test_notes.c \
	tests/kernels/test_ops.c \
	tests/kernels/test_pool.c \
	tests/kernels/test_prefetch.c \
	tests/kernels/test_products_f16.c \
	tests/kernels/test_safetensors.c \
	tests/kernels/test_tuning.c \
	tests/kernels/test_weight_stream.c

# The CPU kernels are compiled once for each instruction set and chosen at run time. Sums may use
# fused multiply-adds.
$(BUILD)/kernels/cpu/isa_%.o: CFLAGS += -O3 -ffp-contract=fast
# Asked when a file is compiled, not before: the compiler may come to be with the other packages.
X86 = $(findstring x86_64,$(shell $(CC) -dumpmachine))
$(BUILD)/kernels/cpu/isa_avx2.o: CFLAGS += $(if $(X86),-mavx2 -mfma)
$(BUILD)/kernels/cpu/isa_avx512.o: CFLAGS += $(if $(X86),-march=x86-64-v4 -mprefer-vector-width=512)
$(BUILD)/kernels/cpu/attention_f16.o: CFLAGS += $(if $(X86),-O3 -march=x86-64-v4 -mavx512fp16)

STAGES_SRC := \
	stages/generate/latents.c \
	stages/generate/tiers.c \
	stages/generate/torch_random.c \
	stages/generate/unipc.c \
	stages/generate/unipc_config.c

STAGES_TESTS := \
	tests/stages/test_latents.c \
	tests/stages/test_tiers.c \
	tests/stages/test_torch_random.c \
	tests/stages/test_unipc.c

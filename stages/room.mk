STAGES_SRC := \
	stages/generate/torch_random.c

STAGES_TESTS := \
	tests/stages/test_torch_random.c

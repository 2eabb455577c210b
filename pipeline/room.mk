PIPELINE_SRC := \
	pipeline/exit_code.c \
	pipeline/cli/suggest.c \
	pipeline/cli/options.c \
	pipeline/cli/option_table.c

PIPELINE_TESTS := \
	tests/pipeline/test_options.c

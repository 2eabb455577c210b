PIPELINE_SRC := \
	pipeline/exit_code.c \
	pipeline/cli/suggest.c \
	pipeline/cli/options.c \
	pipeline/cli/option_table.c \
	pipeline/execute/scheduler.c

PIPELINE_TESTS := \
	tests/pipeline/test_options.c \
	tests/pipeline/test_scheduler.c

PIPELINE_SRC := \
	pipeline/exit_code.c \
	pipeline/cli/option_table.c \
	pipeline/cli/options.c \
	pipeline/cli/suggest.c \
	pipeline/execute/artefacts.c \
	pipeline/execute/cleanup.c \
	pipeline/execute/executor.c \
	pipeline/execute/identify.c \
	pipeline/execute/job.c \
	pipeline/execute/key.c \
	pipeline/execute/peak.c \
	pipeline/execute/plan.c \
	pipeline/execute/production.c \
	pipeline/execute/runner.c \
	pipeline/execute/scheduler.c \
	pipeline/execute/sheet.c

PIPELINE_TESTS := \
	tests/pipeline/test_executor.c \
	tests/pipeline/test_options.c \
	tests/pipeline/test_scheduler.c

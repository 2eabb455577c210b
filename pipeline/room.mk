PIPELINE_SRC := \
	pipeline/exit_code.c \
	pipeline/interrupt.c \
	pipeline/paths.c \
	pipeline/cli/completion.c \
	pipeline/cli/help.c \
	pipeline/cli/man.c \
	pipeline/cli/option_table.c \
	pipeline/cli/options.c \
	pipeline/commands/check.c \
	pipeline/commands/command_line.c \
	pipeline/commands/help.c \
	pipeline/commands/journal.c \
	pipeline/commands/models.c \
	pipeline/commands/models_show.c \
	pipeline/commands/parity.c \
	pipeline/commands/produce.c \
	pipeline/commands/prompt.c \
	pipeline/commands/resume.c \
	pipeline/commands/run.c \
	pipeline/commands/status.c \
	pipeline/commands/table.c \
	pipeline/commands/version.c \
	pipeline/commands/why.c \
	pipeline/execute/artefacts.c \
	pipeline/execute/cleanup.c \
	pipeline/execute/executor.c \
	pipeline/execute/identify.c \
	pipeline/execute/job.c \
	pipeline/execute/key.c \
	pipeline/execute/lanes.c \
	pipeline/execute/peak.c \
	pipeline/execute/plan.c \
	pipeline/execute/plan_changes.c \
	pipeline/execute/production.c \
	pipeline/execute/runner.c \
	pipeline/execute/scheduler.c \
	pipeline/execute/sheet.c \
	pipeline/execute/workspace.c \
	pipeline/progress/cost.c \
	pipeline/progress/heard.c \
	pipeline/progress/progress.c \
	pipeline/progress/show_json.c \
	pipeline/progress/show_plain.c \
	pipeline/progress/show_terminal.c

PIPELINE_TESTS := \
	tests/pipeline/test_commands.c \
	tests/pipeline/test_crash.c \
	tests/pipeline/test_executor.c \
	tests/pipeline/test_full_disk.c \
	tests/pipeline/test_key.c \
	tests/pipeline/test_kill.c \
	tests/pipeline/test_models.c \
	tests/pipeline/test_options.c \
	tests/pipeline/test_progress.c \
	tests/pipeline/test_scheduler.c \
	tests/pipeline/test_tiers_run.c

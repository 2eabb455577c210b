JOURNAL_SRC := \
	journal/changes.c \
	journal/check.c \
	journal/codec.c \
	journal/keys.c \
	journal/lock.c \
	journal/open.c \
	journal/page.c \
	journal/put.c \
	journal/records.c \
	journal/salvage.c \
	journal/sweep.c \
	journal/verify.c \
	journal/view.c \
	journal/walk.c

JOURNAL_TESTS := \
	tests/journal/test_codec.c \
	tests/journal/test_crash.c \
	tests/journal/test_damage.c \
	tests/journal/test_journal.c \
	tests/journal/test_sharing.c \
	tests/journal/test_space.c

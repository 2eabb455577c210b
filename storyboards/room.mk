STORYBOARDS_SRC := \
	storyboards/board.c \
	storyboards/describe.c \
	storyboards/fields.c \
	storyboards/film.c \
	storyboards/media.c \
	storyboards/object.c \
	storyboards/problems.c \
	storyboards/recipe.c \
	storyboards/schema.c \
	storyboards/shot.c \
	storyboards/sound.c \
	storyboards/time.c \
	storyboards/tree.c \
	storyboards/values.c

STORYBOARDS_TESTS := \
	tests/storyboards/test_film.c \
	tests/storyboards/test_format.c \
	tests/storyboards/test_limits.c \
	tests/storyboards/test_recipe.c \
	tests/storyboards/test_samples.c

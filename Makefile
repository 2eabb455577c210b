# auteur-pipe. `make demo` and `make test` set up what is missing and need nothing else.
#
#   make            build/auteur-pipe
#   make demo       install missing packages, build, run storyboards/demo.yaml
#   make test       install missing packages, build, run every test
#   make sanitize   the tests under AddressSanitizer and UndefinedBehaviorSanitizer
#   make fuzz bench check-style format install clean
#
# Each room lists its own sources in ROOM/room.mk.

ifeq ($(wildcard build/.packages),)
ifneq ($(filter demo test,$(MAKECMDGOALS)),)
SETUP = build/.packages
endif
endif

PREFIX  ?= /usr/local
BUILD   ?= build
CC      ?= cc
CXX     ?= c++
OPT     ?= -O2 -g
WARN    := -Wall -Wextra -Wundef -Wstrict-prototypes -Wvla
ifdef CI
WARN    += -Werror
endif

include kernels/room.mk journal/room.mk storyboards/room.mk prompts/room.mk stages/room.mk \
        pipeline/room.mk bench/room.mk

PACKAGES := yaml-0.1 lmdb libxxhash jansson sentencepiece libass fontconfig libavformat \
            libavcodec libavutil libswscale
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES))
PKG_LIBS   = $(shell pkg-config --libs $(PACKAGES))

CPPFLAGS += -I. -D_GNU_SOURCE -MMD -MP
CFLAGS   += -std=c17 $(OPT) $(WARN) -fvisibility=hidden -fopenmp
CXXFLAGS += -std=c++17 $(OPT) -Wall -Wextra -Wundef -fvisibility=hidden
LDLIBS   += $(PKG_LIBS) -ldnnl -lstdc++ -lm -lpthread
LDFLAGS  += -fopenmp

ROOM_SRC := $(KERNELS_SRC) $(JOURNAL_SRC) $(STORYBOARDS_SRC) $(PROMPTS_SRC) $(STAGES_SRC) \
            $(PIPELINE_SRC)
ROOM_OBJ := $(patsubst %,$(BUILD)/%.o,$(basename $(ROOM_SRC)))
TEST_SRC := $(KERNELS_TESTS) $(JOURNAL_TESTS) $(STORYBOARDS_TESTS) $(PROMPTS_TESTS) \
            $(STAGES_TESTS) $(PIPELINE_TESTS)
TEST_BIN := $(patsubst %.c,$(BUILD)/%,$(TEST_SRC))

.DELETE_ON_ERROR:
.SECONDARY:
all: $(BUILD)/auteur-pipe

$(BUILD)/auteur-pipe: $(BUILD)/pipeline/main.o $(BUILD)/libauteur.a
	$(CC) $(LDFLAGS) -o $@ $< $(BUILD)/libauteur.a $(LDLIBS)

$(BUILD)/libauteur.a: $(ROOM_OBJ)
	rm -f $@ && ar rcs $@ $^

$(BUILD)/%.o: %.c | $(SETUP)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.cc | $(SETUP)
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(PKG_CFLAGS) $(CXXFLAGS) -c -o $@ $<

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/libauteur.a
	$(CC) $(LDFLAGS) -o $@ $< $(BUILD)/libauteur.a $(LDLIBS) -lcmocka

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# auteur-pipe. `make demo` and `make test` set up what is missing and need nothing else.
#
#   make               build/auteur-pipe
#   make demo          install missing packages, build, run storyboards/demo.yaml
#   make test          install missing packages, build, run every test
#   make test-gpu      what only a GPU can show: tests/run-gpu
#   make test-cuda-host  the CUDA object's host side without a GPU: tests/run-cuda-host
#   make sanitize      the tests under AddressSanitizer and UndefinedBehaviorSanitizer
#   make check-style   clang-format, headers compile alone, no exit() below main
#   make cuda          build/libauteur-cuda.so, for NVIDIA GPUs; needs the CUDA toolkit
#   make bundle        build/bundle: the program with all that it needs, to take elsewhere
#   make bench fuzz format install clean
#
# Each room lists its own sources in ROOM/room.mk.

PREFIX  ?= /usr/local
BUILD   ?= build
CC      ?= cc
CXX     ?= c++
OPT     ?= -O2 -g
WARN    := -Wall -Wextra -Wundef
ifdef CI
WARN    += -Werror
endif

include kernels/room.mk journal/room.mk storyboards/room.mk prompts/room.mk stages/room.mk \
        pipeline/room.mk bench/room.mk

PACKAGES := yaml-0.1 lmdb libxxhash jansson sentencepiece libass fontconfig freetype2 libavformat \
            libavcodec libavfilter libavutil libswscale libswresample libpcre2-8 libxml-2.0 libmicrohttpd \
            libtiff-4 lcms2
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES))
PKG_LIBS   = $(shell pkg-config --libs $(PACKAGES))

CPPFLAGS += -I. -D_GNU_SOURCE -MMD -MP
CFLAGS   += -std=c17 $(OPT) $(WARN) -Wstrict-prototypes -Wvla -fvisibility=hidden
CXXFLAGS += -std=c++17 $(OPT) $(WARN) -fvisibility=hidden
LDLIBS   += $(PKG_LIBS) -lunistring -lstdc++ -lm -lpthread

ROOM_SRC := $(KERNELS_SRC) $(JOURNAL_SRC) $(STORYBOARDS_SRC) $(PROMPTS_SRC) $(STAGES_SRC) \
            $(PIPELINE_SRC)
ROOM_OBJ := $(patsubst %,$(BUILD)/%.o,$(basename $(ROOM_SRC)))
TEST_SRC := $(KERNELS_TESTS) $(JOURNAL_TESTS) $(STORYBOARDS_TESTS) $(PROMPTS_TESTS) \
            $(STAGES_TESTS) $(PIPELINE_TESTS)
# The longest first, so that the others fill the cores beside them.
LONG_TESTS := $(addprefix tests/pipeline/test_,tiers_killed plan_options kill plan plan_memory tiers_run pictures full_disk verify)
TEST_BIN := $(addprefix $(BUILD)/,$(LONG_TESTS) $(filter-out $(LONG_TESTS),$(TEST_SRC:.c=)))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all demo test test-gpu sanitize check-style format bench fuzz install clean

all: $(BUILD)/auteur-pipe

# `make demo` and `make test` install what is missing and build on every core; the other targets only
# say what is missing.
ifneq ($(filter demo test,$(MAKECMDGOALS)),)
SETUP_MODE :=
MAKEFLAGS += -j$(shell nproc)
else
SETUP_MODE := --check
endif
$(BUILD)/.packages: .ci/packages.txt .ci/setup
	@mkdir -p $(@D)
	@sh .ci/setup $(SETUP_MODE)
	@touch $@

$(BUILD)/auteur-pipe: $(BUILD)/pipeline/main.o $(BUILD)/libauteur.a
	$(CC) $(LDFLAGS) $(OPT) -o $@ $< $(BUILD)/libauteur.a $(LDLIBS)

$(BUILD)/libauteur.a: $(ROOM_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/%.o: %.c | $(BUILD)/.packages
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.cc | $(BUILD)/.packages
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(PKG_CFLAGS) $(CXXFLAGS) -c -o $@ $<

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/libauteur.a
	$(CC) $(LDFLAGS) $(OPT) -o $@ $< $(BUILD)/libauteur.a $(LDLIBS) -lcmocka

include kernels/cuda/cuda.mk tests/cuda/fake.mk pipeline/data.mk pipeline/bundle.mk

test: all $(TEST_BIN)
	tests/run $(TEST_BIN)

test-gpu: all cuda $(BUILD)/tests/kernels/check_ops
	tests/run-gpu $(BUILD)/auteur-pipe $(BUILD)/tests/kernels/check_ops

# The demo ends with what it made; see storyboards/demo.yaml.
demo: all
	$(BUILD)/auteur-pipe run storyboards/demo.yaml
	@cd out/demo && du -h shots/*/*_v* film_v* contact-sheet.png demo.*
	@echo "Open out/demo/index.html, or play out/demo/film.mp4; the shots are in out/demo/shots"

.PHONY: run-tests
run-tests: all $(TEST_BIN)
	tests/run $(TEST_BIN)

sanitize:
	LSAN_OPTIONS=suppressions=$(CURDIR)/tests/lsan.supp $(MAKE) BUILD=build-sanitize OPT="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	  -fno-sanitize-recover=undefined" run-tests

# libFuzzer with ASan and UBSan, for FUZZ_SECONDS; needs clang. Mutates the sample storyboards.
FUZZ_SECONDS ?= 60
fuzz: | $(BUILD)/.packages
	@mkdir -p $(BUILD)/fuzz-corpus
	clang -std=c17 -g -O1 -I. -D_GNU_SOURCE $(PKG_CFLAGS) -fsanitize=fuzzer,address,undefined \
	  -o $(BUILD)/fuzz_board tests/fuzz/fuzz_board.c $(STORYBOARDS_SRC) \
	  $(filter kernels/base/%,$(KERNELS_SRC)) $(PKG_LIBS) -lunistring -lm
	$(BUILD)/fuzz_board -max_total_time=$(FUZZ_SECONDS) -max_len=4096 $(BUILD)/fuzz-corpus \
	  storyboards storyboards/bad

check-style:
	.ci/check-style

format:
	clang-format -i $$(git ls-files '*.c' '*.h' '*.inc' '*.cu' '*.cuh')

clean:
	rm -rf build build-*

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

BENCH_SRC := 
BENCH_TESTS := 

.DEFAULT_GOAL := all

# All that bench/ has in C, so that it still builds when what it measures changes.
.PHONY: bench-programs
bench-programs: $(addprefix $(BUILD)/bench/,engine noop quality seams models machine load)

# The engine against the most that these cores can do; against PyTorch where that is installed:
# bench/peer_torch.py build/bench/engine stages/generate/previs/checkpoint
$(BUILD)/bench/engine: $(BUILD)/bench/engine.o $(BUILD)/bench/peak.o $(BUILD)/libauteur.a
	$(CC) $(LDFLAGS) $(OPT) -o $@ $^ $(LDLIBS)
# Measures the very machine it is built on.
$(BUILD)/bench/peak.o: CFLAGS += -O3 -march=native -ffp-contract=fast
.PHONY: bench-engine
bench-engine: $(BUILD)/bench/engine
	$< stages/generate/previs/checkpoint
bench: bench-engine

# A run with nothing to do on 10,000 shots, against make.
$(BUILD)/bench/noop: $(BUILD)/bench/noop.o $(BUILD)/libauteur.a
	$(CC) $(LDFLAGS) $(OPT) -o $@ $^ $(LDLIBS)
.PHONY: bench-noop
bench-noop: $(BUILD)/bench/noop $(BUILD)/auteur-pipe
	AUTEUR_DATA=$(abspath $(BUILD))/share/auteur-pipe $< $(BUILD)/auteur-pipe tests/fixtures/wan2.2-t2v-a14b
bench: bench-noop

# Composite and encode, against the ffmpeg command line.
.PHONY: bench-composite-encode
bench-composite-encode: $(BUILD)/auteur-pipe
	bench/composite_encode.sh $<
bench: bench-composite-encode

.PHONY: bench-deliver
bench-deliver: $(BUILD)/auteur-pipe
	bench/deliver.sh $<
bench: bench-deliver

# What step caches and FP8 layers cost in quality. Minutes.
$(BUILD)/bench/quality: $(patsubst %,$(BUILD)/bench/%.o,quality shots frames layer_errors as_bf16) \
  $(BUILD)/libauteur.a
	$(CC) $(LDFLAGS) $(OPT) -o $@ $^ $(LDLIBS)
.PHONY: bench-quality
bench-quality: $(BUILD)/bench/quality
	$< stages/generate/previs/checkpoint --cache first-block --fp8 yes

# What tiles cost in quality, by size and overlap. Minutes.
$(BUILD)/bench/seams: $(patsubst %,$(BUILD)/bench/%.o,seams shots frames) $(BUILD)/libauteur.a
	$(CC) $(LDFLAGS) $(OPT) -o $@ $^ $(LDLIBS)
.PHONY: bench-seams
bench-seams: $(BUILD)/bench/seams
	$< stages/generate/previs/checkpoint --frames 9 --shots 4 --tile 128 --tile 192 --tile 256

# Steps and decodes of models at their published size, on synthetic weights; links no more than
# models need, so that it runs beside a GPU where FFmpeg is not. bench/make_checkpoint.py --sparse
# makes what it reads.
MODELS_LIBS = $(shell pkg-config --libs jansson sentencepiece libpcre2-8 libxxhash)
$(BUILD)/bench/models: $(patsubst %,$(BUILD)/bench/%.o,models given profile synthetic) \
  $(BUILD)/libauteur.a
	$(CC) $(LDFLAGS) $(OPT) -Wl,--as-needed -o $@ $^ $(MODELS_LIBS) -lunistring -lstdc++ -lm -lpthread

# The measuring of `auteur-pipe verify` alone; links kernels/ and nothing else.
$(BUILD)/bench/machine: $(BUILD)/bench/machine.o $(BUILD)/libauteur.a
	$(CC) $(LDFLAGS) $(OPT) -o $@ $^ -lm -lpthread

# Loading a model, against reading its files; likewise.
$(BUILD)/bench/load: $(BUILD)/bench/load.o $(BUILD)/libauteur.a
	$(CC) $(LDFLAGS) $(OPT) -Wl,--as-needed -o $@ $^ $(MODELS_LIBS) -lunistring -lstdc++ -lm -lpthread

# The previs model by the films of 200 prompts that it was not taught on, against what they ask; with
# PyTorch. Some 40 minutes; PREVIS_SHOTS=24 takes the first of them, which stand for all.
PYTHON ?= python3
PREVIS_SHOTS ?= 200
.PHONY: bench-previs
bench-previs: $(BUILD)/auteur-pipe
	$(PYTHON) bench/previs/measure.py films $< out/bench-previs --shots $(PREVIS_SHOTS)

# 24 shots of what previs knows, and a sheet of them; with Pillow.
.PHONY: contact-sheet
contact-sheet: $(BUILD)/auteur-pipe
	@$(PYTHON) -c "import PIL" 2>/dev/null || { echo "contact-sheet: $(PYTHON) has no Pillow: name one that has by PYTHON="; exit 1; }
	$< run storyboards/animatic.yaml -o out/animatic
	$(PYTHON) bench/contact_sheet.py out/animatic out/animatic.jpg --most 110

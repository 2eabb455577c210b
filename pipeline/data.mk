# The program's data files, staged where it looks for them beside its executable (pipeline/paths.h),
# and `make install`, which puts the program, its data, its manual page and shell completion under
# PREFIX (and DESTDIR, for packagers). The page and the completions are printed by the program
# itself, from the table of options that it parses by.
DATA := $(BUILD)/share/auteur-pipe
DATA_FILES := $(DATA)/lexicon.yaml $(DATA)/previs $(DATA)/published $(DATA)/smoke/flagship

$(DATA)/lexicon.yaml: | $(BUILD)/.packages
	@mkdir -p $(@D)
	ln -sfn $(abspath prompts/lexicon.yaml) $@

$(DATA)/previs: | $(BUILD)/.packages
	@mkdir -p $(@D)
	ln -sfn $(abspath stages/generate/previs/checkpoint) $@

$(DATA)/published: | $(BUILD)/.packages
	@mkdir -p $(@D)
	ln -sfn $(abspath stages/models/published) $@

# Tiny checkpoints of random weights, one a tier, for `verify --smoke`. What the tests compare with
# (golden.*) is not taken along.
$(DATA)/smoke/flagship: | $(BUILD)/.packages
	@mkdir -p $(@D)/validator
	ln -sfn $(abspath tests/fixtures/sdxl) $(@D)/validator/sdxl
	ln -sfn $(abspath tests/fixtures/svd-xt) $(@D)/validator/svd-xt
	ln -sfn $(abspath tests/fixtures/hunyuan-video) $(@D)/workhorse
	ln -sfn $(abspath tests/fixtures/cogvideox) $(@D)/experimental
	ln -sfn $(abspath tests/fixtures/wan2.2-t2v-a14b) $@

$(BUILD)/auteur-pipe: | $(DATA_FILES)

# The review page's parts, which page_source.c embeds by its assembler: make is told nothing of it.
$(BUILD)/pipeline/review/page_source.o: $(addprefix pipeline/review/,page.html page.css timecode.js elements.js \
  store.js player.js shots.js details.js notes.js page.js)

INSTALLED := $(DESTDIR)$(PREFIX)
install: all
	install -d $(INSTALLED)/bin $(INSTALLED)/share/auteur-pipe $(INSTALLED)/share/man/man1 \
	  $(INSTALLED)/share/bash-completion/completions $(INSTALLED)/share/zsh/site-functions \
	  $(INSTALLED)/share/fish/vendor_completions.d
	install -m 755 $(BUILD)/auteur-pipe $(INSTALLED)/bin/auteur-pipe
	cp -rL $(DATA)/. $(INSTALLED)/share/auteur-pipe
	find $(INSTALLED)/share/auteur-pipe/smoke -name 'golden*' -delete
	$(BUILD)/auteur-pipe --man > $(INSTALLED)/share/man/man1/auteur-pipe.1
	$(BUILD)/auteur-pipe --completion bash \
	  > $(INSTALLED)/share/bash-completion/completions/auteur-pipe
	$(BUILD)/auteur-pipe --completion zsh > $(INSTALLED)/share/zsh/site-functions/_auteur-pipe
	$(BUILD)/auteur-pipe --completion fish \
	  > $(INSTALLED)/share/fish/vendor_completions.d/auteur-pipe.fish

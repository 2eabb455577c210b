# The program's data files, staged where it looks for them beside its executable (pipeline/paths.h)
# and installed from there. One line a file or folder.
DATA := $(BUILD)/share/auteur-pipe
DATA_FILES := $(DATA)/lexicon.yaml $(DATA)/previs

$(DATA)/lexicon.yaml: prompts/lexicon.yaml
	@mkdir -p $(@D)
	ln -sfn $(abspath $<) $@

# A folder of several files: the link is what is staged.
$(DATA)/previs: | $(BUILD)/.packages
	@mkdir -p $(@D)
	ln -sfn $(abspath stages/generate/previs/checkpoint) $@

$(BUILD)/auteur-pipe: | $(DATA_FILES)

PROMPTS_SRC := \
	prompts/enhance.c \
	prompts/lettering.c \
	prompts/lexicon.c \
	prompts/lexicon_patterns.c \
	prompts/lexicon_yaml.c \
	prompts/quotes.c \
	prompts/words.c \
	prompts/charsmap.c \
	prompts/sentencepiece.cc \
	prompts/added_tokens.c \
	prompts/bpe.c \
	prompts/bpe_merges.c \
	prompts/bpe_tokenizer.c \
	prompts/clip_files.c \
	prompts/text_normalizer.c \
	prompts/text_pattern.c \
	prompts/text_splitter.c \
	prompts/tokenizer.c \
	prompts/tokenizer_config.c \
	prompts/vocabulary.c \
	prompts/clip_layers.c \
	prompts/clip_text.c \
	prompts/clip_vision.c \
	prompts/picture_resize.c \
	prompts/encoder.c \
	prompts/llama.c \
	prompts/llama_rope.c \
	prompts/t5.c

PROMPTS_TESTS := \
	tests/prompts/test_enhance.c \
	tests/prompts/test_lexicon.c \
	tests/prompts/test_bpe_tokenizer.c \
	tests/prompts/test_tokenizer.c \
	tests/prompts/test_tokenizer_files.c \
	tests/prompts/test_clip_text.c \
	tests/prompts/test_clip_vision.c \
	tests/prompts/test_picture_resize.c \
	tests/prompts/test_llama.c \
	tests/prompts/test_t5.c

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
	prompts/tokenizer.c \
	prompts/umt5.c

PROMPTS_TESTS := \
	tests/prompts/test_enhance.c \
	tests/prompts/test_lexicon.c \
	tests/prompts/test_tokenizer.c \
	tests/prompts/test_umt5.c

PROMPTS_SRC := \
	prompts/charsmap.c \
	prompts/sentencepiece.cc \
	prompts/tokenizer.c

PROMPTS_TESTS := \
	tests/prompts/test_tokenizer.c

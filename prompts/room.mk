PROMPTS_SRC := \
	prompts/charsmap.c \
	prompts/sentencepiece.cc \
	prompts/tokenizer.c \
	prompts/umt5.c

PROMPTS_TESTS := \
	tests/prompts/test_tokenizer.c \
	tests/prompts/test_umt5.c

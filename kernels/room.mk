KERNELS_SRC := \
	kernels/base/arena.c \
	kernels/base/error.c \
	kernels/base/file.c \
	kernels/base/hash.c \
	kernels/base/json.c \
	kernels/base/strbuf.c

KERNELS_TESTS :=

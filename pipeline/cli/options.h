/* The one table of options. It drives parsing, ranges, help, the man page and shell completion;
 * an option exists by having a row here and a field in struct options. */
#ifndef AUTEUR_PIPELINE_CLI_OPTIONS_H
#define AUTEUR_PIPELINE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/error.h"

enum { OPERANDS = 64 };

/* A command line, parsed. Strings point into argv, or are the table's defaults; never NULL. */
struct options {
    const char *output, *tier, *only, *models;
    const char *text, *golden, *device, *gpu, *precision, *memory, *completion;
    const char *step_cache, *preset;
    int batch;
    double step_cache_threshold;
    int jobs; /* 0: as many as suit the machine */
    const char *vae_memory, *vae_tile, *size;
    int vae_frames;     /* 0: as published */
    int frames, repeat; /* of a benchmark */
    const char *listen;
    int port; /* 0: one that is free */
    bool no_offload, compile, json, watch, verbose, monitor, smoke, help, version, man;
    const char *operands[OPERANDS]; /* what stands after the command's name */
    int operand_count;
};

enum option_type {
    OPTION_FLAG,   /* bool */
    OPTION_INT,    /* int, min..max */
    OPTION_NUMBER, /* double, min..max */
    OPTION_STRING, /* const char * */
    OPTION_CHOICE, /* const char *, one of choices */
    OPTION_FILE,   /* const char *, completed as a file */
    OPTION_DIR     /* const char *, completed as a folder */
};

struct option {
    const char *name; /* without the dashes; of two rows with one name each has its commands */
    char letter;      /* 0: none */
    enum option_type type;
    size_t offset; /* of the field in struct options */
    int min, max;  /* OPTION_INT, OPTION_NUMBER */
    const char *const *choices;
    const char *initial;  /* as it would be typed; "" for none */
    const char *argument; /* "DIR"; NULL for a flag */
    const char *commands; /* names of the commands that take it, with spaces around each; NULL: all
                             and none ("auteur-pipe --version") */
    const char *help;
};

extern const struct option options_all[];
extern const size_t options_count;

/* What --memory and --no-offload say together; "" where neither was given. -1: they disagree. */
int options_memory(const struct options *o, const char **out, struct error *e);

bool option_applies(const struct option *option, const char *command);

/* Parses what follows the command's name (or the whole line, command ""). Options and operands may
 * be mixed; "--" ends the options. -1: ERROR_USAGE with a suggestion where a word is near. */
int options_parse(struct options *out, const char *command, int argc, char *const *argv,
                  struct error *e);

#endif

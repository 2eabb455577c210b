/* What a folder of weights is, and every fault in it, before anything is loaded: configs, indexes
 * and the headers of weight files are read, weights are not. */
#ifndef AUTEUR_STAGES_MODELS_INSPECT_H
#define AUTEUR_STAGES_MODELS_INSPECT_H

#include "stages/generate/tiers.h"

struct component {
    const char *name;   /* its folder in the checkpoint: "text_encoder" */
    const char *class;  /* as model_index.json says: "UMT5EncoderModel" */
    const char *dtypes; /* of its tensors: "BF16", "BF16, F32"; "" when it has no weights */
    int64_t tensors, parameters;
    int files;      /* with weights: of these alone */
    uint64_t bytes; /* of these files */
};

struct checkpoint {
    const char *dir, *pipeline;  /* "WanPipeline"; "": not known */
    const struct family *family; /* NULL: none here */
    const struct tier *tier;     /* that it serves; NULL: none */
    const char *part;            /* "picture", "motion" in a tier of two models; else "" */
    struct component *components;
    size_t component_count;
};

enum { INSPECTED_MAX = 2 };
struct inspection {
    struct arena arena; /* of all below */
    const char *dir;
    struct checkpoint checkpoints[INSPECTED_MAX]; /* two: a tier of two models */
    int checkpoint_count;                         /* 0: the folder is no checkpoint */
    const char *note;                             /* what is good to know and no fault; "" */
    const char **faults; /* one sentence each: file, tensor, mend; none twice */
    size_t fault_count;
};

/* 0 with or without faults; -1 when the folder is not there or memory has run out. */
int inspect_models(const char *dir, struct inspection *out, struct error *e);
void inspection_free(struct inspection *i); /* a zeroed one too */

uint64_t checkpoint_bytes(const struct checkpoint *c);

#endif

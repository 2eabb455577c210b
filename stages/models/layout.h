/* Folders that are not checkpoints in the layout that is read here (diffusers': model_index.json
 * and a folder a component), recognised by the names in them: the layouts that the models' authors
 * publish first, single files, the hub's cache. Nothing but names, and the headers of safetensors
 * files, is looked at. */
#ifndef AUTEUR_STAGES_MODELS_LAYOUT_H
#define AUTEUR_STAGES_MODELS_LAYOUT_H

#include "kernels/base/arena.h"

/* What the folder (or file) is, and what to do: "Wan 2.2 A14B in its original layout
 * (low_noise_model is there): ...; download ...". NULL when it is nothing known, or memory has run
 * out. */
const char *layout_explain(const char *path, struct arena *a);

#endif

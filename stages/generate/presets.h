/* How SDXL makes pictures, as pictures of their own and as the keyframes of other models: few at
 * their best, or many at a time. A shot's own steps count before a preset's. */
#ifndef AUTEUR_STAGES_GENERATE_PRESETS_H
#define AUTEUR_STAGES_GENERATE_PRESETS_H

struct preset {
    const char *name;
    int steps; /* of the sampler */
    int batch; /* shots of the same settings in one forward pass, at most */
};

/* The first holds where none is named. */
extern const struct preset presets_all[];
extern const int preset_count;

/* NULL or "": the first. NULL: there is none such. */
const struct preset *preset_find(const char *name);

#endif

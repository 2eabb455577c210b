/* What each model family checks. A function returns -1 with *e only when it could not go on; what
 * differs from the golden goes to the report. */
#ifndef AUTEUR_STAGES_PARITY_FAMILIES_H
#define AUTEUR_STAGES_PARITY_FAMILIES_H

#include "kernels/device.h"
#include "stages/parity/report.h"

struct parity {
    const char *dir;
    struct device *device;
    struct golden golden;
    struct report report;
};

int parity_wan(struct parity *p, struct error *e);
int parity_hunyuan_video(struct parity *p, struct error *e);
int parity_cogvideox(struct parity *p, struct error *e);
int parity_sdxl(struct parity *p, struct error *e);
int parity_svd(struct parity *p, struct error *e);

/* The recorded calls unet.callK of a checkpoint's UNet; parts of a family's checks. */
int parity_unet_2d(struct parity *p, struct error *e);
int parity_unet_spatio_temporal(struct parity *p, struct error *e);

/* A golden of samplers alone names no family; it has objects with a "config". */
bool parity_is_schedulers(const struct golden *g);
int parity_schedulers(struct parity *p, struct error *e);

#endif

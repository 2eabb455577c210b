/* What a shot shows beside or instead of a model's pictures: source, card, overlays. */
#ifndef AUTEUR_STORYBOARDS_MEDIA_H
#define AUTEUR_STORYBOARDS_MEDIA_H

#include "storyboards/values.h"

struct overlay_item {
    struct overlay_values values;
    const struct node *at, *in, *out, *fade; /* for messages; only `at` is never NULL */
};

/* Read once for `defaults`, then inherited by value. */
struct media {
    enum shot_kind kind; /* SHOT_GENERATED until a source or card is read */
    struct source source;
    struct card card;
    const char *card_title; /* "" unless the card is only a text */
    const struct node *card_at;
    const struct overlay_item *overlays;
    size_t overlay_count;
};

/* Each reads one field of a shot into *m. False: a complaint was added. */
bool media_read_source(struct reader *r, const struct node *n, struct media *m);
bool media_read_card(struct reader *r, const struct node *n, struct media *m);
bool media_read_overlays(struct reader *r, const struct node *list, struct media *m);

/* The overlays of a shot whose id and frames are known: times filled in and checked. */
bool media_resolve_overlays(struct reader *r, const struct media *m, struct shot *shot);

#endif

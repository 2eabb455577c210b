/* PyTorch's CPU generator, so that a seed found elsewhere means the same noise here.
 *
 * The generator is the 32-bit Mersenne Twister (M. Matsumoto, T. Nishimura, "Mersenne Twister: a
 * 623-dimensionally equidistributed uniform pseudorandom number generator", 1998) seeded with the
 * low 32 bits of the seed. Normal numbers come from the Box-Muller transform in the two forms that
 * torch.randn has for float32 on a CPU: in blocks of 16 for 16 numbers or more, one by one in
 * double precision for fewer. Values equal PyTorch's to a float's last places.
 */
#ifndef AUTEUR_STAGES_GENERATE_TORCH_RANDOM_H
#define AUTEUR_STAGES_GENERATE_TORCH_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TORCH_RANDOM_WORDS = 624 };

struct torch_random {
    uint32_t state[TORCH_RANDOM_WORDS];
    int next; /* the next word of state to hand out; WORDS: make a new state first */
    bool has_spare;
    double spare; /* the second normal number of a pair made one by one */
};

/* torch.Generator().manual_seed(seed) */
void torch_random_seed(struct torch_random *r, uint64_t seed);

/* torch.randn(shape, generator=r): `count` is the product of the shape, the order is row-major.
 * Two calls draw on: their numbers differ from one call of both counts, as in PyTorch. */
void torch_random_normal(struct torch_random *r, float *out, size_t count);

#endif

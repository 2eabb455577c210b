/* SDXL: two CLIP text encoders, a UNet, Euler's samplers, the VAE of pictures. */
#include "stages/parity/chain.h"

enum { CLIP_TOKENS = 77 };

int parity_sdxl(struct parity *p, struct error *e)
{
    struct chain c;
    int rc = chain_open(&c, p, &family_sdxl, e) ||
                     chain_check_tokens(&c, "tokenizer", "clip", CLIP_TOKENS, e) ||
                     chain_check_tokens(&c, "tokenizer_2", "clip_2", CLIP_TOKENS, e) ||
                     chain_check_noise(&c, e) || chain_check_conditions(&c, e) ||
                     parity_unet_2d(p, e) || chain_check_decoder(&c, e) ||
                     chain_check_sampling(&c, e)
                 ? -1
                 : 0;

    chain_close(&c);
    return rc;
}

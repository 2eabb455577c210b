/* The compiler's baseline: SSE2, NEON, or plain C where there are no vectors. */
#include "kernels/cpu/isa.inc"

void ops_init_base(struct ops *ops)
{
    overwrite(ops);
}

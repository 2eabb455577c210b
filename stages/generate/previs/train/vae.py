"""The autoencoder of the published layout, run over a whole clip at once.

AutoencoderKLWan walks a clip in chunks (1 frame, then 4 by 4) and carries caches between them, which is right for
playing long films and slow for training. The sums below are the same: causal padding over the whole clip does what the
caches do, the first frame takes no part in temporal resampling, and the temporal upsampler starts from zeros after it.
`python vae.py` proves the equality.
"""
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import WanResample


def new_vae(channels=8):
    return AutoencoderKLWan(base_dim=16, decoder_base_dim=16, z_dim=channels, dim_mult=[1, 2, 4, 4], num_res_blocks=1,
                            temperal_downsample=[False, True, True])


@torch.no_grad()
def with_fewer_channels(vae, clips, channels):
    """The same autoencoder with its latents' principal axes alone, unit deviation each: what a denoiser must predict
    shrinks, and training goes on from what is known. clips: (B,3,T,H,W) in -1..1 to find the axes by."""
    z = torch.cat([encode(vae, c[None])[0].float().transpose(0, 1).flatten(1) for c in clips], 1)
    centre = z.mean(1)
    values, axes = torch.linalg.eigh(torch.cov(z))
    keep = axes[:, -channels:].flip(1)
    scale = values[-channels:].flip(0).clamp_min(1e-6).sqrt()
    out = new_vae(channels).to(z.device)
    old, full = {k: v.float() for k, v in vae.state_dict().items()}, z.shape[0]
    down, up = (keep / scale).T, keep * scale          # z = up @ y + centre, y = down @ (z - centre)
    # moments are (mean, log-variance) from 2 * channels inputs of the last encoder convolution
    w, b = old["quant_conv.weight"].flatten(1), old["quant_conv.bias"]
    mean_w, mean_b = down @ w[:full], down @ (b[:full] - centre)
    inner, inner_b = old["encoder.conv_out.weight"], old["encoder.conv_out.bias"]
    new = dict(old)
    # the last convolution makes the new means itself (quant_conv is linear after it); variances start small and even
    mixed = torch.einsum("oi,i...->o...", mean_w, inner)
    new["encoder.conv_out.weight"] = torch.cat([mixed, torch.zeros_like(mixed)])
    new["encoder.conv_out.bias"] = torch.cat([mean_w @ inner_b + mean_b, torch.full((channels,), -6.0, device=z.device)])
    new["quant_conv.weight"] = torch.eye(2 * channels, device=z.device).view(2 * channels, 2 * channels, 1, 1, 1)
    new["quant_conv.bias"] = torch.zeros(2 * channels, device=z.device)
    first, first_b = old["decoder.conv_in.weight"], old["decoder.conv_in.bias"]
    back, back_b = old["post_quant_conv.weight"].flatten(1), old["post_quant_conv.bias"]
    # the decoder's first convolution pads with zeros, so its centre is exact inside and soon learned at edges
    new["decoder.conv_in.weight"] = torch.einsum("oi...,ij->oj...", first, back @ up)
    new["decoder.conv_in.bias"] = first_b + first.flatten(2).sum(2) @ (back @ centre + back_b)
    new["post_quant_conv.weight"] = torch.eye(channels, device=z.device).view(channels, channels, 1, 1, 1)
    new["post_quant_conv.bias"] = torch.zeros(channels, device=z.device)
    out.load_state_dict(new)
    return out


def norm_silu(x, gamma, before):
    """RMS norm over channels, SiLU, and `before` empty frames in front for the causal convolution that follows."""
    scale = x.float().pow(2).sum(1, keepdim=True).clamp_min(1e-24).rsqrt() * x.shape[1] ** 0.5
    y = F.silu(x.float() * scale * gamma.float()).to(x.dtype)
    return F.pad(y, (0, 0, 0, 0, before, 0))


def speed_up():
    """Fuses the pointwise half of the network; only worth its compile time on an accelerator."""
    global norm_silu
    torch._dynamo.config.recompile_limit = 64
    fused = torch.compile(norm_silu, dynamic=True)
    norm_silu = lambda x, gamma, before: fused(x.contiguous(memory_format=torch.channels_last_3d), gamma, before)


def conv(layer, x, padded=False):
    kt, kh, kw = layer.weight.shape[2:]
    if not padded and kt > 1:
        x = F.pad(x, (0, 0, 0, 0, kt - 1, 0))
    return F.conv3d(x, layer.weight, layer.bias, padding=(0, kh // 2, kw // 2))


def residual(block, x):
    h = x if isinstance(block.conv_shortcut, torch.nn.Identity) else conv(block.conv_shortcut, x)
    x = conv(block.conv1, norm_silu(x, block.norm1.gamma, 2), True)
    return h + conv(block.conv2, norm_silu(x, block.norm2.gamma, 2), True)


def resample(layer, x):
    mode = layer.mode
    if mode == "upsample3d" and x.shape[2] > 1:
        first, rest = x[:, :, :1], x[:, :, 1:]
        b, c, t, h, w = rest.shape
        rest = conv(layer.time_conv, rest).view(b, 2, c, t, h, w).permute(0, 3, 1, 4, 5, 2).reshape(b, 2 * t, h, w, c).permute(0, 4, 1, 2, 3)
        x = torch.cat([first, rest], 2)
    b, c, t, h, w = x.shape
    x = x.transpose(1, 2).reshape(b * t, c, h, w)
    if mode.startswith("up"):
        x = F.interpolate(x, scale_factor=2.0, mode="nearest-exact")
    else:
        x = F.pad(x, (0, 1, 0, 1))
    y = layer.resample[1](x)
    x = y.view(b, t, y.shape[1], y.shape[2], y.shape[3]).transpose(1, 2)
    if mode == "downsample3d" and x.shape[2] > 1:
        x = torch.cat([x[:, :, :1], layer.time_conv(x)], 2)
    return x


def run(part, x):
    x = conv(part.conv_in, x)
    middle = part.mid_block
    if hasattr(part, "down_blocks"):
        for layer in part.down_blocks:
            x = resample(layer, x) if isinstance(layer, WanResample) else residual(layer, x)
    x = residual(middle.resnets[1], middle.attentions[0](residual(middle.resnets[0], x)))
    if hasattr(part, "up_blocks"):
        for block in part.up_blocks:
            for r in block.resnets:
                x = residual(r, x)
            if block.upsamplers is not None:
                x = resample(block.upsamplers[0], x)
    return conv(part.conv_out, norm_silu(x, part.norm_out.gamma, 2), True)


def encode(vae, clip):
    """Clip (B,3,T,H,W) in -1..1, T = 4k+1, to mean and log-variance (B,z,k+1,H/8,W/8)."""
    return vae.quant_conv(run(vae.encoder, clip)).chunk(2, 1)


def decode(vae, z):
    return run(vae.decoder, vae.post_quant_conv(z))


def statistics(vae, device):
    mean = torch.tensor(vae.config.latents_mean, device=device).view(1, -1, 1, 1, 1)
    std = torch.tensor(vae.config.latents_std, device=device).view(1, -1, 1, 1, 1)
    return mean, std


if __name__ == "__main__":
    torch.manual_seed(0)
    vae = new_vae().eval()
    clip = torch.rand(1, 3, 17, 48, 64) * 2 - 1
    with torch.no_grad():
        ours, theirs = encode(vae, clip)[0], vae.encode(clip).latent_dist.mean
        z = torch.randn(1, 8, 5, 6, 8)
        back, reference = decode(vae, z).clamp(-1, 1), vae.decode(z).sample
    print("encode", (ours - theirs).norm() / theirs.norm(), "decode", (back - reference).norm() / reference.norm())
    assert (ours - theirs).norm() < 1e-4 * theirs.norm() and (back - reference).norm() < 1e-4 * reference.norm()

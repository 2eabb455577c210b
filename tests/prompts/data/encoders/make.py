"""Makes the small encoders of this folder, with random weights, and what the reference library gives for them.

usage: make.py OUTDIR   (needs torch, transformers, safetensors; the tests need none of them)
"""
import json
import os
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import (CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, LlamaConfig, LlamaForCausalLM,
                          T5Config, T5EncoderModel, UMT5Config, UMT5EncoderModel)

OUT = sys.argv[1]
torch.manual_seed(20261121)


def spread(model):
    """Random values everywhere, also where a new model has ones and zeros, that F16 holds exactly."""
    for name, p in model.named_parameters():
        if p.ndim == 1:
            p.data += 0.2 * torch.randn(p.shape)
        else:
            p.data = torch.randn(p.shape) * (0.7 if "embed" in name or "shared" in name or "bias" in name else 1.2 / p.shape[1] ** 0.5)
        p.data = p.data.half().float()
    return model.eval().requires_grad_(False)


def store(model, name, config, weights=None, shards=1):
    """The folder of a model: config.json with `config` as it is, weights in F16."""
    d = f"{OUT}/{name}"
    os.makedirs(d, exist_ok=True)
    weights = weights or {k: v for k, v in model.state_dict().items()}
    weights = {k: (v.half() if v.is_floating_point() else v).contiguous().clone() for k, v in weights.items()}
    json.dump(config, open(f"{d}/config.json", "w"), indent=1)
    if shards == 1:
        save_file(weights, f"{d}/model.safetensors")
        return d
    names, files = sorted(weights), {}
    for i in range(shards):
        part = names[i::shards]
        file = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
        save_file({k: weights[k] for k in part}, f"{d}/{file}")
        files.update({k: file for k in part})
    json.dump({"metadata": {}, "weight_map": files}, open(f"{d}/model.safetensors.index.json", "w"), indent=1)
    return d


def ids_of(n, vocabulary):
    return torch.randint(3, vocabulary, (1, n))


def clip(name, cls, config, texts, prefix):
    model = spread(cls(CLIPTextConfig(**config)))
    weights = {k if k.startswith("text_") else prefix + k: v for k, v in model.state_dict().items()}
    if prefix:
        weights[prefix + "embeddings.position_ids"] = torch.arange(config["max_position_embeddings"])[None]
    d, golden = store(model, name, {"model_type": "clip_text_model", **config}, weights), {}
    for i, ids in enumerate(texts):
        out = model(torch.tensor([ids]), output_hidden_states=True)
        golden[f"{i}.ids"] = torch.tensor(ids, dtype=torch.int32)
        for skip in range(config["num_hidden_layers"] + 1):
            golden[f"{i}.skip{skip}"] = out.hidden_states[-(skip + 1)][0]
        golden[f"{i}.normed"] = out.last_hidden_state[0]
        golden[f"{i}.pooled"] = (out.text_embeds if "text_embeds" in out else out.pooler_output)
    save_file({k: v.contiguous().clone() for k, v in golden.items()}, f"{d}/golden.safetensors")


def clips():
    body = ids_of(30, 50)[0].tolist()
    config = dict(vocab_size=60, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3, max_position_embeddings=20,
                  hidden_act="quick_gelu", projection_dim=24, eos_token_id=2, bos_token_id=0, pad_token_id=1)
    # starts with 58 and ends with 59, as published checkpoints have the largest ids; padded with the end token, and with 0
    clip("clip-early", CLIPTextModel, config, [[58] + body[:12] + [59] * 7, [58, 59] + [59] * 18, [58] + body[:18] + [59], [58] + body[:3] + [59, 0, 0], [58]], "text_model.")
    config.update(num_hidden_layers=3, num_attention_heads=2, hidden_act="gelu", projection_dim=10, eos_token_id=55, max_position_embeddings=77)
    # 59 was added later: the text ends at the first 55; the last text has no end at all
    full = ids_of(75, 50)[0].tolist()
    clip("clip-projected", CLIPTextModelWithProjection, config, [[54] + body[:9] + [59, 55] + [0] * 65, [54] + full + [55], [54, 55, 55], body[:6]], "")


def llama(name, config, told, texts, prefix, shards):
    model = spread(LlamaForCausalLM(LlamaConfig(**config)))
    weights = {k: v for k, v in model.state_dict().items()}
    if not prefix:
        weights = {k[len("model."):]: v for k, v in weights.items() if k.startswith("model.")}
    d, golden = store(model, name, {"model_type": "llama", **told}, weights, shards), {}
    for i, (count, real) in enumerate(texts):
        ids = ids_of(count, config["vocab_size"])
        mask = (torch.arange(count) < real).long()[None]
        out = model.model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        golden[f"{i}.ids"] = ids[0].int()
        golden[f"{i}.real"] = torch.tensor([real], dtype=torch.int32)
        for skip in range(config["num_hidden_layers"] + 1):
            golden[f"{i}.skip{skip}"] = out.hidden_states[-(skip + 1)][0]
    save_file({k: v.contiguous().clone() for k, v in golden.items()}, f"{d}/golden.safetensors")


def llamas():
    texts = [(70, 50), (33, 33), (1, 1), (5, 1)]
    common = dict(vocab_size=64, hidden_size=24, intermediate_size=36, num_hidden_layers=2, rms_norm_eps=1e-5)
    one = dict(num_attention_heads=4, num_key_value_heads=1, head_dim=10, attention_bias=True, mlp_bias=True, max_position_embeddings=512)
    # the angles of 10 / 2 pairs fall before, into and behind the ramp
    scaling = dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
    old = {**common, **one, "rope_theta": 1000.0, "rope_scaling": {"type": "llama3", **scaling}}
    llama("llama-one-group", {**common, **one, "rope_parameters": {"rope_type": "llama3", "rope_theta": 1000.0, **scaling}}, old, texts, True, 3)
    rope = {"rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}}
    full = {**common, **rope, "num_attention_heads": 3, "num_hidden_layers": 3}
    llama("llama-all-groups", full, full, texts, False, 1)


def t5(name, cls, config_cls, config, told, rename=None):
    model = spread(cls(config_cls(**config)))
    weights = {k: v for k, v in model.state_dict().items() if k != "encoder.embed_tokens.weight"}
    if rename:
        weights[rename] = weights.pop("shared.weight")
    d, golden = store(model, name, {"model_type": config_cls.model_type, **told}, weights), {}
    for i, count in enumerate((12, 1, 160)):
        ids = ids_of(count, config["vocab_size"])
        golden[f"{i}.ids"] = ids[0].int()
        golden[f"{i}.states"] = model(ids).last_hidden_state[0]
    save_file({k: v.contiguous().clone() for k, v in golden.items()}, f"{d}/golden.safetensors")


def t5s():
    c = dict(vocab_size=64, d_model=24, d_kv=6, d_ff=30, num_layers=2, num_heads=3)
    t5("t5-relu", T5EncoderModel, T5Config, c, c)  # as the first T5: feed_forward_proj is left out
    c = dict(c, num_layers=3, feed_forward_proj="gated-gelu", relative_attention_num_buckets=22, relative_attention_max_distance=40)
    t5("t5-gated-gelu", T5EncoderModel, T5Config, c, c)
    c = dict(c, d_kv=10, num_heads=2, feed_forward_proj="gated-silu", dense_act_fn="silu", is_gated_act=True)
    t5("umt5-gated-silu", UMT5EncoderModel, UMT5Config, c, c, "encoder.embed_tokens.weight")


clips()
llamas()
t5s()

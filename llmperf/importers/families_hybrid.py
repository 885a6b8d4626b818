"""Hybrids of attention and recurrent mixers: Nemotron-H, Granite 4, Bamba, Falcon-H1, LFM2, MiniMax-01, Kimi Linear."""

from __future__ import annotations

from typing import Any

from llmperf.errors import shown
from llmperf.importers.networks import networks
from llmperf.importers.parts import Shape, attention, dimensions, predictions
from llmperf.importers.reader import Reader
from llmperf.importers.standard import (
    LINEAR,
    Traits,
    biases,
    count,
    kda,
    layer_kinds,
    longest,
    state_dtype,
    windows,
)
from llmperf.importers.standard import attention as any_attention

MIXERS = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}
"""Letters of Nemotron-H's pattern."""
NAMES = {"linear_attention": "mamba", "mamba": "mamba", "full_attention": "attention", "attention": "attention"}


def nemotron_h(read: Reader) -> Shape:
    """Nemotron-H and Nemotron 3: each layer is a mixer, attention, a network or experts, as a pattern says."""
    kinds = _pattern(read)
    hidden = read.whole("hidden_size")
    model: Shape = {
        "layers": len(kinds) or 1,
        "hidden": hidden,
        "vocab": read.whole("vocab_size"),
        "max_context": longest(read),
        "tied_embeddings": read.switch("tie_word_embeddings", False),
        "norms_per_layer": 1,
    }
    read.ignore("num_hidden_layers", "mtp_layers_block_type", "mtp_hybrid_override_pattern", "mamba_hidden_act")
    read.ignore("rescale_prenorm_residual", "num_logits_to_keep", "use_mamba_kernels", "mamba_ssm_cache_dtype")
    number = {kind: sum(one == kind for one in kinds) for kind in MIXERS.values()}
    if number["attention"]:
        part = attention(read, hidden)
        model["attention"] = {**part, "layers": number["attention"], "rotary": False}
    if number["mamba"]:
        model["ssm"] = _mamba(read, number["mamba"], ("mamba_num_heads", "mamba_head_dim", "ssm_state_size"))
        model["ssm"].update({"state_dtype": "fp32", **state_dtype(read)})
    found = networks(read, len(kinds), True, False, read.text("mlp_hidden_act") in (None, "relu2"))
    moe = found.pop("moe", None)
    model["gated_mlp"] = found.pop("gated_mlp", True)
    if number["moe"] and moe:
        model["moe"] = {**moe, "layers": number["moe"]}
    if number["mlp"]:
        model.update(ffn=read.whole("intermediate_size"), ffn_layers=number["mlp"])
    read.ignore("intermediate_size")
    return {**model, "bias": biases(read, Traits()), **predictions(read)}


def _pattern(read: Reader) -> list[str]:
    """Kind of each layer: a text of letters, or a list of names."""
    text: Any = read.config.get("hybrid_override_pattern")
    names: Any = read.config.get("layers_block_type")
    read.ignore("hybrid_override_pattern", "layers_block_type")
    if isinstance(text, str):
        kinds = [MIXERS.get(letter, letter) for letter in text]
    elif isinstance(names, list):
        kinds = [NAMES.get(str(name), str(name)) for name in names]
    else:
        read.missing.append("hybrid_override_pattern")
        return []
    if strange := [kind for kind in kinds if kind not in MIXERS.values()]:
        read.problem("hybrid_override_pattern", f"{shown(strange[0])} is no kind of layer", tuple(MIXERS))
    return kinds


def _mamba(read: Reader, layers: int, keys: tuple[str, str, str]) -> Shape:
    """Mamba-2 of `keys` for heads, their width and the state."""
    heads = read.whole(keys[0])
    inner = read.optional("mamba_d_ssm") or (read.optional("mamba_expand") or read.optional("expand") or 2) * (
        read.optional("hidden_size") or 0
    )
    given = None if read.config.get(keys[1]) == "auto" else read.optional(keys[1])
    read.ignore(*keys, "mamba_d_ssm", "mamba_expand", "expand", "mamba_rms_norm", "mamba_norm_before_gate")
    for key in ("mamba_proj_bias", "use_bias"):
        read.must_be(key, False, False, "biases of the projections")
    for key in ("mamba_conv_bias", "use_conv_bias"):
        read.must_be(key, True, True, "a convolution without bias")
    return {
        "kind": "mamba2",
        "layers": layers,
        "state": read.whole(keys[2]),
        "head_dim": given or max(inner // max(heads, 1), 1),
        "value_heads": heads,
        "groups": read.optional("n_groups") or read.optional("mamba_n_groups") or 1,
        "conv": read.optional("conv_kernel") or read.optional("mamba_d_conv") or 4,
        "chunk": read.optional("chunk_size") or read.optional("mamba_chunk_size") or 256,
    }


D_KEYS = ("mamba_n_heads", "mamba_d_head", "mamba_d_state")


def granite_hybrid(read: Reader) -> Shape:
    """Granite 4 H: Mamba-2 in most layers, experts with a shared one, or a dense network of the shared one's width."""
    model = dimensions(read)
    kinds = layer_kinds(read, model["layers"])
    part = attention(read, model["hidden"])
    mixing = count(kinds, LINEAR)
    rotary = read.config.get("position_embedding_type") != "nope"
    read.ignore("position_embedding_type", "normalization_function", "init_method", "intermediate_size")
    if mixing < model["layers"]:
        model["attention"] = {**part, "rotary": rotary}
    if mixing:
        model["ssm"] = _mamba(read, mixing, D_KEYS)
    shared = read.optional("shared_intermediate_size", least=0) or 0
    if read.config.get("num_local_experts"):
        found = networks(read, model["layers"], False, False, ungated=False)
        found["ffn"] = 0
    else:
        read.ignore("num_local_experts", "num_experts_per_tok")
        found = {"ffn": shared}
    return {**model, **found, "bias": biases(read, Traits())}


def bamba(read: Reader) -> Shape:
    """Bamba: Mamba-2 but in the layers that ``attn_layer_indices`` names."""
    model = {**dimensions(read), "ffn": read.whole("intermediate_size")}
    attending = read.numbers("attn_layer_indices") or []
    if attending:
        model["attention"] = attention(read, model["hidden"], kv_heads=8)
    read.ignore("num_attention_heads", "num_key_value_heads", "z_loss_coefficient", "num_logits_to_keep")
    model["ssm"] = _mamba(read, model["layers"] - len(attending), D_KEYS)
    return {**model, "bias": biases(read, Traits())}


def falcon_h1(read: Reader) -> Shape:
    """Falcon-H1: attention and Mamba-2 beside each other in every layer."""
    model = {**dimensions(read), "ffn": read.whole("intermediate_size")}
    model["attention"] = {**attention(read, model["hidden"], kv_heads=8), "layers": model["layers"]}
    model["ssm"] = _mamba(read, model["layers"], D_KEYS)
    read.must_be("projectors_bias", False, False, "biases of the projections")
    read.ignore(
        "num_logits_to_keep", "mlp_multipliers", "mlp_expansion_factor", "mamba_use_mlp", "attention_in_multiplier"
    )
    return {**model, "bias": biases(read, Traits())}


def lfm2(read: Reader) -> Shape:
    """LFM2 and LFM2-MoE: short convolutions in most layers, norms on queries and keys."""
    model = {**dimensions(read, tied=True)}
    listed = read.numbers("full_attn_idxs")
    kinds = layer_kinds(read, model["layers"])
    if kinds is None:
        if listed is None:
            read.missing.append("layer_types")
        kinds = ["full_attention" if n in (listed or []) else "conv" for n in range(model["layers"])]
    part = {**attention(read, model["hidden"], kv_heads=8), "qk_norm": True}
    part.update(windows(read, model, kinds))
    gated = read.switch("use_attention_gate", False)
    model["attention"] = {**part, "head_gate": True} if gated else part
    if mixing := count(kinds, LINEAR):
        conv = read.optional("conv_L_cache") or 3
        model["ssm"] = {"kind": "short_conv", "layers": mixing, "state": 1, "conv": conv}
    read.ignore("conv_L_cache", "conv_dim", "conv_dim_out", "block_ff_dim", "block_dim", "block_use_xavier_init")
    read.must_be("conv_bias", False, False, "a convolution with bias")
    model["norms_per_layer"] = 4 if read.switch("use_sandwich_norm", False) else 2
    found = networks(read, model["layers"], True, False, ungated=False)
    if "moe" not in found:
        found["ffn"] = _adjusted(read, found["ffn"])
    return {**model, **found}


def _adjusted(read: Reader, ffn: int) -> int:
    """LFM2's width of networks: two thirds of what is written, up to a multiple (transformers `Lfm2MLP`)."""
    multiple = read.optional("block_multiple_of") or 256
    factor: Any = read.config.get("block_ffn_dim_multiplier")
    read.ignore("block_ffn_dim_multiplier")
    if not read.switch("block_auto_adjust_ff_dim", False):
        return ffn
    width = int(2 * ffn / 3)
    if isinstance(factor, int | float) and not isinstance(factor, bool):
        width = int(factor * width)
    return -(-width // multiple) * multiple


def minimax_01(read: Reader) -> Shape:
    """MiniMax-Text-01 and M1: lightning attention but in each eighth layer, experts in every layer."""
    model = dimensions(read)
    layers: Any = model["layers"]
    types: Any = read.config.get("attn_type_list") or read.config.get("decoder_attention_types")
    read.ignore("attn_type_list", "decoder_attention_types", "shared_moe_mode", "postnorm", "layernorm_mlp_alpha")
    mixing = sum(kind == 0 for kind in types) if isinstance(types, list) else count(layer_kinds(read, layers), LINEAR)
    part = attention(read, model["hidden"])
    if mixing < layers:
        model["attention"] = part
    if mixing:
        heads = {"kind": "lightning", "state": part["head_dim"], "head_dim": part["head_dim"]}
        model["ssm"] = {**heads, "layers": mixing, "value_heads": part["heads"], "conv": 1, "state_dtype": "fp32"}
    strange = [key for key in read.config if isinstance(key, str) and key.endswith(("_alpha_factor", "_beta_factor"))]
    read.ignore(
        *strange,
        "block_size",
        "rotary_dim",
        *(f"layernorm_{k}_{f}" for k in ("linear_attention", "full_attention", "mlp") for f in ("alpha", "beta")),
    )
    found = networks(read, layers, False, False, ungated=False)
    read.ignore("shared_intermediate_size")
    return {**model, **found}


def kimi_linear(read: Reader) -> Shape:
    """Kimi Linear and Kimi-K3: Kimi delta attention, and latent attention without positions in each fourth layer."""
    layers = read.whole("num_hidden_layers")
    model: Shape = {
        "layers": layers,
        "hidden": read.whole("hidden_size"),
        "vocab": read.whole("vocab_size"),
        "max_context": longest(read),
        "tied_embeddings": read.switch("tie_word_embeddings", False),
    }
    kinds = layer_kinds(read, layers)
    linear = read.nested("linear_attn_config") if read.has("linear_attn_config") else None
    if linear is not None:
        mixing = len(linear.numbers("kda_layers", least=0) or [])
        heads, width = linear.whole("num_heads"), linear.whole("head_dim")
        conv = linear.optional("short_conv_kernel_size") or 4
        full = linear.switch("use_full_rank_gate", False) or linear.switch("full_rank_gate", False)
    else:
        mixing, full = count(kinds, LINEAR), read.switch("no_kda_lora", False)
        heads, width = read.whole("linear_num_heads"), read.whole("linear_head_dim")
        conv = read.optional("linear_conv_kernel_dim") or read.optional("short_conv_kernel_size") or 4
    read.ignore("linear_conv_kernel_dim", "short_conv_kernel_size", "kda_lower_bound", "kda_safe_gate", "mla_use_nope")
    found = any_attention(read, model, None, Traits())
    found["attention"]["rotary"] = False
    model.update(found)
    model["ssm"] = kda(mixing, heads, width, conv, full)
    if read.architecture.startswith("Bailing"):  # full matrices for gate and decay, and a gate of each attention head
        model["ssm"].update(gate_rank=0, full_decay=True)
        model["attention"].update(head_gate=True, rotary=True)
    read.ignore("attn_res_block_size", "num_nextn_predict_layers", "rope_scaling", "linear_attn_config")
    return {**model, **networks(read, layers, True, False, ungated=False), **predictions(read)}

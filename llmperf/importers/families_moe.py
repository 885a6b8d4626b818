"""Decoders with mixtures of experts."""

from __future__ import annotations

from typing import Any

from llmperf.errors import shown
from llmperf.importers.families_dense import qwen_window
from llmperf.importers.parts import (
    WINDOWED,
    Shape,
    attention,
    decoder,
    dimensions,
    every,
    experts,
    kv,
    layer_types,
    plain_heads,
    predictions,
    window,
)
from llmperf.importers.reader import Reader

LOCAL = ("num_local_experts", "num_experts")
"""Names of the number of experts."""


def mixtral(read: Reader) -> Shape:
    """Mixtral: experts in every layer."""
    model = _all_routed(read)
    read.no_bias("attention_bias", "mlp_bias")
    return model


def _all_routed(read: Reader) -> Shape:
    model = decoder(read)
    model["attention"] = attention(read, model["hidden"], kv_heads=8)
    model["attention"].update(window(read, model, default=None, rule=model["layers"]))
    # Every layer is routed, so the feed-forward width is the experts', and no dense one is left.
    model["moe"] = experts(read, ("num_local_experts",), model.pop("ffn"))
    return model


def phimoe(read: Reader) -> Shape:
    """Phi-3.5-MoE: Mixtral with layer norms, and biases around attention and in the output head."""
    model = _all_routed(read)
    biased = read.switch("attention_bias", False)
    bias = {"qkv": biased, "o": biased, "lm_head": read.switch("lm_head_bias", False)}
    return {**model, "norm": "layernorm", "norm_bias": True, "bias": bias}


def qwen2_moe(read: Reader) -> Shape:
    """Qwen1.5-MoE and Qwen2-MoE: shared experts of their own width behind a gate."""
    model = decoder(read)
    model["attention"] = attention(read, model["hidden"], kv_heads=16)
    model["attention"].update(qwen_window(read, model))
    model["moe"] = {**_qwen_experts(read, model), **_gated_share(read)}
    return {**model, "bias": {"qkv": read.switch("qkv_bias", True)}}


def _qwen_experts(read: Reader, model: Shape) -> Shape:
    step = read.optional("decoder_sparse_step") or 1
    width = read.whole("moe_intermediate_size")
    found = experts(read, ("num_experts", "num_local_experts"), width)
    return {**found, **every(read, model, step, step - 1, "mlp_only_layers")}


def _gated_share(read: Reader) -> Shape:
    return {"shared_experts": 1, "shared_ffn": read.whole("shared_expert_intermediate_size"), "shared_gate": True}


def qwen3_moe(read: Reader) -> Shape:
    """Qwen3-MoE: norms on queries and keys, no shared expert."""
    model = decoder(read)
    model["attention"] = {**attention(read, model["hidden"], kv_heads=4), "qk_norm": True}
    model["attention"].update(qwen_window(read, model))
    model["moe"] = _qwen_experts(read, model)
    if read.optional("shared_expert_intermediate_size", least=0):
        read.problem("shared_expert_intermediate_size", "Qwen3-MoE of transformers has no shared expert")
    biased = read.switch("attention_bias", False)
    return {**model, "bias": {"qkv": biased, "o": biased}}


def qwen3_next_moe(read: Reader, model: Shape) -> Shape:
    """Experts of Qwen3-Next and Qwen3.5: as in Qwen2-MoE."""
    return {**_qwen_experts(read, model), **_gated_share(read)}


def olmoe(read: Reader) -> Shape:
    """OLMoE: norms on all queries and keys."""
    model = decoder(read)
    model["attention"] = {**attention(read, model["hidden"]), "qk_norm": True, "qk_norm_over": "all"}
    model["moe"] = experts(read, LOCAL[::-1], model["ffn"])
    biased = read.switch("attention_bias", False)
    return {**model, "bias": {"qkv": biased, "o": biased}}


def granite_moe(read: Reader) -> Shape:
    """Granite 3 MoE, with or without a shared expert."""
    model = decoder(read)
    model["attention"] = attention(read, model["hidden"])
    model["moe"] = experts(read, LOCAL, model.pop("ffn"))
    if shared := read.optional("shared_intermediate_size", least=0):
        model["moe"].update(shared_experts=1, shared_ffn=shared)
    biased = read.switch("attention_bias", False)
    return {**model, "bias": {"qkv": biased, "o": biased}}


def dbrx(read: Reader) -> Shape:
    """DBRX: options sit in ``attn_config`` and ``ffn_config``."""
    hidden, heads = read.whole("d_model", "hidden_size"), read.whole("n_heads", "num_attention_heads")
    attn, ffn = read.nested("attn_config"), read.nested("ffn_config")
    width = ffn.whole("ffn_hidden_size", "hidden_size")
    return {
        "layers": read.whole("n_layers", "num_hidden_layers"),
        "hidden": hidden,
        "vocab": read.whole("vocab_size"),
        "max_context": read.whole("max_seq_len"),
        "ffn": width,
        "tied_embeddings": read.switch("tie_word_embeddings", False),
        "norm": "layernorm",
        "attention": {**plain_heads(read, hidden, heads), "kv_heads": attn.whole("kv_n_heads")},
        "moe": {
            "experts": ffn.whole("moe_num_experts"),
            "top_k": ffn.whole("moe_top_k"),
            "expert_ffn": width,
        },
    }


def grok1(read: Reader) -> Shape:
    """Grok-1: four norms a layer, scores capped, tied embeddings."""
    model = decoder(read, tied=True)
    model["attention"] = {**attention(read, model["hidden"]), "softcap": read.has("max_attn_value")}
    read.ignore("max_attn_value", "attn_output_multiplier")
    model["moe"] = experts(read, LOCAL[::-1], model["ffn"])
    return {**model, "norms_per_layer": 4}


def arctic(read: Reader) -> Shape:
    """Arctic: a dense network of the hidden width beside the experts."""
    model = decoder(read)
    model["attention"] = attention(read, model["hidden"])
    period = read.optional("moe_layer_frequency") or 2
    model["moe"] = {**experts(read, LOCAL, model["ffn"]), **every(read, model, period, period - 1)}
    beside = read.switch("parallel_attn_mlp_res", False)
    if beside:
        model["moe"]["residual_ffn"] = model["hidden"]
    read.ignore("use_residual", "enable_expert_tensor_parallelism", "moe_eval_capacity_factor", "moe_min_capacity")
    read.ignore("moe_train_capacity_factor", "moe_token_dropping")
    return {**model, "norms_per_layer": 3 if beside else 2}


def llama4(read: Reader) -> Shape:
    """Llama 4: a shared expert; chunked attention where positions are rotary; experts in all or every second layer."""
    model = decoder(read)
    width = model["ffn"]
    model["ffn"] = read.optional("intermediate_size_mlp") or width
    model["attention"] = attention(read, model["hidden"])
    model["attention"].update(_chunks(read, model))
    step = read.optional("interleave_moe_layer_step") or 1
    listed = read.numbers("moe_layers")
    routed = range(step - 1, model["layers"], step)
    if listed is not None and (len(listed) != len(routed) or any(a != b for a, b in zip(listed, routed, strict=True))):
        read.problem("moe_layers", f"{shown(listed)} is not every {step}th layer, as interleave_moe_layer_step says")
    model["moe"] = {**experts(read, LOCAL, width), "shared_experts": 1, **every(read, model, step, step - 1)}
    read.ignore("use_qk_norm", "for_llm_compressor", "attn_temperature_tuning")  # norms of queries without weights
    biased = read.switch("attention_bias", False)
    return {**model, "bias": {"qkv": biased, "o": biased}}


def _chunks(read: Reader, model: Shape) -> Shape:
    """Chunked attention: where ``layer_types`` or, in older files, ``no_rope_layers`` say so."""
    kinds = layer_types(read, model["layers"], "chunked_attention")
    rotary = read.numbers("no_rope_layers")
    interval = read.optional("no_rope_layer_interval") or 4
    if kinds is not None:
        chunked = sum(kind in WINDOWED for kind in kinds)
    elif rotary:
        chunked = sum(bool(one) for one in rotary)  # 1 stands for a layer that does have rotary positions
    else:
        chunked = model["layers"] - model["layers"] // interval
    width = read.default("attention_chunk_size", 8192) if not read.is_null("attention_chunk_size") else None
    read.ignore("attention_chunk_size")
    if not width or not chunked or width >= model["max_context"]:
        return {}
    return {"window": width, "windowed_layers": chunked, "chunked": True}


def gpt_oss(read: Reader) -> Shape:
    """gpt-oss: a learned logit beside the scores, a window in every other layer, biases everywhere."""
    model = decoder(read)
    part = attention(read, model["hidden"], kv_heads=8, head_dim=64)
    part.update(window(read, model, default=128, rule=(model["layers"] + 1) // 2))
    model["attention"] = {**part, "sinks": True}
    model["moe"] = {**experts(read, LOCAL, model["ffn"]), "router_bias": True, "expert_bias": True}
    read.ignore("experts_per_token", "initial_context_length", "swiglu_limit")
    biased = read.switch("attention_bias", True)
    return {**model, "bias": {"qkv": biased, "o": biased}}


def minimax_m2(read: Reader) -> Shape:
    """MiniMax-M2: norms on all queries and keys, a router with a correction bias."""
    model = decoder(read)
    kinds = read.numbers("attn_type_list")
    if kinds and 0 in kinds:
        read.problem("attn_type_list", "0 (linear attention) is not modelled")
    if kinds and len(kinds) != model["layers"] and not read.missing:
        read.problem("attn_type_list", f"lists {len(kinds)} layers, but there are {model['layers']}")
    part = attention(read, model["hidden"])
    if read.switch("use_qk_norm", True):
        over = "all" if (read.text("qk_norm_type") or "per_layer") == "per_layer" else "head"
        part.update(qk_norm=True, qk_norm_over=over)
    model["attention"] = {**part, **window(read, model, default=None, rule=model["layers"])}
    model["moe"] = {**experts(read, LOCAL, model["ffn"]), "router_bias": read.switch("use_routing_bias", True)}
    if shared := read.optional("shared_intermediate_size", least=0):
        model["moe"].update(shared_experts=1, shared_ffn=shared)
    each = read.optional("mtp_transformer_layers") or 1
    found = predictions(read, "num_mtp_modules", each) if read.switch("use_mtp", True) else {}
    read.ignore("num_mtp_modules", "mlp_intermediate_size", "qk_norm_type", "shared_moe_mode", "max_model_len")
    return {**model, **found}


def smallthinker(read: Reader) -> Shape:
    """SmallThinker: experts in every layer, a window in the layers that ``sliding_window_layout`` marks."""
    width = read.whole("moe_ffn_hidden_size")
    model = {**dimensions(read, tied=True), "ffn": width}
    read.ignore("intermediate_size", "moe_layer_layout", "rope_layout", "moe_primary_router_apply_softmax")
    read.ignore("moe_enable_early_router", "moe_num_secondary_experts", "moe_secondary_expert_size")
    read.must_be("moe_enable_secondary_experts", False, False, "experts inside experts")
    layout = read.numbers("sliding_window_layout")
    part = attention(read, model["hidden"])
    rule = sum(bool(one) for one in layout) if layout else 0
    model["attention"] = {**part, **window(read, model, None, rule, key="sliding_window_size")}
    model["moe"] = {
        "experts": read.whole("moe_num_primary_experts"),
        "top_k": read.whole("moe_num_active_primary_experts"),
        "expert_ffn": width,
    }
    return model


# --- DeepSeek and GLM ------------------------------------------------------------------------------------------------


def deepseek(read: Reader, first_dense: int, router_bias: bool) -> Shape:
    """DeepSeek-V2 and later: latent attention, shared experts, dense first layers."""
    model = decoder(read)
    heads = read.whole("num_attention_heads")
    mla = {key: read.whole(key) for key in ("kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")}
    if "q_lora_rank" not in read.config:
        read.missing.append("q_lora_rank")  # null is the way to say that queries are not compressed
    mla["q_lora_rank"] = read.optional("q_lora_rank", least=0) or 0
    model["mla"] = mla
    model["attention"] = {
        "heads": heads,
        "kv_heads": kv(read, heads, None),
        "head_dim": mla["qk_nope_head_dim"] + mla["qk_rope_head_dim"],
    }
    model["moe"] = deepseek_moe(read, first_dense, router_bias)
    read.ignore("head_dim", "qk_head_dim")  # transformers derives them from the two widths above
    read.must_be("attention_bias", False, False, "biases of latent attention")
    return {**model, **predictions(read)}


def deepseek_moe(read: Reader, first_dense: int, router_bias: bool) -> Shape:
    """Experts of DeepSeek; `first_dense` is the class default."""
    if "n_shared_experts" not in read.config:
        read.missing.append("n_shared_experts")
    dense = read.optional("first_k_dense_replace", least=0)
    listed = _dense_first(read)
    if read.optional("moe_layer_freq") not in (None, 1):
        read.problem("moe_layer_freq", "only 1 is modelled: experts in every layer after the dense first ones")
    read.ignore("moe_router_dtype", "moe_router_enable_expert_bias", "moe_router_use_sigmoid", "ep_size")
    if listed is not None and dense not in (None, listed):
        read.problem("mlp_layer_types", f"starts with {listed} dense layers, but first_k_dense_replace is {dense}")
    dense = listed if dense is None else dense
    return {
        **experts(read, ("n_routed_experts",), read.whole("moe_intermediate_size")),
        "shared_experts": read.optional("n_shared_experts", least=0) or 0,
        "first_dense": first_dense if dense is None else dense,
        "router_bias": router_bias,
    }


def _dense_first(read: Reader) -> int | None:
    """Number of dense first layers in ``mlp_layer_types``, when the config lists them."""
    read.ignore("mlp_layer_types")
    kinds: Any = read.config.get("mlp_layer_types")
    if kinds is None:
        return None
    dense = sum(kind == "dense" for kind in kinds) if isinstance(kinds, list) else 0
    if not isinstance(kinds, list) or kinds != ["dense"] * dense + ["sparse"] * (len(kinds) - dense):
        read.problem("mlp_layer_types", f"{shown(kinds)} must list dense layers, then sparse ones")
        return None
    return dense


def deepseek_v2(read: Reader) -> Shape:
    """DeepSeek-V2: no correction bias."""
    return deepseek(read, first_dense=0, router_bias=False)


def deepseek_v3(read: Reader) -> Shape:
    """DeepSeek-V3 and Kimi K2; the bias is e_score_correction_bias, which balances experts without a loss."""
    return deepseek(read, first_dense=3, router_bias=True)


def deepseek_v32(read: Reader) -> Shape:
    """DeepSeek-V3.2 and GLM-5: an indexer picks the tokens that attention reads."""
    read.ignore("indexer_rope_interleave", "index_topk_freq", "index_topk_pattern", "index_skip_topk_offset")
    for key in ("index_topk_freq", "index_topk_pattern"):
        if read.config.get(key) not in (None, 1):
            read.problem(key, "is not modelled: an indexer in some layers only")
    indexer = {
        "heads": read.whole("index_n_heads"),
        "head_dim": read.whole("index_head_dim"),
        "top_k": read.whole("index_topk"),
    }
    return {**deepseek_v3(read), "indexer": indexer}


def glm4_moe(read: Reader) -> Shape:
    """GLM-4.5 and 4.6: grouped queries with DeepSeek's experts."""
    model = decoder(read)
    part = attention(read, model["hidden"], head_dim=128)
    model["attention"] = {**part, "qk_norm": True} if read.switch("use_qk_norm", False) else part
    model["moe"] = deepseek_moe(read, first_dense=1, router_bias=True)
    return {**model, "bias": {"qkv": read.switch("attention_bias", False)}, **predictions(read)}

"""Decoders whose attention reads what an indexer picks, compressed entries, or caches of other layers."""

from __future__ import annotations

from typing import Any

from llmperf.errors import shown
from llmperf.importers.networks import networks
from llmperf.importers.parts import Shape, attention, divided, kv, predictions
from llmperf.importers.reader import Reader
from llmperf.importers.standard import (
    PICKED,
    WINDOWED,
    Traits,
    biases,
    count,
    decoder,
    layer_kinds,
    longest,
    shapes,
    streams,
    windows,
)

RATIOS = {0: None, 4: "compressed_sparse_attention", 128: "heavily_compressed_attention"}


def deepseek_v4(read: Reader) -> Shape:
    """DeepSeek-V4: a window in every layer, and entries that each stand for 4 tokens, of which some are picked, or 128.

    Values are the keys; queries and outputs go through projections of low rank (sec. 2.3.1).
    """
    layers, hidden = read.whole("num_hidden_layers"), read.whole("hidden_size")
    heads = read.whole("num_attention_heads")
    model: Shape = {
        "layers": layers,
        "hidden": hidden,
        "vocab": read.whole("vocab_size"),
        "max_context": longest(read),
        "tied_embeddings": read.switch("tie_word_embeddings", False),
    }
    model["attention"] = {
        "heads": heads,
        "kv_heads": kv(read, heads, 1),
        "head_dim": read.whole("head_dim"),
        "shared_kv": True,
        "query_rank": read.whole("q_lora_rank"),
        "output_rank": read.whole("o_lora_rank"),
        "output_groups": read.whole("o_groups"),
        "sinks": True,
        "window": read.whole("sliding_window"),
        "windowed_layers": layers,
    }
    model["compression"] = _compression(read, layers)
    read.ignore("qk_rope_head_dim", "compress_rope_theta", "partial_rotary_factor", "num_hash_layers", "expert_dtype")
    if any(part.get("picked") for part in model["compression"]):
        model["indexer"] = {
            "heads": read.whole("index_n_heads"),
            "head_dim": read.whole("index_head_dim"),
            "top_k": read.whole("index_topk"),
            "pool": next(part["ratio"] for part in model["compression"] if part.get("picked")),
            "key_matrices": 4,
        }
    for key in ("engram_layers", "kv_source_layers", "candidate_source_layer"):
        if read.config.get(key):
            read.problem(key, "is not modelled: look-up tables and caches of other layers (DeepSeek-V4.1)")
    return {**model, **networks(read, layers, True, False, ungated=False), **streams(read), **predictions(read)}


def _compression(read: Reader, layers: int) -> list[Shape]:
    """Classes of layers by the tokens that an entry stands for; layers of ratio 0 have a window alone."""
    rates = {"compressed_sparse_attention": 4, "heavily_compressed_attention": 128}
    rates.update({k: v for k, v in read.mapping("compress_rates").items() if k in rates and isinstance(v, int)})
    ratios: Any = read.config.get("compress_ratios")
    kinds: Any = read.config.get("layer_types")
    read.ignore("compress_ratios", "layer_types", "compress_rates")
    if isinstance(kinds, list):
        ratios = [rates.get(str(kind), 0) for kind in kinds]
    if not isinstance(ratios, list) or any(ratio not in (0, *rates.values()) for ratio in ratios[:layers]):
        read.problem("compress_ratios", f"{shown(ratios)} must list 0, 4 or 128 for each layer")
        return []
    near, far = (sum(ratio == rate for ratio in ratios[:layers]) for rate in rates.values())
    found: list[Shape] = []
    if near:
        ratio = rates["compressed_sparse_attention"]
        found.append({"layers": near, "ratio": ratio, "series": 2, "picked": True})
    if far:
        found.append({"layers": far, "ratio": rates["heavily_compressed_attention"]})
    return found


def minimax_m3(read: Reader) -> Shape:
    """MiniMax-M3: an indexer that picks blocks of keys in all but the first layers, norms on queries and keys."""
    model: Shape = {
        "layers": read.whole("num_hidden_layers"),
        "hidden": read.whole("hidden_size"),
        "vocab": read.whole("vocab_size"),
        "max_context": longest(read),
        "tied_embeddings": read.switch("tie_word_embeddings", False),
    }
    sparse = read.nested("sparse_attention_config") if read.has("sparse_attention_config") else read
    of = _M3_NESTED if sparse is not read else _M3
    kinds = layer_kinds(read, model["layers"])
    listed: Any = sparse.config.get("sparse_attention_freq")
    sparse.ignore("sparse_attention_freq", *_M3_IGNORED)
    picking = sum(bool(one) for one in listed) if isinstance(listed, list) else count(kinds, PICKED)
    model["attention"] = {**attention(read, model["hidden"]), "qk_norm": True}
    if picking:
        block = sparse.whole(of["block"])
        model["indexer"] = {
            "heads": sparse.whole(of["heads"]),
            "head_dim": sparse.whole(of["head_dim"]),
            "top_k": sparse.whole(of["blocks"]) * block,
            "dense_layers": model["layers"] - picking,
            "head_weights": False,
        }
    read.ignore(
        "rotary_dim", "use_qk_norm", "qk_norm_type", "use_gemma_norm", "sparse_attention_config", "use_routing_bias"
    )
    read.ignore("num_mtp_modules", "mtp_transformer_layers", "use_mtp", "index_local_blocks", "attention_output_gate")
    found = networks(read, model["layers"], True, False, ungated=False)
    return {**model, **found, **predictions(read, "num_mtp_modules")}


_M3 = {
    "heads": "index_n_heads",
    "head_dim": "index_head_dim",
    "blocks": "index_topk_blocks",
    "block": "index_block_size",
}
_M3_NESTED = {
    "heads": "sparse_num_index_heads",
    "head_dim": "sparse_index_dim",
    "blocks": "sparse_topk_blocks",
    "block": "sparse_block_size",
}
_M3_IGNORED = (
    "use_sparse_attention",
    "sparse_score_type",
    "sparse_init_block",
    "sparse_local_block",
    "sparse_disable_index_value",
)


def qwen4(read: Reader) -> Shape:
    """Qwen4: gated delta nets, and attention to what an indexer of pooled keys picks; streams of low rank."""
    model = decoder(read, Traits(qk_norm="head", output_gate=True, shared_gate=True, kv_heads=2))
    if read.has("indexer_n_heads"):
        model["indexer"] = {
            "heads": read.whole("indexer_n_heads"),
            "head_dim": read.whole("indexer_head_dim"),
            "top_k": read.whole("indexer_budget"),
            "pool": read.whole("indexer_compress_ratio"),
            "head_weights": False,
        }
    read.ignore("indexer_kv_heads", "indexer_types")
    if read.config.get("ple_layer_ids"):
        read.problem("ple_layer_ids", "is not modelled: tables of embeddings of several tokens")
    read.ignore("ple_conv_kernel_size", "ple_embed_dim", "ple_layer_ids", "split_ngram_parts", "ngram_vocab_size_base")
    read.ignore("make_ngram_vocab_size_divisible_by", "heads_per_ngram", "ngram_size", "number_of_conv_states")
    return {**model, **predictions(read, "mtp_num_hidden_layers")}


def gemma4(read: Reader) -> Shape:
    """Gemma 4: heads of windows of their own, keys that are values, caches of other layers, per-layer embeddings."""
    layers, hidden = read.whole("num_hidden_layers"), read.whole("hidden_size")
    heads = read.whole("num_attention_heads")
    model: Shape = {
        "layers": layers,
        "hidden": hidden,
        "vocab": read.default("vocab_size", 262144),
        "max_context": longest(read),
        "tied_embeddings": read.switch("tie_word_embeddings", True),
        "norms_per_layer": 4,
    }
    kinds = layer_kinds(read, layers)
    if kinds is None:
        read.missing.append("layer_types")
    width = read.optional("head_dim") or divided(read, hidden, heads)
    part: Shape = {"heads": heads, "kv_heads": kv(read, heads, None), "head_dim": width, "qk_norm": True}
    part.update(windows(read, model, kinds))
    part.update(shapes(read, part, kinds, layers))
    if read.switch("attention_k_eq_v", False):
        part["shared_kv"] = True
        if "windowed" not in part and part.get("windowed_layers"):
            part["windowed"] = {key: part[key] for key in ("heads", "kv_heads", "head_dim")}
    part.update(_reusing(read, kinds, layers))
    read.ignore("global_head_dim", "num_global_key_value_heads", "use_bidirectional_attention")
    model.update(_gemma4_networks(read))
    model["attention"] = part
    if narrow := read.optional("hidden_size_per_layer_input", least=0):
        model["per_layer"] = {"width": narrow, "vocab": read.optional("vocab_size_per_layer_input") or model["vocab"]}
    read.ignore("vocab_size_per_layer_input")
    return {**model, "bias": biases(read, Traits())}


def _reusing(read: Reader, kinds: list[str] | None, layers: int) -> Shape:
    """The last layers, which read the caches of the last of their kind before them."""
    last = read.optional("num_kv_shared_layers", least=0) or 0
    tail = (kinds or [])[layers - last :] if last else []
    near = count(tail, WINDOWED)
    found = {"reusing_layers": len(tail) - near, "reusing_windowed": near}
    return {key: value for key, value in found.items() if value}


def _gemma4_networks(read: Reader) -> Shape:
    """A dense network in each layer, with experts beside it in models that have them."""
    ffn = read.whole("intermediate_size")
    found: Shape = {"ffn": ffn}
    if read.switch("enable_moe_block", False):
        width = read.whole("moe_intermediate_size", "expert_intermediate_size")
        experts = {"experts": read.whole("num_experts"), "top_k": read.whole("top_k_experts")}
        found.update(moe={**experts, "expert_ffn": width, "residual_ffn": ffn}, ffn=0, norms_per_layer=7)
    read.ignore("num_experts", "top_k_experts", "moe_intermediate_size", "expert_intermediate_size")
    if read.switch("use_double_wide_mlp", False) and (last := read.optional("num_kv_shared_layers", least=0)):
        found["ffn_widths"] = [{"layers": last, "ffn": 2 * ffn}]
    return found


def longcat(read: Reader) -> Shape:
    """LongCat-Flash: two attention layers and two dense networks beside each layer of experts, some choices idle."""
    pairs = read.whole("num_layers")
    read.ignore("num_hidden_layers")
    model = decoder(_named(read, pairs), Traits(router_bias=True))
    layers = 2 * pairs
    ffn = read.whole("ffn_hidden_size", "intermediate_size")
    moe = {**model["moe"], "layers": pairs}
    return {**model, "layers": layers, "ffn": ffn, "ffn_layers": layers, "moe": moe}


def _named(read: Reader, layers: int) -> Reader:
    """The same reader, of a configuration that calls its layers as others do."""
    read.config = {**read.config, "num_hidden_layers": layers}
    return read


def step3(read: Reader) -> Shape:
    """Step-3: queries of low rank, one key and one value head."""
    model = decoder(read, Traits())
    model["attention"]["query_rank"] = read.whole("share_q_dim")
    read.ignore("share_q_dim", "norm_expert_weight", "num_attention_groups")
    return model


def hy4(read: Reader) -> Shape:
    """Hy4: sparse latent attention with a gate and sinks, streams that are not mixed among each other."""
    model = decoder(read, Traits(router_bias=True, sinks="all"))
    gate = read.text("gate_type") or "elementwise"
    model["attention"]["output_gate" if gate == "elementwise" else "head_gate"] = True
    if "streams" in model:
        model["streams"]["mixes"] = False
    read.ignore("learnable_sink_init", "gate_type", "gate_projection_size")
    return model


def glm5_next(read: Reader) -> Shape:
    """GLM-5.3-Flash: Kimi delta attention, and latent attention to what an indexer of pooled keys picks."""
    model = decoder(read, Traits(router_bias=True))
    model["attention"]["rotary"] = bool(model["mla"]["qk_rope_head_dim"])
    return model


def mistral_large4(read: Reader) -> Shape:
    """Mistral Large 4: sparse latent attention without compressed queries."""
    model = decoder(read, Traits(router_bias=True))
    sources: Any = read.config.get("kv_source_layers")
    read.ignore("kv_source_layers", "no_rope_layers")
    if isinstance(sources, list) and sources != list(range(model["layers"])):
        read.problem("kv_source_layers", "is not modelled: caches of other layers in latent attention")
    return model


def mimo2(read: Reader) -> Shape:
    """MiMo-V2: values narrower than keys, and more key heads and sinks in the layers with a window."""
    listed: Any = read.config.get("hybrid_layer_pattern")
    read.ignore(
        "hybrid_layer_pattern", "add_swa_attention_sink_bias", "add_full_attention_sink_bias", "hybrid_block_size"
    )
    read.ignore("attention_value_scale", "attention_chunk_size", "swa_rope_theta", "sliding_window_size")
    if isinstance(listed, list) and not read.has("layer_types"):
        kinds = ["sliding_attention" if one else "full_attention" for one in listed]
        read.config = {**read.config, "layer_types": kinds}
    return decoder(read, Traits(router_bias=True, sinks="windowed"))


def step35(read: Reader) -> Shape:
    """Step-3.5 and 3.7: other heads in the layers with a window, a gate a head, experts after the first layers."""
    other = read.mapping("attention_other_setting")
    own: dict[str, Any] = {}
    for key, to in (("num_attention_heads", "swa_num_attention_heads"), ("head_dim", "swa_head_dim")):
        if isinstance(other.get(key), int):
            own[to] = other[key]
    if isinstance(other.get("num_attention_groups"), int):
        own["swa_num_key_value_heads"] = other["num_attention_groups"]
    groups = read.config.get("num_attention_groups")
    if groups is not None and not read.has("num_key_value_heads"):
        own["num_key_value_heads"] = groups
    layers = read.config.get("num_hidden_layers")
    listed: Any = read.config.get("layer_types")
    if isinstance(listed, list) and isinstance(layers, int):
        own["layer_types"] = listed[:layers]  # those of prediction layers follow
    read.config = {**read.config, **own}
    for key in ("num_attention_groups", "swiglu_limits", "swiglu_limits_shared", "partial_rotary_factors", "use_moe"):
        read.ignore(key)
    read.ignore("attention_other_setting", "share_expert_dims", "yarn_only_types", "use_head_wise_attn_gate")
    gate = read.switch("use_head_wise_attn_gate", True)
    return decoder(read, Traits(qk_norm="head", router_bias=True, head_gate=gate))


def laguna(read: Reader) -> Shape:
    """Laguna: more query heads in the layers with a window, a gate a head, norms on queries and keys."""
    gate = read.config.get("gating")
    read.ignore("gating", "swa_attention_sink_enabled", "moe_router_use_sigmoid")
    per_element = gate == "per-element"
    return decoder(
        read,
        Traits(qk_norm="head", router_bias=True, head_gate=bool(gate) and not per_element, output_gate=per_element),
    )


def afmoe(read: Reader) -> Shape:
    """Trinity (AFMoE): a gate of attention's output, norms before and after each block."""
    return decoder(read, Traits(qk_norm="head", output_gate=True, norms=4, router_bias=True))

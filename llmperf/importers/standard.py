"""Decoders by the keys that configurations share: attention of any shape, recurrent mixers, networks, streams.

A family says in `Traits` what its keys do not; what a key says is read here, once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from llmperf.errors import shown
from llmperf.importers.networks import networks
from llmperf.importers.parts import Shape, divided, kv, predictions
from llmperf.importers.reader import Reader

POSITIONS = (
    "max_position_embeddings",
    "max_sequence_length",
    "seq_length",
    "model_max_length",
    "max_seq_len",
    "max_seq_length",
)
ASSUMED_CONTEXT = 4096

FULL = ("full_attention", "attention", "global_attention", "hybrid")
WINDOWED = ("sliding_attention", "chunked_attention", "local_attention", "hybrid_sliding")
LINEAR = ("linear_attention", "mamba", "mamba2", "conv")
PICKED = ("indexed_attention", "deepseek_sparse_attention", "minimax_m3_sparse")
KINDS = (*FULL, *WINDOWED, *LINEAR, *PICKED)

UNGATED = ("relu2", "relu", "xielu", "relu_squared")
"""Activations of networks of two matrices, whatever the norms."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a family has that its configuration does not say.

    Attributes
    ----------
    qk_norm : str
        Norms of queries and keys: none, one a head wide, or one over all heads.
    norms : int
        Norms a layer.
    ungated : bool
        Feed-forward networks of two matrices.
    tied, qkv_bias, o_bias : bool
        What the switches of these names are where they are not written.
    router_bias, shared_gate, output_gate, head_gate : bool
        A correction bias of the router; gates of shared experts, of attention's output, of each head.
    sinks : str
        Layers with a learned logit beside the scores: none, all, those with a window.
    kv_heads : int or None
        Key-value heads where none are written; None: as many as query heads.
    """

    qk_norm: Literal["", "head", "all"] = ""
    norms: int = 2
    ungated: bool = False
    tied: bool = False
    qkv_bias: bool = False
    o_bias: bool = False
    router_bias: bool = False
    shared_gate: bool = False
    output_gate: bool = False
    head_gate: bool = False
    sinks: Literal["", "all", "windowed"] = ""
    kv_heads: int | None = None


def standard(**traits: Any) -> Callable[[Reader], Shape]:
    """The reader of a family with these `Traits`."""
    own = Traits(**traits)
    return lambda read: decoder(read, own)


def decoder(read: Reader, traits: Traits) -> Shape:
    """A decoder of the shared keys."""
    hidden, layers = read.whole("hidden_size", "n_embd", "d_model"), read.whole("num_hidden_layers", "num_layers")
    model: Shape = {
        "layers": layers,
        "hidden": hidden,
        "vocab": read.whole("vocab_size"),
        "max_context": longest(read),
        "tied_embeddings": read.switch("tie_word_embeddings", traits.tied),
        "norms_per_layer": traits.norms,
    }
    kinds = layer_kinds(read, layers)
    model.update(attention(read, model, kinds, traits))
    if linear := count(kinds, LINEAR):
        model["ssm"] = mixer(read, linear)
    ungated = traits.ungated or read.config.get("hidden_act") in UNGATED
    model.update(networks(read, layers, traits.router_bias, traits.shared_gate, ungated))
    model.update(streams(read))
    model["bias"] = biases(read, traits)
    return {**model, **predictions(read)}


def longest(read: Reader) -> int:
    """Longest context under one of its names; `ASSUMED_CONTEXT`, with a warning, where there is none."""
    read.ignore(*POSITIONS)
    for key in POSITIONS:
        if read.has(key):
            return read.optional(key) or ASSUMED_CONTEXT
    read.warn(POSITIONS[0], f"not given; {ASSUMED_CONTEXT} is taken as the longest context")
    return ASSUMED_CONTEXT


def biases(read: Reader, traits: Traits) -> Shape:
    """Biases that the configuration states, or the family has."""
    both = read.switch("use_bias", False) or read.switch("bias", False)
    qkv = read.switch("attention_bias", traits.qkv_bias)
    stated = [read.switch(key, False) for key in ("qkv_bias", "use_qkv_bias", "add_qkv_bias")]
    output = read.switch("attention_out_bias", traits.o_bias or read.switch("attention_bias", False))
    mlp = read.switch("mlp_bias", False)
    return {"qkv": qkv or both or any(stated), "o": output or both, "mlp": mlp or both}


def layer_kinds(read: Reader, layers: int) -> list[str] | None:
    """Kind of each layer's mixer, where the configuration lists them."""
    read.ignore("layer_types", "layer_group_size", "full_attention_interval", "global_attn_every_n_layers")
    kinds: Any = read.config.get("layer_types")
    if kinds is None:
        return None
    if not isinstance(kinds, list) or any(kind not in KINDS for kind in kinds):
        wrong = next((kind for kind in kinds if kind not in KINDS), kinds) if isinstance(kinds, list) else kinds
        read.problem("layer_types", f"{shown(wrong)} is no kind of layer that is modelled", KINDS)
        return None
    if len(kinds) != layers and not read.missing:
        read.problem("layer_types", f"lists {len(kinds)} layers, but there are {layers}")
    return kinds


def count(kinds: list[str] | None, among: tuple[str, ...]) -> int:
    """Layers of some kinds."""
    return sum(kind in among for kind in kinds or ())


def attention(read: Reader, model: Shape, kinds: list[str] | None, traits: Traits) -> Shape:
    """Attention: grouped queries or a latent, its windows, its indexer, its norms and gates."""
    heads = read.whole("num_attention_heads", "n_head")
    latent = read.has("kv_lora_rank")
    found: Shape = {}
    if latent:
        found["mla"] = mla(read)
        part: Shape = {"heads": heads, "kv_heads": kv(read, heads, None), "head_dim": _latent_width(found["mla"])}
        read.ignore("head_dim", "qk_head_dim")
    else:
        head_dim = read.optional("head_dim") or read.optional("kv_channels") or divided(read, model["hidden"], heads)
        part = {"heads": heads, "kv_heads": kv(read, heads, traits.kv_heads), "head_dim": head_dim}
        if (value := read.optional("v_head_dim")) not in (None, head_dim):
            part["v_head_dim"] = value
    part.update(windows(read, model, kinds))
    if not latent:
        part.update(shapes(read, part, kinds, model["layers"]))
    if traits.qk_norm and not latent:
        part.update(qk_norm=True, qk_norm_over=traits.qk_norm)
    part.update({key: True for key in ("output_gate", "head_gate") if getattr(traits, key)})
    if traits.sinks == "all":
        part["sinks"] = True
    if traits.sinks == "windowed" and "windowed_layers" in part:
        fields = ("heads", "kv_heads", "head_dim", "v_head_dim")
        own = part.setdefault("windowed", {field: part[field] for field in fields if field in part})
        own["sinks"] = True
    if read.has("index_topk"):
        found["indexer"] = indexer(read, model, kinds)
    return {**found, "attention": part}


_SHAPE = {"heads": "num_attention_heads", "kv_heads": "num_key_value_heads", "head_dim": "head_dim"}
_OF_WINDOWS = {
    "heads": ("swa_num_attention_heads", "num_sliding_attention_heads"),
    "kv_heads": ("swa_num_key_value_heads", "num_sliding_key_value_heads"),
    "head_dim": ("swa_head_dim",),
    "v_head_dim": ("swa_v_head_dim",),
}
"""Keys of the layers with a window, by field."""
_OF_FULL = {"kv_heads": ("num_global_key_value_heads",), "head_dim": ("global_head_dim",)}
"""Keys of the layers without one."""


def shapes(read: Reader, part: Shape, kinds: list[str] | None, layers: int) -> Shape:
    """Heads of layers with and without a window, where they are not the same: the fields that change.

    ``per_layer_config`` of transformers, a list of heads for each layer, or keys of one of the two kinds say so.
    """
    full, near = dict(part), dict(part)
    for shape, keys in ((near, _OF_WINDOWS), (full, _OF_FULL)):
        for field, names in keys.items():
            if (value := next((found for name in names if (found := read.optional(name))), None)) is not None:
                shape[field] = value
    for layer, changes in _by_layer(read, kinds, layers):
        shape = near if kinds is not None and kinds[layer] in WINDOWED else full
        shape.update({field: changes[key] for field, key in _SHAPE.items() if isinstance(changes.get(key), int)})
    if not part.get("windowed_layers"):
        return full if count(kinds, WINDOWED) == 0 else near
    fields = ("heads", "kv_heads", "head_dim", "v_head_dim")
    if all(full.get(field) == near.get(field) for field in fields):
        return full
    return {**full, "windowed": {field: near[field] for field in fields if field in near}}


def _by_layer(read: Reader, kinds: list[str] | None, layers: int) -> list[tuple[int, dict[str, Any]]]:
    """What a configuration says of single layers; those of one kind must all say the same."""
    read.ignore("per_layer_config", "num_attention_heads_per_layer")
    heads: Any = read.config.get("num_attention_heads_per_layer")
    found: dict[int, dict[str, Any]] = {}
    if isinstance(heads, list) and len(heads) == layers:
        found = {layer: {"num_attention_heads": value} for layer, value in enumerate(heads)}
    written = read.mapping("per_layer_config")
    for key, value in written.items():
        if isinstance(key, str) and key.isdigit() and int(key) < layers and isinstance(value, dict):
            found.setdefault(int(key), {}).update(value)
            if strange := sorted(set(value) - set(_SHAPE.values())):
                read.problem(f"per_layer_config.{key}.{strange[0]}", "is not modelled: it differs from layer to layer")
                return []
    said: dict[bool, list[Any]] = {}
    if kinds is not None and len(kinds) != layers:
        return []
    for layer in range(layers):
        said.setdefault(kinds is not None and kinds[layer] in WINDOWED, []).append(found.get(layer, {}))
    if any(one != same[0] for same in said.values() for one in same):
        key = "per_layer_config" if written else "num_attention_heads_per_layer"
        read.problem(key, "is not modelled: layers of one kind with different heads")
        return []
    return sorted(found.items())


def mla(read: Reader) -> Shape:
    """Widths of latent attention; null is the way to say that queries are not compressed."""
    found: Shape = {key: read.whole(key) for key in ("kv_lora_rank", "qk_nope_head_dim", "v_head_dim")}
    found["qk_rope_head_dim"] = read.whole("qk_rope_head_dim", least=0)
    found["q_lora_rank"] = read.optional("q_lora_rank", least=0) or 0
    read.ignore("q_lora_rank")
    return found


def _latent_width(part: Shape) -> int:
    return int(part["qk_nope_head_dim"] + part["qk_rope_head_dim"])


def windows(read: Reader, model: Shape, kinds: list[str] | None, key: str = "sliding_window") -> Shape:
    """A sliding window, and the layers that have it: those listed, or all of them."""
    read.ignore("use_sliding_window", "max_window_layers", "sliding_window_pattern", "swa_window_size")
    width = read.optional(key, least=0) if isinstance(read.config.get(key), int | None) else None
    read.ignore(key)
    used = read.config.get("use_sliding_window") is not False
    layers = count(kinds, WINDOWED) if kinds is not None else model["layers"]
    if not width or not used or not layers or width >= model["max_context"]:
        return {}
    return {"window": width, "windowed_layers": layers}


def indexer(read: Reader, model: Shape, kinds: list[str] | None) -> Shape:
    """An indexer, the layers that score, and those that attend to all tokens."""
    found: Shape = {
        "heads": read.whole("index_n_heads"),
        "head_dim": read.whole("index_head_dim"),
        "top_k": read.whole("index_topk"),
    }
    read.ignore("indexer_rope_interleave", "indexer_types", "index_topk_freq", "index_topk_pattern")
    read.ignore("index_skip_topk_offset", "index_share_for_mtp_iteration")
    picking = count(kinds, PICKED) if kinds is not None else model["layers"]
    full = count(kinds, FULL) if picking else 0
    scoring = _scoring(read, kinds, model["layers"])
    if scoring is not None and scoring < (picking or model["layers"]):
        found["layers"] = scoring
    if full and picking:
        found["dense_layers"] = full
    if pool := read.optional("index_kpool"):
        found.update(pool=pool, key_matrices=2)
    read.ignore("index_kpool_always_select_tail")
    return found


def _scoring(read: Reader, kinds: list[str] | None, layers: int) -> int | None:
    """Layers that score by themselves, where others share what they picked."""
    types: Any = read.config.get("indexer_types")
    if isinstance(types, list) and len(types) == layers:
        picking = [kind in PICKED for kind in kinds] if kinds is not None and count(kinds, PICKED) else [True] * layers
        return len([kind for kind, picks in zip(types, picking, strict=True) if kind == "full" and picks])
    pattern: Any = read.config.get("index_topk_pattern")
    if isinstance(pattern, str | list) and len(pattern) == layers:
        return len([kind for kind in pattern if kind in ("F", "full")])
    often, first = read.config.get("index_topk_freq"), read.config.get("index_skip_topk_offset", 2)
    if isinstance(often, int) and isinstance(first, int) and often > 1:
        # transformers `GlmMoeDsaConfig`: the first layers score, then each so many
        return sum(1 for layer in range(layers) if max(layer - first + 1, 0) % often == 0)
    return None


def mixer(read: Reader, layers: int) -> Shape:
    """A recurrent mixer of the keys ``linear_*``: the gated delta rule, or Kimi's delta attention."""
    conv = read.optional("linear_conv_kernel_dim") or read.optional("short_conv_kernel_size") or 4
    read.ignore("linear_conv_kernel_dim", "short_conv_kernel_size", "linear_lower_bound", "linear_allow_neg_eigval")
    read.ignore("kda_lower_bound", "kda_safe_gate", "number_of_conv_states", "linear_use_gate", "no_kda_lora")
    if read.has("linear_num_heads"):
        width = read.whole("linear_head_dim")
        heads = read.whole("linear_num_heads")
        return kda(layers, heads, width, conv)
    return {
        "kind": "gated_delta",
        "layers": layers,
        "state": read.whole("linear_key_head_dim"),
        "head_dim": read.whole("linear_value_head_dim"),
        "key_heads": read.whole("linear_num_key_heads"),
        "value_heads": read.whole("linear_num_value_heads"),
        "conv": conv,
        "chunk": 64,
        **state_dtype(read),
    }


STATES = {"float32": "fp32", "bfloat16": "bf16"}
"""Dtypes of recurrent states, and the names of the model descriptor."""


def state_dtype(read: Reader) -> Shape:
    """What engines keep recurrent states in, where the configuration says it."""
    keys = ("mamba_ssm_dtype", "mamba_ssm_cache_dtype")
    read.ignore(*keys)
    found = next((STATES.get(str(read.config[key])) for key in keys if read.has(key)), None)
    return {"state_dtype": found} if found else {}


def kda(layers: int, heads: int, width: int, conv: int, full_gate: bool = False) -> Shape:
    """Kimi delta attention; engines keep its state in fp32."""
    found: Shape = {"kind": "kda", "layers": layers, "state": width, "head_dim": width, "value_heads": heads}
    return {**found, "conv": conv, "chunk": 64, "gate_rank": 0 if full_gate else width, "state_dtype": "fp32"}


def streams(read: Reader) -> Shape:
    """Residual streams of hyper-connections."""
    read.ignore("hc_sinkhorn_iters", "hc_eps", "hc_magnitude", "hc_type")
    number = read.optional("hc_mult") or read.optional("hc_count")
    read.ignore("hc_mult", "hc_count")
    if not number or number == 1:
        return {}
    found: Shape = {"count": number}
    if rank := read.optional("hc_lowrank"):
        found["rank"] = rank
    return {"streams": found}

"""Modules that a quantized checkpoint leaves in 16 bit, from the names and patterns of names that its tool lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from llmperf.descriptors.weights import Part

KEPT = ("lm_head", "embed", "norm", "router", "e_score", "vision", "visual", "audio", "multi_modal", "mtp")
"""Words in names of modules that stay unquantized in any format of the descriptors, or are not imported."""
GATES = {"gate", "shared_expert_gate"}
"""Names of modules that choose experts; a feed-forward network's ``gate_proj`` is no such one."""

PARTS: tuple[tuple[str, tuple[Part, ...]], ...] = (
    (r"shared_?experts?|shared_mlp", ("shared",)),
    (r"experts?", ("experts",)),
    (r"linear_attn|mamba|mixer|ssm|in_proj|out_proj", ("recurrent",)),
    (r"self_attn|attention|attn|[qkvo]_proj|qkv_proj|q_a_proj|q_b_proj|kv_a_proj|kv_b_proj", ("attention",)),
    (r"(gate|up|down|gate_up|fc[12]|\))_proj|fc[12]|dense_h_to_4h|dense_4h_to_h", ("mlp",)),
    (r"mlp|feed_forward|ffn|block_sparse_moe", ("mlp", "shared", "experts")),
)
"""Words of names, the first that is found counts, and the kinds of modules that they are of."""
EVERY: tuple[Part, ...] = ("attention", "recurrent", "mlp", "shared", "experts")

_LAYER = re.compile(r"(?:layers|blocks|h)\W*\.\W*?(\d+(?:\|\d+)*)\b")
_WHOLE_LAYER = re.compile(r"(?:layers|blocks|h)\.\d+(?:\.\*|\*)?$")


def stays(name: str) -> bool:
    """Whether a module of this name, or pattern of names, is one that stays unquantized anyway."""
    if any(word in name for word in KEPT):
        return True
    return "_proj" not in name and not GATES.isdisjoint(re.split(r"[^\w]+", name))


def kept_parts(names: Iterable[str], config: Mapping[str, Any]) -> tuple[dict[Part, float], list[str]]:
    """Share of the layers whose modules of a kind stay in 16 bit.

    Parameters
    ----------
    names : iterable of str
        Names and patterns, lower case; those that `stays` holds for are passed over.
    config : mapping
        The configuration of the language model, which says how many layers and heads there are.

    Returns
    -------
    shares : dict of str to float
        By kind; of a projection alone, its share of the kind's weights. [1]
    unknown : list of str
        Names that say no kind of modules.
    """
    found: dict[Part, float] = {}
    unknown = []
    for name in names:
        if stays(name):
            continue
        parts = _parts_of(name)
        if not parts:
            unknown.append(name)
        layers = _LAYER.search(name)
        listed = None if layers is None else [int(layer) for layer in layers[1].split("|")]
        for part in parts:
            own = _layers_with(part, config)
            having = own if listed is None else own.intersection(listed)
            if having:
                share = len(having) / len(own) * _share_of(name, part, config)
                found[part] = found.get(part, 0.0) + share
    return {part: min(round(share, 6), 1.0) for part, share in found.items()}, unknown


def _parts_of(name: str) -> tuple[Part, ...]:
    if _WHOLE_LAYER.search(name):
        return EVERY
    return next((parts for words, parts in PARTS if re.search(words, name)), ())


def _layers_with(part: Part, config: Mapping[str, Any]) -> set[int]:
    """Numbers of the layers that have a kind of modules; prediction layers come behind them."""
    layers = set(range(int(_number(config, "num_hidden_layers", "n_layer", "num_layers") or 1)))
    kinds = config.get("layer_types")
    linear = {i for i, kind in enumerate(kinds) if kind == "linear_attention"} if isinstance(kinds, list) else set()
    if part == "recurrent":
        return linear or (layers if any(key.startswith(RECURRENT) for key in config) else set())
    if part == "attention":
        return layers - linear
    if not any(key in config for key in EXPERTS):
        return layers if part == "mlp" else set()
    dense = set(range(int(_number(config, "first_k_dense_replace") or 0)))
    return (dense or layers) if part == "mlp" else layers - dense


EXPERTS = ("num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts")
RECURRENT = ("linear_", "mamba_", "ssm_")
"""Keys, and what they begin with, of configurations with experts and with recurrent mixers."""


def _share_of(name: str, part: Part, config: Mapping[str, Any]) -> float:
    """Share of a kind's weights that the modules of a name hold. [1]"""
    last = name.rstrip("$*.\\ ")
    if part == "mlp" and (found := re.search(r"(?:^|\W)(gate|up|down)_proj$", last)):
        return 1.0 / 3.0
    found = re.search(r"(?:^|\W)([qkvo])_proj$", last)
    if part != "attention" or found is None:
        return 1.0
    heads = _number(config, "num_attention_heads", "n_head") or 1.0
    kv_heads = _number(config, "num_key_value_heads") or heads
    return (heads if found[1] in "qo" else kv_heads) / (2.0 * heads + 2.0 * kv_heads)


def _number(config: Mapping[str, Any], *keys: str) -> float | None:
    value = next((config[key] for key in keys if config.get(key) is not None), None)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None

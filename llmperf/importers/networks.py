"""Feed-forward networks of a decoder by the keys that configurations share: dense ones, experts, and which layers have
which.
"""

from __future__ import annotations

from typing import Any

from llmperf.errors import shown
from llmperf.importers.parts import Shape
from llmperf.importers.reader import Reader

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts", "num_routed_experts")
CHOSEN = ("num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_top_k", "moe_k", "top_k_experts")
WIDTHS = ("moe_intermediate_size", "moe_ffn_hidden_size", "expert_ffn_hidden_size", "moe_expert_intermediate_size")
SHARED = ("n_shared_experts", "num_shared_experts", "moe_num_shared_experts", "num_shared_expert")
SHARED_WIDTHS = (
    "shared_expert_intermediate_size",
    "moe_shared_expert_intermediate_size",
    "shared_intermediate_size",
    "share_expert_dim",
)
DENSE = ("intermediate_size", "ffn_hidden_size", "ffn_dim", "n_inner")
DENSE_BESIDE_EXPERTS = ("dense_intermediate_size", "intermediate_size_mlp")
FIRST_DENSE = ("first_k_dense_replace", "num_dense_layers", "moe_layer_start_index", "first_num_dense_layers")
SPARSE = ("sparse", "moe", "hash_moe")
"""Kinds of ``mlp_layer_types`` that have experts."""

ROUTING = (
    "router_scaling_factor",
    "moe_routed_scaling_factor",
    "moe_router_scaling_factor",
    "moe_renormalize",
    "moe_router_dtype",
    "moe_router_enable_expert_bias",
    "moe_router_use_sigmoid",
    "moe_router_enable_routed_scaling",
    "moe_router_logit_softcapping",
    "moe_apply_router_weight_on_input",
    "moe_shared_expert_overlap",
    "moe_layer_end_index",
    "moe_norm_min",
    "moe_use_aux_free",
    "moe_gate",
    "moe_capacity",
    "moe_loss_weight",
    "moe_aux_loss_coeff",
    "moe_orthogonal_loss_coeff",
    "moe_router_bias",
    "moe_drop_tokens",
    "moe_random_routing_dropped_token",
    "moe_router_activation",
    "moe_router_scaling",
    "enable_moe_fp32_combine",
    "norm_expert_weight",
    "num_expert_group",
    "use_expert_bias",
    "use_moe_router_bias",
    "expert_selection_fn",
    "ep_size",
    "enable_expert_parallel",
    "enable_moe_fp32_combine",
    "need_fp32_gate",
    "moe_dropout_prob",
    "moe_every_n_layer",
    "use_moe",
    "use_mixed_mlp_moe",
    "router_aux_loss_coef",
)
"""Keys of the routing that change neither parameters nor operations."""


def any_of(read: Reader, keys: tuple[str, ...]) -> bool:
    """Whether one of the keys is there and not null."""
    return any(read.has(key) for key in keys)


def same(read: Reader, keys: tuple[str, ...], least: int = 1) -> int | None:
    """Whole number under one of `keys`; a list of one number for each layer must hold the same one."""
    found = [key for key in keys if read.has(key)]
    read.ignore(*keys)
    for key in found:
        value = read.config[key]
        if isinstance(value, list):
            values = read.numbers(key, least) or []
            if len(set(values)) > 1:
                read.problem(key, f"{shown(values)} is not modelled: experts that differ from layer to layer")
            return values[0] if values else None
    return read.whole(found[0], *found[1:], least=least) if found else None


def networks(read: Reader, layers: int, router_bias: bool, shared_gate: bool, ungated: bool) -> Shape:
    """Dense networks, experts, and the layers that have them.

    A configuration without experts, or with one of them, is dense.
    """
    read.ignore(*ROUTING)
    given = same(read, EXPERTS, least=0) or 0
    if given <= 1:
        read.ignore(*CHOSEN, *WIDTHS, *SHARED, *SHARED_WIDTHS, *FIRST_DENSE, "mlp_layer_types", "moe_layer_freq")
        return {"ffn": _dense(read), **({"gated_mlp": False} if ungated else {})}
    usual = None if all(read.is_null(key) or key not in read.config for key in DENSE) else _dense(read)
    width = same(read, WIDTHS) or usual
    if width is None:
        read.missing.append(WIDTHS[0])
    moe: Shape = {"experts": given, "top_k": _chosen(read), "expert_ffn": width or 1, "router_bias": router_bias}
    moe.update(_shared(read, shared_gate))
    moe.update(_where(read, layers))
    if latent := same(read, ("moe_latent_size", "moe_hidden_size")):
        moe["latent"] = latent
    if idle := read.optional("zero_expert_num", least=0):
        moe["idle_experts"] = idle
    read.ignore("zero_expert_type")
    dense = same(read, DENSE_BESIDE_EXPERTS) or usual or 0
    everywhere = not moe.get("first_dense") and moe.get("period", 1) == 1 and "layers" not in moe
    found: Shape = {"moe": moe, "ffn": 0 if everywhere else dense}
    return {**found, "gated_mlp": False} if ungated else found


def _chosen(read: Reader) -> int:
    found = same(read, CHOSEN)
    if found is None:
        read.missing.append(read.prefix + CHOSEN[0])
    return found or 1


def _dense(read: Reader) -> int:
    return read.whole(*DENSE)


def _shared(read: Reader, gate: bool) -> Shape:
    """Experts that every token goes through: their number, their width where it is another, a gate."""
    count, width = same(read, SHARED, least=0), same(read, SHARED_WIDTHS, least=0)
    if not (count if count is not None else width):
        return {}
    found: Shape = {"shared_experts": count or 1}
    if width:
        found["shared_ffn"] = width
    return {**found, "shared_gate": True} if gate else found


def _where(read: Reader, layers: int) -> Shape:
    """Which layers have experts: after dense first ones, every so many, or as a list says."""
    listed = _listed(read, layers)
    first = same(read, FIRST_DENSE, least=0)
    only = read.numbers("mlp_only_layers") or []
    period = next((p for key in ("moe_layer_interval", "decoder_sparse_step") if (p := read.optional(key))), 1)
    if only and listed is None:
        listed = [layer not in only for layer in range(layers)]
    if listed is not None:
        dense = listed.index(True) if True in listed else len(listed)
        if all(listed[dense:]):
            return {"first_dense": dense} if dense else {}
        return {"layers": sum(listed)}
    if period > 1:
        return {"period": period, "offset": period - 1, **({"first_dense": first} if first else {})}
    return {"first_dense": min(first, layers)} if first else {}


def _listed(read: Reader, layers: int) -> list[bool] | None:
    """Whether each layer has experts, where the configuration lists it; None where it does not."""
    read.ignore("mlp_layer_types", "moe_layer_freq", "moe_layers_enum", "moe_layers")
    kinds: Any = read.config.get("mlp_layer_types")
    if isinstance(kinds, list) and len(kinds) == layers:
        return [kind in SPARSE for kind in kinds]
    often: Any = read.config.get("moe_layer_freq")
    if isinstance(often, list) and len(often) == layers:
        return [bool(one) for one in often]
    if isinstance(often, int) and often > 1:
        return [(layer % often) == 0 for layer in range(layers)]
    text: Any = read.config.get("moe_layers_enum")
    if isinstance(text, str):
        chosen = {part.strip() for part in text.split(",")}
        return [str(layer) in chosen for layer in range(layers)]
    return None

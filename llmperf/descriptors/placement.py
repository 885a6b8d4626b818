"""Placement: which engine runs what, which memory tier holds what, and how much of a transfer hides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal

from llmperf.descriptors.fields import FORBID_UNKNOWN_KEYS, Fraction, Marker, Name, Number, Text
from llmperf.errors import shown
from llmperf.records import dataclass

TensorClass = Literal["weights", "experts", "kv_cache", "states", "activations", "gradients", "optimizer"]
"""What a step moves and a tier can hold; weights are those of all layers but experts."""


@dataclass(frozen=True, slots=True)
class Places(Marker):
    """The name of a place, or places with the share of each: ``dram``, or ``{hbm: 0.5, dram: 0.5}``."""

    def check(self, value: Any) -> Any:
        """The share of each place."""
        if isinstance(value, Mapping):
            if not value:
                raise ValueError("names no place")
            return {Name().check(place): Number(0.0, 1.0).check(share) for place, share in value.items()}
        if isinstance(value, str):
            return {Name().check(value): 1.0}
        raise ValueError(f"{shown(value)} must be a name, or shares by name")

    def json_schema(self) -> dict[str, Any]:
        """A name, or numbers by name."""
        share = Number(0.0, 1.0).json_schema()
        return {"anyOf": [Name().json_schema(), {"type": "object", "minProperties": 1, "additionalProperties": share}]}


Shares = Annotated[dict[str, float], Places()]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where operators run, and where weights, KV cache and states live.

    `tiers` fill in their order: what fits stays, the rest goes to the next. `weights` (experts included) and `kv_cache`
    may instead state the share that stays in the main tier. None: as the hardware file says.
    """

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    tiers: list[Text] | None = None
    weights: Fraction | None = None
    kv_cache: Fraction | None = None
    overlap: Fraction | None = None
    operators: dict[Text, Shares] = field(default_factory=dict)
    """Engine of a kind of operators, or shares of several, which work at the same time; what is left runs where the
    hardware file says."""
    tensors: dict[TensorClass, Shares] = field(default_factory=dict)
    """Tier of a tensor class, or shares of several; what is left fills the tiers in their order."""

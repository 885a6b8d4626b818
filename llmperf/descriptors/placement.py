"""Placement: which memory tier holds what, and how much of a transfer hides behind computing."""

from __future__ import annotations

from dataclasses import dataclass

from llmperf.descriptors.fields import FORBID_UNKNOWN_KEYS, Fraction, Text


@dataclass(frozen=True, slots=True)
class Placement:
    """Where weights and KV cache live.

    `tiers` fill in their order: what fits stays, the rest goes to the next. `weights` and `kv_cache` may
    instead state the share that stays in the main tier. None: as the hardware file says.
    """

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    tiers: list[Text] | None = None
    weights: Fraction | None = None
    kv_cache: Fraction | None = None
    overlap: Fraction | None = None

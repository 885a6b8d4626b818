"""Attention kernels: how an implementation of attention differs from those that chips were calibrated with."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmperf.descriptors.fields import FORBID_UNKNOWN_KEYS, Fraction, NonNegative, Text


@dataclass(frozen=True, slots=True)
class AttentionKernel:
    """One implementation of attention over prompts and over the KV cache.

    Every field is a mechanism; its default is what the kernels do that the constants of a chip were measured with.
    """

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    name: Text
    sources: dict[Text, Text]
    kv_sharing: Fraction = 1.0
    """How far decode reads keys once for the query heads that share them: 0, once for each head."""
    score_bytes: NonNegative = 0.0
    """Bytes that a score moves through memory where attention of prompts is not fused (0: fused)."""
    aliases: list[Text] = field(default_factory=list)
    notes: Text | None = None

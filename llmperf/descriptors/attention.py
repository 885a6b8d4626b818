"""Attention kernels: how an implementation of attention differs from those that chips were calibrated with."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from llmperf.descriptors.fields import FORBID_UNKNOWN_KEYS, Fraction, NonNegative, Positive, Share, Switch, Text
from llmperf.records import dataclass

Split = Literal["fitted", "none", "waves", "even"]
"""How a decode kernel gives cores their work: `llmperf.costs.attention.occupancy`."""


@dataclass(frozen=True, slots=True)
class AttentionKernel:
    """One implementation of attention over prompts and over the KV cache.

    Every field is a mechanism; its default is what the kernels do that the constants of a chip were measured with.
    """

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    name: Text
    sources: dict[Text, Text]
    kernels: list[Text] = field(default_factory=list)
    """Kernels whose fits of a chip go before those of the engine's kernels, in the order of preference."""
    score_bytes: NonNegative = 0.0
    """Bytes that a score moves through memory where attention of prompts is not fused (0: fused)."""
    held_score_bytes: NonNegative = 0.0
    """Bytes of a score that are kept at once, beside queries, keys and values of prompts."""
    softmax_pass: Switch = False
    """The softmax of prompts is a pass of its own, which moves half of `score_bytes`; the products move the rest."""
    skips_masked: Switch = True
    """Blocks of scores that the causal mask hides are not computed."""
    score_ops: NonNegative | None = None
    """Operations of the softmax for one score (None: those that the operator table counts)."""
    score_engine: Literal["vector", "matrix"] = "vector"
    """Engine of the softmax."""
    peak_share: dict[Text, Share] = field(default_factory=dict)
    """Share of the matrix peak that prompts reach, by generation of the chip, where that is less than it was fitted."""
    prefill_slowdown: Positive = 1.0
    """Time of attention over prompts, over that of a chip's kernels."""
    kv_sharing: Fraction = 1.0
    """How far decode reads keys once for the query heads that share them: 0, once for each head."""
    head_blocks: Switch = False
    """Decode gives each query head a block of its own: each dequantizes the cache, and fills a tile, for itself."""
    decode_products: Literal["matrix", "vector"] = "matrix"
    """Engine of decode's products."""
    dequantize_instructions: NonNegative | None = None
    """Instructions to dequantize a cached element, each in the place of a multiply-add (None: as the format says)."""
    split: Split = "fitted"
    """How the context of decode is split over cores: as the chip's kernels do, not, in whole waves, or evenly."""
    prefix: Literal["each", "once"] = "each"
    """Whether decode reads a prefix that sequences share for each of them, or once for the batch."""
    decode_slowdown: Positive = 1.0
    """Time of attention over the KV cache, over that of a chip's kernels."""
    aliases: list[Text] = field(default_factory=list)
    notes: Text | None = None


USUAL = AttentionKernel("fused", {})
"""The kernels that the constants of a chip were measured with."""

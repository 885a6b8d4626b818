"""What kernels, collectives and the host reach on a chip: the constants of a projection.

Every section maps a *selector* to the constants of one closed form. ``default`` must be there; the others name what
they were fitted on, from the general to the special::

    gemm, moe            bf16                  bf16/cutlass             scheme, scheme/kernel
    attention_*          bf16/d128             bf16/fa3/d128            scheme, kernel, head dimension
    elementwise          norm                                           kind of operator
    scale_up, scale_out  all_reduce            all_reduce/nccl          operation, operation/library

An engine names the kernels that it runs; without, or where a chip has no fit of them, the pooled fit of the scheme
counts. A *scheme* is the compute dtype, or the weight format where that has kernels of its own (``fp8_block``,
``w4a16``), with ``-fp8`` behind it for attention over an 8-bit KV cache, and ``+mha`` or ``+wide`` for decode attention
whose KV heads serve one query head, or more than 32, where libraries change to another kernel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from llmperf.descriptors.fields import FORBID_UNKNOWN_KEYS, Fraction, NonNegative, Positive, Seconds, Share, Text

SCHEMES: dict[str, tuple[str, ...]] = {
    "fp16": ("bf16",),
    "fp8_block": ("fp8",),
    "w8a16": ("bf16",),
    "w4a16": ("bf16",),
    "w4a16_mxfp4": ("w4a16", "bf16"),
    "w4a8_mxfp4": ("fp8",),
    "bf16-fp8": ("bf16",),
    "fp16-fp8": ("bf16-fp8", "bf16"),
    "fp8": (),
}
"""Schemes whose fit stands in where a chip has none of the first."""


WIDE = 32.0
"""Query heads of a KV head that the usual decode kernels handle. [1]"""


def variant(group: float) -> str:
    """The part of a scheme that names the decode kernel for a number of query heads of a KV head."""
    if group <= 1.0:
        return "+mha"
    return "+wide" if group > WIDE else ""


@dataclass(frozen=True, slots=True)
class GemmAchieved:
    """Matrix products; see `llmperf.costs.gemm`."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    compute: Share
    memory: Share
    latency: Seconds
    k_latency: Seconds = 0.0
    """Time that 4096 inner elements would take in one chain."""
    k_half: Positive = 1900.0
    """Inner dimension at which the serial-K term has reached half of its limit."""
    sustained: Positive = 1.0
    """Compute time of long products over that of short ones: clocks fall at the power limit."""
    quantize_memory: Share = 0.5
    """Bandwidth that the pass reaches which quantizes inputs."""
    quantize_row: Seconds = 0.0
    """Time of that pass for each token, whatever its width."""


@dataclass(frozen=True, slots=True)
class AttentionPrefillAchieved:
    """Attention over prompts; see `llmperf.costs.attention`."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    compute: Share
    memory: Share
    latency: Seconds
    short: NonNegative = 0.0
    """Query tokens at which the masked half of diagonal tiles doubles the compute time."""
    wave: Seconds = 0.0
    """Time of one wave of (head, block of queries) pairs over the cores."""
    chain: Seconds = 0.0
    """Time that a block of queries needs for each 128 keys, one after the other."""


@dataclass(frozen=True, slots=True)
class AttentionDecodeAchieved:
    """Attention over the KV cache; see `llmperf.costs.attention`."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    compute: Share
    memory: Positive
    latency: Seconds
    wave: Seconds = 0.0
    """Time of one wave of (sequence, KV head) pairs over the cores."""
    blend: NonNegative = 0.0
    """How far waves and memory time add: 0 as the root of squares, 2 in full."""
    chain: Seconds = 0.0
    """Time that 4096 cached tokens would take in one chain."""
    chain_half: Positive = 4096.0
    """Cached tokens at which splitting the cache over cores has halved the chain."""
    query_tile: Positive = 64.0
    """Rows that a group of query heads is padded to on the matrix engine."""
    share: Positive = 1024.0
    """Query heads that one read of the cache serves; `memory` may exceed 1 where the others find it in the cache."""


@dataclass(frozen=True, slots=True)
class ElementwiseAchieved:
    """Norms, activations, rotary embedding and additions; see `llmperf.costs.elementwise`."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    memory: Share
    latency: Seconds
    cached: Positive = 1.0
    """Rate over that of the main memory while the operands fit the last-level cache."""


@dataclass(frozen=True, slots=True)
class MoeAchieved:
    """One of the two grouped (expert) products and the passes around it; see `llmperf.costs.moe`."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    compute: Share
    memory: Share
    latency: Seconds
    blend: NonNegative = 0.0
    """How far compute and memory time add: 0 as the root of squares, 2 in full."""
    padding: NonNegative = 16.0
    """Rows that tiles add to the tokens of each expert that is hit."""
    k_latency: Seconds = 0.0
    """Time of the chain over 4096 inner elements."""
    expert: Seconds = 0.0
    """Time of each expert that is hit: its place in the list of tiles."""
    passes: Share = 0.5
    """Bandwidth that sorting, activation and combination of the tokens reach."""
    foreign: Fraction = 0.0
    """Share of the (token, expert) pairs of other ranks on the device that these passes run over all the same."""


@dataclass(frozen=True, slots=True)
class CollectiveAchieved:
    """Collectives of one number of ranks; see `llmperf.costs.collectives`."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    bandwidth: Positive
    """Share of the link's rate; beyond 1 where switches add, or the protocol sends less than a ring."""
    latency: Seconds
    root: Seconds = 0.0
    """Protocol time of 1 MB on the wire; grows with the square root of the bytes."""


@dataclass(frozen=True, slots=True)
class CacheAchieved:
    """How far the last-level cache serves operands that have just been written or read."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    share: Share
    """Share of its capacity at which half of the operands are still there."""
    speedup: Positive
    """Its rate over that of the main memory."""


@dataclass(frozen=True, slots=True)
class TransferAchieved:
    """What copies from host, expansion and storage tiers reach of the link or tier, whichever is slower."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    bandwidth: Share


Collectives = dict[Text, dict[Text, CollectiveAchieved]]
"""By operation, then by ranks; between the ranks that are listed the constants are interpolated."""


@dataclass(frozen=True, slots=True)
class Achieved:
    """The efficiencies of a projection: those of a chip, or of its class; `basis` says where they come from."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    name: Text
    basis: Literal["class default", "calibrated"]
    gemm: dict[Text, GemmAchieved]
    attention_prefill: dict[Text, AttentionPrefillAchieved]
    attention_decode: dict[Text, AttentionDecodeAchieved]
    elementwise: dict[Text, ElementwiseAchieved]
    moe: dict[Text, MoeAchieved]
    scale_up: Collectives
    scale_out: Collectives
    transfer: TransferAchieved
    launch: Seconds
    """Host time to launch one operator eagerly."""
    cache: CacheAchieved | None = None
    fitted: dict[Text, Text] = field(default_factory=dict)
    """Of each fit: rows and sources, error on rows held out, and intervals of the constants."""
    sources: dict[Text, Text] = field(default_factory=dict)
    aliases: list[Text] = field(default_factory=list)
    notes: Text | None = None


def contradictions(achieved: Achieved) -> list[tuple[str, str]]:
    """What in the sections contradicts itself: (path, message) pairs."""
    found = []
    for section in ("gemm", "attention_prefill", "attention_decode", "elementwise", "moe", "scale_up", "scale_out"):
        fits = getattr(achieved, section)
        if "default" not in fits:
            found.append((section, "needs the entry default"))
        if section.startswith("scale"):
            for operation, points in fits.items():
                wrong = [ranks for ranks in points if not ranks.isdigit() or int(ranks) < 2]
                if wrong or not points:
                    found.append((f"{section}.{operation}", "needs one entry for each number of ranks, 2 or more"))
    return found

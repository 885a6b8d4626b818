"""What kernels, collectives and the host reach on a chip: the constants of a projection.

Every section maps a *selector* to the constants of one closed form. ``default`` must be there; the others name what
they were fitted on, from the general to the special::

    gemm, moe            bf16                  bf16/cutlass             scheme, scheme/kernel
    attention_*          bf16/d128             bf16/fa3/d128            scheme, kernel, head dimension
    elementwise          norm                                           kind of operator
    collectives          all_reduce            all_reduce/nccl          operation, operation/library

Collectives have a section for each way between devices (`COLLECTIVES`): the scale-up link, the network, a host link
over which devices write to each other, and one where everything passes through the host. Those of a host link say what
the box does, not what the chip does.

An engine names the kernels that it runs; without, or where a chip has no fit of them, the pooled fit of the scheme
counts. A *scheme* is the compute dtype, or the weight format where that has kernels of its own (``fp8_block``,
``w4a16``), with ``-fp8`` behind it for attention over an 8-bit KV cache, and ``+mha`` or ``+wide`` for decode attention
whose KV heads serve one query head, or more than 32, where libraries change to another kernel; ``+latent`` for latent
attention, whose heads share one latent.
"""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Literal

from llmperf.descriptors.fields import FORBID_UNKNOWN_KEYS, Fraction, NonNegative, Positive, Seconds, Share, Text
from llmperf.records import dataclass

US, NS = 1e-6, 1e-9


@dataclass(frozen=True, slots=True)
class Fitted:
    """A constant that measured kernels determine: where its fit starts, and within which bounds it stays.

    The constants of a class stand in the order in which they matter: where there are few rows, the last ones are not
    fitted (`llmperf.evidence.fit`).
    """

    start: float
    low: float
    high: float


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
FUSED = "+fused"
"""What follows the kind of an elementwise operator that runs inside of another kernel."""
WIDE = 32.0
"""Query heads of a KV head that the usual decode kernels handle. [1]"""
LATENT = "+latent"
"""The part of a scheme that names the decode kernels of latent attention, which share the latent among all heads."""


def variant(group: float) -> str:
    """The part of a scheme that names the decode kernel for a number of query heads of a KV head."""
    if group <= 1.0:
        return "+mha"
    return "+wide" if group > WIDE else ""


@dataclass(frozen=True, slots=True)
class GemmAchieved:
    """Matrix products; see `llmperf.costs.gemm`."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    compute: Annotated[Share, Fitted(0.75, 0.02, 1.0)]
    memory: Annotated[Share, Fitted(0.85, 0.05, 1.0)]
    latency: Annotated[Seconds, Fitted(2 * US, 0.3 * US, 400 * US)]
    k_latency: Annotated[Seconds, Fitted(5 * US, 0.01 * US, 40 * US)] = 0.0
    """Time that 4096 inner elements would take in one chain."""
    k_half: Annotated[Positive, Fitted(2000.0, 100.0, 1e5)] = 1900.0
    """Inner dimension at which the serial-K term has reached half of its limit."""
    sustained: Annotated[Positive, Fitted(1.1, 1.0, 3.0)] = 1.0
    """Compute time of long products over that of short ones: clocks fall at the power limit."""
    quantize_memory: Annotated[Share, Fitted(0.5, 0.02, 1.0)] = 0.5
    """Bandwidth that the pass reaches which quantizes inputs and is measured with the product."""
    quantize_latency: Annotated[Seconds, Fitted(3 * US, 0.01 * US, 400 * US)] = 0.0
    """Fixed time of that pass as it was measured together with the product."""
    quantize_row: Annotated[Seconds, Fitted(1 * NS, 0.001 * NS, 30 * NS)] = 0.0
    """Time of that pass for each token, whatever its width."""


@dataclass(frozen=True, slots=True)
class AttentionPrefillAchieved:
    """Attention over prompts; see `llmperf.costs.attention`."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    compute: Annotated[Share, Fitted(0.5, 0.02, 1.0)]
    memory: Annotated[Share, Fitted(0.5, 0.02, 1.0)]
    latency: Annotated[Seconds, Fitted(10 * US, 0.5 * US, 400 * US)]
    short: Annotated[NonNegative, Fitted(200.0, 1.0, 5000.0)] = 0.0
    """Query tokens at which the masked half of diagonal tiles doubles the compute time."""
    wave: Annotated[Seconds, Fitted(1 * US, 0.01 * US, 60 * US)] = 0.0
    """Time of one wave of (head, block of queries) pairs over the cores."""
    chain: Annotated[Seconds, Fitted(0.3 * US, 0.001 * US, 50 * US)] = 0.0
    """Time that a block of queries needs for each 128 keys, one after the other."""


@dataclass(frozen=True, slots=True)
class AttentionDecodeAchieved:
    """Attention over the KV cache; see `llmperf.costs.attention`."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    compute: Annotated[Share, Fitted(0.3, 0.002, 1.0)]
    memory: Annotated[Positive, Fitted(0.85, 0.02, 1.0)]
    latency: Annotated[Seconds, Fitted(8 * US, 0.5 * US, 400 * US)]
    wave: Annotated[Seconds, Fitted(2 * US, 0.01 * US, 60 * US)] = 0.0
    """Time of one wave of (sequence, KV head) pairs over the cores."""
    blend: Annotated[NonNegative, Fitted(0.5, 0.001, 2.0)] = 0.0
    """How far waves and memory time add: 0 as the root of squares, 2 in full."""
    chain: Annotated[Seconds, Fitted(5 * US, 0.01 * US, 300 * US)] = 0.0
    """Time that 4096 cached tokens would take in one chain."""
    chain_half: Annotated[Positive, Fitted(4000.0, 10.0, 1e7)] = 4096.0
    """Cached tokens at which splitting the cache over cores has halved the chain."""
    query_tile: Positive = 64.0
    """Rows that a group of query heads is padded to on the matrix engine."""
    share: Positive = 1024.0
    """Query heads that one read of the cache serves; `memory` may exceed 1 where the others find it in the cache."""


@dataclass(frozen=True, slots=True)
class ElementwiseAchieved:
    """Norms, activations, rotary embedding and additions; see `llmperf.costs.elementwise`."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    memory: Annotated[Share, Fitted(0.6, 0.01, 1.0)]
    latency: Annotated[Seconds, Fitted(2 * US, 0.05 * US, 100 * US)]
    cached: Annotated[Positive, Fitted(2.0, 1.0, 20.0)] = 1.0
    """Rate over that of the main memory while the operands fit the last-level cache."""


@dataclass(frozen=True, slots=True)
class MoeAchieved:
    """One of the two grouped (expert) products and the passes around it; see `llmperf.costs.moe`."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    compute: Annotated[Share, Fitted(0.5, 0.02, 1.0)]
    memory: Annotated[Share, Fitted(0.8, 0.05, 1.0)]
    latency: Annotated[Seconds, Fitted(8 * US, 0.5 * US, 250 * US)]
    tile: Annotated[Seconds, Fitted(1 * US, 1 * NS, 30 * US)] = 0.0
    """Time that each doubling of the rows of an expert adds, while kernels take larger tiles for more rows."""
    blend: Annotated[NonNegative, Fitted(0.5, 0.01, 2.0)] = 0.0
    """How far compute and memory time add: 0 as the root of squares, 2 in full."""
    padding: Annotated[NonNegative, Fitted(16.0, 0.1, 256.0)] = 16.0
    """Rows that tiles add to the tokens of each expert that is hit."""
    columns: Annotated[Positive, Fitted(64.0, 4.0, 512.0)] = 1.0
    """Columns of the weights that a work group computes: few experts, or narrow shares of them, leave cores idle."""
    k_latency: Annotated[Seconds, Fitted(5 * US, 0.01 * US, 100 * US)] = 0.0
    """Time of the chain over 4096 inner elements."""
    cached: Annotated[Positive, Fitted(2.0, 1.0, 8.0)] = 1.0
    """Rate of weights over that of the main memory while they fit the last-level cache, as in benchmarks that run one
    layer again and again; never in estimates, whose layers take turns."""
    expert: Annotated[Seconds, Fitted(20 * NS, 0.05 * NS, 2.5 * US)] = 0.0
    """Time of each expert that is hit: its place in the list of tiles."""
    passes: Annotated[Share, Fitted(0.5, 0.002, 1.0)] = 0.5
    """Bandwidth that sorting, activation and combination of the tokens reach."""
    foreign: Annotated[Fraction, Fitted(0.5, 0.001, 1.0)] = 0.0
    """Share of the (token, expert) pairs of other ranks on the device that these passes run over all the same."""


@dataclass(frozen=True, slots=True)
class CollectiveAchieved:
    """Collectives of one number of ranks; see `llmperf.costs.collectives`."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    bandwidth: Annotated[Positive, Fitted(0.8, 0.005, 3.0)]
    """Share of the link's rate; beyond 1 where switches add, or the protocol sends less than a ring."""
    latency: Annotated[Seconds, Fitted(12 * US, 0.5 * US, 3000 * US)]
    root: Annotated[Seconds, Fitted(5 * US, 0.01 * US, 500 * US)] = 0.0
    """Protocol time of 1 MB on the wire; grows with the square root of the bytes."""
    token: Annotated[Seconds, Fitted(2 * US, 0.001 * US, 50 * US)] = 0.0
    """Exchanges of tokens: time of each token that a core sends, one after the other."""
    expert: Annotated[Seconds, Fitted(20 * NS, 0.05 * NS, 500 * NS)] = 0.0
    """Exchanges of tokens: time of each expert of the layer, whose ranks are told how many tokens come."""
    launch: Annotated[Seconds, Fitted(30 * US, 0.5 * US, 3000 * US)] = 0.0
    """Host time of a launch that no graph holds, which hides what the kernel takes."""


@dataclass(frozen=True, slots=True)
class CacheAchieved:
    """How far the last-level cache serves operands that have just been written or read."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    share: Positive
    """Share of its capacity at which half of the operands are still there; of `repeated`, up to which all are."""
    speedup: Positive
    """Its rate over that of the main memory."""


@dataclass(frozen=True, slots=True)
class TransferAchieved:
    """What copies from host, expansion and storage tiers reach of the link or tier, whichever is slower."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    bandwidth: Share


CONSTANTS: dict[str, type] = {
    "gemm": GemmAchieved,
    "attention_prefill": AttentionPrefillAchieved,
    "attention_decode": AttentionDecodeAchieved,
    "elementwise": ElementwiseAchieved,
    "moe": MoeAchieved,
    "scale_up": CollectiveAchieved,
    "scale_out": CollectiveAchieved,
    "host": CollectiveAchieved,
    "through_host": CollectiveAchieved,
}
"""The constants of each section."""
COLLECTIVES = frozenset(section for section, constants in CONSTANTS.items() if constants is CollectiveAchieved)
"""Sections of collectives, one for each way between devices."""

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
    host: Collectives = field(default_factory=dict)
    """Over a host link, from device to device; empty: as over the scale-up link."""
    through_host: Collectives = field(default_factory=dict)
    """Over a host link without a way from device to device; empty: nothing is known of it."""
    cache: CacheAchieved | None = None
    repeated: CacheAchieved | None = None
    """What decode attention finds of the KV cache in the last-level cache when a benchmark runs it again and again, up
    to that share of its capacity. No part of an estimate: the layers of a model come between two reads of a cache."""
    fitted: dict[Text, Text] = field(default_factory=dict)
    """Of each fit: rows and sources, error on rows held out, and intervals of the constants."""
    sources: dict[Text, Text] = field(default_factory=dict)
    aliases: list[Text] = field(default_factory=list)
    notes: Text | None = None


def contradictions(achieved: Achieved) -> list[tuple[str, str]]:
    """What in the sections contradicts itself: (path, message) pairs."""
    found = []
    for section in CONSTANTS:
        fits = getattr(achieved, section)
        if "default" not in fits and (fits or section not in ("host", "through_host")):
            found.append((section, "needs the entry default"))
        if section in COLLECTIVES:
            for operation, points in fits.items():
                wrong = [ranks for ranks in points if not ranks.isdigit() or int(ranks) < 2]
                if wrong or not points:
                    found.append((f"{section}.{operation}", "needs one entry for each number of ranks, 2 or more"))
    return found

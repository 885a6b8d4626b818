"""KV-cache methods: how many bytes an element takes, which tokens are kept and read, and what choosing them costs.

A method is data over a closed vocabulary: bits (with scales, zeros, salient and recent tokens, outliers), side
matrices, a budget of kept tokens, a window for a share of heads or layers, tokens read a step, selection passes,
merging over layers, a memory tier, and passes over the prompt. What needs another mechanism needs code, once, in
`llmperf.operators.cache`.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from llmperf.descriptors.fields import (
    FORBID_UNKNOWN_KEYS,
    Bits,
    Fraction,
    NonNegative,
    Real,
    Switch,
    Text,
    Whole,
    WholeOrZero,
)
from llmperf.records import dataclass

Stage = Literal["generation", "compression", "retrieval", "loading"]
"""Stages in the life of a KV cache (SCBench, arXiv:2412.10319, sec. 2): computing it over the prompt, storing it
smaller, finding it again for another request, and loading parts of it into a decode step."""


@dataclass(frozen=True, slots=True)
class Elements:
    """Bits of an element; scales and zeros are shared by `group` elements."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    bits: Bits
    group: Whole | None = None
    scale_bits: NonNegative = 0
    zero_bits: NonNegative = 0


@dataclass(frozen=True, slots=True)
class Salient:
    """A share of the tokens, the important ones, whose elements have other bits."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    share: Fraction
    bits: Bits


@dataclass(frozen=True, slots=True)
class Outliers:
    """A share of the elements that stands beside the quantized ones, `bits` for a value and its index."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    share: Fraction
    bits: Bits


@dataclass(frozen=True, slots=True)
class LowRank:
    """Side matrices of low rank: one a key and one a value head, or one of the keys that all heads share."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    rank: Whole
    bits: Bits = 16
    replaces_keys: Switch = False
    """Keys are stored in this form alone, all heads together, and rebuilt from it when they are read."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens that are kept: at least `tokens`, or a `share` of a length."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    tokens: WholeOrZero = 0
    share: Fraction = 0.0
    of: Literal["sequence", "prompt"] = "sequence"
    """What the share is of: the whole sequence when it is complete, or its prompt."""
    grows: Switch = False
    """Whether generated tokens are kept on top; without, they displace others."""
    chunk: Whole | None = None
    """Prompts are computed in chunks of so many tokens, each seeing what the budget kept of those before (None: the
    prompt is computed in full, and cut after)."""


@dataclass(frozen=True, slots=True)
class Reads:
    """Tokens that a decode step reads of those kept: at least `tokens`, or a `share` of those that there are."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    tokens: WholeOrZero = 0
    share: Fraction = 0.0


@dataclass(frozen=True, slots=True)
class Windowed:
    """A share of the heads or layers that sees and keeps the first and the last tokens alone."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    share: Fraction
    tokens: WholeOrZero = 0
    length_share: Fraction = 0.0
    """The window is at least this share of the sequence."""
    sinks: WholeOrZero = 0
    """Tokens at the begin that are kept as well, and tokens that stand for what was dropped."""
    by: Literal["heads", "layers"] = "heads"
    prompts: WholeOrZero | None = None
    """Prompts are computed within a window of so many tokens, and the sinks (None: in full)."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a decode step reads to choose the tokens that attention then reads: summaries of each page of tokens."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    page: Whole
    vectors: NonNegative = 1
    """Summary vectors of a page, as wide as its keys: one mean, or minimum and maximum."""
    bits: Bits = 16
    codes: NonNegative = 0
    """Bits of codes of a page and KV head in place of, or beside, vectors."""
    every: Whole = 1
    """Steps that share one choice."""


@dataclass(frozen=True, slots=True)
class Offload:
    """The tier behind the device that holds the cache, or its values, and what a step fetches from there."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    tier: Text
    part: Literal["all", "values"] = "all"
    hit: Fraction = 0.0
    """Share of what a step reads that the device still holds from the steps before."""
    overlap: Fraction | None = None
    """Share of fetching that hides behind computing (None: as of other transfers)."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A share of the layers, `layers` of which have one cache together; a share of tokens is kept by each."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    share: Fraction
    layers: Whole = 2
    retained: Fraction = 0.0


@dataclass(frozen=True, slots=True)
class Prompts:
    """What compressing costs when a prompt is computed."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    probes: Fraction = 0.0
    """Share of the queries whose scores are computed once more and kept, as fused attention does not show them."""
    flops: NonNegative = 0
    """Vector operations an element."""
    products: NonNegative = 0
    """Operations of matrix products an element of the keys (a decomposition)."""


PLAIN = Prompts()
"""Of a method that adds nothing to prompts."""


@dataclass(frozen=True, slots=True)
class KvCacheFormat:
    """How keys and values are stored, which of them are kept, and which a decode step reads."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    name: Text
    bits: Bits
    sources: dict[Text, Text]
    stage: Stage | None = None
    """Stage of the cache's life that the method is about; None of plain 16 bit."""
    group: Whole | None = None
    scale_bits: NonNegative = 0
    zero_bits: NonNegative = 0
    values: Elements | None = None
    """Elements of values, where they differ from those of keys."""
    dequantize_flops: NonNegative = 0
    """Vector operations an element to dequantize when it is read."""
    salient: Salient | None = None
    recent: WholeOrZero = 0
    """Tokens at the end of a sequence that are not quantized yet."""
    recent_bits: Bits = 16
    outliers: Outliers | None = None
    low_rank: LowRank | None = None
    budget: Budget | None = None
    """Tokens that are kept; others are evicted, or merged into them (None: all)."""
    windowed: Windowed | None = None
    score_bits: NonNegative = 0
    """Bits of accumulated scores that each query head keeps of a token, read and written in every step."""
    reads: Reads | None = None
    """Tokens that a step reads of those kept (None: all)."""
    selection: Selection | None = None
    offload: Offload | None = None
    merged: Merged | None = None
    prompts: Prompts = PLAIN
    aliases: list[Text] = field(default_factory=list)
    notes: Text | None = None

    @property
    def key_elements(self) -> Elements:
        """Bits of keys."""
        return Elements(self.bits, self.group, self.scale_bits, self.zero_bits)

    @property
    def linear(self) -> bool:
        """Whether every token of a sequence takes and moves the same bytes, on the device."""
        parts = (self.low_rank, self.budget, self.windowed, self.reads, self.selection, self.offload, self.merged)
        return parts == (None,) * len(parts) and isinstance(self.recent, int | float) and self.recent == 0


def element_bytes(kv_cache: KvCacheFormat) -> Real:
    """Mean bytes of one cached element of a key or value, scales, zeros, salient tokens and outliers included. [B]"""
    values = kv_cache.values
    keys = stored_bits(kv_cache, kv_cache.key_elements)
    return keys / 8 if values is None else (keys + stored_bits(kv_cache, values)) / 16


def stored_bits(kv_cache: KvCacheFormat, elements: Elements) -> Real:
    """Mean bits of an element of keys, or of values, with what its method stores beside it. [bit]"""
    bits = elements.bits
    if kv_cache.salient is not None:
        bits = bits + kv_cache.salient.share * (kv_cache.salient.bits - bits)
    if elements.group is not None:
        quantized = 1.0 if kv_cache.salient is None else 1.0 - kv_cache.salient.share * (kv_cache.salient.bits >= 16)
        bits = bits + quantized * (elements.scale_bits + elements.zero_bits) / elements.group
    if kv_cache.outliers is not None:
        bits = bits + kv_cache.outliers.share * kv_cache.outliers.bits
    return bits


def contradictions(kv_cache: KvCacheFormat) -> list[tuple[str, str]]:
    """What in a method contradicts itself: path and message of each."""
    found = []
    for name in ("budget", "reads"):
        part: Budget | Reads | None = getattr(kv_cache, name)
        if part is not None and part.tokens == 0 and part.share == 0:
            found.append((name, "keeps nothing: state tokens, or a share"))
    if kv_cache.offload is not None and kv_cache.merged is not None:
        found.append(("merged", "and offload: what layers that share a cache fetch of it is not modelled"))
    if kv_cache.selection is not None and kv_cache.reads is None:
        found.append(("selection", "chooses tokens, but reads does not say how many"))
    if kv_cache.windowed is not None and not (
        kv_cache.windowed.tokens or kv_cache.windowed.length_share or kv_cache.windowed.sinks
    ):
        found.append(("windowed", "keeps nothing: state tokens, length_share or sinks"))
    return found

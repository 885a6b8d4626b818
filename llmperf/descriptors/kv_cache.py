"""KV-cache formats: how many bytes one cached element takes."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmperf.descriptors.fields import FORBID_UNKNOWN_KEYS, Bits, NonNegative, Real, Text, Whole


@dataclass(frozen=True, slots=True)
class KvCacheFormat:
    """Bits of a cached key or value element; scales and zeros are shared by `group` elements."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    name: Text
    bits: Bits
    sources: dict[Text, Text]
    group: Whole | None = None
    scale_bits: NonNegative = 0
    zero_bits: NonNegative = 0
    dequantize_flops: NonNegative = 0
    """Vector operations an element to dequantize when it is read."""
    aliases: list[Text] = field(default_factory=list)
    notes: Text | None = None


def element_bytes(kv_cache: KvCacheFormat) -> Real:
    """Bytes of one cached element, its share of scales and zeros included. [B]"""
    shared = (kv_cache.scale_bits + kv_cache.zero_bits) / kv_cache.group if kv_cache.group else 0.0
    return (kv_cache.bits + shared) / 8

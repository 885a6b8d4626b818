"""Bytes of an element in the formats of a scenario, as the operators need them."""

from __future__ import annotations

from dataclasses import dataclass

from llmperf.descriptors.kv_cache import KvCacheFormat
from llmperf.descriptors.kv_cache import element_bytes as kv_element_bytes
from llmperf.descriptors.weights import WeightFormat
from llmperf.descriptors.weights import element_bytes as weight_element_bytes
from llmperf.numeric import Real, anywhere, everywhere

DTYPE_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5, "int4": 0.5}
"""Bytes of one element of a compute dtype. [B]"""


@dataclass(frozen=True, slots=True)
class Formats:
    """Element sizes and compute dtypes.

    Attributes
    ----------
    weight : number or array
        Bytes of a linear layer's weight, scales and zeros included. [B]
    kept : number or array
        Bytes of a weight that stays unquantized. [B]
    kv : number or array
        Mean bytes of a cached element, scales included. [B]
    linear, attention : str
        Compute dtype of linear layers, and of attention, the output head and the router.
    dequantize : number or array
        Vector operations to dequantize one weight. [FLOP]
    cache : KvCacheFormat
        What is kept and read of the KV cache.
    input, hidden : float
        Bytes of one input element of a linear layer, and of the hidden state between operators. [B]
    quantizes : bool
        Whether inputs of linear layers are quantized on the fly.
    index : str
        Compute dtype of an indexer's scores, and that of its cached keys.
    scheme, attention_scheme : str
        What selects the constants of linear layers, and of attention (`llmperf.descriptors.achieved`).
    """

    weight: Real
    kept: Real
    kv: Real
    linear: str
    attention: str
    dequantize: Real
    cache: KvCacheFormat
    input: float
    hidden: float
    quantizes: bool
    index: str
    scheme: str
    attention_scheme: str

    def index_bytes(self, width: Real) -> Real:
        """Bytes of a cached key of an indexer: its elements, and one fp32 scale where they are quantized. [B]"""
        element = DTYPE_BYTES[self.index]
        return width * element + (4.0 if element < self.hidden else 0.0)


def formats(weights: WeightFormat, kv_cache: KvCacheFormat, linear: str, attention: str, index: str) -> Formats:
    """Element sizes of a weight and a KV-cache format, computed in the given dtypes."""
    return Formats(
        weight_element_bytes(weights),
        weights.kept_bits / 8,
        kv_element_bytes(kv_cache),
        linear,
        attention,
        weights.dequantize_flops if weights.weight_only else 0.0,
        kv_cache,
        DTYPE_BYTES[linear],
        DTYPE_BYTES[attention],
        DTYPE_BYTES[linear] < DTYPE_BYTES[attention],
        index,
        _scheme(weights, linear),
        f"{attention}-fp8" if everywhere(kv_cache.bits <= 8) else attention,
    )


def _scheme(weights: WeightFormat, linear: str) -> str:
    """The scheme of linear layers: formats that have kernels of their own, else the dtype."""
    if weights.weight_only:
        if everywhere(weights.bits > 4.5):
            return "w8a16" if everywhere(weights.bits <= 8) else linear
        blocks = weights.group == 32 and weights.scale_bits == 8 and not anywhere(weights.zero_bits > 0)
        return "w4a16_mxfp4" if blocks else "w4a16"
    return "fp8_block" if linear == "fp8" and weights.group is not None else linear

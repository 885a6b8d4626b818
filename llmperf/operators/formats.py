"""Bytes of an element in the formats of a scenario, as the operators need them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from llmperf.descriptors.achieved import LATENT, variant
from llmperf.descriptors.engine import Fusion, Padding
from llmperf.descriptors.kv_cache import KvCacheFormat
from llmperf.descriptors.kv_cache import element_bytes as kv_element_bytes
from llmperf.descriptors.weights import Part, WeightFormat
from llmperf.numeric import Real, anywhere, everywhere
from llmperf.operators.matrix import DTYPE_BYTES, Matrix, kept_matrix, matrix
from llmperf.records import dataclass

SOFTMAX_FLOPS = 5.0
"""Vector operations for one attention score: scale, maximum, subtract, exponential, sum."""


@dataclass(frozen=True, slots=True)
class Formats:
    """Element sizes and compute dtypes.

    Attributes
    ----------
    matrix, kept_matrix : Matrix
        Matrices of linear layers, and those that stay unquantized.
    kept : number or array
        Bytes of a weight that stays unquantized. [B]
    kv : number or array
        Mean bytes of a cached element, scales included. [B]
    linear, attention : str
        Compute dtype of linear layers, and of attention, the output head and the router.
    cache : KvCacheFormat
        What is kept and read of the KV cache.
    input, hidden : number or array
        Bytes of one input element of a linear layer, and of the hidden state between operators. [B]
    quantizes : bool
        Whether inputs of linear layers are quantized on the fly.
    index : str
        Compute dtype of an indexer's scores, and that of its cached keys.
    scheme, attention_scheme : str
        What selects the constants of linear layers, and of attention (`llmperf.descriptors.achieved`).
    scored : bool
        Whether attention of prompts stores its scores, so that a KV-cache method sees them without probes.
    keeps : mapping of str to number or array
        Share of the layers whose modules of a kind stay unquantized; those of which none do are left out. [1]
    padding : Padding
        Multiples that widths of quantized experts are rounded up to when they are loaded.
    fuses : tuple of str
        Operators that the engine runs inside of others (`llmperf.descriptors.engine.Fusion`).
    """

    matrix: Matrix
    kept_matrix: Matrix
    kept: Real
    kv: Real
    linear: str
    attention: str
    cache: KvCacheFormat
    input: Real
    hidden: float
    quantizes: bool
    index: str
    scheme: str
    attention_scheme: str
    scored: bool
    keeps: Mapping[Part, Real]
    padding: Padding
    fuses: tuple[Fusion, ...]

    def index_bytes(self, width: Real) -> Real:
        """Bytes of a cached key of an indexer: its elements, and one fp32 scale where they are quantized. [B]"""
        element = DTYPE_BYTES[self.index]
        return width * element + (4.0 if element < self.hidden else 0.0)


def formats(
    weights: WeightFormat,
    kv_cache: KvCacheFormat,
    linear: str,
    attention: str,
    index: str,
    wide: str = "",
    skips: bool = False,
    scored: bool = False,
    padding: Padding = Padding(),  # noqa: B008 (frozen)
    fuses: tuple[Fusion, ...] = (),
) -> Formats:
    """Element sizes of a weight and a KV-cache format, computed in the given dtypes; the rest goes to `matrix`."""
    layers = matrix(weights, linear, wide, attention, skips)
    return Formats(
        layers,
        kept_matrix(weights, attention),
        weights.kept_bits / 8,
        kv_element_bytes(kv_cache),
        linear,
        attention,
        kv_cache,
        layers.input,
        DTYPE_BYTES[attention],
        anywhere(layers.input < DTYPE_BYTES[attention]),
        index,
        layers.scheme,
        f"{attention}-fp8" if everywhere(kv_cache.bits <= 8) else attention,
        scored,
        {part: share for part, share in weights.keeps.items() if anywhere(share > 0.0)},
        padding,
        fuses,
    )


def selector(scheme: str, head_dim: Real, group: Real | None = None, *, latent: bool = False) -> str:
    """What selects the constants of an attention kernel: of arrays, the largest head and group count."""
    kind = LATENT if latent else "" if group is None else variant(float(np.max(group)))
    return f"{scheme}{kind}/d{int(np.max(head_dim))}"

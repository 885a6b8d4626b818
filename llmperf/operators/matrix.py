"""The matrix of a linear layer in a weight format: bytes that it takes, and operations of its products."""

from __future__ import annotations

from llmperf.descriptors.weights import Product, WeightFormat, element_bytes
from llmperf.numeric import Real, anywhere, everywhere, least
from llmperf.records import dataclass

DTYPE_BYTES = {
    "fp32": 4.0,
    "bf16": 2.0,
    "fp16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "fp6": 0.75,
    "fp4": 0.5,
    "int4": 0.5,
}
"""Bytes of one element of a compute dtype. [B]"""

ENGINES: dict[Product, str] = {"bit_planes": "int1", "lookup": "lookup", "additions": "add"}
"""What an engine must compute for products that are not made of multiply-adds (`llmperf.descriptors.hardware`)."""


@dataclass(frozen=True, slots=True)
class Work:
    """Operations of one product. [FLOP]

    Attributes
    ----------
    matrix, wide, vector : number or array
        On the matrix engine in the product's dtype, and in the wide dtype; on the vector engine.
    """

    matrix: Real
    wide: Real
    vector: Real


@dataclass(frozen=True, slots=True)
class Matrix:
    """How the matrices of linear layers are stored and multiplied.

    Attributes
    ----------
    dtype, scheme : str
        Compute dtype of products, and what selects their constants.
    input : number or array
        Bytes of an input element. [B]
    element : number or array
        Bytes of an element, with its share of scales and outliers. [B]
    channel, factor : number or array
        Bytes that each output channel adds, and that factors add for each input and each output channel. [B]
    unpack : number or array
        Vector operations an element, each time that the product reads it. [FLOP]
    copy, convert : number or array
        Bytes of an element of the copy that a pass writes for the product (0: none), and vector operations an element
        of that pass. [B], [FLOP]
    work : number or array
        Operations of the engine for each of the two of a multiply-add. [1]
    restore : number or array
        Operations of the engine an element, each time that it is read, to multiply factors of residual blocks. [FLOP]
    rank : number or array
        Rank of factors whose product is added to that of the matrix. [1]
    per_pair, per_input, per_output : number or array
        Vector operations of a token for each element, each input and each output channel. [FLOP]
    plain : bool
        Whether each element costs a multiply-add a token and what unpacks it, and nothing else.
    wide : str
        Compute dtype of the wide part, and of factors; empty where there is none.
    wide_share, wide_channels, wide_input : number or array
        The wide part of the inner dimension, as a share and in channels; bytes that an input of it has more. [1], [B]
    """

    dtype: str
    scheme: str
    input: Real
    element: Real
    channel: Real = 0.0
    factor: Real = 0.0
    unpack: Real = 0.0
    plain: bool = True
    copy: Real = 0.0
    convert: Real = 0.0
    work: Real = 1.0
    restore: Real = 0.0
    rank: Real = 0.0
    per_pair: Real = 0.0
    per_input: Real = 0.0
    per_output: Real = 0.0
    wide: str = ""
    wide_share: Real = 0.0
    wide_channels: Real = 0.0
    wide_input: Real = 0.0

    def stored(self, n: Real, k: Real, joined: Real = 1.0) -> Real:
        """Bytes of a matrix of n outputs and k inputs, made of `joined` ones that share their inputs. [B]"""
        return n * k * self.element + n * (self.channel + self.factor) + joined * k * self.factor

    def inputs(self, k: Real) -> Real:
        """Bytes of the inputs of one token. [B]"""
        return k * self.input + least(self.wide_channels, k) * self.wide_input

    def products(self, m: Real, n: Real, k: Real, joined: Real = 1.0, copies: Real = 1.0) -> Work:
        """Operations of m tokens' products, of which `copies` matrices of this shape (experts) each have a part."""
        dense, elements = 2.0 * m * n * k, copies * n * k
        if self.plain:
            return Work(dense, 0.0, elements * self.unpack)
        vector = elements * self.unpack + m * (n * k * self.per_pair + k * self.per_input + n * self.per_output)
        if not self.wide:
            return Work(dense * self.work + elements * self.restore, 0.0, vector)
        share = least(self.wide_share + self.wide_channels / k, 1.0)
        beside = 2.0 * m * self.rank * (n + joined * k)
        return Work(dense * (1.0 - share) * self.work + elements * self.restore, dense * share + beside, vector)


def matrix(weights: WeightFormat, dtype: str, wide: str, attention: str, skips: bool) -> Matrix:
    """The matrices of linear layers.

    Parameters
    ----------
    weights : WeightFormat
    dtype : str
        Compute dtype of products, or what its engine computes in place of multiply-adds (`ENGINES`).
    wide : str
        Compute dtype of the part that the format computes wider; empty: none.
    attention : str
        Compute dtype of what is not quantized.
    skips : bool
        Whether the engine skips the zeros of the format.
    """
    input_bytes: Real = DTYPE_BYTES.get(dtype) or DTYPE_BYTES[weights.activations]
    lookups = weights.bits / weights.lookup_group
    restored = weights.residual_blocks is not None
    blocks = weights.residual_blocks if weights.residual_blocks is not None else 1.0
    beside = not restored and anywhere(weights.rank > 0)
    work: Real = weights.density if skips else 1.0
    per_pair, per_input, per_output = 2.0 * weights.outlier_share, 0.0, 0.0
    if weights.group is not None and dtype in ("int8", "int4"):
        per_pair = per_pair + weights.group_flops / weights.group
    if dtype == "int1" and weights.activation_bits is not None:
        work = weights.activation_bits * weights.bits
        per_output = 2.0 * work  # every pair of planes is shifted and added
        input_bytes = weights.activation_bits / 8
    elif dtype == "lookup":  # each found entry is added; tables of half the signs, the others being their negatives
        work, per_pair = lookups / 2.0, per_pair + lookups
        per_input = 2.0 ** (weights.lookup_group - 1.0) / weights.lookup_group
    elif dtype == "add":
        work = 0.5
    plain = not (wide or beside or restored or anywhere(per_pair > 0.0)) and everywhere(work == 1.0)
    wide_input = DTYPE_BYTES[wide] - input_bytes if wide else 0.0
    converted = weights.converted_bits
    wide_bits = weights.bits if weights.wide_bits is None else weights.wide_bits
    return Matrix(
        dtype,
        _scheme(weights, dtype),
        input_bytes + weights.wide_share * wide_input,
        element_bytes(weights),
        (weights.channel_bits + weights.wide_channels * (wide_bits - weights.bits)) / 8,
        blocks * weights.rank * weights.rank_bits / 8,
        # residual blocks are unpacked to signs, which multiply the restored factors and are summed up
        weights.dequantize_flops * blocks if weights.weight_only else 0.0,
        plain,
        0.0 if converted is None else converted / 8,
        0.0 if converted is None else weights.dequantize_flops * blocks,
        work,
        2.0 * blocks * weights.rank if restored else 0.0,
        weights.rank if beside else 0.0,
        per_pair,
        per_input,
        per_output,
        wide or (attention if beside else ""),
        weights.wide_share if wide else 0.0,
        weights.wide_channels if wide else 0.0,
        wide_input,
    )


def kept_matrix(weights: WeightFormat, attention: str) -> Matrix:
    """The matrices that stay unquantized; a format that converts what it stores may store these so, too."""
    if weights.converted_bits is not None and everywhere(weights.kept_bits == weights.bits):
        copy, convert = weights.converted_bits / 8, weights.dequantize_flops
    else:
        copy, convert = 0.0, 0.0
    kept = weights.kept_bits / 8
    return Matrix(attention, attention, DTYPE_BYTES[attention], kept, copy=copy, convert=convert)


def _scheme(weights: WeightFormat, linear: str) -> str:
    """The scheme of linear layers: what the format says, else what its numbers suggest, else the dtype."""
    if linear in ENGINES.values():
        return linear
    if weights.kernels is not None:
        return weights.kernels
    if weights.weight_only:
        if everywhere(weights.bits > 4.5):
            return "w8a16" if everywhere(weights.bits <= 8) else linear
        grouped = weights.group is not None and everywhere(weights.group == 32)
        blocks = grouped and everywhere(weights.scale_bits == 8) and not anywhere(weights.zero_bits > 0)
        return ("w4a8_mxfp4" if linear == "fp8" else "w4a16_mxfp4") if blocks else "w4a16"
    return "fp8_block" if linear == "fp8" and weights.group is not None else linear

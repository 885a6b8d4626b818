"""Weight formats: how many bytes a linear layer's weights take, and how its products are made of them.

A format is data over a closed set of mechanisms, each a few numbers that are neutral where they are not given; see
``docs/weight-formats.md`` for the equations. What a matrix is charged is in `llmperf.operators.matrix`.
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
    Share,
    Switch,
    Text,
    Whole,
    WholeOrZero,
)
from llmperf.numeric import anywhere
from llmperf.records import dataclass

Compute = Literal["fp32", "bf16", "fp16", "fp8", "fp6", "fp4", "int8", "int4"]
"""Compute dtypes that activations may have."""

Kernels = Literal[
    "fp32",
    "bf16",
    "fp16",
    "fp8",
    "fp6",
    "fp4",
    "int8",
    "int4",
    "fp8_block",
    "w8a16",
    "w4a16",
    "w4a16_mxfp4",
    "w4a8_mxfp4",
]
"""Whose constants products of linear layers have (`llmperf.descriptors.achieved`): a dtype's, or a format's own."""

Product = Literal["multiply", "bit_planes", "lookup", "additions"]
"""What a product is made of: multiply-adds, one-bit products of bit planes, table look-ups, additions alone."""

Part = Literal["attention", "recurrent", "mlp", "shared", "experts"]
"""Kinds of modules with linear layers: attention, recurrent mixers, dense networks, and of layers with experts those
that all tokens go through, and the routed ones."""

Sparsity = Literal["2:4", "unstructured"]
"""Where zeros of a sparse matrix may stand."""


@dataclass(frozen=True, slots=True)
class WeightFormat:
    """Bits of a weight element, what is stored beside it, and the dtype its products run in.

    `activations` is the dtype that inputs of linear layers have by default; where it differs from the weights'
    own (`weight_only`), weights are dequantized on the vector units before the product.
    """

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    name: Text
    bits: Bits
    sources: dict[Text, Text]
    activations: Compute = "bf16"
    weight_only: Switch = False
    kernels: Kernels | None = None
    """Whose constants its products have (None: as the numbers of the format suggest)."""
    group: Whole | None = None
    block: Whole | None = None
    """Side of its square blocks, or length of its groups along the inputs, of which a device holds whole ones where its
    engine asks for that (None: kernels pad)."""
    scale_bits: NonNegative = 0
    zero_bits: NonNegative = 0
    type_bits: NonNegative = 0
    """Bits a group that say which of several datatypes its elements have."""
    group_flops: NonNegative = 0
    """Vector operations for each output and group of inputs, where partial sums of a group are scaled and added."""
    supergroup: Whole | None = None
    """Groups that share second-level parameters: their scales and zeros are quantized themselves."""
    supergroup_bits: NonNegative = 0
    """Bits of these parameters, a supergroup."""
    channel_bits: NonNegative = 0
    """Bits of the parameters of an output channel (a row of the matrix)."""
    outlier_share: Fraction = 0
    """Share of elements that a sparse matrix beside the dense one holds, whose products are irregular vector work."""
    outlier_bits: Bits = 16
    outlier_index_bits: NonNegative = 16
    sparsity: Sparsity | None = None
    density: Share = 1
    """Share of elements that are stored, the others being zero."""
    index_bits: NonNegative = 0
    """Bits an element, stored or not, that say where the stored ones stand."""
    residual_blocks: Whole | None = None
    """Matrices that sum up to one, each with `bits` an element and factors of its own that its elements multiply."""
    rank: WholeOrZero = 0
    """Rank of two factors: added to the product of the matrix, or of each residual block."""
    rank_bits: Bits = 16
    converted_bits: Bits | None = None
    """Bits an element of a copy that a pass writes before each product, which reads it (None: there is none)."""
    product: Product = "multiply"
    activation_bits: Bits | None = None
    """Bit planes of an activation (``bit_planes``)."""
    lookup_group: Whole = 4
    """Activations that one table answers for (``lookup``)."""
    wide: Compute | None = None
    """Dtype that a part of each product runs in, activations included; None: all of it runs in one dtype."""
    wide_share: Fraction = 0
    """Share of a product's inner dimension in this part."""
    wide_channels: WholeOrZero = 0
    """Input channels in this part, whatever the inner dimension."""
    wide_bits: Bits | None = None
    """Bits of a weight in this part (None: `bits`)."""
    kept_bits: Bits = 16
    """Bits of what stays unquantized: embeddings, output head, norms, router."""
    keeps: dict[Part, Fraction] = field(default_factory=dict)
    """Share of the layers whose modules of a kind stay unquantized as well."""
    dequantize_flops: NonNegative = 0
    """Vector operations an element to dequantize it (weight-only formats) or to convert it (`converted_bits`)."""
    aliases: list[Text] = field(default_factory=list)
    notes: Text | None = None


def element_bytes(weights: WeightFormat) -> Real:
    """Bytes of one weight element of a linear layer, with its share of all that does not depend on the matrix. [B]

    Notes
    -----
    ``blocks (density bits + index) + (scale + zero + type + supergroup_bits / supergroup) / group + outliers``; what an
    output channel or factors add depends on the widths of the matrix (`llmperf.operators.matrix`).
    """
    group = weights.scale_bits + weights.zero_bits + weights.type_bits
    if weights.supergroup is not None:
        group = group + weights.supergroup_bits / weights.supergroup
    stored = weights.density * weights.bits + weights.index_bits
    if weights.residual_blocks is not None:
        stored = stored * weights.residual_blocks
    if weights.wide_bits is not None:
        stored = stored + weights.wide_share * (weights.wide_bits - weights.bits)
    outliers = weights.outlier_share * (weights.outlier_bits + weights.outlier_index_bits)
    return (stored + (group / weights.group if weights.group is not None else 0.0) + outliers) / 8


def contradictions(weights: WeightFormat) -> list[tuple[str, str]]:
    """What in a format's fields contradicts itself: (path, message) pairs."""
    found = []
    if anywhere(weights.group_flops > 0) and weights.group is None:
        found.append(("group_flops", "needs the group whose partial sums are scaled"))
    if weights.supergroup is not None and weights.group is None:
        found.append(("supergroup", "needs the group that it is made of"))
    if anywhere(weights.supergroup_bits > 0) and weights.supergroup is None:
        found.append(("supergroup_bits", "needs the supergroup that shares them"))
    if (weights.sparsity is None) != (not anywhere(weights.density < 1)):
        found.append(("sparsity", "needs a density below 1, and a density below 1 needs the sparsity it has"))
    elif weights.sparsity == "2:4" and anywhere(weights.density != 0.5):
        found.append(("density", "is 0.5 where two of four elements are stored"))
    if weights.residual_blocks is not None and not anywhere(weights.rank > 0):
        found.append(("rank", "residual blocks need factors, which their elements multiply"))
    if (weights.product == "bit_planes") != (weights.activation_bits is not None):
        found.append(("activation_bits", "belongs to a product of bit planes, which needs it"))
    if weights.converted_bits is not None and (weights.weight_only or weights.product != "multiply"):
        text = "a product reads either the copy of a pass, or weights that it unpacks itself"
        found.append(("converted_bits", text))
    mixed = anywhere(weights.wide_share > 0) or anywhere(weights.wide_channels > 0)
    if mixed != (weights.wide is not None or weights.wide_bits is not None):
        found.append(("wide", "needs a wide_share or wide_channels, and these need a dtype or wide_bits"))
    return found

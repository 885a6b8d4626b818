"""Weight formats: how many bytes a linear layer's weights take, and in which dtype its products run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from llmperf.descriptors.fields import (
    FORBID_UNKNOWN_KEYS,
    Bits,
    NonNegative,
    Real,
    Switch,
    Text,
    Whole,
)

Compute = Literal["fp32", "bf16", "fp16", "fp8", "fp4", "int8", "int4"]
"""Compute dtypes that activations may have."""


@dataclass(frozen=True, slots=True)
class WeightFormat:
    """Bits of a weight element, shared scales included, and the dtype its products run in.

    `activations` is the dtype that inputs of linear layers have by default; where it differs from the weights'
    own (`weight_only`), weights are dequantized on the vector units before the product.
    """

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    name: Text
    bits: Bits
    sources: dict[Text, Text]
    activations: Compute = "bf16"
    weight_only: Switch = False
    group: Whole | None = None
    scale_bits: NonNegative = 0
    zero_bits: NonNegative = 0
    kept_bits: Bits = 16
    """Bits of what stays unquantized: embeddings, output head, norms, router."""
    dequantize_flops: NonNegative = 0
    """Vector operations an element to dequantize (weight-only formats)."""
    aliases: list[Text] = field(default_factory=list)
    notes: Text | None = None


def element_bytes(weights: WeightFormat) -> Real:
    """Bytes of one weight element of a linear layer, its share of scales and zeros included. [B]"""
    shared = (weights.scale_bits + weights.zero_bits) / weights.group if weights.group else 0.0
    return (weights.bits + shared) / 8

"""Schemes of measured kernels: the weight format of the catalog that each multiplies, and where kernels differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.costs.machine import compute_dtype
from llmperf.descriptors.weights import WeightFormat
from llmperf.evidence.tables import DataTable
from llmperf.operators.matrix import DTYPE_BYTES, Matrix
from llmperf.operators.matrix import matrix as matrix_of
from llmperf.scenarios.components import component


@dataclass(frozen=True, slots=True)
class Scheme:
    """What a kernel's products are made of.

    Attributes
    ----------
    weights : str
        The weight format of the catalog.
    dtype : str
        Compute dtype of the products; empty: that of the format's activations.
    differs : mapping of str to value
        Fields of the format that are others in what was measured.
    input : float or None
        Bytes of an input, where they are not those of the compute dtype. [B]
    """

    weights: str
    dtype: str = ""
    differs: Mapping[str, Any] = field(default_factory=dict)
    input: float | None = None


SCHEMES = {
    "bf16": Scheme("bf16"),
    "fp32": Scheme("fp32"),
    "fp64": Scheme("fp32", "fp64", {"bits": 64}, input=8.0),
    "fp8": Scheme("fp8"),
    # a scale of 128 x 128 elements, 1/4000 of the bytes, is not counted: constants were fitted without it
    "fp8_block": Scheme("fp8-block", differs={"group": None, "scale_bits": 0}),
    "int8": Scheme("w8a8-int8"),
    # inputs carry a scale of 8 bits for 16 elements, as weights do
    "fp4": Scheme("nvfp4", input=0.5625),
    "w8a16": Scheme("fp8", "bf16"),
    # symmetric: a group has a scale, but none of the zeros that AWQ and GPTQ store in 4 bits
    "w4a16": Scheme("w4a16-g128", differs={"zero_bits": 0}),
    "w4a16_mxfp4": Scheme("mxfp4"),
    "w4a8_mxfp4": Scheme("mxfp4", "fp8"),
}
"""Schemes that files of measured kernels may name."""
HIDDEN = DTYPE_BYTES["bf16"]
"""Bytes of an activation between operators. [B]"""
DTYPES = {
    "bfloat16": "bf16",
    "fp16": "bf16",
    "float16": "bf16",
    "float32": "fp32",
    "nvfp4": "fp4",
    "int4_wo": "w4a16",
    "int8_wo": "w8a16",
    "sq": "int8",
    "w4a8_mxfp4_mxfp8": "w4a8_mxfp4",
}
"""Scheme of a data type's name in the files, where it has another one."""


def schemes(table: DataTable, column: str = "dtype") -> NDArray[Any]:
    """The scheme of each row."""
    return np.array([DTYPES.get(text, text) for text in table.text(column)], dtype=object)


@cache
def matrix(scheme: str) -> Matrix:
    """The matrices that a scheme's kernels multiply, as operators have them."""
    known = SCHEMES[scheme]
    weights: WeightFormat = replace(component("weights", known.weights), **known.differs)
    made = matrix_of(weights, known.dtype or weights.activations, "", "bf16", skips=False)
    return made if known.input is None else replace(made, input=known.input)


def element(scheme: str, unknown: str = "bf16") -> float:
    """Bytes of an element of a matrix or a cache, of `unknown` where a file names a scheme that is none. [B]"""
    return float(matrix(scheme if scheme in SCHEMES else unknown).element)


def peak(hardware: Any, scheme: str) -> float | None:
    """Rate of a scheme's products on a chip; None where it has no engine for them, or the scheme is none. [FLOP/s]"""
    found = compute_dtype(hardware, matrix(scheme).dtype) if scheme in SCHEMES else None
    return None if found is None else float(hardware.engine("gemm").peaks[found])

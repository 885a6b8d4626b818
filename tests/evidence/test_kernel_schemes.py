"""Schemes of measured kernels are weight formats of the catalog: an estimate of the format is priced by their fits."""

from __future__ import annotations

import pytest

from llmperf.descriptors.weights import element_bytes
from llmperf.evidence.kernels.schemes import DTYPES, SCHEMES, element, matrix
from llmperf.operators.matrix import matrix as matrix_of
from llmperf.scenarios.components import component

OF_NO_FORMAT = {
    "fp64": "no format has weights of 64 bits",
    "w8a16": "an 8-bit format on a chip without an engine for it",
    "w4a8_mxfp4": "the 4-bit format with 8-bit inputs",
}


@pytest.mark.parametrize("scheme", sorted(SCHEMES.keys() - OF_NO_FORMAT))
def test_an_estimate_with_the_format_takes_the_constants_of_the_scheme(scheme: str) -> None:
    weights = component("weights", SCHEMES[scheme].weights)
    assert matrix_of(weights, weights.activations, "", "bf16", skips=False).scheme == scheme


@pytest.mark.parametrize(
    ("scheme", "bits"),
    [
        ("bf16", 16),
        ("fp32", 32),
        ("fp64", 64),
        ("fp8", 8),
        ("fp8_block", 8),
        ("int8", 8),
        ("fp4", 4 + 8 / 16),
        ("w8a16", 8),
        ("w4a16", 4 + 16 / 128),
        ("w4a16_mxfp4", 4 + 8 / 32),
        ("w4a8_mxfp4", 4 + 8 / 32),
    ],
)
def test_a_measured_kernel_reads_the_bits_of_its_format(scheme: str, bits: float) -> None:
    assert 8 * element(scheme) == bits


def test_measured_kernels_differ_from_their_formats_by_scales_and_zeros_alone() -> None:
    apart = {
        scheme: 8 * (float(element_bytes(component("weights", known.weights))) - element(scheme))
        for scheme, known in SCHEMES.items()
        if known.differs and scheme not in OF_NO_FORMAT
    }
    assert apart == pytest.approx({"fp8_block": 32 / 128**2, "w4a16": 4 / 128})


def test_every_name_of_a_data_type_means_a_scheme() -> None:
    assert set(DTYPES.values()) <= set(SCHEMES)
    assert element("a cache of unknown elements") == 2.0
    assert matrix("fp4").inputs(16.0) == 16 * 0.5 + 1  # a scale of 8 bits for 16 inputs

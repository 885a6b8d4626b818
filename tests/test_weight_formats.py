"""Weight formats take the bytes that their layouts say, and run on chips that lack their engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import llmperf
from llmperf.descriptors import catalog
from llmperf.descriptors.components import component
from llmperf.descriptors.importers.gguf import GGML_TYPES
from llmperf.descriptors.weights import element_bytes

FORMATS = sorted(catalog.files("weights"))
BLOCKS = {name.lower(): (elements, size) for name, elements, size in GGML_TYPES.values()}
LAYOUT = {"input": 512, "output": 64}


def bits(name: str) -> float:
    return 8.0 * float(element_bytes(component("weights", name)))


@pytest.mark.parametrize("name", [name for name in FORMATS if name in BLOCKS and name not in ("bf16", "nvfp4")])
def test_a_format_of_llama_cpp_takes_the_bytes_of_its_block(name: str) -> None:
    elements, size = BLOCKS[name]
    assert bits(name) == pytest.approx(8 * size / elements, rel=1e-12)


def test_the_quantizers_of_llama_cpp_are_in_the_catalog() -> None:
    plain = {"q4_0", "q4_1", "q5_0", "q5_1", "q8_0"}
    nested = {"q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_nl", "iq4_xs", "tq1_0", "tq2_0"}
    assert plain | nested <= set(FORMATS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("awq", 4 + 20 / 128), ("mxfp4", 4.25), ("mxfp8", 8.25), ("nvfp4", 4.5), ("bitnet", 2.0), ("smoothquant", 8.0)],
)
def test_bits_of_a_weight_count_scales_and_zeros(name: str, expected: float) -> None:
    assert bits(name) == pytest.approx(expected)


def test_the_list_shows_what_a_weight_takes_in_all(answer: Callable[..., dict[str, Any]]) -> None:
    listed = {line["name"]: line for line in answer("list", "weights")["catalog"]["weights"]}
    assert listed["q6_k"]["bits"] == 6
    assert listed["q6_k"]["bits_with_scales"] == 6.5625
    assert listed["bf16"]["bits_with_scales"] == 16


@pytest.mark.parametrize(("weights", "engine"), [("fp8", "fp8"), ("nvfp4", "fp4"), ("mxfp8", "fp8")])
def test_a_chip_without_the_engine_of_a_format_dequantizes_and_says_so(weights: str, engine: str) -> None:
    scenario = {"model": "llama-3.1-8b", "hardware": "a100-sxm-80gb", **LAYOUT}
    found = llmperf.estimate(weights=weights, **scenario)
    plain = llmperf.estimate(weights="bf16", **scenario)
    assert any(f"no {engine} engine" in note and "bf16" in note for note in found.warnings)
    assert found.tpot_s < plain.tpot_s  # decode reads fewer bytes,
    assert found.bound.ttft_s >= 0.999 * plain.bound.ttft_s  # prompts are computed as before


def test_dequantized_weights_are_read_in_their_own_size() -> None:
    a100 = {"model": "llama-3.1-8b", "hardware": "a100-sxm-80gb", **LAYOUT}
    ours, native = (
        llmperf.estimate(weights="fp8", **{**a100, "hardware": name}) for name in ("a100-sxm-80gb", "h100-sxm")
    )
    assert ours.memory.weights == native.memory.weights


def test_a_chip_with_nothing_to_compute_16_bit_with_refuses() -> None:
    for name in catalog.files("hardware"):
        try:
            chip = component("hardware", name)
        except llmperf.InputError:
            continue
        peaks = {dtype for engine in chip.engines.values() for dtype in engine.peaks}
        if not peaks & {"fp8", "bf16", "fp16", "fp32"}:
            with pytest.raises(llmperf.InputError, match="has no engine for"):
                llmperf.estimate(model="llama-3.1-8b", hardware=name, weights="fp8", **LAYOUT)
            return
    pytest.skip("every chip of the catalog has some float engine")


@pytest.mark.parametrize("name", FORMATS)
def test_fewer_bits_never_take_longer_to_read(name: str) -> None:
    found = llmperf.estimate(model="llama-2-7b", hardware="rtx-4090", weights=name, batch=np.array([1, 4]), **LAYOUT)
    whole = llmperf.estimate(model="llama-2-7b", hardware="rtx-4090", weights="fp32", batch=np.array([1, 4]), **LAYOUT)
    assert (found.bound.tpot_s <= whole.bound.tpot_s * (1 + 1e-9)).all()
    assert (found.bound.tpot_s <= found.tpot_s).all()

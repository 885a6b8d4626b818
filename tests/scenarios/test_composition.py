"""Any format, method, kernel, engine, model and chip go together, or are refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llmperf
from llmperf.errors import InputError
from llmperf.scenarios import catalog

WITH_HOST = {"tiers": {"dram": {"kind": "host", "capacity": "1 TiB", "via": "pcie"}}}
HARDWARE = ["t4-gcp", "a100-sxm-80gb", "h100-sxm", "l40s", "b200-sxm", "mi300x", "m2-ultra", "epyc-9654-host"]
MODELS = ["llama-2-7b", "llama-3.1-8b", "gemma-2-9b", "deepseek-v2-lite", "mixtral-8x7b", "jamba-v0.1", "mamba2-2.7b"]


@st.composite
def combinations(draw: Any) -> dict[str, Any]:
    """One of each."""
    hardware: Any = draw(st.sampled_from(HARDWARE))
    if hardware in ("a100-sxm-80gb", "h100-sxm", "l40s", "b200-sxm"):
        hardware = {"extends": hardware, **WITH_HOST}
    return {
        "hardware": hardware,
        "model": draw(st.sampled_from(MODELS)),
        "weights": draw(st.sampled_from(sorted(catalog.files("weights")))),
        "kv_cache": draw(st.sampled_from(sorted(catalog.files("kv_cache")))),
        "attention": draw(st.sampled_from(sorted(catalog.files("attention")))),
        "engine": draw(st.sampled_from(["generic", "vllm", "hf-transformers", "llama.cpp-cpu"])),
        "batch": draw(st.integers(1, 64)),
        "input": draw(st.integers(16, 3000)),
        "output": draw(st.integers(2, 500)),
    }


@settings(max_examples=150, deadline=None)
@given(scenario=combinations())
def test_a_combination_is_estimated_in_order_or_refused_with_a_reason(scenario: dict[str, Any]) -> None:
    try:
        found = llmperf.estimate(**scenario)
    except InputError as error:
        assert all(len(problem.message) > 20 and problem.path for problem in error.problems)
        return
    for metric in ("ttft_s", "tpot_s", "e2e_s"):
        low, middle, high = (getattr(part, metric) for part in (found.bound, found.roofline, found.projection))
        assert 0 < low <= middle * (1 + 1e-9) <= high * (1 + 1e-6), metric
    assert found.memory.weights > 0


def test_a_format_without_an_engine_falls_back_and_says_so() -> None:
    found = llmperf.estimate(model="llama-3.1-8b", hardware="a100-sxm-80gb", weights="fp8", kv_cache="kivi-2bit")
    assert any("fp8" in warning and "16" in warning for warning in found.warnings)


def test_sums_of_parts_that_exclude_each_other_are_all_named() -> None:
    with pytest.raises(InputError) as error:
        llmperf.estimate(model="deepseek-v2-lite", hardware="h100-sxm", kv_cache="shadowkv-2k")
    assert {p.path for p in error.value.problems} == {
        "kv_cache.low_rank",
        "kv_cache.offload.part",
        "kv_cache.offload.tier",
    }

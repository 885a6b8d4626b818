"""What the host adds to a step: launches of what no graph holds, and what an engine runs inside of other kernels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import llmperf


def answer(engine: Mapping[str, Any] | None = None, **more: Any) -> Any:
    base: dict[str, Any] = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "batch": 64, "input": 1024, "output": 128}
    return llmperf.estimate({**base, "engine": {"extends": "tensorrt-llm", **(engine or {})}, **more})


def tpot(*args: Any, **more: Any) -> Any:
    return answer(*args, **more).projection.tpot_s


def test_a_step_with_a_short_prompt_on_many_devices_waits_for_the_host_whatever_the_layout() -> None:
    short = {"batch": 1, "input": 32, "output": 1}
    wide, wider = (answer(tp=tp, **short).projection.ttft_s for tp in (4, 8))
    assert wider == pytest.approx(wide, rel=0.1)
    compiled = answer({"eager_prompts": False}, tp=8, **short).projection.ttft_s
    assert compiled < 0.7 * wider


def test_prompts_that_run_module_by_module_change_no_decode_step() -> None:
    assert tpot({"eager_prompts": False}) == tpot()


def test_a_batch_beyond_the_captured_ones_runs_as_a_step_with_prompts_does() -> None:
    inside, beyond = tpot({"graph_batch": 64}, tp=8), tpot({"graph_batch": 63}, tp=8)
    assert inside == tpot(tp=8)
    assert beyond > 2.0 * inside
    batches = np.array([8.0, 63.0, 64.0, 200.0])
    every = tpot({"graph_batch": 63}, batch=batches, tp=8)
    alone = [tpot({"graph_batch": 63}, batch=batch, tp=8) for batch in batches.tolist()]
    np.testing.assert_allclose(every, alone, rtol=1e-9)


def test_what_is_fused_takes_no_fixed_time_and_moves_no_bound() -> None:
    apart = answer({"fuses": []}, tp=8, weights="fp8")
    cases: list[tuple[list[str], float]] = [
        (["rope"], 32.0),
        (["norm_all_reduce"], 64.0),
        (["norm_quantize"], 64.0),
        (["activation_quantize", "attention_quantize"], 64.0),
    ]
    for fused, passes in cases:
        whole = answer({"fuses": fused}, tp=8, weights="fp8")
        saved = apart.projection.tpot_s - whole.projection.tpot_s
        assert passes * 1.2e-6 < saved < passes * 4e-6, fused
        assert whole.bound.tpot_s <= apart.bound.tpot_s


def test_a_norm_is_fused_behind_an_all_reduce_alone() -> None:
    layouts = np.array([1.0, 2.0, 8.0])
    fused, apart = (tpot({"fuses": found}, tp=layouts) for found in (["norm_all_reduce"], []))
    assert fused[0] == pytest.approx(apart[0], rel=1e-12)
    assert np.all(fused[1:] < apart[1:])


def test_inputs_of_16_bit_products_are_not_quantized() -> None:
    assert tpot({"fuses": ["norm_quantize", "activation_quantize"]}) == tpot({"fuses": []})


def test_experts_in_mxfp4_are_computed_in_8_bit_where_the_chip_has_4_bit_floats() -> None:
    def dtype(hardware: str, engine: str) -> Any:
        found = llmperf.estimate({"model": "gpt-oss-120b", "hardware": hardware, "engine": engine})
        return found.scenario.activations

    assert dtype("b200-sxm", "tensorrt-llm") == "fp8"
    assert dtype("h200-sxm", "tensorrt-llm") == "bf16"
    assert dtype("b200-sxm", "vllm") == "bf16"


def test_synchronous_scheduling_costs_each_sequence_the_same_on_any_layout() -> None:
    for tp in (1, 8):
        found = [
            llmperf.estimate(
                {"model": "llama-3.1-8b", "hardware": "h100-sxm", "tp": tp, "batch": 128, "engine": engine}
            ).projection.tpot_s
            for engine in ("vllm-2025", "vllm")
        ]
        assert found[0] - found[1] == pytest.approx(0.4e-3 + 128 * 51e-6, rel=1e-6)

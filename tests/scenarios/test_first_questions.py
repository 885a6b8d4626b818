"""Questions as people ask them first, with the values that the makers' files, arithmetic and public runs give."""

from __future__ import annotations

from typing import Any

import pytest

import llmperf
from llmperf.errors import InputError

GIB = 2**30

WEIGHTS: dict[str, tuple[dict[str, Any], float, float]] = {
    # experts of 4.25 bits, the rest 16: 59.5 GiB
    "gpt-oss by its name": ({"model": "gpt-oss-120b", "hardware": "h100-sxm"}, 59.0, 61.0),
    # 671.0e9 parameters in fp8 blocks over 8 devices: 78.1 GiB, 16-bit embeddings and norms beside
    "R1 by its id": (
        {"model": "deepseek-ai/DeepSeek-R1", "hardware": "h200-sxm", "tp": 8, "engine": "sglang"},
        78.5,
        80.0,
    ),
    "Kimi K2": ({"model": "kimi-k2", "hardware": "h200-sxm", "tp": 8}, 119.0, 122.0),
    "MiniMax M2.5": ({"model": "minimax-m2.5", "hardware": "h200-sxm", "tp": 8}, 26.5, 27.5),
    "Llama 3.3 has the shape of 3.1": (
        {"model": "meta-llama/Llama-3.3-70B-Instruct", "hardware": "h100-sxm", "tp": 4},
        32.5,
        33.2,
    ),
    "a month in the name": ({"model": "Qwen/Qwen3-30B-A3B-Instruct-2507", "hardware": "h100-sxm"}, 56.0, 57.5),
    "a distill": ({"model": "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B", "hardware": "h100-sxm"}, 27.0, 28.0),
    "a quantizer's files": (
        {"model": "unsloth/Llama-3.3-70B-Instruct-GGUF:Q4_K_M", "hardware": "h100-sxm"},
        39.0,
        40.5,
    ),
}
"""Scenario, and GiB of weights on a device, from and to."""


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_are_those_of_the_release(name: str) -> None:
    scenario, low, high = WEIGHTS[name]
    found = llmperf.estimate(scenario)
    assert low <= found.memory.weights / GIB <= high
    assert found.fits


CONTROLS: dict[str, tuple[dict[str, Any], float, float, float]] = {
    "R1 on 8 H200, sglang, 32 in flight": (
        {"model": "deepseek-r1", "hardware": "h200-sxm", "tp": 8, "engine": "sglang", "batch": 32, "output": 1024},
        25.05e-3,
        0.75,
        1.22,
    ),
    "Qwen3 4B on RTX 4090, vllm": (
        {"model": "qwen3-4b", "hardware": "rtx-4090", "engine": "vllm", "batch": 1, "output": 128},
        10.47e-3,
        0.77,
        1.30,
    ),
    "Qwen3 30B A3B on A100, vllm": (
        {"model": "qwen3-30b-a3b", "hardware": "a100-sxm-80gb", "engine": "vllm", "batch": 1, "output": 128},
        9.2e-3,
        0.9,
        1.1,
    ),
}
"""Scenario, public time per token, and the band that the tool gave when it was asked first. [s], [1]"""


@pytest.mark.parametrize("name", CONTROLS)
def test_what_was_right_stays_right(name: str) -> None:
    scenario, measured, low, high = CONTROLS[name]
    assert low <= llmperf.estimate(scenario, input=1024).projection.tpot_s / measured <= high


STREAMED = {
    "model": "deepseek-r1",
    "weights": "q4_k",
    "hardware.extends": "rtx-4090-workstation",
    "hardware.tiers.dram.capacity": "768 GB",
    "batch": 1,
    "input": 1024,
    "output": 256,
}


def test_experts_that_come_over_a_bus_are_told_of_and_a_processor_that_has_them_reads_its_own_memory() -> None:
    """20.4e9 parameters of 0.5625 bytes a token at 460.8 GB/s are 25 ms on the processor; a run took 71 ms."""
    streamed = llmperf.estimate(STREAMED, tiers=["gddr", "dram"])
    assert streamed.bound.tpot_s > 0.5
    assert any("--n-cpu-moe" in line for line in streamed.warnings)
    processor = {"kind": "matrix", "reads": "dram", "peaks": {"bf16": "5 TFLOP/s", "int8": "10 TOP/s"}}
    computed = llmperf.estimate(
        {**STREAMED, "hardware.tiers.dram.bandwidth": "460.8 GB/s", "hardware.engines.cpu": processor},
        placement={"tiers": ["gddr", "dram"], "operators": {"moe": "cpu"}, "tensors": {"experts": "dram"}},
    )
    assert computed.bound.tpot_s == pytest.approx(0.025, rel=0.02)
    assert computed.bound.tpot_s < 0.071 < computed.projection.tpot_s * 1.5


def test_an_unknown_id_names_what_can_be_done() -> None:
    with pytest.raises(InputError, match="--download fetches the configuration") as caught:
        llmperf.estimate(model="nobody/Qwen3-31B-A3B-Special", hardware="h100-sxm")
    assert "30b-a3b" in (caught.value.problems[0].suggestion or "")

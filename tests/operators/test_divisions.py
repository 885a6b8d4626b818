"""Engines refuse layouts that do not divide; a system without a layout uses all its devices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import llmperf
from llmperf.answers.remedies import remedies
from llmperf.errors import InputError
from llmperf.scenarios import catalog
from llmperf.scenarios.resolve import resolve
from llmperf.words.scenario import devices

PADDED_BY_NOBODY = {"extends": "qwen2.5-72b", "quantized_ffn": 0}
REFUSED: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "28 heads": ({"model": "qwen2.5-7b", "tp": 8}, "heads, 28, does not divide by 8", "--tp 4"),
    "32 heads": ({"model": "llama-3.1-8b", "tp": 3}, "heads, 32, does not divide by 3", "--tp 2 or --tp 4"),
    "10 KV heads": ({"model": "phi-4", "tp": 4}, "KV heads, 10, does not divide by 4", "--tp 2"),
    "square blocks": (
        {"model": "deepseek-r1", "weights": "fp8-block", "tp": 32, "engine": "sglang"},
        "18432 in blocks of 128, 144, does not divide by 32",
        "--tp 16",
    ),
    "blocks of experts": (
        {"model": "qwen3-235b-a22b", "weights": "fp8-block", "tp": 8, "engine": "sglang"},
        "1536 in blocks of 128, 12, does not divide by 8",
        "--ep 8 or --tp 4",
    ),
    "groups": ({"model": PADDED_BY_NOBODY, "weights": "awq", "tp": 2}, "29568 in blocks of 128, 231", "--tp 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_layout_that_a_named_engine_refuses_is_refused_with_the_nearest_that_start(name: str) -> None:
    scenario, said, near = REFUSED[name]
    with pytest.raises(InputError, match=said) as caught:
        llmperf.estimate(**{"hardware": "h100-sxm", "engine": "vllm", **scenario})
    (problem,) = caught.value.problems
    assert problem.path in ("parallelism.tp", "parallelism.ep")
    assert problem.suggestion == near


def test_an_engine_that_is_not_named_pads_and_says_so() -> None:
    found = llmperf.estimate(model="qwen2.5-7b", hardware="h100-sxm", tp=8)
    assert any("padded" in line for line in found.warnings)


def test_blocks_may_be_cut_where_whole_experts_lie_on_a_device() -> None:
    scenario = {"model": "qwen3-235b-a22b", "weights": "fp8-block", "hardware": "h100-sxm", "tp": 8}
    assert llmperf.estimate(**scenario, ep=8, engine="sglang").tpot_s > 0
    assert llmperf.estimate(**scenario, engine="vllm").tpot_s > 0  # measured with MiniMax M2.5, as wide


def test_what_stays_in_16_bit_has_no_blocks_to_cut() -> None:
    layout = {"hardware": "h200-sxm", "engine": "vllm", "weights.extends": "w4a16-g128"}
    model = {"extends": "qwen2.5-72b", "quantized_ffn": 0}
    with pytest.raises(InputError, match="blocks of 128"):
        llmperf.estimate({**layout, "model": model}, tp=8)
    assert llmperf.estimate({**layout, "model": model, "weights.keeps": {"mlp": 1}}, tp=8).tpot_s > 0


def test_makers_pad_what_would_be_cut_and_a_note_says_so() -> None:
    scenario = {"model": "qwen2.5-72b", "weights": "awq", "hardware": "h100-sxm", "engine": "vllm"}
    for tp in (2, 4, 8):
        found = llmperf.estimate(**scenario, tp=tp)
        assert any("padded to 29696, and vllm starts no others" in line for line in found.warnings)
    assert not any("29696" in line for line in llmperf.estimate(**scenario, tp=1).warnings)


def test_experts_that_do_not_divide_are_copied_and_noted() -> None:
    found = llmperf.estimate(model="deepseek-v3", hardware="h100-sxm", dp=72, ep=72, engine="sglang")  # as published
    assert any("256 experts do not divide by ep" in line for line in found.warnings)


def test_of_many_layouts_the_first_that_does_not_start_is_told_of() -> None:
    with pytest.raises(InputError, match="heads, 32, does not divide by 6"):
        llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", engine="vllm", tp=np.array([1, 2, 6, 5]))


def test_advice_names_no_layout_that_the_engine_refuses_and_says_how_many_devices_it_means() -> None:
    scenario = {"model": "phi-4", "hardware": "rtx-4090", "batch": 8, "input": 8000, "output": 500}
    found = llmperf.estimate(**scenario, engine="vllm")
    advice = remedies(found.resolved, found.evaluated[0])
    assert not any(line.startswith("--tp 4") for line in advice)
    assert "--pp 4 (4 devices)" in advice


@given(
    st.sampled_from(sorted(catalog.files("model"))),
    st.sampled_from(["vllm", "sglang", "tensorrt-llm"]),
    st.integers(2, 16),
)
def test_a_refusal_names_only_layouts_that_start(model: str, engine: str, tp: int) -> None:
    scenario = {"model": model, "hardware": "h100-sxm", "engine": engine}
    try:
        resolve(None, {**scenario, "tp": tp})
    except InputError as error:
        (problem,) = error.problems
        for flag in (problem.suggestion or "").split(" or "):
            if "does not start" in problem.message and flag:
                key, value = flag.removeprefix("--").split(" ")
                resolve(None, {**scenario, "tp": tp, key: int(value)})


SYSTEMS = {
    "dgx-h100": ("llama-3.1-8b", 8, 1, "8 of 8 GPUs of one dgx-h100"),
    "hgx-mi300x": ("qwen2.5-7b", 4, 2, "8 of 8 GPUs of one hgx-mi300x"),
    "gb200-nvl72": ("deepseek-r1", 8, 9, "72 of 72 GPUs of one gb200-nvl72"),
    "8xH100": ("llama-3.1-8b", 8, 1, "8 of 8 GPUs of one dgx-h100"),
    "2x dgx-h100": ("llama-3.1-8b", 8, 2, "16 of 16 GPUs of 2 dgx-h100"),
    "4x l40s": ("llama-3.1-8b", 4, 1, "4 x l40s"),
    "h100-sxm": ("llama-3.1-8b", 1, 1, "1 x h100-sxm"),
}


@pytest.mark.parametrize("hardware", SYSTEMS)
def test_a_system_without_a_layout_uses_all_its_devices(hardware: str) -> None:
    model, tp, replicas, said = SYSTEMS[hardware]
    found = resolve(None, {"model": model, "hardware": hardware}).scenario
    assert (found.parallelism.tp, found.parallelism.replicas) == (tp, replicas)
    assert devices(found) == said


def test_a_layout_that_is_given_is_taken() -> None:
    found = resolve(None, {"model": "llama-3.1-8b", "hardware": "dgx-h100", "tp": 2}).scenario
    assert devices(found) == "2 of 8 GPUs of one dgx-h100"

"""Names of tools and versions, and capacities that must not contradict each other."""

from __future__ import annotations

from typing import Any

import pytest

import llmperf
from llmperf.errors import InputError
from llmperf.scenarios.resolve import resolve


def resolved(**scenario: Any) -> Any:
    return resolve(None, {"model": "llama-3.1-8b", "hardware": "h100-sxm", **scenario}).scenario


@pytest.mark.parametrize(
    ("written", "engine"),
    [
        ("vllm-0.10.2", "vllm"),
        ("vllm:v0.25", "vllm-2026"),
        ("vllm 0.6", "vllm-2024"),
        ("trtllm-1.0", "tensorrt-llm"),
        ("sglang:0.5.7", "sglang"),
    ],
)
def test_an_engine_is_found_by_its_version(written: str, engine: str) -> None:
    assert resolved(engine=written).engine.name == engine


@pytest.mark.parametrize(
    ("written", "model", "weights"),
    [
        ("llama3.1:8b", "llama-3.1-8b", "q4_k_m"),
        ("gemma3:27b-it-qat", "gemma-3-27b", "q4_0"),
        ("gpt-oss:20b", "gpt-oss-20b", "mxfp4"),
        ("deepseek-r1:32b", "qwen2.5-32b", "q4_k_m"),
        ("Qwen/Qwen3-235B-A22B-FP8", "qwen3-235b-a22b", "fp8-block"),
        ("RedHatAI/Qwen3-32B-FP8-dynamic", "qwen3-32b", "fp8"),
    ],
)
def test_names_of_ollama_and_of_makers_say_their_format(written: str, model: str, weights: str) -> None:
    found = resolved(model=written)
    assert (found.model.name, found.weights.name) == (model, weights)


def test_releases_with_a_longer_context_have_it() -> None:
    assert resolved(model="Qwen/Qwen3-30B-A3B-Instruct-2507", input=200_000).workload.input == 200_000


@pytest.mark.parametrize(
    ("key", "meant"), [("graphs", "engine.graphs"), ("tiers.hbm.capacity", "hardware.tiers.hbm.capacity")]
)
def test_a_path_without_its_component_names_the_whole_one(key: str, meant: str) -> None:
    with pytest.raises(InputError) as caught:
        resolved(**{key: 1})
    assert caught.value.problems[0].suggestion == meant


CLOSE = [
    {"model": "qwen3-14b", "hardware": "rtx-4090", "batch": 300, "input": 1000, "output": 1000},
    {"model": "mixtral-8x7b", "weights": "fp8", "hardware": "l40s", "batch": 64, "input": 2048},
    {"model": "gpt-oss-20b", "weights": "fp8", "hardware": "rtx-4090"},
    {"model": "llama-3.1-8b", "weights": "fp8", "hardware": "rtx-4090", "engine": "vllm", "batch": 40, "input": 4000},
]


@pytest.mark.parametrize("scenario", CLOSE)
def test_capacities_do_not_contradict_each_other(scenario: dict[str, Any]) -> None:
    memory = llmperf.estimate(scenario).memory
    work = resolved(**scenario).workload
    if memory.weights > memory.usable:
        assert not memory.fits
        assert memory.max_batch == memory.max_context == memory.kv_pool_tokens == 0
    if memory.fits:
        assert memory.max_batch >= work.batch
        assert memory.max_context >= work.input + work.output
        assert memory.kv_pool_tokens >= work.batch * (work.input + work.output)


def test_sequences_that_wait_are_told_of() -> None:
    found = llmperf.estimate(model="llama-3.1-8b", hardware="a100-sxm-80gb", engine="vllm-2026", batch=2000, input=64)
    assert any("runs at most 256 sequences at once" in line for line in found.warnings)


def test_shards_that_cut_blocks_of_experts_say_which_versions_do_not_start() -> None:
    scenario = {"model": "minimax-m2.5", "hardware": "h200-sxm", "engine": "vllm", "tp": 8}
    assert any("before 0.18 do not start" in line for line in llmperf.estimate(scenario).warnings)

"""Start-up logs of engines: weights as loaded, and the KV pool that is left, beside what is predicted.

Each row was printed by a server at its start and is public; versions that profile their memory alike share an engine.
"""

from __future__ import annotations

from statistics import median
from typing import Any

import pytest

import llmperf
from llmperf.phases.memory import POOL_SPREAD

GIB = 2**30
BEFORE_SERVING = {"batch": 1, "input": 1024, "output": 128}

LLAMA_405B = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 16384,
    "intermediate_size": 53248,
    "num_hidden_layers": 126,
    "num_attention_heads": 128,
    "num_key_value_heads": 16,  # as first published, in July 2024
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
    "hidden_act": "silu",
    "torch_dtype": "bfloat16",
    "quantization_config": {
        "quant_method": "fbgemm_fp8",
        "modules_to_not_convert": [
            "lm_head",
            *(f"model.layers.{layer}.self_attn.{part}_proj" for layer in range(126) for part in "qkvo"),
            *(f"model.layers.{layer}.mlp.{part}_proj" for layer in (0, 125) for part in ("gate", "up", "down")),
        ],
    },
}
"""Llama 3.1 405B in FP8, attention and two layers in 16 bit."""

GPT_OSS = {"model": "gpt-oss-120b", "weights": "mxfp4", "hardware": "h100-sxm"}
QWEN3 = {"model": "qwen3-235b-a22b", "weights": "fp8", "tp": 4}
LLAMA_8B = {"model": "llama-3.1-8b"}

LOGS: dict[str, tuple[dict[str, Any], float | None, float | None]] = {
    "gpt-oss at 0.95, vllm 0.11 (issue 27508)": (
        {**GPT_OSS, "engine": {"extends": "vllm", "utilization": 0.95, "token_budget": 1024}},
        65.97,
        1.71,
    ),
    "gpt-oss at 0.9, vllm 0.10.1 (issue 23278)": ({**GPT_OSS, "engine": "vllm"}, 65.97, -2.14),
    "Qwen3-235B on H100, vllm (issue 21348)": ({**QWEN3, "hardware": "h100-sxm", "engine": "vllm"}, 55.13, 8.11),
    "Qwen3-235B on H200, vllm (pull 21429)": (
        {**QWEN3, "hardware": "h200-sxm", "engine": {"extends": "vllm", "utilization": 0.5}},
        55.13,
        7.07,
    ),
    "Llama 3.1 8B on RTX 3090, vllm before 0.8": (
        {**LLAMA_8B, "hardware": "rtx-3090", "engine": "vllm-2024", "input": 19872},
        14.99,
        31_232 * 131_072 / GIB,
    ),
    "Llama 3.1 8B on H100, vllm 0.6.4 (pull 10511)": (
        {**LLAMA_8B, "hardware": "h100-sxm", "engine": "vllm-2024"},
        14.96,
        53.29,
    ),
    "Llama 3.1 8B on 2 H100, vllm 0.6.4 (pull 10511)": (
        {**LLAMA_8B, "hardware": "h100-sxm", "tp": 2, "engine": "vllm-2024"},
        7.48,
        58.97,
    ),
    "Llama 3.1 8B on 79.14 GiB, vllm 0.6.6": (
        {**LLAMA_8B, "hardware": "h100-sxm", "engine": "vllm-2024"},
        14.99,
        54.93,
    ),
    "Llama 3.1 70B w8a8 at 0.98, vllm before 0.8": (
        {
            "model": "llama-3.1-70b",
            "weights": "w8a8-int8",
            "hardware": "h100-sxm",
            "engine": {"extends": "vllm-2024", "utilization": 0.98},
        },
        67.72,
        22_096 * 327_680 / GIB,
    ),
    "Llama 3.1 405B FP8, vllm 0.5.3 (issue 6746)": (
        {"model": LLAMA_405B, "hardware": "h100-sxm", "tp": 8, "engine": "vllm-2024"},
        57.75,
        None,
    ),
    "Gemma 3 27B on 4 RTX 3090, vllm": (
        {"model": "gemma-3-27b", "hardware": "rtx-3090", "tp": 4, "engine": "vllm"},
        13.17,
        None,
    ),
    "Qwen3-14B on RTX A6000, sglang": (
        {"model": "qwen3-14b", "hardware": "rtx-a6000", "engine": "sglang"},
        27.57,
        14.0,
    ),
    "Qwen3-235B at 0.93, sglang (vllm issue 21348)": (
        {**QWEN3, "hardware": "h100-sxm", "engine": {"extends": "sglang", "utilization": 0.93}},
        None,
        367_404 * 48_128 / GIB,
    ),
    "Llama 3.1 8B FP8 on RTX 5090, tensorrt-llm": (
        {**LLAMA_8B, "weights": "fp8", "kv_cache": "fp8", "hardware": "rtx-5090", "engine": "tensorrt-llm"},
        None,
        16.05,
    ),
}
"""Scenario, GiB of weights on a device, GiB left for the KV cache."""


def predicted(scenario: dict[str, Any]) -> tuple[float, float, float]:
    """Weights, what is left for the KV cache, and the memory that programs see. [GiB]"""
    result = llmperf.estimate(**{**BEFORE_SERVING, **scenario})
    memory, main = result.memory, result.scenario.hardware.main
    pool = memory.usable - memory.required + memory.kv_cache
    return float(memory.weights) / GIB, float(pool) / GIB, float(main.capacity - main.reserved) / GIB


@pytest.mark.parametrize("name", [name for name, (_, weights, _) in LOGS.items() if weights])
def test_weights_are_as_loaded(name: str) -> None:
    scenario, weights, _ = LOGS[name]
    assert predicted(scenario)[0] == pytest.approx(weights, rel=0.01)


@pytest.mark.parametrize("name", [name for name, (_, _, pool) in LOGS.items() if pool])
def test_the_pool_is_what_the_start_left(name: str) -> None:
    scenario, _, pool = LOGS[name]
    _, found, visible = predicted(scenario)
    assert found == pytest.approx(pool, rel=0.12)
    assert abs(found - (pool or 0.0)) < POOL_SPREAD * visible


def test_pools_are_right_in_the_median() -> None:
    errors = [abs(predicted(scenario)[1] / pool - 1.0) for scenario, _, pool in LOGS.values() if pool]
    assert len(errors) >= 12
    assert median(errors) < 0.05


def test_buffers_of_collectives_come_with_a_fast_link() -> None:
    """non_torch_memory of vLLM on several cards over PCIe is 0.20 to 0.25 GiB (vllm pull 14447, issue 13061)."""
    work = {"model": "llama-3.1-8b", "engine": "vllm"}
    context = {
        hardware: float(llmperf.estimate(**work, hardware=hardware, tp=2).memory.context) / GIB
        for hardware in ("rtx-4090", "h100-sxm")
    }
    assert context["rtx-4090"] < 0.3
    assert 0.4 < context["h100-sxm"] < 2.2


def test_a_start_that_fails_says_so() -> None:
    memory = llmperf.estimate(**GPT_OSS, engine="vllm", **BEFORE_SERVING).memory
    assert not memory.fits
    assert (memory.kv_pool_tokens, memory.max_batch) == (0.0, 0.0)


DEFAULTS = [
    ("vllm", "h100-sxm", 8192, 1024),
    ("vllm", "h200-sxm", 8192, 1024),
    ("vllm", "b200-sxm", 8192, 1024),
    ("vllm", "mi300x", 8192, 1024),
    ("vllm", "a100-sxm-80gb", 2048, 256),
    ("vllm", "hgx-a100", 2048, 256),
    ("vllm", "rtx-4090", 2048, 256),
    ("vllm", "l40s", 2048, 256),
    ("vllm-2026", "b200-sxm", 16384, 1024),
    ("vllm-2026", "h200-sxm", 8192, 1024),
    ("vllm-2026", "dgx-spark", 2048, 256),
    ("vllm-2024", "rtx-4090", 8192, 256),
]


@pytest.mark.parametrize(("engine", "hardware", "tokens", "sequences"), DEFAULTS)
def test_defaults_of_an_engine_follow_the_device(engine: str, hardware: str, tokens: int, sequences: int) -> None:
    found = llmperf.load(None, {"model": "qwen3-8b", "hardware": hardware, "engine": engine}).scenario.engine
    assert (found.token_budget, found.max_sequences) == (tokens, sequences)


def test_what_is_said_goes_before_defaults_of_the_device() -> None:
    said = {"extends": "vllm", "token_budget": 4096}
    found = llmperf.load(None, {"model": "qwen3-8b", "hardware": "h100-sxm", "engine": said}).scenario.engine
    assert (found.token_budget, found.max_sequences) == (4096, 1024)


VISIBLE = [("rtx-3090", 23.58), ("a100-sxm-40gb", 39.38), ("h100-sxm", 79.15), ("rtx-a6000", 47.24), ("l4", 22.5)]


@pytest.mark.parametrize(("hardware", "visible"), VISIBLE)
def test_a_driver_keeps_a_part_of_the_memory(hardware: str, visible: float) -> None:
    memory = llmperf.estimate(model="qwen3-0.6b", hardware=hardware).memory
    assert memory.usable / GIB == pytest.approx(0.9 * visible, rel=1e-3)


def test_the_fraction_of_each_engine_is_of_another_thing() -> None:
    """Half of all memory, of what weights and cache have together, and of what is left free."""
    scenario = {**LLAMA_8B, "hardware": "h100-sxm", **BEFORE_SERVING}
    pools = {}
    for of in ("total", "static", "free"):
        engine = {"extends": "generic", "utilization": 0.5, "memory_fraction_of": of, "context_memory": "2 GiB"}
        pools[of] = predicted({**scenario, "engine": engine})
    weights, total, visible = pools["total"]
    fixed = 0.5 * visible - weights - total
    assert pools["static"][1] == pytest.approx(0.5 * (visible - 2.0) - weights)
    assert pools["free"][1] == pytest.approx(0.5 * (visible - weights - fixed))


@pytest.mark.parametrize("engine", ["generic", "vllm", "vllm-2024", "sglang", "tensorrt-llm"])
@pytest.mark.parametrize("hardware", ["l4", "rtx-3090", "h100-sxm"])
@pytest.mark.parametrize("batch", [1, 7, 200])
def test_what_fits_is_not_more_than_the_largest_batch(engine: str, hardware: str, batch: int) -> None:
    scenario = {"model": "qwen3-32b", "weights": "w4a16-g128", "hardware": hardware, "engine": engine, "input": 1500}
    memory = llmperf.estimate(**scenario, batch=batch).memory
    limit = llmperf.load(None, scenario).scenario.engine.max_sequences or batch
    assert memory.fits == (memory.max_batch >= min(batch, limit)) or batch > limit
    assert memory.kv_pool_tokens_low <= memory.kv_pool_tokens <= memory.kv_pool_tokens_high

"""The operator table against arithmetic by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import llmperf
from llmperf.contract.answers import operators_dict
from llmperf.descriptors.weights import element_bytes
from llmperf.operators.moe import experts_hit
from llmperf.operators.step import Window, attended, mean_context
from llmperf.phases.memory import sequence
from llmperf.phases.setup import setup
from llmperf.scenarios.components import component


def rows(step: str, **scenario: Any) -> dict[str, dict[str, Any]]:
    scenario.setdefault("hardware", "h100-sxm")
    data = operators_dict(llmperf.load(None, scenario), step)
    return {row["name"]: row for row in data["steps"][0]["operators"]}


def kv_bytes_per_token(model: str, **scenario: Any) -> float:
    scenario.setdefault("hardware", "h100-sxm")
    return float(sum(sequence(setup(llmperf.load(None, {"model": model, **scenario}).scenario)).bytes(1.0)))


def test_one_decoder_layer_of_llama_costs_what_arithmetic_says() -> None:
    """Llama-3.1-8B, 4 sequences of 512 tokens: hidden 4096, 32 heads, 8 KV heads of 128, width 14336."""
    tokens = 4 * 512
    layer = rows("prefill", model="llama-3.1-8b", batch=4, input=512, output=2)
    assert layer["qkv"]["flops"] == 2 * tokens * 4096 * (4096 + 2 * 1024)
    assert layer["o"]["flops"] == 2 * tokens * 4096 * 4096
    assert layer["gate_up"]["flops"] == 2 * tokens * 4096 * 2 * 14336
    assert layer["down"]["flops"] == 2 * tokens * 14336 * 4096
    assert layer["attention"]["flops"] == 4 * 32 * 4 * 128 * (512 * 513 / 2)  # causal pairs, score and value products
    assert layer["lm_head"]["flops"] == 2 * 4 * 4096 * 128256  # the last token of each sequence
    assert all(layer[name]["repeat"] == 32 for name in ("qkv", "o", "gate_up", "down", "attention"))


def test_a_decode_step_reads_every_weight_and_the_whole_cache_once() -> None:
    decode = rows("decode", model="llama-3.1-8b", batch=4, input=512, output=2)
    linear = sum(row["repeat"] * row["weight_bytes"] for row in decode.values() if row["kind"] == "gemm")
    norms = (2 * 32 + 1) * 4096
    assert linear == 2 * (8_030_261_248 - 128256 * 4096 - norms)
    assert decode["attention"]["kv_bytes"] == 4 * (513 + 1) * 2 * 8 * 128 * 2  # 513 read, one written


@pytest.mark.parametrize(
    ("model", "expected"),
    [("deepseek-v3", 70_272), ("qwen2.5-72b", 327_680), ("llama-3.1-405b", 516_096), ("llama-2-7b", 524_288)],
)
def test_a_token_keeps_this_many_bytes_in_a_16_bit_cache(model: str, expected: int) -> None:
    assert kv_bytes_per_token(model) == expected


def test_kv_formats_scale_the_cache() -> None:
    whole = kv_bytes_per_token("llama-3.1-8b")
    assert kv_bytes_per_token("llama-3.1-8b", kv_cache="fp8") == whole / 2
    assert kv_bytes_per_token("llama-3.1-8b", kv_cache="int4") == whole / 16 * (4 + 32 / 64)


def test_four_bit_weights_in_groups_of_128_take_their_scales_and_zeros_along() -> None:
    assert element_bytes(component("weights", "w4a16-g128")) == (4 + (16 + 4) / 128) / 8
    assert element_bytes(component("weights", "nvfp4")) == (4 + 8 / 16) / 8
    decode = rows("decode", model="llama-3.1-8b", weights="w4a16-g128", batch=1, input=8, output=2)
    assert decode["down"]["weight_bytes"] == 14336 * 4096 * (4 + 20 / 128) / 8
    assert decode["lm_head"]["weight_bytes"] == 2 * 128256 * 4096  # the head stays in 16 bit


@pytest.mark.parametrize("model", ["llama-3.1-8b", "gpt3-175b", "gemma-2-9b", "mixtral-8x7b", "mamba2-2.7b"])
@pytest.mark.parametrize("tp", [2, 4, 8])
@pytest.mark.parametrize("step", ["prefill", "decode"])
def test_tensor_parallel_shards_add_up_to_the_whole(model: str, tp: int, step: str) -> None:
    whole = rows(step, model=model, batch=2, input=64, output=4)
    shard = rows(step, model=model, batch=2, input=64, output=4, tp=tp)
    replicated = {"router"}  # every rank routes all tokens
    for name, row in whole.items():
        if row["kind"] in ("gemm", "moe", "attention.prefill", "attention.decode") and name not in replicated:
            if name == "ssm_in" and model == "mamba2-2.7b":
                continue  # its one group of B and C is on every rank
            assert shard[name]["flops"] * tp == pytest.approx(row["flops"], rel=1e-12 if name != "lm_head" else 1e-3)
            if row["kind"] != "gemm" or not name.endswith(("qkv", "up", "down", "o")):
                continue
            assert shard[name]["weight_bytes"] * tp == pytest.approx(row["weight_bytes"], rel=1e-3)


def test_key_value_heads_are_replicated_where_there_are_more_devices_than_heads() -> None:
    result = llmperf.estimate(model="llama-3.1-405b", hardware="h100-sxm", weights="fp8", tp=16, batch=1)
    assert any("replicated" in warning for warning in result.warnings)
    assert kv_bytes_per_token("llama-3.1-405b", tp=16) == kv_bytes_per_token("llama-3.1-405b", tp=8)


@pytest.mark.parametrize("model", ["llama-3.1-8b", "deepseek-v3", "mixtral-8x7b"])
@pytest.mark.parametrize("pp", [2, 3, 4, 5])
def test_pipeline_stages_add_up_to_the_whole(model: str, pp: int) -> None:
    prepared = setup(llmperf.load(None, {"model": model, "hardware": "h100-sxm", "pp": pp}).scenario)
    table = prepared.table(prepared.decode_step)
    layers = next(block for block in table if block.kind == "gemm")
    first, middle, last = layers.stages[:, layers.names.index("o"), 0]
    longer = prepared.scenario.model.layers % pp
    if pp == 2:
        assert middle == 0
        assert first + last == prepared.scenario.model.layers
    else:
        assert first + middle * (pp - 2) + last == pytest.approx(
            prepared.scenario.model.layers, abs=max(pp - 2 - max(longer - 1, 0), 0)
        )
    stored = table.by_stage("resident_bytes")[:, 0]
    assert stored.max() < table.total("resident_bytes")[0]


def test_a_row_stands_for_all_equal_operators() -> None:
    layer = rows("decode", model="llama-3.1-405b", weights="fp8", batch=1, input=8, output=2, tp=8)
    assert len(layer) < 20
    assert layer["add_norm"]["repeat"] == 2 * 126


def test_windowed_layers_read_only_their_window() -> None:
    gemma = rows("decode", model="gemma-2-9b", batch=1, input=8000, output=2)
    assert gemma["attention_windowed"]["kv_bytes"] == (4096 + 1) * 2 * 8 * 256 * 2
    assert gemma["attention"]["kv_bytes"] == (8001 + 1) * 2 * 8 * 256 * 2
    assert gemma["attention"]["repeat"] == gemma["attention_windowed"]["repeat"] == 21


def test_latent_attention_reads_one_latent_for_all_heads() -> None:
    decode = rows("decode", model="deepseek-v3", hardware="h200-sxm", weights="fp8", batch=1, input=1000, output=2)
    assert decode["attention"]["kv_bytes"] == (1001 + 1) * (512 + 64) * 2
    assert decode["attention"]["flops"] == 2 * 1001 * 128 * ((512 + 64) + 512)
    assert decode["kv_b"]["flops"] == 2 * 128 * (128 + 128) * 512  # the absorbed up-projections


def test_a_state_space_model_keeps_a_state_of_constant_size() -> None:
    short = llmperf.estimate(model="mamba2-2.7b", hardware="h100-sxm", batch=4, input=16, output=2)
    long = llmperf.estimate(model="mamba2-2.7b", hardware="h100-sxm", batch=4, input=1600, output=2)
    heads, channels = 80, 5120 + 2 * 128
    assert short.memory.kv_cache == long.memory.kv_cache == 4 * 64 * 2 * (heads * 64 * 128 + channels * 4)
    assert np.isnan(long.memory.kv_pool_tokens)


def test_a_mixed_step_is_the_sum_of_its_parts_in_linear_layers() -> None:
    mixed = rows("mixed", model="llama-3.1-8b", batch=32, input=512, output=64)
    assert mixed["qkv"]["m"] == 32 + 512 * ((8192 - 32) // 512)
    assert mixed["lm_head"]["m"] == 32 + (8192 - 32) // 512
    assert "attention" in mixed


@given(st.integers(1, 400), st.integers(1, 100))
def test_attended_pairs_are_the_sum_over_queries(tokens: int, window: int) -> None:
    assert attended(float(tokens), Window(float(window))) == sum(min(i, window) for i in range(1, tokens + 1))


@given(st.integers(1, 400), st.integers(1, 100))
def test_chunks_see_only_what_came_before_in_the_chunk(tokens: int, size: int) -> None:
    expected = sum(i % size + 1 for i in range(tokens))
    assert attended(float(tokens), Window(float(size), chunked=True)) == expected


@given(st.integers(1, 300), st.integers(1, 200), st.integers(1, 400))
def test_the_mean_context_is_the_mean_over_steps(start: int, steps: int, window: int) -> None:
    expected = sum(min(start + j, window) for j in range(1, steps + 1)) / steps
    assert mean_context(float(start), float(steps), Window(float(window))) == pytest.approx(expected)


@given(st.integers(2, 256), st.integers(1, 8), st.integers(1, 4096), st.floats(0, 1))
def test_experts_hit_lie_between_one_tokens_and_all(experts: int, top_k: int, tokens: int, diversity: float) -> None:
    top_k = min(top_k, experts)
    hit = experts_hit(experts, top_k, tokens, diversity)
    assert top_k * (1 - 1e-12) <= hit <= experts
    assert experts_hit(experts, top_k, tokens, 0.0) == pytest.approx(top_k)


def test_experts_hit_agree_with_drawing_them() -> None:
    generator = np.random.default_rng(0)
    drawn = [len({e for _ in range(20) for e in generator.choice(64, size=6, replace=False)}) for _ in range(400)]
    assert experts_hit(64, 6, 20, 1.0) == pytest.approx(np.mean(drawn), rel=0.01)


@pytest.mark.parametrize(("step", "model"), [("prefill", "llama-3.1-8b"), ("decode", "mixtral-8x7b")])
def test_work_bytes_and_time_add_up_over_operators(step: str, model: str) -> None:
    data = operators_dict(llmperf.load(None, {"model": model, "hardware": "h100-sxm", "batch": 4}), step)["steps"][0]
    assert sum(row["total_s"] for row in data["operators"]) == pytest.approx(data["device_time_s"])
    assert sum(row["share"] for row in data["operators"]) == pytest.approx(1.0)
    assert sum(data["waits_s"].values()) >= data["device_time_s"] * 0.99

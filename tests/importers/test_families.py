"""Families beyond the plain decoder, each against arithmetic by hand or a published count of operations."""

from __future__ import annotations

from typing import Any

import pytest

import llmperf
from llmperf.contract.answers import operators_dict
from llmperf.scenarios.components import component


def rows(step: str, **scenario: Any) -> dict[str, dict[str, Any]]:
    scenario.setdefault("hardware", "b200-sxm")
    data = operators_dict(llmperf.load(None, scenario), step)
    return {row["name"]: row for row in data["steps"][0]["operators"]}


def flops(found: dict[str, dict[str, Any]]) -> float:
    return sum(row["repeat"] * row["flops"] for row in found.values())


@pytest.mark.parametrize(
    ("name", "multiply_adds"),
    [
        ("vit-l-16", 61.55e9),  # torchvision model page, 61.55 GFLOPS counted as multiply-adds
        ("dit-xl-2", 118.6e9),  # arXiv:2212.09748, table 4: 118.6 Gflops counted the same way
    ],
)
def test_a_picture_costs_as_many_operations_as_published(name: str, multiply_adds: float) -> None:
    assert flops(rows("prefill", model=name)) / 2 == pytest.approx(multiply_adds, rel=0.001)


def test_a_vision_model_generates_nothing_and_keeps_no_cache() -> None:
    result = llmperf.estimate(model="vit-l-16", hardware="h100-sxm", batch=64)
    assert result.memory.kv_cache == 0
    assert result.to_dict()["projection"]["tpot_s"] is None
    assert result.bottleneck["decode"] is None
    with pytest.raises(llmperf.InputError, match="generates no tokens"):
        llmperf.estimate(model="vit-l-16", hardware="h100-sxm", output=5)
    with pytest.raises(llmperf.InputError, match="tokens a picture"):
        llmperf.estimate(model="vit-l-16", hardware="h100-sxm", input=100)


def test_an_encoder_sees_its_whole_input_and_the_decoder_reads_it_at_every_step() -> None:
    """Whisper large: 32 encoder layers over 1500 frames of width 1280, cross-attention in 32 decoder layers."""
    prefill = rows("prefill", model="whisper-large-v2", batch=2, input=4, output=10)
    assert prefill["encoder_qkv"]["m"] == 2 * 1500
    assert prefill["encoder_attention"]["flops"] == 2 * 4 * 1280 * 1500 * 1500  # no causal half
    assert prefill["encoder_attention"]["kv_bytes"] == 0
    assert prefill["cross_kv"]["flops"] == 2 * 2 * 1500 * 1280 * 2 * 1280
    decode = rows("decode", model="whisper-large-v2", batch=2, input=4, output=10)
    assert decode["cross_attention"]["kv_bytes"] == 2 * 1500 * 2 * 1280 * 2
    assert not [name for name in decode if name.startswith("encoder_")]
    one = llmperf.estimate(model="whisper-large-v2", hardware="h100-sxm", batch=1, input=4, output=12)
    assert one.memory.kv_cache == 32 * (1500 + 16) * 2 * 1280 * 2


def test_encoded_frames_count_towards_the_step_that_the_kv_pool_leaves_room_for() -> None:
    scenario = {"model": "whisper-large-v2", "hardware": "l4", "input": 4, "output": 100}
    asked = llmperf.estimate(**scenario)
    assert asked.memory.fits
    most = asked.memory.max_batch
    assert 10 < most < 24e9 / (32 * 1500 * 2 * 1280 * 2)  # keys and values of a recording's frames
    assert llmperf.estimate(**scenario, batch=int(most)).memory.fits


def test_the_prompt_of_t5_goes_through_the_encoder() -> None:
    prefill = rows("prefill", model="t5-11b", batch=3, input=100, output=5)
    assert prefill["encoder_qkv"]["m"] == 300
    assert prefill["qkv"]["m"] == 3
    decode = rows("decode", model="t5-11b", batch=3, input=100, output=5)
    assert decode["attention"]["kv_bytes"] == 3 * (1 + 2.5 + 1) * 2 * 128 * 128 * 2  # contexts 2 to 5, and one written


def test_an_indexer_scores_all_tokens_and_attention_reads_those_it_picks() -> None:
    scenario = {"model": "deepseek-v3.2", "weights": "fp8", "batch": 1, "input": 30_000, "output": 2}
    decode = rows("decode", **scenario)
    assert decode["attention"]["kv_bytes"] == 2048 * 576 * 2 + 576 * 2 + 128 + 4
    assert decode["index_scores"]["kv_bytes"] == 30_001 * (128 + 4)  # fp8 and one fp32 scale a key
    a100 = rows("decode", **{**scenario, "hardware": "a100-sxm-80gb", "weights": "bf16"})
    assert a100["index_scores"]["kv_bytes"] == 30_001 * 128 * 2  # it has no fp8
    dense = rows("decode", **{**scenario, "model": "deepseek-v3"})
    assert decode["attention"]["time_s"] < dense["attention"]["time_s"]


def test_chunked_layers_see_less_than_sliding_ones() -> None:
    model = component("model", "llama-4-scout")
    assert model.attention.chunked
    scenario = {"model": "llama-4-scout", "batch": 1, "input": 16_000, "output": 2}
    prefill = rows("prefill", **scenario)
    sliding = rows("prefill", **{**scenario, "model": {"extends": "llama-4-scout", "attention": {"chunked": False}}})
    assert prefill["attention_windowed"]["flops"] < sliding["attention_windowed"]["flops"]
    whole, rest = 8192 * 8193 / 2, (16_000 - 8192) * (16_000 - 8191) / 2
    steps = -(-16_000 // 8192)
    assert prefill["attention_windowed"]["flops"] * steps == pytest.approx(4 * 40 * 128 * (whole + rest))


def test_a_hybrid_has_few_attention_layers_and_a_constant_state() -> None:
    decode = rows("decode", model="jamba-v0.1", batch=1, input=1000, output=2)
    assert decode["attention"]["repeat"] == 4
    assert decode["ssm_update"]["repeat"] == 28
    assert decode["ssm_update"]["kv_bytes"] == 2 * 2 * (8192 * 16 + 8192 * 4)  # read and written
    assert decode["moe_gate_up"]["repeat"] == 16


def test_a_parallel_block_sums_over_devices_once_a_layer() -> None:
    once = rows("decode", model="falcon-40b", tp=8, batch=1, input=100, output=2)
    assert once["tp_all_reduce"]["repeat"] == 60
    twice = rows("decode", model="llama-2-70b", tp=8, batch=1, input=100, output=2)
    assert twice["tp_all_reduce"]["repeat"] == 2 * 80


def test_experts_stand_in_every_other_layer_where_the_model_says_so() -> None:
    decode = rows("decode", model="llama-4-maverick", weights="fp8", tp=8, batch=1, input=100, output=2)
    assert decode["moe_gate_up"]["repeat"] == decode["gate_up"]["repeat"] == 24


def test_links_and_memories_of_the_catalog_are_named_by_hardware() -> None:
    inline = {
        "extends": "h100-sxm",
        "links": {"network": {"kind": "scale_out", "extends": "infiniband-ndr"}},
        "tiers": {"cxl": {"extends": "micron-cz120", "via": "pcie"}},
    }
    hardware = llmperf.load({"model": "llama-3.1-8b", "hardware": inline}).scenario.hardware
    assert hardware.links["network"].bandwidth == 50e9
    assert hardware.tiers["cxl"].kind == "expansion"
    assert "micron" in hardware.sources["tiers.cxl"].lower()
    with pytest.raises(llmperf.InputError, match="infiniband-ndr"):
        llmperf.load({"model": "llama-3.1-8b", "hardware": {**inline, "links": {"n": {"extends": "infiniband-ndx"}}}})


def test_a_slice_of_a_device_is_a_smaller_device() -> None:
    whole = llmperf.estimate(model="llama-3.2-3b", hardware="a100-sxm-80gb", input=512)
    part = llmperf.estimate(model="llama-3.2-3b", hardware="a100-sxm-80gb-mig-3g", input=512)
    assert part.bound.ttft_s > 2 * whole.bound.ttft_s
    assert part.memory.capacity == pytest.approx(whole.memory.capacity / 2, rel=0.05)


@pytest.mark.parametrize("name", ["vit-l-16", "dit-xl-2", "bloom-176b", "mpt-7b", "jamba-v0.1", "gpt2", "t5-11b"])
def test_models_without_rotary_positions_rotate_nothing(name: str) -> None:
    assert "rope" not in rows("prefill", model=name)
    assert "rope" in rows("prefill", model="falcon-7b")

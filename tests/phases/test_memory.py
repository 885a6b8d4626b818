"""Memory: what is counted, what fits, and that the largest batch and context are really the largest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import llmperf


def fits(**scenario: Any) -> bool:
    return bool(llmperf.estimate(**scenario).fits)


def test_weights_in_16_bit_take_two_bytes_a_parameter() -> None:
    result = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm")
    assert result.memory.weights == 2 * 8_030_261_248


def test_the_whole_requested_cache_is_counted_in_blocks() -> None:
    result = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", batch=3, input=100, output=5)
    assert result.memory.kv_cache == 3 * 112 * 131_072  # 105 tokens fill 7 blocks of 16


def test_a_shared_prefix_is_stored_once() -> None:
    scenario = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "batch": 10, "input": 1024, "output": 16}
    alone = llmperf.estimate(**scenario)
    shared = llmperf.estimate(**scenario, shared_prefix=512)
    assert alone.memory.kv_cache - shared.memory.kv_cache == 9 * 512 * 131_072


def test_405b_in_16_bit_does_not_fit_on_eight_h100_and_the_remedies_do() -> None:
    scenario = {"model": "llama-3.1-405b", "hardware": "h100-sxm", "tp": 8}
    result = llmperf.estimate(**scenario)
    assert not result.fits
    assert result.bottleneck == {"prefill": "capacity", "decode": "capacity"}
    assert result.memory.missing > 0
    from llmperf.answers.remedies import remedies

    found = remedies(result.resolved, result.evaluated[0])
    assert "--tp 16 (16 devices)" in found
    assert "--weights fp8" in found
    assert fits(**{**scenario, "tp": 16})
    assert fits(**scenario, weights="fp8")


@given(
    st.sampled_from(["llama-3.1-8b", "mistral-7b", "gemma-2-9b", "mixtral-8x7b", "mamba2-2.7b", "deepseek-v2-lite"]),
    st.integers(500, 2000),
    st.sampled_from([1, 2]),
    st.sampled_from([1, 2, 3]),
    st.sampled_from([1, 2]),
)
def test_the_largest_batch_fits_and_one_more_a_rank_does_not(
    model: str, length: int, tp: int, pp: int, dp: int
) -> None:
    scenario: dict[str, Any] = {"model": model, "hardware": "b200-sxm", "tp": tp, "pp": pp, "dp": dp, "weights": "fp8"}
    scenario |= {"input": length, "output": 17, "engine": {"extends": "generic", "token_budget": 4096}}
    most = llmperf.estimate(**scenario, batch=dp).memory.max_batch
    assume(1 <= most / dp <= 4096)  # beyond, decoding sequences alone exceed the token budget
    assert fits(**scenario, batch=most)
    assert not fits(**scenario, batch=most + dp + most // 20)


@pytest.mark.parametrize("model", ["llama-3.1-8b", "llama-2-7b", "mixtral-8x7b"])
def test_the_longest_context_fits_and_a_longer_one_does_not(model: str) -> None:
    scenario = {"model": model, "hardware": "rtx-4090" if model != "mixtral-8x7b" else "h200-sxm", "batch": 16}
    engine = {"extends": "generic", "token_budget": 1024}  # the same activations, whatever the length
    first = llmperf.estimate(**scenario, input=1024, output=1, engine=engine).memory.max_context
    assert 1 < first <= llmperf.load(None, scenario).scenario.model.max_context
    block = 16
    assert fits(**scenario, input=first // block * block - 1, output=1, engine=engine)
    if first < llmperf.load(None, scenario).scenario.model.max_context - 2 * block:
        assert not fits(**scenario, input=first // block * block + 2 * block, output=1, engine=engine)


def test_the_pool_holds_what_the_largest_batch_needs() -> None:
    memory = llmperf.estimate(model="llama-3.1-70b", hardware="h100-sxm", weights="fp8", tp=4, dp=2, batch=2).memory
    tokens = -(-(1024 + 128) // 16) * 16
    assert memory.max_batch * tokens <= memory.kv_pool_tokens < (memory.max_batch + 2) * tokens


@given(st.integers(1, 2000), st.integers(16, 2000))
def test_classes_add_up_to_what_is_required(batch: int, length: int) -> None:
    memory = llmperf.estimate(model="gemma-2-9b", hardware="h200-sxm", batch=batch, input=length).memory
    parts = memory.weights + memory.kv_cache + memory.activations + memory.context + memory.graphs
    assert memory.required == pytest.approx(float(np.asarray(parts).reshape(-1)[0]))
    assert memory.fits == (memory.required <= memory.usable)
    assert memory.missing == pytest.approx(max(memory.required - memory.usable, 0.0))


def test_what_fits_stays_and_the_rest_streams() -> None:
    result = llmperf.estimate(model="llama-3.1-70b", hardware="rtx-4090-workstation", weights="w4a16-g128", batch=1)
    (share,) = result.evaluated[0].placed.shares
    assert result.fits
    assert 0.3 < float(np.asarray(share.weights).reshape(-1)[0]) < 0.7
    on_device = result.memory.weights * (1 - float(np.asarray(share.weights).reshape(-1)[0]))
    assert on_device == pytest.approx(
        result.memory.usable - float(np.asarray(result.memory.activations).reshape(-1)[0])
    )
    assert result.bottleneck["decode"] == "link.host"


def test_overlap_hides_at_most_the_shorter_side() -> None:
    scenario = {"model": "opt-30b", "hardware": "t4-gcp", "batch": 64, "input": 512, "output": 32}
    blocking, hidden = (llmperf.estimate(**scenario, overlap=o) for o in (0.0, 1.0))
    assert hidden.tpot_s < blocking.tpot_s <= 2 * hidden.tpot_s
    assert hidden.roofline.tpot_s <= hidden.tpot_s * (1 + 1e-12)


def test_cxl_memory_is_read_directly_and_adds_its_time() -> None:
    small = llmperf.estimate(model="llama-3.1-70b", hardware="cxl-xeon", input=16, output=16)
    large = llmperf.estimate(model="llama-3.1-405b", hardware="cxl-xeon", input=16, output=16)
    assert float(np.max(small.evaluated[0].placed.shares[0].weights)) == 0
    assert 0 < float(np.max(large.evaluated[0].placed.shares[0].weights)) < 1
    assert large.fits
    assert not fits(model="llama-3.1-405b", hardware="xeon-8480-plus", input=16, output=16)


def test_attention_placed_in_memory_leaves_the_bus_to_the_weights() -> None:
    near = llmperf.estimate(model="llama-2-7b", hardware="neupims", batch=32, input=400, output=16)
    far = llmperf.estimate(
        {"hardware.placement": {"attention.decode": "npu"}}, model="llama-2-7b", hardware="neupims", batch=32,
        input=400, output=16,
    )  # fmt: skip
    assert near.bound.tpot_s < far.bound.tpot_s
    assert near.tpot_s < far.tpot_s

"""Attention kernels differ by what they move, skip, share and keep busy; none of them beats the bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import llmperf
from llmperf.costs import attention
from llmperf.errors import InputError
from llmperf.phases.answered import Evaluated
from llmperf.phases.estimate import evaluate
from llmperf.scenarios import catalog
from llmperf.scenarios.components import component
from llmperf.scenarios.resolve import resolve

KERNELS = sorted(catalog.files("attention"))
PLAIN: dict[str, Any] = {"model": "llama-3-8b", "hardware": "a100-sxm-80gb", "input": 4096, "output": 128, "batch": 8}
A_CORES = 108


def estimate(**scenario: Any) -> Any:
    return llmperf.estimate(**{**PLAIN, **scenario})


def evaluated(**scenario: Any) -> Evaluated:
    return evaluate(resolve(None, {**PLAIN, **scenario}).scenario)


def operator(phase: str, **scenario: Any) -> float:
    """Projected time of attention in one layer, in one step. [s]"""
    blocks = evaluated(**scenario).phases[phase].costs.priced
    (priced,) = [part for part in blocks if part.block.kind == f"attention.{phase}"]
    return float(priced.time[priced.block.names.index("attention"), 0])


# --- which kernel runs


def test_without_a_kernel_an_engine_has_its_own() -> None:
    assert estimate().tpot_s == estimate(attention="fused").tpot_s
    eager = {"engine": "hf-transformers", "input": 7000}
    assert estimate(**eager).tpot_s == estimate(**eager, attention="repeat-kv").tpot_s
    assert estimate(**eager).tpot_s > 1.1 * estimate(**eager, attention="fused").tpot_s


def test_values_of_a_kernel_go_on_top_of_the_engine_s() -> None:
    scenario = resolve(None, {**PLAIN, "engine": "hf-transformers", "attention": {"decode_slowdown": 2}}).scenario
    assert (scenario.attention.kv_sharing, scenario.attention.decode_slowdown) == (0, 2)


def test_every_kernel_of_an_engine_is_in_the_catalog() -> None:
    for name in catalog.files("engine"):
        assert component("attention", component("engine", name).attention)


def test_an_unknown_kernel_is_named_with_its_nearest() -> None:
    with pytest.raises(InputError, match="did you mean flash-decoding"):
        estimate(attention="flash-decodin")


def test_a_kernel_of_ones_own_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "attention").mkdir()
    (tmp_path / "attention" / "mine.yaml").write_text(
        "extends: hydragen\ndecode_slowdown: 1.5\nsources: {decode_slowdown: measured}\n"
    )
    shared = {"shared_prefix": 4000, "batch": 64}
    mine = llmperf.estimate({**PLAIN, **shared, "attention": "mine"}, catalog=(str(tmp_path),))
    assert estimate(**shared, attention="hydragen").tpot_s < mine.tpot_s < estimate(**shared).tpot_s


def test_products_on_vector_units_need_their_rate() -> None:
    with pytest.raises(InputError, match="vector units"):
        estimate(hardware="ascend-910c", attention="qserve-attention")


def test_the_list_names_the_mechanisms(answer: Callable[..., dict[str, Any]]) -> None:
    listed = {line["name"]: line["mechanisms"] for line in answer("list", "attention")["catalog"]["attention"]}
    assert listed["fused"] == ""
    assert listed["fusemax"] == "score_ops, score_engine"


# --- what holds for all of them


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    "scenario",
    [
        {},
        {"batch": 1, "input": 7000, "kv_cache": "int4"},
        {"shared_prefix": 4000, "batch": 64},
        {"model": "deepseek-v2-lite", "batch": 2},
        {"hardware": "fusemax-cloud", "engine": {"token_budget": 2**20}},
        {"hardware": "ascend-910b2", "model": "gemma-2-2b"},
    ],
    ids=["plain", "int4", "prefix", "latent", "array", "npu"],
)
def test_no_kernel_beats_the_bound(kernel: str, scenario: dict[str, Any]) -> None:
    found, usual = estimate(**scenario, attention=kernel), estimate(**scenario)
    for part in ("ttft_s", "tpot_s"):
        bound, roofline, time = (float(getattr(each, part)) for each in (found.bound, found.roofline, found))
        assert 0 < bound <= roofline * (1 + 1e-9) <= time * (1 + 1e-9)
        if "fusemax" not in kernel:  # which has its softmax on the larger engine
            assert bound == pytest.approx(float(getattr(usual.bound, part)), rel=1e-12)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("score_bytes", [0.0, 8.0, 80.0]),
        ("held_score_bytes", [0.0, 4.0, 8.0]),
        ("score_ops", [5.0, 50.0, 5000.0]),
        ("prefill_slowdown", [1.0, 1.4, 2.0]),
        ("kv_sharing", [1.0, 0.5, 0.0]),
        ("dequantize_instructions", [1.0, 5.0, 50.0]),
        ("decode_slowdown", [0.8, 1.0, 2.0]),
    ],
)
def test_an_array_of_a_mechanism_is_the_same_as_its_numbers(field: str, values: list[float]) -> None:
    base = {**PLAIN, "kv_cache": "int4"}
    many = llmperf.estimate({**base, "attention": {"extends": "unfused", field: np.array(values)}})
    each = [llmperf.estimate({**base, "attention": {"extends": "unfused", field: value}}) for value in values]
    for part in ("ttft_s", "tpot_s", "e2e_s"):
        np.testing.assert_allclose(getattr(many, part), [getattr(one, part) for one in each], rtol=1e-12)
    assert list(many.e2e_s) == sorted(many.e2e_s)  # more of it is never faster
    assert [one.memory.activations for one in each] == sorted(one.memory.activations for one in each)


# --- scores


def test_scores_that_are_not_fused_take_memory_for_every_pair() -> None:
    length, heads = 8000, 32
    one = {"batch": 1, "input": length}
    more = estimate(**one, attention="unfused").memory.activations - estimate(**one).memory.activations
    assert more > 0
    assert estimate(**one, attention="unfused").memory.activations >= 4 * heads * length**2
    long = {"model": {"extends": "llama-3-8b", "max_context": 70000}, "input": 65536, "batch": 1}
    whole = {**long, "engine": {"token_budget": 65536}}
    assert estimate(**whole).memory.fits
    assert not estimate(**whole, attention="unfused").memory.fits


def test_scores_that_are_not_fused_cost_time_for_every_pair() -> None:
    def more(length: int) -> float:
        one = {"batch": 1, "input": length}
        return operator("prefill", **one, attention="unfused") - operator("prefill", **one)

    assert more(8000) == pytest.approx(4 * more(4000), rel=0.1)
    moved = 8 * 32 * 8000**2
    assert more(8000) > 0.8 * moved / 2.039e12


def test_a_kernel_that_skips_no_masked_scores_computes_twice_as_many() -> None:
    seen = np.array([[100.0 * 4096 * 4097 / 2]])
    found = attention.all_scores(seen, 4096.0, 4096.0, 100.0 * 32)
    assert found[0, 0] == 100 * 4096**2
    assert attention.all_scores(np.array([[3.0]]), 1.0, 3.0, 1.0)[0, 0] >= 3


# --- generations


def test_an_older_kernel_does_not_use_a_newer_chip() -> None:
    long = {"input": 8000, "batch": 8, "engine": {"token_budget": 65536}}
    new = {**long, "hardware": "h100-sxm"}
    assert operator("prefill", **new, attention="flash-attention-2") > 1.3 * operator("prefill", **new)
    assert operator("prefill", **new, attention="flash-attention-3") == pytest.approx(
        operator("prefill", **new), rel=0.1
    )
    old = [operator("prefill", **long, attention=f"flash-attention-{version}") for version in (1, 2)]
    assert old[0] > 1.2 * old[1]
    assert operator("prefill", **long, hardware="rtx-4090", attention="flash-attention-1") == operator(
        "prefill", **long, hardware="rtx-4090"
    )


def test_a_kernel_that_tells_nothing_of_a_chip_says_so() -> None:
    assert any("told for ampere" in note for note in estimate(hardware="l4", attention="flash-attention-1").warnings)
    assert not any("told for" in note for note in estimate(attention="flash-attention-1").warnings)


def test_a_kernel_takes_its_own_fits_of_a_chip() -> None:
    """FlashAttention-2 was measured on A100; vLLM of 2024 runs it there."""
    named = operator("prefill", engine="vllm-2024", attention={"extends": "fused", "kernels": ["torch_flow"]})
    usual = operator("prefill", engine="vllm-2024")
    assert operator("prefill", attention={"kernels": ["flash_attention"]}) == usual != named
    unknown = {"attention": {"kernels": ["flash_attention"]}, "hardware": "rtx-4090"}
    assert operator("prefill", **unknown) == operator("prefill", hardware="rtx-4090")


# --- cores


def test_a_block_for_each_head_leaves_cores_idle() -> None:
    one = np.array([[32.0]])
    assert attention.occupancy("none", one, 1e5 * one, A_CORES)[0, 0] == 32 / 108
    assert attention.occupancy("none", 4 * one, 1e5 * one, A_CORES)[0, 0] == 1
    assert attention.occupancy("even", one, 1e5 * one, A_CORES) == 1
    # 32 blocks in 3 parts are 96 of 108 cores: the first choice within 0.85 of the best one
    assert attention.occupancy("waves", one, 1e5 * one, A_CORES)[0, 0] == pytest.approx(96 / 108)
    assert np.all(attention.occupancy("waves", one, 1e5 * one, math.inf) == 1)


@given(blocks=st.integers(1, 5000), context=st.integers(1, 1_000_000), cores=st.integers(1, 400))
def test_splits_keep_at_least_as_many_cores_busy_as_their_rules_say(blocks: int, context: int, cores: int) -> None:
    shape = (np.array([[float(blocks)]]), np.array([[float(context)]]))
    none, waves = (float(np.max(attention.occupancy(split, *shape, cores))) for split in ("none", "waves"))
    assert 0 < none <= 1
    assert 0 < waves <= 1
    if blocks < attention.FULL_SHARE * cores:
        assert waves >= attention.GOOD_SHARE * none - 1e-12


def test_an_even_split_is_never_slower_and_gains_most_where_sequences_are_few_and_long() -> None:
    long: dict[str, Any] = {"model": {"extends": "llama-3-8b", "max_context": 300000}, "input": 262144}

    def gain(**scenario: Any) -> float:
        return operator("decode", **scenario, attention="flash-attention-2") / operator(
            "decode", **scenario, attention="lean-attention"
        )

    assert gain(**long, batch=1) > 2
    assert gain(**long, batch=1) > gain(**long, batch=2) > gain(**long, batch=8) >= 1
    for batch in (1, 3, 7, 20):
        times = [operator("decode", batch=batch, attention=name) for name in ("lean-attention", "flash-decoding")]
        assert times == sorted(times)


def test_one_maximum_for_all_parts_saves_what_they_waited_for() -> None:
    times = [operator("decode", attention=name) for name in ("flash-decoding-pp", "flash-decoding")]
    assert times[0] == pytest.approx((1 - 0.188) * times[1])


# --- heads that share keys


def test_with_a_block_for_each_head_sharing_keys_saves_no_work() -> None:
    """32 query heads cost the same over 8 KV heads as over 32, once vector units are what they wait for."""
    work = {"kv_cache": "int4", "attention": "qserve-attention", "batch": 32}
    shared = operator("decode", **work, model="llama-3-8b", input=3900)
    own = operator("decode", **work, model="llama-2-7b", input=3900)
    assert shared == pytest.approx(own, rel=0.1)
    usual = {**work, "attention": "fused"}
    assert shared > 2 * operator("decode", **usual, model="llama-3-8b", input=3900)


def test_work_of_vector_units_is_counted_by_instructions() -> None:
    """Five instructions and a multiply-add for a (cached element, query head) pair: twelve operations of the peak."""
    context = 8001.0
    base = {"kv_cache": "int4", "attention": "qserve-attention", "batch": 64, "input": 8000, "output": 2}
    pairs = 64 * context * 32 * 2 * 128
    softmax = 5 * 64 * context * 32
    least = (12 * pairs + softmax) / 19.5e12
    model = {"extends": "llama-3-8b", "max_context": 8192}
    assert operator("decode", **base, model=model) == pytest.approx(least, rel=0.05)
    assert operator("decode", **base, model=model) >= least


# --- shared prefixes


def test_a_prefix_is_read_once_for_the_batch() -> None:
    many = {"input": 8000, "output": 65, "shared_prefix": 7990, "batch": 256}
    model = {"extends": "llama-3-8b", "max_context": 8192}
    each, once = (operator("decode", **many, model=model, attention=name) for name in ("fused", "hydragen"))
    assert once < each / 10
    alone = {**many, "batch": 1}
    assert operator("decode", **alone, model=model, attention="hydragen") == operator("decode", **alone, model=model)
    without = {**many, "shared_prefix": 0, "batch": 8}
    assert operator("decode", **without, model=model, attention="hydragen") == pytest.approx(
        operator("decode", **without, model=model)
    )


def test_prompts_that_share_a_prefix_stand_side_by_side_before_it() -> None:
    short = {"input": 4000, "shared_prefix": 3999, "batch": 256}
    assert estimate(**short, attention="hydragen").ttft_s < 0.7 * estimate(**short).ttft_s
    assert estimate(**short, attention="hydragen").bound.ttft_s == estimate(**short).bound.ttft_s
    assert estimate(attention="hydragen").ttft_s == estimate().ttft_s
    # a token sees 3,999 cached tokens and itself
    assert attention.cached_share(np.array([3999.0]), np.array([4000.0]))[0] == 3999 / 4000


@given(shared=st.integers(0, 4095), batch=st.integers(1, 512))
def test_the_share_of_a_prefix_is_its_share_of_the_context(shared: int, batch: int) -> None:
    read, context = 3.0, 4096.0
    repeated = np.array([[(batch - 1) * shared * read]])
    found = attention.shared_prefix(repeated, np.array([[batch * context * read]]), np.array([[float(batch)]]))
    assert found[0, 0] == pytest.approx(shared / context if batch > 1 else 0)


# --- arrays of processing elements


def test_attention_on_an_array_takes_the_cycles_of_its_scores() -> None:
    length, heads, width, batch, clock = 65536, 16, 128, 64, 0.94e9
    attends = {"heads": heads, "kv_heads": heads, "head_dim": width, "causal": False, "rotary": False}
    shape = {"family": "bert", "layers": 1, "hidden": 2048, "vocab": 30522, "max_context": length, "ffn": 8192}
    model = {"name": "xlm-layer", "sources": {"all": "test"}, "attention": attends, "gated_mlp": False, **shape}
    case = {"model": model, "hardware": "fusemax-cloud", "batch": batch, "input": length, "output": 1}
    case["engine"] = {"token_budget": 2**30}
    scores = batch * heads * length**2
    one, rows = operator("prefill", **case, attention="fusemax"), operator("prefill", **case, attention="flat")
    assert one == pytest.approx(scores * (2 * width + 9) / (65536 * clock), rel=1e-3)
    assert rows == pytest.approx(scores * 4 / (256 * clock), rel=1e-3)
    passes = operator("prefill", **case, attention="unfused-array")
    assert passes == pytest.approx(rows + 4 * scores / 429.5e9, rel=0.05)


# --- what attention must move


def test_the_published_form_has_two_regimes_that_meet() -> None:
    pairs, width = 1e10, 64.0
    large, small = 16.0 * width**2, width**2 / 16
    form = attention.io_complexity
    assert form(pairs, width, large / 2) == 2 * form(pairs, width, large)
    assert form(pairs, width, small / 2) == pytest.approx(math.sqrt(2) * form(pairs, width, small))
    assert form(pairs, width, width**2) == pairs  # both say N^2 there
    assert form(pairs, width, width**2 * (1 - 1e-9)) == pytest.approx(pairs)


def test_the_bound_of_traffic_grows_as_the_published_form_does() -> None:
    pairs, width, bound = 1e12, 64.0, attention.io_bound
    assert bound(pairs, width, 1e9) / bound(pairs, width, 2e9) == pytest.approx(2, rel=0.01)
    assert bound(pairs, width, 1e-2) / bound(pairs, width, 2e-2) == pytest.approx(math.sqrt(2), rel=0.01)
    assert bound(pairs, width, 1e9, 4.0) < bound(pairs, width, 1e9)


@given(width=st.integers(1, 256), fast=st.floats(1, 1e8), pairs=st.floats(1, 1e14), recomputed=st.floats(1, 8))
def test_the_bound_of_traffic_is_below_the_published_form(
    width: int, fast: float, pairs: float, recomputed: float
) -> None:
    least = attention.io_bound(pairs, float(width), fast, recomputed)
    assert 0 < least <= attention.io_complexity(pairs, float(width), fast)


@given(
    blocks=st.integers(1, 64), rows=st.integers(1, 512), keys=st.integers(1, 512), width=st.sampled_from([16, 64, 128])
)
def test_no_schedule_in_blocks_moves_less_than_the_bound(blocks: int, rows: int, keys: int, width: int) -> None:
    """FlashAttention-2: a block of queries stays, keys and values stream past it in blocks."""
    length = blocks * rows
    fast = 2 * rows * width + 2 * keys * width + rows * keys  # queries, outputs, keys, values, scores
    moved = 2 * length * width + blocks * 2 * length * width
    assert moved >= attention.io_bound(float(length) ** 2, float(width), float(fast)) - fast


def test_a_chip_with_little_memory_on_it_is_bound_by_the_traffic_of_attention() -> None:
    chip = {"extends": "ascend-910b2", "tiers": {"l0c": {"capacity": "1 KiB"}, "l1": {"capacity": "1 KiB"}}}
    chip["tiers"] |= {"l2": {"capacity": "4 KiB"}, "hbm": {"bandwidth": "100 GB/s"}}
    other = {"extends": "ascend-910b2", "tiers": {"hbm": {"bandwidth": "100 GB/s"}}}
    case = {"model": {"extends": "llama-3-8b", "max_context": 70000}, "input": 65536, "batch": 1}
    bounds = [estimate(**case, hardware=name).bound.ttft_s for name in (chip, other)]
    assert bounds[0] > 1.5 * bounds[1]


def test_what_a_chip_may_hold_is_no_less_than_what_it_has() -> None:
    from llmperf.costs.machine import machine_of

    held = {name: machine_of(component("hardware", name)).on_chip for name in ("a100-sxm-80gb", "h100-sxm")}
    assert held["a100-sxm-80gb"] > 108 * (256 + 192) * 1024 + 40 * 2**20
    assert held["h100-sxm"] > 132 * (256 + 256) * 1024 + 50 * 2**20

"""What must hold for every scenario: the order of the three times, monotony, and arrays equal to numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import llmperf
from llmperf.outputs import TIMES

MODELS = [
    "llama-3.1-8b",
    "mistral-7b",
    "mixtral-8x7b",
    "deepseek-v3",
    "deepseek-v3.2",
    "gemma-2-9b",
    "gpt-oss-20b",
    "llama-4-scout",
    "mamba2-2.7b",
    "jamba-v0.1",
    "mmfree-2.7b",
    "falcon-40b",
    "t5-11b",
    "gpt3-175b",
]
HARDWARE = ["h100-sxm", "a100-sxm-80gb", "b200-sxm", "mi300x", "neupims", "cxl-xeon", "t4-gcp", "rtx-4090", "m2-ultra"]
RATES = {output.name for output in TIMES if output.better == "higher"}


@st.composite
def scenarios(draw: Any) -> dict[str, Any]:
    """A model on hardware in some layout and workload."""
    model, hardware = draw(st.sampled_from(MODELS)), draw(st.sampled_from(HARDWARE))
    scenario: dict[str, Any] = {
        "model": model,
        "hardware": hardware,
        "batch": draw(st.integers(1, 300)),
        "input": draw(st.integers(1, 1500)),
        "output": draw(st.integers(1, 500)) if model != "t5-11b" else draw(st.integers(1, 400)),
        "kv_cache": draw(st.sampled_from(["bf16", "fp8", "int4"])),
        "weights": draw(st.sampled_from(["bf16", "w4a16-g128"])),
        "token_budget": draw(st.sampled_from([512, 8192])),
    }
    budget = scenario.pop("token_budget")
    scenario["engine"] = {"extends": "generic", "token_budget": budget, "graphs": draw(st.booleans())}
    if hardware in ("h100-sxm", "b200-sxm", "a100-sxm-80gb"):
        scenario["tp"] = draw(st.sampled_from([1, 2, 4, 8]))
        scenario["pp"] = draw(st.sampled_from([1, 2, 3]))
        scenario["dp"] = draw(st.sampled_from([1, 2]))
        scenario["cp"] = draw(st.sampled_from([1, 2]))
        if model in ("mixtral-8x7b", "deepseek-v3", "deepseek-v3.2", "llama-4-scout"):
            scenario["ep"] = draw(st.sampled_from([1, scenario["tp"] * scenario["dp"] * scenario["cp"]]))
            assume(scenario["ep"] <= 8)
    return scenario


def metrics(result: llmperf.Estimate) -> list[dict[str, Any]]:
    return [
        {output.name: getattr(part, output.name) for output in TIMES}
        for part in (result.bound, result.roofline, result.projection)
    ]


@given(scenarios())
def test_no_projection_beats_the_roofline_and_no_roofline_the_bound(scenario: dict[str, Any]) -> None:
    bound, roofline, projection = metrics(llmperf.estimate(**scenario))
    for name in bound:
        if name.startswith(("energy", "power")):
            assert np.isnan(bound[name])  # no bound of it is known
        elif np.isnan(bound[name]):
            assert np.isnan(projection[name])
        elif name in RATES:
            assert projection[name] <= roofline[name] * (1 + 1e-9) <= bound[name] * (1 + 2e-9), name
        else:
            assert 0 < bound[name] <= roofline[name] * (1 + 1e-9) <= projection[name] * (1 + 2e-9), name


@given(scenarios(), st.sampled_from(["memory", "compute", "link"]), st.floats(1.01, 8.0))
def test_faster_hardware_is_never_slower(scenario: dict[str, Any], what: str, factor: float) -> None:
    hardware = llmperf.load(None, scenario).scenario.hardware
    main, tier = next((name, tier) for name, tier in hardware.tiers.items() if tier.kind == "main")
    matrix, engine = next((name, engine) for name, engine in hardware.engines.items() if engine.kind == "matrix")
    dtype = "bf16" if "bf16" in engine.peaks else "fp16"
    link = next(iter(hardware.links), None)
    assume(link is not None or what != "link")
    faster = {
        "memory": lambda: {f"hardware.tiers.{main}.bandwidth": tier.bandwidth * factor},
        "compute": lambda: {f"hardware.engines.{matrix}.peaks.{dtype}": engine.peaks[dtype] * factor},
        "link": lambda: {f"hardware.links.{link}.bandwidth": hardware.links[link].bandwidth * factor},
    }[what]()
    slow, fast = llmperf.estimate(**scenario), llmperf.estimate(faster, **scenario)
    for old, new in zip(metrics(slow), metrics(fast), strict=True):
        for name in ("ttft_s", "e2e_s"):
            assert new[name] <= old[name] * (1 + 1e-9)


@given(scenarios(), st.integers(1, 64))
def test_more_sequences_never_finish_sooner(scenario: dict[str, Any], more: int) -> None:
    few = llmperf.estimate(**scenario)
    many = llmperf.estimate(**{**scenario, "batch": scenario["batch"] + more})
    # prompts in more, smaller steps leave weights more room on the device: less may overflow for more sequences
    assume(not any(np.any(share.weights > 0) for share in few.evaluated[0].placed.shares))
    assert many.bound.e2e_s >= few.bound.e2e_s * (1 - 1e-9)


@given(
    st.lists(scenarios(), min_size=1, max_size=1), st.lists(st.integers(1, 400), min_size=2, max_size=5, unique=True)
)
def test_an_array_gives_what_its_elements_give(drawn: list[dict[str, Any]], batches: list[int]) -> None:
    scenario = drawn[0]
    together = llmperf.estimate(**{**scenario, "batch": np.array(batches)})
    for index, batch in enumerate(batches):
        alone = llmperf.estimate(**{**scenario, "batch": batch})
        for whole, one in zip(metrics(together), metrics(alone), strict=True):
            for name in one:
                np.testing.assert_allclose(whole[name][index], one[name], rtol=1e-11)
        assert together.memory.fits[index] == alone.memory.fits
        np.testing.assert_allclose(together.memory.max_context[index], alone.memory.max_context)
        assert {phase: together.bottleneck[phase][index] for phase in alone.bottleneck} == alone.bottleneck


def test_arrays_of_several_axes_broadcast() -> None:
    grid = llmperf.estimate(
        model="llama-3.1-8b",
        hardware="h100-sxm",
        batch=np.array([1, 8, 64])[:, None, None],
        input=np.array([128, 1024])[None, :, None],
        tp=np.array([1, 2, 4, 8])[None, None, :],
    )
    assert grid.tpot_s.shape == grid.bottleneck["decode"].shape == (3, 2, 4)
    one = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", batch=8, input=1024, tp=4)
    assert grid.tpot_s[1, 1, 2] == pytest.approx(one.tpot_s)


def test_hardware_numbers_may_be_arrays_too() -> None:
    result = llmperf.estimate(
        {"hardware.tiers.hbm.bandwidth": np.array([2e12, 4e12, 8e12])}, model="llama-3.1-8b", hardware="h100-sxm"
    )
    assert (np.diff(result.tpot_s) < 0).all()


def test_evaluating_at_the_mean_context_is_as_good_as_summing_over_steps() -> None:
    """Decode is priced once, at the mean context; step by step it comes to the same within one per cent."""
    for model, start in (("llama-3.1-8b", 512), ("gemma-2-9b", 3900), ("mixtral-8x7b", 100)):
        steps = np.arange(1, 400)
        whole = llmperf.estimate(model=model, hardware="h100-sxm", tp=2, batch=32, input=start, output=400)
        each = llmperf.estimate(model=model, hardware="h100-sxm", tp=2, batch=32, input=start + steps - 1, output=2)
        assert whole.tpot_s == pytest.approx(each.tpot_s.mean(), rel=0.01)
        assert whole.bound.tpot_s == pytest.approx(each.bound.tpot_s.mean(), rel=0.01)


def test_energy_is_power_times_time_and_adds_up_over_devices() -> None:
    result = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", tp=4)
    assert result.energy_j == pytest.approx(4 * 700 * result.e2e_s)
    assert result.energy_per_output_token_j * 128 == pytest.approx(result.energy_j)


def test_one_output_token_has_no_time_per_further_token() -> None:
    result = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", output=1)
    assert result.to_dict()["projection"]["tpot_s"] is None
    assert result.e2e_s == result.ttft_s


def test_what_limits_decode_is_named_only_where_a_token_is_decoded() -> None:
    result = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", input=100, output=np.array([1, 2, 1]))
    assert [name is None for name in result.bottleneck["decode"]] == [True, False, True]
    assert result.to_dict()["bottleneck"]["decode"][0] is None


def test_a_wrong_layout_among_many_is_named_by_its_own_numbers() -> None:
    with pytest.raises(llmperf.InputError, match="2 does not divide tp x cp x dp = 1"):
        llmperf.estimate(model="mixtral-8x7b", hardware="h100-sxm", dp=np.array([8, 1]), ep=np.array([2, 2]))


@given(scenarios(), st.integers(1, 150))
def test_twice_the_sequences_are_never_bounded_slower_than_the_same_twice(scenario: dict[str, Any], n: int) -> None:
    """A schedule may run one half after the other, each with the whole cache and all the memory for itself."""
    one, two = llmperf.estimate(scenario, batch=n), llmperf.estimate(scenario, batch=2 * n)
    for phase in ("ttft_s", "e2e_s"):
        assert getattr(two.bound, phase) <= 2 * getattr(one.bound, phase) * (1 + 1e-9)


SPILLED = [
    {"model": "mpt-7b", "hardware": "rtx-4090-workstation", "input": 57, "output": 176},
    {"model": "opt-125m", "hardware": "mi300x", "input": 881, "output": 296},
    {"model": "opt-125m", "hardware": "mi300x", "input": 881, "output": 296, "tp": 2},
    {"model": "llama-3.1-70b", "hardware": "gh200-node", "input": 4000, "output": 200},
    {"model": "llama-2-7b", "hardware": "cxl-xeon", "input": 500, "output": 50},
]


@pytest.mark.parametrize("scenario", SPILLED)
def test_neither_a_full_cache_nor_a_full_memory_makes_a_batch_slower_than_its_halves(scenario: dict[str, Any]) -> None:
    times = llmperf.estimate(scenario, batch=2 ** np.arange(11)).bound.e2e_s
    assert (times[1:] <= 2 * times[:-1] * (1 + 1e-9)).all()
    assert (times[1:] >= times[:-1]).all()

"""Sizing: what serves a demand within limits, and with how few devices."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llmperf
from llmperf import InputError
from llmperf.answers.candidates import Candidate
from llmperf.answers.layouts import layouts
from llmperf.answers.sizing import Sizing, size
from llmperf.evidence.confidence import slower
from llmperf.operators import divisions
from llmperf.phases.serving.limits import LIMITED
from llmperf.scenarios.consistency import within
from llmperf.scenarios.resolve import resolve

BASE: dict[str, Any] = {"input": 2000, "output": 500, "engine": "vllm"}
LIMITS: dict[str, Any] = {"ttft": 2.0, "tpot": 1 / 30}
CASES: dict[str, dict[str, Any]] = {
    "dense": {"model": "llama-3.1-70b", "hardware": "h100-sxm", "weights": "fp8"},
    "experts": {"model": "gpt-oss-120b", "hardware": "h200-sxm"},
    "latent attention": {"model": "deepseek-v3", "hardware": "h200-sxm", "engine": "sglang"},
    "cards": {"model": "qwen3-32b", "hardware": "l40s", "weights": "fp8"},
}
DEMANDS: dict[str, dict[str, Any]] = {
    "users": {"users": 100},
    "users who think": {"users": 400, "think_time": 20.0},
    "a rate": {"request_rate": 6.0},
}


def sized(case: str = "experts", **keys: Any) -> Sizing:
    options = {name: keys.pop(name) for name in ("headroom", "devices_max", "shown", "doubt") if name in keys}
    return size(None, {**BASE, **LIMITS, **CASES[case], **keys}, **options)


def devices(found: Sizing) -> float:
    return found.best.devices if found.best else math.inf


def again(one: Candidate) -> Any:
    """The same copy, asked by its own keys as a user would."""
    return llmperf.estimate(None, **one.asked)


@pytest.mark.parametrize("demand", DEMANDS)
@pytest.mark.parametrize("case", CASES)
def test_every_candidate_keeps_its_limits_when_it_is_asked_again(case: str, demand: str) -> None:
    found = sized(case, **DEMANDS[demand])
    assert found.candidates
    for one in found.candidates:
        result = again(one)
        for name in LIMITED:
            limit = getattr(found.traffic.limits, name)
            time = result.value(f"{name}_p90_s")
            assert time == pytest.approx(one.time_s(name))
            assert limit is None or time <= limit
        assert result.value("fits")
        assert not result.value("saturated")
        assert result.value("requests_per_s") * one.copies == pytest.approx(one.requests_per_s)


@pytest.mark.parametrize("demand", DEMANDS)
def test_all_copies_together_serve_the_demand(demand: str) -> None:
    for one in sized(**DEMANDS[demand]).candidates:
        amount = DEMANDS[demand].get("users") or DEMANDS[demand]["request_rate"]
        assert one.load * one.copies >= amount * (1 - 1e-9)
        assert one.load * (one.copies - 1) < amount
        if demand == "a rate":
            assert one.requests_per_s == pytest.approx(amount)


@settings(max_examples=8)
@given(users=st.integers(1, 2000), more=st.integers(1, 500), case=st.sampled_from([*CASES]))
def test_more_users_never_need_fewer_devices(users: int, more: int, case: str) -> None:
    assert devices(sized(case, users=users, shown=1)) <= devices(sized(case, users=users + more, shown=1))


@settings(max_examples=8)
@given(
    tpot=st.floats(0.012, 0.1),
    ttft=st.floats(0.2, 4.0),
    looser=st.floats(1.0, 3.0),
    case=st.sampled_from([*CASES]),
)
def test_looser_limits_never_need_more_devices(tpot: float, ttft: float, looser: float, case: str) -> None:
    tight = devices(sized(case, users=150, tpot=tpot, ttft=ttft, shown=1))
    loose = devices(sized(case, users=150, tpot=tpot * looser, ttft=ttft * looser, shown=1))
    assert loose <= tight


def test_one_device_less_would_not_do() -> None:
    """Of the layout that is best, one copy less breaks a limit, or has no room."""
    for case, users in (("dense", 400), ("cards", 900)):
        (one,) = sized(case, users=users, think_time=10.0, shown=1).candidates
        assert one.copies > 1
        fewer = math.ceil(users / (one.copies - 1))
        result = llmperf.estimate(None, **{**one.asked, "users": fewer})
        kept = all(result.value(f"{name}_p90_s") <= limit for name, limit in LIMITS.items())
        assert not kept or result.value("saturated")


def test_the_layout_that_is_chosen_needs_the_fewest_devices_of_all() -> None:
    """Against every layout by itself, each sized alone."""
    best = sized("dense", users=120).best
    assert best is not None
    scenario = resolve(None, {**BASE, **CASES["dense"], "users": 1}).template
    every: Any = layouts(scenario, {})
    alone = [
        devices(sized("dense", users=120, tp=int(tp), pp=int(pp), shown=1))
        for tp, pp in zip(every.tp, every.pp, strict=True)
        if tp * pp <= 8
    ]
    assert best.devices == min(alone)


def test_headroom_is_kept_free() -> None:
    free = sized("dense", users=300, headroom=0.3)
    assert all(one.headroom >= 0.3 - 1e-3 for one in free.candidates)
    assert devices(free) >= devices(sized("dense", users=300))


def test_pessimistic_times_keep_the_limits_too() -> None:
    usual, doubted = sized("dense", users=100), sized("dense", users=100, doubt=slower)
    assert devices(doubted) >= devices(usual)
    for one in doubted.candidates:
        assert one.slower["tpot"] > 1.0
        assert again(one).value("tpot_p90_s") * one.slower["tpot"] <= LIMITS["tpot"]


def test_limits_may_be_on_any_percentile() -> None:
    """Also on one that is no output: its times lie between those of others."""
    found = sized("dense", request_rate=4.0, percentile=95)
    for one in found.candidates:
        p90, p99 = (float(one.answer.value(f"ttft_p{percent}_s")) for percent in (90, 99))
        assert p90 < one.time_s("ttft") < p99
        assert one.time_s("tpot") <= LIMITS["tpot"]
    assert devices(found) >= devices(sized("dense", request_rate=4.0, percentile=50))


def test_what_is_said_of_a_layout_is_kept() -> None:
    found = sized(users=100, tp=4, ep=4)
    assert {(one.copy.layout["tp"], one.copy.layout["ep"]) for one in found.candidates} == {(4, 4)}


def test_layouts_are_those_that_chip_model_and_engine_allow() -> None:
    for keys in CASES.values():
        scenario = resolve(None, {**BASE, **keys, "users": 1}).template
        found: Any = layouts(scenario, {})
        assert found.tp.size
        assert (found.tp <= within(scenario.hardware)).all()
        assert (found.dp == 1).all() or scenario.model.moe is not None
        assert next(divisions.uneven(scenario.model, scenario.weights, scenario.engine, found), None) is None
        for ways in zip(found.tp, found.pp, found.dp, found.ep, strict=True):
            said = dict(zip(("tp", "pp", "dp", "ep"), map(int, ways), strict=True))
            resolve(None, {**BASE, **keys, **said})  # none is refused


def test_a_rank_needs_comparable_prices() -> None:
    reserved = {"extends": "h200-sxm", "rent_kind": "reserved"}
    apart = sized("dense", users=50, hardware=["h100-sxm", reserved])
    assert apart.by == "devices"
    assert "different kinds" in apart.notes[0]
    unknown = {"extends": "mi300x", "rent": None, "rent_kind": None, "rent_date": None}
    missing = sized("dense", users=50, hardware=["h100-sxm", unknown])
    assert missing.by == "devices"
    assert "mi300x" in missing.notes[0]
    assert sized("dense", users=50, hardware=["h100-sxm", "h200-sxm"]).by == "usd_per_month"
    rents = {"h100-sxm": 2.0, "h200-sxm": 9.0}
    own = sized("dense", users=50, hardware=["h100-sxm", "h200-sxm"], rent=rents)
    assert own.by == "usd_per_month"
    months = [one.usd_per_month for one in own.candidates]
    assert months == sorted(months)
    assert own.candidates[0].usd_per_month == pytest.approx(own.candidates[0].devices * 2.0 * 730.5)


def test_a_spare_copy_is_one_copy_more() -> None:
    for one in sized("dense", users=400).candidates:
        assert one.devices_with_spare == one.devices + one.copy.devices


def test_why_nothing_serves() -> None:
    assert "not one request fits" in sized("dense", users=1, tp=1, pp=1, weights="bf16").refused[0].why
    assert "a TPOT of" in sized("dense", users=1, tpot=1e-4).refused[0].why
    assert "more than 2 devices" in sized("dense", users=5000, devices_max=2).refused[0].why


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "does not say how requests come"),
        ({"requests": 100}, "a burst"),
        ({"users": 5, "devices": 8}, "is what size finds"),
        ({"users": 5, "replicas": 2}, "is what size finds"),
        ({"users": 5, "headroom": 1.0}, "no share of 0 or more and below 1"),
        ({"users": 5, "devices_max": 0}, "no devices"),
        ({"users": 5, "speed": "fast"}, "not a quantity of rate"),
        ({"users": 5, "speed": "0 tok/s"}, "no speed of reading"),
        ({"users": 5, "speed": "30 tok/s"}, "stands beside it"),
        ({"users": 5, "percentile": 20}, "percentile"),
        ({"users": 5, "hardware": ["h100-sxm", "h200-sxn"]}, "h200-sxm"),
        ({"users": 5, "hardware": ["h100-sxm"], "rent": {"h200-sxm": 2.0}}, "no hardware that is asked for"),
        ({"users": 5, "weights": ["fp8"] * 9, "hardware": ["h100-sxm"] * 9}, "more than 64 combinations"),
        ({"users": -5}, "users"),
    ],
)
def test_wrong_questions_are_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        sized("dense", **keys)


def test_a_scenario_without_traffic_is_no_question_of_size() -> None:
    with pytest.raises(InputError, match="how many users, or requests"):
        size(None, {**BASE, **CASES["dense"]})


def test_two_pools_are_refused_and_not_sized_as_one() -> None:
    pools = {"prefill": {"parallelism": {"tp": 2}}, "decode": {"parallelism": {"tp": 4}}}
    with pytest.raises(InputError, match="pools: are not sized"):
        size({**BASE, **CASES["dense"], "pools": pools}, {"users": 5})

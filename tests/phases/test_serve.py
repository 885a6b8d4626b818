"""The question `serve`: what holds of every steady state, whatever the engine."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llmperf
from llmperf.errors import InputError
from llmperf.outputs.serving import PERCENTILES

BASE: dict[str, Any] = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "input": 1000, "output": 200}
ENGINES = ("vllm", "sglang", "tensorrt-llm", "vllm-2023", "faster-transformer")
TIMES = ("ttft", "tpot", "itl", "e2e")
MEANS = {"ttft": "ttft_mean_s", "tpot": "tpot_s", "itl": "itl_s", "e2e": "e2e_s"}


def serve(**keys: Any) -> Any:
    return llmperf.serve(**{**BASE, "engine": "vllm", **keys})


WAYS: list[dict[str, Any]] = [
    {"request_rate": 2},
    {"request_rate": 2, "burstiness": 0.5},
    {"concurrency": 24},
    {"concurrency": 24, "requests": 240},
    {"users": 40, "think_time": "10 s"},
    {"requests": 300},
]
SCATTERED = {"traffic.input": {"cv": 0.8}, "traffic.output": {"cv": 1.1}}


# --- every way in which requests come


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("lengths", [{}, SCATTERED], ids=["equal", "scattered"])
def test_percentiles_are_in_order_and_about_the_mean(way: dict[str, Any], engine: str, lengths: dict[str, Any]) -> None:
    found = serve(**way, engine=engine, **lengths)
    for name in TIMES:
        low, middle, high = (found.value(f"{name}_p{percent}_s") for percent in PERCENTILES)
        assert low <= middle * (1 + 1e-9), name
        assert middle <= high * (1 + 1e-9), name
        assert high >= found.value(MEANS[name]) * (1 - 1e-9), name


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("engine", ENGINES)
def test_no_service_beats_its_bound(way: dict[str, Any], engine: str) -> None:
    found = serve(**way, engine=engine)
    for name in MEANS.values():
        assert found.value(f"bound.{name}") <= found.value(name) * (1 + 1e-9), name
    for name in ("requests_per_s", "output_tokens_per_s"):
        assert found.value(name) <= found.value(f"bound.{name}") * (1 + 1e-9), name


@pytest.mark.parametrize("engine", ENGINES)
def test_requests_in_the_service_are_those_that_come_while_one_stays(engine: str) -> None:
    """Little's law, requests that wait for room included."""
    rates = np.array([0.2, 1.0, 2.0])
    found = serve(request_rate=rates, engine=engine)
    inside = found.value("in_flight") + found.value("queued")
    assert inside == pytest.approx(rates * found.value("e2e_s"), rel=0.02)


def test_users_who_think_are_those_who_wait_and_those_who_read() -> None:
    found = serve(users=100, think_time="15 s")
    assert found.value("requests_per_s") * (15.0 + found.value("e2e_s")) == pytest.approx(100, rel=1e-3)


def test_users_who_never_think_are_a_closed_loop() -> None:
    users, loop = serve(users=32), serve(concurrency=32)
    assert users.value("e2e_s") == pytest.approx(loop.value("e2e_s"), rel=0.01)


@pytest.mark.parametrize("engine", ["vllm", "generic"])
def test_a_closed_loop_becomes_a_static_batch_as_outputs_grow(engine: str) -> None:
    """Prompts are ever less of the time, and all that is left are decode steps of the batch."""
    apart = []
    for output in (50, 500, 5000):
        loop = llmperf.serve(**{**BASE, "output": output}, engine=engine, concurrency=16)
        batch = llmperf.estimate(**{**BASE, "output": output}, engine=engine, batch=16)
        apart.append(abs(loop.value("tpot_s") / batch.tpot_s - 1.0))
    assert apart[0] > apart[1] > apart[2]
    assert apart[2] < 0.02


@settings(deadline=None, max_examples=15)
@given(
    rate=st.floats(0.1, 15.0),
    limits=st.lists(st.floats(0.02, 3.0), min_size=2, max_size=2).map(sorted),
    name=st.sampled_from(["ttft", "tpot", "itl", "e2e"]),
)
def test_a_looser_limit_never_lets_fewer_through(rate: float, limits: list[float], name: str) -> None:
    tight, loose = (serve(request_rate=rate, **{name: limit}) for limit in limits)
    assert 0.0 <= tight.value("goodput_per_s") <= loose.value("goodput_per_s") * (1 + 1e-9)
    assert loose.value("goodput_per_s") <= rate * (1 + 1e-9)
    assert tight.value("capacity_per_s") <= loose.value("capacity_per_s") * (1 + 1e-9)


def test_goodput_is_within_limits_what_is_asked_for() -> None:
    found = serve(request_rate=2, ttft="10 s")
    assert found.value("goodput_per_s") == pytest.approx(2.0)
    assert serve(request_rate=2, tpot="1 ms").value("goodput_per_s") < 1e-6


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_at_the_capacity_the_percentile_is_at_its_limit(engine: str) -> None:
    asked = {"tpot": "20 ms", "percentile": 90, "engine": engine}
    most = serve(request_rate=1, **asked).value("capacity_per_s")
    assert serve(request_rate=most, **asked).value("tpot_p90_s") == pytest.approx(20e-3, rel=0.06)


def test_saturation_is_said_with_the_rate_at_which_it_begins() -> None:
    most = serve(request_rate=1).value("saturation_rate_per_s")
    below, above = serve(request_rate=0.98 * most), serve(request_rate=1.02 * most)
    assert not below.value("saturated")
    assert above.value("saturated")
    assert math.isinf(above.value("ttft_mean_s"))
    assert above.value("requests_per_s") == pytest.approx(most, rel=0.01)


# --- arrays, and other orders of magnitude


@pytest.mark.parametrize("lengths", [{}, SCATTERED], ids=["equal", "scattered"])
def test_an_array_of_services_is_its_services(lengths: dict[str, Any]) -> None:
    rates = np.array([0.1, 3.0, 12.0, 100.0])
    together = serve(request_rate=rates, ttft="200 ms", **lengths)
    for place, rate in enumerate(rates.tolist()):
        alone = serve(request_rate=rate, ttft="200 ms", **lengths)
        for path in ("ttft_mean_s", "itl_p99_s", "e2e_p90_s", "in_flight", "goodput_per_s", "bound.e2e_s"):
            assert together.value(path)[place] == pytest.approx(alone.value(path), rel=1e-6), path


def test_a_prepared_service_answers_as_one_that_is_asked() -> None:
    prepared = llmperf.prepare(**BASE, engine="vllm", request_rate=1.0)
    for rate in (0.5, 4.0, 11.0):
        assert prepared(request_rate=rate).value("e2e_p99_s") == pytest.approx(
            serve(request_rate=rate).value("e2e_p99_s")
        )


def test_requests_that_scatter_hold_longer_contexts() -> None:
    """A step meets a request with a weight of its length."""
    equal, scattered = serve(concurrency=32), serve(concurrency=32, **{"traffic.output": {"cv": 1.0}})
    assert scattered.value("itl_p50_s") > equal.value("itl_p50_s")
    assert scattered.value("e2e_p99_s") > 2.0 * equal.value("e2e_p99_s")


def test_what_the_prefix_cache_has_is_not_computed_again() -> None:
    without, half = serve(request_rate=8), serve(request_rate=8, prefix_hit=0.5)
    assert half.value("ttft_mean_s") < without.value("ttft_mean_s")
    assert half.value("saturation_rate_per_s") > 1.2 * without.value("saturation_rate_per_s")
    assert serve(request_rate=8, prefix_hit=0.0).value("ttft_mean_s") == without.value("ttft_mean_s")


# --- schedules of engines


def test_an_engine_that_reserves_holds_fewer_and_never_evicts() -> None:
    keys = {**BASE, "input": 1000, "output": 4000, "concurrency": 10_000}
    grows = llmperf.serve(**keys, engine={"extends": "generic", "admission": "grow"})
    reserves = llmperf.serve(**keys, engine={"extends": "generic", "admission": "reserve_full"})
    assert reserves.value("in_flight") < grows.value("in_flight")
    assert grows.value("preemption_onset") < grows.value("in_flight")
    assert reserves.value("preemption_onset") == pytest.approx(reserves.value("in_flight"))


def test_prompts_that_go_first_hold_every_token_up_for_longer() -> None:
    """Sarathi-Serve: whole prompts before decoding make the tail of the times between tokens; chunks bound it."""
    keys = {**BASE, "input": 8000, "request_rate": 3}
    first, mixed = (
        llmperf.serve(**keys, engine={"extends": "generic", "schedule": schedule, "token_budget": budget})
        for schedule, budget in (("prefill_first", 8192), ("mixed", 512))
    )
    assert first.value("itl_p99_s") > 3.0 * mixed.value("itl_p99_s")


def test_batches_that_end_together_serve_less_than_iterations() -> None:
    """Orca: short answers wait for the longest of their batch."""
    keys = {**BASE, "concurrency": 16, "traffic.output": {"cv": 1.0}}
    static, mixed = (
        llmperf.serve(**keys, engine={"extends": "generic", "schedule": schedule}) for schedule in ("static", "mixed")
    )
    assert static.value("output_tokens_per_s") < 0.7 * mixed.value("output_tokens_per_s")


def test_an_engine_that_schedules_ahead_makes_arrivals_wait_a_step_longer() -> None:
    now, ahead = (
        llmperf.serve(**BASE, request_rate=1, engine={"extends": "generic", "ahead": steps}) for steps in (0, 1)
    )
    step = now.value("tpot_s")
    assert 0.6 * step < ahead.value("ttft_mean_s") - now.value("ttft_mean_s") < 1.1 * step


def test_ranks_that_take_turns_wait_for_the_fullest() -> None:
    """Data-parallel attention steps together; lengths that scatter make ranks uneven, unless the emptiest is chosen."""
    keys = {
        "model": "deepseek-v3",
        "hardware": "dgx-h200",
        "dp": 8,
        "ep": 8,
        "weights": "fp8-block",
        "concurrency": 256,
    }
    found = [
        llmperf.serve(**keys, engine={"extends": "generic", "balances": way}, **{"traffic.output": {"cv": cv}})
        for way, cv in (("least_loaded", 1.0), ("round_robin", 0.0), ("round_robin", 1.0))
    ]
    least, equal, scattered = (one.value("itl_p50_s") for one in found)
    assert scattered > 1.01 * least
    assert equal < scattered


# --- two pools


POOLS: dict[str, Any] = {
    **{key: value for key, value in BASE.items() if key not in ("input", "output")},
    "hardware": "hgx-h100",
    "engine": "vllm",
    "workload": {"input": 4000, "output": 200},
    "traffic": {"request_rate": 10},
    "pools": {"prefill": {"parallelism": {"tp": 2}}, "decode": {"parallelism": {"tp": 2}}},
}


def test_no_prompt_interrupts_the_tokens_of_a_pool_that_decodes() -> None:
    found = llmperf.serve(POOLS)
    both = llmperf.serve({key: value for key, value in POOLS.items() if key != "pools"}, tp=2, replicas=2)
    assert found.value("itl_p99_s") < 0.5 * both.value("itl_p99_s")
    assert found.value("itl_p99_s") < 1.2 * found.value("itl_p50_s")


def test_a_second_worker_doubles_what_a_pool_prefills() -> None:
    more = {**POOLS, "pools": {**POOLS["pools"], "prefill": {"parallelism": {"tp": 2, "replicas": 2}}}}
    one, two = llmperf.serve(POOLS), llmperf.serve(more)
    assert one.value("pool_ratio") == pytest.approx(2.0 * two.value("pool_ratio"))
    assert two.value("saturation_rate_per_s") <= 2.0 * one.value("saturation_rate_per_s") * (1 + 1e-9)
    assert two.value("ttft_mean_s") < one.value("ttft_mean_s")
    assert two.value("cost_per_month_usd") == pytest.approx(1.5 * one.value("cost_per_month_usd"))


def test_pools_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="prefill and decode"):
        llmperf.serve({**POOLS, "pools": {"prefil": {}, "decode": {}}})


# --- traffic that cannot be


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "says nothing of how requests come"),
        ({"request_rate": 1, "users": 3}, "requests come in one way"),
        ({"concurrency": 3, "think_time": "1 s"}, "of whom there are none"),
        ({"concurrency": 3, "burstiness": 0.5}, "it needs a request_rate"),
        ({"request_rate": 0}, "request_rate"),
        ({"request_rate": -1}, "request_rate"),
        ({"request_rate": 1, "traffic.input": {"cv": -1}}, "traffic.input.cv"),
        ({"request_rate": 1, "traffic.input": {"cv": 0.5, "p50": 900, "p90": 100}}, "percentiles are in order"),
        ({"request_rate": 1, "traffic.output": {"p90": 100}}, "lengths with percentiles scatter"),
        ({"request_rate": 1, "traffic.output": {"mean": 100, "cv": 0.1, "p50": 300}}, "than a standard deviation"),
        ({"request_rate": 1, "traffic.ouput": {"cv": 1}}, "output"),
        ({"traffic": "azure-cod", "request_rate": 1}, "azure-code"),
        ({"request_rate": 1, "percentile": 20}, "percentile"),
    ],
    ids=str,
)
def test_traffic_that_cannot_be_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        serve(**keys)

"""Requests that come and go: closed loops, arrivals and waves, one physics for whoever asks."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import llmperf
from llmperf.descriptors.scenario import Scenario
from llmperf.evidence.runs.metrics import Prediction
from llmperf.evidence.runs.prediction import predictions
from llmperf.evidence.runs.run import OfferedLoad
from llmperf.evidence.served import vllm
from llmperf.evidence.served.loops import loops
from llmperf.evidence.served.scenarios import Case
from llmperf.phases.serving.arrivals import open_loop
from llmperf.phases.serving.loop import Loop, closed_loop, room
from llmperf.phases.serving.request import at, interrupted
from llmperf.phases.serving.span import fastest_round, first_token, token, whole_request
from llmperf.phases.serving.waves import waves
from llmperf.scenarios.resolve import resolve

VLLM = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "engine": "vllm"}
OTHERS: list[dict[str, Any]] = [
    VLLM,
    {**VLLM, "parallelism": {"dp": 4}, "hardware": "hgx-h100"},
    {**VLLM, "engine": {"extends": "vllm", "token_budget": 512}},
    {**VLLM, "model": "mixtral-8x7b", "hardware": "hgx-h100", "parallelism": {"tp": 2, "pp": 2}},
    {"model": "qwen3-30b-a3b", "hardware": "h200-sxm", "engine": "sglang", "weights": "fp8"},
]
LENGTHS = [(1024, 256), (4000, 16), (64, 1000), (700, 1)]


def scenario(data: dict[str, Any] = VLLM, **workload: Any) -> Scenario:
    return resolve(data, {"batch": 1, "input": 1024, "output": 256, **workload}).scenario


def number(value: Any) -> float:
    (found,) = np.asarray(value, dtype=float).reshape(-1)
    return float(found)


# --- whoever asks


CROWDS = [(16, 1024, 256), (64, 2048, 256), (128, 512, 512)]


@pytest.mark.parametrize(("flying", "given", "output"), CROWDS)
def test_validate_and_compare_say_the_same_of_a_closed_loop(flying: int, given: int, output: int) -> None:
    proved = loops([Case(VLLM, float(flying), float(given), float(output))])
    asked = scenario(batch=flying, input=given, output=output)
    told = predictions(OfferedLoad("closed", concurrency=flying), asked, {}).found
    for name in ("tpot_s", "output_tokens_per_s", "total_tokens_per_s"):
        found = told[name]
        assert isinstance(found, Prediction)
        assert found.projection == pytest.approx(proved.metric(name, 0), rel=1e-12), name


def test_validate_and_compare_say_the_same_of_arrivals() -> None:
    proved = vllm.steady([Case({**VLLM, "traffic": {"request_rate": 1.0}}, 1.0, 1024.0, 256.0)], np.array([10.0]))
    told = predictions(OfferedLoad("open", rate=10.0), scenario(), {})
    assert told.concurrency == pytest.approx(proved.column("in_flight")[0], rel=1e-9)
    for name in ("ttft_mean_s", "itl_s", "e2e_s"):
        found = told.found[name]
        assert isinstance(found, Prediction)
        assert found.projection == pytest.approx(proved.column(name)[0], rel=1e-9), name


# --- a closed loop


@pytest.mark.parametrize("data", OTHERS, ids=str)
@pytest.mark.parametrize(("given", "output"), LENGTHS[:3])
def test_more_requests_in_flight_never_serve_fewer(data: dict[str, Any], given: int, output: int) -> None:
    """But for 3 %, where what they leave of the token budget cuts prompts into more and smaller chunks."""
    flying = np.array([1.0, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128])
    found = closed_loop(scenario(data, input=given, output=output), flying)
    rate = np.asarray(found.requests_per_s)
    assert (rate >= 0.97 * np.maximum.accumulate(rate)).all()
    assert (np.diff(np.asarray(found.request.e2e)) >= -1e-9).all()


@pytest.mark.parametrize("data", OTHERS, ids=str)
@pytest.mark.parametrize(("given", "output"), LENGTHS)
def test_an_array_of_loops_is_its_loops(data: dict[str, Any], given: int, output: int) -> None:
    flying, rates = np.array([1.0, 3.5, 16.0, 1e9]), np.array([0.01, 0.5, 3.0, 1e9])
    one = scenario(data, input=given, output=output)
    together, arriving = closed_loop(one, flying), open_loop(one, rates)
    for i, (count, rate) in enumerate(zip(flying.tolist(), rates.tolist(), strict=True)):
        alone, arrives = closed_loop(one, count), open_loop(one, rate)
        assert bool(arrives.saturated) == bool(arriving.saturated[i])
        for many, single in ((together, alone), (arriving.loop, arrives.loop)):
            for name in ("step", "prompt", "token", "ttft", "e2e", "steps"):
                value = np.broadcast_to(getattr(many.request, name), flying.shape)[i]
                assert value == pytest.approx(number(getattr(single.request, name)), rel=1e-9), name


def test_lengths_may_be_an_array_too() -> None:
    given, output = np.array([100.0, 1024.0, 5000.0]), np.array([1.0, 256.0, 30.0])
    data = scenario()
    many = replace(data, workload=replace(data.workload, input=given, output=output))
    together = closed_loop(many, 24.0)
    for i in range(3):
        alone = closed_loop(scenario(input=int(given[i]), output=int(output[i])), 24.0)
        assert np.asarray(together.request.e2e)[i] == pytest.approx(number(alone.request.e2e))


@pytest.mark.parametrize("data", OTHERS, ids=str)
@pytest.mark.parametrize(("given", "output"), LENGTHS)
@pytest.mark.parametrize("flying", [8.0, 40.0])
def test_device_time_is_conserved(data: dict[str, Any], given: int, output: int, flying: float) -> None:
    """While one request stays, the device makes its steps and a prompt of each that is in flight."""
    asked = scenario(data, input=given, output=output)
    one, ranks = closed_loop(asked, flying).request, asked.parallelism.dp
    worked = (output - 1.0) * number(one.step) + flying / ranks * number(one.prompt)
    assert worked <= (1.0 + 1e-9) * number(one.e2e)
    assert number(one.token) >= number(one.step)


@pytest.mark.parametrize(("given", "output"), LENGTHS)
def test_a_request_alone_is_a_static_batch_of_one(given: int, output: int) -> None:
    found = closed_loop(scenario(input=given, output=output), 1.0).request
    alone = llmperf.estimate(VLLM, input=given, output=output)
    assert number(found.ttft) == pytest.approx(alone.ttft_s)
    assert number(found.e2e) == pytest.approx(alone.e2e_s)


def test_prompts_of_which_nothing_is_generated_are_a_static_batch() -> None:
    found = closed_loop(scenario(output=1), 12.0)
    assert number(found.request.e2e) == pytest.approx(llmperf.estimate(VLLM, batch=12, input=1024, output=1).ttft_s)


def test_a_prompt_that_joins_a_step_costs_less_than_one_alone() -> None:
    """Both read the weights, which a mixed step does once."""
    found = closed_loop(scenario(input=128), 32.0)
    assert 0.0 < number(found.request.prompt) < 0.7 * number(found.alone.phases["prefill"].projection)


@pytest.mark.parametrize("data", OTHERS, ids=str)
def test_more_bandwidth_is_never_slower(data: dict[str, Any]) -> None:
    slow = scenario(data)
    main = slow.hardware.main
    name = next(key for key, tier in slow.hardware.tiers.items() if tier is main)
    faster = {**slow.hardware.tiers, name: replace(main, bandwidth=1.5 * (main.bandwidth or 0.0))}
    fast = replace(slow, hardware=replace(slow.hardware, tiers=faster))
    flying, rates = np.array([1.0, 8.0, 64.0]), np.array([0.1, 1.0, 4.0])
    for before, after in (
        (closed_loop(slow, flying), closed_loop(fast, flying)),
        (open_loop(slow, rates).loop, open_loop(fast, rates).loop),
    ):
        assert (np.asarray(after.request.e2e) <= np.asarray(before.request.e2e)).all()
        assert (np.asarray(after.request.token) <= np.asarray(before.request.token)).all()


def test_memory_ends_a_loop() -> None:
    data = scenario(input=30_000, output=2000)
    space = number(room(data))
    assert number(at(data, 1.0).parts["memory"].max_batch) <= space < 40
    assert number(closed_loop(data, np.inf).in_flight) == number(closed_loop(data, 1000.0).in_flight) == space


def test_a_simulated_server_takes_as_long_a_token_as_the_closed_form() -> None:
    """Prefills go first, one by one; every decode step gives each running sequence a token."""
    concurrency, step, prompt, output = 12, 0.010, 0.045, 200
    chance = random.Random(7)
    now, waiting, running, per_token = 0.0, concurrency, [], []
    while len(per_token) < 3000:
        while waiting:
            now, waiting = now + prompt, waiting - 1
            running.append([now, chance.randint(output // 2, output * 3 // 2), 1])
        now += step
        for sequence in running:
            sequence[2] += 1
        done = [sequence for sequence in running if sequence[2] == sequence[1]]
        per_token += [((now - begin) / (length - 1), length - 1) for begin, length, _ in done]
        running = [sequence for sequence in running if sequence[2] < sequence[1]]
        waiting += len(done)
    measured = sum(time * tokens for time, tokens in per_token) / sum(tokens for _, tokens in per_token)
    assert measured == pytest.approx(interrupted(step, prompt, concurrency - 1, output - 1), rel=0.01)


# --- arrivals


@pytest.mark.parametrize("data", OTHERS, ids=str)
@pytest.mark.parametrize("flying", [1.0, 4.0, 21.0, 64.0])
def test_arrivals_at_the_rate_of_a_loop_are_one_more_than_they_find(data: dict[str, Any], flying: float) -> None:
    loop = closed_loop(scenario(data), flying)
    found = open_loop(scenario(data), number(loop.requests_per_s)).loop
    ranks = data.get("parallelism", {}).get("dp", 1)  # on each of which an arrival meets those of that rank
    assert 0.98 * flying <= number(found.in_flight) <= 1.02 * flying + 1.5 * ranks
    assert number(found.request.in_flight) == pytest.approx(number(found.in_flight) + ranks, rel=0.01)


def test_arrivals_obey_littles_law() -> None:
    rates = np.array([0.001, 0.1, 1.0, 5.0, 15.0])
    found = open_loop(scenario(), rates)
    assert not found.saturated.any()
    assert np.asarray(found.loop.in_flight) == pytest.approx(rates * found.loop.request.e2e)
    assert (np.diff(np.asarray(found.loop.request.e2e)) >= 0.0).all()


def test_a_rate_that_cannot_be_served_saturates() -> None:
    most = number(closed_loop(scenario(), np.inf).requests_per_s)
    found = open_loop(scenario(), np.array([0.9, 1.1]) * most)
    assert found.saturated.tolist() == [False, True]
    assert np.asarray(found.loop.in_flight)[1] == number(room(scenario()))


def test_a_client_that_limits_what_is_in_flight_makes_a_closed_loop() -> None:
    limited, loop = open_loop(scenario(), 1e6, 5.0), closed_loop(scenario(), 5.0)
    assert not limited.saturated
    assert number(limited.loop.request.e2e) == pytest.approx(number(loop.request.e2e))


# --- waves


def test_a_batch_that_fits_is_one_wave() -> None:
    found = waves(scenario(batch=32))
    assert (found.parts, found.sequences) == (1.0, 32)
    assert number(found.e2e) == pytest.approx(llmperf.estimate(VLLM, batch=32, input=1024, output=256).e2e_s)


def test_a_batch_that_does_not_fit_takes_the_time_of_its_parts() -> None:
    lengths = {"input": 30_000, "output": 500}
    batch = 40.0
    found = waves(scenario(batch=int(batch), **lengths))
    fits = number(found.sequences)
    assert number(found.parts) == np.ceil(batch / fits) > 1.0
    full = llmperf.estimate(VLLM, batch=int(fits), **lengths).e2e_s
    last = llmperf.estimate(VLLM, batch=int(batch - fits * (batch // fits)) or int(fits), **lengths).e2e_s
    assert number(found.e2e) == pytest.approx((number(found.parts) - 1.0) * full + last)


def test_waves_of_an_array_are_those_of_its_batches() -> None:
    data = scenario(input=30_000, output=500)
    sizes = np.array([1.0, 10.0, 40.0, 77.0])
    together = waves(replace(data, workload=replace(data.workload, batch=sizes)))
    for i, size in enumerate(sizes.tolist()):
        alone = waves(replace(data, workload=replace(data.workload, batch=size)))
        assert np.broadcast_to(together.parts, sizes.shape)[i] == number(alone.parts)
        assert np.asarray(together.e2e)[i] == pytest.approx(number(alone.e2e))


@pytest.mark.parametrize("count", [1, 32, 320])
def test_tokens_of_a_burst_fill_the_time_from_the_first_to_the_last(count: int) -> None:
    found = llmperf.serve(VLLM, input=1024, output=256, requests=count)
    assert found.ttft_mean_s + 255 * found.tpot_s == pytest.approx(found.e2e_s)
    assert found.itl_s == pytest.approx(found.tpot_s)  # of equal lengths
    assert found.itl_p50_s <= found.itl_s * (1.0 + 1e-12)
    assert found.tpot_p50_s <= found.tpot_p90_s <= found.tpot_p99_s
    # the last of a batch has its first token when all prompts are through
    whole = llmperf.estimate(VLLM, input=1024, output=256, batch=count)
    assert found.ttft_p99_s == pytest.approx(whole.ttft_s, rel=0.02)
    assert found.ttft_p50_s == pytest.approx(whole.ttft_mean_s)


def test_where_not_even_one_sequence_fits_the_parts_have_no_number() -> None:
    assert number(waves(scenario({**VLLM, "model": "llama-3.1-70b"}, batch=4)).parts) == np.inf


# --- what explains the times


@pytest.mark.parametrize("data", OTHERS, ids=str)
@pytest.mark.parametrize(("given", "output"), LENGTHS)
def test_waits_add_up_to_the_times_that_they_explain(data: dict[str, Any], given: int, output: int) -> None:
    asked = scenario(data, input=given, output=output)
    loop: Loop = closed_loop(asked, np.array([1.0, 1.5, 16.0, 50.0]))
    for part, time in (
        (first_token(loop), loop.request.ttft),
        (token(loop), loop.request.token),
        (whole_request(loop), loop.request.e2e),
    ):
        assert np.asarray(part.projection) == pytest.approx(np.asarray(time))
        assert sum(part.waits.values()) == pytest.approx(np.asarray(time))
    assert (np.asarray(first_token(loop).bound) <= np.asarray(loop.request.ttft)).all()
    least = fastest_round(asked, loop.in_flight)
    assert (np.asarray(least.bound) <= np.asarray(loop.request.e2e)).all()
    assert sum(least.needed.values()) == pytest.approx(np.asarray(least.bound))

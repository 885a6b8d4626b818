"""The exact reference for steady states holds against queues whose answers are known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from phases.des import Job, Server, arrivals, in_flight, simulate
from scipy.linalg import expm
from scipy.optimize import brentq

SECOND = 1.0
QUANTILES = (50.0, 90.0, 99.0)


def rng() -> np.random.Generator:
    return np.random.default_rng(16)


def geometric(mean: float, count: int, random: np.random.Generator) -> list[int]:
    return [int(size) for size in random.geometric(1.0 / mean, count)]


def settled(jobs: list[Job]) -> list[Job]:
    """Without the first and the last: these meet a server that fills or empties."""
    return jobs[len(jobs) // 20 : -len(jobs) // 20]


# --- one request at a time, in the order in which they come


def one_by_one(step: Any) -> Server:
    return Server(step, token_budget=10**9, max_sequences=1)


def waited_less(time: float, load: float) -> float:
    """Crommelin's distribution of the wait in M/D/1; services last one second."""
    terms = [
        (load * (k - time)) ** k / math.factorial(k) * math.exp(load * (time - k)) for k in range(math.floor(time) + 1)
    ]
    return (1.0 - load) * sum(terms)


@pytest.mark.parametrize("load", [0.3, 0.6])
def test_prompts_of_equal_length_wait_as_in_an_m_d_1_queue(load: float) -> None:
    count = 60_000
    jobs = settled(simulate(one_by_one(lambda *_: SECOND), [(100, 1)] * count, arrivals(load, count, rng())))
    waits = [job.ttft - SECOND for job in jobs]
    assert np.mean(waits) == pytest.approx(load / (2.0 * (1.0 - load)), rel=0.04)
    for percent in QUANTILES:
        expected = brentq(lambda time, part=percent: waited_less(time, load) - part / 100.0, -1e-9, 30.0)
        assert np.percentile(waits, percent) == pytest.approx(max(expected, 0.0), rel=0.05, abs=0.03)


@pytest.mark.parametrize("burstiness", [0.5, 1.0, 4.0])
def test_bursts_wait_as_in_a_gi_m_1_queue(burstiness: float) -> None:
    """The time in the system is exponential, of a rate that follows from the transform of times between arrivals."""
    load, count, mean, random = 0.6, 50_000, 1000.0, rng()
    sizes = [(size, 1) for size in geometric(mean, count, random)]
    server = one_by_one(lambda _n, _context, prompt: prompt / mean)
    jobs = settled(simulate(server, sizes, arrivals(load, count, random, burstiness)))
    busy = brentq(lambda x: (1.0 + (1.0 - x) / (burstiness * load)) ** -burstiness - x, 0.0, 1.0 - 1e-6)
    for percent in QUANTILES:
        expected = -math.log(1.0 - percent / 100.0) / (1.0 - busy)
        assert np.percentile([job.e2e for job in jobs], percent) == pytest.approx(expected, rel=0.06)


# --- all at once, the device shared among them

TOKENS = 40.0
"""Of an answer on average, of 1/40 second each where nobody else is there."""


def sharing(**keys: Any) -> Server:
    return Server(lambda decoding, _context, prompt: (decoding + prompt) / TOKENS, max_sequences=10**6, **keys)


def stays_longer(time: float, load: float, most: int = 120) -> float:
    """Share of requests in M/M/1-PS that stay longer than a time, of the chain of how many others there are."""
    others = np.arange(most)
    chain = np.diag(np.full(most - 1, load), 1) + np.diag(others[1:] / (others[1:] + 1.0), -1)
    chain -= np.diag(chain.sum(axis=1) + 1.0 / (others + 1.0))
    return float((1.0 - load) * load**others @ expm(time * chain) @ np.ones(most))


def test_answers_that_share_a_device_stay_as_in_an_m_m_1_ps_queue() -> None:
    load, count, random = 0.5, 12_000, rng()
    sizes = [(1, size) for size in geometric(TOKENS, count, random)]
    jobs = settled(simulate(sharing(), sizes, arrivals(load, count, random)))
    stays = [job.e2e for job in jobs]
    assert np.mean(stays) == pytest.approx(1.0 / (1.0 - load), rel=0.05)
    assert in_flight(jobs, jobs[0].arrival, jobs[-1].arrival) == pytest.approx(load / (1.0 - load), rel=0.05)
    for percent in QUANTILES:
        expected = brentq(lambda time, part=percent: stays_longer(time, load) - 1.0 + part / 100.0, 0.01, 60.0)
        assert np.percentile(stays, percent) == pytest.approx(expected, rel=0.08)


def test_users_that_think_are_served_as_mean_value_analysis_says() -> None:
    users, think, random = 6, 4.0, rng()
    sizes = [(1, size) for size in geometric(TOKENS, 6_000, random)]
    jobs = simulate(sharing(), sizes, concurrency=users, think=lambda: float(random.exponential(think)))
    queue = rate = 0.0
    for number in range(1, users + 1):
        stay = 1.0 + queue
        rate = number / (think + stay)
        queue = rate * stay
    some = settled(jobs)
    assert np.mean([job.e2e for job in some]) == pytest.approx(queue / rate, rel=0.04)
    assert in_flight(jobs, some[0].arrival, some[-1].arrival) == pytest.approx(queue, rel=0.04)


# --- what the engine decides


def costs(decoding: int, context: float, prompt: int) -> float:
    return 1.0 + 0.01 * decoding + 1e-5 * decoding * context + 0.01 * prompt


def crowd(**keys: Any) -> list[Job]:
    server = Server(costs, **{"token_budget": 128, "max_sequences": 8, **keys})
    return simulate(server, [(500, 20 + number % 30) for number in range(80)], concurrency=16)


def test_a_prompt_that_joins_in_chunks_stops_nobody_for_longer_than_a_chunk_takes() -> None:
    longest = max(max(job.itl) for job in crowd())
    alone = max(max(job.itl) for job in crowd(schedule="prefill_first"))
    assert longest <= costs(8, 550, 128)
    assert alone >= costs(0, 0.0, 500) + costs(7, 0.0, 0)


def test_a_static_batch_is_answered_as_a_whole_before_the_next_begins() -> None:
    jobs = crowd(schedule="static")
    ends = sorted({job.done for job in jobs})
    assert len(ends) == len(jobs) / 8
    for end in ends:
        batch = [job for job in jobs if job.done == end]
        assert len(batch) == 8
        assert max(job.emitted[-1] for job in batch) == end
    assert jobs[-1].done > crowd()[-1].done


def test_an_engine_that_reserves_evicts_nobody_and_one_that_admits_by_need_has_more_in_flight() -> None:
    reserved = crowd(blocks=100, admission="reserve_full")
    grown = crowd(blocks=100)
    assert sum(job.evictions for job in reserved) == 0
    assert sum(job.evictions for job in grown) > 0
    assert all(len(job.emitted) == job.output for job in grown)
    assert reserved[-1].done > crowd()[-1].done


def test_prompts_that_join_rarely_wait_longer_and_disturb_less() -> None:
    rarely, always = crowd(prefill_interval=4), crowd()
    assert np.mean([job.ttft for job in rarely]) > np.mean([job.ttft for job in always])
    assert np.median([gap for job in rarely for gap in job.itl]) < np.median([gap for job in always for gap in job.itl])


def test_a_request_alone_takes_its_chunks_and_its_tokens() -> None:
    (job,) = simulate(Server(costs, token_budget=128), [(300, 3)])
    prompt = costs(0, 0.0, 128) + costs(0, 0.0, 128) + costs(0, 0.0, 44)
    assert job.ttft == pytest.approx(prompt)
    assert job.e2e == pytest.approx(prompt + costs(1, 301, 0) + costs(1, 302, 0))
    assert job.tpot == pytest.approx((job.e2e - job.ttft) / 2)


def test_what_never_fits_is_said() -> None:
    with pytest.raises(ValueError, match="not even one"):
        simulate(Server(costs, blocks=10), [(500, 20)])

"""Times between tokens: closed forms against the event-by-event reference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from phases.des import Server, arrivals, in_flight, simulate
from scipy.stats import lognorm, norm

from llmperf.descriptors.traffic import Lengths, Traffic
from llmperf.phases.serving.gaps import Gaps, gaps, longer, normal_above
from llmperf.phases.serving.request import Request
from llmperf.scenarios.resolve import resolve

STEP, SEQUENCE, TOKEN = 0.03, 2e-4, 1.8e-4
"""Of a step, of a sequence that decodes in it, and of a prompt token. [s]"""


def took(decoding: int, _context: float, prompt: int) -> float:
    return STEP + SEQUENCE * decoding + TOKEN * prompt


def lengths(mean: float, cv: float, count: int, random: np.random.Generator) -> list[int]:
    spread = np.log(1.0 + cv**2)
    found = random.lognormal(np.log(mean) - spread / 2.0, np.sqrt(spread), count)
    return [max(round(one), 1) for one in found]


CASES = [  # token budget, arrivals a second, prompt and its scatter, output and its scatter
    (512, 1.0, 2123, 0.94, 456, 0.63),
    (1024, 1.0, 2123, 0.94, 456, 0.63),
    (8192, 1.0, 2123, 0.94, 456, 0.63),
    (8192, 0.5, 2123, 0.94, 456, 0.63),
    (8192, 3.0, 1000, 0.0, 200, 0.0),
    (8192, 4.0, 300, 1.5, 200, 0.8),
]


@pytest.mark.parametrize("schedule", ["mixed", "prefill_first"])
@pytest.mark.parametrize("case", CASES)
def test_gaps_are_those_of_the_reference(case: tuple[float, ...], schedule: str) -> None:
    """The same steps, prompts and requests in flight: only how they fall together differs."""
    budget, rate, given, given_cv, taken, taken_cv = case
    random, count = np.random.default_rng(16), 1200
    sizes = list(zip(lengths(given, given_cv, count, random), lengths(taken, taken_cv, count, random), strict=True))
    server = Server(took, token_budget=int(budget), max_sequences=2000, schedule=schedule)
    jobs = simulate(server, sizes, arrivals(rate, count, random))
    some = jobs[count // 8 : -count // 8]
    seen = np.concatenate([job.itl for job in some])
    found = known(
        schedule, int(budget), given, given_cv, in_flight(jobs, some[0].arrival, some[-1].arrival), seen.mean()
    )
    for percent, allowed in ((50, 0.1), (99, 0.25)):
        assert found.percentile(percent) == pytest.approx(np.percentile(seen, percent), rel=allowed), percent
    limit = 1.02 * np.percentile(seen, 99)  # of full steps, all are about as long
    assert found.within(limit) == pytest.approx(0.99, abs=0.0101)


def known(schedule: str, budget: int, given: float, cv: float, flying: float, mean: float) -> Gaps:
    """Gaps of a request whose means are those that the reference has shown."""
    engine = {"extends": "generic", "schedule": schedule, "token_budget": budget}
    asked = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "engine": engine, "workload": {"input": int(given)}}
    scenario = replace(resolve(asked, {}).scenario, traffic=Traffic(request_rate=1.0, input=Lengths(cv=cv)))
    prompt = TOKEN * given + (STEP if schedule == "prefill_first" else 0.0)
    times = {"step": STEP + SEQUENCE * flying, "token": mean, "prompt": prompt, "in_flight": flying}
    rest: Any = dict.fromkeys(("own", "ttft", "e2e", "chunks", "arriving", "crowd"), 1.0)
    rest["steps"] = scenario.workload.output - 1.0  # all that are there decode
    return gaps(scenario, Request(**times, **rest))


def test_a_chunk_is_the_longest_that_a_mixed_step_waits_for() -> None:
    found = known("mixed", 512, 4000.0, 1.0, 12.0, 0.06)
    assert found.percentile(99) == pytest.approx(STEP + SEQUENCE * 12 + TOKEN * 500)
    assert found.within(found.percentile(99)) == 1.0


def test_gaps_without_prompts_are_steps() -> None:
    found = known("mixed", 8192, 1000.0, 0.5, 10.0, STEP + SEQUENCE * 10)
    assert [found.percentile(percent) for percent in (50, 90, 99)] == pytest.approx([STEP + SEQUENCE * 10] * 3)


@pytest.mark.parametrize("schedule", ["mixed", "prefill_first"])
def test_shares_and_percentiles_of_gaps_agree(schedule: str) -> None:
    found = known(schedule, 4096, 1500.0, 0.8, 20.0, 0.055)
    assert found.percentile(99) > found.percentile(50) == found.step  # most gaps are steps without prompts
    assert found.within(found.percentile(50)) == pytest.approx(1.0 - found.some - found.spilled, abs=1e-3)
    assert found.within(found.percentile(99)) == pytest.approx(0.99, abs=1e-3)
    limits = np.linspace(0.01, 2.0, 200)
    assert np.all(np.diff([found.within(limit) for limit in limits]) >= 0.0)


def test_approximations_of_the_normal_distribution_are_close() -> None:
    for share in (1e-6, 0.003, 0.2, 0.5, 0.7, 0.999):
        assert normal_above(share) == pytest.approx(norm.isf(share), abs=5e-4)
    for value in (0.3, 1.0, 2.0, 7.0):
        assert longer(1.5, 0.6, value) == pytest.approx(lognorm.sf(value, 0.6, scale=1.5), abs=5e-4)

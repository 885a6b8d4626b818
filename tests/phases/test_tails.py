"""Closed forms of a service beside a server that is simulated event by event, from the same step times."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from llmperf.descriptors.scenario import Scenario
from llmperf.phases.estimate import evaluate
from llmperf.phases.mixed import mixed
from llmperf.phases.serving.serve import evaluate as serve
from llmperf.scenarios.resolve import resolve
from tests.phases.des import Server, StepTime, arrivals, simulate

PLAIN: dict[str, Any] = {"extends": "generic", "request_time": 0, "step_time": 0}
INPUT, OUTPUT, COUNT = 1024, 256, 1500
BATCHES, CONTEXTS = np.array([1.0, 2, 4, 8, 16, 32, 64, 128, 256]), np.array([64.0, 1024, 2048, 4096])
PROMPTS = np.array([1.0, 256, 1024, 2048, 4096, 8192])
MEANS = {"ttft": "ttft_mean_s", "tpot": "tpot_s", "itl": "itl_s", "e2e": "e2e_s"}


def scenario(**keys: Any) -> Scenario:
    data = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "engine": PLAIN}
    return resolve({**data, **keys}, {"input": INPUT, "output": OUTPUT}).template


@cache
def step_time() -> StepTime:
    """Steps as they are priced, between points of a grid."""
    batch, context = (part.ravel() for part in np.meshgrid(BATCHES, CONTEXTS))
    found = evaluate(resolve(None, {**_keys(), "batch": batch, "input": context, "output": 2}).scenario)
    decoding = np.asarray(found.phases["decode"].projection).reshape(len(CONTEXTS), len(BATCHES))
    batch, tokens = (part.ravel() for part in np.meshgrid(BATCHES, PROMPTS))
    found = evaluate(resolve(None, {**_keys(), "batch": batch, "input": tokens, "output": 2}).scenario)
    with_prompt = mixed(found.setup, found.placed, 1.0).projection
    added = np.asarray(with_prompt - found.phases["decode"].projection).reshape(len(PROMPTS), len(BATCHES))
    alone = np.asarray(
        evaluate(resolve(None, {**_keys(), "batch": 1, "input": PROMPTS}).scenario).phases["prefill"].projection
    )

    def step(sequences: int, length: float, prompt: int) -> float:
        if not sequences:
            return float(np.interp(prompt, PROMPTS, alone))
        place = float(np.interp(sequences, BATCHES, np.arange(len(BATCHES))))
        low, part = int(place), place - int(place)
        high = min(low + 1, len(BATCHES) - 1)
        time = (1 - part) * np.interp(length, CONTEXTS, decoding[:, low])
        time += part * np.interp(length, CONTEXTS, decoding[:, high])
        if prompt:
            time += (1 - part) * np.interp(prompt, PROMPTS, added[:, low])
            time += part * np.interp(prompt, PROMPTS, added[:, high])
        return float(time)

    return step


def _keys() -> dict[str, Any]:
    return {"model": "llama-3.1-8b", "hardware": "h100-sxm", "engine": PLAIN}


def lengths(cv: float, mean: int, chance: np.random.Generator) -> list[int]:
    if not cv:
        return [mean] * COUNT
    spread = np.log1p(cv**2)
    found = np.rint(chance.lognormal(np.log(mean) - spread / 2, np.sqrt(spread), COUNT))
    return np.maximum(np.rint(found * mean / found.mean()), 2).astype(int).tolist()


def simulated(traffic: dict[str, Any], cv: tuple[float, float], schedule: str) -> dict[str, Any]:
    chance = np.random.default_rng(5)
    sizes = list(zip(lengths(cv[0], INPUT, chance), lengths(cv[1], OUTPUT, chance), strict=True))
    server = Server(step_time(), schedule=schedule)
    if "request_rate" in traffic:
        times = np.array(arrivals(traffic["request_rate"], COUNT, chance, traffic.get("burstiness", 1.0)))
        times *= COUNT / traffic["request_rate"] / times[-1]  # chance is not to change the load
        jobs = simulate(server, sizes, times.tolist())
    else:
        jobs = simulate(server, sizes, (), traffic["users"], lambda: chance.exponential(traffic["think_time"]))
    steady = jobs[COUNT // 5 : -COUNT // 5]
    taken = {name: np.array([getattr(job, name) for job in steady]) for name in ("ttft", "tpot", "e2e")}
    taken["itl"] = np.concatenate([job.itl for job in steady])
    return taken


CASES: list[tuple[dict[str, Any], tuple[float, float], str]] = [
    ({"request_rate": 5.0}, (0.0, 0.0), "mixed"),
    ({"request_rate": 14.0}, (0.0, 0.0), "mixed"),
    ({"request_rate": 9.0}, (0.0, 0.0), "prefill_first"),
    ({"request_rate": 9.0}, (0.7, 1.0), "mixed"),
    ({"users": 200, "think_time": 10.0}, (0.0, 0.0), "mixed"),
]


@pytest.mark.parametrize(("traffic", "cv", "schedule"), CASES, ids=str)
def test_a_service_is_that_of_a_simulated_server(
    traffic: dict[str, Any], cv: tuple[float, float], schedule: str
) -> None:
    """Up to some 60 % of saturation: means to 10 %, medians and 90 % to 20 %, the last hundredth to 35 %."""
    expected = simulated(traffic, cv, schedule)
    scatter = {"input": {"cv": cv[0]}, "output": {"cv": cv[1]}}
    found = serve(scenario(engine={**PLAIN, "schedule": schedule}, traffic={**traffic, **scatter}))
    times = found.parts["projection"]
    for name, mean in MEANS.items():
        assert float(np.ravel(times.of(mean))[0]) == pytest.approx(expected[name].mean(), rel=0.1), name
        for percent, near in ((50, 0.2), (90, 0.2), (99, 0.35)):
            closed = float(np.ravel(times.of(f"{name}_p{percent}_s"))[0])
            assert closed == pytest.approx(np.percentile(expected[name], percent), rel=near), (name, percent)


def test_arrivals_in_bursts_wait_longer_as_they_do_in_a_simulation() -> None:
    """Half of the effect on the first token at least, and on its sign."""
    even, bursts = (simulated({"request_rate": 8.0, "burstiness": shape}, (0.0, 0.0), "mixed") for shape in (1.0, 0.5))
    closed = [
        float(
            np.ravel(
                serve(scenario(traffic={"request_rate": 8.0, "burstiness": shape})).parts["projection"].ttft_mean_s
            )[0]
        )
        for shape in (1.0, 0.5)
    ]
    longer = bursts["ttft"].mean() - even["ttft"].mean()
    assert 0.4 * longer < closed[1] - closed[0] < 1.2 * longer

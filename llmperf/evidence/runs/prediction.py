"""What a load on a scenario should measure: static batches, and loops whose steady state they make up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.evidence.runs.run import Load
from llmperf.phases.answered import Evaluated
from llmperf.phases.bounds import demands
from llmperf.phases.closed_loop import closed_loop
from llmperf.phases.estimate import evaluate
from llmperf.phases.placement import transfers
from llmperf.resources import resource_of

OTHERS = "prefill of other prompts"
"""Key of `explained_by`: what decoding waits for in a loop."""
UNSTEADY = "arrivals that follow a trace or a ramp have no steady state"
ITERATIONS = 64
"""Most rounds of Little's law: it has converged, or filled the memory, long before."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Bound and projection of one metric, what explains the gap between them, and what is left out."""

    bound: float
    projection: float
    explained_by: Mapping[str, float]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions by metric, or why there is none; requests in flight; and what holds for all of them."""

    found: Mapping[str, Prediction | str]
    concurrency: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time: its bound and projection, and what each resource takes of them. [s]"""

    bound: float
    projection: float
    waits: Mapping[str, float]
    needed: Mapping[str, float]

    def __add__(self, other: Span) -> Span:
        """One after the other."""
        return Span(
            self.bound + other.bound,
            self.projection + other.projection,
            _sum(self.waits, other.waits),
            _sum(self.needed, other.needed),
        )

    def __mul__(self, times: float) -> Span:
        """So many times."""
        return Span(
            self.bound * times,
            self.projection * times,
            {name: value * times for name, value in self.waits.items()},
            {name: value * times for name, value in self.needed.items()},
        )

    def bounded(self, by: Span) -> Span:
        """The same projection with another bound."""
        return replace(self, bound=by.bound, needed=by.needed)

    def gap(self) -> dict[str, float]:
        """Shares of what the projection has beyond the bound, the largest first. [1]

        The resource that the bound waits for explains only what it takes beyond the bound.
        """
        beyond = {name: value - self.needed.get(name, 0.0) for name, value in self.waits.items()}
        beyond = {name: beyond[name] for name in sorted(beyond, key=lambda key: -beyond[key]) if beyond[name] > 0.0}
        whole = sum(beyond.values())
        return {name: value / whole for name, value in beyond.items()}

    def time(self, note: str = "") -> Prediction:
        """As a time."""
        return Prediction(self.bound, self.projection, self.gap(), note)

    def rate(self, work: float) -> Prediction:
        """As a rate of `work` done in it."""
        return Prediction(work / self.bound, work / self.projection, self.gap())


def _sum(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, float]:
    return {name: a.get(name, 0.0) + b.get(name, 0.0) for name in {**a, **b}}


def _number(value: Any) -> float:
    return float(np.asarray(value, dtype=float).reshape(-1)[0])


def _at(scenario: Scenario, batch: int) -> Evaluated:
    return evaluate(replace(scenario, workload=replace(scenario.workload, batch=batch)))


def span(part: Evaluated, phase: str) -> Span:
    """Prefill of the whole batch, or one decode step of it."""
    found = part.phases[phase]
    bound, projection = _number(found.bound), _number(found.projection)
    waits = {name: _number(value) for name, value in found.waits.items()}
    moved = transfers(part.setup.scenario, part.placed, found.costs)
    times = demands(part.setup, found.costs, moved, part.placed.elsewhere, _number(found.steps))
    busiest = resource_of(max(times, key=lambda name: _number(times[name].busiest)))
    # parts of an operator overlap: their sum is brought to the time that they make together
    scale = projection / sum(waits.values())
    return Span(bound, projection, {name: value * scale for name, value in waits.items()}, {busiest: bound})


def predictions(load: Load, scenario: Scenario, measured: Mapping[str, float], fixed: bool = False) -> Predictions:
    """Everything that can be said of a load.

    Parameters
    ----------
    load : Load
    scenario : Scenario
        Scalars only; `workload.batch` is the batch, or the requests in flight.
    measured : dict of str to float
        By metric, SI units: latency and throughput tell how many requests were in flight and how many decoded.
    fixed : bool
        Whether `workload.batch` holds for an open loop, too, instead of Little's law.
    """
    batch = float(scenario.workload.batch)
    if load.kind == "static":
        return _static(scenario)
    if load.kind == "unsteady":
        return Predictions(dict.fromkeys(measured, UNSTEADY), batch)
    if load.kind == "open" and not fixed:
        return _open(load, scenario, measured)
    return _loop(scenario, measured, batch, load.requests if load.kind == "burst" else None)


def _static(scenario: Scenario) -> Predictions:
    work = scenario.workload
    part = evaluate(scenario)
    prompts, step = span(part, "prefill"), span(part, "decode")
    found: dict[str, Prediction | str] = {
        "e2e_s": (prompts + step * (work.output - 1.0)).time(),
        "prompt_tokens_per_s": prompts.rate(work.batch * _number(part.setup.new_tokens)),
        "decode_tokens_per_s": step.rate(work.batch),
    }
    return Predictions(found, work.batch, _capacity(part))


def _capacity(part: Evaluated) -> tuple[str, ...]:
    if np.all(part.parts["memory"].fits):
        return ()
    return ("by this model the workload does not fit the memory; the predictions assume that it did",)


def _open(load: Load, scenario: Scenario, measured: Mapping[str, float]) -> Predictions:
    """Arrivals at a rate: Little's law gives the requests in flight."""
    rate = load.rate or 0.0
    limit = load.concurrency or math.inf
    latency = _latency(scenario, measured)
    notes = []
    if latency is None:
        flying, full = _steady(rate, limit, scenario)
        source = "the projected"
        if full:
            notes.append(f"the projection cannot serve {rate:g} requests/s: they queue")
    else:
        flying, source = min(1.0 + rate * latency, limit), "the measured"
    notes.append(
        f"open loop: with {source} end-to-end time, a request that arrives finds {flying - 1.0:.3g} others in flight "
        "(Little's law)"
    )
    loop = _loop(scenario, measured, flying, None)
    why = f"an open loop delivers what arrives, {rate:g} requests/s"
    came = measured.get("requests_per_s", rate)
    if came < 0.9 * rate:
        why += f"; here {came:.3g}: it was overloaded, limited, or too short to be steady"
    found = {key: why if key.endswith("_per_s") else value for key, value in loop.found.items()}
    return Predictions(found, loop.concurrency, (*notes, *loop.notes))


def _latency(scenario: Scenario, measured: Mapping[str, float]) -> float | None:
    """Measured end-to-end time, or that which TTFT and TPOT make."""
    if "e2e_s" in measured:
        return measured["e2e_s"]
    if "ttft_mean_s" in measured and "tpot_s" in measured:
        return measured["ttft_mean_s"] + (scenario.workload.output - 1.0) * measured["tpot_s"]
    return None


def _steady(rate: float, limit: float, scenario: Scenario) -> tuple[float, bool]:
    """Requests in flight of which each arrival is one, as a fixed point; and whether it is the memory that ends it."""
    most = max(_number(_at(scenario, 1).parts["memory"].max_batch), 1.0)
    flying = 1.0
    for _ in range(ITERATIONS):
        before, flying = flying, min(1.0 + rate * _times(scenario, flying)[2].projection, limit, most)
        if abs(flying - before) < 1e-3 * before:
            break
    return flying, flying == most < limit


def _copies(scenario: Scenario) -> int:
    """Ranks that serve sequences of their own."""
    return int(scenario.parallelism.dp * scenario.parallelism.replicas)


def _interrupted(step: Span, token: float) -> Span:
    """A decode step that takes `token` seconds with the prefills of others in between."""
    return Span(step.bound, token, {**step.waits, OTHERS: max(token - step.projection, 0.0)}, step.needed)


def _times(scenario: Scenario, flying: float) -> tuple[Span, Span, Span, Evaluated]:
    """Prefill of one prompt, a decode step, and a whole request; and the batch of all that are in flight."""
    each = max(flying / _copies(scenario), 1.0)
    crowd = _at(scenario, max(1, round(flying)))
    prompt, step = span(_at(scenario, 1), "prefill"), span(crowd, "decode")
    held = prompt.projection
    if scenario.parallelism.pp > 1:  # prompts follow each other: decoding waits for one stage, not for all
        held = min(held, _number(crowd.phases["prefill"].projection) / each)
    output = float(scenario.workload.output)
    token = _interrupted(step, float(closed_loop(each, step.projection, held, output)))
    return prompt, step, prompt + token * (output - 1.0), crowd


def _loop(scenario: Scenario, measured: Mapping[str, float], flying: float, at_once: float | None) -> Predictions:
    """So many requests in flight, replaced as they complete; `at_once` of them come at the beginning."""
    work, notes = scenario.workload, []
    most = _number(_at(scenario, 1).parts["memory"].max_batch)
    if flying > most >= 1.0:
        notes.append(f"the memory holds {most:.4g} such requests by this model: {flying:.4g} in flight queue for it")
        flying = most
    prompt, step, request, crowd = _times(scenario, flying)
    first, note = prompt, ""
    together = _first_tokens(crowd)
    if at_once is not None and flying >= at_once > 1.0:
        first, note = together, "all prompts come at once: the mean over them"
    elif flying > 1.0:
        note = "one prompt alone: queueing is not modelled; "
        note += f"the mean would be {together.projection:.3g} s if {flying:.3g} prompts came at once"
    decoding = _decoding(scenario, measured, flying)
    least = span(_at(scenario, decoding), "decode")
    tokens = max(work.output - 1.0, 1.0)
    token = _interrupted(step, (request.projection - first.projection) / tokens).bounded(least)
    shared = _round(scenario, crowd, request, flying)
    few = f"the bound is that of the {decoding} sequences that decode" if decoding < round(flying) else ""
    found: dict[str, Prediction | str] = {
        "ttft_mean_s": first.time(note),
        "tpot_s": token.time(few),
        "itl_s": token.time(few),
        "e2e_s": request.bounded(prompt + least * (work.output - 1.0)).time(),
        "requests_per_s": shared.rate(flying),
        "output_tokens_per_s": shared.rate(flying * work.output),
        "total_tokens_per_s": shared.rate(flying * (work.input + work.output)),
    }
    if work.output == 1:
        found |= dict.fromkeys(("tpot_s", "itl_s"), "a request has one token only")
    return Predictions(found, flying, (*notes, *_capacity(crowd)))


def _first_tokens(crowd: Evaluated) -> Span:
    """Mean time to the first token of a batch whose prompts come at once."""
    prompts = span(crowd, "prefill")
    mean, _, bound = (_number(value) for value in crowd.phases["prefill"].mean)
    scaled = prompts * (mean / prompts.projection)
    return replace(scaled, bound=bound, needed=dict.fromkeys(scaled.needed, bound))


def _decoding(scenario: Scenario, measured: Mapping[str, float], flying: float) -> int:
    """Sequences that decoded on average, rounded down to whole ones a rank; one a rank where that is unknown.

    Little's law for decoding alone: tokens a second times the time of a token. A server may hold requests back, so
    that fewer decode than are in flight, and a token can beat the bound that all of them would have.
    """
    copies, output = _copies(scenario), float(scenario.workload.output)
    rate = measured.get("output_tokens_per_s")
    token = measured.get("tpot_s", measured.get("itl_s"))
    if rate is None or token is None:
        return copies
    mean = min(rate * token * (output - 1.0) / output, flying)
    return max(int(mean // copies), 1) * copies


def _round(scenario: Scenario, crowd: Evaluated, request: Span, flying: float) -> Span:
    """The time in which as many requests complete as are in flight.

    Its bound is the longest of three: one request alone; all prompts; all decode steps. These need not add up:
    prefills of some requests may use what decode steps of others leave of a resource.
    """
    alone, tokens = _at(scenario, 1), scenario.workload.output - 1.0
    one = span(alone, "prefill") + span(alone, "decode") * tokens
    longest = max((one, span(crowd, "prefill"), span(crowd, "decode") * tokens), key=lambda part: part.bound)
    copies = _copies(scenario)
    # what is bounded is the fullest rank: others may have one sequence less
    even = flying / (math.ceil(flying / copies) * copies)
    return request.bounded(replace(longest, bound=longest.bound * even))

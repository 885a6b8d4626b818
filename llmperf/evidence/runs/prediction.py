"""What a load on a scenario should measure: static batches, and loops whose steady state they make up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.evidence.runs.run import OfferedLoad
from llmperf.numeric import Real, most
from llmperf.phases.answered import Evaluated
from llmperf.phases.serving.arrivals import open_loop
from llmperf.phases.serving.loop import Loop, closed_loop
from llmperf.phases.serving.request import at, ranks
from llmperf.phases.serving.span import OTHERS, Span, fastest_round, first_token, span, token, whole_request
from llmperf.phases.serving.waves import waves

UNSTEADY = "arrivals that follow a trace or a ramp have no steady state"
NO_ROOM = "by this model the workload does not fit the memory; the predictions assume that it did"


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


def _time(part: Span, note: str = "") -> Prediction:
    return Prediction(_number(part.bound), _number(part.projection), _explained(part), note)


def _rate(part: Span, work: Real) -> Prediction:
    """As a rate of `work` done in it."""
    return Prediction(_number(work / part.bound), _number(work / part.projection), _explained(part))


def _explained(part: Span) -> dict[str, float]:
    """Shares of the gap between bound and projection, the largest first. [1]"""
    shares = {name: _number(share) for name, share in part.gap().items()}
    return {name: shares[name] for name in sorted(shares, key=lambda key: -shares[key]) if shares[name] > 0.0}


def _number(value: Any) -> float:
    return float(np.asarray(value, dtype=float).reshape(-1)[0])


def predictions(
    load: OfferedLoad, scenario: Scenario, measured: Mapping[str, float], fixed: bool = False
) -> Predictions:
    """Everything that can be said of a load.

    Parameters
    ----------
    load : OfferedLoad
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
    work, run = scenario.workload, waves(scenario)
    prompts, step = span(run.part, "prefill"), span(run.part, "decode")
    notes: tuple[str, ...] = ()
    whole = prompts + step * (work.output - 1.0)
    if not np.isfinite(_number(run.parts)):
        notes = (NO_ROOM,)
    elif _number(run.parts) > 1.0:
        fastest = span(run.whole, "prefill") + span(run.whole, "decode") * (work.output - 1.0)
        whole = whole.lasting(run.e2e).bounded(fastest)
        notes = (f"by this model the batch does not fit the memory: it runs in {_number(run.parts):.0f} parts",)
    found: dict[str, Prediction | str] = {
        "e2e_s": _time(whole),
        "prompt_tokens_per_s": _rate(prompts, run.sequences * run.part.setup.new_tokens),
        "decode_tokens_per_s": _rate(step, run.sequences),
    }
    return Predictions(found, work.batch, notes)


def _open(load: OfferedLoad, scenario: Scenario, measured: Mapping[str, float]) -> Predictions:
    """Arrivals at a rate: Little's law gives the requests in flight."""
    rate = load.rate or 0.0
    limit = load.concurrency or math.inf
    latency = _latency(scenario, measured)
    notes = []
    if latency is None:
        arrivals = open_loop(scenario, rate, limit)
        state, source = arrivals.loop, "the projected"
        if np.any(arrivals.saturated):
            notes.append(f"the projection cannot serve {rate:g} requests/s: they queue")
    else:
        state, source = closed_loop(scenario, min(max(rate * latency, 1.0), limit)), "the measured"
    flying = rate * latency if latency is not None else _number(state.in_flight)
    notes.append(f"open loop: with {source} end-to-end time, {min(flying, limit):.3g} are in flight (Little's law)")
    loop = _state(scenario, measured, state, None)
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


def _loop(scenario: Scenario, measured: Mapping[str, float], flying: float, at_once: float | None) -> Predictions:
    """So many requests in flight, replaced as they complete; `at_once` of them come at the beginning."""
    state = closed_loop(scenario, flying)
    found = _state(scenario, measured, state, at_once)
    space = _number(state.room)
    if flying > space >= 1.0:
        note = f"the memory holds {space:.4g} such requests by this model: {flying:.4g} in flight queue for it"
        return replace(found, notes=(note, *found.notes))
    return found


def _state(scenario: Scenario, measured: Mapping[str, float], state: Loop, at_once: float | None) -> Predictions:
    """What a steady state shows."""
    work, alone = scenario.workload, state.alone
    flying = max(_number(state.in_flight), 1.0)
    prompt, request = span(alone, "prefill"), whole_request(state)
    first, note = first_token(state), ""
    if flying > 1.0:
        together = _first_tokens(at(scenario, max(1, round(flying))))
        if at_once is not None and flying >= at_once > 1.0:
            first, note = together, "all prompts come at once: the mean over them"
        else:
            note = "a prompt that joins the steps of others: queueing is not modelled; "
            note += f"the mean would be {_number(together.projection):.3g} s if {flying:.3g} prompts came at once"
    decoding = _decoding(scenario, measured, flying)
    least = span(at(scenario, decoding), "decode")
    late = (request.projection - first.projection) / max(work.output - 1.0, 1.0)
    between = token(state)
    between = replace(between, projection=late, waits={**between.waits, OTHERS: most(late - state.request.step, 0.0)})
    shared = request.bounded(fastest_round(scenario, flying))
    few = f"the bound is that of the {decoding} sequences that decode" if decoding < round(flying) else ""
    found: dict[str, Prediction | str] = {
        "ttft_mean_s": _time(first, note),
        "tpot_s": _time(between.bounded(least), few),
        "itl_s": _time(between.bounded(least), few),
        "e2e_s": _time(request.bounded(prompt + least * (work.output - 1.0))),
        "requests_per_s": _rate(shared, flying),
        "output_tokens_per_s": _rate(shared, flying * work.output),
        "total_tokens_per_s": _rate(shared, flying * (work.input + work.output)),
    }
    if work.output == 1:
        found |= dict.fromkeys(("tpot_s", "itl_s"), "a request has one token only")
    return Predictions(found, flying, _capacity(state))


def _capacity(state: Loop) -> tuple[str, ...]:
    return (NO_ROOM,) if _number(state.room) < 1.0 else ()


def _first_tokens(crowd: Evaluated) -> Span:
    """Mean time to the first token of a batch whose prompts come at once."""
    mean, _, bound = crowd.phases["prefill"].mean
    prompts = span(crowd, "prefill").lasting(mean)
    return replace(prompts, bound=bound, needed=dict.fromkeys(prompts.needed, bound))


def _decoding(scenario: Scenario, measured: Mapping[str, float], flying: float) -> int:
    """Sequences that decoded on average, rounded down to whole ones a rank; one a rank where that is unknown.

    Little's law for decoding alone: tokens a second times the time of a token. A server may hold requests back, so
    that fewer decode than are in flight, and a token can beat the bound that all of them would have.
    """
    copies, output = int(ranks(scenario)), float(scenario.workload.output)
    rate = measured.get("output_tokens_per_s")
    each = measured.get("tpot_s", measured.get("itl_s"))
    if rate is None or each is None:
        return copies
    mean = min(rate * each * (output - 1.0) / output, flying)
    return max(int(mean // copies), 1) * copies

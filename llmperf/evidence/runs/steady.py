"""What a service under a load should measure, in the steady state that the question `serve` solves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.descriptors.traffic import Traffic
from llmperf.evidence.runs.metrics import (
    NO_ROOM,
    Prediction,
    Predictions,
    number,
    rates_of,
    times_of,
    waiting_for,
)
from llmperf.evidence.runs.run import PERCENTILES, OfferedLoad, percentile
from llmperf.numeric import most
from llmperf.outputs.serving import MEANS
from llmperf.phases.answered import Evaluated
from llmperf.phases.serving.arrivals import Arrivals, open_loop
from llmperf.phases.serving.burst import burst
from llmperf.phases.serving.limits import kept
from llmperf.phases.serving.loop import NO_WAIT, Loop, closed_loop
from llmperf.phases.serving.scheduled import alone
from llmperf.phases.serving.serve import solved, spreads, through_both
from llmperf.phases.serving.span import OTHERS, Span, fastest_round, first_token, span, token

RATES = ("requests_per_s", "output_tokens_per_s", "total_tokens_per_s")
AT_ONCE = "the first {} prompts come at once: they wait for each other, and so do those that follow them"
UNCOUNTED = "how many requests were sent is not known: that the first ones come at once is left out of the TTFT"
ENDLESS = "more requests come than can be answered, and the run does not say how many: they wait without end"


def closed(scenario: Scenario, traffic: Traffic, measured: Mapping[str, float]) -> Predictions:
    """Requests, or users, of whom there are always as many."""
    loop, arrivals = solved(scenario, traffic)
    if scenario.prefill_pool is not None:
        loop, arrivals, _ = through_both(scenario, loop, arrivals)
    found = _steady(scenario, measured, loop, arrivals)
    return replace(found, notes=(*_together(traffic, loop), *found.notes))


def _together(traffic: Traffic, loop: Loop) -> tuple[str, ...]:
    """What is known of a loop that is filled at once, and of what does not find room in it."""
    flying, space = traffic.concurrency, number(loop.room)
    if flying is None or flying <= 1:
        return ()
    notes: tuple[str, ...] = (AT_ONCE.format(flying) if traffic.requests is not None else UNCOUNTED,)
    if flying > space >= 1.0:
        notes += (f"the memory holds {space:.4g} such requests by this model: {flying:.4g} in flight queue for it",)
    return notes


def arriving(load: OfferedLoad, scenario: Scenario, traffic: Traffic, measured: Mapping[str, float]) -> Predictions:
    """Arrivals at a rate: with a measured latency, Little's law gives the requests in flight."""
    rate: Any = traffic.request_rate
    sent = math.inf if traffic.requests is None else float(traffic.requests)
    limit = load.concurrency or math.inf
    latency, notes = _latency(scenario, measured), []
    arrivals, source = open_loop(scenario, rate, limit, sent), "the projected"
    flying = number(arrivals.loop.in_flight)
    if latency is not None and rate * latency <= min(number(arrivals.loop.room), limit):
        flying, source = rate * latency, "the measured"
        arrivals = _with_so_many(scenario, flying, limit)
    elif np.any(arrivals.saturated):
        notes.append(f"the projection cannot serve {rate:g} requests/s: they queue")
    notes.append(f"open loop: with {source} end-to-end time, {flying:.3g} are in flight (Little's law)")
    if limit < number(arrivals.loop.room):  # what waits for the client's limit is not sent yet
        arrivals = replace(arrivals, loop=replace(arrivals.loop, wait=NO_WAIT))
    if scenario.prefill_pool is not None:
        _, both, _ = through_both(scenario, arrivals.loop, arrivals)
        arrivals = both or arrivals
    state = _steady(scenario, measured, arrivals.loop, arrivals)
    found = {**state.found, **_delivered(rate, measured)}
    good, served = found["goodput_per_s"], state.found["requests_per_s"]
    if isinstance(good, Prediction) and isinstance(served, Prediction):
        found["goodput_per_s"] = replace(good, bound=rate, projection=rate * good.projection / served.projection)
    return Predictions(found, flying, (*notes, *state.notes))


def _delivered(rate: float, measured: Mapping[str, float]) -> dict[str, str]:
    """Why rates of an open loop are not predicted."""
    why = f"an open loop delivers what arrives, {rate:g} requests/s"
    came = measured.get("requests_per_s", rate)
    if came < 0.9 * rate:
        why += f"; here {came:.3g}: it was overloaded, limited, or too short to be steady"
    return dict.fromkeys(RATES, why)


def _with_so_many(scenario: Scenario, flying: float, limit: float) -> Arrivals:
    """Arrivals at the rate at which, by the projection, so many are in flight; each meets them and is one more."""
    one = closed_loop(scenario, min(flying + 1.0, limit)).request
    return open_loop(scenario, flying / one.e2e, limit)


def _latency(scenario: Scenario, measured: Mapping[str, float]) -> float | None:
    """Measured end-to-end time, or that which TTFT and TPOT make."""
    if "e2e_s" in measured:
        return measured["e2e_s"]
    if "ttft_mean_s" in measured and "tpot_s" in measured:
        return measured["ttft_mean_s"] + (scenario.workload.output - 1.0) * measured["tpot_s"]
    return None


def _steady(scenario: Scenario, measured: Mapping[str, float], loop: Loop, arrivals: Arrivals | None) -> Predictions:
    """What a steady state shows."""
    flying, endless = max(number(loop.in_flight), 1.0), not number(loop.wait.mean) < math.inf
    if endless:
        loop = replace(loop, wait=NO_WAIT)
    scattered = spreads(scenario, loop, arrivals)
    first, between, waiting = first_token(loop), token(loop), waiting_for(loop.wait.mean)
    request = first + between * (scenario.workload.output - 1.0)
    spans = {"ttft": first + waiting, "tpot": between, "itl": between, "e2e": request + waiting}
    percentiles = {
        percentile(MEANS[name], percent): scattered[name].percentile(percent)
        for name in MEANS
        for percent in PERCENTILES
    }
    found = times_of(scenario, measured, flying, loop.alone, spans, percentiles)
    good = kept(scenario.traffic.limits, scattered) if scenario.traffic is not None else 1.0
    found |= rates_of(scenario, request.bounded(fastest_round(scenario, flying)), flying, good)
    found |= {key: ENDLESS for key in found if endless and key.startswith(("ttft", "e2e", "goodput"))}
    return Predictions(found, flying, (NO_ROOM,) if number(loop.room) < 1.0 else ())


def at_once(scenario: Scenario, traffic: Traffic, measured: Mapping[str, float]) -> Predictions:
    """Requests that all come at once."""
    found, count, work = burst(scenario), float(traffic.requests or 1), scenario.workload
    times, service = found.parts["projection"], found.parts["service"]
    prompts, step, waiting = _first_tokens(found), span(found, "decode"), waiting_for(service.queue_s)
    late = most(times.tpot_s - step.projection, 0.0) if work.output > 1 else 0.0
    between = replace(step, projection=step.projection + late, waits={**step.waits, OTHERS: late})
    whole = prompts + between * (work.output - 1.0)
    spans = {
        "ttft": prompts.lasting(times.ttft_mean_s - service.queue_s) + waiting,
        "tpot": between,
        "itl": between,
        "e2e": whole.lasting(times.e2e_s - service.queue_s) + waiting,
    }
    names = [percentile(mean, percent) for mean in MEANS.values() for percent in PERCENTILES]
    percentiles = {name: times.of(name) for name in names}
    predicted = times_of(scenario, measured, count, alone(scenario), spans, percentiles)
    together = whole.lasting(count / times.requests_per_s).bounded(fastest_round(scenario, count))
    predicted |= rates_of(scenario, together, count, service.within_limits)
    return Predictions(
        predicted, number(service.in_flight), (NO_ROOM,) if not np.all(found.parts["memory"].fits) else ()
    )


def _first_tokens(crowd: Evaluated) -> Span:
    """Mean time to the first token of a batch whose prompts come at once."""
    mean, _, bound = crowd.phases["prefill"].mean
    prompts = span(crowd, "prefill").lasting(mean)
    return replace(prompts, bound=bound, needed=dict.fromkeys(prompts.needed, bound))

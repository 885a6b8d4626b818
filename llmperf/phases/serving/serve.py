"""The question `serve`: the steady state of a service under its traffic, solved and not simulated."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from llmperf.descriptors.scenario import Scenario
from llmperf.descriptors.traffic import Traffic
from llmperf.errors import InputError, Problem
from llmperf.numeric import Real, ceil_div, choose, least, most
from llmperf.outputs import SERVE_PARTS
from llmperf.outputs.serving import MEANS, PERCENTILES
from llmperf.phases.answered import Evaluated, figures
from llmperf.phases.serving.arrivals import Arrivals, of_users, open_loop
from llmperf.phases.serving.burst import burst
from llmperf.phases.serving.curve import curve
from llmperf.phases.serving.lengths import mix
from llmperf.phases.serving.limits import capacity, kept
from llmperf.phases.serving.loop import Loop, Wait, closed_loop, held, room
from llmperf.phases.serving.pools import FULLEST, Prefill, whole
from llmperf.phases.serving.request import at, ranks
from llmperf.phases.serving.tails import ENDLESS, tails
from llmperf.phases.serving.usage import busy

NEGLIGIBLE = 1e-9
"""Share of a request's time below which waiting for room is none. [1]"""


def evaluate(scenario: Scenario) -> Evaluated:
    """Evaluate a service whose numbers are scalars or arrays of one length.

    Raises
    ------
    InputError
        As `llmperf.phases.estimate.evaluate`.
    """
    traffic = scenario.traffic
    assert traffic is not None
    if traffic.requests is not None and traffic.concurrency is None and traffic.request_rate is None:
        if scenario.prefill_pool is not None:
            text = "are a burst, which is not modelled through two pools"
            raise InputError(Problem(text, "traffic.requests", suggestion="a rate, a concurrency, or users"))
        return burst(scenario)
    loop, arrivals = solved(scenario, traffic)
    pool: Prefill | None = None
    if scenario.prefill_pool is not None:
        loop, arrivals, pool = through_both(scenario, loop, arrivals)
    crowd = loop.request.crowd
    times, projected = _projection(scenario, loop, arrivals)
    given = {
        "bound": _bound(scenario, loop, arrivals, pool),
        "projection": projected,
        "service": _service(scenario, traffic, loop, arrivals, times, pool),
        "memory": _memory(scenario, loop),
    }
    parts = {name: figures(SERVE_PARTS[name], values, lambda: scenario) for name, values in given.items()}
    return Evaluated(crowd.setup, crowd.need, crowd.placed, crowd.phases, parts)


def solved(scenario: Scenario, traffic: Traffic) -> tuple[Loop, Arrivals | None]:
    """The steady state of traffic, and what is known of it where requests come by themselves."""
    if traffic.concurrency is not None:
        return closed_loop(scenario, traffic.concurrency, _sent(traffic)), None
    if traffic.users is not None:
        arrivals = of_users(scenario, traffic.users, traffic.think_time)
    else:
        assert traffic.request_rate is not None
        arrivals = open_loop(scenario, traffic.request_rate, sent=_sent(traffic))
    return arrivals.loop, arrivals


def through_both(scenario: Scenario, loop: Loop, arrivals: Arrivals | None) -> tuple[Loop, Arrivals | None, Prefill]:
    """A steady state with what a request spends on the workers that prefill.

    No more come than these answer: of arrivals, what is beyond queues without end; of a closed loop and of users, what
    the rest of a round leaves is waiting.
    """
    traffic = scenario.traffic
    assert traffic is not None
    rate = loop.in_flight / loop.request.e2e
    if traffic.request_rate is not None:
        assert arrivals is not None
        one, pool = whole(scenario, loop.request, rate)
        beyond = rate >= pool.capacity
        served = least(rate, pool.capacity)
        one, pool = whole(scenario, loop.request, FULLEST * served)
        wait = Wait(loop.wait.share, choose(beyond, math.inf, loop.wait.mean))
        both = replace(loop, request=one, in_flight=served * one.e2e, wait=wait)
        return both, replace(arrivals, loop=both, saturated=arrivals.saturated | beyond), pool
    one, pool = whole(scenario, loop.request, 0.0 * rate)
    there = traffic.concurrency if traffic.users is None else traffic.users
    assert there is not None
    think = 0.0 if traffic.users is None else traffic.think_time
    served = least(least(there / (think + one.e2e), rate), pool.capacity)
    late = most(there / served - think - one.e2e, 0.0)
    both = replace(loop, request=one, in_flight=served * one.e2e, wait=Wait(1.0, late))
    limited = late > NEGLIGIBLE * one.e2e
    return both, None if arrivals is None else replace(arrivals, loop=both, saturated=limited), pool


def _sent(traffic: Traffic) -> Real:
    return math.inf if traffic.requests is None else traffic.requests


def spreads(scenario: Scenario, loop: Loop, arrivals: Arrivals | None) -> Any:
    """How the times of requests scatter in a steady state (`llmperf.phases.serving.tails`)."""
    if arrivals is None:
        return tails(scenario, loop.request, wait=loop.wait)
    return tails(scenario, loop.request, arrivals.variance, arrivals.seen, loop.wait, arrivals.clumps)


def _projection(scenario: Scenario, loop: Loop, arrivals: Arrivals | None) -> tuple[Any, dict[str, Any]]:
    """Spreads, and results of `llmperf.outputs.SERVED`."""
    times = spreads(scenario, loop, arrivals)
    output, several = mix(scenario).output, mix(scenario).output > 1.0
    found: dict[str, Any] = {}
    for name, spread in times.items():
        known = True if name in ("ttft", "e2e") else several
        ends = spread.mean < 0.1 * ENDLESS
        found[MEANS[name]] = choose(known, choose(ends, spread.mean, math.inf), math.nan)
        for percent in PERCENTILES:
            value = choose(ends, spread.percentile(percent), math.inf)
            found[f"{name}_p{percent}_s"] = choose(known, value, math.nan)
    return times, {**found, **_rates(scenario, completed(scenario, loop), output)}


def completed(scenario: Scenario, loop: Loop) -> Real:
    """Requests that are completed; of a number of them that come at a rate, until the last one is. [1/s]"""
    one, traffic = loop.request, scenario.traffic
    rate = loop.in_flight / one.e2e
    if traffic is None or traffic.requests is None:
        return rate
    there = loop.in_flight if traffic.concurrency is not None else 0.0  # from the beginning
    return traffic.requests / (most(traffic.requests - there, 0.0) / rate + one.e2e)


def _rates(scenario: Scenario, rate: Real, output: Real) -> dict[str, Real]:
    return {
        "requests_per_s": rate,
        "output_tokens_per_s": rate * output,
        "total_tokens_per_s": rate * (scenario.workload.input + output),
    }


def fastest(scenario: Scenario, in_flight: Real, alone: Evaluated, crowd: Evaluated) -> Real:
    """The least time in which as many requests complete as are in flight. [s]

    The longest of three: one request alone; all prompts; all decode steps. These need not add up: prefills of some
    requests may use what decode steps of others leave of a resource.
    """
    further = mix(scenario).output - 1.0
    own = alone.phases["prefill"].bound + further * alone.phases["decode"].bound
    together = most(crowd.phases["prefill"].bound, further * crowd.phases["decode"].bound)
    fullest = ceil_div(in_flight, ranks(scenario)) * ranks(scenario)  # others may have one sequence less
    return most(own, together) * in_flight / fullest


def _bound(scenario: Scenario, loop: Loop, arrivals: Arrivals | None, pool: Prefill | None) -> dict[str, Any]:
    """Results that no system beats: of a request alone, and of the rate at which so many in flight are complete.

    How many are in flight under arrivals follows from the system, so that the times of a request alone are the bound.
    """
    alone, output = loop.alone, mix(scenario).output
    prefill, step = alone.phases["prefill"].bound, alone.phases["decode"].bound
    if pool is not None:
        prefill = pool.alone.phases["prefill"].bound
    if pool is not None and arrivals is None:
        rate = loop.in_flight / (prefill + (output - 1.0) * step)
    elif arrivals is None:
        whole = at(scenario, ceil_div(loop.in_flight, 1.0))
        rate = loop.in_flight / fastest(scenario, loop.in_flight, alone, whole)
        step = most(step, loop.request.crowd.phases["decode"].bound)
    else:
        traffic = scenario.traffic
        assert traffic is not None
        if traffic.users is not None:
            rate = traffic.users / (traffic.think_time + prefill + (output - 1.0) * step)
        else:
            assert traffic.request_rate is not None
            rate = traffic.request_rate
    e2e, token = prefill + (output - 1.0) * step, choose(output > 1.0, step, math.nan)
    found: dict[str, Any] = {"ttft_mean_s": prefill, "tpot_s": token, "itl_s": token, "e2e_s": e2e}
    for percent in PERCENTILES:
        found[f"ttft_p{percent}_s"], found[f"e2e_p{percent}_s"] = math.nan, math.nan
        found[f"tpot_p{percent}_s"], found[f"itl_p{percent}_s"] = math.nan, math.nan
    return {**found, **_rates(scenario, rate, output)}


def _service(
    scenario: Scenario, traffic: Traffic, loop: Loop, arrivals: Arrivals | None, times: Any, pool: Prefill | None
) -> dict[str, Any]:
    """Results of `llmperf.outputs.SERVICE`."""
    server = arrivals.curve if arrivals is not None else curve(scenario)
    rate = completed(scenario, loop)
    most_prompts = math.inf if pool is None else pool.capacity
    share = kept(traffic.limits, times)
    queue = choose(loop.wait.mean > NEGLIGIBLE * loop.request.e2e, loop.wait.mean, 0.0)
    return {
        "in_flight": loop.in_flight,
        "queued": choose(queue < math.inf, rate * least(queue, ENDLESS), math.inf),
        "queue_s": queue,
        "saturated": arrivals.saturated if arrivals is not None else loop.wait.mean > 0.0,
        "saturation_rate_per_s": least(server.peak, most_prompts),
        "capacity_per_s": least(capacity(server, traffic), most_prompts),
        "pool_ratio": math.nan if pool is None else server.peak / pool.capacity,
        "goodput_per_s": rate * share,
        "within_limits": share,
        "kv_occupancy": least(loop.in_flight / most(loop.room, 1.0), 1.0),
        "preemption_onset": _onset(scenario, loop),
        **busy(scenario, loop),
    }


def _onset(scenario: Scenario, loop: Loop) -> Real:
    """Requests of full length for which there is memory. [1]"""
    engine = replace(scenario.engine, admission="reserve_full")
    return least(room(replace(scenario, engine=engine)), loop.room)


def _memory(scenario: Scenario, loop: Loop) -> dict[str, Any]:
    """What the requests that run hold, who are of all ages; whether one of them has a place, and what that lacks."""
    values, fits = loop.request.crowd.parts["memory"].given, loop.room >= 1.0
    now = at(scenario, loop.in_flight, **held(scenario)).parts["memory"].given
    own = {name: now[name] for name in ("kv_cache", "required", "kv_headroom")}
    return {**values, **own, "missing": choose(fits, 0.0, values["missing"]), "fits": fits}

"""A finite burst: requests that are all there at time zero, as many at once as there is room for."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, choose, least, most
from llmperf.outputs import SERVE_PARTS
from llmperf.outputs.serving import PERCENTILES
from llmperf.phases.answered import Evaluated, figures
from llmperf.phases.serving.lengths import mix
from llmperf.phases.serving.limits import kept
from llmperf.phases.serving.loop import Loop, closed_loop
from llmperf.phases.serving.tails import Spread, nowhere
from llmperf.phases.serving.usage import busy
from llmperf.phases.serving.waves import waves

EVEN = {percent: percent / 100.0 - 0.5 for percent in PERCENTILES}
"""How far percentiles of what is spread evenly lie from its mean, as shares of its width."""


def burst(scenario: Scenario) -> Evaluated:
    """Evaluate requests that all come at once.

    Notes
    -----
    Equal lengths run in waves that end together (`llmperf.phases.serving.waves`). Where lengths scatter, each request
    that is complete makes room for the next: a closed loop until none waits any more, and its longest after that. A
    request waits for its turn as long as the burst has come to it: evenly spread over the time until the last begins.
    """
    traffic, lengths, work = scenario.traffic, mix(scenario), scenario.workload
    assert traffic is not None
    assert traffic.requests is not None
    count = traffic.requests
    loop = closed_loop(scenario, count)
    one, output = loop.request, lengths.output
    together = waves(replace(scenario, workload=replace(work, batch=count)))
    lock = most(together.e2e, 0.0)
    rest = most(count - loop.in_flight, 0.0)
    scattered = rest * one.e2e / loop.in_flight + one.e2e
    equal = traffic.output.cv <= 0.0
    whole = choose(equal, lock, scattered)
    each = choose(equal, together.part.parts["projection"].e2e_s, one.e2e)
    width = most(whole - each, 0.0)  # from the first that begins to the last
    first = together.part.parts["projection"].ttft_mean_s
    step = choose(equal, together.part.phases["decode"].projection, one.token)
    found = _times(scenario, together.part, first, each, step, width, most(output - 1.0, 1.0))
    rate = count / whole
    projected = {**found, **_rates(rate, work.input, output)}
    bound = dict.fromkeys(found, math.nan) | _bound(scenario, loop, count)
    share = kept(traffic.limits, _spreads(found))
    service = {
        "in_flight": least(count, loop.in_flight),
        "queued": rest / 2.0,
        "queue_s": width / 2.0,
        "saturated": rest > 0.0,
        "saturation_rate_per_s": loop.in_flight / one.e2e,
        "capacity_per_s": loop.in_flight / one.e2e,
        "goodput_per_s": rate * share,
        "pool_ratio": math.nan,
        "within_limits": share,
        "kv_occupancy": least(loop.in_flight / most(loop.room, 1.0), 1.0),
        "preemption_onset": loop.room,
        **busy(scenario, loop),
    }
    crowd = together.part
    memory = {**crowd.parts["memory"].given, "fits": loop.room >= 1.0}
    given = {"bound": bound, "projection": projected, "service": service, "memory": memory}
    parts = {name: figures(SERVE_PARTS[name], values, lambda: scenario) for name, values in given.items()}
    return Evaluated(crowd.setup, crowd.need, crowd.placed, crowd.phases, parts)


def _times(
    scenario: Scenario, part: Evaluated, first: Real, each: Real, step: Real, width: Real, further: Real
) -> dict[str, Any]:
    """Means and percentiles of times, by output.

    Parameters
    ----------
    scenario : Scenario
    part : Evaluated
        The requests that run at once.
    first, each, step : number or array
        Mean times of one of them to its first token, to its last, and of a decode step. [s]
    width : number or array
        From the first that begins to the last. [s]
    further : number or array
        Tokens of a request behind its first. [1]
    """
    prompts = part.phases["prefill"]
    apart = 2.0 * (part.parts["projection"].ttft_s - first)  # from the first that has a token to the last
    token = most((each - first) / further, step)  # who has a first token waits for the prompts of others
    chunk = prompts.projection / prompts.steps
    found: dict[str, Any] = {"itl_s": token}
    found |= {f"itl_p{percent}_s": _gap(scenario, percent, step, token, chunk, further) for percent in PERCENTILES}
    for name, key, mean, scatter in (
        ("ttft", "ttft_mean_s", first + width / 2.0, width + apart),
        ("e2e", "e2e_s", each + width / 2.0, width),
        ("tpot", "tpot_s", token, apart / further),
    ):
        found[key] = mean
        found |= {f"{name}_p{percent}_s": most(mean + EVEN[percent] * scatter, 0.0) for percent in PERCENTILES}
    return found


def _gap(scenario: Scenario, percent: int, step: Real, mean: Real, chunk: Real, further: Real) -> Any:
    """A percentile of the times between two tokens: a decode step, and prompts of others before some of them. [s]

    Parameters
    ----------
    scenario : Scenario
    percent : int
    step, mean, chunk : number or array
        A decode step, the mean time between two tokens, and a step of prompts. [s]
    further : number or array
        Tokens of a request behind its first. [1]

    Notes
    -----
    Prompts that join decode steps make each of these longer by a chunk; those that run by themselves are waited for
    once. Beyond the share of gaps that are longer, the mean is taken: few long ones lie above it.
    """
    later = mean - step
    joined = scenario.engine.schedule == "mixed"
    share = least(later / most(chunk, 1e-300), 1.0) if joined else 1.0 / further
    longer = choose(share >= 1.0 - percent / 100.0, step + later / most(share, 1e-300), step)
    return longer if percent < max(PERCENTILES) else most(longer, mean)


def _rates(rate: Real, given: Real, output: Real) -> dict[str, Real]:
    return {
        "requests_per_s": rate,
        "output_tokens_per_s": rate * output,
        "total_tokens_per_s": rate * (given + output),
    }


def _bound(scenario: Scenario, loop: Loop, count: Real) -> dict[str, Any]:
    """What no system beats: a request alone, and the rate at which all requests are complete."""
    from llmperf.phases.serving.request import at

    further = mix(scenario).output - 1.0
    alone, crowd = loop.alone, at(scenario, count)
    prefill, step = alone.phases["prefill"].bound, alone.phases["decode"].bound
    whole = most(crowd.phases["prefill"].bound, most(further * crowd.phases["decode"].bound, prefill + further * step))
    token = choose(further > 0.0, step, math.nan)
    found = {"ttft_mean_s": prefill, "tpot_s": token, "itl_s": token, "e2e_s": prefill + further * step}
    return {**found, **_rates(count / whole, scenario.workload.input, further + 1.0)}


def _spreads(found: dict[str, Any]) -> dict[str, Spread]:
    """Times that are evenly spread, by their median and 99th percentile."""
    out = {}
    for name in ("ttft", "tpot", "itl", "e2e"):
        middle = found[f"{name}_p50_s"]
        width = (found[f"{name}_p99_s"] - middle) / EVEN[99]
        out[name] = Spread(0.0 * width, middle, width**2 / 12.0, nowhere, nowhere)
    return out

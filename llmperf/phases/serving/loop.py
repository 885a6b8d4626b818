"""A closed loop: a fixed number of requests in flight, each replaced when it is complete."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, anywhere, ceil_div, choose, least, log, most
from llmperf.phases.answered import Evaluated
from llmperf.phases.serving.lengths import mix
from llmperf.phases.serving.request import Request, at, fitting
from llmperf.phases.serving.scheduled import alone, request

MOST = 2.0**20
"""Requests in flight beyond which none are looked for: what keeps no cache fits without end. [1]"""


@dataclass(frozen=True, slots=True)
class Wait:
    """Waiting for room; numbers or arrays.

    Attributes
    ----------
    share : number or array
        Of requests, how many wait: some do, exponentially long, or all do, and equally long. [1]
    mean : number or array
        Of all requests. [s]
    """

    share: Real
    mean: Real

    def percentile(self, percent: float) -> Real:
        """A percentile. [s]"""
        beyond = most(self.share / (1.0 - percent / 100.0), 1.0)
        some = self.mean / most(self.share, 1e-300) * log(beyond)
        return choose(self.share >= 1.0, self.mean, some)


NO_WAIT = Wait(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Loop:
    """A steady state; numbers or arrays.

    Attributes
    ----------
    request : Request
        The mean request of it, from when there is room for it.
    alone : Evaluated
        A request alone.
    in_flight : number or array
        Requests that run on average; below one where the server is idle at times. [1]
    room : number or array
        Requests of which memory and engine have room; less than one where not even one fits. [1]
    wait : Wait
        What a request waits for room before it runs.
    """

    request: Request
    alone: Evaluated
    in_flight: Real
    room: Real
    wait: Wait = NO_WAIT

    @property
    def requests_per_s(self) -> Real:
        """Requests that are completed, by Little's law. [1/s]"""
        return self.in_flight / self.request.e2e


def closed_loop(scenario: Scenario, concurrency: Real, sent: Real = math.inf) -> Loop:
    """The steady state of so many requests in flight, or of as many as there is room for.

    Parameters
    ----------
    scenario : Scenario
        Its `workload.batch` is not used.
    concurrency : number or array
        Requests that are there at once; infinity: as many as there is room for. [1]
    sent : number or array
        Requests that are sent in all: as many as are in flight come at once in the beginning. [1]

    Returns
    -------
    Loop
        Where not even one request fits, that of one. More requests than there is room for wait.
    """
    first, space = alone(scenario), room(scenario)
    in_flight = most(least(concurrency, space), 1.0)
    one = request(scenario, in_flight, first)
    rate = in_flight / one.e2e
    wait = NO_WAIT
    if anywhere((concurrency > in_flight) & (concurrency < math.inf)):
        wait = Wait(1.0, most(least(concurrency, MOST) - in_flight, 0.0) / rate)
    if anywhere(sent < math.inf):
        one = _with_burst(scenario, one, least(in_flight / sent, 1.0))
    return Loop(one, first, in_flight, space, wait)


def _with_burst(scenario: Scenario, one: Request, share: Real) -> Request:
    """The mean request where a share of all came at once in the beginning, and their prompts ran one by one."""
    together = at(scenario, one.in_flight, **mix(scenario).prompts).phases["prefill"].mean[0]
    return replace(one, ttft=one.ttft + share * most(together - one.ttft, 0.0))


def room(scenario: Scenario) -> Real:
    """Requests that fit at once. [1]

    Notes
    -----
    Sequences are of all ages, so that on average half of their output is there: so holds an engine that admits
    requests while there is memory for their prompts, and evicts where they outgrow it. One that reserves memory for all
    that a request may generate (``admission: reserve_full``) never evicts, and holds fewer.
    """
    lengths = mix(scenario)
    output = lengths.decoding.get("output", lengths.output)
    grown = output if scenario.engine.admission == "reserve_full" else most(ceil_div(output, 2.0), 1.0)
    held = at(scenario, 1.0, **{**lengths.decoding, "output": grown})
    return least(fitting(held), MOST)

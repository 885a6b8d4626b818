"""A closed loop: a fixed number of requests in flight, each replaced when it is complete."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, anywhere, ceil_div, choose, least, log, most, root
from llmperf.phases.answered import Evaluated
from llmperf.phases.serving.lengths import mix
from llmperf.phases.serving.request import Request, at, fitting, ranks
from llmperf.phases.serving.scheduled import alone, request

MOST = 2.0**20
"""Requests in flight beyond which none are looked for: what keeps no cache fits without end. [1]"""


ROUNDS = 1.0
"""How many times the requests that come at once in the beginning still come in step with others in later rounds: times
to the first token of 1,100 measured configurations grow with the requests in flight by a tenth of a prompt each where a
tenth of all requests come at once, which half of them would explain (docs/theory/phases.md). [1]"""


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
    concurrency = least(concurrency, sent)
    in_flight = most(least(concurrency, space), 1.0)
    one = request(scenario, in_flight, first)
    rate = in_flight / one.e2e
    wait = NO_WAIT
    if anywhere((concurrency > in_flight) & (concurrency < math.inf)):
        wait = Wait(1.0, most(least(concurrency, MOST) - in_flight, 0.0) / rate)
    if anywhere(sent < math.inf) or scenario.engine.schedule == "prefill_first":
        one = _in_step(scenario, one, least(in_flight / sent, 1.0))
    return Loop(one, first, in_flight, space, wait)


def _in_step(scenario: Scenario, one: Request, first: Real) -> Request:
    """The mean request where some come together, and their prompts wait for each other.

    Parameters
    ----------
    scenario : Scenario
    one : Request
        Where all come one by one.
    first : number or array
        Share of all requests that come at once in the beginning. [1]

    Notes
    -----
    Of ``n`` prompts that come together, one waits for ``(n - 1) / 2`` others on average. The first ones do, and those
    that replace them are not yet spread over the time of a request: in the rounds that follow as many wait again. An
    engine that runs all prompts before it decodes keeps those together that came together: requests of equal lengths
    are complete in one step, and their successors come at once again (lockstep). What prompts wait for each other, they
    do not interrupt others that decode: the device is no less busy. Lengths that scatter spread them over the time that
    the longest takes more than the shortest; over some rounds, twice as far.
    """
    others = most(one.in_flight / ranks(scenario) - 1.0, 0.0)
    share = least(first * (1.0 + ROUNDS), 1.0)
    if scenario.engine.schedule == "prefill_first":
        scatter = 0.0 if scenario.traffic is None else scenario.traffic.output.cv
        apart = 2.0 * root(12.0) * scatter * scenario.workload.output * one.token
        together = most(1.0 - apart / most((others + 1.0) * one.own, 1e-300), 0.0)
        share = share + (1.0 - share) * together
    later, further = share * others * one.own / 2.0, scenario.workload.output - 1.0
    token = most(one.token - later / most(further, 1.0), least(one.step, one.token))
    return replace(one, ttft=one.ttft + later, token=token, e2e=one.ttft + later + further * token)


def room(scenario: Scenario) -> Real:
    """Requests that fit at once. [1]

    Notes
    -----
    Sequences are of all ages, so that on average half of their output is there: so holds an engine that admits
    requests while there is memory for their prompts, and evicts where they outgrow it. One that reserves memory for all
    that a request may generate (``admission: reserve_full``) never evicts, and holds fewer.
    """
    return least(fitting(at(scenario, 1.0, **held(scenario))), MOST)


def held(scenario: Scenario) -> dict[str, Real]:
    """Keys of a workload whose sequences hold as much memory as requests in flight do on average."""
    lengths = mix(scenario)
    output = lengths.decoding.get("output", lengths.output)
    grown = output if scenario.engine.admission == "reserve_full" else most(ceil_div(output, 2.0), 1.0)
    return {**lengths.decoding, "output": grown}

"""A closed loop: a fixed number of requests in flight, each replaced when it is complete."""

from __future__ import annotations

from dataclasses import dataclass

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, ceil_div, least, most
from llmperf.phases.answered import Evaluated
from llmperf.phases.serving.request import Request, at, fitting, request

MOST = 2.0**20
"""Requests in flight beyond which none are looked for: what keeps no cache fits without end. [1]"""


@dataclass(frozen=True, slots=True)
class Loop:
    """A steady state; numbers or arrays.

    Attributes
    ----------
    request : Request
        The mean request of it.
    alone : Evaluated
        A request alone.
    in_flight : number or array
        Requests in flight on average; below one where the server is idle at times. [1]
    room : number or array
        Requests of which memory and engine have room; less than one where not even one fits. [1]
    """

    request: Request
    alone: Evaluated
    in_flight: Real
    room: Real

    @property
    def requests_per_s(self) -> Real:
        """Requests that are completed, by Little's law. [1/s]"""
        return self.in_flight / self.request.e2e


def closed_loop(scenario: Scenario, concurrency: Real) -> Loop:
    """The steady state of so many requests in flight, or of as many as there is room for.

    Parameters
    ----------
    scenario : Scenario
        Its `workload.batch` is not used.
    concurrency : number or array
        Requests that are sent at once; infinity: as many as there is room for. [1]

    Returns
    -------
    Loop
        Where not even one request fits, that of one.
    """
    alone, space = at(scenario, 1.0), room(scenario)
    in_flight = most(least(concurrency, space), 1.0)
    return Loop(request(scenario, in_flight, alone), alone, in_flight, space)


def room(scenario: Scenario) -> Real:
    """Requests that fit at once: sequences are of all ages, so that on average half of their tokens are there. [1]

    So holds an engine that admits requests while there is memory, and evicts where they outgrow it.
    """
    half = at(scenario, 1.0, output=most(ceil_div(scenario.workload.output, 2.0), 1.0))
    return least(fitting(half), MOST)

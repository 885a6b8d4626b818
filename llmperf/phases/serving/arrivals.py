"""An open loop: requests arrive at a rate, whatever is in flight."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, anywhere, choose, least, most
from llmperf.phases.serving.loop import Loop, room
from llmperf.phases.serving.request import Request, at, request

TIMES = ("in_flight", "step", "prompt", "token", "ttft", "e2e", "steps")
"""Fields of a request that lie between those of two others."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The steady state of an open loop.

    Attributes
    ----------
    loop : Loop
        That of as many requests as are in flight.
    saturated : bool or array
        Where more arrive than the server can answer: they queue without end, and the loop is that of all that it has
        room for.
    """

    loop: Loop
    saturated: Any


def open_loop(scenario: Scenario, rate: Real, limit: Real = math.inf) -> Arrivals:
    """The steady state of arrivals at a rate.

    Parameters
    ----------
    scenario : Scenario
        Its `workload.batch` is not used.
    rate : number or array
        Arrivals. [1/s]
    limit : number or array
        Most requests that the client has in flight; more arrivals wait for it. [1]

    Notes
    -----
    The number in flight is the fixed point of Little's law, ``n = rate e2e(n)``. It lies between two whole numbers,
    which bisection finds: the more are in flight, the more a server answers a second. Times between theirs are linear.
    """
    alone, space = at(scenario, 1.0), room(scenario)
    high: Any = most(least(limit, space), 1.0) + 0.0 * rate
    low: Any = 1.0 + 0.0 * high
    full = _missing(request(scenario, high, alone), rate) > 0.0
    low = choose(full, high, low)  # all that there is room for, and more would come
    high = choose(_missing(request(scenario, low, alone), rate) > 0.0, high, low)
    while anywhere(high - low > 1.0):
        middle = (low + high) // 2.0
        few = _missing(request(scenario, middle, alone), rate) > 0.0
        low, high = choose(few, middle, low), choose(few, high, middle)
    found = _between(request(scenario, low, alone), request(scenario, high, alone), rate)
    flying = least(rate * found.e2e, found.in_flight)
    return Arrivals(Loop(found, alone, flying, space), np.asarray(full) & (limit >= space))


def _missing(one: Request, rate: Real) -> Any:
    """Requests in flight by Little's law that are more than a request meets. [1]"""
    return rate * one.e2e - one.in_flight


def _between(low: Request, high: Request, rate: Real) -> Request:
    """The request between two for which Little's law holds; the nearer of them where it holds for none."""
    short, over = _missing(low, rate), _missing(high, rate)
    differ = short != over
    part = choose(differ, short / choose(differ, short - over, 1.0), 0.0)
    part = least(most(part, 0.0), 1.0)
    values = {name: getattr(low, name) + part * (getattr(high, name) - getattr(low, name)) for name in TIMES}
    return replace(low, **values)

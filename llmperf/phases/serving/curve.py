"""What a server gives by the requests in flight: some points of the curve, and what lies between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, choose, least, most
from llmperf.phases.answered import Evaluated
from llmperf.phases.serving.loop import room
from llmperf.phases.serving.request import Request
from llmperf.phases.serving.scheduled import alone, request

POINTS = 8
"""Requests in flight at which a server is evaluated, evenly spread by ratio from one to all that there is room for."""
TIMES = ("in_flight", "step", "prompt", "own", "token", "ttft", "e2e", "steps", "arriving", "elasticity", "pace")
"""Fields of a request that lie between those of two others."""
TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Curve:
    """A server from one request in flight to as many as it has room for; numbers or arrays.

    Attributes
    ----------
    scenario : Scenario
    alone : Evaluated
        A request by itself.
    room : number or array
        Requests of which memory and engine have room; less than one where not even one fits. [1]
    points : tuple of Request
        By requests in flight, the fewest first.
    """

    scenario: Scenario
    alone: Evaluated
    room: Real
    points: tuple[Request, ...]

    @property
    def full(self) -> Request:
        """A request where all room is taken."""
        return self.points[-1]

    @property
    def peak(self) -> Real:
        """Most requests that are completed in a second. [1/s]"""
        found: Any = 0.0
        for one in self.points:
            found = most(found, one.in_flight / one.e2e)
        peak: Real = found
        return peak

    def crossing(self, excess: Callable[[Request], Real]) -> tuple[Request, Request, Real]:
        """The first stretch of the curve along which a quantity of requests falls to zero.

        Parameters
        ----------
        excess : callable
            Of a request; above zero at the beginning of the stretch, not at its end.

        Returns
        -------
        low, high : Request
            Its ends; both the first point where the quantity is not above zero there, the last ones where it never
            falls to zero.
        part : number or array
            Where on the stretch it is zero, between 0 and 1.
        """
        low: Any = self.points[0]
        high: Any = self.points[0]
        over = excess(low)
        part: Any = 0.0 * over
        going: Any = over > 0.0  # whether it has been above zero so far
        for before, after in zip(self.points, self.points[1:], strict=False):
            above = excess(after)
            share = least(most(over / choose(over != above, over - above, 1.0), 0.0), 1.0)
            low, high = _chosen(going, before, low), _chosen(going, after, high)
            part = choose(going, choose(above > 0.0, 1.0, share), part)
            going, over = going & (above > 0.0), above
        return low, high, part

    def between(self, low: Request, high: Request, part: Real) -> Request:
        """The request between two, all quantities linear."""
        values: dict[str, Any] = {
            name: getattr(low, name) + part * (getattr(high, name) - getattr(low, name)) for name in TIMES
        }
        return replace(low, **values)

    def at(self, in_flight: Real) -> Request:
        """The request that meets so many in flight, itself included."""
        return self.between(*self.crossing(lambda one: in_flight - one.in_flight))


def _chosen(condition: Any, a: Request, b: Request) -> Request:
    """One of two requests, field by field; what is no time is that of the second."""
    values: dict[str, Any] = {name: choose(condition, getattr(a, name), getattr(b, name)) for name in TIMES}
    return replace(b, **values)


def curve(scenario: Scenario, most_in_flight: Real | None = None) -> Curve:
    """Evaluate a server from one request in flight to as many as it has room for.

    Parameters
    ----------
    scenario : Scenario
        Its `workload.batch` is not used.
    most_in_flight : number or array, optional
        More are not looked at. [1]
    """
    first, space = alone(scenario), room(scenario)
    last = most(space if most_in_flight is None else least(space, most_in_flight), 1.0)
    shares = [place / (POINTS - 1.0) for place in range(POINTS)]
    if isinstance(last, int | float):  # all points at once cost little more than one
        points = apart(request(scenario, last ** np.array(shares), first), POINTS)
    else:
        points = tuple(request(scenario, last**share, first) for share in shares)
    return Curve(scenario, first, space, growing(points))


def growing(points: tuple[Request, ...]) -> tuple[Request, ...]:
    """Points with how their times grow with the requests in flight, from the points beside them."""
    found = []
    for place, one in enumerate(points):
        before, after = points[max(place - 1, 0)], points[min(place + 1, len(points) - 1)]
        more = after.in_flight - before.in_flight
        each = one.in_flight / choose(more > 0.0, more, 1.0)
        grown: dict[str, Any] = {
            name: least((getattr(after, of) - getattr(before, of)) * each / most(getattr(one, of), TINY), 1.0)
            for name, of in (("elasticity", "e2e"), ("pace", "token"))
        }
        found.append(replace(one, **grown))
    return tuple(found)


def apart(together: Request, points: int) -> tuple[Request, ...]:
    """Requests that were evaluated in one array, one after the other: plain numbers, but for their static batch."""
    names = [item.name for item in fields(together) if item.name != "crowd"]
    columns = {name: np.broadcast_to(getattr(together, name), points).tolist() for name in names}
    return tuple(
        replace(together, **{name: column[place] for name, column in columns.items()}) for place in range(points)
    )

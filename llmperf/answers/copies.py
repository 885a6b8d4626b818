"""What one copy of a model serves while all limits are kept, of many layouts at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.answers.layouts import WAYS, where
from llmperf.descriptors.scenario import Scenario
from llmperf.descriptors.traffic import Traffic
from llmperf.numeric import Array
from llmperf.phases.serving.curve import POINTS, Curve
from llmperf.phases.serving.limits import LIMITED, within
from llmperf.phases.serving.loop import room
from llmperf.phases.serving.scheduled import alone, request
from llmperf.phases.serving.tails import tails
from llmperf.scenarios.consistency import within as domain

DEMANDS = ("users", "concurrency", "request_rate")
"""Ways in which requests come that a service is sized for; a burst is none."""
ROUNDING = 1e-9
"""Share of a copy that is none: shares that make one whole copy in all need no second. [1]"""

Rows = NDArray[np.intp]
"""Indices of layouts."""


def demand(traffic: Traffic) -> tuple[str, float]:
    """In which of the ways of `DEMANDS` requests come, and how many: users, requests in flight, or a second."""
    way = next(way for way in DEMANDS if getattr(traffic, way) is not None)
    return way, float(getattr(traffic, way))


@dataclass(frozen=True, slots=True)
class Copy:
    """A layout, and how many copies of it serve a demand; plain numbers.

    Attributes
    ----------
    layout : dict of str to int
        By name: ``tp``, ``pp``, ``dp``, ``ep``.
    devices, copies : int
        Devices of a copy, and copies. [1]
    capacity : float
        What one copy serves within the limits, in the unit of the demand. [1 or 1/s]
    limited_by : str
        What ends that: a limit (`LIMITED`), ``memory``, or the ``engine``, which runs no more sequences at once.
    """

    layout: dict[str, int]
    devices: int
    copies: int
    capacity: float
    limited_by: str


@dataclass(frozen=True, slots=True)
class Layouts:
    """One copy of a model on a chip in each of many layouts.

    Attributes
    ----------
    scenario : Scenario
        Its layout holds arrays, (layouts,); its traffic has the limits.
    slower : mapping of str to ndarray
        By time (`LIMITED`), what a projection is multiplied by. [1]
    """

    scenario: Scenario
    slower: Mapping[str, Array]

    @property
    def devices(self) -> Array:
        """Devices of each copy. [1]"""
        return np.asarray(self.scenario.parallelism.devices, dtype=float)

    def room(self) -> Array:
        """Requests of which memory and engine of each copy have room. [1]"""
        return np.broadcast_to(np.asarray(room(self.scenario), dtype=float), self.devices.shape)

    def cut(self, rows: Rows) -> Scenario:
        """The scenario of some layouts."""
        some: Any = where(self.scenario.parallelism, rows)
        return replace(self.scenario, parallelism=some, devices=some.devices)

    def server(self, rows: Rows, space: Array) -> Curve:
        """The curves of some layouts, whose points are evaluated in one array: (layouts x points,)."""
        wide = self.cut(np.repeat(rows, POINTS))
        numbers = space[:, None] ** np.linspace(0.0, 1.0, POINTS)
        first = alone(wide)
        found = request(wide, numbers.reshape(-1), first)
        names = [item.name for item in fields(found) if item.name != "crowd"]
        columns = {name: np.broadcast_to(getattr(found, name), numbers.size).reshape(numbers.shape) for name in names}
        each: Any = ({name: column[:, place] for name, column in columns.items()} for place in range(POINTS))
        return Curve(self.cut(rows), first, space, tuple(replace(found, **one) for one in each))

    def capacity(self, rows: Rows, space: Array) -> tuple[Array, NDArray[np.intp]]:
        """What each of some layouts serves within the limits, in the unit of the demand, and what ends it.

        Returns
        -------
        tuple of ndarray
            [1 or 1/s], 0 where not even one request keeps the limits; an index into `LIMITED`, or a larger number.
        """
        traffic: Any = self.scenario.traffic
        limits = {name: getattr(traffic.limits, name) for name in LIMITED}
        kept = {name: limit / self.slower[name][rows] for name, limit in limits.items() if limit is not None}
        steady = replace(traffic, limits=replace(traffic.limits, **kept))
        if traffic.users is not None and not traffic.think_time:  # who never reads keeps one request in flight
            steady = replace(steady, users=None, concurrency=1)
        flying, rate, ends = (np.broadcast_to(one, rows.shape) for one in within(self.server(rows, space), steady))
        serves = rate if traffic.request_rate is not None else flying + traffic.think_time * rate
        return serves, ends.astype(np.intp)

    def alone(self, rows: Rows, space: Array) -> dict[str, Array]:
        """Times of one request alone on each of some layouts, by limit that is stated. [s]"""
        server = self.server(rows, space)
        limits: Any = (self.scenario.traffic or Traffic()).limits
        times: Any = tails(server.scenario, server.points[0])
        stated = [name for name in LIMITED if getattr(limits, name) is not None]
        return {name: times[name].percentile(int(limits.percentile)) * self.slower[name][rows] for name in stated}


def fewest(layouts: Layouts, headroom: float, most: float, wanted: int) -> list[Copy]:
    """The layouts that need the fewest devices, and of these those of most headroom.

    Parameters
    ----------
    layouts : Layouts
    headroom : float
        Share of what a copy could serve that is kept free. [1]
    most : float
        Most devices of all copies together. [1]
    wanted : int
        How many layouts. [1]

    Notes
    -----
    Copies within a scale-up domain come first: of larger ones only those are looked at that alone have no more devices
    than all copies of these.
    """
    _, amount = demand(layouts.scenario.traffic or Traffic())
    space, devices, inside = layouts.room(), layouts.devices, domain(layouts.scenario.hardware)
    total, serves, ends = np.full(space.shape, np.inf), np.zeros(space.shape), np.zeros(space.shape, dtype=np.intp)
    for rows in (np.flatnonzero(devices <= inside), np.flatnonzero(devices > inside)):
        enough = np.sort(total)[min(wanted, total.size) - 1]
        rows = rows[(space[rows] >= 1.0) & (devices[rows] <= min(enough, most))]
        if rows.size:
            serves[rows], ends[rows] = layouts.capacity(rows, space[rows])
            with np.errstate(divide="ignore"):  # of what serves none, no number is enough
                copies = np.ceil(amount / (serves[rows] * (1.0 - headroom)) - ROUNDING)
            total[rows] = devices[rows] * np.maximum(copies, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        order = np.lexsort((amount * devices / total / serves, total))[:wanted]
    full = _full(layouts, space)
    return [
        Copy(
            {way: int(getattr(layouts.scenario.parallelism, way)[row]) for way in WAYS},
            int(devices[row]),
            int(total[row] / devices[row]),
            float(serves[row]),
            LIMITED[ends[row]] if ends[row] < len(LIMITED) else str(full[row]),
        )
        for row in order
        if total[row] <= min(most, 1e300)
    ]


def _full(layouts: Layouts, space: Array) -> NDArray[np.str_]:
    """What ends the room of each copy: ``memory``, or the ``engine``, which runs no more sequences at once."""
    most = layouts.scenario.engine.max_sequences or np.inf
    return np.where(space >= most * layouts.scenario.parallelism.dp, "engine", "memory")

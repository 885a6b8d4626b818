"""What one copy of a model serves while all limits are kept, of many layouts at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.answers.layouts import WAYS, where
from llmperf.descriptors.scenario import Scenario
from llmperf.descriptors.traffic import Traffic
from llmperf.numeric import Array
from llmperf.phases.serving.curve import Curve, growing
from llmperf.phases.serving.limits import LIMITED, within
from llmperf.phases.serving.loop import room
from llmperf.phases.serving.scheduled import alone, request
from llmperf.phases.serving.tails import tails
from llmperf.scenarios.consistency import within as domain

DEMANDS = ("users", "concurrency", "request_rate")
"""Ways in which requests come that a service is sized for; a burst is none."""
ROUNDING = 1e-9
"""Share of a copy that is none: shares that make one whole copy in all need no second. [1]"""

POINTS = 24
"""Requests in flight at which a copy is evaluated, evenly spread by ratio: in one array, many cost little more. [1]"""

Rows = NDArray[np.intp]
"""Indices of layouts."""


def demand(traffic: Traffic) -> tuple[str, float]:
    """In which of the ways of `DEMANDS` requests come, and how many: users, requests in flight, or a second."""
    way = next(way for way in DEMANDS if getattr(traffic, way) is not None)
    return way, float(getattr(traffic, way))


@dataclass(frozen=True, slots=True)
class Capacity:
    """What copies serve within the limits, each an array.

    Attributes
    ----------
    rows : ndarray
        Which layouts.
    serves : ndarray
        In the unit of the demand, 0 where not even one request keeps the limits. [1 or 1/s]
    ends : ndarray
        What ends it: an index into `LIMITED`, or a larger number where the room does.
    """

    rows: Rows
    serves: Array
    ends: NDArray[np.intp]


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
        numbers = np.geomspace(1.0, space, POINTS, axis=1)
        first = alone(wide)
        found = request(wide, numbers.reshape(-1), first)
        names = [item.name for item in fields(found) if item.name != "crowd"]
        columns = {name: np.broadcast_to(getattr(found, name), numbers.size).reshape(numbers.shape) for name in names}
        each: Any = ({name: column[:, place] for name, column in columns.items()} for place in range(POINTS))
        return Curve(self.cut(rows), first, space, growing(tuple(replace(found, **one) for one in each)))

    def capacity(self, rows: Rows, space: Array) -> Capacity:
        """What each of some layouts serves within the limits."""
        traffic: Any = self.scenario.traffic
        limits = {name: getattr(traffic.limits, name) for name in LIMITED}
        kept = {name: limit / self.slower[name][rows] for name, limit in limits.items() if limit is not None}
        steady = replace(traffic, limits=replace(traffic.limits, **kept))
        if traffic.users is not None and not traffic.think_time:  # who never reads keeps one request in flight
            steady = replace(steady, users=None, concurrency=1)
        found = within(self.server(rows, space), steady)
        flying, rate, ends = (np.broadcast_to(one, rows.shape) for one in found)
        serves = rate if traffic.request_rate is not None else flying + traffic.think_time * rate
        return Capacity(rows, serves, ends.astype(np.intp))

    def alone(self, rows: Rows) -> dict[str, Array]:
        """Times of one request alone on each of some layouts, by limit that is stated. [s]"""
        server = self.server(rows, np.ones(rows.size))
        limits: Any = (self.scenario.traffic or Traffic()).limits
        times: Any = tails(server.scenario, server.points[0])
        stated = [name for name in LIMITED if getattr(limits, name) is not None]
        return {name: times[name].percentile(limits.percentile) * self.slower[name][rows] for name in stated}

    def load(self, one: Copy) -> float:
        """What each of equal copies is asked to serve, in the unit of the demand. [1 or 1/s]"""
        return demand(self.scenario.traffic or Traffic())[1] / one.copies

    def copies(self, found: Capacity, headroom: float, space: Array) -> list[Copy]:
        """Layouts that serve anything, each with as many copies of it as serve the demand, in plain numbers."""
        full, (_, amount) = _full(self, space), demand(self.scenario.traffic or Traffic())
        return [
            Copy(
                {way: int(getattr(self.scenario.parallelism, way)[row]) for way in WAYS},
                int(self.devices[row]),
                max(math.ceil(amount / (serves * (1.0 - headroom)) - ROUNDING), 1),
                float(serves),
                (*LIMITED, str(full[row]))[min(ends, len(LIMITED))],
            )
            for row, serves, ends in zip(found.rows, found.serves, found.ends, strict=True)
            if serves > 0.0
        ]


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
    space, devices, inside = layouts.room(), layouts.devices, domain(layouts.scenario.hardware)
    found: list[Copy] = []
    enough = most
    for rows in (np.flatnonzero(devices <= inside), np.flatnonzero(devices > inside)):
        rows = rows[(space[rows] >= 1.0) & (devices[rows] <= enough)]
        if rows.size:
            found += layouts.copies(layouts.capacity(rows, space[rows]), headroom, space)
            found.sort(key=lambda one: (one.devices * one.copies, layouts.load(one) / one.capacity))
            enough = min(enough, *(one.devices * one.copies for one in found[wanted - 1 : wanted]), most)
    return [one for one in found if one.devices * one.copies <= most][:wanted]


def _full(layouts: Layouts, space: Array) -> NDArray[np.str_]:
    """What ends the room of each copy: ``memory``, or the ``engine``, which runs no more sequences at once."""
    most = layouts.scenario.engine.max_sequences or np.inf
    return np.where(space >= most * layouts.scenario.parallelism.dp, "engine", "memory")

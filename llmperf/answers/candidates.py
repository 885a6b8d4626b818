"""Candidates of a sizing: layouts of one chip, each in as many copies as keep all limits of a demand."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from llmperf.answers.answer import Answer, answer
from llmperf.answers.copies import ROUNDING, Copy, Layouts, demand, fewest
from llmperf.answers.layouts import layouts as every_layout
from llmperf.answers.layouts import where
from llmperf.descriptors.scenario import Scenario
from llmperf.descriptors.traffic import Traffic
from llmperf.errors import InputError, Problem
from llmperf.numeric import Array, first
from llmperf.phases.serving.limits import LIMITED
from llmperf.phases.serving.serve import solved, spreads
from llmperf.records import dataclass
from llmperf.scenarios.binding import Resolved, bound
from llmperf.scenarios.resolve import changed
from llmperf.units import scaled

FURTHER, MANY = 1.1, 4.0
"""How many times more copies are tried where those before did not do, and how many times more at most. [1]"""
SPARE = 4
"""Layouts more than those that are wanted, which take the place of such as need more devices than was thought. [1]"""
TOO_MANY = "more than {:,.0f} devices are needed"

Doubt = Callable[[Scenario, str], float]
"""What a projected time (a name of `LIMITED`) is multiplied by for the unfavourable end of its error band. [1]"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Copies that together serve the demand within all limits.

    Attributes
    ----------
    asked : dict of str to object
        What makes one copy, with its share of the demand, of the scenario that was asked: keys of a scenario.
    copy : Copy
        Its layout.
    copies : int
        How many there are. [1]
    load, capacity : float
        What one copy is asked to serve, and what it could within the limits, in the unit of the demand. [1 or 1/s]
    answer : Answer
        The steady state of one copy.
    slower : dict of str to float
        By time (`LIMITED`), what its projection is multiplied by. [1]
    """

    asked: dict[str, Any]
    copy: Copy
    copies: int
    load: float
    capacity: float
    answer: Answer
    slower: dict[str, float]

    @property
    def scenario(self) -> Scenario:
        """All copies, with the share of the demand that one of them serves."""
        one = self.answer.scenario
        layout = replace(one.parallelism, replicas=self.copies)
        return replace(one, parallelism=layout, devices=self.devices)

    @property
    def devices(self) -> int:
        """Devices of all copies. [1]"""
        return self.copy.devices * self.copies

    @property
    def devices_with_spare(self) -> int:
        """Devices with one copy more, so that one may fail (N+1). [1]"""
        return self.copy.devices * (self.copies + 1)

    @property
    def headroom(self) -> float:
        """Share of what a copy serves within its limits that is left. [1]"""
        return max(1.0 - self.load / self.capacity, 0.0)

    def time_s(self, name: str) -> float:
        """A time (of `LIMITED`) at the percentile of the limits. [s]"""
        scenario, traffic = self.answer.scenario, self.answer.scenario.traffic
        assert traffic is not None
        path = f"{name}_p{traffic.limits.percentile:g}_s"
        if path in self.answer.paths:
            return float(self.answer.value(path)) * self.slower[name]
        spread = spreads(scenario, *solved(scenario, traffic))[name]  # a percentile that is no output
        return first(spread.percentile(traffic.limits.percentile)) * self.slower[name]

    @property
    def requests_per_s(self) -> float:
        """That all copies complete. [1/s]"""
        return float(self.answer.value("requests_per_s")) * self.copies

    @property
    def output_tokens_per_s(self) -> float:
        """Generated tokens of all copies. [1/s]"""
        return float(self.answer.value("output_tokens_per_s")) * self.copies

    @property
    def usd_per_month(self) -> float:
        """Of all devices; NaN where no price is known. [USD]"""
        return float(self.answer.value("cost_per_month_usd")) * self.copies

    @property
    def usd_per_mtok(self) -> float:
        """A million tokens, prompt and generated alike, at this demand; NaN where no price is known. [USD]"""
        return float(self.answer.value("cost_per_mtok_usd"))


@dataclass(frozen=True, slots=True)
class Search:
    """What is said of a search beside the scenario, as of `size`."""

    headroom: float
    devices_max: float
    shown: int | None
    doubt: Doubt | None

    def check(self) -> None:
        """Refuse numbers that no sizing has."""
        wrong = []
        if not 0.0 <= self.headroom < 1.0:
            text = f"{self.headroom:g} is no share of 0 or more and below 1"
            wrong.append(Problem(text, "headroom", suggestion="0.2"))
        if not self.devices_max >= 1.0:
            text = f"{self.devices_max:g} are no devices"
            wrong.append(Problem(text, "devices_max", suggestion="a number of 1 or more"))
        if self.shown is not None and self.shown < 1:
            wrong.append(Problem(f"{self.shown} are no layouts", "layouts", suggestion="a number of 1 or more"))
        if wrong:
            raise InputError(wrong)


def copies_of(one: Resolved, search: Search, wanted: int) -> tuple[list[Copy], str]:
    """The best layouts of one chip, format and engine, or why there is none."""
    scenario, said = one.template, one.asked.get("parallelism") or {}
    layout = every_layout(scenario, said)
    if not np.size(layout.tp):
        return [], "no layout has what is said of it" if said else f"{scenario.engine.name} starts no layout of it"
    scenario = bound(scenario, {"parallelism": layout, "devices": layout.devices, "workload.batch": 1})
    layouts = Layouts(scenario, {name: _slower(scenario, name, search.doubt) for name in LIMITED})
    found = fewest(layouts, search.headroom, search.devices_max, wanted + SPARE)
    return found, "" if found else _why(layouts, search.devices_max)


def _slower(scenario: Scenario, name: str, doubt: Doubt | None) -> Array:
    """What a projected time of each layout is multiplied by; a band is of one device, or of several."""
    several = np.asarray(scenario.parallelism.devices) > 1
    factors = [1.0, 1.0]
    for kind in (False, True):
        if doubt is not None and (several == kind).any():
            factors[kind] = doubt(replace(scenario, parallelism=where(scenario.parallelism, several == kind)), name)
    return np.where(several, factors[1], factors[0])


def _why(layouts: Layouts, most: float) -> str:
    """Why no layout of a chip serves a demand: there is no room for a request, or one alone breaks a limit."""
    space = layouts.room()
    rows = np.flatnonzero(space >= 1.0)
    if not rows.size:
        return f"not one request fits, on up to {layouts.devices.max():,.0f} devices a copy"
    limits: Any = layouts.scenario.traffic
    alone = layouts.alone(rows)
    kept = np.ones(rows.size, dtype=bool)
    for name, times in alone.items():
        if not (times <= getattr(limits.limits, name)).any():
            return f"one request alone has a {name.upper()} of {scaled(times.min(), 'time', 3)} at least"
        kept &= times <= getattr(limits.limits, name)
    return TOO_MANY.format(most) if kept.any() else "no layout keeps all limits, not even with one request alone"


def candidates(
    copies: Sequence[Copy], search: Search, wanted: int, keys: Mapping[str, Any], one: Resolved
) -> list[Candidate]:
    """The best layouts, of those that a curve says need the fewest devices, the best first.

    Where one needs more than its curve says, it stands behind those that do not.
    """
    queue: list[tuple[int, bool, int, Any]] = [
        (copy.devices * copy.copies, True, place, copy) for place, copy in enumerate(copies[: wanted + SPARE])
    ]
    found: list[Candidate] = []
    while queue and len(found) < wanted:
        _, open_, place, best = heapq.heappop(queue)
        if not open_:
            found.append(best)
        elif (exact := candidate(best, search, keys, one)) is not None:
            heapq.heappush(queue, (exact.devices, False, place, exact))
    return found


def candidate(copy: Copy, search: Search, keys: Mapping[str, Any], one: Resolved) -> Candidate | None:
    """The fewest copies that keep the limits, as the question `serve` has them.

    What a copy could serve is of a curve, and of a usual scatter of its times: fewer copies, or more, may do as well.
    None where not even four times as many do.
    """
    tried: dict[int, Candidate] = {}
    too_much = [copy.capacity]

    def does(copies: int) -> bool:
        found = tried[copies] = _served(copy, copies, search, keys, one)
        if not _keeps(found):
            too_much.append(found.load)
            return False
        return not search.headroom or found.load <= copy.capacity * (1.0 - search.headroom)

    few, many = copy.copies - 1, copy.copies
    if does(many):
        while few and does(few):
            few, many = math.floor(few / FURTHER), few
    else:
        few, many = many, math.ceil(many * FURTHER)
        while not does(many):
            few, many = many, math.ceil(many * FURTHER)
            if copy.devices * many > search.devices_max or many > MANY * copy.copies + MANY:
                return None
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if does(middle) else (middle, many)
    return replace(tried[many], capacity=min(too_much))


def _served(copy: Copy, copies: int, search: Search, keys: Mapping[str, Any], one: Resolved) -> Candidate:
    """So many copies with an even share of the demand each."""
    traffic: Any = one.template.traffic
    way, amount = demand(traffic)
    load = amount / copies if way == "request_rate" else math.ceil(amount / copies - ROUNDING)
    own = {**copy.layout, way: load, **_manner(traffic)}
    found = answer(changed(one, own))
    slower = {name: search.doubt(found.scenario, name) if search.doubt else 1.0 for name in LIMITED}
    return Candidate({**keys, **own}, copy, copies, load, copy.capacity, found, slower)


def _manner(traffic: Traffic) -> dict[str, Any]:
    """What is said of how requests come beside how many: it goes with another number of them."""
    usual = Traffic()
    said = {name: getattr(traffic, name) for name in ("think_time", "burstiness")}
    return {name: value for name, value in said.items() if value != getattr(usual, name)}


def _keeps(candidate: Candidate) -> bool:
    """Whether every limit is kept, in a steady state that there is."""
    traffic: Any = candidate.answer.scenario.traffic
    limits = {name: getattr(traffic.limits, name) for name in LIMITED}
    if candidate.answer.value("saturated") or not candidate.answer.value("fits"):
        return False
    return all(candidate.time_s(name) <= limit for name, limit in limits.items() if limit is not None)

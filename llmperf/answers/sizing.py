"""Sizing: how many devices serve so many users within limits, and in which layout; the cheapest first.

A copy is one layout on one chip in one format. The most requests that it may have in flight while every limit is kept
give what it serves, and that the number of copies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations as pairs
from pathlib import Path
from typing import Any

import numpy as np

from llmperf.answers.alternatives import combinations, resolved
from llmperf.answers.answer import Answer, answer
from llmperf.answers.copies import ROUNDING, Copy, Layouts, demand, fewest
from llmperf.answers.layouts import layouts as every_layout
from llmperf.answers.layouts import where
from llmperf.costs import money
from llmperf.descriptors.scenario import Scenario
from llmperf.descriptors.traffic import Traffic
from llmperf.errors import InputError, Problem
from llmperf.numeric import Array
from llmperf.phases.serving.limits import LIMITED
from llmperf.records import dataclass
from llmperf.scenarios.binding import Resolved, bound
from llmperf.scenarios.resolve import changed
from llmperf.units import scaled

ALONE = 5
"""Layouts that are shown where there is one chip in one format. [1]"""
TRIALS, STEP = 16, 0.02
"""Numbers of copies, from that which a curve says, of which one must keep the limits, and how far they are apart. [1]"""
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
        Its layout, and what it could serve.
    copies : int
        How many there are. [1]
    load : float
        What one copy is asked to serve, in the unit of the demand. [1 or 1/s]
    answer : Answer
        The steady state of one copy.
    slower : dict of str to float
        By time (`LIMITED`), what its projection is multiplied by. [1]
    """

    asked: dict[str, Any]
    copy: Copy
    copies: int
    load: float
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
        return max(1.0 - self.load / self.copy.capacity, 0.0)

    def time_s(self, name: str) -> float:
        """A time (of `LIMITED`) at the percentile of the limits. [s]"""
        traffic: Any = self.answer.scenario.traffic
        return float(self.answer.value(f"{name}_p{traffic.limits.percentile:g}_s")) * self.slower[name]

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
class Refused:
    """A chip, with format and engine, on which nothing serves the demand, and why in words."""

    scenario: Scenario
    why: str


@dataclass(frozen=True, slots=True)
class Sizing:
    """What serves a demand within limits.

    Attributes
    ----------
    scenario : Scenario
        What is asked, of the first chip.
    headroom : float
        Share of a copy's capacity that is kept free at least. [1]
    candidates : tuple of Candidate
        The best first.
    refused : tuple of Refused
    by : str
        What they are ranked by: ``usd_per_month``, or ``devices`` where prices are missing or do not compare.
    notes : tuple of str
        What a reader should know of the ranking.
    pessimistic : bool
        Whether times are the unfavourable ends of their error bands.
    reference : mapping, str, path or None
        What `Candidate.asked` stands on top of.
    """

    scenario: Scenario
    headroom: float
    candidates: tuple[Candidate, ...]
    refused: tuple[Refused, ...]
    by: str
    notes: tuple[str, ...]
    pessimistic: bool
    reference: Mapping[str, Any] | str | Path | None = None

    @property
    def best(self) -> Candidate | None:
        """The first of the candidates; None where there is none."""
        return self.candidates[0] if self.candidates else None

    @property
    def traffic(self) -> Traffic:
        """The demand and its limits."""
        traffic = self.scenario.traffic
        assert traffic is not None
        return traffic


def size(
    reference: Mapping[str, Any] | str | Path | None,
    overrides: Mapping[str, Any],
    catalog: tuple[str, ...] = (),
    *,
    headroom: float = 0.0,
    devices_max: float = math.inf,
    shown: int | None = None,
    doubt: Doubt | None = None,
) -> Sizing:
    """Size a service.

    Parameters
    ----------
    reference : mapping, str, path or None
        A scenario, or the name or file of one; its `traffic` has the demand and the limits.
    overrides : mapping
        Keys on top: of those of `AXES` lists of several, of ``rent`` a mapping of one for each hardware, and of
        ``speed`` the tokens a second that a user reads, which limits TPOT. What is said of the layout is kept.
    catalog : tuple of str
        Catalog directories that go before all others.
    headroom : float
        Share of what a copy could serve that is kept free. [1]
    devices_max : float
        Most devices of all copies together. [1]
    shown : int, optional
        Layouts of each chip and format: by default the best one, or the five best of a single chip and format.
    doubt : callable, optional
        Makes times pessimistic.

    Raises
    ------
    InputError
        If the scenario is wrong or says no demand; lists every fault.
    """
    _check(headroom, devices_max, shown)
    every = combinations(overrides)
    scenarios = resolved(reference, every, catalog)
    wanted = shown or (1 if len(every) > 1 else ALONE)
    found: list[Candidate] = []
    refused: list[Refused] = []
    for keys, one in zip(every, scenarios, strict=True):
        best = _best(one, headroom, devices_max, wanted, doubt)
        serving = [each for copy in best.copies if (each := _candidate(copy, best, keys, one, devices_max)) is not None]
        found += serving
        if not serving:
            refused.append(Refused(one.template, best.why or TOO_MANY.format(devices_max)))
    by, notes = _ranked_by(found)
    found.sort(key=lambda one: (getattr(one, by), -one.headroom))
    first, pessimistic = scenarios[0].template, doubt is not None
    return Sizing(first, headroom, tuple(found), tuple(refused), by, notes, pessimistic, reference)


def _check(headroom: float, devices_max: float, shown: int | None) -> None:
    """Refuse numbers that no sizing has."""
    wrong = []
    if not 0.0 <= headroom < 1.0:
        wrong.append(Problem(f"{headroom:g} is no share of 0 or more and below 1", "headroom", suggestion="0.2"))
    if not devices_max >= 1.0:
        wrong.append(Problem(f"{devices_max:g} are no devices", "devices_max", suggestion="a number of 1 or more"))
    if shown is not None and shown < 1:
        wrong.append(Problem(f"{shown} are no layouts", "layouts", suggestion="a number of 1 or more"))
    if wrong:
        raise InputError(wrong)


@dataclass(frozen=True, slots=True)
class _Best:
    """The best layouts of one chip, format and engine, or why there is none."""

    copies: tuple[Copy, ...] = ()
    why: str = ""
    doubt: Doubt | None = None


def _best(one: Resolved, headroom: float, most: float, wanted: int, doubt: Doubt | None) -> _Best:
    scenario, said = one.template, one.asked.get("parallelism") or {}
    layout = every_layout(scenario, said)
    if not np.size(layout.tp):
        why = "no layout has what is said of it" if said else f"{scenario.engine.name} starts no layout of the model"
        return _Best(why=why)
    scenario = bound(scenario, {"parallelism": layout, "devices": layout.devices, "workload.batch": 1})
    layouts = Layouts(scenario, {name: _slower(scenario, name, doubt) for name in LIMITED})
    found = fewest(layouts, headroom, most, wanted)
    return _Best(tuple(found), "" if found else _why(layouts, most), doubt)


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


def _candidate(copy: Copy, best: _Best, keys: Mapping[str, Any], one: Resolved, most: float) -> Candidate | None:
    """The fewest copies that keep the limits, as the question `serve` has them.

    What a copy could serve is of a curve, and of a usual scatter of its times: where a limit is not kept, there are more.
    """
    traffic: Any = one.template.traffic
    way, amount = demand(traffic)
    apart = max(int(STEP * copy.copies), 1)
    for copies in range(copy.copies, copy.copies + TRIALS * apart, apart):
        if copy.devices * copies > most:
            break
        load = amount / copies if way == "request_rate" else math.ceil(amount / copies - ROUNDING)
        own = {**copy.layout, way: load, **_manner(traffic)}
        found = answer(changed(one, own))
        slower = {name: best.doubt(found.scenario, name) if best.doubt else 1.0 for name in LIMITED}
        candidate = Candidate({**keys, **own}, copy, copies, load, found, slower)
        if _keeps(candidate):
            return candidate
    return None


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


def _ranked_by(found: Sequence[Candidate]) -> tuple[str, tuple[str, ...]]:
    """What candidates are ranked by, and why not by money."""
    bases = {one.scenario.hardware.name: money.basis(one.scenario) for one in found}
    missing = [name for name, basis in bases.items() if basis is None]
    if missing and len(bases) > 1:
        return "devices", (f"ranked by devices: no price of {' and '.join(missing)} is known",)
    for (one, first), (other, second) in pairs(bases.items(), 2):
        if why := money.apart(first, second):
            return "devices", (f"ranked by devices: of {one} and {other}, {why}",)
    return ("devices" if missing else "usd_per_month"), ()

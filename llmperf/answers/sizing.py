"""Sizing: how many devices serve so many users within limits, and in which layout; the cheapest first.

A copy is one layout on one chip in one format. The most requests that it may have in flight while every limit is kept
give what it serves, and that the number of copies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations as pairs
from pathlib import Path
from typing import Any

from llmperf.answers.alternatives import alternatives
from llmperf.answers.candidates import TOO_MANY, Candidate, Doubt, Search, candidates, copies_of
from llmperf.costs import money
from llmperf.descriptors.scenario import Scenario
from llmperf.descriptors.traffic import Traffic
from llmperf.records import dataclass

ALONE = 5
"""Layouts that are shown where there is one chip in one format. [1]"""


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
    search = Search(headroom, devices_max, shown, doubt)
    search.check()
    every = alternatives(reference, overrides, catalog)
    wanted = shown or (1 if len(every) > 1 else ALONE)
    found: list[Candidate] = []
    refused: list[Refused] = []
    for keys, one in every:
        copies, why = copies_of(one, search, wanted)
        serving = candidates(copies, search, wanted, keys, one)
        found += serving
        if not serving:
            refused.append(Refused(one.template, why or TOO_MANY.format(devices_max)))
    by, notes = _ranked_by(found)
    found.sort(key=lambda one: (getattr(one, by), -one.headroom))
    first, pessimistic = every[0][1].template, doubt is not None
    return Sizing(first, headroom, tuple(found), tuple(refused), by, notes, pessimistic, reference)


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

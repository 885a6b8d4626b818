"""Error bands: how far measured results lie from projections, by class, from the evidence that ships.

The table is generated (``llmperf validate --bands FILE``), never typed; how it is made is in
`llmperf.evidence.fitted_bands`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from llmperf.files.store import packaged
from llmperf.records import dataclass

FILE = "bands.json"
WIDEST = {"gpu-hbm": 2.0}
"""Upper over lower end of a band above which it says too little, by class of hardware: data-center GPUs. [1]"""
WIDEST_ELSEWHERE = 3.0
"""The same of all other hardware. [1]"""


@dataclass(frozen=True, slots=True)
class Ends:
    """Ends of a band, measured over projected time. [1]

    `coverage` is the share of what was left out, whole, that lies between them, each thing left out counting alike.
    """

    low: float
    high: float
    coverage: float


@dataclass(frozen=True, slots=True)
class Band:
    """Measured over projected time in a class (of rates: projected over measured).

    Attributes
    ----------
    name : str
        ``phase/hardware class/regime/engine``, or the first parts of it: a parent.
    middle : float
        Median, groups of a model, a chip and an engine weighing alike. [1]
    of_groups : Ends
        Ends that hold `llmperf.evidence.fitted_bands.COVERAGE` of such groups that they were not made from.
    of_chips : Ends or None
        The same of whole chips: what is said of a chip that the class has no measurements of. None of too few chips.
    n, groups : int
        Rows and groups that it rests on.
    sources : int
        Who measured them.
    chips : tuple of str
        What they were measured on.
    """

    name: str
    middle: float
    of_groups: Ends
    of_chips: Ends | None
    n: int
    groups: int
    sources: int
    chips: tuple[str, ...]

    @property
    def low(self) -> float:
        """Lower end. [1]"""
        return self.of_groups.low

    @property
    def high(self) -> float:
        """Upper end. [1]"""
        return self.of_groups.high

    @property
    def widest(self) -> float:
        """Upper over lower end from which on it says too little. [1]"""
        hardware = [*self.name.split("/"), ""][1]
        return WIDEST.get(hardware, WIDEST_ELSEWHERE)


@dataclass(frozen=True, slots=True)
class Held:
    """How bands hold on what they have not seen: each group (or chip) is left out whole, and bands made anew.

    Attributes
    ----------
    of : str
        Which answers.
    units, n : int
        Groups or chips left out in turn, and their rows.
    coverage : float
        Share of a unit's rows inside, averaged over units. [1]
    width : float
        Upper over lower end: the median of a unit's rows, and of these the median. [1]
    width_of_rows : float
        The median over all rows. [1]
    """

    of: str
    units: int
    n: int
    coverage: float
    width: float
    width_of_rows: float


@dataclass(frozen=True, slots=True)
class BandTable:
    """All bands, by class, and how they hold."""

    bands: tuple[Band, ...]
    held: tuple[Held, ...]

    def text(self) -> str:
        """As it is written: one line an entry."""
        bands, held = _lines(self.bands), _lines(self.held)
        return f'{{"schema_version": 2, "bands": [\n{bands}\n], "held_out": [\n{held}\n]}}\n'


def _lines(entries: Sequence[Band | Held]) -> str:
    return ",\n".join("  " + json.dumps(asdict(entry)) for entry in entries)


def parents(name: str) -> list[str]:
    """A class and what holds it, the nearest first: ``a/b/c``, ``a/b``, ``a``."""
    parts = name.split("/")
    return ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]


def file() -> Path:
    """The table that ships with the package."""
    return packaged() / "workloads" / "published" / "data" / FILE


@cache
def table() -> BandTable:
    """The table that ships; empty where the package holds none."""
    path = file()
    if not path.is_file():
        return BandTable((), ())
    data: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return BandTable(tuple(map(_band, data["bands"])), tuple(Held(**entry) for entry in data["held_out"]))


def _band(entry: dict[str, Any]) -> Band:
    chips = entry["of_chips"]
    ends = {"of_groups": Ends(**entry["of_groups"]), "of_chips": None if chips is None else Ends(**chips)}
    return Band(**{**entry, **ends, "chips": tuple(entry["chips"])})


@cache
def shipped() -> dict[str, Band]:
    """The bands that ship, by class."""
    return {one.name: one for one in table().bands}


def forget() -> None:
    """Read the table again: its file may have been written anew."""
    table.cache_clear()
    shipped.cache_clear()


def of(name: str) -> Band | None:
    """The band of a class, or of the nearest parent that has one; None where no phase is known."""
    known = shipped()
    return next((known[part] for part in parents(name) if part in known), None)

"""Error bands made from validated rows: tails that hold what they have not seen, and a proof that they do.

Rows of one model on one chip by one engine err alike, so they are one observation: such a *group* weighs as much as any
other, however many rows it has, and is left out whole where a band is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from llmperf.evidence.bands import Band, BandTable, Ends, Held, parents
from llmperf.evidence.rows import Rows
from llmperf.numeric import Array

COVERAGE = 0.80
"""Share of a left-out group's or chip's rows that a band is meant to hold. [1]"""
FEWEST_GROUPS, FEWEST_CHIPS = 8, 4
"""Groups and chips that ends need; of fewer, one decides each tail, and the parent's hold."""
LEAST = 0.04
"""Least share of a class beyond each end: one group of 25 may lie outside, so that no single row decides. [1]"""
TRIED = (
    *((round(0.01 * part, 2), 1.0) for part in range(20, round(100 * LEAST) - 1, -1)),
    *((LEAST, 1.0 + 0.1 * n) for n in range(1, 6)),
)
"""Shares below the lower end and above the upper one, and how far the ends are then moved out from the middle (in
logarithms), the narrowest first. [1]"""
_TAILS = np.array([tail for tail, _ in TRIED])
SHARES = np.stack([_TAILS, 1.0 - _TAILS, np.full_like(_TAILS, 0.5)])
FAR = np.array([far for _, far in TRIED])
FARTHEST = float(np.log(10.0))
"""Ends further apart than ten times say nothing of another chip: those of the class stand in their place."""
DATA_CENTER = "gpu-hbm"
Text = NDArray[np.str_]
Numbers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of a class, ordered by their ratios.

    Attributes
    ----------
    logs : ndarray
        ln(measured / projected time). [1]
    floors : ndarray
        ln(bound / projected time), which no measurement is below; -inf where a row has no bound. [1]
    groups, chips, sources, names : ndarray of int
        Numbers of what each row belongs to; `names` of its class.
    classes, labels : ndarray of str
        All classes and chips by their numbers.
    """

    logs: Array
    floors: Array
    groups: Numbers
    chips: Numbers
    sources: Numbers
    names: Numbers
    classes: Text
    labels: Text

    def __len__(self) -> int:
        return len(self.logs)

    def where(self, kept: NDArray[np.bool_]) -> Sample:
        """Some of the rows."""
        numbers = (self.groups, self.chips, self.sources, self.names)
        groups, chips, sources, names = (column[kept] for column in numbers)
        return replace(
            self,
            logs=self.logs[kept],
            floors=self.floors[kept],
            groups=groups,
            chips=chips,
            sources=sources,
            names=names,
        )


def sample(found: Iterable[Rows]) -> Sample:
    """Rows that have a class; those that beat their bound are at fault (`Rows.explain`), and say nothing of errors."""
    logs, floors, texts = list[float](), list[float](), list[tuple[str, ...]]()
    for rows in found:
        sign = np.where(rows.rates, 1.0, -1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio, floor = sign * rows.log_errors, sign * np.log(rows.projection / rows.bound)
        fine = np.isfinite(ratio) & ~rows.violations
        for index in np.flatnonzero(fine):
            one = rows.subjects[index]
            if one is None:
                continue
            logs.append(float(ratio[index]))
            floors.append(float(floor[index]) if np.isfinite(floor[index]) else -np.inf)
            texts.append((one.group, one.chip, rows.sources[index], one.name))
    order = np.argsort(logs, kind="stable")
    columns = np.array(texts, dtype=str).reshape(-1, 4)[order].T
    (_, groups), (labels, chips), (_, sources), (classes, names) = (
        np.unique(column, return_inverse=True) for column in columns
    )
    return Sample(np.array(logs)[order], np.array(floors)[order], groups, chips, sources, names, classes, labels)


def tried(logs: Array, groups: Numbers) -> tuple[Array, float]:
    """Lower and upper ends of all that is tried, and the middle, of ratios in order and the group of each. [ln]

    Returns
    -------
    ends : ndarray, (2, tried)
    middle : float
    """
    reached = np.cumsum(_weights(groups))
    places = np.minimum(np.searchsorted(reached / reached[-1], SHARES), len(logs) - 1)
    low, high, middle = logs[places]
    return middle + FAR * (np.stack([low, high]) - middle), float(middle[0])


def _weights(groups: Numbers) -> Array:
    """Weight of each row: a group counts as one. [1]"""
    return np.asarray(1.0 / np.bincount(groups)[groups])


def covered(logs: Array, groups: Numbers, units: Numbers) -> Array:
    """Share of what was left out inside of what the others say, averaged over units: of all that is tried. [1]"""
    shares = []
    for unit in np.unique(units):
        out = units == unit
        (low, high), _ = tried(logs[~out], groups[~out])
        inside = (logs[out][:, None] >= low) & (logs[out][:, None] <= high)
        shares.append(np.average(inside, axis=0, weights=_weights(groups[out])))
    return np.asarray(np.mean(shares, axis=0))


def ends(rows: Sample, units: Numbers) -> tuple[float, float, float]:
    """The narrowest ends that hold enough of units left out, and their coverage; the widest where none do.

    [ln, ln, 1]
    """
    share = covered(rows.logs, rows.groups, units)
    enough = np.flatnonzero(share >= COVERAGE)
    chosen = int(enough[0]) if len(enough) else len(TRIED) - 1
    (low, high), _ = tried(rows.logs, rows.groups)
    return float(low[chosen]), float(high[chosen]), float(share[chosen])


def of_others(rows: Sample, units: Numbers, fewest: int) -> tuple[float, float, float] | None:
    """Those ends for a unit that has no rows; None of too few units, or where they differ too much to say anything."""
    if len(np.unique(units)) < fewest:
        return None
    found = ends(rows, units)
    return found if found[2] >= COVERAGE and found[1] - found[0] <= FARTHEST else None


def _said(found: tuple[float, float, float]) -> Ends:
    low, high, share = found
    return Ends(float(f"{np.exp(low):.3g}"), float(f"{np.exp(high):.3g}"), float(f"{share:.3g}"))


def _of_chips(rows: Sample) -> Ends | None:
    """Ends that hold chips left out, where any say something."""
    found = of_others(rows, rows.chips, FEWEST_CHIPS)
    return None if found is None else _said(found)


def bands(found: Iterable[Rows]) -> BandTable:
    """Bands of all classes, and of what holds them, that have enough groups; and how they hold.

    Parameters
    ----------
    found : iterable of Rows
        Validated rows; those without a subject say nothing.
    """
    rows = sample(found)
    out = []
    for name in sorted({part for one in rows.classes for part in parents(str(one))}):
        mine = rows.where(_inside(rows, name))
        chips = np.unique(mine.chips)
        if len(np.unique(mine.groups)) < FEWEST_GROUPS:
            continue
        out.append(
            Band(
                name,
                float(f"{np.exp(tried(mine.logs, mine.groups)[1]):.3g}"),
                _said(ends(mine, mine.groups)),
                _of_chips(mine),
                len(mine),
                len(np.unique(mine.groups)),
                len(np.unique(mine.sources)),
                tuple(str(rows.labels[chip]) for chip in chips),
            )
        )
    return BandTable(tuple(out), tuple(held(rows)))


def _inside(rows: Sample, name: str) -> NDArray[np.bool_]:
    """Rows of a class, or of the classes that a parent holds."""
    held_by = (rows.classes == name) | np.char.startswith(rows.classes, f"{name}/")
    return np.asarray(held_by[rows.names])


def held(rows: Sample) -> Iterator[Held]:
    """How bands hold on groups and on chips left out, of data-center GPUs and of all other hardware."""
    kinds: tuple[tuple[str, Callable[[Sample], Numbers]], ...] = (
        ("groups left out", lambda one: one.groups),
        ("chips left out", lambda one: one.chips),
    )
    data_center = np.array([str(name).split("/")[1] == DATA_CENTER for name in rows.classes])[rows.names]
    for what, units in kinds:
        judged = _judged(rows, units(rows), what == "chips left out")
        for label, of in (("data-center GPUs", data_center), ("all other hardware", ~data_center)):
            mine, unit = judged[of], units(rows)[of]
            known = np.isfinite(mine[:, 0])
            if known.any():
                yield _held(f"{label}, {what}", mine[known], unit[known])


def _held(of: str, judged: Array, units: Numbers) -> Held:
    inside, width = judged.T
    parts = [units == unit for unit in np.unique(units)]
    numbers = (
        float(np.mean([inside[part].mean() for part in parts])),
        float(np.exp(np.median([np.median(width[part]) for part in parts]))),
        float(np.exp(np.median(width))),
    )
    return Held(of, len(parts), len(inside), *(float(f"{number:.3g}") for number in numbers))


def _judged(rows: Sample, units: Numbers, chips: bool) -> Array:
    """Of each row, whether it lies in the band that is made without its unit, and that band's width; NaN without one.

    The lower end is at least the row's bound, as of an answer.
    """
    out = np.full((len(rows), 2), np.nan)
    for unit in np.unique(units):
        without = rows.where(units != unit)
        for name in np.unique(rows.names[units == unit]):
            found = _without(without, str(rows.classes[name]), chips)
            if found is None:
                continue
            mine = (units == unit) & (rows.names == name)
            low, high = np.maximum(found[0], rows.floors[mine]), np.maximum(found[1], rows.floors[mine])
            out[mine] = np.stack([(rows.logs[mine] >= low) & (rows.logs[mine] <= high), high - low], axis=1)
    return out


def _without(rows: Sample, name: str, chips: bool) -> tuple[float, float, float] | None:
    """The ends that an answer of a class would have: of its nearest parent with enough groups, or, on a chip without
    rows, of the nearest whose chips say something of others.
    """
    every = (rows.where(_inside(rows, part)) for part in parents(name))
    known = [mine for mine in every if len(np.unique(mine.groups)) >= FEWEST_GROUPS]
    others = (of_others(mine, mine.chips, FEWEST_CHIPS) for mine in known) if chips else iter(())
    return next((one for one in others if one is not None), ends(known[0], known[0].groups) if known else None)

"""Error bands: how far measured results lie from projections, by class, from the evidence that ships.

The table is generated (``llmperf validate --bands FILE``), never typed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llmperf.files.store import packaged
from llmperf.numeric import Array
from llmperf.records import dataclass

if TYPE_CHECKING:
    from llmperf.evidence.rows import Rows

FEWEST_ROWS, FEWEST_SOURCES = 30, 3
"""Rows and sources that a class needs for a band of its own; else its parent's holds."""
TAILS = tuple(round(0.01 * part, 2) for part in range(1, 21))
"""Shares below the lower end of a band, and above the upper one, that are tried."""
SATURATED = 10
"""Rows from which on a source counts no more: neither a single row nor a big sweep decides. [1]"""
COVERAGE, TOLERANCE = 0.80, 0.05
"""Share of a left-out source's rows that a band is meant to hold, and how far it may be from that. [1]"""


@dataclass(frozen=True, slots=True)
class Band:
    """Measured over projected time in a class (of rates: projected over measured).

    Attributes
    ----------
    name : str
        ``phase/hardware class/bits of a weight/regime``, or the first parts of it: a parent.
    low, middle, high : float
        Lower end, median and upper end: the 10th, 50th and 90th percentile, the outer two moved where the band would
        not hold `COVERAGE` of the rows of sources that it was not made from. [1]
    n, sources : int
        Rows and sources that it rests on.
    coverage : float
        Share of rows of a left-out source inside, averaged over sources. [1]
    """

    name: str
    low: float
    middle: float
    high: float
    n: int
    sources: int
    coverage: float


def parents(name: str) -> list[str]:
    """A class and what holds it, the nearest first: ``a/b/c``, ``a/b``, ``a``."""
    parts = name.split("/")
    return ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _quantile(values: Array, weights: Array, share: float) -> float:
    """A quantile of weighted values. [1]"""
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(reached, share)), len(values) - 1)])


def _weights(sources: Array) -> Array:
    """Weight of each row: a source counts as its rows up to `SATURATED`, however many it has. [1]"""
    _, inverse, counts = np.unique(sources, return_inverse=True, return_counts=True)
    return np.asarray((np.minimum(counts, SATURATED) / counts)[inverse])


def _covered(ratios: Array, sources: Array, tail: float) -> float:
    """Share of each source's rows inside the band of the others, averaged over sources as they weigh. [1]"""
    inside, weight = [], []
    for source in np.unique(sources):
        out = sources == source
        weights = _weights(sources[~out])
        low, high = (_quantile(ratios[~out], weights, share) for share in (tail, 1.0 - tail))
        inside.append(float(np.mean((ratios[out] >= low) & (ratios[out] <= high))))
        weight.append(min(int(out.sum()), SATURATED))
    return float(np.average(inside, weights=weight))


def _band(name: str, ratios: Array, sources: Array) -> Band:
    # the tails nearest to a tenth that cover enough of what they have not seen, and not too much
    covered = {share: _covered(ratios, sources, share) for share in TAILS}
    miss = {share: max(abs(one - COVERAGE) - TOLERANCE, 0.0) for share, one in covered.items()}
    tail = min(TAILS, key=lambda share: (miss[share], abs(share - 0.10)))
    weights = _weights(sources)
    low, middle, high = (_quantile(ratios, weights, share) for share in (tail, 0.5, 1.0 - tail))
    return Band(
        name,
        float(f"{low:.3g}"),
        float(f"{middle:.3g}"),
        float(f"{high:.3g}"),
        len(ratios),
        len(np.unique(sources)),
        float(f"{_covered(ratios, sources, tail):.3g}"),
    )


def bands(found: Iterable[Rows]) -> list[Band]:
    """Bands of all classes, and of what holds them, that have enough rows of enough sources.

    Parameters
    ----------
    found : iterable of Rows
        Validated rows; those without a class say nothing.
    """
    ratios: dict[str, list[float]] = {}
    sources: dict[str, list[str]] = {}
    for rows in found:
        with np.errstate(divide="ignore", invalid="ignore"):
            quotient = np.where(rows.rates, rows.projection / rows.measured, rows.measured / rows.projection)
        for index, name in enumerate(rows.classes):
            if name and np.isfinite(quotient[index]):
                for part in parents(name):
                    ratios.setdefault(part, []).append(float(quotient[index]))
                    sources.setdefault(part, []).append(rows.sources[index])
    out = []
    for name in sorted(ratios):
        by = np.array(sources[name])
        if len(by) >= FEWEST_ROWS and len(np.unique(by)) >= FEWEST_SOURCES:
            out.append(_band(name, np.array(ratios[name]), by))
    return out


def file() -> Path:
    """The table that ships with the package."""
    return packaged() / "workloads" / "published" / "data" / "bands.json"


def text(found: Sequence[Band]) -> str:
    """The table as it is written: one line a band."""
    lines = ",\n".join("  " + json.dumps(asdict(band)) for band in found)
    return f'{{"schema_version": 1, "bands": [\n{lines}\n]}}\n'


@cache
def shipped() -> dict[str, Band]:
    """The bands that ship, by class; none where the package holds no table."""
    path = file()
    if not path.is_file():
        return {}
    data: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return {entry["name"]: Band(**entry) for entry in data["bands"]}


def of(name: str) -> Band | None:
    """The band of a class, or of the nearest parent that has one; None where no phase is known."""
    known = shipped()
    return next((known[part] for part in parents(name) if part in known), None)

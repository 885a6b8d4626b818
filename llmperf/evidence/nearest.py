"""The measured rows nearest to a question: shown where the error band of its class is too wide to say anything.

The rows are written beside the bands (``llmperf validate --bands FILE``), of classes that have no sharp band alone.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from llmperf.evidence import bands
from llmperf.evidence.bands import Band, BandTable, parents
from llmperf.evidence.classes import Subject
from llmperf.numeric import Array
from llmperf.records import dataclass

if TYPE_CHECKING:
    from llmperf.evidence.rows import Rows

FILE = "nearest.json.gz"
SHOWN = 3
SIZES = ("parameters", "bits", "devices", "batch", "length")
"""What a doubling of counts as one step of distance."""
NAMES = ("engine", "chip", "model")
"""What counts as one step where it is another one; another regime counts as two."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A measured row beside its projection.

    Attributes
    ----------
    id, metric : str
        As `llmperf validate` names it.
    measured, projection : float
        SI units.
    ratio : float
        Measured over projected time; of rates projected over measured. [1]
    subject : Subject
        What it is about.
    steps : float
        Distance from the question. [1]
    """

    id: str
    metric: str
    measured: float
    projection: float
    ratio: float
    subject: Subject
    steps: float = 0.0


def text(found: Iterable[Rows], table: BandTable) -> bytes:
    """The rows of classes without a sharp band, packed column by column."""
    sharp = {one.name: _sharp(one) for one in table.bands}
    entries = [_entry(rows, i) for rows in found for i in _wanted(rows, sharp)]
    columns = {name: [entry[name] for entry in entries] for name in (entries[0] if entries else ())}
    return gzip.compress(json.dumps(columns, separators=(",", ":")).encode(), mtime=0)


def _sharp(one: Band) -> bool:
    every = [one.of_groups] if one.of_chips is None else [one.of_groups, one.of_chips]
    return all(ends.high <= one.widest * ends.low for ends in every)


def _wanted(rows: Rows, sharp: dict[str, bool]) -> Iterator[int]:
    beaten = rows.violations
    for index, one in enumerate(rows.subjects):
        if one is None or beaten[index] or not np.isfinite(rows.log_errors[index]):
            continue
        if not next((sharp[part] for part in parents(one.name) if part in sharp), False):
            yield index


def _entry(rows: Rows, index: int) -> dict[str, Any]:
    one = rows.subjects[index]
    assert one is not None
    measured, projection = (float(f"{part[index]:.4g}") for part in (rows.measured, rows.projection))
    ratio = projection / measured if rows.rates[index] else measured / projection
    about = {"parameters": float(f"{one.parameters:.4g}")}
    head = {"id": rows.ids[index], "metric": rows.metrics[index], "measured": measured, "projection": projection}
    return {**head, "ratio": float(f"{ratio:.3g}"), **asdict(one), **about}


@cache
def _shipped() -> dict[str, list[Any]]:
    path = bands.file().with_name(FILE)
    if not path.is_file():
        return {}
    found: dict[str, list[Any]] = json.loads(gzip.decompress(path.read_bytes()))
    return found


def forget() -> None:
    """Read the rows again: their file may have been written anew."""
    _shipped.cache_clear()


def nearest(about: Subject, count: int = SHOWN) -> list[Neighbour]:
    """The measured rows of a phase and a class of hardware that are nearest to a question, the nearest first.

    Parameters
    ----------
    about : Subject
        What is asked.
    count : int
        How many. [1]

    Returns
    -------
    list of Neighbour
        Their distance is in steps: each doubling of the size of the model, of the bits of a weight, the devices, the
        sequences at once or the prompt is one, another chip, model or engine one, another regime two. Fewer than
        `count` where no more are known.
    """
    columns = _shipped()
    if not columns:
        return []
    same = np.array([columns[name] for name in ("phase", "hardware")]) == [[about.phase], [about.hardware]]
    steps = np.where(same.all(axis=0), _steps(columns, about), np.inf)
    order = np.argsort(steps, kind="stable")[:count]
    return [_neighbour(columns, int(index), float(steps[index])) for index in order if np.isfinite(steps[index])]


def _steps(columns: dict[str, list[Any]], about: Subject) -> Array:
    """Distance of every row. [1]"""
    steps = np.zeros(len(columns["id"]))
    for name in SIZES:
        mine = max(getattr(about, name), 1.0)
        if np.isfinite(mine):
            steps += np.abs(np.log2(np.maximum(columns[name], 1.0) / mine))
    for name in NAMES:
        steps += np.array(columns[name]) != getattr(about, name)
    return np.asarray(steps + 2.0 * (np.array(columns["regime"]) != about.regime))


def _neighbour(columns: dict[str, list[Any]], index: int, steps: float) -> Neighbour:
    of = Subject(**{item.name: columns[item.name][index] for item in fields(Subject)})
    said = {name: columns[name][index] for name in ("id", "metric", "measured", "projection", "ratio")}
    return Neighbour(**said, subject=of, steps=steps)

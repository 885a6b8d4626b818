"""Measured rows beside the bound and the projection, and what they say in total."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.evidence.classes import Subject
from llmperf.numeric import Array

EXPLAINED = "beats the bound: "
"""How a note begins that names what is at fault where a row beats the bound."""
SLACK = 0.98
"""A measured time below this share of the bound (a rate beyond the bound over it) is a violation. [1]"""


@dataclass(slots=True)
class Rows:
    """Measured rows of one data set, one a metric.

    Attributes
    ----------
    dataset : str
        Name of the format.
    ids, metrics, groups, notes, sources : list of str
        One entry a row; `groups` is what statistics are grouped by, `sources` who measured.
    measured, bound, projection : ndarray, (rows,)
        SI units; `bound` is NaN where a row has none.
    rates : ndarray of bool, (rows,)
        Whether more is better (tokens/s), so that the bound is an upper one.
    subjects : list of Subject or None
        What each row is about, which sets the class of its error band; None where it has none.
    omitted : list of (id, why)
        What could not be expressed.
    """

    dataset: str
    ids: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    subjects: list[Subject | None] = field(default_factory=list)
    measured: Array = field(default_factory=lambda: np.zeros(0))
    bound: Array = field(default_factory=lambda: np.zeros(0))
    projection: Array = field(default_factory=lambda: np.zeros(0))
    rates: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    omitted: list[tuple[str, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def classes(self) -> list[str]:
        """Class of the error band of each row (`Subject.name`); empty where it has none."""
        return ["" if one is None else one.name for one in self.subjects]

    @property
    def log_errors(self) -> Array:
        """``ln(projection / measured)``. [1]"""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log(self.projection / self.measured))

    @property
    def violations(self) -> NDArray[np.bool_]:
        """Where the measurement beats the bound by more than the slack."""
        with np.errstate(invalid="ignore"):
            return np.where(self.rates, self.measured > self.bound / SLACK, self.measured < SLACK * self.bound)

    def explain(self, why: str, where: NDArray[np.bool_]) -> None:
        """Say of the rows among `where` that beat the bound what is at fault; other notes are no explanation."""
        for index in np.flatnonzero(self.violations & where):
            self.notes[index] = "; ".join(filter(None, (f"{EXPLAINED}{why}", self.notes[index])))

    @property
    def unexplained(self) -> NDArray[np.bool_]:
        """Rows that beat the bound and do not say why."""
        said = np.array([note.startswith(EXPLAINED) for note in self.notes], dtype=bool)
        return np.asarray(self.violations & ~said)

    def reasons(self) -> list[tuple[str, int]]:
        """Why rows beat the bound, and how many, the most frequent first."""
        beaten = np.flatnonzero(self.violations)
        silent = self.unexplained
        said = ["no explanation" if silent[i] else self.notes[i].removeprefix(EXPLAINED) for i in beaten]
        return Counter(said).most_common()

    def missing(self) -> list[tuple[str, int]]:
        """Why rows cannot be expressed, and how many, the most frequent first."""
        return Counter(why for _, why in self.omitted).most_common()

    def extend(
        self,
        *,
        ids: Sequence[str],
        metric: str | Sequence[str],
        groups: Sequence[str],
        measured: Array,
        bound: Array,
        projection: Array,
        rates: bool | NDArray[np.bool_] = False,
        notes: Sequence[str] | None = None,
        sources: Sequence[str] | None = None,
        subjects: Sequence[Subject | None] | None = None,
    ) -> None:
        """Append rows; a single `metric` or `rates` holds for all of them."""
        count = len(ids)
        self.ids += ids
        self.metrics += [metric] * count if isinstance(metric, str) else metric
        self.groups += groups
        self.notes += notes if notes is not None else [""] * count
        self.sources += sources if sources is not None else [""] * count
        self.subjects += subjects if subjects is not None else [None] * count
        self.measured = np.concatenate([self.measured, measured])
        self.bound = np.concatenate([self.bound, np.broadcast_to(bound, count)])
        self.projection = np.concatenate([self.projection, np.broadcast_to(projection, count)])
        self.rates = np.concatenate([self.rates, np.broadcast_to(rates, count)])

    def omit(self, ids: Iterable[str], why: str) -> None:
        """Note rows that cannot be expressed."""
        self.omitted += [(name, why) for name in ids]


def unique(ids: Sequence[str]) -> list[str]:
    """Ids, those that come again with ``#2``, ``#3`` ... behind them."""
    seen: dict[str, int] = {}
    taken = set(ids)
    out = []
    for name in ids:
        seen[name] = count = seen.get(name, 0) + 1
        while count > 1 and f"{name}#{count}" in taken:
            count += 1
        made = name if count == 1 else f"{name}#{count}"
        seen[name] = count
        taken.add(made)
        out.append(made)
    return out


@dataclass(frozen=True, slots=True)
class Summary:
    """Errors of one group and metric; logarithms are natural, `bias_log` is their median."""

    dataset: str
    group: str
    metric: str
    n: int
    median_abs_log: float
    p90_abs_log: float
    bias_log: float
    bound_violations: int
    expressible_fraction: float


def summary(rows: Rows) -> list[Summary]:
    """Errors by group and metric, and last over all groups of a metric (``all groups``: the mean over groups)."""
    whole = len({*rows.ids, *(name for name, _ in rows.omitted)})
    fraction = len(set(rows.ids)) / whole if whole else 0.0
    keys: dict[tuple[str, str], list[int]] = {}
    for index, key in enumerate(zip(rows.groups, rows.metrics, strict=True)):
        keys.setdefault(key, []).append(index)
    logs, violations = rows.log_errors, rows.violations
    out = [
        _summed(rows.dataset, group, metric, logs[index], violations[index], fraction)
        for (group, metric), index in sorted(keys.items())
    ]
    for metric in sorted({key[1] for key in keys}):
        parts = [part for part in out if part.metric == metric]
        if len(parts) > 1:
            out.append(_mean(rows.dataset, metric, parts, fraction))
    return out


def _summed(dataset: str, group: str, metric: str, logs: Array, violations: NDArray[Any], fraction: float) -> Summary:
    size = np.abs(logs)
    median, high = np.median(size), np.percentile(size, 90.0)
    return Summary(
        dataset,
        group,
        metric,
        len(logs),
        float(median),
        float(high),
        float(np.median(logs)),
        int(violations.sum()),
        fraction,
    )


def _mean(dataset: str, metric: str, parts: list[Summary], fraction: float) -> Summary:
    """The mean over groups, so that a big sweep does not drown the rest."""
    return Summary(
        dataset,
        "all groups",
        metric,
        sum(part.n for part in parts),
        float(np.mean([part.median_abs_log for part in parts])),
        float(np.mean([part.p90_abs_log for part in parts])),
        float(np.mean([part.bias_log for part in parts])),
        sum(part.bound_violations for part in parts),
        fraction,
    )

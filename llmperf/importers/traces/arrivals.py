"""How requests came: the rate, how it changes, and how gaps scatter about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from llmperf.importers.traces.trace import Floats
from llmperf.records import dataclass

DIGITS = 6
"""Digits of statistics that are kept."""
STRETCH = 100
"""Gaps of a stretch of which the rate is taken as constant; a trace with fewer than four is not asked for drift."""
DRIFT, TEST = 1.2, 6.0
"""A rate drifts where stretches differ by so many times the standard error of an F test, and that explains as much of
the scatter of gaps."""
GRID = 0.1
"""Smallest gap (the first percentile of those that are not zero) over the mean gap, from which on times come on a grid
that is too coarse for gaps. [1]"""
EVEN = 1e6
"""The burstiness of what comes as regularly as a clock. [1]"""
COUNTED = 30
"""Fewest gaps that say how they scatter; where gaps are not known, requests of a window in which they are counted, and
how many such windows there must be."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How requests came.

    Attributes
    ----------
    span_s : float
        From the first to the last. [s]
    rate : float
        Requests over that time. [1/s]
    busiest : mapping
        ``minute`` and ``hour``, as far as the trace has any -> rate in the busiest. [1/s]
    burstiness : float or None
        Of all gaps: one over the square of their coefficient of variation. [1]
    within : float or None
        The same within stretches in which the rate hardly changes. [1]
    drifts : bool
        Whether the rate changes, so that gaps near each other are alike.
    grid_s : float or None
        The grid on which times come, where it is too coarse for gaps and requests were counted in windows. [s]
    """

    span_s: float
    rate: float
    busiest: Mapping[str, float]
    burstiness: float | None
    within: float | None
    drifts: bool
    grid_s: float | None = None

    @property
    def steady(self) -> float | None:
        """The burstiness of a steady state: a rate that drifts is no burst."""
        return self.within if self.drifts else self.burstiness


def rounded(value: Any) -> float:
    """A statistic with as many digits as are kept."""
    return float(f"{float(value):.{DIGITS}g}")


def arrivals_of(times: Floats) -> Arrivals | None:
    """How requests came; None where all came at once."""
    span = float(times[-1] - times[0])
    if span <= 0.0:
        return None
    rate = (len(times) - 1) / span
    lasting = {"minute": 60.0, "hour": 3600.0}
    busiest = {name: rounded(_most(times, window) / window) for name, window in lasting.items() if span >= window}
    gaps = np.diff(times)
    step = float(np.percentile(gaps[gaps > 0.0], 1.0))
    if step > GRID * gaps.mean() and not gaps.all():
        scatter, within, grid = *_counted(times, span, step), step
        drifts = scatter is not None and within is not None and scatter > DRIFT * within
    else:
        scatter, within, drifts, grid = *_gaps(gaps), None
    shapes = [None if square is None else rounded(1.0 / max(square, 1.0 / EVEN)) for square in (scatter, within)]
    return Arrivals(
        rounded(span), rounded(rate), busiest, shapes[0], shapes[1], drifts, None if grid is None else rounded(grid)
    )


def _most(times: Floats, window: float) -> int:
    """Most requests within a time, wherever it begins."""
    return int((np.searchsorted(times, times + window, side="left") - np.arange(len(times))).max())


def _gaps(gaps: Floats) -> tuple[float | None, float | None, bool]:
    """Squares of the coefficient of variation of all gaps and of those within stretches, and whether the rate drifts.

    Stretches of a constant rate differ in their mean gap by no more than gaps within them let expect (analysis of
    variance).
    """
    if len(gaps) < COUNTED:
        return None, None, False
    scatter = float(gaps.var() / gaps.mean() ** 2)
    number = len(gaps) // STRETCH
    if number < 4:
        return scatter, None, False
    parts = gaps[: number * STRETCH].reshape(number, STRETCH)
    means, variances = parts.mean(axis=1), parts.var(axis=1, ddof=1)
    some = means > 0.0
    within = float(np.mean(variances[some] / means[some] ** 2))
    ratio = STRETCH * means.var(ddof=1) / max(variances.mean(), 1e-300)
    drifts = ratio > 1.0 + TEST * np.sqrt(2.0 / (number - 1)) and scatter > DRIFT * within
    return scatter, within, bool(drifts)


def _counted(times: Floats, span: float, tick: float) -> tuple[float | None, float | None]:
    """The same from requests in windows, where times come on a grid.

    Over long windows the variance of counts over their mean is the square of the coefficient of variation of gaps (Cox,
    Renewal Theory, 1962); half of the mean square of differences of neighbours in place of the variance leaves out what
    drifts.
    """
    window = max(10.0 * tick, COUNTED * span / len(times))
    number = int(span / window)
    if number < COUNTED:
        return None, None
    counts = np.bincount(np.minimum((times / window).astype(np.int64), number), minlength=number + 1)[:number]
    mean = counts.mean()
    return float(counts.var(ddof=1) / mean), float(np.mean(np.diff(counts) ** 2) / (2.0 * mean))

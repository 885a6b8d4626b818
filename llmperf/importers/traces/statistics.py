"""What a trace says of traffic: rates, burstiness, lengths, reuse; and the entry of a catalog that holds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from llmperf.importers.traces.reading import read
from llmperf.importers.traces.trace import Floats, Trace, Wanted, Wholes
from llmperf.records import dataclass
from llmperf.version import __version__

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
class Spread:
    """A distribution of lengths. [token]"""

    mean: float
    cv: float
    p50: float
    p90: float
    p99: float

    def entry(self) -> dict[str, float]:
        """As traffic has it; lengths that are all equal have no percentiles."""
        if not self.cv:
            return {"mean": self.mean}
        return {name: getattr(self, name) for name in ("mean", "cv", "p50", "p90", "p99")}


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


@dataclass(frozen=True, slots=True)
class Conversations:
    """Requests that follow on each other.

    Attributes
    ----------
    count : int
        Conversations.
    turns_mean, turns_p90 : float
        Requests of one. [1]
    pause_p50_s : float or None
        Median time from a request, or from its answer where the trace knows its end, to the next. [s]
    """

    count: int
    turns_mean: float
    turns_p90: float
    pause_p50_s: float | None


@dataclass(frozen=True, slots=True)
class TraceStatistics:
    """Statistics of a trace, for `llmperf.descriptors.traffic.Traffic`.

    Attributes
    ----------
    file, format : str
        The trace, and its kind.
    requests : int
        Requests that count.
    left_out : mapping
        Why others do not -> how many.
    arrivals : Arrivals or None
        None where the trace has no times.
    input, output : Spread
        Lengths of prompts and answers. [token]
    correlation : float
        Of both. [1]
    prefix_hit : float or None
        Share of prompt tokens that requests before have left in a cache without limits: the most that a prefix cache
        can hit. None where the trace does not tell. [1]
    conversations : Conversations or None
        Where the trace tells them.
    notes : tuple of str
        How it was read, and what is missing.
    """

    file: str
    format: str
    requests: int
    left_out: Mapping[str, int]
    arrivals: Arrivals | None
    input: Spread
    output: Spread
    correlation: float
    prefix_hit: float | None
    conversations: Conversations | None
    notes: tuple[str, ...]

    def entry(self) -> dict[str, Any]:
        """Traffic with these statistics, as an entry of the catalog or the section of a scenario has it."""
        said = f"{Path(self.file).name}: {self.requests:,} requests ({self.format}), llmperf traffic {__version__}"
        out: dict[str, Any] = {"sources": {"all": "".join(c for c in said if c.isprintable())[-900:]}}
        if self.arrivals is not None:
            out["request_rate"] = self.arrivals.rate
            if self.arrivals.steady is not None:
                out["burstiness"] = self.arrivals.steady
        out |= {"input": self.input.entry(), "output": self.output.entry()}
        if self.correlation:
            out["correlation"] = self.correlation
        if self.prefix_hit:
            out["prefix_hit"] = self.prefix_hit
            out["sources"]["prefix_hit"] = "of a cache without limits, in order of arrival: the most that one can hit"
        return out


def traffic(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    where: Mapping[str, str] | None = None,
    time_unit: str | None = None,
    chars_per_token: float | None = None,
    first_turn: bool = False,
) -> TraceStatistics:
    """Statistics of a request trace.

    Parameters
    ----------
    path : str or Path
        CSV (Azure, BurstGPT, Vidur, any with a header), JSON lines (Mooncake, Qwen, aiperf) or chats (ShareGPT); told
        by what it holds.
    columns : mapping, optional
        Role (``time``, ``input``, ``output``, ``session``) -> the column or key that has it, where its name does not
        say so.
    where : mapping, optional
        Column or key -> the value of requests that count: ``{"Model": "GPT-4"}``.
    time_unit : str, optional
        ``s``, ``ms``, ``us`` or ``ns``, where the trace does not say.
    chars_per_token : float, optional
        Characters of a token; traces of texts need it.
    first_turn : bool
        Whether only the first exchange of each chat counts.

    Returns
    -------
    TraceStatistics
        Its ``entry()`` goes into a scenario: ``llmperf.estimate(..., traffic=found.entry())``.

    Raises
    ------
    InputError
        If the file holds no trace, or lines of it are broken or impossible; with lines.
    """
    return statistics(read(Path(path), Wanted(columns or {}, where or {}, time_unit, chars_per_token, first_turn)))


def statistics(trace: Trace) -> TraceStatistics:
    """What a trace says of traffic."""
    rows = trace.rows
    arrivals = None if rows.times is None else _arrivals(rows.times)
    notes = [*trace.notes]
    if rows.times is None:
        notes.append("no times: say the rate, or how many are in flight")
    elif arrivals is None:
        notes.append("all requests at one time: no rate" if len(rows.times) > 1 else "one request: no rate")
    reused = None if rows.reused is None else rounded(rows.reused.sum() / rows.inputs.sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        equal = np.ptp(rows.inputs) == 0.0 or np.ptp(rows.outputs) == 0.0
        together = 0.0 if equal else float(np.corrcoef(rows.inputs, rows.outputs)[0, 1])
    return TraceStatistics(
        trace.file,
        trace.format,
        len(rows.inputs),
        trace.left_out,
        arrivals,
        _spread(rows.inputs),
        _spread(rows.outputs),
        round(together, 4),
        reused,
        None if rows.sessions is None else _conversations(rows.sessions, rows.times, rows.ends),
        tuple(notes),
    )


def rounded(value: Any) -> float:
    """A statistic with as many digits as are kept."""
    return float(f"{float(value):.{DIGITS}g}")


def _spread(lengths: Floats) -> Spread:
    mean = lengths.mean()
    p50, p90, p99 = np.percentile(lengths, (50.0, 90.0, 99.0))
    return Spread(*map(rounded, (mean, lengths.std() / mean, p50, p90, p99)))


def _arrivals(times: Floats) -> Arrivals | None:
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


def _conversations(sessions: Wholes, times: Floats | None, ends: Floats | None) -> Conversations | None:
    """How requests follow on each other."""
    known = sessions >= 0
    if not known.any():
        return None
    _, turns = np.unique(sessions[known], return_counts=True)
    pause = None
    if times is not None and turns.max() > 1:
        order = np.flatnonzero(known)[np.argsort(sessions[known], kind="stable")]
        follows = sessions[order][1:] == sessions[order][:-1]
        left = (times if ends is None else ends)[order][:-1]
        pauses = (times[order][1:] - left)[follows]
        pause = rounded(np.median(np.maximum(pauses, 0.0)))
    return Conversations(len(turns), rounded(turns.mean()), rounded(np.percentile(turns, 90.0)), pause)

"""What a trace says of traffic: rates, burstiness, lengths, reuse; and the entry of a catalog that holds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from llmperf.importers.traces.arrivals import Arrivals, arrivals_of, rounded
from llmperf.importers.traces.reading import read
from llmperf.importers.traces.trace import Floats, Trace, Wanted, Wholes
from llmperf.records import dataclass
from llmperf.version import __version__


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
    rows = trace.requests
    arrivals = None if rows.times is None else arrivals_of(rows.times)
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


def _spread(lengths: Floats) -> Spread:
    mean = lengths.mean()
    p50, p90, p99 = np.percentile(lengths, (50.0, 90.0, 99.0))
    return Spread(*map(rounded, (mean, lengths.std() / mean, p50, p90, p99)))


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

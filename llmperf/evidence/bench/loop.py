"""The measuring loop: every case within its share of the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from llmperf.evidence.bench.plan import PARTS, Trial
from llmperf.evidence.bench.timing import LEAST_REPEATS, Timing, TooSlowError, timed

Progress = Callable[[Trial, int], None]
"""Told of each case before it is measured, and how many are behind."""


@dataclass(slots=True)
class Outcome:
    """What was measured, what was not and why, and the time it took. [s]"""

    measured: list[tuple[Trial, Timing]] = field(default_factory=list)
    skipped: list[tuple[Trial, str]] = field(default_factory=list)
    seconds: float = 0.0


def measure(
    cases: Sequence[Trial],
    seconds: float,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.perf_counter,
    prepare: Callable[[], object] | None = None,
) -> Outcome:
    """Measure all cases, or as many as the time allows.

    The time is divided over the parts by their weights and over the cases of a part evenly; what one does not use is
    left to those behind it. Cases that would not fit are skipped, so that the time is kept up to about one case.

    Parameters
    ----------
    cases : sequence of Trial
        In the order of the parts.
    seconds : float
        Time for all of them. [s]
    progress : callable, optional
        Told of each case.
    clock : callable
        Gives the time. [s]
    prepare : callable, optional
        What the device does once before the first case; counts as time of none of them, but of all.
    """
    out, begin = Outcome(), clock()
    if prepare is not None:
        prepare()
    parts = [name for name in PARTS if any(case.part == name for case in cases)]
    for index, part in enumerate(parts):
        weights = [PARTS[name].weight for name in parts[index:]]
        until = clock() + max(0.0, begin + seconds - clock()) * weights[0] / sum(weights)
        _part([case for case in cases if case.part == part], until, out, progress, clock)
    out.seconds = clock() - begin
    return out


def _part(
    cases: list[Trial], until: float, out: Outcome, progress: Progress | None, clock: Callable[[], float]
) -> None:
    pace = 0.0  # best work a second so far
    for index, case in enumerate(cases):
        if progress is not None:
            progress(case, len(out.measured) + len(out.skipped))
        left = until - clock()
        work = case.flops or case.bytes
        if left <= 0.0:
            out.skipped.append((case, "no time left"))
        elif pace and (LEAST_REPEATS + 1) * work / pace > left:
            out.skipped.append((case, f"would take {work / pace:.2g} s a call at least"))
        else:
            timing = _tried(case, left / (len(cases) - index), until, out, clock)
            if timing is not None:
                pace = max(pace, work / timing.time)


def _tried(case: Trial, share: float, until: float, out: Outcome, clock: Callable[[], float]) -> Timing | None:
    """The time of a case; a fault of a library or a lack of memory concerns this case alone."""
    begin = clock()
    try:
        run = case.build()
        timing = timed(run, max(0.0, share - (clock() - begin)), until - clock(), clock)
    except TooSlowError as error:
        out.skipped.append((case, str(error)))
    except (RuntimeError, MemoryError, OSError, ValueError, TypeError) as error:
        lines = str(error).strip().splitlines()
        out.skipped.append((case, f"{type(error).__name__}: {lines[0][:200] if lines else 'no message'}"))
    else:
        if timing.time > 0.0:
            out.measured.append((case, timing))
            return timing
        out.skipped.append((case, "faster than the clock can tell"))
    return None

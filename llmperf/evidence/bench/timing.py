"""Timing of one operation: warm-up, repeats of a least duration, and their median."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Run = Callable[[int], float]
"""Runs an operation so many times, and gives the time that these took together. [s]"""

LEAST_REPEATS, MOST_REPEATS = 3, 9
SHORTEST, LONGEST = 1e-3, 0.1
"""Duration of a repeat, which calls the operation as often as that takes: long against the clock. [s]"""
MOST_CALLS = 1_000_000


class TooSlowError(Exception):
    """The operation takes longer than there is time for."""

    def __init__(self, once: float) -> None:
        self.once = once
        super().__init__(f"one call takes {once:.3g} s")


@dataclass(frozen=True, slots=True)
class Timing:
    """Time of one call: the median over repeats [s], and how far their middle half spreads, relative to it. [1]"""

    time: float
    spread: float
    repeats: int


def timed(run: Run, share: float, left: float, clock: Callable[[], float] = time.perf_counter) -> Timing:
    """Time one operation.

    Parameters
    ----------
    run : callable
        The operation; see `Run`.
    share : float
        Time that may be spent on more repeats than the fewest. [s]
    left : float
        Time after which not even the fewest repeats may go on. [s]
    clock : callable
        The clock by which `share` and `left` are kept. [s]

    Raises
    ------
    TooSlowError
        If `LEAST_REPEATS` calls do not fit into what is left after a warm-up.
    """
    begin = clock()
    run(1)
    once = run(1)
    if clock() - begin + LEAST_REPEATS * once > left:
        raise TooSlowError(once)
    wanted = min(max(share / (MOST_REPEATS + 2), SHORTEST), LONGEST)
    calls = _calls(run, once, wanted)
    repeats: list[float] = []
    while len(repeats) < LEAST_REPEATS or (len(repeats) < MOST_REPEATS and clock() - begin < share):
        repeats.append(run(calls) / calls)
    low, median, high = (float(value) for value in np.percentile(repeats, [25.0, 50.0, 75.0]))
    return Timing(median, (high - low) / median if median > 0 else 0.0, len(repeats))


def _calls(run: Run, once: float, wanted: float) -> int:
    """Calls that take about `wanted` seconds; a single call is mostly overhead, so that the count is tried."""
    calls = 1
    while once * calls < wanted and calls < MOST_CALLS:
        calls = min(max(int(wanted / max(once, 1e-9)), calls + 1), MOST_CALLS)
        once = run(calls) / calls
        if once * calls >= 0.5 * wanted:
            break
    return calls

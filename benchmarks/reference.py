"""What times are measured against: elementary operations of NumPy in the same process, directly before and after.

CPU time of a shared machine changes twofold within minutes; its ratio to that of plain array operations hardly does.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from benchmarks.common import line
from llmperf.records import dataclass

SIZE, ROUNDS = 8192, 100
"""Doubles of one operation, which stay in the nearest caches, and how often each operation is done."""
REPETITIONS = 9

_a, _b = np.linspace(1.0, 2.0, SIZE), np.linspace(2.0, 3.0, SIZE)
_out = np.empty(SIZE)


@dataclass(frozen=True, slots=True)
class Measured:
    """CPU times of some repetitions of the same work.

    Attributes
    ----------
    median, best : float
        In units of the reference, for each element of the work. [1]
    seconds : float
        The median, of the whole work. [s]
    """

    median: float
    best: float
    seconds: float


def unit_s() -> float:
    """The reference: mean CPU time an element of five operations into a buffer that is used again. [s]"""
    begin = time.process_time()
    for _ in range(ROUNDS):
        np.add(_a, _b, out=_out)
        np.multiply(_a, _b, out=_out)
        np.divide(_a, _b, out=_out)
        np.maximum(_a, _b, out=_out)
        np.sqrt(_a, out=_out)
    return (time.process_time() - begin) / (5 * ROUNDS * SIZE)


def reference() -> str:
    """The reference now: what is given in seconds holds for a machine and an hour of this speed."""
    unit = statistics.median(unit_s() for _ in range(REPETITIONS))
    return line("the reference, one element", f"{1e9 * unit:.2f}", "ns")


def spent_s(work: Callable[[], object]) -> float:
    """CPU time of some work. [s]"""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def measured(work: Callable[[], object], elements: int) -> Measured:
    """Some work on so many elements, beside the reference."""
    ratios, times = [], []
    for _ in range(REPETITIONS):
        before, spent, after = unit_s(), spent_s(work), unit_s()
        ratios.append(spent / elements / min(before, after))
        times.append(spent)
    return Measured(statistics.median(ratios), min(ratios), statistics.median(times))

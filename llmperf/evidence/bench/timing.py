"""Timing of one operation: warm-up, repeats of a least duration, and their median."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count as counted
from typing import Any

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


GRAPH_TIME, GRAPH_CALLS = 2e-3, 64
"""A captured graph holds calls of about this time [s], and at most so many."""


class Timer:
    """Times calls on a device: by events and captured graphs on a GPU, by the clock elsewhere."""

    def __init__(self, torch: Any, device: Any) -> None:
        self.torch, self.device, self.cuda = torch, device, device.type == "cuda"
        self.uncaptured = 0
        """Operations that could not be captured."""

    def elapsed(self, work: Callable[[], None]) -> float:
        """Time of some work on the device. [s]"""
        if not self.cuda:
            begin = time.perf_counter()
            work()
            return time.perf_counter() - begin
        start, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) * 1e-3

    def eager(self, call: Callable[[int], object]) -> Run:
        """Runs calls one by one, each with the number of its turn."""
        turns = counted()

        def run(count: int) -> float:
            def work() -> None:
                for _ in range(count):
                    call(next(turns))

            return self.elapsed(work)

        return run

    def captured(self, call: Callable[[int], object]) -> Run:
        """Runs calls from a replayed graph, or eagerly where there are no graphs."""
        run = self.eager(call)
        if not self.cuda:
            return run
        run(2)
        calls = max(2, min(GRAPH_CALLS, math.ceil(GRAPH_TIME / max(run(1), 1e-6))))
        try:
            graph = self._graph(call, calls)
        except RuntimeError:
            self.torch.cuda.synchronize()
            self.uncaptured += 1
            return run

        def replay(count: int) -> float:
            times = math.ceil(count / calls)

            def work() -> None:
                for _ in range(times):
                    graph.replay()

            return self.elapsed(work) * count / (times * calls)

        return replay

    def _graph(self, call: Callable[[int], object], calls: int) -> Any:
        torch = self.torch
        # libraries set up their workspaces on a side stream before a capture, as the documentation of graphs asks
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            call(0)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for turn in range(calls):
                call(turn)
        return graph

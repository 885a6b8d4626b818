"""Where an estimate of arrays spends its time: its stages, and the kinds of operations of the replay.

The product knows nothing of this: what is measured is replaced for as long as a measurement lasts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from llmperf.answers import answer, recordings
from llmperf.interfaces import api
from llmperf.recording.replay import Into, Schedule

STAGES = {
    "resolve": (api, "resolve"),
    "find the recording": (recordings, "recording"),
    "replay": (recordings.Recording, "arrays"),
    "wrap up": (answer, "answered_by"),
}
"""Functions by stage, and where they are called from."""


TRIED = 10_000
"""Calls that do nothing, to learn what it takes to look at the clock."""


class Stopwatch:
    """CPU time by name.

    Attributes
    ----------
    spent : Counter of str
        [s]
    calls, elements : Counter of str
        [1]
    within, whole : float
        What a call that does nothing is found to take, and what it takes. [s]
    """

    def __init__(self) -> None:
        self.within = self.whole = 0.0
        self._begin()
        begin = time.process_time()
        for _ in range(TRIED):
            self.timed("", bool)()
        self.whole = (time.process_time() - begin) / TRIED
        self.within = self.spent[""] / TRIED
        self._begin()

    def _begin(self) -> None:
        self.spent: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.elements: Counter[str] = Counter()

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, its time counted under a name."""

        def call(*arguments: Any, **options: Any) -> Any:
            begin = time.process_time()
            found = function(*arguments, **options)
            self.spent[name] += time.process_time() - begin - self.within  # type: ignore[assignment]
            self.calls[name] += 1
            self.elements[name] += getattr(options.get("out"), "size", 0)
            return found

        return call


def of_stages(work: Callable[[], object], repetitions: int = 5) -> dict[str, float]:
    """Shares of `STAGES`, and of what is left, in the time of some work. [1]"""
    watch = Stopwatch()
    with ExitStack() as stack:
        for name, (where, function) in STAGES.items():
            stack.enter_context(patch.object(where, function, watch.timed(name, getattr(where, function))))
        for _ in range(repetitions):
            watch.timed("all", work)()
    found = {name: watch.spent[name] / watch.spent["all"] for name in STAGES}
    return {**found, "else": 1.0 - sum(found.values())}


def of_operations(work: Callable[[], object], repetitions: int = 3) -> tuple[Stopwatch, float]:
    """Operations of the blocks of a replay by the name of their function, and all that the replay took. [s]"""
    watch = Stopwatch()
    with _watched(watch):
        for _ in range(repetitions):
            work()
    looks = sum(watch.calls.values()) - watch.calls["all"]
    return watch, watch.spent["all"] - looks * watch.whole


@contextmanager
def _watched(watch: Stopwatch) -> Iterator[None]:
    run = Schedule.run

    def watched(schedule: Schedule, inputs: list[Any]) -> Any:
        calls = schedule.calls
        schedule.calls = [(watch.timed(_named(one), one), operands, place) for one, operands, place in calls]
        try:
            return watch.timed("all", run)(schedule, inputs)
        finally:
            schedule.calls = calls

    with patch.object(Schedule, "run", watched):
        yield


def _named(function: Any) -> str:
    """Name of a function of NumPy, or of what the recording puts in its place."""
    inner = function.function if isinstance(function, Into) else function
    return str(getattr(inner, "__name__", type(inner).__name__))

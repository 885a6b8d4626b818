"""Many different scenarios on several processors: the only work of checks that pays for a further process.

A worker is this module, run by itself: it reads pickled tasks and writes their answers, and needs nothing of the
program that called, so that it can be started from a script, a notebook or a test.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import IO

from llmperf.checks.tasks import Answered, Task, answered
from llmperf.errors import Problem

START = 300
"""Array calls that this process does while a worker starts (0.4 s)."""
FEWEST = 600
"""Array calls from which on a worker pays."""
MOST = 8

Answers = list[list[Answered | list[Problem]]]


def spread(tasks: Sequence[Task], extra: tuple[str, ...]) -> Answers:
    """The answers to all tasks, in their order."""
    workers = min(_processors() - 1, len(tasks) // FEWEST, MOST)
    if workers < 1:
        return [answered(task, extra) for task in tasks]
    share = (len(tasks) - START) // (workers + 1)
    own = len(tasks) - workers * share
    parts = [tasks[begin : begin + share] for begin in range(own, len(tasks), share)]
    started = [_start(part, extra) for part in parts]
    out = [answered(task, extra) for task in tasks[:own]]
    for (process, stream), part in zip(started, parts, strict=True):
        out += _finished(process, stream) or [answered(task, extra) for task in part]
    return out


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start(tasks: Sequence[Task], extra: tuple[str, ...]) -> tuple[subprocess.Popen[bytes] | None, IO[bytes]]:
    out = tempfile.TemporaryFile()  # noqa: SIM115 (read when the worker is done)
    try:
        with tempfile.TemporaryFile() as given:
            pickle.dump((list(tasks), extra), given)
            given.seek(0)
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
            command = [sys.executable, "-m", __name__]
            process = subprocess.Popen(command, stdin=given, stdout=out, stderr=subprocess.DEVNULL, env=environment)
    except (OSError, pickle.PicklingError):
        return None, out
    return process, out


def _finished(process: subprocess.Popen[bytes] | None, stream: IO[bytes]) -> Answers | None:
    """The answers of a worker, None where it failed."""
    with stream:
        if process is None or process.wait() != 0:
            return None
        stream.seek(0)
        found: Answers = pickle.load(stream)
        return found


def main() -> None:
    """Answer the tasks on standard input."""
    tasks, extra = pickle.load(sys.stdin.buffer)
    pickle.dump([answered(task, extra) for task in tasks], sys.stdout.buffer)


if __name__ == "__main__":
    main()

"""A report of a thousand points, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.common import COLD, FLAGS, fresh


def report_s(environment: dict[str, str], folder: Path) -> tuple[float, float]:
    """Time of a fresh process that reports a sweep of 1,000 points, and its largest resident memory. [s], [MiB]"""
    flags = [*FLAGS, "--sweep=batch=1:1000:1", f"--output-file={folder / 'report.html'}", "--force"]
    code = (
        "import resource, subprocess, sys, time\n"
        "begin = time.perf_counter()\n"
        "subprocess.run([sys.executable, '-c', *sys.argv[1:]], check=True, stdout=subprocess.DEVNULL)\n"
        "spent = time.perf_counter() - begin\n"
        "print(spent, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
    )
    command = [sys.executable, "-c", code, COLD, "report", *flags]
    done = [subprocess.run(command, check=True, capture_output=True, env=environment).stdout.split() for _ in range(5)]
    return min(float(spent) for spent, _ in done), max(float(peak) for _, peak in done)


def lines() -> Iterator[str]:
    """The figures beside their budgets."""
    with fresh() as environment, tempfile.TemporaryDirectory() as folder:
        seconds, mib = report_s(environment, Path(folder))
    yield f"report of 1,000 points        {seconds:8.2f} s        (budget 2 s)"
    yield f"peak memory of that report    {mib:8.0f} MiB      (budget 300 MB)"

"""A report of a thousand points, in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.common import COLD, FLAGS, bare, fresh, line


def report_s(environment: dict[str, str], folder: Path) -> tuple[float, float]:
    """Time of a fresh process that reports a sweep of 1,000 points, and its largest resident memory. [s], [MB]"""
    flags = [*FLAGS, "--sweep=batch=1:1000:1", f"--output-file={folder / 'report.html'}", "--force"]
    done = [bare(COLD, ["report", *flags], environment) for _ in range(5)]
    return min(spent for _, spent, _ in done), max(peak for _, _, peak in done)


def lines() -> Iterator[str]:
    """The figures beside their budgets."""
    with fresh() as environment, tempfile.TemporaryDirectory() as folder:
        seconds, peak = report_s(environment, Path(folder))
    yield line("report of 1,000 points", f"{seconds:.2f}", "s", "2 s")
    yield line("peak memory of that report", f"{peak:.0f}", "MB", "300 MB")

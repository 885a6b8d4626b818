"""What the stages share: the scenario that is asked for, and processes of their own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

SCENARIO = {
    "model": "llama-3.1-70b",
    "weights": "fp8",
    "hardware": "h100-sxm",
    "tp": 8,
    "batch": 32,
    "input": 2048,
    "output": 256,
}
FLAGS = [f"--{key}={value}" for key, value in SCENARIO.items()]
COLD = "import sys\nfrom llmperf.interfaces.cli import main\nmain()\n"
"""The command line as the code of a process."""


@contextlib.contextmanager
def fresh() -> Iterator[dict[str, str]]:
    """An environment in which nothing is remembered yet."""
    with tempfile.TemporaryDirectory() as cache:
        yield {**os.environ, "XDG_CACHE_HOME": cache, "PYTHONPATH": str(Path(__file__).parents[1])}


BARE = """
import resource, subprocess, sys, time
begin = time.perf_counter()
done = subprocess.run([sys.executable, "-c", *sys.argv[1:]], check=True, capture_output=True, text=True)
spent = time.perf_counter() - begin
print(done.stdout)
print(spent, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def bare(code: str, arguments: Sequence[str], environment: dict[str, str]) -> tuple[str, float, float]:
    """What a fresh process prints, how long it takes, and its largest resident memory. [s], [MB]

    It is started by a process that has nothing in memory: what its parent had counts as its own.
    """
    command = [sys.executable, "-c", BARE, code, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    printed, _, figures = done.stdout.rstrip().rpartition("\n")
    spent, peak = figures.split()
    return printed.strip(), float(spent), int(peak) * 1024 / 1e6


def line(name: str, figure: str, unit: str, budget: str = "", more: str = "") -> str:
    """A figure beside its budget."""
    said = "; ".join(part for part in (f"budget {budget}" if budget else "", more) if part)
    return f"{name:31s}{figure:>8s} {unit:9s}{f'({said})' if said else ''}".rstrip()

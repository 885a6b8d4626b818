"""The cold command line: its CPU time beside that of an empty program on the same libraries, and its memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence

from benchmarks.common import COLD, FLAGS, fresh

EMPTY = "import typer, numpy, yaml\napp = typer.Typer()\n@app.command()\ndef main(): pass\napp()\n"
ROUNDS = 15
OVER_EMPTY = {"tables": FLAGS, "--json": [*FLAGS, "--json"]}
LISTS = {"list of the whole catalog": ["list"], "list hardware h100": ["list", "hardware", "h100"]}


def cold_ms(code: str, arguments: Sequence[str], environment: dict[str, str]) -> float:
    """CPU time of one fresh process, which other programs of the machine change less than its duration. [ms]"""
    begun = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(begun.pid, 0)
    begun.returncode = os.waitstatus_to_exitcode(status)
    assert begun.returncode == 0, arguments
    return 1e3 * (used.ru_utime + used.ru_stime)


def peak_mib(environment: dict[str, str]) -> float:
    """Largest resident memory of a cold estimate. [MiB]"""
    code = (
        "import resource, subprocess, sys\n"
        "command = [sys.executable, '-c', sys.argv[1], *sys.argv[2:]]\n"
        "subprocess.run(command, check=True, stdout=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, COLD, "estimate", *FLAGS], check=True, capture_output=True, env=environment
    )
    return int(done.stdout) / 1024


def beside(base: str, code: str, arguments: Sequence[str], environment: dict[str, str]) -> tuple[float, float]:
    """Medians of the base, and of what a command takes beyond it, run in turns: the machine changes with the hour."""
    cold_ms(code, arguments, environment)
    pairs = [(cold_ms(base, [], environment), cold_ms(code, arguments, environment)) for _ in range(ROUNDS)]
    return statistics.median(empty for empty, _ in pairs), statistics.median(ours - empty for empty, ours in pairs)


def lines() -> Iterator[str]:
    """The figures beside their budget."""
    with fresh() as environment:
        for name, flags in OVER_EMPTY.items():
            empty, more = beside(EMPTY, COLD, ["estimate", *flags], environment)
            said = f"empty {empty:.0f} ms + {more:.0f} ms (budget 80 ms)"
            yield f"cold estimate, {name:6s}  {empty + more:8.0f} ms = {said}"
        for name, arguments in LISTS.items():
            cold_ms(COLD, arguments, environment)
            listed = statistics.median(cold_ms(COLD, arguments, environment) for _ in range(ROUNDS))
            yield f"{name:29s}{listed:8.0f} ms       (budget 300 ms)"
        bare, more = beside("pass", "import llmperf", [], environment)
        yield f"import llmperf        {bare + more:15.0f} ms = python {bare:.0f} ms + {more:.1f} ms (budget 5 ms)"
        yield f"peak memory of a cold estimate{peak_mib(environment):8.0f} MiB      (budget 120 MB)"

"""The cold command line: its time beside that of an empty program on the same libraries, and its memory."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.common import COLD, FLAGS, fresh

EMPTY = "import typer, numpy, yaml\napp = typer.Typer()\n@app.command()\ndef main(): pass\napp()\n"


def cold_ms(code: str, arguments: list[str], environment: dict[str, str]) -> float:
    """Time of one fresh process. [ms]"""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, stdout=subprocess.DEVNULL, env=environment)
    return 1e3 * (time.perf_counter() - begin)


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


def lines() -> Iterator[str]:
    """The figures beside their budget."""
    with fresh() as environment:
        for name, flags in (("tables", FLAGS), ("--json", [*FLAGS, "--json"])):
            cold_ms(COLD, ["estimate", *flags], environment)
            empty, cold = [], []
            for _ in range(15):
                empty.append(cold_ms(EMPTY, [], environment))
                cold.append(cold_ms(COLD, ["estimate", *flags], environment))
            base, ours = statistics.median(empty), statistics.median(cold)
            said = f"empty {base:.0f} ms + {ours - base:.0f} ms (budget 150 ms)"
            yield f"cold estimate, {name:6s}  {ours:8.0f} ms = {said}"
        listed = statistics.median(cold_ms(COLD, ["list"], environment) for _ in range(5))
        yield f"list of the whole catalog     {listed:8.0f} ms       (budget 500 ms)"
        yield f"peak memory of a cold estimate{peak_mib(environment):8.0f} MiB      (budget 120 MB)"

"""Speed: one warm estimate, arrays of configurations, the cold command line, and peak memory (``make bench``).

Not a test: figures depend on the machine, so they are printed, with the budget beside them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import llmperf

SCENARIO = {
    "model": "llama-3.1-70b",
    "weights": "fp8",
    "hardware": "h100-sxm",
    "tp": 8,
    "batch": 32,
    "input": 2048,
    "output": 256,
}
EMPTY = "import typer, numpy, yaml\napp = typer.Typer()\n@app.command()\ndef main(): pass\napp()\n"
COLD = "import sys\nfrom llmperf.interfaces.cli import main\nmain()\n"
FLAGS = [f"--{key}={value}" for key, value in SCENARIO.items()]


def warm_ms(runs: int = 300) -> float:
    """Median time of one estimate in a running process. [ms]"""
    llmperf.estimate(**SCENARIO)
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        llmperf.estimate(**SCENARIO)
        times.append(time.perf_counter() - begin)
    return 1e3 * statistics.median(times)


def configurations_per_second(model: str = "llama-3.1-70b", repeats: int = 5) -> float:
    """Configurations (prefill, decode and memory) a second, numeric axes varying. [1/s]"""
    batch = np.arange(1, 513)[:, None]
    length = np.linspace(128, 7680, 512).astype(int)[None, :]
    best = np.inf
    for _ in range(repeats):
        begin = time.perf_counter()
        llmperf.estimate(**{**SCENARIO, "model": model, "batch": batch, "input": length})
        best = min(best, time.perf_counter() - begin)
    return batch.size * length.size / best


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


def checks_s(distinct: bool) -> tuple[float, str]:
    """Time of ``llmperf check`` on 1,000 checks: one array of workloads, or all of different scenarios. [s]"""
    models = ("llama-3.1-8b", "llama-3.1-70b", "llama-2-7b", "llama-2-13b", "gemma-2-9b")
    chips = ("h100-sxm", "h200-sxm", "a100-sxm-80gb", "b200-sxm", "mi300x", "l40s", "a40", "gb200", "h20", "a10")
    axes = {"tp": [1, 2, 4, 8], "weights": ["bf16", "fp8", "w8a8-int8", "w4a16-g128", "nvfp4"]}
    matrix = {"model": [*models], "hardware": [*chips], **axes} if distinct else {"tp": [8], "batch": [*range(1, 1001)]}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.llmperf.yaml"
        data = {"model": "llama-3.1-70b", "hardware": "h100-sxm", "matrix": matrix, "expect": {"ttft_s": {"max": 1e4}}}
        file.write_text(json.dumps(data))
        begin = time.perf_counter()
        command = [sys.executable, "-c", COLD, "check", str(file)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        return time.perf_counter() - begin, done.stdout.strip().splitlines()[-1]


def main() -> None:
    """Print every figure beside its budget."""
    print(f"one warm estimate             {warm_ms():8.2f} ms       (budget 1 ms)")
    for model in ("llama-3.1-70b", "mixtral-8x7b", "gemma-2-9b"):
        rate = configurations_per_second(model)
        print(f"configurations, {model:14s}{rate:8,.0f} /s       (budget 300,000 /s)")
    for name, distinct in (("one array", False), ("all different", True)):
        seconds, said = checks_s(distinct)
        print(f"1,000 checks, {name:14s}  {seconds:8.2f} s        (budget 3 s; {said})")
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "XDG_CACHE_HOME": cache, "PYTHONPATH": str(Path(__file__).parents[1])}
        for name, flags in (("tables", FLAGS), ("--json", [*FLAGS, "--json"])):
            cold_ms(COLD, ["estimate", *flags], environment)
            empty, cold = [], []
            for _ in range(15):
                empty.append(cold_ms(EMPTY, [], environment))
                cold.append(cold_ms(COLD, ["estimate", *flags], environment))
            base, ours = statistics.median(empty), statistics.median(cold)
            print(
                f"cold estimate, {name:6s}  {ours:8.0f} ms = empty {base:.0f} ms + {ours - base:.0f} ms (budget 150 ms)"
            )
        listed = statistics.median(cold_ms(COLD, ["list"], environment) for _ in range(5))
        print(f"list of the whole catalog     {listed:8.0f} ms       (budget 500 ms)")
        print(f"peak memory of a cold estimate{peak_mib(environment):8.0f} MiB      (budget 120 MB)")
        seconds, mib = report_s(environment, Path(cache))
        print(f"report of 1,000 points        {seconds:8.2f} s        (budget 2 s)")
        print(f"peak memory of that report    {mib:8.0f} MiB      (budget 300 MB)")


if __name__ == "__main__":
    main()

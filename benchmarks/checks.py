"""A thousand checks in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.common import COLD


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


def lines() -> Iterator[str]:
    """The figures beside their budget."""
    for name, distinct in (("one array", False), ("all different", True)):
        seconds, said = checks_s(distinct)
        yield f"1,000 checks, {name:14s}  {seconds:8.2f} s        (budget 3 s; {said})"

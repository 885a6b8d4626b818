"""What the stages share: the scenario that is asked for, and processes of their own."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
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

"""A sizing in a running process: three chips, all their layouts, three formats of weights."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from functools import partial

import llmperf
from benchmarks.common import line
from benchmarks.reference import reference, spent_s

ASKED = {"input": 2000, "output": 500, "engine": "vllm", "users": 200, "speed": "30 tok/s", "ttft": "2 s"}
CHIPS, FORMATS = ["h100-sxm", "h200-sxm", "mi300x"], ["bf16", "fp8", "mxfp4"]
MODELS = ("gpt-oss-120b", "llama-3.1-70b")
REPETITIONS = 5


def lines() -> Iterator[str]:
    """The figures beside their budget."""
    yield reference()
    for model in MODELS:
        size = partial(llmperf.size, model=model, hardware=CHIPS, weights=FORMATS, **ASKED)
        first = spent_s(size)
        times = [spent_s(size) for _ in range(REPETITIONS)]
        said = f"first {first:.2f} s"
        yield line(f"size, {model}", f"{statistics.median(times):.2f}", "s", "2 s", said)

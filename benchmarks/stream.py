"""More configurations than are held at once, and the memory of many, each in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.common import bare, fresh, line

POINTS, PART = 10_000_000, 100_000
MANY = 1_000_000
"""Configurations of the call whose memory is measured."""

STREAM = """
import sys, time
import numpy as np
import llmperf

points, part = map(int, sys.argv[1:])
prepared = llmperf.prepare(model="llama-3.1-8b", hardware="h100-sxm")
generator = np.random.default_rng(0)
best = 0.0
begin = time.process_time()
for _ in range(points // part):
    batch, input, output = (generator.integers(1, most, part) for most in (257, 8193, 1025))
    found = prepared(batch=batch, input=input, output=output)
    best = max(best, found.projection.output_tokens_per_s[found.memory.fits].max())
print(points / (time.process_time() - begin))
"""
CALL = """
import resource, sys
import numpy as np
import llmperf

points = int(sys.argv[1])
generator = np.random.default_rng(0)
numbers = [generator.integers(1, most, points) for most in (257, 8193, 1025)]
prepared = llmperf.prepare(model="llama-3.1-8b", hardware="h100-sxm")

def peak_after(points):
    batch, input, output = (array[:points] for array in numbers)
    prepared(batch=batch, input=input, output=output)
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

peak_after(20_000)
small = peak_after(20_000)
print((peak_after(points) - small) / points)
"""


def lines() -> Iterator[str]:
    """The figures beside their budgets."""
    with fresh() as environment:
        rate, _, peak = bare(STREAM, [str(POINTS), str(PART)], environment)
        growth, _, _ = bare(CALL, [str(MANY)], environment)
    yield line(f"{POINTS:,} points streamed", f"{float(rate) / 1e6:.2f}", "M/s")
    yield line("peak memory of the stream", f"{peak:.0f}", "MB", "400 MB")
    yield line(f"peak memory of {MANY:,} points", f"{float(growth):.0f}", "B/pt", "500 B/pt")

"""What selects and shapes the kernels of attention: their constants, their blocks of queries, their softmax."""

from __future__ import annotations

import numpy as np

from llmperf.descriptors.achieved import variant
from llmperf.numeric import Real, ceil_div
from llmperf.operators.build import Build

SOFTMAX_FLOPS = 5.0
"""Vector operations for one attention score: scale, maximum, subtract, exponential, sum."""


def selector(scheme: str, head_dim: Real, group: Real | None = None) -> str:
    """What selects the constants of an attention kernel: of arrays, the largest head and group count."""
    kind = "" if group is None else variant(float(np.max(group)))
    return f"{scheme}{kind}/d{int(np.max(head_dim))}"


def blocks_of_queries(build: Build, heads: Real) -> Real:
    """(Prompt, head, block of 128 queries) triples of the prompts on one device. [1]"""
    return build.step.prompts * heads * ceil_div(build.step.query / build.shards.cp, 128.0)

"""What an evaluation gives: figures of its parts, phases, and what explains them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llmperf.numeric import Real
from llmperf.phases.memory import (
    Memory,
)
from llmperf.phases.phase import Phase
from llmperf.phases.placement import Placed
from llmperf.phases.setup import Setup


@dataclass(frozen=True, slots=True)
class Metrics:
    """The results of `llmperf.outputs.TIMES`, by one definition (bound, roofline or projection)."""

    ttft_s: Real
    ttft_mean_s: Real
    tpot_s: Real
    itl_s: Real
    e2e_s: Real
    output_tokens_per_s: Real
    total_tokens_per_s: Real
    energy_j: Real
    energy_per_output_token_j: Real


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory of one device: classes of the fullest stage, and the results of `llmperf.outputs.CAPACITY`."""

    weights: Real
    kv_cache: Real
    activations: Real
    context: Real
    graphs: Real
    capacity: Real
    usable: Real
    required: Real
    missing: Real
    fits: Any
    kv_headroom: Real
    kv_pool_tokens: Real
    max_batch: Real
    max_context: Real
    max_concurrency_at_max_context: Real


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One block of configurations, with everything that explains it."""

    setup: Setup
    need: Memory
    placed: Placed
    prefill: Phase
    decode: Phase
    footprint: Footprint
    bound: Metrics
    roofline: Metrics
    projection: Metrics

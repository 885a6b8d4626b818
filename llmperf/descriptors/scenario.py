"""A scenario: everything one estimate needs, resolved from names, mappings and arrays to frozen descriptors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from llmperf.descriptors.attention import AttentionKernel
from llmperf.descriptors.engine import ServingEngine
from llmperf.descriptors.fields import FORBID_UNKNOWN_KEYS, Text, Whole
from llmperf.descriptors.hardware import Hardware
from llmperf.descriptors.kv_cache import KvCacheFormat
from llmperf.descriptors.model import Model
from llmperf.descriptors.parallelism import Parallelism
from llmperf.descriptors.placement import Placement
from llmperf.descriptors.prices import Prices
from llmperf.descriptors.traffic import Traffic
from llmperf.descriptors.weights import Compute, WeightFormat
from llmperf.descriptors.workload import Workload
from llmperf.records import dataclass


@dataclass(frozen=True, slots=True)
class Plain:
    """The keys of a scenario that are plain values."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    activations: Compute = "bf16"
    devices: Whole | None = None
    name: Text | None = None
    description: Text | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A model on hardware in given formats, layout, engine and workload.

    Every number may be an array after resolution; all arrays broadcast against each other.
    """

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    model: Model
    hardware: Hardware
    weights: WeightFormat
    kv_cache: KvCacheFormat
    engine: ServingEngine
    attention: AttentionKernel
    activations: Compute
    parallelism: Parallelism = field(default_factory=Parallelism)
    placement: Placement = field(default_factory=Placement)
    workload: Workload = field(default_factory=Workload)
    devices: Whole | None = None
    name: Text | None = None
    description: Text | None = None
    prices: Prices = field(default_factory=Prices)
    traffic: Traffic | None = None
    """How requests come, where a steady state is asked for."""
    prefill_pool: Scenario | None = None
    """Workers that run the prompts, where those of this scenario decode only."""
    asks: Mapping[str, Any] = field(default_factory=dict)
    """Sections of questions from outside, by name (`llmperf.answers.questions`)."""

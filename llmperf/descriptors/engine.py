"""Serving frameworks: what the software around the kernels costs, and what memory it keeps."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmperf.descriptors.fields import (
    FORBID_UNKNOWN_KEYS,
    BytesOrZero,
    Fraction,
    Seconds,
    Switch,
    Text,
    Whole,
)


@dataclass(frozen=True, slots=True)
class ServingEngine:
    """A serving framework (or a plain loop) of one version."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    name: Text
    sources: dict[Text, Text]
    graphs: Switch = True
    """Decode steps replay a captured graph; without, the host launches every operator."""
    step_time: Seconds = 0.0
    """Host time of one step that the device waits for."""
    sequence_time: Seconds = 0.0
    """Host time a sequence and step (sampling, detokenization) that the device waits for."""
    request_time: Seconds = 0.0
    """Time a request before its prompt reaches the device."""
    token_budget: Whole = 8192
    """Most prompt tokens of one step; longer prompts are prefilled in chunks."""
    kv_block: Whole = 16
    """Tokens a KV block; a sequence's last block is half empty on average."""
    utilization: Fraction = 0.9
    """Share of device memory that weights, KV cache and activations may use."""
    context_memory: BytesOrZero = 0.0
    """Memory of the device context and communication buffers."""
    graph_memory: BytesOrZero = 0.0
    """Memory of captured graphs."""
    memory_overlap: Fraction | None = None
    """Share of transfers from later memory tiers that hides behind computing (None: the hardware's)."""
    shared_prefix_cache: Switch = True
    """A cached shared prefix is not computed again."""
    aliases: list[Text] = field(default_factory=list)
    notes: Text | None = None

"""Serving frameworks: what the software around the kernels costs, and what memory it keeps."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from llmperf.descriptors.fields import (
    FORBID_UNKNOWN_KEYS,
    BytesOrZero,
    Fraction,
    Positive,
    Seconds,
    Switch,
    Text,
    Whole,
)
from llmperf.records import dataclass

Part = Literal["heads", "kv_heads", "widths", "vocabulary", "blocks", "expert_blocks"]
"""What a layout divides (`llmperf.operators.divisions`): attention heads, key-value heads, inner widths of feed-forward
networks, the padded vocabulary, and blocks of quantized weights (of dense layers, of experts), which shards hold
whole."""


@dataclass(frozen=True, slots=True)
class ServingEngine:
    """A serving framework (or a plain loop) of one version."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    name: Text
    sources: dict[Text, Text]
    kernels: list[Text] = field(default_factory=list)
    """Kernels that it runs, in the order of preference: their fits go before the pooled ones of a chip."""
    attention: Text = "fused"
    """Its attention kernel, where a scenario names none (`llmperf.descriptors.attention`)."""
    graphs: Switch = True
    """Decode steps replay a captured graph; without, the host launches every operator."""
    launch_time: Seconds | None = None
    """Host time of one launch outside of a graph, the framework's share included (None: the hardware's)."""
    launches_per_operator: Positive = 1.0
    """Kernels that an operator of the model is launched as; engines that fuse less launch more."""
    accumulates: Literal["fp32", "fp16"] = "fp32"
    """What its 16-bit products add up in: consumer GPUs compute those that add up in fp16 at twice the rate."""
    collective_latency: Seconds = 0.0
    """Time of each collective beyond that of its kernel: ranks wait for the last one, or no one-shot kernel is used."""
    collective_slowdown: Positive = 1.0
    """Time that a collective's bytes take over that of the libraries that the hardware was calibrated with."""
    gemm_slowdown: Positive = 1.0
    """Time of matrix products over those of the libraries that the hardware was calibrated with."""
    elementwise_slowdown: Positive = 1.0
    """Bytes that norms, activations and additions move over those of fused kernels in 16 bit."""
    bytes_per_clock: Positive | None = None
    """Bytes that a core loads in a clock in matrix products: kernels with few loads in flight do not keep fast memory
    busy (None: no limit)."""
    static_cache: Switch = False
    """Decode attends to the whole cache of the final length, as programs of fixed shapes do."""
    dequantized_copy: Switch = False
    """Products of prompts run on a 16-bit copy of weight-only quantized weights, written anew in every step."""
    step_time: Seconds = 0.0
    """Host time of one step that the device waits for."""
    sequence_time: Seconds = 0.0
    """Host time a sequence and step (sampling, detokenization) that the device waits for."""
    block_time: Seconds = 0.0
    """Host time a KV block and step: block tables that are built anew for every step."""
    worker_time: Seconds = 0.0
    """Host time of a step to hand it to the workers of further devices, where there are any."""
    request_time: Seconds = 0.0
    """Time a request before its prompt reaches the device."""
    token_budget: Whole = 8192
    """Most prompt tokens of one step; longer prompts are prefilled in chunks."""
    pipeline_depth: Whole | None = None
    """Most steps of prompts that are in a pipeline before it drains (None: all of them)."""
    max_sequences: Whole | None = None
    """Most sequences of one step, however many would fit (None: no limit but memory)."""
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
    divides: list[Part] = field(default_factory=list)
    """What it splits among devices only where it comes out even; other layouts it does not start."""
    shared_prefix_cache: Switch = True
    """A cached shared prefix is not computed again."""
    aliases: list[Text] = field(default_factory=list)
    notes: Text | None = None

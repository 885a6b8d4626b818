"""Serving frameworks: what the software around the kernels costs, and what memory it keeps."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from llmperf.descriptors.fields import (
    FORBID_UNKNOWN_KEYS,
    BytesOrZero,
    Fraction,
    NonNegative,
    Positive,
    Seconds,
    Switch,
    Text,
    Whole,
    WholeOrZero,
)
from llmperf.descriptors.weights import Compute
from llmperf.records import dataclass

Part = Literal["heads", "kv_heads", "widths", "vocabulary", "blocks", "expert_blocks"]
"""What a layout divides (`llmperf.operators.divisions`): attention heads, key-value heads, inner widths of feed-forward
networks, the padded vocabulary, and blocks of quantized weights (of dense layers, of experts), which shards hold
whole."""

FractionOf = Literal["total", "static", "free"]
"""What an engine's memory fraction is of.

``total``: weights, activations, buffers and KV cache together get this share of the device's memory (vLLM). ``static``:
weights and KV cache alone get it of what is free before loading, all else lies beside (SGLang). ``free``: the KV cache
gets it of what everything else leaves (TensorRT-LLM).
"""


Schedule = Literal["mixed", "prefill_first", "static"]
"""Which work a step does.

``mixed``: prompts join the decoding sequences, in chunks of what these leave of the token budget (Sarathi-Serve,
SplitFuse). ``prefill_first``: prompts run in steps of their own as soon as they are there, and decoding waits.
``static``: batches of requests; the next begins when the last one of the batch before is complete.
"""

Balance = Literal["least_loaded", "round_robin"]
"""Which data-parallel rank of a copy a request goes to: the one with the fewest, or each in turn."""

Fusion = Literal["norm_quantize", "activation_quantize", "attention_quantize", "norm_all_reduce", "rope"]
"""Operators that run inside of another one's kernel.

``norm_quantize``, ``activation_quantize``, ``attention_quantize``: what quantizes inputs of products, inside of what
makes them. ``norm_all_reduce``: the addition and norm behind an all-reduce, inside of it. ``rope``: rotary embedding,
inside of attention, or of the norm of queries and keys."""

Admission = Literal["grow", "reserve_full"]
"""What a request needs before it runs: ``grow``, memory for its prompt, evicting others where it runs out;
``reserve_full``, memory for all that it may generate."""


@dataclass(frozen=True, slots=True)
class DeviceDefaults:
    """What an engine does by default on devices of at least so much memory; the first row that holds counts."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    memory: BytesOrZero = 0.0
    """Least memory of the device."""
    excepted: list[Text] = field(default_factory=list)
    """Words in names of devices that the row does not hold for."""
    token_budget: Whole | None = None
    max_sequences: Whole | None = None
    graph_batch: Whole | None = None
    wide_graph_batch: Whole | None = None
    utilization: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Padding:
    """Multiples that kernels of a weight format round widths of experts up to when the weights are loaded."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    hidden: Whole = 1
    ffn: Whole = 1


@dataclass(frozen=True, slots=True)
class Tile:
    """Rows that a kernel of products works on at once: fewer cost as much."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    rows: Whole
    above: WholeOrZero = 0
    """Most rows that another kernel, made for vectors, computes one by one."""


@dataclass(frozen=True, slots=True)
class ServingEngine:
    """A serving framework (or a plain loop) of one version."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    name: Text
    sources: dict[Text, Text]
    kernels: list[Text] = field(default_factory=list)
    """Kernels that it runs, in the order of preference: their fits go before the pooled ones of a chip."""
    fuses: list[Fusion] = field(default_factory=list)
    """Operators that it runs inside of others, so that they take no launch of their own."""
    attention: Text = "fused"
    """Its attention kernel, where a scenario names none (`llmperf.descriptors.attention`)."""
    graphs: Switch = True
    """Decode steps replay a captured graph; without, the host launches every operator."""
    graph_batch: Whole | None = None
    """Most sequences of a decode step for which a graph is captured; larger ones run as steps with prompts do (None: no
    limit)."""
    wide_graph_batch: Whole | None = None
    """The same of layers that four devices or more share (None: no other)."""
    launch_time: Seconds | None = None
    """Host time of one launch outside of a graph, the framework's share included (None: the hardware's)."""
    launches_per_operator: Positive = 1.0
    """Kernels that an operator of the model is launched as; engines that fuse less launch more."""
    accumulates: Literal["fp32", "fp16"] = "fp32"
    """What its 16-bit products add up in: consumer GPUs compute those that add up in fp16 at twice the rate."""
    eager_prompts: Switch = False
    """Steps with prompts run module by module, as all do where graphs are switched off; others run compiled code."""
    eager_launches: Positive | None = None
    """Host time of an operator where graphs are switched off, in launches of the hardware: Python, dispatch and all its
    kernels (None: as above, also where a `launch_time` is given)."""
    collective_latency: Seconds = 0.0
    """Time of each collective beyond that of its kernel: ranks wait for the last one, or no one-shot kernel is used."""
    collective_slowdown: Positive = 1.0
    """Time that a collective's bytes take over that of the libraries that the hardware was calibrated with."""
    gemm_slowdown: Positive = 1.0
    """Time of matrix products over those of the libraries that the hardware was calibrated with."""
    unpack_slowdown: Positive = 1.0
    """Vector work of products (weights unpacked, sums of groups scaled) over the operations that it counts: integers
    are converted at a part of the rate of additions, and bits are shifted and masked."""
    tiles: dict[Text, Tile] = field(default_factory=dict)
    """By scheme of products (``w4a16``): tiles of rows that its kernels do not fit to small batches."""
    elementwise_slowdown: Positive = 1.0
    """Bytes that norms, activations and additions move over those of fused kernels in 16 bit."""
    bytes_per_clock: Positive | None = None
    """Bytes that a core loads in a clock in matrix products: kernels with few loads in flight do not keep fast memory
    busy (None: no limit)."""
    threads: Whole | None = None
    """Threads that compute where a processor does, on its fastest cores (None: as many as it has cores)."""
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
    front_time: Seconds = 0.0
    """Time a request in the front end of a server: HTTP, tokenization, hand-over, its first chunk of text."""
    token_budget: Whole = 8192
    """Most prompt tokens of one step; longer prompts are prefilled in chunks."""
    schedule: Schedule = "mixed"
    prefill_interval: Whole = 1
    """Steps from one that prompts may join to the next."""
    ahead: WholeOrZero = 0
    """Steps that are scheduled while one runs (asynchronous scheduling): an arrival joins the one behind them."""
    admission: Admission = "grow"
    balances: Balance = "least_loaded"
    pipeline_depth: Whole | None = None
    """Most steps of prompts that are in a pipeline before it drains (None: all of them)."""
    max_sequences: Whole | None = None
    """Most sequences of one step, however many would fit (None: no limit but memory)."""
    kv_block: Whole = 16
    """Tokens a KV block; a sequence's last block is half empty on average."""
    by_device: list[DeviceDefaults] = field(default_factory=list)
    """Defaults that depend on the device: they fill what neither this file nor the user says."""
    utilization: Fraction = 0.9
    """Share of memory, of what `memory_fraction_of` says."""
    memory_fraction_of: FractionOf = "total"
    profiles: Switch = False
    """A step that fills the token budget, and a sampler of all sequences, are set aside for at the start."""
    logit_bytes: NonNegative = 0.0
    """Bytes that sampling holds at its peak for each sequence and entry of the vocabulary: logits and their copies."""
    context_memory: BytesOrZero = 0.0
    """Memory of the device context and of libraries."""
    communication_memory: BytesOrZero = 0.0
    """Buffers of collectives, where several devices are joined by a scale-up link; over PCIe they are small."""
    graph_sizes: WholeOrZero = 0
    """Batch sizes for which a graph is captured."""
    graph_node_memory: BytesOrZero = 0.0
    """Memory of one kernel in a captured graph."""
    graphs_within: Switch = False
    """Captured graphs count inside of the fraction of ``total``; else they lie beside it."""
    quantizes_inputs: dict[Text, Compute] = field(default_factory=dict)
    """By weight-only format: what it quantizes inputs of products to all the same, on devices that compute in 4-bit
    floats."""
    padding: dict[Text, Padding] = field(default_factory=dict)
    """By weight format: what its kernels pad."""
    link_overlap: Fraction = 0.0
    """Share of the shorter of computing and communicating that hides behind the other: 1 where one half of the batch
    computes while the other one's collectives run. What halves cost kernels is left out."""
    memory_overlap: Fraction | None = None
    """Share of transfers from later memory tiers that hides behind computing (None: the hardware's)."""
    divides: list[Part] = field(default_factory=list)
    """What it splits among devices only where it comes out even; other layouts it does not start."""
    divides_before: dict[Part, Text] = field(default_factory=dict)
    """What only versions before this one split evenly."""
    shared_prefix_cache: Switch = True
    """A cached shared prefix is not computed again."""
    aliases: list[Text] = field(default_factory=list)
    notes: Text | None = None

"""The one table of outputs: what every result is called, its unit, and which direction is better.

JSON output, terminal tables, the schema and everything that names a result read it from here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal


@dataclass(frozen=True, slots=True)
class Output:
    """One result: its name, SI unit, whether ``lower`` or ``higher`` is better, a short label, and what it means."""

    name: str
    unit: str
    better: Literal["lower", "higher", ""]
    label: str
    description: str


TIMES = (
    Output(
        "ttft_s", "s", "lower", "TTFT, last sequence", "time until the last sequence of the batch has its first token"
    ),
    Output("ttft_mean_s", "s", "lower", "TTFT, mean", "mean over sequences of the time to the first token"),
    Output("tpot_s", "s", "lower", "TPOT", "mean time of each further token: (e2e - ttft) / (output - 1)"),
    Output("itl_s", "s", "lower", "ITL", "mean interval between emitted chunks of tokens"),
    Output("e2e_s", "s", "lower", "end to end", "time until the last sequence is complete"),
    Output("output_tokens_per_s", "1/s", "higher", "output tokens/s", "generated tokens of the batch over e2e"),
    Output("total_tokens_per_s", "1/s", "higher", "all tokens/s", "prompt and generated tokens of the batch over e2e"),
    Output(
        "energy_j",
        "J",
        "lower",
        "energy",
        "energy of all devices over e2e at their rated power, an upper estimate; the projection only",
    ),
    Output("energy_per_output_token_j", "J", "lower", "energy per output token", "energy_j over generated tokens"),
)
"""Results that a bound, a roofline and a projection each have; an unprefixed name means the projection."""

MEMORY_CLASSES = (
    Output("weights", "B", "lower", "weights", "weights"),
    Output("kv_cache", "B", "lower", "KV cache and states", "KV cache and recurrent states of the requested workload"),
    Output("activations", "B", "lower", "activations", "peak activations of the largest step"),
    Output("context", "B", "lower", "context and buffers", "device context and communication buffers"),
    Output("graphs", "B", "lower", "captured graphs", "captured graphs"),
)
"""Classes of memory of one device, the fullest pipeline stage."""

CAPACITY = (
    Output("capacity", "B", "higher", "capacity", "memory of one device"),
    Output("usable", "B", "higher", "usable", "part of it that may be used"),
    Output("required", "B", "lower", "required", "what the workload needs on the fullest device, in all tiers"),
    Output("missing", "B", "lower", "missing", "what found no place; 0 where it fits"),
    Output("fits", "", "higher", "fits", "whether the requested workload has a place"),
    Output(
        "kv_headroom",
        "",
        "higher",
        "KV headroom",
        "share of the KV pool that the requested workload leaves free; below 0 where it needs more",
    ),
    Output("kv_pool_tokens", "1", "higher", "KV pool, tokens", "tokens whose KV cache the whole system can hold"),
    Output(
        "max_batch",
        "1",
        "higher",
        "largest batch",
        "most sequences of input + output tokens that the whole system can hold",
    ),
    Output(
        "max_context",
        "1",
        "higher",
        "longest context",
        "longest sequence at the requested batch, at most what the model allows",
    ),
    Output(
        "max_concurrency_at_max_context",
        "1",
        "higher",
        "largest batch at full context",
        "most sequences of the model's maximum context",
    ),
)
"""Results about memory."""

OPERATORS = (
    Output("time_s", "s", "lower", "time", "time of the operator on one device"),
    Output("flops_per_s", "FLOP/s", "higher", "rate", "operations on the matrix engine of one device over that time"),
    Output("bytes", "B", "lower", "bytes", "bytes that the operator moves on one device; of a collective, its message"),
    Output("bytes_per_s", "B/s", "higher", "bandwidth", "those bytes over that time"),
)
"""Results about one operator of a step, or all operators of a kind; they have a roofline and a projection."""


BOUND_BY = Output("bottleneck", "", "", "bottleneck", "the resource that a phase waits for most; of `RESOURCES`")
"""What limits a phase: a name, not a number."""

BOOLEANS = ("fits",)
"""Outputs that are true or false."""

DIMENSIONS = {"s": "time", "J": "energy", "B": "bytes", "1/s": "rate", "FLOP/s": "compute", "B/s": "bandwidth"}
"""Unit of an output -> its dimension in `llmperf.units`; of the others, numbers and fractions, there is none."""

PHASES = ("prefill", "decode")

LATER = {
    "goodput": "output_tokens_per_s",
    "requests_per_s": "output_tokens_per_s",
    "request_rate": "output_tokens_per_s",
    "concurrency": "max_batch",
    "queue_s": "ttft_s",
    "ttft_p50_s": "ttft_mean_s",
    "ttft_p90_s": "ttft_s",
    "ttft_p95_s": "ttft_s",
    "ttft_p99_s": "ttft_s",
    "tpot_p99_s": "tpot_s",
    "e2e_p99_s": "e2e_s",
    "cost_per_mtok": "energy_per_output_token_j",
    "cost": "energy_j",
    "cost_per_hour": "energy_j",
    "mfu": "bound.ttft_s",
    "hfu": "bound.ttft_s",
    "mbu": "bound.tpot_s",
    "step_time_s": "tpot_s",
    "samples_per_s": "total_tokens_per_s",
}
"""Outputs that users ask for and this version does not compute -> what it has that comes nearest."""


def projected() -> tuple[Output, ...]:
    """Every scalar output that a user may name without a prefix."""
    return (*TIMES, *CAPACITY)


@cache
def by_path() -> dict[str, Output]:
    """Every output of a scenario by the path that names it: ``tpot_s``, ``bound.tpot_s``, ``memory.weights``."""
    found = {output.name: output for output in projected()}
    for definition in ("bound", "roofline"):
        found |= {f"{definition}.{output.name}": output for output in TIMES}
    found |= {f"memory.{output.name}": output for output in MEMORY_CLASSES}
    return found | {f"bottleneck.{phase}": BOUND_BY for phase in PHASES}


def canonical(path: str) -> str:
    """The path of `by_path` that another spelling means, as in JSON: ``projection.``, ``memory_bytes_per_device.``."""
    head, _, name = path.partition(".")
    if head == "projection":
        return name
    if head in ("memory", "memory_bytes_per_device"):
        return name if name in {output.name for output in CAPACITY} else f"memory.{name}"
    return path


_DIMENSIONS = {"s": "time", "B": "bytes", "J": "energy", "1/s": "rate", "FLOP/s": "compute", "B/s": "bandwidth"}


_PREFIXES = {"": (*TIMES, *CAPACITY), "bound.": TIMES, "roofline.": TIMES, "memory.": MEMORY_CLASSES}


PHASES = ("prefill", "decode")


OF_OPERATORS = {output.name: output for output in OPERATORS}


OPERATOR_PATH = re.compile(r"(ratio\.)?(roofline\.)?operator\.([^.]+)\.(.+)\.([^.]+)")


@dataclass(frozen=True, slots=True)
class Metric:
    """A parsed metric: which definition (``projection``, ``bound``, ``roofline``, ``footprint``) has the output."""

    ratio: bool
    definition: str
    output: Output
    phase: str = ""
    """Phase of the step that `operator` is of."""
    operator: str = ""
    """Name of an operator, or of a kind; only an evaluated step knows which there are."""


@cache
def metrics() -> dict[str, Metric]:
    """Every metric of a whole scenario by the name that a claim may use."""
    found = {}
    for prefix, outputs in _PREFIXES.items():
        for output in outputs:
            footprint = prefix == "memory." or output in CAPACITY
            definition = "footprint" if footprint else prefix[:-1] or "projection"
            for ratio in (False, True):
                found["ratio." * ratio + prefix + output.name] = Metric(ratio, definition, output)
    return found


@cache
def metric(name: str) -> Metric | None:
    """A metric of a scenario or of an operator by its name; None where there is none."""
    parts = OPERATOR_PATH.fullmatch(name)
    if parts is None:
        return metrics().get(name)
    ratio, roofline, phase, operator, output = parts.groups()
    if phase not in PHASES or output not in OF_OPERATORS:
        return None
    return Metric(bool(ratio), "roofline" if roofline else "projection", OF_OPERATORS[output], phase, operator)


def dimension(name: str) -> str:
    """The dimension that a metric's value is written in; a plain number for ratios and for outputs to come."""
    known = metric(name)
    return "fraction" if known is None or known.ratio else _DIMENSIONS.get(known.output.unit, "fraction")

"""What parts of a phase, quantities of work, waits and outputs are called in a sentence."""

from __future__ import annotations

from llmperf.operators.kinds import KINDS
from llmperf.outputs import by_path
from llmperf.resources import FLOPS, HOST, LATENCY, MAIN, OVERLAP, RESOURCES

PARTS = {
    HOST: "the host",
    MAIN: "copies that kernels of the engine make",
    LATENCY: "ranks that wait for each other",
    OVERLAP: "work at the same time, of engines or pipeline stages",
}
"""Labels of what a phase waits for beside its operators, whose kinds have their own (`llmperf.operators.kinds`)."""

QUANTITIES = {
    "weights_read": "weights",
    "kv_read": "KV read",
    "kv_written": "KV written",
    "kv_fetched": "KV over the link to its tier",
    "activations_moved": "activations",
    "messages": "messages",
    "vector_flops": "vector work",
    "operators": "operator runs",
}
"""Labels of the work of a part."""
CAPACITIES = {"kv_pool_tokens": "KV pool", "max_batch": "largest batch", "max_context": "longest context"}
WORKLOAD = {"shared_prefix": "shared prefix", "routing_diversity": "routing diversity"}
KNOBS = {
    "batch": "sequences",
    "input": "prompt tokens",
    "request_rate": "arrivals [requests/s]",
    "concurrency": "requests in flight",
    "users": "users",
    "requests": "requests of a burst",
}
"""Labels of axes along which numbers of a scenario vary, by their short names."""
_NOUNS = {
    "output_tokens_per_s": "tokens/s",
    "saturation_rate_per_s": "requests/s at saturation",
    "ttft_mean_s": "mean TTFT",
}
"""Outputs whose label is longer than a sentence bears."""


def part_label(name: str) -> str:
    """A part of a phase in words; an operator, or a kind that is not known here, by its own name."""
    if name in KINDS:
        return KINDS[name].label
    return PARTS.get(name) or resource_label(name)


def resource_label(name: str) -> str:
    """What can limit, in words; one that is not known here by its own name."""
    return RESOURCES[name].label if name in RESOURCES else name


def quantity_label(name: str, part: str = "") -> str:
    """A quantity of a part in words."""
    label = QUANTITIES.get(name) or f"{name.removeprefix(FLOPS)} products"
    return label.replace("KV", "states") if part == "recurrent" else label


def wait_label(part: str, resource: str, quantity: str) -> str:
    """What is waited for, in words: ``KV read of attention``."""
    if part == resource:  # nothing of the operators
        return part_label(part)
    if quantity:
        return f"{quantity_label(quantity, part)} of {part_label(part)}"
    if resource == LATENCY:
        return f"fixed time of {part_label(part)}"
    return f"{resource_label(resource)} in {part_label(part)}"


def noun(output: str) -> str:
    """An output in a sentence, by its path: ``TPOT``."""
    return _NOUNS.get(output) or by_path()[output].head

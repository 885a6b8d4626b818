"""What an estimate assumes that a user should know."""

from __future__ import annotations

from llmperf.costs.machine import dtypes
from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import anywhere
from llmperf.operators import divisions, layout
from llmperf.operators.matrix import ENGINES
from llmperf.phases.setup import planned, skips


def notes(scenario: Scenario) -> list[str]:
    """What the estimate assumes that a user should know: layout, dtypes, missing evidence; one line each."""
    found = layout.notes(scenario.model, scenario.parallelism)
    found += divisions.cut(scenario.model, scenario.weights, scenario.engine, scenario.parallelism)
    plan = planned(scenario)
    hardware, weights = scenario.hardware, scenario.weights
    asked = scenario.activations != weights.activations
    products = scenario.activations if asked else ENGINES.get(weights.product, scenario.activations)
    for use, wanted, got in (
        ("linear layers are", products, plan.formats.linear),
        ("attention is", "bf16", plan.formats.attention),
    ):
        if got != wanted and {got, wanted} != {"bf16", "fp16"}:
            found.append(
                f"{hardware.name} has no {wanted} engine (it has {', '.join(dtypes(hardware))}): "
                f"{use} computed in {got}"
            )
    if weights.sparsity is not None and not skips(hardware, weights, plan.formats.linear):
        found.append(
            f"no engine of {hardware.name} skips {weights.sparsity} zeros in {plan.formats.linear}: "
            "fewer bytes are read, but products are computed in full"
        )
    shares = scenario.attention.peak_share
    if shares and hardware.generation not in shares:
        found.append(
            f"what {scenario.attention.name} reaches is told for {', '.join(shares)}, not for {hardware.name}: "
            "the fitted constants of the chip stand in"
        )
    if plan.machine.vector_peak is None:
        found.append(f"{hardware.name}: no vector rate is known; elementwise work is bounded by memory alone")
    if scenario.placement.tiers is None and hardware.memory_order:
        order = ", ".join(hardware.memory_order)
        found.append(
            f"weights and KV cache fill {order} in this order; the part behind the device is streamed or read "
            "from there in every step"
        )
    for name in scenario.placement.tiers or ():
        tier = hardware.tiers.get(name)
        if tier is not None and tier.via is not None and tier.kind == "host":
            found.append(
                f"what lies in {name} comes over {tier.via} in every step, in the bound too: experts that the host's "
                "processor computes (llama.cpp --n-cpu-moe, KTransformers) need an engine that reads it, and "
                "placement.operators"
            )
    together = scenario.engine.max_sequences
    ranks = scenario.parallelism.dp * scenario.parallelism.replicas
    if scenario.traffic is not None:
        return found
    if together is not None and anywhere(scenario.workload.batch > together * ranks):
        found.append(
            f"{scenario.engine.name} runs at most {together:,} sequences at once (engine.max_sequences): further ones "
            "wait, and the times are those of all at once"
        )
    if anywhere(scenario.workload.batch < scenario.parallelism.dp * scenario.parallelism.replicas):
        found.append("there are more data-parallel ranks or replicas than sequences: some are idle")
    return found

"""Outputs to come: what published results state and no question computes yet, so that each has one name from the start.

An output leaves this table for that of its question on the day that it is computed.
"""

from __future__ import annotations

from typing import Literal

from llmperf.outputs.output import Group, Output

Better = Literal["lower", "higher", ""]


def _of(prefix: str, unit: str, better: Better, **described: str) -> tuple[Output, ...]:
    """Outputs of one unit, by name with what each is."""
    return tuple(
        Output(f"{prefix}{name}", unit, better, text.partition(":")[0], text) for name, text in described.items()
    )


COMING = Group(
    *_of(
        "train.",
        "s",
        "lower",
        step_s="one optimizer step",
        run_s="a run: all its steps, with failures and checkpoints where they are stated",
        optimizer_s="the optimizer's part of a step",
        stage_s="one pass of one pipeline stage",
        gradient_exchange_s="exchange of gradients, not hidden by other work",
        exposed_s="communication that nothing hides, in a step",
        lost_time="time that failures cost, in a run",
    ),
    *_of(
        "train.",
        "B",
        "lower",
        memory_bytes="memory of the fullest device in training",
        activation_bytes="activations kept for the backward pass",
        communication_bytes="bytes that one device sends in a step",
    ),
    *_of(
        "train.",
        "1/s",
        "higher",
        tokens_per_s="tokens trained on in a second",
        tokens_per_s_per_device="tokens trained on in a second, by one device",
        samples_per_s="samples trained on in a second",
    ),
    *_of(
        "train.",
        "FLOP/s",
        "higher",
        flops_per_s="operations of the model in a second",
        flops_per_s_per_device="operations of the model in a second, by one device",
    ),
    *_of(
        "train.",
        "",
        "higher",
        mfu="model FLOPs utilization: operations of the model over the peak of its format",
        hfu="hardware FLOPs utilization: the same with what is computed twice",
        efficiency="share of a peak or of an ideal that the source names",
        scaling_efficiency="rate by device over that of the smallest system",
        goodput="share of a run's time that makes progress",
    ),
    *_of(
        "train.",
        "",
        "lower",
        communication_share="share of a step that communication takes",
        lost_time_fraction="share of a run's time that failures cost",
    ),
    *_of(
        "train.",
        "1",
        "higher",
        max_context="longest context that can be trained on",
        parameters="parameters that are trained",
        tokens_per_day="tokens trained on in a day",
        swap_tokens="tokens from which on moving activations hides behind computing",
    ),
    *_of(
        "rl.",
        "s",
        "lower",
        step_s="one step: generation, scoring and training",
        generation_s="the part of a step that generates",
        training_s="the part of a step that trains",
        weight_sync_s="handing new weights to the generators",
        run_s="all steps of a run",
    ),
    *_of("rl.", "FLOP/s", "higher", flops_per_s="operations of all models in a second"),
    *_of("rl.", "1/s", "higher", samples_per_s="samples that a step takes, over its time"),
    *_of("rl.", "h", "lower", gpu_hours="device hours of a run"),
    *_of(
        "",
        "s",
        "lower",
        checkpoint_s="saving or loading a checkpoint",
        scale_up_s="adding devices to an instance that serves",
        switch_s="exchanging one model for another",
        graph_build_s="building the graph of an accelerator",
        layer_s="one layer",
        experts_s="the experts of all layers of a step",
        lora_s="what adapters add to a step",
        operator_s="one operation of a unit that computes beside the processor",
        ttft_p95_s="95th percentile of the time to the first token",
        itl_p95_s="95th percentile of the interval between tokens",
        itl_p999_s="99.9th percentile of the interval between tokens",
        e2e_p95_s="95th percentile of the time of a request",
    ),
    *_of(
        "",
        "B",
        "lower",
        checkpoint_bytes="a checkpoint",
        memory_saved_bytes="memory that a method makes free",
        memory_traffic_bytes="bytes over the memory bus",
        saturating_kv_bytes="KV cache from which on a processor is busy",
    ),
    *_of(
        "",
        "B/s",
        "higher",
        collective_bandwidth="bus bandwidth of a collective",
        storage_bandwidth="bytes in a second of drives or of a file system",
    ),
    *_of(
        "",
        "",
        "higher",
        utilization="share of its time that one unit is busy, or of its bandwidth that is used",
        fraction_of_optimal="rate over the largest that a source derives",
        prediction_accuracy="how close another tool's prediction comes",
    ),
    *_of(
        "",
        "",
        "lower",
        prefill_share="share of a request's time that its prompt takes",
        kv_share="share of a step that reading the KV cache takes",
        power_fraction="power over the rated one",
        power_spike_fraction="share of the rated power by which it rises at once",
        prediction_error="error of another tool",
    ),
    *_of(
        "",
        "1",
        "lower",
        active_parameters="parameters that compute a token, over a router's models",
        parameters="parameters of a model that reaches the same quality",
        transition_batch="batch from which on the device, not its host, sets the pace",
        overlap_block_tokens="tokens of a block from which on sending it hides behind computing",
        servers="machines that one power supply feeds",
    ),
    *_of("", "J", "lower", attention_energy_j="energy of attention in all layers of a step"),
    *_of("", "1/J", "higher", output_tokens_per_j="generated tokens by the energy"),
    *_of("", "1/USD", "higher", output_tokens_per_usd="generated tokens by the price"),
    *_of("", "FLOP/J", "higher", flops_per_j="operations by the energy"),
    *_of("", "FLOP/s/m2", "higher", compute_density="operations in a second by the area of the chip"),
)
"""Names that claims without a scenario may use beside those of `llmperf.outputs.metrics`."""

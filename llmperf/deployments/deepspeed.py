"""DeepSpeed: configurations of training in JSON.

Keys: deepspeed.ai/docs/config-json (deepspeed/runtime/config.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmperf.deployments import training
from llmperf.deployments.deployment import Deployment, Draft, Flag
from llmperf.deployments.node import Node
from llmperf.deployments.options import Options, apply, switch, text, whole
from llmperf.deployments.words import from_mapping

KEYS = ("zero_optimization", "train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps")

IGNORED = {
    "concerns logs, profiles and monitors": (
        "steps-per-print", "wall-clock-breakdown", "dump-state", "flops-profiler", "tensorboard", "wandb",
        "csv-monitor",
        "comet", "monitor-config", "comms-logger", "autotuning", "memory-breakdown",
    ),
    "concerns what is learned, not how long a step takes": (
        "scheduler", "gradient-clipping", "prescale-gradients", "gradient-predivide-factor", "data-efficiency",
        "curriculum-learning", "optimizer.params", "fp16.loss-scale", "fp16.loss-scale-window", "fp16.hysteresis",
        "fp16.initial-scale-power", "fp16.min-loss-scale", "fp16.auto-cast", "fp16.consecutive-hysteresis",
        "zero-allow-untested-optimizer", "seed", "zero-force-ds-cpu-optimizer",
    ),
    "concerns files of checkpoints": ("checkpoint", "zero-optimization.stage3-gather-16bit-weights-on-model-save",
                                      "zero-optimization.elastic-checkpoint"),
}  # fmt: skip

UNMODELLED = {
    "how training is overlapped, offloaded and bucketed is not modelled": (
        "zero-optimization.*", "activation-checkpointing.*", "aio", "communication-data-type", "sparse-gradients",
        "compile", "amp", "data-types", "pipeline", "hybrid-engine", "sparse-attention", "compression-training",
    ),
}  # fmt: skip

RULES = {
    "train-batch-size": whole("training.global_batch"),
    "train-micro-batch-size-per-gpu": whole("training.micro_batch"),
    "gradient-accumulation-steps": whole("training.accumulation"),
    "zero-optimization.stage": whole("training.zero", least=0),
    "zero-optimization.offload-optimizer.device": text("training.offload_optimizer"),
    "zero-optimization.offload-param.device": text("training.offload_parameters"),
    "bf16.enabled": switch("training.bf16"),
    "fp16.enabled": switch("training.fp16"),
    "optimizer.type": text("training.optimizer"),
    "tensor-parallel.autotp-size": whole("parallelism.tp", unset=("0",)),
    "sequence-parallel-size": whole("parallelism.cp"),
}

OPTIONS = Options("deepspeed", RULES, lambda _: None, {}, IGNORED, UNMODELLED)


def recognizes(data: Any) -> bool:
    """Whether parsed JSON is such a configuration."""
    return isinstance(data, Mapping) and any(key in data for key in KEYS)


def _is_auto(flag: Flag) -> bool:
    """Whether Hugging Face's Trainer fills in what becomes a value here."""
    return flag.value.strip().lower() == "auto" and flag.name in RULES


def read(root: Node, name: str, hardware: str | None) -> list[Deployment]:
    """The job of a configuration; it names neither model nor devices."""
    draft = Draft(name, root.file, 1, "DeepSpeed configuration")
    flags = from_mapping(root)
    apply(OPTIONS, [flag for flag in flags if not _is_auto(flag)], draft)
    for flag in flags:
        if _is_auto(flag):
            draft.note("not_understood", flag, "the Trainer sets it, by its own arguments")
    draft.say("not_understood", "model", "a DeepSpeed configuration names no model and no devices; give them")
    return [training.refused(draft, "deepspeed", hardware)]

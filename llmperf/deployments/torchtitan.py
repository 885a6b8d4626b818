"""torchtitan: job configurations in TOML.

Keys: pytorch/torchtitan, torchtitan/config/job_config.py and train_configs/*.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmperf.deployments import training
from llmperf.deployments.deployment import Deployment, Draft, Flag, printable
from llmperf.deployments.options import Options, Rule, apply, switch, text, whole

IGNORED = {
    "concerns logs, profiles and checkpoints' files": (
        "job", "metrics", "profiling", "comm", "checkpoint.folder", "checkpoint.enable", "checkpoint.enable-checkpoint",
        "checkpoint.model-weights-only", "checkpoint.last-save-model-only", "checkpoint.export-dtype",
        "checkpoint.load-step", "checkpoint.keep-latest-k", "experimental", "fault-tolerance",
    ),
    "concerns what is learned, not how long a step takes": (
        "training.dataset", "training.dataset-path", "training.steps", "training.max-norm", "training.seed",
        "training.deterministic", "training.data-parallel-replicate-degree", "lr-scheduler", "validation",
        "optimizer.lr", "optimizer.eps", "optimizer.beta1", "optimizer.beta2", "optimizer.weight-decay", "debug",
        "training.gc-freq", "training.warmup-steps",
    ),
    "concerns texts before the model": ("model.tokenizer-path", "model.tokenizer-name"),
}  # fmt: skip

UNMODELLED = {
    "kernels and compilation of training are not modelled": (
        "compile", "model.converters", "model.print-after-conversion", "float8", "quantize", "mx", "training.compile",
        "parallelism.enable-async-tensor-parallel", "parallelism.enable-compiled-autograd",
    ),
    "how parallel training is scheduled is not modelled": (
        "parallelism.pipeline-*", "parallelism.fsdp-reshard-after-forward", "parallelism.disable-loss-parallel",
        "parallelism.context-parallel-rotate-method", "parallelism.expert-tensor-parallel-degree", "checkpoint.*",
        "optimizer.*", "training.enable-cpu-offload", "activation-checkpoint.*", "memory-estimation",
    ),
    "precision of training is not modelled": ("training.mixed-precision-*", "training.dtype"),
}  # fmt: skip


def _shards(draft: Draft, flag: Flag) -> None:
    """-1: all devices that are left."""
    if flag.value.strip() == "-1":
        draft.put(flag, "training.dp_shard", "rest", "all devices that the other ways leave", "assumed")
    else:
        whole("training.dp_shard").take(draft, flag)


RULES = {
    "parallelism.tensor-parallel-degree": whole("parallelism.tp"),
    "parallelism.pipeline-parallel-degree": whole("parallelism.pp"),
    "parallelism.context-parallel-degree": whole("parallelism.cp"),
    "parallelism.expert-parallel-degree": whole("parallelism.ep"),
    "parallelism.data-parallel-replicate-degree": whole("training.dp_replicate"),
    "parallelism.data-parallel-shard-degree": Rule(_shards),
    "training.local-batch-size": whole("training.micro_batch"),
    "training.global-batch-size": whole("training.global_batch", unset=("-1",)),
    "training.seq-len": whole("training.sequence"),
    "activation-checkpoint.mode": text("training.recompute"),
    "optimizer.name": text("training.optimizer"),
    "training.enable-cpu-offload": switch("training.offload"),
    "model.name": text("_name"),
    "model.flavor": text("_flavor"),
    "model.hf-assets-path": text("_assets"),
}

NAMES = {
    ("llama3", "8b"): "llama-3.1-8b",
    ("llama3", "70b"): "llama-3.1-70b",
    ("llama3", "405b"): "llama-3.1-405b",
    ("deepseek_v3", "671b"): "deepseek-v3",
    ("llama4", "17bx16e"): "llama-4-scout",
    ("llama4", "17bx128e"): "llama-4-maverick",
}
"""Model and flavor (torchtitan/models/*/__init__.py), and the catalog's models of the same shape."""

OPTIONS = Options(
    "torchtitan",
    RULES,
    lambda _: None,
    {"training.batch-size": "training.local-batch-size"},
    IGNORED,
    UNMODELLED,
)


def recognizes(data: Any) -> bool:
    """Whether parsed TOML is such a configuration."""
    if not isinstance(data, Mapping) or not isinstance(data.get("model"), Mapping):
        return False
    return isinstance(data.get("training"), Mapping) and ("parallelism" in data or "flavor" in data["model"])


def read(flags: list[Flag], name: str, file: str, hardware: str | None) -> list[Deployment]:
    """The job of a configuration."""
    draft = Draft(name, file, 1, "torchtitan configuration")
    apply(OPTIONS, flags, draft)
    settings = draft.settings
    model, flavor, assets = (str(settings.get(key, "")) for key in ("_name", "_flavor", "_assets"))
    names = [NAMES.get((model.lower(), flavor.lower()), ""), f"{model}-{flavor}", assets]
    by = draft.by.get("_flavor") or draft.by.get("_name")
    label = printable(f"{model} {flavor}".strip() or "a model without a name")
    training.named(draft, label, [one for one in names if one.strip("-")], by.line if by else 1)
    shards, copies = settings.get("training.dp_shard", 1), settings.get("training.dp_replicate", 1)
    if isinstance(shards, int):
        settings["parallelism.dp"] = shards * copies
        if "training.dp_shard" in draft.by:
            draft.say("understood", "data_parallel_*_degree", "shards x copies", "parallelism.dp", shards * copies)
    return [training.refused(draft, "torchtitan", hardware)]

"""Megatron-LM: arguments of its pretraining scripts, with what ``torchrun`` says of nodes and processes.

Arguments: NVIDIA/Megatron-LM, megatron/training/arguments.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from llmperf.deployments import training
from llmperf.deployments.deployment import Deployment, Draft, printable
from llmperf.deployments.options import Options, apply, switch, text, whole
from llmperf.deployments.words import Word, flags

_SCRIPT = re.compile(r"(pretrain|train|finetune)_?\w*\.py")
_OWN = "--tensor-model-parallel-size"

IGNORED = {
    "concerns logs, files and data": (
        "save", "load", "save-interval", "eval-interval", "eval-iters", "log-*", "tensorboard-*", "wandb-*",
        "data-path",
        "split", "vocab-file", "merge-file", "tokenizer-type", "tokenizer-model", "data-cache-path", "train-data-path",
        "valid-data-path", "test-data-path", "num-workers", "seed", "exit-*", "no-load-optim", "no-load-rng",
        "no-save-optim", "ckpt-format", "async-save", "timing-log-level", "dataloader-type", "mock-data", "finetune",
        "profile*", "use-pytorch-profiler",  "make-vocab-size-divisible-by", "dist-ckpt-*",
        "mmap-bin-files",
    ),
    "concerns what is learned, not how long a step takes": (
        "lr", "min-lr", "lr-*", "train-iters", "train-samples", "weight-decay*", "clip-grad", "adam-*",
        "init-method-std",
        "attention-dropout", "hidden-dropout", "rampup-batch-size", "norm-epsilon", "rotary-base", "rotary-percent",
        "position-embedding-type", "initial-loss-scale", "override-opt_param-scheduler", "loss-scale*",
        "moe-aux-loss-coeff", "moe-router-load-balancing-type", "moe-z-loss-coeff", "no-rope-fusion", "use-rotary-*",
    ),
    "concerns which processes run where": (
        "distributed-backend", "distributed-timeout-minutes", "local-rank", "master-addr", "master-port", "node-rank",
        "rdzv-*", "max-restarts", "tee",
    ),
}  # fmt: skip

UNMODELLED = {
    "how training is overlapped and fused is not modelled": (
        "overlap-*", "tp-comm-*", "no-*-fusion", "use-flash-attn", "attention-backend", "transformer-impl", "fp8-*",
        "fp4-*", "use-mcore-models", "manual-gc*", "no-gradient-accumulation-fusion", "cross-entropy-*",
        "recompute-*", "distribute-saved-activations", "accumulate-allreduce-grads-in-fp32", "grad-reduce-in-bf16",
        "moe-*", "use-torch-fsdp2", "use-megatron-fsdp", "data-parallel-sharding-strategy", "num-virtual-stages-*",
        "num-layers-per-virtual-pipeline-stage", "account-for-*", "decoder-*-pipeline-num-layers", "empty-unused-*",
        "optimizer-cpu-offload", "cpu-offloading*", "enable-cuda-graph", "external-cuda-graph", "use-precision-aware-*",
        "expert-tensor-parallel-size", "delay-*", "mtp-*", "no-check-for-nan-in-loss-and-grad", "check-for-*",
    ),
    "the model is taken from the catalog by its shape": (
        "kv-channels", "normalization", "disable-bias-linear", "add-qkv-bias", "qk-layernorm", "swiglu", "multi-*",
        "untie-embeddings-and-output-weights", "max-position-embeddings", "q-lora-rank", "kv-lora-rank", "qk-*",
        "v-head-dim", "rotary-scaling-factor", "squared-relu", "apply-layernorm-1p", "group-query-attention",
        "use-rope-scaling", "mscale*", "attention-softmax-in-fp32",
    ),
}  # fmt: skip

SHAPE = {"num-layers": "layers", "hidden-size": "hidden", "num-attention-heads": "heads",
    "num-query-groups": "kv_heads", "vocab-size": "vocab", "num-experts": "experts",
         "ffn-hidden-size": "ffn"}  # fmt: skip

RULES = {
    "tensor-model-parallel-size": whole("parallelism.tp"),
    "pipeline-model-parallel-size": whole("parallelism.pp"),
    "context-parallel-size": whole("parallelism.cp"),
    "expert-model-parallel-size": whole("parallelism.ep"),
    "micro-batch-size": whole("training.micro_batch"),
    "global-batch-size": whole("training.global_batch"),
    "seq-length": whole("training.sequence"),
    "sequence-parallel": switch("training.sequence_parallel"),
    "use-distributed-optimizer": switch("training.distributed_optimizer"),
    "bf16": switch("training.bf16"),
    "fp16": switch("training.fp16"),
    "fp8-format": text("training.fp8"),
    "recompute-granularity": text("training.recompute"),
    "optimizer": text("training.optimizer"),
    "nnodes": whole("_nodes"),
    "nproc-per-node": whole("_processes"),
    **{flag: whole(f"_shape.{key}") for flag, key in SHAPE.items()},
}

SWITCHES = frozenset(
    (
        "swiglu", "disable-bias-linear", "untie-embeddings-and-output-weights", "use-flash-attn", "use-mcore-models",
        "group-query-attention", "no-load-optim", "no-load-rng", "no-masked-softmax-fusion", "overlap-grad-reduce",
        "overlap-param-gather", "tp-comm-overlap", "add-qkv-bias", "qk-layernorm", "log-throughput", "mock-data",
        "accumulate-allreduce-grads-in-fp32", "moe-grouped-gemm", "moe-permute-fusion", "log-timers-to-tensorboard",
        "manual-gc", "async-save", "profile", "no-gradient-accumulation-fusion", "attention-softmax-in-fp32",
        "moe-token-dispatcher-fusion", "use-torch-fsdp2", "multi-latent-attention", "no-bias-swiglu-fusion",
    )
)  # fmt: skip
LISTS = frozenset(("data-path", "data-paths", "moe-layer-freq"))

OPTIONS = Options(
    "Megatron-LM", RULES, lambda _: None, {"model-parallel-size": "tensor-model-parallel-size",
    "gpus-per-node": "nproc-per-node"},
    IGNORED, UNMODELLED, SWITCHES, LISTS,
)  # fmt: skip


def starts(words: Sequence[Word]) -> bool:
    """Whether a command starts such a script."""
    texts = [word.text for word in words]
    script = any(_SCRIPT.fullmatch(PurePosixPath(text).name) for text in texts)
    return script and any(text.startswith((_OWN, "--num-layers")) for text in texts)


def read(words: Sequence[Word], name: str, file: str, hardware: str | None) -> Deployment:
    """The job that a command starts."""
    draft = Draft(name, file, words[0].line, "Megatron-LM arguments")
    found, others = flags(words, OPTIONS.is_switch, OPTIONS.is_list)
    apply(OPTIONS, found, draft)
    for word in others:
        if word.missing:
            draft.say(
                "not_understood", printable(word.text, 60), f"{word.missing[0]} is not known here", line=word.line
            )
    settings = draft.settings
    shape: dict[str, Any] = {key: settings[f"_shape.{key}"] for key in SHAPE.values() if f"_shape.{key}" in settings}
    training.shaped(draft, shape, words[0].line)
    nodes, processes = settings.get("_nodes", 1), settings.get("_processes")
    ways = [settings.get(f"parallelism.{way}", 1) for way in ("tp", "pp", "cp")]
    split = ways[0] * ways[1] * ways[2]
    if processes is None:
        draft.say("not_understood", "nproc_per_node", "the number of devices is not stated; give --dp")
    elif nodes * processes % split:
        draft.wrong(draft.by["_processes"], f"{nodes * processes} devices are no multiple of tp x pp x cp = {split}")
    else:
        copies = nodes * processes // split
        draft.say("understood", "nnodes x nproc_per_node", "", "parallelism.dp", copies, words[0].line)
        settings["parallelism.dp"] = copies
    return training.refused(draft, "megatron", hardware)

"""TensorRT-LLM: flags of ``trtllm-serve`` and keys of its ``--extra_llm_api_options`` file.

Flags: tensorrt_llm/commands/serve.py; keys: ``TorchLlmArgs`` of tensorrt_llm/llmapi/llm_args.py (NVIDIA/TensorRT-LLM,
versions 0.17 to 1.2, nvidia.github.io/TensorRT-LLM/commands/trtllm-serve).
"""

from __future__ import annotations

import re

from llmperf.deployments import formats, images, vllm
from llmperf.deployments.deployment import Draft, Flag
from llmperf.deployments.options import OFF, Options, Rule, number, other_variable, switch, text, whole
from llmperf.deployments.reasons import (
    CHECKPOINT,
    DISAGGREGATED,
    GRAPHS,
    KERNELS,
    LOGS,
    LORA,
    POOL,
    ROUTING,
    SCHEDULER,
    SPECULATIVE,
    TEXT,
)

OF_WHAT_IS_FREE = "of what weights, activations and buffers leave free"

IGNORED = {
    vllm.NETWORK: ("host", "port", "disagg-cluster-uri", "metadata-server-config-file", "model-name"),
    LOGS: (
        "log-level", "otlp-traces-endpoint", "print-iter-log", "enable-iter-perf-stats", "enable-iter-req-stats",
        "return-perf-metrics", "perf-metrics-max-requests", "iter-stats-max-iterations", "request-stats-max-iterations",
        "event-buffer-max-size", "publish-events-and-metrics", "kv-cache-config.event-buffer-max-size",
    ),
    vllm.TEXTS: (
        "tokenizer", "custom-tokenizer", "reasoning-parser", "tool-parser", "chat-template", "tokenizer-mode",
        "tokenizer-revision", "skip-tokenizer-init", "guided-decoding-backend", "enable-trtllm-sampler", "sampler-type",
        "custom-module-dirs", "postprocess-tokenizer-dir",
    ),
    vllm.LOADING: (
        "trust-remote-code", "revision", "load-format", "fail-fast-on-attention-window-too-large",
        "checkpoint-format", "garbage-collection-gen0-threshold", "enable-autotuner",
    ),
    vllm.PLACES: ("gpus-per-node", "orchestrator-type", "mpi-session", "env-overrides"),
}  # fmt: skip

UNMODELLED = {
    SPECULATIVE: ("speculative-config",
    "decoding-config"),
    LORA: (
        "enable-lora", "lora-config", "lora-dir", "max-lora-rank",
    ),
    DISAGGREGATED: (
        "server-role", "cache-transceiver-config", "kv-connector-config", "disaggregation-mode",
        "disaggregation-strategy", "kv-cache-config.host-cache-size", "kv-cache-config.secondary-offload-min-priority",
    ),
    GRAPHS: (
        "cuda-graph-config.batch-sizes", "cuda-graph-config.max-batch-size", "cuda-graph-config.enable-padding",
        "cuda-graph-batch-sizes", "cuda-graph-padding-enabled", "torch-compile-config", "torch-compile-*",
    ),
    KERNELS: (
        "attn-backend", "moe-config", "moe-backend", "allreduce-strategy", "attention-dp-config", "nvfp4-gemm-config",
        "sparse-attention-config",
    ),
    SCHEDULER: (
        "disable-overlap-scheduler", "scheduler-config", "stream-interval", "num-postprocess-workers",
        "batch-wait-timeout-*", "batching-wait-iters", "dynamic-batch-config", "batching-type",
        "enable-attention-dp-*",
    ),
    "beam search is not modelled": ("max-beam-width",),
    ROUTING: ("moe-load-balancer", "moe-cluster-parallel-size"),
    POOL: (
        "kv-cache-config.max-tokens", "kv-cache-config.max-gpu-total-bytes", "kv-cache-config.max-attention-window",
        "kv-cache-config.*",
    ),
    TEXT: ("media-io-kwargs", "modality", "encode-endpoint", "mm-*"),
    CHECKPOINT: ("model-kwargs", "quant-config.*", "cp-config"),
}  # fmt: skip

SWITCHES = frozenset(
    (
        "trust-remote-code",
        "fail-fast-on-attention-window-too-large",
        "publish-events-and-metrics",
        "skip-tokenizer-init",
    )
)
LISTS: frozenset[str] = frozenset()


def _backend(draft: Draft, flag: Flag) -> None:
    if flag.value.strip().lower() in ("pytorch", "torch"):
        draft.note("understood", flag, "the usual backend")
    else:
        draft.note("not_modelled", flag, "the engine is taken as it was measured, with the PyTorch backend")


def _graphs(draft: Draft, flag: Flag) -> None:
    """``cuda_graph_config: null`` switches graphs off; with any mapping they are on, as is usual."""
    off = flag.value.strip().lower() in OFF
    draft.put(flag, "engine.graphs", not off, "" if off else "decode steps replay captured graphs")


CACHE_DTYPE = formats.cache_dtype("fp8", "int8", "bfloat16", "bf16", "float16", "fp16", "half")
RULES = {
    "model": text("_model"),
    "served-model-name": vllm.RULES["served-model-name"],
    "backend": Rule(_backend),
    "tensor-parallel-size": whole("_tp"),
    "pipeline-parallel-size": whole("parallelism.pp"),
    "context-parallel-size": whole("parallelism.cp"),
    "moe-expert-parallel-size": whole("parallelism.ep"),
    "moe-tensor-parallel-size": whole("_moe_tp"),
    "enable-attention-dp": switch("_shared"),
    "max-batch-size": whole("engine.max_sequences"),
    "max-num-tokens": whole("engine.token_budget"),
    "max-seq-len": whole("model.max_context"),
    "kv-cache-config.free-gpu-memory-fraction": number("engine.utilization", 1.0, OF_WHAT_IS_FREE),
    "kv-cache-config.dtype": CACHE_DTYPE,
    "kv-cache-config.enable-block-reuse": switch("engine.shared_prefix_cache"),
    "kv-cache-config.tokens-per-block": whole("engine.kv_block"),
    "enable-chunked-prefill": switch("_chunked"),
    "cuda-graph-config": Rule(_graphs),
    "use-cuda-graph": switch("engine.graphs"),
    "quant-config.quant-algo": formats.QUANTIZATION,
    "quant-config.kv-cache-quant-algo": CACHE_DTYPE,
    "dtype": formats.DTYPE,
}

ALIASES = {
    **dict.fromkeys(("tp", "tp-size"), "tensor-parallel-size"),
    **dict.fromkeys(("pp", "pp-size"), "pipeline-parallel-size"),
    **dict.fromkeys(("cp", "cp-size"), "context-parallel-size"),
    **dict.fromkeys(("ep", "ep-size", "expert-parallel-size"), "moe-expert-parallel-size"),
    "cluster-size": "moe-cluster-parallel-size",
    "model-path": "model",
    "free-gpu-memory-fraction": "kv-cache-config.free-gpu-memory-fraction",
    "kv-cache-free-gpu-memory-fraction": "kv-cache-config.free-gpu-memory-fraction",
    "kv-cache-free-gpu-mem-fraction": "kv-cache-config.free-gpu-memory-fraction",
    "kv-cache-dtype": "kv-cache-config.dtype",
}


def finish(draft: Draft) -> None:
    """What follows from several flags together."""
    settings = draft.settings
    vllm.settle_checkpoint(draft)
    tp = settings.get("_tp")
    if tp is not None and settings.get("_shared"):
        draft.settle("_tp", "parallelism.dp", tp, "attention data parallelism: every device is a rank of its own")
        draft.settle("_shared", "parallelism.dp", tp)
    elif tp is not None:
        draft.settle("_tp", "parallelism.tp", tp)
    if "_moe_tp" in settings and "parallelism.ep" not in settings:
        draft.settle("_moe_tp", "parallelism.ep", max((tp or 1) // settings["_moe_tp"], 1))
    if "_chunked" in settings:
        said = "prompts are prefilled in chunks of the token budget"
        draft.settle(
            "_chunked", "", None, said if settings["_chunked"] else "longer prompts than the token budget are refused"
        )
    images.settle(draft, "tensorrt-llm")


OPTIONS = Options(
    "trtllm-serve",
    RULES,
    finish,
    ALIASES,
    IGNORED,
    UNMODELLED,
    SWITCHES,
    LISTS,
    config=frozenset(("config", "extra-llm-api-options", "extra-engine-args")),
    config_first=False,
)

ENVIRONMENT_IGNORED = re.compile(r"(TRTLLM|TLLM)_(LOG_.*|.*PROFILE.*|.*TIMEOUT.*|SERVER_DISABLE_GC|WORKER_.*)")


def environment(draft: Draft, name: str, value: str, line: int | None) -> bool:
    """Take a variable of the process's environment that means something; whether it did."""
    return other_variable(draft, "TensorRT-LLM", ("TRTLLM_", "TLLM_"), ENVIRONMENT_IGNORED, name, value, line)

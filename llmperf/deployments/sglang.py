"""SGLang: flags of ``python -m sglang.launch_server`` and keys of its ``--config`` file.

Flags: docs.sglang.io, advanced_features/server_arguments (python/sglang/srt/server_args.py), of versions 0.4 to 0.5.
"""

from __future__ import annotations

import re

from llmperf.deployments import formats, images, vllm
from llmperf.deployments.deployment import Draft, Flag
from llmperf.deployments.options import OFF, Options, Rule, number, other_variable, switch, text, whole
from llmperf.deployments.reasons import (
    CHECKPOINT,
    DEVICE,
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

PREFILL_TOKENS = 16384
"""Most tokens of a batch of prompts by default (``--max-prefill-tokens``)."""

IGNORED = {
    vllm.NETWORK: (
        "host", "port", "nccl-port", "api-key", "admin-api-key", "fastapi-root-path", "grpc-mode", "ssl-keyfile",
        "ssl-certfile", "ssl-ca-certs", "ssl-keyfile-password", "file-storage-path", "weight-version",
        "enable-cache-report", "smg-grpc-mode", "use-ray", "tool-server",
    ),
    LOGS: (
        "log-level", "log-level-http", "log-requests", "log-requests-level", "log-requests-format",
        "log-requests-target", "uvicorn-access-log-exclude-prefixes", "crash-dump-folder", "show-time-cost",
        "enable-metrics", "enable-mfu-metrics", "enable-metrics-for-all-schedulers", "tokenizer-metrics-*", "bucket-*",
        "collect-tokens-histogram", "prompt-tokens-buckets", "generation-tokens-buckets", "gc-warning-threshold-secs",
        "decode-log-interval", "enable-request-time-stats-logging", "kv-events-config", "enable-trace",
        "otlp-traces-endpoint", "export-metrics-to-file", "export-metrics-to-file-dir", "metrics-endpoint-port",
        "enable-expert-distribution-metrics", "expert-distribution-recorder-mode", "debug-*", "enable-nan-detection",
    ),
    vllm.TEXTS: (
        "tokenizer-path", "tokenizer-mode", "skip-tokenizer-init", "chat-template", "hf-chat-template-name",
        "completion-template", "reasoning-parser", "tool-call-parser", "sampling-defaults", "preferred-sampling-params",
        "grammar-backend", "constrained-json-whitespace-pattern", "constrained-json-disable-any-whitespace",
        "random-seed", "sampling-backend", "allow-auto-truncate", "enable-custom-logit-processor",
        "dyn-tool-call-parser", "dyn-reasoning-parser",
    ),
    vllm.LOADING: (
        "load-format", "model-loader-extra-config", "trust-remote-code", "revision", "download-dir", "model-checksum",
        "skip-server-warmup", "warmups", "watchdog-timeout", "soft-watchdog-timeout", "dist-timeout",
        "checkpoint-engine-wait-weights-before-ready", "weight-loader-disable-mmap", "enable-memory-saver",
        "custom-sigquit-handler", "delete-ckpt-after-loading", "sleep-on-idle",
    ),
    vllm.PLACES: (
        "dist-init-addr", "base-gpu-id", "gpu-id-step", "load-balance-method", "numa-node",
        "enable-p2p-check", "router-*", "policy", "worker-startup-timeout",
    ),
    vllm.BATCH: (
        "schedule-policy", "max-queued-requests", "enable-priority-scheduling", "abort-on-priority-when-disabled",
        "schedule-low-priority-values-first", "priority-scheduling-preemption-threshold", "schedule-conservativeness",
        "radix-eviction-policy",
    ),
}  # fmt: skip

UNMODELLED = {
    SPECULATIVE: (
        "speculative-*", "enable-multi-layer-eagle",
    ),
    LORA: (
        "enable-lora", "enable-lora-overlap-loading", "lora-*", "max-lora-*", "max-loras-per-batch", "max-loaded-loras",
    ),
    DISAGGREGATED: (
        "disaggregation-*", "enable-hierarchical-cache", "hicache-*", "enable-lmcache", "num-reserved-decode-tokens",
        "encoder-only", "language-only", "encoder-*", "pd-disaggregation",
    ),
    GRAPHS: (
        "cuda-graph-bs", "disable-cuda-graph-padding", "enable-torch-compile",
        "torch-compile-max-bs", "piecewise-cuda-graph-*", "enable-piecewise-cuda-graph", "disable-piecewise-cuda-graph",
    ),
    KERNELS: (
        "attention-backend", "prefill-attention-backend", "decode-attention-backend", "mm-attention-backend",
        "nsa-*", "dsa-*", "fp8-gemm-backend", "fp4-gemm-backend", "moe-runner-backend",
        "flashinfer-*", "enable-flashinfer-*", "disable-flashinfer-*", "enable-aiter-*", "deepep-*", "enable-deepep-*",
        "disable-custom-all-reduce", "enable-mscclpp", "enable-nccl-nvls", "enable-symm-mem", "triton-*",
        "num-continuous-decode-steps", "enable-torch-symm-mem", "disable-fast-image-processor",
        "enable-fused-grouped-gemm-combine", "enable-quant-communications", "enable-deterministic-inference",
    ),
    SCHEDULER: (
        "disable-overlap-schedule", "stream-interval", "incremental-streaming-output", "tokenizer-worker-num",
        "enable-mixed-chunk", "enable-dynamic-chunking", "enable-two-batch-overlap", "enable-single-batch-overlap",
        "tbo-token-distribution-threshold", "prefill-max-requests", "enable-prefill-delayer", "prefill-delayer-*",
        "pp-max-micro-batch-size", "pp-async-batch-depth", "disable-outlines-disk-cache",
        "enable-tokenizer-batch-encode",
        "detokenizer-worker-num", "scheduler-recv-interval",
    ),
    ROUTING: (
        "ep-num-redundant-experts", "ep-dispatch-algorithm", "init-expert-location", "enable-eplb", "eplb-*",
        "elastic-ep-backend", "moe-data-parallel-size", "disable-shared-experts-fusion",
    ),
    "such a layout of single layers is not modelled": (
        "moe-dense-tp-size", "enable-dp-lm-head", "attention-context-parallel-size", "enable-attn-tp-input-scattered",
    ),
    POOL: ("max-total-tokens", "swa-full-tokens-ratio",
                                                         "disable-hybrid-swa-memory"),
    CHECKPOINT: (
        "json-model-override-args", "model-impl", "quantization-param-path", "enable-fp32-lm-head", "mamba-*",
        "max-mamba-cache-size", "hierarchical-sparse-attention-extra-config", "enable-double-sparsity", "ds-*",
    ),
    "weights in the host's memory are not imported; give placement.tiers and placement.weights": (
        "cpu-offload-gb", "offload-*", "kt-*",
    ),
    TEXT: ("enable-multimodal", "mm-*", "limit-mm-data-per-request"),
    "only generation of text, token by token, is modelled": ("is-embedding", "dllm-*"),
    DEVICE: ("device",),
}  # fmt: skip

SWITCHES = frozenset(
    (
        "allow-auto-truncate",
        "grpc-mode", "enable-cache-report", "log-requests", "show-time-cost", "enable-metrics", "enable-mfu-metrics",
        "enable-metrics-for-all-schedulers", "collect-tokens-histogram", "enable-request-time-stats-logging",
        "enable-trace", "export-metrics-to-file", "skip-tokenizer-init", "trust-remote-code", "skip-server-warmup",
        "weight-loader-disable-mmap", "enable-memory-saver", "sleep-on-idle", "enable-p2p-check",
        "enable-priority-scheduling", "enable-lora", "enable-hierarchical-cache", "enable-lmcache",
        "disable-cuda-graph-padding", "enable-torch-compile", "disable-custom-all-reduce", "enable-mscclpp",
        "enable-nccl-nvls", "enable-symm-mem", "disable-overlap-schedule", "enable-mixed-chunk",
        "enable-two-batch-overlap", "enable-eplb", "enable-dp-lm-head", "enable-multimodal", "is-embedding",
        "enable-deterministic-inference", "enable-flashinfer-allreduce-fusion", "disable-shared-experts-fusion",
        "enable-custom-logit-processor", "constrained-json-disable-any-whitespace", "disable-piecewise-cuda-graph",
        "enable-dynamic-chunking", "enable-single-batch-overlap", "enable-fp32-lm-head", "incremental-streaming-output",
    )
)  # fmt: skip
LISTS = frozenset(("lora-paths", "lora-target-modules", "cuda-graph-bs", "log-requests-target", "prompt-tokens-buckets",
                   "generation-tokens-buckets"))  # fmt: skip


def _chunk(draft: Draft, flag: Flag) -> None:
    if flag.value.strip() == "-1":
        draft.put(flag, "_chunk", 0, "prompts are not split")
    else:
        whole("_chunk").take(draft, flag)


def _dispatch(draft: Draft, flag: Flag) -> None:
    """How tokens reach their experts; DeepEP and its like spread whole experts over all devices."""
    if flag.value.strip().lower() in OFF:
        draft.note("ignored", flag, "is switched off")
    elif flag.value.strip().lower() in SPREADING:
        draft.put(flag, "_all_experts", True)
    else:
        draft.note("not_modelled", flag, KERNELS)


SPREADING = ("deepep", "mooncake", "nixl", "mori", "ascend_fuseep", "flashinfer", "megamoe")
"""Backends with which SGLang sets ``--ep`` to ``--tp`` (server_args.py, ``_handle_a2a_moe``)."""


_GRAPH_BATCH = whole("engine.graph_batch")


def _captured(draft: Draft, flag: Flag) -> None:
    """The largest captured batch, whatever the layout."""
    _GRAPH_BATCH.take(draft, flag)
    if "engine.graph_batch" in draft.settings:
        draft.settings["engine.wide_graph_batch"] = draft.settings["engine.graph_batch"]


RULES = {
    "model-path": text("_model"),
    "served-model-name": vllm.RULES["served-model-name"],
    "tensor-parallel-size": whole("_tp"),
    "pipeline-parallel-size": whole("parallelism.pp"),
    "data-parallel-size": whole("_dp"),
    "expert-parallel-size": whole("parallelism.ep"),
    "enable-dp-attention": switch("_shared"),
    "enable-ep-moe": switch("_all_experts"),
    "enable-deepep-moe": switch("_all_experts"),
    "moe-a2a-backend": Rule(_dispatch),
    "nnodes": vllm.NODES,
    "quantization": formats.QUANTIZATION,
    "modelopt-quant": formats.QUANTIZATION,
    "dtype": formats.DTYPE,
    "kv-cache-dtype": formats.cache_dtype("fp8-e4m3", "fp8-e5m2", "bf16", "bfloat16"),
    "context-length": whole("model.max_context"),
    "max-running-requests": whole("_requests"),
    "chunked-prefill-size": Rule(_chunk),
    "max-prefill-tokens": whole("_prefill"),
    "mem-fraction-static": number("engine.utilization", 1.0, "of weights and KV cache; activations come on top"),
    "page-size": whole("engine.kv_block"),
    "disable-radix-cache": switch("engine.shared_prefix_cache", on=False, off=True),
    "disable-cuda-graph": switch("engine.graphs", on=False, off=True),
    "cuda-graph-max-bs": Rule(_captured, path=_GRAPH_BATCH.path),
    "node-rank": Rule(vllm.part, unknown=True),
}

ALIASES = {
    "model": "model-path",
    **dict.fromkeys(("tp", "tp-size"), "tensor-parallel-size"),
    **dict.fromkeys(("pp", "pp-size"), "pipeline-parallel-size"),
    **dict.fromkeys(("dp", "dp-size"), "data-parallel-size"),
    **dict.fromkeys(("ep", "ep-size"), "expert-parallel-size"),
    "attn-cp-size": "attention-context-parallel-size",
    "moe-dp-size": "moe-data-parallel-size",
    "nccl-init-addr": "dist-init-addr",
}


def finish(draft: Draft) -> None:
    """What follows from several flags together."""
    settings = draft.settings
    vllm.settle_checkpoint(draft)
    ranks = _layout(draft)
    if "_requests" in settings:
        said = "of all ranks together, spread evenly over them" if ranks > 1 else ""
        draft.settle("_requests", "engine.max_sequences", max(settings["_requests"] // ranks, 1), said)
    _budget(draft)
    images.settle(draft, "sglang")


def _layout(draft: Draft) -> int:
    """Data-parallel attention shares the devices of ``--tp``; else its ranks are copies. The ranks of attention."""
    settings = draft.settings
    tp, ranks = settings.get("_tp", 1), settings.get("_dp", 1)
    if not settings.get("_shared"):
        if "_tp" in settings:
            draft.settle("_tp", "parallelism.tp", tp)
        if "_dp" in settings:
            draft.settle("_dp", "parallelism.replicas", ranks, "ranks are independent copies")
        ranks = 1
    else:
        if tp % ranks:
            draft.wrong(draft.by["_dp"], f"{ranks} does not divide the {tp} devices of --tp")
            return 1
        draft.settle("_tp", "parallelism.tp", tp // ranks, "devices of one rank of the attention")
        draft.settle("_dp", "parallelism.dp", ranks)
        draft.settle("_shared", "parallelism.dp", ranks)
    if settings.get("_all_experts"):
        said = "all devices share the experts; how tokens are sent to them is as the engine was measured"
        draft.settle("_all_experts", "parallelism.ep", tp, said)
    return int(ranks)


def _budget(draft: Draft) -> None:
    """Prompt tokens of a step: a chunk, or where prompts are not split the most of a batch of them."""
    settings = draft.settings
    chunk, most = settings.get("_chunk"), settings.get("_prefill")
    if chunk is None and most is None:
        return
    unsplit = max(most or PREFILL_TOKENS, settings.get("model.max_context", 0))
    budget = unsplit if chunk == 0 else chunk if chunk else None
    if budget is None:
        draft.settle("_prefill", "", None, "chunks are smaller: prompts are split by --chunked-prefill-size")
        return
    draft.settle("_chunk", "engine.token_budget", budget)
    draft.settle("_prefill", "engine.token_budget", budget)


OPTIONS = Options(
    "sglang",
    RULES,
    finish,
    ALIASES,
    IGNORED,
    UNMODELLED,
    SWITCHES,
    LISTS,
    config=frozenset(("config",)),
    abbreviates=True,
)

ENVIRONMENT_IGNORED = re.compile(
    r"SGLANG_(LOG_.*|HOST_IP|PORT|CACHE_DIR|TORCH_PROFILER_DIR|USE_MODELSCOPE|.*TIMEOUT.*)"
)


def environment(draft: Draft, name: str, value: str, line: int | None) -> bool:
    """Take a variable of the process's environment that means something; whether it did."""
    if name == "SGLANG_ENABLE_TORCH_COMPILE":  # set by --enable-torch-compile, and read by its kernels
        draft.note("not_modelled", Flag(name.lower(), name, (value,), (), None, line), GRAPHS)
        return True
    return other_variable(draft, "SGLang", ("SGLANG_",), ENVIRONMENT_IGNORED, name, value, line)

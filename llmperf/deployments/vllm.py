"""vLLM: flags of ``vllm serve``, keys of its ``--config`` file.

Flags: docs.vllm.ai, configuration/serve_args and configuration/engine_args (vllm/engine/arg_utils.py,
vllm/entrypoints/openai/cli_args.py), of versions 0.3 to 0.15.
"""

from __future__ import annotations

import re
from typing import Any

from llmperf.deployments import checkpoints, formats, images
from llmperf.deployments.deployment import Draft, Flag
from llmperf.deployments.options import Options, Rule, number, other_variable, switch, text, whole
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
from llmperf.descriptors.parameters import parameters
from llmperf.descriptors.weights import element_bytes
from llmperf.errors import InputError
from llmperf.scenarios.components import component

NETWORK = "says how the server is reached, not how it computes"
TEXTS = "concerns texts before and after the model: tokenizer, templates, tools, sampling"
LOADING = "concerns loading and starting, not serving"
PLACES = "concerns which processes run where, not how much they compute"
BATCH = "in a static batch no request waits, is preempted or is cancelled"

IGNORED = {
    NETWORK: (
        "host", "port", "uds", "api-key", "ssl-keyfile", "ssl-certfile", "ssl-ca-certs", "ssl-cert-reqs", "root-path",
        "enable-ssl-refresh", "allow-credentials", "allowed-origins", "allowed-methods", "allowed-headers",
        "middleware", "disable-fastapi-docs", "h11-max-incomplete-event-size", "h11-max-header-count", "grpc",
        "enable-request-id-headers", "served-model-name", "model-name", "response-role", "allowed-local-media-path",
        "allowed-media-domains", "enable-server-load-tracking", "enable-tokenizer-info-endpoint", "enable-offline-docs",
        "http-port", "grpc-port", "workers", "predictor-host",
    ),
    LOGS: (
        "uvicorn-log-level", "disable-uvicorn-access-log", "disable-access-log-for-endpoints", "log-config-file",
        "disable-log-requests", "enable-log-requests", "disable-log-stats", "max-log-len", "otlp-traces-endpoint",
        "collect-detailed-traces", "enable-log-outputs", "enable-log-deltas", "show-hidden-metrics-for-version",
        "log-error-stack", "enable-prompt-tokens-details", "enable-force-include-usage", "kv-cache-metrics",
        "kv-events-config", "aggregate-engine-logging", "enable-logging-iteration-details", "cudagraph-metrics",
        "enable-mfu-metrics", "profiler-config", "observability-config",
    ),
    TEXTS: (
        "tokenizer", "tokenizer-mode", "tokenizer-revision", "tokenizer-pool-size", "tokenizer-pool-type",
        "skip-tokenizer-init", "chat-template", "chat-template-content-format", "trust-request-chat-template",
        "enable-auto-tool-choice", "tool-call-parser", "tool-parser-plugin", "tool-server", "reasoning-parser",
        "reasoning-parser-plugin", "enable-reasoning", "generation-config", "override-generation-config",
        "max-logprobs",
        "logprobs-mode", "return-tokens-as-token-ids", "exclude-tools-when-tool-choice-none", "guided-decoding-backend",
        "structured-outputs-config", "seed", "default-chat-template-kwargs", "interleave-mm-strings",
    ),
    LOADING: (
        "trust-remote-code", "download-dir", "revision", "code-revision", "config-format", "hf-config-path", "hf-token",
        "ignore-patterns", "use-tqdm-on-load", "max-parallel-loading-workers", "model-loader-extra-config",
        "pt-load-map-location", "enable-sleep-mode", "fail-on-environ-validation", "shutdown-timeout",
        "safetensors-load-strategy",
    ),
    PLACES: (
        "distributed-executor-backend", "worker-use-ray", "ray-workers-use-nsight", "worker-cls",
        "worker-extension-cls", "data-parallel-size-local", "data-parallel-address", "data-parallel-rpc-port",
        "data-parallel-backend", "data-parallel-hybrid-lb", "data-parallel-external-lb", "master-addr",
        "master-port", "distributed-timeout-seconds", "numa-bind",
    ),
    BATCH: ("swap-space", "preemption-mode", "scheduling-policy", "block-allocator", "use-v2-block-manager"),
}  # fmt: skip

UNMODELLED = {
    SPECULATIVE: (
        "speculative-config", "speculative-model", "num-speculative-tokens", "speculative-*", "spec-*",
        "num-lookahead-slots", "ngram-prompt-lookup-*",
    ),
    LORA: (
        "enable-lora", "enable-lora-bias", "lora-modules", "lora-*", "max-loras", "max-lora-rank", "max-cpu-loras",
        "fully-sharded-loras", "default-mm-loras", "enable-prompt-adapter", "max-prompt-adapters",
    ),
    DISAGGREGATED: (
        "kv-transfer-config", "kv-offloading-size", "kv-offloading-backend", "ec-transfer-config",
    ),
    GRAPHS: (
        "compilation-config", "cuda-graph-sizes", "cudagraph-capture-sizes",
        "max-seq-len-to-capture", "optimization-level", "o[0-3]", "enable-flashinfer-autotune",
    ),
    KERNELS: (
        "attention-backend", "attention-config", "all2all-backend", "moe-backend", "kernel-config", "use-*-kernel",
        "disable-custom-all-reduce", "disable-cascade-attn", "disable-nccl-for-dp-synchronization",
        "gdn-prefill-backend",
    ),
    SCHEDULER: (
        "async-scheduling", "num-scheduler-steps", "multi-step-stream-outputs", "scheduler-cls",
        "scheduler-delay-factor", "max-num-partial-prefills", "max-long-partial-prefills", "stream-interval",
        "long-prefill-token-threshold", "disable-chunked-mm-input", "enable-dbo", "ubatch-size", "dbo-*",
        "api-server-count", "disable-async-output-proc", "scheduler-reserve-full-isl",
        "disable-frontend-multiprocessing",
    ),
    ROUTING: (
        "enable-eplb", "eplb-config", "num-redundant-experts", "eplb-*", "expert-placement-strategy",
    ),
    "context parallelism of vLLM shares the devices of the tensor-parallel group, which is not modelled": (
        "decode-context-parallel-size", "dcp-*", "prefill-context-parallel-size", "cp-kv-cache-interleave-size",
    ),
    POOL: ("num-gpu-blocks-override", "kv-cache-memory-bytes"),
    CHECKPOINT: (
        "hf-overrides", "rope-scaling", "rope-theta", "disable-sliding-window", "override-neuron-config", "model-impl",
        "mamba-*", "enable-mamba-*", "quantization-param-path", "calculate-kv-scales", "kv-cache-dtype-skip-layers",
        "disable-hybrid-kv-cache-manager", "additional-config", "override-attention-dtype", "kv-sharing-fast-prefill",
    ),
    TEXT: (
        "limit-mm-per-prompt", "mm-*", "media-io-kwargs", "disable-mm-preprocessor-cache", "language-model-only",
        "skip-mm-profiling", "enable-mm-embeds", "video-pruning-rate",
    ),
    "only generation of text is modelled": (
        "task", "runner", "convert", "override-pooler-config", "pooler-config", "logits-processors",
        "logits-processor-pattern",
    ),
    DEVICE: ("device",),
    "prefill alone is sharded otherwise": ("enable-sequence-parallel", "enable-tp-attention"),
}  # fmt: skip

SWITCHES = frozenset(
    (
        "enable-ssl-refresh", "allow-credentials", "disable-fastapi-docs", "enable-request-id-headers", "grpc",
        "enable-server-load-tracking", "enable-tokenizer-info-endpoint", "disable-uvicorn-access-log",
        "disable-log-requests", "enable-log-requests", "disable-log-stats", "enable-log-outputs", "enable-log-deltas",
        "log-error-stack", "enable-prompt-tokens-details", "enable-force-include-usage", "kv-cache-metrics",
        "skip-tokenizer-init", "trust-request-chat-template", "enable-auto-tool-choice", "enable-reasoning",
        "return-tokens-as-token-ids", "exclude-tools-when-tool-choice-none", "trust-remote-code", "enable-sleep-mode",
        "use-tqdm-on-load", "worker-use-ray", "ray-workers-use-nsight", "data-parallel-hybrid-lb",
        "data-parallel-external-lb", "use-v2-block-manager", "enable-lora", "enable-lora-bias", "fully-sharded-loras",
        "disable-custom-all-reduce", "disable-cascade-attn", "async-scheduling", "enable-dbo", "enable-eplb",
        "disable-sliding-window", "disable-mm-preprocessor-cache", "skip-mm-profiling", "enable-mm-embeds",
        "language-model-only", "disable-chunked-mm-input", "disable-frontend-multiprocessing", "calculate-kv-scales",
        "disable-hybrid-kv-cache-manager", "disable-async-output-proc", "kv-sharing-fast-prefill",
        "enable-prompt-adapter", "enable-flashinfer-autotune", "cudagraph-metrics", "enable-mfu-metrics",
        "aggregate-engine-logging", "interleave-mm-strings",
    )
)  # fmt: skip
LISTS = frozenset(
    ("lora-modules", "cuda-graph-sizes", "cudagraph-capture-sizes", "allowed-media-domains",
    "kv-cache-dtype-skip-layers",
     "ignore-patterns", "middleware")
)  # fmt: skip

_UNIT = 2**30


def _served(draft: Draft, flag: Flag) -> None:
    """The name under which a model is served tells the model where its checkpoint is a folder."""
    if flag.values and not flag.missing:
        draft.settings["_served"] = flag.values[0]
    draft.note("ignored", flag, NETWORK)


def _load_format(draft: Draft, flag: Flag) -> None:
    """Formats of checkpoint files, of which two say how the weights are quantized."""
    form = flag.value.strip().lower()
    if form == "bitsandbytes":
        formats.QUANTIZATION.take(draft, flag)
    elif form == "gguf":
        draft.note("not_understood", flag, "the quantization stands in the GGUF file: give it as --model")
    else:
        draft.note("ignored", flag, LOADING)


def part(draft: Draft, flag: Flag) -> None:
    """A process that belongs to a server which another command starts."""
    if not flag.missing and flag.value.strip().lower() not in ("0", "false"):
        draft.settings["_part"] = True
    draft.note("ignored", flag, PLACES)


def _nodes(draft: Draft, flag: Flag) -> None:
    """Nodes that together are one server: where pods are counted, so many of them are one copy."""
    if flag.value.strip().isdigit() and len(flag.value) < 6:
        draft.settings["_nodes"] = int(flag.value)
    draft.note("ignored", flag, PLACES)


CONTEXT = whole("model.max_context", human=True)


def _context(draft: Draft, flag: Flag) -> None:
    """The longest sequence, or with ``auto`` as long a one as the memory holds, which is no more than the model's."""
    if flag.value.strip().lower() in ("auto", "-1"):
        draft.settings["_fits_context"] = True
        draft.note("assumed", flag, "the longest context that the memory holds, and no longer than the model's")
    else:
        CONTEXT.take(draft, flag)


NODES = Rule(_nodes)
RULES = {
    "model": text("_model"),
    "nnodes": NODES,
    "served-model-name": Rule(_served, many=True, unknown=True),
    "tensor-parallel-size": whole("parallelism.tp"),
    "pipeline-parallel-size": whole("parallelism.pp"),
    "data-parallel-size": whole("_dp"),
    "enable-expert-parallel": switch("_ep"),
    "quantization": formats.QUANTIZATION,
    "dtype": formats.DTYPE,
    "kv-cache-dtype": formats.cache_dtype(
        "fp8", "fp8-e4m3", "fp8-e5m2", "fp8-inc", "fp8-ds-mla", "bfloat16", "float16", "int8-per-token-head"
    ),
    "load-format": Rule(_load_format),
    "max-model-len": Rule(_context, path="model.max_context"),
    "max-num-seqs": whole("engine.max_sequences", "of each data-parallel rank", human=True),
    "max-cudagraph-capture-size": whole("engine.graph_batch"),
    "max-num-batched-tokens": whole("_budget", human=True),
    "enable-chunked-prefill": switch("_chunked"),
    "gpu-memory-utilization": number("engine.utilization", 1.0),
    "block-size": whole("engine.kv_block"),
    "enable-prefix-caching": switch("engine.shared_prefix_cache"),
    "enforce-eager": switch("engine.graphs", on=False, off=True),
    "cpu-offload-gb": number("_offloaded"),
    "headless": Rule(part, switch=True),
    "node-rank": Rule(part, unknown=True),
    "data-parallel-start-rank": Rule(part, unknown=True),
    "data-parallel-rank": Rule(part, unknown=True),
}

ALIASES = {
    "tp": "tensor-parallel-size",
    "pp": "pipeline-parallel-size",
    "dp": "data-parallel-size",
    "dpl": "data-parallel-size-local",
    "dpr": "data-parallel-start-rank",
    "dpa": "data-parallel-address",
    "dpp": "data-parallel-rpc-port",
    "dpb": "data-parallel-backend",
    "ep": "enable-expert-parallel",
    "asc": "api-server-count",
    "q": "quantization",
    "sc": "speculative-config",
    "cc": "compilation-config",
    "tensor-parallel": "tensor-parallel-size",
    "model-tag": "model",
}


def finish(draft: Draft) -> None:
    """What follows from several flags together."""
    settings = draft.settings
    settle_checkpoint(draft)
    _data_parallel(draft)
    if settings.get("_ep"):
        layout = [settings.get(f"parallelism.{way}", 1) for way in ("tp", "dp")]
        draft.settle("_ep", "parallelism.ep", layout[0] * layout[1], "all devices of a stage share the experts")
    _budget(draft)
    _offload(draft)
    images.settle(draft, "vllm")


def settle_checkpoint(draft: Draft) -> None:
    """What the checkpoint's name and the flags of formats say together.

    Of some quantizations only the checkpoint's own configuration tells the format.
    """
    checkpoints.settle(draft)
    formats.settle(draft)
    method = draft.settings.get("_of_the_checkpoint")
    if method is None:
        return
    flag = draft.by["_of_the_checkpoint"]
    if "weights" in draft.settings or checkpoints.is_cached(draft.settings.get("model")):
        return
    said = f"{method}: the checkpoint's own configuration, which is not here, says which format; give --weights"
    draft.drop("_of_the_checkpoint")
    draft.note("not_understood", flag, said)


def _data_parallel(draft: Draft) -> None:
    """Ranks of attention where there are experts, which all of them share; else copies of the whole model."""
    ranks = draft.settings.get("_dp")
    if ranks is None:
        return
    experts = checkpoints.has_experts(draft.settings.get("model"))
    if experts is False:
        draft.settle("_dp", "parallelism.replicas", ranks, "a model without experts: ranks are independent copies")
    else:
        draft.settle("_dp", "parallelism.dp", ranks)
        if experts is None and ranks > 1:
            flag = draft.by["_dp"]
            draft.assume(flag.written, "the model is taken to have experts, which all ranks share", line=flag.line)


def _budget(draft: Draft) -> None:
    """Tokens of a step; without chunked prefill at least those of the longest prompt."""
    budget, longest = draft.settings.get("_budget"), draft.settings.get("model.max_context")
    if draft.settings.get("_chunked") is not False:
        if "_chunked" in draft.by:
            draft.settle("_chunked", "", None, "prompts are prefilled in chunks of the token budget, as is usual")
        if budget is not None:
            draft.settle("_budget", "engine.token_budget", budget)
        return
    flag = draft.by["_chunked"]
    if longest is None and budget is None:
        draft.say(
            "not_modelled", flag.written, "prompts longer than the token budget are split all the same", line=flag.line
        )
        return
    whole_prompts = max(longest or 0, budget or 0)
    draft.settle("_chunked", "engine.token_budget", whole_prompts, "a step holds the longest prompt")
    draft.settle("_budget", "engine.token_budget", whole_prompts)


def _offload(draft: Draft) -> None:
    """GiB of weights a device that lie in the host's memory, as the share that stays."""
    size = draft.settings.get("_offloaded")
    if size is None:
        return
    flag = draft.by["_offloaded"]
    draft.drop("_offloaded")
    if size == 0:
        draft.note("understood", flag, "nothing is offloaded")
        return
    share = _kept(draft, size)
    if share is None:
        said = "weights in the host's memory: this needs a known model without experts, and hardware with a host tier"
        draft.note("not_modelled", flag, f"{said}; give placement.tiers and placement.weights")
        return
    draft.put(flag, "placement.weights", share, "the share of the weights that stays on the device", "assumed")


def _kept(draft: Draft, size: float) -> float | None:
    settings = draft.settings
    model, hardware = settings.get("model"), settings.get("hardware")
    if not isinstance(model, str) or not isinstance(hardware, str) or checkpoints.has_experts(model) is not False:
        return None
    try:
        machine: Any = component("hardware", hardware)
        form = settings.get("weights", "bf16")
        linear: Any = element_bytes(component("weights", form)) if isinstance(form, str) else 2.0
        count = parameters(component("model", model))
    except InputError:
        return None
    tiers = [machine.tiers[name] for name in machine.memory_order]
    if not any(tier.kind == "host" and tier.capacity for tier in tiers):
        return None
    shards = settings.get("parallelism.tp", 1) * settings.get("parallelism.pp", 1)
    return float(max(0.0, 1.0 - size * _UNIT * shards / (count * linear)))


OPTIONS = Options(
    "vllm",
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
    r"VLLM_(LOGGING_.*|API_KEY|PORT|HOST_IP|CACHE_ROOT|CONFIG_ROOT|ASSETS_CACHE|NO_USAGE_STATS|DO_NOT_TRACK|USAGE_.*"
    r"|NCCL_SO_PATH|TORCH_PROFILER_DIR|RPC_.*|SERVER_DEV_MODE|ALLOW_.*|USE_MODELSCOPE|TRACE_.*|DEBUG_.*|PLUGINS"
    r"|NIXL_SIDE_CHANNEL_.*|WORKER_MULTIPROC_METHOD|ENGINE_.*TIMEOUT.*|HTTP_TIMEOUT.*|SKIP_WARMUP|CONFIGURE_LOGGING|SKIP_P2P_CHECK)"
)
"""Variables of vllm/envs.py that cannot change the answer."""
ENVIRONMENT_KERNELS = re.compile(
    r"VLLM_(ATTENTION_BACKEND|FLASH_ATTN_VERSION|ALL2ALL_BACKEND|MOE_BACKEND|USE_DEEP_GEMM.*|USE_FLASHINFER_.*"
    r"|FLASHINFER_.*|USE_TRITON_.*|ROCM_USE_.*)"
)
"""Variables that choose kernels, as flags do that are not modelled."""


def environment(draft: Draft, name: str, value: str, line: int | None) -> bool:
    """Take a variable of the process's environment that means something; whether it did."""
    flag = Flag(name.lower(), name, (value,), (), None, line)
    if ENVIRONMENT_KERNELS.fullmatch(name):
        draft.note("not_modelled", flag, KERNELS)
        return True
    if name != "VLLM_USE_V1":
        return other_variable(draft, "vLLM", ("VLLM_",), ENVIRONMENT_IGNORED, name, value, line)
    if value.strip() in ("0", "false"):
        draft.settings["_old_engine"] = "vllm-2024"
        draft.note("understood", flag, "the engine of before version 0.8", "engine", "vllm-2024")
    else:
        draft.note("understood", flag, "the engine of version 0.8 and later")
    return True

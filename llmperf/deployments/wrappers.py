"""Flags that programs around an engine add to its own: NVIDIA Dynamo's workers, KServe's Hugging Face runtime.

Dynamo: ai-dynamo/dynamo, docs/backends and components/src/dynamo/*/args.py, versions 0.4 to 1.3. KServe:
kserve/kserve, python/huggingfaceserver (``__main__.py``), versions 0.13 to 0.16.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from llmperf.deployments import vllm
from llmperf.deployments.deployment import Draft, Flag
from llmperf.deployments.options import Options, Rule
from llmperf.deployments.reasons import DISAGGREGATED, LOGS

DYNAMO_IGNORED = {
    vllm.NETWORK: (
        "endpoint", "namespace", "store-kv", "request-plane", "event-plane", "discovery-backend", "model-type",
        "endpoint-types", "custom-jinja-template", "migration-limit", "side-channel-*", "dyn-*", "use-kv-events",
    ),
    LOGS: ("publish-events-and-metrics",),
}  # fmt: skip
DYNAMO_UNMODELLED = {
    DISAGGREGATED: (
        "is-prefill-worker", "is-decode-worker", "disaggregation-*", "connector", "multimodal-*", "next-endpoint",
        "encode-*", "override-engine-args",
    ),
}  # fmt: skip
DYNAMO_SWITCHES = frozenset(("is-prefill-worker", "is-decode-worker", "publish-events-and-metrics", "use-kv-events"))

KSERVE_IGNORED = {
    vllm.NETWORK: (
        "enable-docs-url", "enable-grpc", "max-asyncio-workers", "enable-latency-logging", "model-revision",
        "tokenizer-revision", "disable-lower-case", "disable-special-tokens", "return-token-type-ids",
        "return-probabilities", "return-raw-logits", "disable-log-stats", "log-config-file", "access-log-format",
    ),
}  # fmt: skip
KSERVE_ALIASES = {"model-id": "model", "max-length": "max-model-len"}


def _backend(draft: Draft, flag: Flag) -> None:
    """KServe's runtime falls back to Hugging Face transformers, which is another engine."""
    if flag.value.strip().lower() in ("auto", "vllm"):
        draft.note("understood", flag, "vLLM serves the model")
    else:
        draft.put(flag, "_old_engine", "hf-transformers")


def extended(options: Options, module: str) -> Options:
    """The flags of an engine with those of the program around it."""
    if module.startswith("dynamo."):
        return replace(
            options,
            ignored=_joined(options.ignored, DYNAMO_IGNORED),
            unmodelled=_joined(options.unmodelled, DYNAMO_UNMODELLED),
            switches=options.switches | DYNAMO_SWITCHES,
        )
    if module == "huggingfaceserver":
        return replace(
            options,
            rules={**options.rules, "backend": Rule(_backend)},
            ignored=_joined(options.ignored, KSERVE_IGNORED),
            aliases={**options.aliases, **KSERVE_ALIASES},
        )
    return options


def _joined(table: Mapping[str, Sequence[str]], more: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    return {**table, **{why: (*table.get(why, ()), *names) for why, names in more.items()}}

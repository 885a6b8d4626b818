"""Names of quantizations and dtypes that serving tools use, as formats of the catalog."""

from __future__ import annotations

from typing import Any

from llmperf.deployments.deployment import Draft, Flag
from llmperf.deployments.options import Rule
from llmperf.errors import nearest, shown
from llmperf.scenarios import catalog

FOUR_BITS = "4-bit weights in groups of 128 are assumed; the checkpoint may have others"

WEIGHTS: dict[str, tuple[Any, str]] = {
    **dict.fromkeys(
        ("fp8", "fbgemm-fp8", "ptpc-fp8", "w8a8-fp8", "modelopt", "modelopt-fp8", "fp8-dynamic"), ("fp8", "")
    ),
    **dict.fromkeys(("fp8-per-channel-per-token", "fp8-rowwise", "fp8-per-tensor"), ("fp8", "")),
    **dict.fromkeys(("fp8-block-scales", "fp8-block", "fp8-per-block"), ("fp8-block", "")),
    **dict.fromkeys(("awq", "awq-marlin", "gptq", "gptq-marlin", "marlin", "moe-wna16"), ("w4a16-g128", FOUR_BITS)),
    **dict.fromkeys(("w4a16-awq", "w4a16-gptq", "w4a16", "int4-awq", "auto-round", "inc"), ("w4a16-g128", FOUR_BITS)),
    **dict.fromkeys(("modelopt-fp4", "nvfp4", "nvfp4-awq", "petit-nvfp4", "fp4"), ("nvfp4", "")),
    **dict.fromkeys(("w8a8-int8", "w8a8", "int8", "w8a8-sq-per-channel", "experts-int8"), ("w8a8-int8", "")),
    **dict.fromkeys(("bitsandbytes", "bnb-4bit"), ("nf4", "NF4 in groups of 64 is assumed, the library's default")),
    "mxfp4": ("mxfp4", ""),
    "mxfp8": ("mxfp8", ""),
    **dict.fromkeys(("none", "null", "no-quant", "unquant"), ("bf16", "")),
}
"""Quantization methods (with hyphens, lower case): vllm.model_executor.layers.quantization, SGLang server arguments,
``tensorrt_llm.quantization.QuantAlgo``; the catalog's format, and what is assumed."""

OF_THE_CHECKPOINT = ("compressed-tensors", "quark", "gguf", "auto", "mixed-precision", "modelopt-mixed")
"""Methods whose format only the checkpoint's own configuration tells."""

HALF = ("half", "float16", "fp16")
SIXTEEN = ("auto", "bfloat16", "bf16")
SINGLE = ("float", "float32", "fp32")

KV_CACHE = {
    **dict.fromkeys(("fp8", "fp8-e4m3", "fp8-e5m2", "fp8-inc", "fp8-ds-mla"), "fp8"),
    **dict.fromkeys(("bfloat16", "bf16", "float16", "fp16", "half"), "bf16"),
    **dict.fromkeys(("int8", "int8-per-token-head"), "int8-per-token"),
}
"""Dtypes of KV caches that serving tools have, and the catalog's formats."""


def _plain(text: str) -> str:
    return text.strip().lower().replace("_", "-")


def _quantization(draft: Draft, flag: Flag) -> None:
    method = _plain(flag.value)
    if method in OF_THE_CHECKPOINT:
        draft.put(flag, "_of_the_checkpoint", method, "the checkpoint's own configuration says which")
    elif method in WEIGHTS:
        found, assumption = WEIGHTS[method]
        draft.put(flag, "weights", found, assumption, "assumed" if assumption else "understood")
    else:
        known = (*WEIGHTS, *catalog.files("weights"))
        near = nearest(method, known)
        hint = f"; the nearest known is {near}" if near else ""
        draft.note("not_understood", flag, f"{shown(flag.value)} is no known quantization{hint}", "weights")


def _dtype(draft: Draft, flag: Flag) -> None:
    name = _plain(flag.value)
    if name in SIXTEEN:
        draft.note("understood", flag, "16 bits, as is usual here")
    elif name in HALF:
        draft.put(flag, "_dtype", "fp16")
    elif name in SINGLE:
        draft.put(flag, "_dtype", "fp32")
    else:
        allowed = (*SIXTEEN, *HALF, *SINGLE)
        draft.note("not_understood", flag, f"{shown(flag.value)} is no known dtype; allowed: {', '.join(allowed)}")


def cache_dtype(*names: str) -> Rule:
    """The dtype of the KV cache, for a tool that has those of these names.

    Parameters
    ----------
    *names : str
        Keys of `KV_CACHE`.
    """

    def take(draft: Draft, flag: Flag) -> None:
        name = _plain(flag.value)
        if name == "auto":
            draft.note("understood", flag, "as the model's dtype")
        elif name in names:
            draft.put(flag, "kv_cache", KV_CACHE[name])
        else:
            near = nearest(name, names)
            hint = f"the nearest is {near}" if near else f"known are auto, {', '.join(names)}"
            said = f"{shown(flag.value)} is no KV-cache format of this tool that is known here; {hint}"
            draft.note("not_understood", flag, said, "kv_cache")

    return Rule(take, path="kv_cache")


QUANTIZATION, DTYPE = Rule(_quantization, path="weights"), Rule(_dtype)


def settle(draft: Draft) -> None:
    """Formats, once quantization and dtype are both known: narrow activations do not depend on the dtype."""
    dtype = draft.settings.get("_dtype")
    weights = draft.settings.get("weights")
    if dtype is None:
        return
    if weights in (None, "bf16") and dtype == "fp32":
        draft.settle("_dtype", "weights", "fp32")
    elif weights in (None, "bf16", "w4a16-g128", "mxfp4") or isinstance(weights, dict):
        draft.settle("_dtype", "activations", dtype)
    elif dtype == "fp32":
        said = f"the products are those of {weights}, and 16 bits are taken for the rest"
        draft.settle("_dtype", "", None, said, "not_modelled")
    else:
        draft.settle("_dtype", "", None, f"16 bits, as is usual here; the products are those of {weights}")

"""Names of data sets to entries of the catalog, and the formats and engines that they state."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from llmperf.errors import InputError
from llmperf.scenarios import catalog
from llmperf.scenarios.checkpoints import by_name
from llmperf.scenarios.typed import hardware_described

MODELS = {
    "deepseek-v3/r1": "deepseek-v3",
    "llama-1-7b": "llama-7b",
    "mistral-7b-instruct-v0.2": "mistral-7b-v0.3",
}
"""Models that data sets call otherwise: other checkpoints of one architecture (sizes of a vocabulary aside)."""


class InexpressibleError(ValueError):
    """Why a row cannot be expressed."""


def _entry(kind: str, name: str) -> Any:
    """The catalog's name of an entry, or of hardware a configuration of one."""
    found, near = _looked_up(kind, name)
    if found is None:
        raise InexpressibleError(f"unknown {kind} {name!r}" + (f" (nearest: {near})" if near else ""))
    return found


@lru_cache(maxsize=4096)
def _looked_up(kind: str, name: str) -> tuple[Any, str | None]:
    """What the catalog has by a name, or None and the nearest name; data sets repeat theirs a thousand times."""
    try:
        return catalog.find(kind, name).stem, None
    except InputError as error:
        return _described(kind, name), error.problems[0].suggestion


def _described(kind: str, name: str) -> Any:
    """What a user would get by the same words: a configuration of a chip, the model of a checkpoint."""
    if kind == "hardware":
        return hardware_described(name)
    checkpoint = by_name(name)
    return None if checkpoint is None else checkpoint.model


def model(name: str) -> str:
    """The catalog's model; ``x (arch y)`` and ``x (y)`` say that x is built as y."""
    plain = name.strip().lower()
    if plain in MODELS:
        return MODELS[plain]
    built_as = re.fullmatch(r"(.+?) \((?:arch )?([^)]+)\)", plain)
    if built_as:
        inner = built_as[2]
        plain = built_as[1] if "distill" in inner else inner
    found: str = _entry("model", plain)
    return found


def hardware(name: str, known: dict[str, Any] | None = None) -> Any:
    """The catalog's hardware, or an inline one: as `known` (lower case) says, else by name or alias."""
    plain = name.strip().lower()
    if known and plain in known:
        return known[plain]
    return _entry("hardware", plain)


SIXTEEN = {"16bit", "fp16", "bf16", "f16", "float16"}

WEIGHTS = {
    "fp8": "fp8",
    "nvfp4": "nvfp4",
    "mxfp4": "mxfp4",
    "int4": "w4a16-g128",
}

BLOCKS = ("deepseek-v3", "deepseek-r1", "glm-5", "minimax-m2", "qwen3")
"""Models whose makers release 8-bit weights with a scale a block, whatever a data set calls that."""


def fp8(model: str) -> str:
    """The 8-bit format of a model of the catalog: a scale a tensor, or a block where it is released so."""
    return "fp8-block" if model.startswith(BLOCKS) else "fp8"


def weight_only(bits: float, group: int | None = None, kept: float = 16.0) -> dict[str, Any]:
    """A weight-only format of `bits` a weight, scales and zeros included; `kept` bits of what else is stored."""
    return {
        "extends": "w4a16-g128",
        "bits": bits,
        "group": group,
        "scale_bits": 0,
        "zero_bits": 0,
        "kept_bits": kept,
    }


def kv_cache(name: str) -> str:
    """The catalog's KV-cache format; what is not stated is 16 bit."""
    return {"fp8": "fp8", "int8": "fp8", "int4": "int4"}.get(name.strip().lower(), "bf16")

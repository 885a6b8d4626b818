"""Models that deployments name: ids and folders of checkpoints, as models of the catalog and formats of weights."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from llmperf.descriptors import catalog
from llmperf.descriptors.importers.deployments.deployment import Draft, Flag
from llmperf.descriptors.importers.deployments.formats import WEIGHTS
from llmperf.descriptors.importers.hub import local_config
from llmperf.errors import InputError, nearest, shown

SAME_SHAPE = {
    "llama-3.3-70b": "llama-3.1-70b",
    "deepseek-v3.1": "deepseek-v3",
    "kimi-k2-instruct": "kimi-k2",
    "kimi-k2-thinking": "kimi-k2",
}
"""Checkpoints (without their maker, suffixes removed) that have the shape of another model, by their config.json."""

RELEASED = {
    "deepseek-v3": "fp8-block",
    "deepseek-r1": "fp8-block",
    "deepseek-v3.2": "fp8-block",
    "kimi-k2": "fp8-block",
    "minimax-m2.5": "fp8-block",
    "gpt-oss-20b": "mxfp4",
    "gpt-oss-120b": "mxfp4",
}
"""Models whose makers release quantized weights: quantization_config of their config.json on Hugging Face."""

_QUANTIZED = re.compile(
    r"[-_.](?:(fp8)(?:[-_](?:dynamic|block|kv|static))*|(nvfp4|fp4|mxfp4|mxfp8)|(awq|gptq)(?:[-_](?:int4|4bit|marlin))?"
    r"|(bnb-4bit)|quantized[-_.](w4a16|w8a8)|(w4a16)(?:-g128)?|(w8a8)(?:-int8)?|(int4|int8))$",
    re.IGNORECASE | re.ASCII,
)
_SUFFIX = re.compile(r"[-_](?:instruct|chat|it|hf|base|bf16|v0\.\d|\d{4})$", re.IGNORECASE | re.ASCII)
_FOUR_BITS = {"int4": "awq", "w8a8": "w8a8-int8"}


@lru_cache(maxsize=1024)
def _known(_: tuple[str, ...]) -> dict[str, str]:
    """Names, aliases and last parts of aliases (lower case), and the names of the catalog."""
    found = {name: name for name in catalog.files("model")}
    found.update(catalog.aliases("model"))
    for alias, name in catalog.aliases("model").items():
        found.setdefault(alias.rpartition("/")[2], name)
    return found


def known() -> dict[str, str]:
    """What models of the catalog are called, in lower case, and their names."""
    return _known(tuple(str(path) for path in catalog.directories()))


def in_catalog(reference: str) -> str | None:
    """The model of the catalog that has exactly this name or alias."""
    return known().get(reference.lower()) if "/" not in reference else catalog.aliases("model").get(reference.lower())


def by_its_name(reference: str) -> tuple[str | None, Any]:
    """The model of the catalog that a checkpoint's name stands for, and the weight format that its name says.

    Parts are removed from the end: what says the quantization, then ``-Instruct`` and its like.
    """
    name = PurePosixPath(reference.rstrip("/")).name.lower()
    weights = None
    while match := _QUANTIZED.search(name):
        said = next(group for group in match.groups() if group).lower()
        weights = WEIGHTS[_FOUR_BITS.get(said, said)][0]
        name = name[: match.start()]
    while True:
        for form in (name, name.removeprefix("meta-")):
            found = known().get(form) or SAME_SHAPE.get(form)
            if found is not None:
                return found, weights
        match = _SUFFIX.search(name)
        if match is None:
            return None, weights
        name = name[: match.start()]


def settle(draft: Draft) -> None:
    """The model and, where no flag says it, the format of its weights."""
    reference = draft.settings.pop("_model", None)
    if reference is None:
        return
    flag = draft.by["_model"]
    plain = _without_scheme(str(reference))
    exact = in_catalog(plain)
    served = draft.settings.get("_served")
    if exact is None and _on_disk(plain):
        draft.settings["model"] = plain
        draft.settle("_model", "model", plain)
        return
    guessed, weights = (exact, None) if exact else by_its_name(plain)
    if guessed is None and isinstance(served, str):
        guessed, weights = by_its_name(served)
    if guessed is None:
        _unknown(draft, flag, plain)
        return
    if exact:
        draft.settle("_model", "model", exact)
    else:
        said = f"{shown(plain)} is taken as {guessed}, by its name"
        draft.settle("_model", "model", guessed, said, "assumed")
    _weights(draft, flag, guessed, weights)


def _without_scheme(reference: str) -> str:
    """``hf://org/name:revision`` as ``org/name``; folders and URLs of other stores keep their last part only."""
    scheme, separator, rest = reference.partition("://")
    if not separator:
        return reference
    return rest.partition(":")[0] if scheme == "hf" else rest.rstrip("/").rpartition("/")[2]


def _on_disk(reference: str) -> bool:
    """Whether the model's own configuration is in the local Hugging Face cache."""
    return local_config(reference) is not None


def _unknown(draft: Draft, flag: Flag, reference: str) -> None:
    near = nearest(reference.rpartition("/")[2], known())
    hint = f" (nearest: {known()[near]})" if near else ""
    said = f"neither the catalog nor the local Hugging Face cache has the model {shown(reference)}{hint}"
    draft.drop("_model")
    draft.note("not_understood", flag, f"{said}; give --model")


def _weights(draft: Draft, flag: Flag, model: str, said: Any) -> None:
    """Formats that a checkpoint has by its name, or as its maker releases it."""
    if said is not None:
        if "weights" not in draft.settings:
            draft.settings["weights"] = said
            text = "the format of the weights is taken from the checkpoint's name"
            draft.assume(flag.written, text, "weights", said, flag.line)
        return
    released = RELEASED.get(model)
    given = draft.settings.get("weights")
    if released and given in (None, "fp8") and (given is None or released == "fp8-block"):
        draft.settings["weights"] = released
        text = f"the weights of {model} are released in {released}"
        draft.assume(flag.written, text, "weights", released, flag.line)


def has_experts(reference: Any) -> bool | None:
    """Whether a model has experts; None where it is not known."""
    name = reference.get("extends") if isinstance(reference, dict) else reference
    if not isinstance(name, str):
        return None
    try:
        data = catalog.load("model", name).data
    except InputError:
        return None
    keys = ("moe", "num_experts", "n_routed_experts", "num_local_experts")
    return any(data.get(key) for key in keys)


def is_cached(reference: Any) -> bool:
    """Whether a model's own configuration, with what it says of quantization, is in the local cache."""
    return isinstance(reference, str) and "/" in reference and in_catalog(reference) is None and _on_disk(reference)

"""Models that deployments name: ids and folders of checkpoints, as models of the catalog and formats of weights."""

from __future__ import annotations

import re
from typing import Any

from llmperf.deployments.deployment import Draft, Flag
from llmperf.deployments.formats import WEIGHTS
from llmperf.deployments.options import base_name
from llmperf.errors import InputError, nearest, shown
from llmperf.importers.hub import local_config
from llmperf.scenarios import catalog
from llmperf.scenarios.checkpoints import Checkpoint, by_name

_PART = r"([A-Za-z0-9](?:[\w.]|-(?!-))*)"
_CACHED = re.compile(rf"(?:^|/)(?:models--{_PART}--{_PART}(?:/.*)?|{_PART}--{_PART}/?)$", re.ASCII)
"""Folders that are called as an organization and its model: those of the Hugging Face cache, and plain ones."""
_NAMELESS = re.compile(
    r"v?\d+(\.\d+)*|[0-9a-f]{7,64}|snapshots|main|latest|hf|hf[-_]?(checkpoint|model)s?|checkpoints?|models?|weights"
    r"|fp8|fp16|bf16|int4|int8|safetensors|\.*",
    re.ASCII | re.IGNORECASE,
)


def known() -> dict[str, str]:
    """What models of the catalog are called, in lower case, and their names."""
    found = {name: name for name in catalog.paths("model")}
    for alias, name in catalog.aliases("model").items():
        found[alias] = name
        found.setdefault(alias.rpartition("/")[2], name)
    return found


def in_catalog(reference: str) -> str | None:
    """The model of the catalog that has exactly this name or alias."""
    return known().get(reference.lower()) if "/" not in reference else catalog.aliases("model").get(reference.lower())


def settle(draft: Draft) -> None:
    """The model and, where no flag says it, the format of its weights."""
    reference = draft.settings.pop("_model", None)
    if reference is None:
        return
    flag = draft.by["_model"]
    plain = _without_scheme(_last(str(reference)) if flag.missing else str(reference))
    exact = in_catalog(plain) if plain == str(reference) or "/" in plain else None
    served = draft.settings.get("_served")
    if exact is None and _on_disk(plain):
        draft.settings["model"] = plain
        draft.settle("_model", "model", plain)
        return
    found = Checkpoint(exact, None, plain) if exact else by_name(plain)
    if found is None and isinstance(served, str):
        found = by_name(served)
    if found is None:
        _unknown(draft, flag, plain)
        return
    if exact:
        draft.settle("_model", "model", exact)
    else:
        said = f"{shown(plain)} is taken as {found.model}, by its name"
        draft.settle("_model", "model", found.model, said, "assumed")
    _weights(draft, flag, found)


def _last(path: str) -> str:
    """The last part of a path whose folders are not known; of one for any checkpoint nothing can be said."""
    name = base_name(path)
    return path if _NAMELESS.fullmatch(name) else name


def _without_scheme(reference: str) -> str:
    """``hf://org/name:revision`` as ``org/name``; folders and URLs of other stores by what of them names a model.

    A folder of the Hugging Face cache (``models--org--name/snapshots/...``) is that model; an OCI artifact is called as
    its repository or as its tag; of other paths the last part that is no number, revision or word for any checkpoint.
    """
    if match := _CACHED.search(reference):
        return f"{match[1] or match[3]}/{match[2] or match[4]}"
    scheme, separator, rest = reference.partition("://")
    if separator and scheme == "hf":
        return rest.partition("@")[0].partition(":")[0]
    if not separator and not reference.startswith(("/", ".", "~")):
        return reference
    parts = [part for part in rest.split("/") if part] if separator else [p for p in reference.split("/") if p]
    name = next((part for part in reversed(parts) if not _NAMELESS.fullmatch(part)), parts[-1] if parts else "")
    if parts and name != parts[-1]:  # /models/llama-3.1-8b/fp8
        both = by_name(f"{name}-{parts[-1]}")
        if both is not None and both.weights is not None:
            return f"{name}-{parts[-1]}"
    if scheme == "oci" and separator:
        repository, _, tag = name.partition("@")[0].partition(":")
        return tag if by_name(repository) is None and by_name(tag) is not None else repository
    return name


def _on_disk(reference: str) -> bool:
    """Whether the model's own configuration is in the local Hugging Face cache."""
    return local_config(reference) is not None


def _unknown(draft: Draft, flag: Flag, reference: str) -> None:
    near = nearest(reference.rpartition("/")[2], known())
    hint = f" (nearest: {known()[near]})" if near else ""
    said = f"neither the catalog nor the local Hugging Face cache has the model {shown(reference)}{hint}"
    draft.drop("_model")
    draft.note("not_understood", flag, f"{said}; give --model", "model")


def _weights(draft: Draft, flag: Flag, found: Checkpoint) -> None:
    """Formats that a checkpoint has by its name, or as its maker releases it."""
    given = draft.settings.get("weights")
    if found.weights is not None:
        # --quantization gptq is said of 4 bits and of 8, bitsandbytes of more than one format
        assumed = given == WEIGHTS["gptq"][0] and found.weights == "w8a16-g128"
        if given is not None and not assumed:
            return
        if assumed:
            draft.drop("weights")
            draft.note("understood", draft.by["weights"], "the checkpoint's name says of how many bits")
        _assume(draft, flag, found.weights, "the format of the weights is taken from the checkpoint's name")
        return
    released = catalog.load("model", found.model).data.get("released")
    if released and (given is None or (given == "fp8" and released == "fp8-block")):
        _assume(draft, flag, released, f"the weights of {found.name} are released in {released}")


def _assume(draft: Draft, flag: Flag, weights: Any, why: str) -> None:
    draft.settings["weights"] = weights
    draft.assume(flag.written, why, "weights", weights, flag.line)


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

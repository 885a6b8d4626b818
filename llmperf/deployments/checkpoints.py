"""Models that deployments name: ids and folders of checkpoints, as models of the catalog and formats of weights."""

from __future__ import annotations

from typing import Any

from llmperf.deployments.deployment import Draft, Flag
from llmperf.deployments.formats import WEIGHTS
from llmperf.errors import InputError, nearest, shown
from llmperf.importers.hub import local_config
from llmperf.scenarios import catalog
from llmperf.scenarios.checkpoints import Checkpoint, by_name


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
    plain = _without_scheme(str(reference))
    exact = in_catalog(plain)
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

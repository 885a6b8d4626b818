"""What training formats share: the scenario's reserved key `training`, and models by name or shape.

This version answers no training: `resolve` refuses a scenario that holds the key. What a file says is imported all the
same, so that nothing is lost, and the refusal is a finding of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmperf.deployments import checkpoints
from llmperf.deployments.deployment import Deployment, Draft
from llmperf.errors import InputError
from llmperf.scenarios import catalog
from llmperf.scenarios.checkpoints import by_name

REFUSED = "training is imported as far as possible, but not estimated by this version"


def refused(draft: Draft, tool: str, hardware: str | None) -> Deployment:
    """The finished deployment of a training tool, with the key that this version refuses."""
    draft.settings.setdefault("training.tool", tool)
    if hardware is not None:
        draft.settings["hardware"] = hardware
    draft.say("not_modelled", "training", REFUSED, "training", line=draft.line)
    if draft.problems:
        raise InputError(draft.problems)
    return draft.finished()


def named(draft: Draft, label: str, names: list[str], line: int | None = None) -> None:
    """The model of the catalog that one of the names stands for; `label` is what the file says."""
    for name in names:
        found = checkpoints.in_catalog(name) or _by_name(name)
        if found is not None:
            draft.settings["model"] = found
            draft.assume("model", f"{label} is taken as {found}", "model", found, line)
            return
    draft.say("not_understood", "model", f"{label} is no model of the catalog; give --model", "model", line=line)


def _by_name(name: str) -> str | None:
    found = by_name(name)
    return None if found is None else found.model


def shaped(draft: Draft, shape: dict[str, Any], line: int | None) -> None:
    """The model of the catalog that has this shape: layers, hidden, heads, and what else is stated.

    Where several have it, the first is taken and all are said.
    """
    if not {"layers", "hidden"} <= shape.keys():
        draft.say("not_understood", "model", "the shape is not complete: layers and width are needed", line=line)
        return
    models = {name: catalog.load("model", name).data for name in catalog.files("model")}
    names = [name for name, data in models.items() if _has_shape(data, shape)]
    if not names and "vocab" in shape:  # the vocabulary may be padded, or another tokenizer's
        shape = {key: value for key, value in shape.items() if key != "vocab"}
        names = [name for name, data in models.items() if _has_shape(data, shape)]
    if names:
        said = ", ".join(f"{key} {value}" for key, value in shape.items())
        taken = names[0]
        others = f"; so have {', '.join(names[1:])}: give --model where it is one of them" if names[1:] else ""
        draft.settings["model"] = taken
        draft.assume("model", f"the shape ({said}) is that of {taken}{others}", "model", taken, line)
        return
    draft.say("not_understood", "model", "no model of the catalog has this shape; give --model", "model", line=line)


def _has_shape(data: Mapping[str, Any], shape: Mapping[str, Any]) -> bool:
    """Whether a model has a shape; one that says nothing of experts is that of a model without them."""
    attention = data.get("attention") or {}
    known = {**data, "heads": attention.get("heads"), "kv_heads": attention.get("kv_heads")}
    experts = data.get("moe") or {}
    if data.get("ssm"):  # layers without attention are told by flags of their own
        return False
    if bool(experts) != ("experts" in shape) or (experts and experts.get("experts") not in (None, shape["experts"])):
        return False
    plain = {key: value for key, value in shape.items() if key != "experts"}
    return bool(known.get("layers")) and all(known.get(key) in (value, None) for key, value in plain.items())

"""Hugging Face: a model's ``config.json``, or the index of its safetensors beside it.

Both are imported by `llmperf.importers.models`; here they become a scenario of that model alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmperf.deployments.deployment import Deployment, Draft
from llmperf.errors import InputError, Problem

CONFIG = ("model_type", "architectures", "ssm_cfg")


def recognizes(data: Any) -> bool:
    """Whether parsed JSON is such a configuration or index."""
    return isinstance(data, Mapping) and (any(key in data for key in CONFIG) or "weight_map" in data)


def read(data: Mapping[str, Any], file: str, hardware: str | None) -> list[Deployment]:
    """The model of a configuration."""
    path = Path(file)
    draft = Draft(path.parent.name or path.stem, file, 1, "Hugging Face configuration")
    if "weight_map" in data:
        config = path.with_name("config.json")
        if not config.is_file():
            text = "an index of safetensors says nothing of the model: its config.json is not beside it"
            raise InputError(Problem(text, file=file))
        path = config
        draft.format = "safetensors index"
    draft.settings["model"] = str(path)
    draft.say("understood", path.name, "the model", "model", str(path), 1)
    draft.assume("engine", "no serving engine is stated; a current one, none in particular, is taken")
    if hardware is not None:
        draft.settings["hardware"] = hardware
    return [draft.finished()]

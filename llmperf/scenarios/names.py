"""What scenarios are called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmperf.errors import shown

Reference = Mapping[str, Any] | str | Path | None


class Whole(dict[str, Any]):
    """A scenario of its own as data, where any other mapping says what differs from the first."""


def named(reference: Reference) -> str:
    """What a scenario is called; empty where it has no name."""
    if isinstance(reference, Mapping):
        return str(reference.get("name") or "")
    return Path(reference).stem if reference else ""


def changed(keys: Mapping[str, Any]) -> str:
    """Changes of a scenario in one line; a mapping by its name."""
    return ",".join(f"{key}={_short(value)}" for key, value in keys.items())


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value["name"]) if "name" in value else "{" + changed(value) + "}"
    if isinstance(value, list | tuple):
        return ",".join(_short(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else value if isinstance(value, str) else shown(value)


def distinct(labels: list[str]) -> list[str]:
    """Labels that each stand once: equal ones are counted."""
    return [
        label if labels.count(label) == 1 else f"{label} #{labels[:index].count(label) + 1}"
        for index, label in enumerate(labels)
    ]

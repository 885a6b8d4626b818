"""Files as people write them: what each becomes, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.helping import DATA
from llmperf.deployments import Deployment, is_deployment, read

CASES = sorted((DATA / "cases").iterdir())


def contains(found: Any, wanted: Any) -> bool:
    """Whether a value holds what is wanted of it; a named component is that which it extends."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(contains(found.get(key), value) for key, value in wanted.items())
    if isinstance(found, Mapping):
        return bool(found.get("extends") == wanted)
    return bool(found == wanted)


def said(deployments: list[Deployment], name: str, wanted: str) -> bool:
    """Whether every deployment has a finding of this name, kind and text."""
    kind, _, text = wanted.partition(": ")
    return all(
        any(each.name == name and each.kind == kind and text in each.message for each in one.findings)
        for one in deployments
    )


def faults(folder: Path) -> list[str]:
    """What is found otherwise than the case says."""
    case = yaml.safe_load((folder / "case.yaml").read_text())
    path = folder / case["file"]
    if not is_deployment(path):
        return ["is no deployment"]
    found = read(path, hardware=case.get("hardware"))
    wanted = case.get("deployments", [])
    out = [] if not wanted or len(found) == len(wanted) else [f"{len(found)} deployments, {len(wanted)} wanted"]
    for one, each in zip(found, wanted, strict=False):
        if not contains({"name": one.name, **one.scenario}, each):
            out.append(f"wanted {each}, found {one.name} {one.scenario}")
    told = [(each.kind, each.name, each.message) for one in found for each in one.findings]
    for name, text in case.get("findings", {}).items():
        if not said(found, name, text):
            out.append(f"wanted {name}: {text}, found {[each for each in told if each[1] == name] or told}")
    out += [f"{name} is said" for name in case.get("absent", []) if any(name == each[1] for each in told)]
    return out


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_a_file_becomes_what_it_says(folder: Path) -> None:
    assert faults(folder) == []

"""Every command answers the recorded scenarios as before; ``make golden`` records what is to change."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from golden.record import ANSWERS, CLAIMS, answers, claims
from golden.scenarios import SCENARIOS

CLOSE = 1e-12
OF_THE_CATALOG = {"aliases", "sources", "notes", "released"}
"""What entries of the catalog say of themselves, which is no answer."""


def differences(before: Any, after: Any, path: str = "") -> list[str]:
    """Where two answers differ: other keys, other words, or numbers further apart than rounding."""
    if isinstance(before, dict) and isinstance(after, dict):
        before, after = ({key: one[key] for key in one.keys() - OF_THE_CATALOG} for one in (before, after))
        lost = [f"{path}.{key}: is gone" for key in before.keys() - after.keys()]
        new = [f"{path}.{key}: is new" for key in after.keys() - before.keys()]
        inner = [differences(before[key], after[key], f"{path}.{key}") for key in before if key in after]
        return [*lost, *new, *(one for part in inner for one in part)]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        parts = [differences(*pair, f"{path}[{n}]") for n, pair in enumerate(zip(before, after, strict=True))]
        return [one for part in parts for one in part]
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (before, after))
    if numbers and math.isclose(before, after, rel_tol=CLOSE, abs_tol=0.0):
        return []
    return [] if before == after and type(before) is type(after) else [f"{path}: {before!r} -> {after!r}"]


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_command_answers_as_recorded(name: str) -> None:
    found = differences(json.loads((ANSWERS / f"{name}.json").read_text()), answers(name))
    assert not found, "\n".join(found[:20])


def test_a_changed_digit_is_seen() -> None:
    before = json.loads((ANSWERS / "dense.json").read_text())
    after = json.loads((ANSWERS / "dense.json").read_text())
    after["estimate"]["projection"]["tpot_s"] *= 1 + 1e-11
    after["ops"]["steps"][0]["operators"][0]["name"] = "else"
    assert len(differences(before, after)) == 2


def test_every_scenario_has_answers_and_none_is_left_over() -> None:
    assert {file.stem for file in ANSWERS.glob("*.json")} == set(SCENARIOS)


def test_published_results_are_predicted_as_recorded() -> None:
    found = differences(json.loads(CLAIMS.read_text()), claims())
    assert not found, "\n".join(found[:20])

"""A lock file that an earlier version wrote: its digests and outputs are found again, so that nobody's baseline moves.

Where the catalog's own data change on purpose, ``llmperf check . --update`` writes it anew in
``tests/data/locks``.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmperf.checks import check
from llmperf.checks.lock import LOCK

LOCKS = Path(__file__).parents[1] / "data/locks"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy as the working directory: paths are part of what a check says."""
    monkeypatch.chdir(shutil.copytree(LOCKS, tmp_path / "locks"))
    return Path()


def entries(folder: Path) -> dict[str, Any]:
    (found,) = yaml.safe_load((folder / LOCK).read_text())["checks"].values()
    return found


def test_nothing_has_drifted_since_it_was_written(folder: Path) -> None:
    found = check(folder)
    assert not found.problems
    assert {result.check.name: result.baseline.drifts for result in found.results} == dict.fromkeys(entries(LOCKS), ())


def test_digests_of_the_same_scenario_are_the_same(folder: Path) -> None:
    assert check(folder, update=True).exit_code == 0
    recorded, today = entries(LOCKS), entries(folder)
    assert today.keys() == recorded.keys()
    for name, entry in recorded.items():
        assert {**entry, "outputs": None} == {**today[name], "outputs": None}, name
        assert entry["outputs"].items() <= today[name]["outputs"].items(), name

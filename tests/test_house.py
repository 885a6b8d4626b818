"""The tests mirror the house: a folder a room, and no room without."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import llmperf

TESTS = Path(__file__).parent
PACKAGE = Path(llmperf.__file__).parent
ROOMS = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
GROUND = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
"""Files of the package that are in no room: `ground` of the tests is theirs."""
NETS = {"golden"}
"""What asks of the whole house."""


def test_every_test_lies_in_a_folder_named_for_a_room() -> None:
    folders = {path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")} - {Path(__file__).name}
    assert folders - NETS <= ROOMS | {"ground"}


def test_every_room_has_tests() -> None:
    assert {room for room in ROOMS if not any(TESTS.glob(f"{room}/test_*.py"))} == set()
    assert GROUND
    assert any(TESTS.glob("ground/test_*.py"))


def test_a_class_of_the_evidence_has_a_name_of_its_own() -> None:
    """What is measured is told apart by name from what is modelled: a table of rows from a table of operators."""
    classes = {
        path: [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
        for path in PACKAGE.rglob("*.py")
    }
    often = Counter(name for names in classes.values() for name in names)
    mine = {name for path, names in classes.items() if PACKAGE / "evidence" in path.parents for name in names}
    assert {name for name in mine if often[name] > 1 and not name.startswith("_")} == set()

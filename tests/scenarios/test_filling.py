"""Descriptors filled without pydantic are those that pydantic validates; what it refuses is never filled."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from llmperf.descriptors.filling import fill
from llmperf.descriptors.hardware import Hardware
from llmperf.descriptors.model import Model
from llmperf.descriptors.parallelism import Parallelism
from llmperf.descriptors.scenario import Plain
from llmperf.descriptors.validation import adapter
from llmperf.descriptors.workload import Workload
from llmperf.errors import InputError
from llmperf.files.documents import Document
from llmperf.scenarios import catalog, components

KINDS = [(kind, cls) for kind, cls in components.ENTRIES.items() if kind != "achieved"]


def _documents(kind: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Document]]:
    """What every entry of a kind is built from."""
    built: list[Document] = []

    def build(_: Any, document: Document, *__: Any) -> Any:
        built.append(document)
        return None

    monkeypatch.setattr(components, "build", build)
    for name in catalog.files(kind):
        try:
            components._build(kind, name, ())
        except InputError:
            continue  # efficiencies and parts of systems that are no scenario's hardware
        yield name, built.pop()


@pytest.mark.parametrize(("kind", "cls"), KINDS)
def test_every_entry_of_the_catalog_is_filled_as_pydantic_validates_it(
    kind: str, cls: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = 0
    for name, document in _documents(kind, monkeypatch):
        filled, validated = fill(cls, document.data), adapter(cls).validate_python(document.data)
        assert filled == validated, name
        assert repr(filled) == repr(validated), name  # of 1 and 1.0, and of the order of keys
        seen += 1
    assert seen == len(catalog.files(kind))


SECTIONS: list[tuple[type[Any], dict[str, Any]]] = [
    (Workload, {"batch": 4, "input": 128.0, "maximize": "batch"}),
    (Parallelism, {"tp": 2, "pp": 4}),
    (Plain, {"activations": "fp8", "devices": 8, "name": "a"}),
]


@pytest.mark.parametrize(("cls", "data"), SECTIONS)
def test_sections_of_a_scenario_are_filled_as_pydantic_validates_them(cls: type[Any], data: dict[str, Any]) -> None:
    assert repr(fill(cls, data)) == repr(adapter(cls).validate_python(data))


WRONG: list[Any] = [None, True, -1, 1.5, "nonsense", [], {}, float("nan"), float("inf"), 10**400, ["a"], {"x": 1}]


def _places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield (*path, key)
            yield from _places(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield (*path, index)
            yield from _places(value, (*path, index))


def _both(cls: type[Any], data: Any) -> tuple[Any, Any]:
    """What is filled and what is validated; None where it is refused."""
    results = []
    for make in (lambda: fill(cls, data), lambda: adapter(cls).validate_python(data)):
        try:
            results.append(make())
        except ValueError:
            results.append(None)
    return results[0], results[1]


@pytest.mark.parametrize(("kind", "name", "cls"), [("model", "deepseek-v3", Model), ("hardware", "a10", Hardware)])
def test_what_is_filled_with_a_wrong_value_anywhere_is_what_pydantic_takes(
    kind: str, name: str, cls: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = next(document.data for found, document in _documents(kind, monkeypatch) if found == name)
    refused = 0
    for path in list(_places(data)):
        for value in WRONG:
            changed = copy.deepcopy(data)
            inner = changed
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value
            filled, validated = _both(cls, changed)
            assert filled is None or repr(filled) == repr(validated), (path, value)
            refused += filled is None
        missing = copy.deepcopy(data)
        inner = missing
        for key in path[:-1]:
            inner = inner[key]
        if isinstance(inner, dict):
            inner["unknown-key"] = inner.pop(path[-1])
            filled, validated = _both(cls, missing)
            assert filled is None or repr(filled) == repr(validated), path
    assert refused > 100

"""The schemas of what checks give accept what they give, and know each of its keys."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from llmperf.checks import check
from llmperf.interfaces.shelf.schemas import schema_of
from llmperf.outputs import by_path

SMALL: dict[str, Any] = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "workload": {"batch": 8}}
CHECKS: list[dict[str, Any]] = [
    {"name": "holds", "tags": ["a"], "expect": {"fits": True, "kv_headroom": {"min": "1 %"}}},
    {"name": "fails", "expect": {"ttft_s": {"max": 0, "confidence": "pessimistic"}, "bottleneck.decode": "latency"}},
    {"name": "full", "workload": {"batch": 40000}, "expect": {"ttft_s": {"max": 1}}},
    {"name": "skipped", "expect": {"fits": True}, "skip": {"reason": "no node", "until": "2999-12-31"}},
    {"name": "expired", "expect": {"fits": True}, "skip": {"reason": "no node", "until": "2020-12-31"}},
    {"name": "empty"},
    {"name": "wrong", "model": "llama-3.1-8", "expect": {"tpot": {"max": 1}}},
]


def closed(schema: Any) -> Any:
    """A schema that accepts no key which it does not name."""
    schema = copy.deepcopy(schema)
    for inner in parts(schema):
        if "properties" in inner:
            inner["additionalProperties"] = False
    return schema


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str | list) or "$defs" in schema:
            yield schema
        for inner in schema.values():
            yield from parts(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from parts(inner)


RESULTS = jsonschema.Draft202012Validator(closed(schema_of("check-results")))
LOCK = jsonschema.Draft202012Validator(closed(schema_of("check-lock")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.llmperf.yaml").write_text(yaml.safe_dump({**SMALL, "checks": CHECKS}))
    (tmp_path / "b.llmperf.yaml").write_text(yaml.safe_dump({**SMALL, "expect": {"bound.tpot_s": {"max": "1 s"}}}))
    return tmp_path


@pytest.mark.parametrize("kind", ["check-results", "check-lock"])
def test_a_schema_is_one_and_can_be_asked_for(kind: str, run: Callable[..., CompletedProcess[str]]) -> None:
    schema = schema_of(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(run("schema", kind).stdout) == schema


def test_results_of_every_status_are_accepted_before_and_after_a_drift(folder: Path) -> None:
    RESULTS.validate(check(folder).to_dict())
    RESULTS.validate(check(folder, update=True).to_dict())
    (folder / "b.llmperf.yaml").write_text(yaml.safe_dump({**SMALL, "hardware": "h200-sxm", "expect": {"fits": True}}))
    drifted = check(folder).to_dict()
    RESULTS.validate(drifted)
    assert any(one["baseline"] and one["baseline"]["drifted"] for one in drifted["checks"])
    assert {one["status"] for one in drifted["checks"]} == {"passed", "failed", "error", "skipped"}
    RESULTS.validate(check({**SMALL, "expect": {"fits": True}}).to_dict())


def test_what_the_command_prints_is_accepted(folder: Path, run: Callable[..., CompletedProcess[str]]) -> None:
    RESULTS.validate(json.loads(run("check", "--json", str(folder)).stdout))
    RESULTS.validate(json.loads(run("check", "--json", str(folder / "absent")).stdout))


@given(st.dictionaries(st.sampled_from(sorted(by_path())), st.floats(allow_nan=False), max_size=4), st.text())
def test_results_of_any_check_are_accepted(limits: dict[str, float], name: str) -> None:
    expect = {path: {"max": value} for path, value in limits.items()}
    found = check({**SMALL, "checks": [{"name": name, "expect": expect}]}, today=date(2026, 1, 1))
    RESULTS.validate(found.to_dict())


def test_lock_files_are_accepted(folder: Path) -> None:
    check(folder, update=True)
    data = yaml.safe_load((folder / "llmperf.lock.yaml").read_text())
    assert set(data["checks"]) == {"a.llmperf.yaml", "b.llmperf.yaml"}
    LOCK.validate(data)
    data["checks"]["b.llmperf.yaml"]["b"]["outputs"]["tpot_s"] = "fast"
    assert not LOCK.is_valid(data)


@pytest.mark.parametrize("key", ["schema_version", "exit_code", "summary", "checks", "errors", "notes"])
def test_results_without_a_key_are_refused(key: str) -> None:
    found = check({**SMALL, "expect": {"fits": True}}).to_dict()
    del found[key]
    assert not RESULTS.is_valid(found)

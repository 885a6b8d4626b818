"""Checks: what a sizing promises is judged, and every report says so."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
import xmlschema
import yaml
from hypothesis import given
from hypothesis import strategies as st

import llmperf
from llmperf.answers.questions import QUESTIONS
from llmperf.checks import Checks, check, parallel, words
from llmperf.checks.discovery import discover
from llmperf.checks.tasks import Task, answered
from llmperf.deployments import Deployment, Finding
from llmperf.evidence.confidence import expected
from llmperf.files.yaml import parse_yaml
from llmperf.interfaces import ci as reports
from llmperf.interfaces.shelf.scaffold import check_scaffold
from llmperf.interfaces.shelf.schemas import schema_of
from llmperf.outputs import LATER, TIMES, by_path

Run = Callable[..., CompletedProcess[str]]
ROOT = Path(__file__).parents[2]
SCHEMAS = Path(__file__).parents[1] / "data/schemas"
JUNIT = xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd"))
SARIF = jsonschema.Draft4Validator(json.loads((SCHEMAS / "sarif-schema-2.1.0.json").read_text("utf-8")))
SMALL: dict[str, Any] = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "workload": {"batch": 8}}


def judged(expect: Any, **more: Any) -> Any:
    """The one result of a check as data."""
    found = check({**SMALL, "expect": expect, **more})
    assert not found.problems, found.problems
    return found.results[0]


def faults(expect: Any, **more: Any) -> list[str]:
    found = check({**SMALL, "expect": expect, **more})
    assert found.exit_code == 2
    return [str(problem) for problem in found.problems]


def written(folder: Path, text: str, name: str = "a.llmperf.yaml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_a_limit_holds_up_to_its_value_and_no_further() -> None:
    today = float(llmperf.estimate(SMALL).ttft_s)
    assert judged({"ttft_s": {"max": today}}).status == "passed"
    assert judged({"ttft_s": {"max": 0.99 * today}}).status == "failed"
    assert judged({"ttft_s": {"min": today, "max": today}}).status == "passed"
    assert judged({"ttft_s": {"min": 1.01 * today}}).status == "failed"


@pytest.mark.parametrize("path", sorted(by_path()))
def test_every_output_of_the_table_can_be_limited(path: str) -> None:
    more = {} if path in QUESTIONS["estimate"].paths else {"traffic": {"request_rate": 1}}
    value = judged({"fits": True}, **more).answered.values[path]
    result = judged({path: {"equals": value}} if value is not None else {path: {"max": 1}}, **more)
    assert result.status == ("failed" if value is None else "passed")
    assert result.verdicts[0].value == value


def test_outputs_have_the_values_of_an_estimate_under_every_spelling() -> None:
    result = llmperf.estimate(SMALL)
    same = {
        "tpot_s": result.tpot_s,
        "projection.tpot_s": result.tpot_s,
        "bound.tpot_s": result.bound.tpot_s,
        "memory.weights": result.memory.weights,
        "memory_bytes_per_device.weights": result.memory.weights,
        "memory.required": result.memory.required,
        "kv_pool_tokens": result.memory.kv_pool_tokens,
    }
    for path, value in same.items():
        assert judged({path: {"max": 1e30}}).verdicts[0].value == value, path
    nested = judged({"bound": {"tpot_s": {"max": 1}, "ttft_s": {"max": 1}}, "bottleneck": {"decode": "memory.main"}})
    assert [verdict.limit.output for verdict in nested.verdicts] == [
        "bound.tpot_s",
        "bound.ttft_s",
        "bottleneck.decode",
    ]


def test_units_are_read() -> None:
    limits = {
        "ttft_s": {"max": "300 ms"},
        "kv_headroom": {"min": "10 %"},
        "memory.weights": {"max": "20 GiB"},
        "output_tokens_per_s": {"min": "0.5 ktok/s"},
    }
    values = [verdict.limit.value for verdict in judged(limits).verdicts]
    assert values == [0.3, 0.1, 20 * 2**30, 500.0]


def test_the_margin_is_the_room_up_to_the_limit() -> None:
    today = float(llmperf.estimate(SMALL).ttft_s)
    assert judged({"ttft_s": {"max": 2 * today}}).verdicts[0].margin == pytest.approx(0.5)
    assert judged({"ttft_s": {"max": today / 2}}).verdicts[0].margin == pytest.approx(-1.0)
    assert judged({"ttft_s": {"min": today / 2}}).verdicts[0].margin == pytest.approx(1.0)
    headroom = float(llmperf.estimate(SMALL).memory.kv_headroom)
    assert judged({"kv_headroom": {"min": "10 %"}}).verdicts[0].margin == pytest.approx(headroom - 0.1)


def test_a_limit_of_zero_has_no_relative_margin() -> None:
    (verdict,) = judged({"missing": {"max": "0 B"}}, workload={"batch": 4000}).verdicts
    assert (verdict.holds, verdict.margin) == (False, None)
    assert "%" not in words.failure(verdict)
    assert judged({"kv_headroom": {"min": 0}}).verdicts[0].margin > 0


def test_what_has_no_limit_holds_every_minimum_and_no_maximum() -> None:
    mamba = {"model": "mamba2-2.7b"}
    found = check({**SMALL, **mamba, "expect": {"kv_pool_tokens": {"min": 1000}}})
    assert found.exit_code == 0
    texts = all_reports(found)
    valid(texts)
    assert "unlimited" in texts["text"]
    assert found.to_dict()["checks"][0]["outputs"]["kv_pool_tokens"] is None
    assert judged({"kv_pool_tokens": {"max": 1e30}}, **mamba).status == "failed"


def test_a_value_that_breaks_a_limit_is_told_apart_from_it() -> None:
    today = float(llmperf.estimate(SMALL).tpot_s)
    for limit in ({"equals": today * (1 + 3e-5)}, {"max": today * (1 - 1e-5)}):
        (verdict,) = judged({"tpot_s": limit}).verdicts
        value, limit_said = words.failure(verdict).removeprefix("tpot_s ").split(", expected ")
        assert value != limit_said.removeprefix("max ").partition(" (")[0]


def test_the_headroom_is_the_free_share_of_the_pool() -> None:
    result = llmperf.estimate(SMALL)
    needed = result.scenario.workload.batch * (result.scenario.workload.input + result.scenario.workload.output)
    assert result.memory.kv_headroom == pytest.approx(1 - needed / result.memory.kv_pool_tokens, rel=1e-3)
    crowded = llmperf.estimate(SMALL, batch=2000)
    assert crowded.memory.kv_headroom < 0
    assert not crowded.memory.fits


@pytest.mark.parametrize("output", [one for one in TIMES if one.band], ids=lambda one: one.name)
def test_a_pessimistic_limit_is_on_the_unfavourable_end_of_the_band(output: Any) -> None:
    phases = {"ttft_s": "prefill", "ttft_mean_s": "prefill", "tpot_s": "decode", "itl_s": "decode"}
    costs = {"cost_per_mtok_input_usd": "prefill", "cost_per_mtok_output_usd": "decode"}
    phase = {**phases, **costs}.get(output.name, "e2e")
    result = llmperf.estimate(SMALL)
    high = expected(result.scenario, phase).high  # type: ignore[union-attr]
    value = float(getattr(result, output.name))
    wanted = value * high if output.better == "lower" else value / high
    side = "max" if output.better == "lower" else "min"
    verdict = judged({output.name: {side: 1}}, confidence="pessimistic").verdicts[0]
    assert verdict.value == pytest.approx(wanted)
    assert (verdict.value > value) == (output.better == "lower")


def test_a_bound_and_the_memory_have_no_pessimistic_end() -> None:
    plain = judged({"bound.tpot_s": {"max": 1}, "memory.weights": {"max": 1}})
    strict = judged({"bound.tpot_s": {"max": 1}, "memory.weights": {"max": 1}}, confidence="pessimistic")
    assert [one.value for one in plain.verdicts] == [one.value for one in strict.verdicts]
    assert "has no error band" in faults({"bound.tpot_s": {"max": 1, "confidence": "pessimistic"}})[0]


@pytest.mark.parametrize("name", sorted(LATER))
def test_outputs_of_later_versions_are_refused_by_name(name: str) -> None:
    assert LATER[name] in by_path()
    (said,) = faults({name: {"max": 1}})
    assert "cannot be computed by this version" in said
    assert LATER[name] in said


def test_what_is_not_computed_yet_is_refused_and_costs_are_limited_in_dollars() -> None:
    said = faults({"goodput": {"min": "3.5 req/s"}, "mfu": {"min": "38 %"}})
    assert len(said) == 2
    assert all("cannot be computed by this version" in one for one in said)
    (near,) = faults({"cost_per_mtok": {"max": "0.60 USD"}})
    assert "did you mean cost_per_mtok_usd?" in near
    priced = {**SMALL, "prices": {"rent": 2.0}}
    value = float(llmperf.estimate(priced).cost_per_mtok_usd)
    verdicts = [
        judged({"cost_per_mtok_usd": {"max": f"{value * factor} USD"}}, prices=priced["prices"]).verdicts[0]
        for factor in (0.9, 1.1)
    ]
    assert [verdict.holds for verdict in verdicts] == [False, True]


def test_hours_of_devices_are_limited_as_hours_or_as_a_written_time() -> None:
    for most in (1, "1 h", "60 min", "3600 s"):
        verdict = judged({"device_hours": {"max": most}}).verdicts[0]
        assert verdict.limit.value == pytest.approx(1.0)
        assert verdict.holds


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ({"tpot": {"max": 1}}, "did you mean tpot_s?"),
        ({"ttft_s": {"maximum": 1}}, "did you mean max?"),
        ({"ttft_s": {}}, "limits nothing"),
        ({"ttft_s": "300 ms"}, "ttft_s: {max: '300 ms'}"),
        ({"output_tokens_per_s": 3}, "output_tokens_per_s: {min: 3}"),
        ({"ttft_s": {"max": "3 GB"}}, "has no unit of time"),
        ({"ttft_s": {"max": "nan"}}, "not a quantity"),
        ({"ttft_s": {"max": float("inf")}}, "not a finite number"),
        ({"ttft_s": {"max": True}}, "not a quantity"),
        ({"ttft_s": {"min": 2, "max": 1}}, "min is above max"),
        ({"fits": {"min": 1}}, "no minimum"),
        ({"fits": {"equals": "yes"}}, "allowed: true, false"),
        ({"bottleneck.decode": "memory.man"}, "did you mean memory.main?"),
        ({"ttft_s": {"max": 1, "confidence": "sure"}}, "allowed: projection, pessimistic"),
        ([], "must be a mapping"),
        ({"ttft_s": {"max": [1]}}, "not a quantity"),
        ({"kv_headroom": {"max": 97}}, "above 100 %, which no share is (97 %)"),
        ({"kv_headroom": {"min": "120 %"}}, "above 100 %"),
        ({"bound.tpot_s": {"min": "-1 ms"}}, "below 0"),
        ({"missing": {"max": -1}}, "below 0"),
        ({"output_tokens_per_s": {"min": "3 req/s"}}, "counts tokens (1000 tokens/s)"),
    ],
)
def test_a_wrong_limit_is_one_clear_error(expect: Any, said: str) -> None:
    found = faults(expect)
    assert len(found) == 1
    assert said.lower() in found[0].lower()


def test_a_check_that_asserts_nothing_fails() -> None:
    for nothing in ({}, {"expect": {}}):
        found = check({**SMALL, **nothing})
        assert found.exit_code == 1
        assert found.results[0].reason == "it asserts nothing"


def test_times_of_a_workload_that_does_not_fit_hold_for_nothing() -> None:
    big = {"workload": {"batch": 4000}}
    assert judged({"ttft_s": {"max": 1e9}}, **big).status == "failed"
    assert judged({"ttft_s": {"max": 1e9}, "fits": False}, **big).status == "passed"
    assert judged({"fits": True}, **big).status == "failed"


TWO_SPELLINGS: list[dict[str, Any]] = [
    {"expect": {"tpot_s": {"max": "1 ms"}, "projection.tpot_s": {"max": "10 s"}}},
    {"expect": {"bound": {"tpot_s": {"max": "1 ms"}}, "bound.tpot_s": {"max": "10 s"}}},
    {"expect": {"memory": {"weights": {"max": 1}}, "memory_bytes_per_device.weights": {"max": "1 TB"}}},
    {"expect": {"fits": True}, "batch": 2},
    {"expect": {"fits": True}, "hardware.extends": "h200-sxm"},
    {"expect": {"fits": True}, "matrix": {"batch": [2], "workload": {"chat": {"batch": 4}}}},
    {"expect": {"fits": True}, "hardware.tiers": {"hbm": None}, "hardware.tiers.hbm.bandwidth": "1 TB/s"},
]


@pytest.mark.parametrize("entry", TWO_SPELLINGS, ids=str)
def test_what_is_written_in_two_spellings_is_refused_not_chosen_by_order(entry: dict[str, Any]) -> None:
    for one in (entry, dict(reversed(entry.items()))):
        found = check({**SMALL, **one})
        assert found.exit_code == 2
        assert all("is written twice" in str(problem) for problem in found.problems)


def test_a_scenario_as_data_says_a_value_once() -> None:
    with pytest.raises(llmperf.InputError, match="is written twice, under 'batch' and under 'workload'"):
        llmperf.estimate({"model": "llama-3.1-8b", "hardware": "h100-sxm", "batch": 2, "workload": {"batch": 8}})
    assert llmperf.estimate(SMALL, batch=2).scenario.workload.batch == 2


def test_the_order_of_keys_means_nothing() -> None:
    parts = {
        "hardware": "h100-sxm",
        "hardware.achieved": "gpu-gddr",
        "hardware.achieved.gemm.bf16.compute": 0.2,
        "hardware.tiers.hbm.bandwidth": "1 TB/s",
    }
    rest = {"model": "llama-3.1-8b", "expect": {"tpot_s": {"max": "8 ms"}}}
    values = []
    for keys in itertools.permutations(parts):
        (result,) = check({**{key: parts[key] for key in keys}, **rest}).results
        assert result.status == "failed"
        values.append(result.verdicts[0].value)
        assert llmperf.estimate({**{key: parts[key] for key in keys}, **rest}).tpot_s == values[0]
    assert len(set(values)) == 1
    axes = {"hardware.tiers.hbm.bandwidth": ["1 TB/s"], "hardware": ["h100-sxm"]}
    assert check({**rest, "matrix": axes}).results[0].status == "failed"


def test_a_skip_holds_until_its_day_and_is_an_error_after_it() -> None:
    skipped = {**SMALL, "expect": {"ttft_s": {"max": 0}}, "skip": {"reason": "no node yet", "until": "2026-06-30"}}
    assert check(skipped, today=date(2026, 6, 30)).results[0].status == "skipped"
    assert check(skipped, today=date(2026, 6, 30)).exit_code == 0
    late = check(skipped, today=date(2026, 7, 1))
    assert (late.results[0].status, late.exit_code) == ("error", 1)
    assert "expired on 2026-06-30" in late.results[0].reason
    assert len(faults({"fits": True}, skip={"reason": "why"})) == 1
    assert "2026-12-31" in faults({"fits": True}, skip={"reason": "why", "until": "31.12.2026"})[0]


def test_what_a_skipped_check_cannot_evaluate_is_no_error() -> None:
    skip = {"reason": "not in the catalog yet", "until": "2999-01-01"}
    assert check({**SMALL, "model": "llama-9", "expect": {"fits": True}, "skip": skip}).exit_code == 0


def test_an_entry_takes_what_it_does_not_say_from_the_file_and_from_what_it_extends(tmp_path: Path) -> None:
    written(tmp_path, "model: llama-3.1-8b\nhardware: h100-sxm\nworkload: {batch: 4, input: 2048}\n", "base.yaml")
    file = written(
        tmp_path,
        """\
extends: base.yaml
tags: [all]
checks:
- {name: one, expect: {ttft_s: {max: 10 s}, fits: true}}
- {name: two, extends: one, batch: 16, expect: {ttft_s: {max: 20 s}, fits: null}, tags: [two]}
- {name: three, extends: two, hardware: h200-sxm, tp: 2}
""",
    )
    found = check(file)
    assert found.exit_code == 0, found.problems
    one, two, three = found.results
    assert one.check.scenario["workload"] == {"batch": 4, "input": 2048}
    assert two.check.scenario["workload"] == {"batch": 16, "input": 2048}
    assert (three.check.scenario["hardware"], three.check.scenario["parallelism"]) == ("h200-sxm", {"tp": 2})
    assert [len(result.verdicts) for result in found.results] == [2, 1, 1]
    assert three.verdicts[0].limit.place.line == 5  # the limit stands where the base has it
    assert [result.check.keys.tags for result in found.results] == [["all"], ["two"], ["two"]]
    assert [result.check.name for result in check(file, tags=["two"]).results] == ["two", "three"]
    with pytest.raises(llmperf.InputError, match="did you mean"):
        check(file, tags=["tow"])


def test_a_scenario_of_the_catalog_can_be_extended() -> None:
    one: dict[str, Any] = {"extends": "llama-70b-8xh100", "expect": {"fits": True}}
    assert check(one).exit_code == 0
    assert check({"checks": [{"name": "a", **one}]}).exit_code == 0


def test_variables_stand_for_values_and_parts_of_texts() -> None:
    expect = {"ttft_s": {"max": "${sla}"}, "tpot_s": {"max": "${number} ms"}, "fits": "${yes}"}
    result = judged(
        expect, variables={"sla": "300 ms", "number": 25, "yes": True, "chip": "h200"}, hardware="${chip}-sxm"
    )
    assert [verdict.limit.value for verdict in result.verdicts] == [0.3, 0.025, True]
    assert result.check.scenario["hardware"] == "h200-sxm"
    assert "did you mean sla?" in faults({"ttft_s": {"max": "${sal}"}}, variables={"sla": 1})[0]
    assert "cannot hold another" in faults({"ttft_s": {"max": "${a}"}}, variables={"a": "${b}", "b": "1 s"})[0]
    assert "cannot stand within a text" in faults({"ttft_s": {"max": "${a} ms"}}, variables={"a": [1]})[0]


def test_a_matrix_is_one_check_for_each_combination() -> None:
    axes = {"model": ["llama-3.1-8b", "llama-2-7b"], "batch": [1, 8], "sla": {"tight": "1 us", "loose": "1 h"}}
    found = check({**SMALL, "matrix": axes, "variables": {"sla": 0}, "expect": {"ttft_s": {"max": "${sla}"}}})
    assert [result.check.name for result in found.results][:2] == [
        "check[model=llama-3.1-8b,batch=1,sla=tight]",
        "check[model=llama-3.1-8b,batch=1,sla=loose]",
    ]
    assert len(found.results) == 8
    for result in found.results:
        scenario = result.check.scenario
        alone = llmperf.estimate(model=scenario["model"], hardware="h100-sxm", batch=scenario["workload"]["batch"])
        assert result.answered.values["ttft_s"] == pytest.approx(float(alone.ttft_s), rel=1e-12)
        assert (result.status == "passed") == ("loose" in result.check.name)


def test_a_matrix_beyond_all_measure_is_refused() -> None:
    axes = {key: list(range(1, 101)) for key in ("batch", "input", "output", "tp")}
    assert "100,000,000 combinations" in faults({"fits": True}, matrix=axes)[0]
    assert "did you mean batch?" in faults({"fits": True}, matrix={"bath": [1]})[0]
    assert "list of values" in faults({"fits": True}, matrix={"batch": []})[0]


@given(st.lists(st.tuples(st.integers(1, 64), st.integers(1, 4096), st.integers(1, 512)), min_size=1, max_size=8))
def test_checks_that_are_evaluated_together_have_the_values_they_have_alone(works: list[tuple[int, int, int]]) -> None:
    entries = [
        {
            "name": f"c{index}",
            "workload": dict(zip(("batch", "input", "output"), work, strict=True)),
            "expect": {"fits": True},
        }
        for index, work in enumerate(works)
    ]
    together = check({"model": "llama-3.1-8b", "hardware": "h100-sxm", "checks": entries})
    for entry, result in zip(entries, together.results, strict=True):
        alone = check(
            {"model": "llama-3.1-8b", "hardware": "h100-sxm", **{k: v for k, v in entry.items() if k != "name"}}
        )
        for path, value in alone.results[0].answered.values.items():  # type: ignore[union-attr]
            assert result.answered.values[path] == (pytest.approx(value) if isinstance(value, float) else value), path  # type: ignore[union-attr]


def test_what_is_said_of_a_check_is_said_of_it_alone() -> None:
    entries = [
        {"name": f"c{batch}-{size}", "workload": {"batch": batch, "input": size}, "expect": {"fits": True}}
        for batch, size in ((1, 512), (4, 512), (1, 200_000))
    ]
    head = {"model": "llama-4-scout", "hardware": "h100-sxm", "parallelism": {"replicas": 2}}
    found = check({**head, "checks": entries}).to_dict()["checks"]
    for one, entry in zip(found, entries, strict=True):
        alone = llmperf.estimate({**head, "workload": entry["workload"]})
        assert one["warnings"] == list(alone.warnings)
        assert one["extrapolated"] == alone.extrapolated
    assert [any("idle" in text for text in one["warnings"]) for one in found] == [True, False, True]
    assert [any("contexts beyond" in text for text in one["extrapolated"]) for one in found] == [False, False, True]


def test_one_wrong_workload_does_not_take_the_others_with_it() -> None:
    entries = [{"name": f"c{n}", "workload": {"batch": n}, "expect": {"fits": True}} for n in (1, 2, 0, 4, -1, 6)]
    found = check({"model": "llama-3.1-8b", "hardware": "h100-sxm", "checks": entries})
    assert [result.status for result in found.results] == ["passed", "passed", "error", "passed", "error", "passed"]
    assert len(found.problems) == 2


def test_a_worker_gives_what_the_process_itself_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("llama-3.1-8b", "llama-2-7b", "no-such-model", "mistral-7b", "llama-2-13b")
    tasks = [Task(({**SMALL, "model": name},)) for name in names]

    def said(answers: Any) -> list[Any]:
        return [one if isinstance(one, list) else (one.values, one.warnings, one.extrapolated) for (one,) in answers]

    alone = said([answered(task, ()) for task in tasks])
    monkeypatch.setattr(parallel, "START", 1)
    monkeypatch.setattr(parallel, "FEWEST", 2)
    monkeypatch.setattr(parallel, "_processors", lambda: 2)
    assert said(parallel.spread(tasks, ())) == alone
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert said(parallel.spread(tasks, ())) == alone


BAD = """\
hardwre: h100-sxm
checks:
- name: a
  model: lama-3.1-8b
  hardware: h100-sxm
  workload: {batch: 8, inputs: 1024}
  expect:
    tpot: {max: 10 ms}
    e2e_s: {max: 3 GB}
- name: b
  matrix: {batchx: [1]}
  tags: prod
- {name: c, extends: d, skip: {reason: x}}
- {name: a}
"""


def test_all_faults_of_all_files_are_said_at_once_with_line_and_column(run: Run, tmp_path: Path) -> None:
    written(tmp_path, BAD)
    written(tmp_path, "model: llama-3.1-8b\nhardware: h100-sxm\nexpect: {tpot_s: {max: [}\n", "b.llmperf.yaml")
    written(tmp_path, f"{yaml.safe_dump(SMALL)}expect: {{fits: true}}\n", "good.llmperf.yaml")
    done = run("check", cwd=tmp_path)
    assert done.returncode == 2
    for place, said in (
        ("a.llmperf.yaml:1:1: hardwre", "did you mean hardware?"),
        ("a.llmperf.yaml:4:3: model", "did you mean llama-3.1-8b?"),
        ("a.llmperf.yaml:6:24: workload.inputs", "did you mean input?"),
        ("a.llmperf.yaml:8:5: expect.tpot", "did you mean tpot_s?"),
        ("a.llmperf.yaml:9:13: expect.e2e_s.max", "no unit of time"),
        ("a.llmperf.yaml:11:12: matrix.batchx", "did you mean batch?"),
        ("a.llmperf.yaml:12:3: tags", "must be a list"),
        ("a.llmperf.yaml:13:13: extends", "unknown scenario 'd'"),
        ("a.llmperf.yaml:13:25: skip.until", "is missing"),
        ("a.llmperf.yaml:14:4: name", "stands twice"),
        ("b.llmperf.yaml:3", "is not YAML"),
    ):
        assert any(place in line and said in line for line in done.stderr.splitlines()), (place, done.stderr)
    assert "good" in done.stdout
    assert "1 passed" in done.stdout


def test_an_estimate_reads_the_scenario_of_a_check(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path, f"{yaml.safe_dump(SMALL)}expect: {{ttft_s: {{max: 1 us}}}}\ntags: [a]\n")
    assert llmperf.estimate(file).ttft_s == llmperf.estimate(SMALL).ttft_s
    assert llmperf.estimate({**SMALL, "expect": {"fits": True}}).ttft_s == llmperf.estimate(SMALL).ttft_s
    several = run("estimate", str(written(tmp_path, "checks: []\n", "b.yaml")))
    assert several.returncode == 2
    assert "llmperf check runs them" in several.stderr
    for key, hint in (
        ("batch", "workload: {batch: ...}"),
        ("bacth", "workload: {batch: ...}"),
        ("hardware.tiers.hbm.bandwidth", "hardware: {tiers: {hbm: {bandwidth: ...}}}"),
    ):
        with pytest.raises(llmperf.InputError, match=re.escape(hint)):
            llmperf.estimate(written(tmp_path, f"model: llama-3.1-8b\nhardware: h100-sxm\n{key}: 2\n", "c.yaml"))


def test_directories_are_searched_for_checks(tmp_path: Path) -> None:
    for name in ("a.llmperf.yaml", "sub/b.llmperf.yml", ".hidden/c.llmperf.yaml", "node_modules/d.llmperf.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        written(tmp_path, f"{yaml.safe_dump(SMALL)}expect: {{fits: true}}\n", name)
    written(tmp_path, "model: llama-3.1-8b\nexpect:\n  fits: true\n", "scenario.yaml")
    written(tmp_path, "{model: llama-3.1-8b, expect: {fits: true}}\n", "sub/flow.yaml")
    written(tmp_path, "model: llama-3.1-8b\n'expect': {fits: true}\n", "sub/quoted.yaml")
    written(tmp_path, "tests: {expect: {fits: true}}\n", "sub/others.yaml")
    written(tmp_path, "{{ if expect: }}\n", "sub/template.yaml")
    written(tmp_path, "model: llama-3.1-8b\n", "other.yaml")
    written(tmp_path, "schema_version: 1\nchecks: {}\n", "llmperf.lock.yaml")
    files, problems = discover([tmp_path])
    assert [path.name for path in files] == [
        "a.llmperf.yaml",
        "scenario.yaml",
        "b.llmperf.yml",
        "flow.yaml",
        "quoted.yaml",
    ]
    assert not problems


def test_nothing_to_check_is_an_error(run: Run, tmp_path: Path) -> None:
    for arguments in ([], ["absent.yaml"], [str(tmp_path)]):
        done = run("check", *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert "holds no checks" in done.stderr or "no such file" in done.stderr


def test_exit_codes_tell_apart_what_fails_and_what_is_wrong(run: Run, tmp_path: Path) -> None:
    codes = {"fits: true": 0, "ttft_s: {max: 1 us}": 1, "ttfts: {max: 1 us}": 2}
    for expect, code in codes.items():
        file = written(tmp_path, f"{yaml.safe_dump(SMALL)}expect: {{{expect}}}\n")
        done = run("check", str(file), "--json")
        assert done.returncode == code
        data = json.loads(done.stdout)
        assert (data["schema_version"], data["exit_code"]) == (1, code)
        assert bool(data["errors"]) == (code == 2)


def test_only_checks_that_a_change_touches_are_run(run: Run, tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *settings, *arguments], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "llmperf.d/chips").mkdir(parents=True)
    (tmp_path / "llmperf.d/chips/ours.yaml").write_text("extends: h100-sxm\nsources: {all: test}\n")
    head = "model: llama-3.1-8b\nexpect: {fits: true}\n"
    written(tmp_path, f"{head}hardware: ours\n", "ours.llmperf.yaml")
    written(tmp_path, f"{head}hardware: h100-sxm\n", "theirs.llmperf.yaml")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "first")

    def names() -> list[str]:
        done = run("check", "--changed-since", "HEAD", "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return [one["name"] for one in json.loads(done.stdout)["checks"]]

    assert names() == []
    written(tmp_path, f"{head}hardware: h200-sxm\n", "theirs.llmperf.yaml")
    assert names() == ["theirs"]
    git("commit", "-qam", "second")
    (tmp_path / "llmperf.d/chips/ours.yaml").write_text("extends: h200-sxm\nsources: {all: test}\n")
    assert names() == ["ours"]
    for wrong in ("no-such-commit", "--output=x", ""):
        assert run("check", f"--changed-since={wrong}", cwd=tmp_path).returncode == 2
    assert not (tmp_path / "x").exists()


def test_reports_go_to_files_several_at_once(run: Run, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples/checks", tmp_path / "checks")
    formats = [f"--format={name}:{name}.out" for name in reports.FORMATS]
    done = run("check", "checks", *formats, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "passed" in done.stdout
    assert {path.name for path in tmp_path.glob("*.out")} == {f"{name}.out" for name in reports.FORMATS}
    valid({name: (tmp_path / f"{name}.out").read_text("utf-8") for name in reports.FORMATS})
    for wrong in (["--format", "junit", "--format", "sarif"], ["--format", "xml"], ["--format", "junit:"]):
        assert run("check", "checks", *wrong, cwd=tmp_path).returncode == 2


def test_a_report_replaces_nothing_that_checks_are_read_from(run: Run, tmp_path: Path) -> None:
    written(tmp_path, "model: llama-3.1-8b\nhardware: chip.yaml\n", "base.yaml")
    written(tmp_path, "extends: h100-sxm\nsources: {all: test}\n", "chip.yaml")
    written(tmp_path, "extends: base.yaml\nexpect: {fits: true}\n", "a.llmperf.yaml")
    written(tmp_path, f"{yaml.safe_dump(SMALL)}expect: {{fits: true}}\n", "scenario.yaml")
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    targets = [*before, "new.llmperf.yaml", "llmperf.lock.yaml", "no/such/folder/report.xml", "../nowhere/report.xml"]
    for target in targets:
        done = run("check", ".", f"--format=junit:{target}", cwd=tmp_path)
        assert done.returncode == 2, target
        assert len(done.stderr.splitlines()) == 1
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_the_summary_of_a_github_step_is_added_to(run: Run, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    shutil.copytree(ROOT / "examples/checks", tmp_path / "checks")
    run("check", "checks", f"--format=markdown:{summary}", cwd=tmp_path, GITHUB_STEP_SUMMARY=str(summary))
    assert summary.read_text().startswith("before\n## llmperf check")


def test_github_is_told_the_line_of_the_limit_that_fails(run: Run, tmp_path: Path) -> None:
    written(tmp_path, f"{yaml.safe_dump(SMALL)}expect:\n  fits: true\n  ttft_s: {{max: 1 us}}\n")
    done = run("check", "--format", "github", cwd=tmp_path, GITHUB_WORKSPACE="")
    (line, counts) = done.stdout.splitlines()
    assert line.startswith("::error file=a.llmperf.yaml,line=7,col=12,title=llmperf limit%3A a::a: ttft_s ")
    assert counts == "1 failed"


def test_a_fingerprint_stays_while_the_limit_does_whatever_its_value() -> None:
    def fingerprints(batch: int, most: str) -> list[str]:
        limits = {"total_tokens_per_s": {"max": 1}, "ttft_s": {"max": most}}
        found = check({**SMALL, "workload": {"batch": batch}, "expect": limits})
        return [one["fingerprint"] for one in json.loads(reports.FORMATS["gitlab"](found))]

    first = fingerprints(1, "1 us")
    assert len(first) == len(set(first)) == 2
    assert fingerprints(64, "1 us") == first
    assert fingerprints(64, "2 us")[0] == first[0]
    assert fingerprints(64, "2 us")[1] != first[1]


def valid(texts: dict[str, str]) -> None:
    """Each report is what its format asks for."""
    JUNIT.validate(texts["junit"])
    SARIF.validate(json.loads(texts["sarif"]))
    for finding in json.loads(texts["gitlab"]):
        assert {"description", "check_name", "fingerprint", "severity", "location"} == set(finding)
        assert finding["location"]["lines"]["begin"] >= 1
        assert finding["severity"] in ("info", "minor", "major", "critical", "blocker")
    fingerprints = [finding["fingerprint"] for finding in json.loads(texts["gitlab"])]
    assert len(set(fingerprints)) == len(fingerprints)
    json.loads(texts["json"], parse_constant=lambda constant: pytest.fail(f"{constant} in JSON"))
    for line in texts["github"].split("\n"):
        assert line.startswith(("::error ", "::warning ", "::notice ")) or line == "" or line[0].isdigit()


def all_reports(found: Checks) -> dict[str, str]:
    return {name: write(found) for name, write in reports.FORMATS.items()}


HOSTILE = st.text(
    st.one_of(
        st.sampled_from(list("<>&\"'%:,\r\n\0\x1b\u2028\u0085\ufffe\uffff]|`[]()*_$#@~{}")),
        st.characters(codec="utf-8"),
    ),
    min_size=1,
    max_size=40,
)


@given(HOSTILE, HOSTILE)
def test_hostile_texts_give_valid_reports(name: str, other: str) -> None:
    entries = [
        {"name": name, "expect": {"ttft_s": {"max": 0}}},
        {"name": f"x{name}", "expect": {"fits": True}, "skip": {"reason": other, "until": "2999-01-01"}},
        {"name": "m", "expect": {"fits": True}, "matrix": {"workload": {other: {"batch": 1}}}},
        {"name": "w", other: 1, "expect": {other: {"max": other}}, "model": other},
    ]
    valid(all_reports(check({**SMALL, "checks": entries})))


ATTACKS = {
    "commands": "::error::x%0A::add-mask::secret\r\n##[error]x",
    "cdata": "]]></system-out><testcase/>&lt;",
    "markup": "[red]x[/red] <script>alert(1)</script> | a | @all",
    "deletion": "\x7f\x9b31m",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=list(ATTACKS))
def test_no_text_of_a_file_becomes_a_command_or_markup(attack: str) -> None:
    found = check({**SMALL, "checks": [{"name": attack, "expect": {"ttft_s": {"max": 0}}}]})
    texts = all_reports(found)
    valid(texts)
    for line in [*texts["text"].splitlines(), *texts["github"].splitlines()]:
        assert not line.lstrip().startswith(("::add-mask", "::set", "::stop")), line
        assert "##[error]" not in texts["text"]
    assert "<script>" not in texts["markdown"]
    assert "<script>" not in texts["junit"]


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    "content",
    [
        BOMB.encode(),
        b"expect: " + b"[" * 5000,
        b"x" * (5 * 2**20),
        b"\0\1\2",
        b"\xff\xfe\xff",
        b"",
        b"- a\n- b\n",
        b"checks: 3\n",
        b"checks: []\n",
        b"checks: [3, null]\n",
        b"!!python/object/apply:os.system ['true']\n",
        b"expect: {fits: true}\nexpect: {fits: true}\n",
        b"schema_version: 99\n",
        b"extends: a.llmperf.yaml\n",
        b"matrix: {model: {a: 1}}\nvariables: 3\nexpect: 3\ntags: {a: 1}\nskip: 3\ntolerance: x\n",
    ],
    ids=lambda content: repr(content[:24]),
)
def test_a_hostile_file_is_an_error_in_valid_reports(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.llmperf.yaml").write_bytes(content)
    found = check(tmp_path)
    assert found.exit_code == 2
    assert all(problem.file for problem in found.problems)
    valid(all_reports(found))


def test_a_file_name_of_control_characters_gives_valid_reports(tmp_path: Path) -> None:
    for name in ("a\n::error::b.llmperf.yaml", "c\x1b[31m%<&>.llmperf.yaml", os.fsdecode(b"d\xff.llmperf.yaml")):
        (tmp_path / name).write_text(f"{yaml.safe_dump(SMALL)}expect: {{ttft_s: {{max: 0}}}}\n")
    found = check(tmp_path)
    assert found.counts["failed"] == 3
    for name in reports.FORMATS:
        reports.write(found, name, tmp_path / f"{name}.out")
    valid({name: (tmp_path / f"{name}.out").read_text("utf-8") for name in reports.FORMATS})


def test_a_file_name_that_can_be_none_gives_valid_reports(tmp_path: Path) -> None:
    found = Checks((), (llmperf.Problem("wrong \udcff \ud800", file="a\ud800\udcff.yaml", line=1),))
    valid(all_reports(found))
    for name in reports.FORMATS:
        reports.write(found, name, tmp_path / name)


def test_a_report_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = check({**SMALL, "expect": {"fits": True}})
    report = tmp_path / "report.xml"
    report.write_text("old")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        reports.write(found, "junit", report)
    assert [path.name for path in tmp_path.iterdir()] == ["report.xml"]
    assert report.read_text() == "old"


def test_each_model_that_a_file_deploys_must_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, "kind: Deployment\n", "deploy.yaml")

    def one(name: str, scenario: dict[str, Any]) -> Any:
        text = "no flag that is known"
        flag = Finding("not_understood", "--frobnicate", "7", message=text, line=7)
        return Deployment(name, str(file), 7, scenario, (flag,), files=(str(file),))

    found = [one("small", SMALL), one("large", {**SMALL, "model": "llama-3.1-405b"})]
    reader = SimpleNamespace(read=lambda *_, **__: found)
    monkeypatch.setitem(sys.modules, "llmperf.deployments", reader)
    done = check(deployment=file)
    assert [result.status for result in done.results] == ["passed", "failed"]
    texts = all_reports(done)
    valid(texts)
    assert "::warning" in texts["github"]
    for name in ("text", "json", "junit", "markdown", "github"):
        assert "frobnicate" in texts[name], name
    entry = {"deployment": "deploy.yaml#small", "batch": 2, "expect": {"fits": True}}
    path = written(tmp_path, yaml.safe_dump(entry))
    (result,) = check(path).results
    assert (result.status, result.check.scenario["workload"]) == ("passed", {"batch": 2})
    written(tmp_path, yaml.safe_dump({**entry, "deployment": "deploy.yaml"}))
    assert "name one" in str(check(path).problems[0])


def test_the_scaffold_of_a_check_holds_today(tmp_path: Path, run: Run) -> None:
    scenario = written(tmp_path, yaml.safe_dump(SMALL), "my scenario.yaml")
    assert run("init", "check", "my scenario.yaml", cwd=tmp_path).returncode == 0
    file = tmp_path / "my scenario.llmperf.yaml"
    found = check(file)
    assert found.exit_code == 0, found.problems
    assert all(verdict.margin is None or verdict.margin > 0.05 for verdict in found.results[0].verdicts)
    with pytest.raises(llmperf.InputError, match="exists already"):
        check_scaffold(str(scenario))
    with pytest.raises(llmperf.InputError, match="does not fit"):
        check_scaffold(str(written(tmp_path, yaml.safe_dump({**SMALL, "model": "llama-3.1-405b"}), "b.yaml")))


def test_the_schema_accepts_check_files_and_refuses_wrong_ones(run: Run) -> None:
    schema = schema_of("check")
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(parse_yaml((ROOT / "examples/checks/sizing.llmperf.yaml").read_bytes(), "sizing").data)
    assert len(list(validator.iter_errors(parse_yaml(BAD.encode(), "bad").data))) >= 3
    assert json.loads(run("schema", "check").stdout) == schema


def test_the_example_of_the_documentation_runs(run: Run, tmp_path: Path) -> None:
    page = (ROOT / "docs/checks.md").read_text()
    example = (ROOT / "examples/checks/sizing.llmperf.yaml").read_text()
    assert example in page
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    block = page.split("```sh\n")[1].split("```")[0]
    for line in block.splitlines():
        command = line.partition("  #")[0].strip()
        if command:
            done = run(*shlex.split(command)[1:], cwd=tmp_path)
            assert done.returncode == 0, (command, done.stdout, done.stderr)

"""Wrong scenarios, by flags, files and keywords: every fault is named, with its line and the nearest name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import llmperf
from llmperf.errors import InputError
from wrong import (
    FILE,
    GOOD,
    JSON_FILE,
    MAX_LINES,
    MAX_WIDTH,
    MIXTRAL,
    SCENARIO,
    Case,
    answered,
    assigned,
    cases,
    flag,
    json_scenario,
    line3,
    named_in_plain_lines,
    one_json_object,
    raw,
    scenario,
)

NAMES = (
    flag("model", "lama-3.1-8b", path="model", near="llama-3.1-8b"),
    flag("hardware", "h100-smx", path="hardware", near="h100-sxm"),
    flag("weights", "w4a16-g12", path="weights", near="w4a16-g128"),
    flag("kv-cache", "fpp8", path="kv_cache", near="fp8"),
    flag("engine", "generik", path="engine", near="generic"),
    flag("activations", "bf61", "bf61", "bf16", path="activations", near="bf16"),
    flag("model", "", "''", path="model", id="flag-model-empty"),
    flag("model", "meta-lama/Lama-3.1-8B", "--download", path="model", id="hugging-face-id-misspelt"),
    flag("model", "some/Mistral-Small-3.2-24B-Instruct-2506", "mistral", path="model", id="hugging-face-id-unknown"),
    flag("weights", "exl2", "exl2-4.65bpw", path="weights"),
    flag("hardware", "3x nonsense", path="hardware", id="hardware-nonsense"),
    flag("hardware", "epyc-9654", "epyc-9654-host", "hardware.tiers.ddr.capacity", id="processor-without-memory"),
    flag("input", "32 apples", path="workload.input", id="count-of-apples"),
    assigned("hardware.tiers.hmb.capacity", "80 GB", "no tier 'hmb'", path="hardware.tiers.hmb", near="hbm"),
    assigned("hardware.links.nvlnk.bandwidth", "1 GB/s", "no link 'nvlnk'", path="hardware.links.nvlnk", near="nvlink"),
    Case("unknown-scenario-name", ("estimate", "no-such-scenario"), ("no-such-scenario",)),
    Case("show-unknown-entry", ("show", "lama-3.1-8b"), ("lama-3.1-8b",), near="llama-3.1-8b"),
    Case("show-unknown-kind", ("show", "h100-sxm", "--kind", "hardwear"), ("hardwear",), near="hardware"),
    Case("list-unknown-kind", ("list", "modles"), ("modles",), near="model"),
    Case("schema-unknown-kind", ("schema", "scenaro"), ("scenaro",), near="scenario"),
    Case("name-of-several-entries", ("show", "bf16"), ("bf16", "weights", "kv_cache", "--kind")),
)
NUMBERS = (
    flag("batch", "-1", path="workload.batch"),
    flag("batch", "0", "0", "at least 1", path="workload.batch"),
    flag("input", "0", "0", "at least 1", path="workload.input"),
    flag("output", "0", "0", "at least 1", path="workload.output"),
    flag("batch", "nan", path="workload.batch"),
    flag("batch", "inf", path="workload.batch"),
    flag("batch", "-inf", path="workload.batch"),
    flag("batch", "1e400", "inf", path="workload.batch"),
    flag("batch", "1e16", "1e+16", path="workload.batch"),
    flag("batch", "1.5", path="workload.batch"),
    flag("batch", "8 apples", path="workload.batch"),
    flag("batch", "", "''", path="workload.batch", id="flag-batch-empty"),
    flag("batch", "9" * 5000, "whole number", path="workload.batch", id="flag-of-5000-digits"),
    flag("tp", "true", path="parallelism.tp"),
    flag("tp", "0", "at least 1", path="parallelism.tp"),
    flag("devices", "-8", path="devices"),
    flag("shared-prefix", "-5", path="workload.shared_prefix"),
    assigned("workload.batch", "true", "True"),
    assigned("workload.batch", '"8"', "'8'"),
    assigned("workload.batch", "[1, 2]", "[1, 2]"),
    assigned("workload.batch", '{"a": 1}', "a"),
    assigned("workload.batch", "NaN"),
    assigned("workload.batch", "Infinity"),
    assigned("workload.batch", "1e400", "inf"),
    assigned("engine.utilization", "1.5"),
    assigned("engine.utilization", "150 %"),
    assigned("engine.kv_block", "0", "at least 1"),
    assigned("weights.bits", "0"),
    assigned("placement.weights", "-0.1"),
    assigned("model.layers", "0", "at least 1"),
    line3("yaml-nan", "workload: {batch: .nan}\n", "workload.batch", "nan"),
    line3("yaml-inf", "workload: {input: .inf}\n", "workload.input", "inf"),
    line3("yaml-minus-inf", "workload: {input: -.inf}\n", "workload.input", "-inf"),
    line3("yaml-1e400", "workload: {batch: 1e400}\n", "workload.batch", "1e400"),
    line3("yaml-1.0e+400", "workload: {batch: 1.0e+400}\n", "workload.batch", "inf"),
    line3("yaml-fraction", "workload: {batch: 2.5}\n", "workload.batch", "2.5"),
    line3("yaml-boolean-as-number", "workload: {batch: yes}\n", "workload.batch", "True"),
    line3("yaml-text-as-number", "workload: {batch: '8'}\n", "workload.batch", "'8'"),
    line3("yaml-list-as-number", "workload: {batch: [1, 2]}\n", "workload.batch", "[1, 2]"),
    line3("yaml-mapping-as-number", "workload: {batch: {a: 1}}\n", "workload.batch", "a"),
    line3("yaml-number-of-5000-digits", f"workload: {{batch: {'9' * 5000}}}\n", "", "999"),
    line3("yaml-number-as-name", "name: 3\n", "name", "3"),
    line3("yaml-list-as-name", "description: [a, b]\n", "description", "a"),
    Case("json-nan", JSON_FILE, ("NaN",), file="s.json", files=json_scenario('"workload": {"batch": NaN}')),
    Case(
        "json-infinity", JSON_FILE, ("Infinity",), file="s.json", files=json_scenario('"workload": {"batch": Infinity}')
    ),
    Case(
        "json-1e400",
        JSON_FILE,
        ("inf",),
        path="workload.batch",
        file="s.json",
        files=json_scenario('"workload": {"batch": 1e400}'),
    ),
    Case(
        "json-number-of-5000-digits",
        JSON_FILE,
        ("number",),
        file="s.json",
        files=json_scenario('"workload": {"batch": ' + "9" * 5000 + "}"),
    ),
)
KEYS = (
    line3("key-misspelt", "workload: {batchs: 8}\n", "workload.batchs", near="batch"),
    line3("key-in-brackets", "workload: {'batch[0]': 8}\n", "workload.batch[0]", near="batch"),
    line3("key-called-list", "workload: {list: 8}\n", "workload.list", "batch"),
    line3("section-misspelt", "wokload: {batch: 8}\n", "wokload", near="workload"),
    line3("short-name-in-a-file", "batch: 8\n", "batch"),
    line3("reserved-key", "training: {steps: 3}\n", "training"),
    line3(
        "component-key-misspelt",
        "engine: {extends: generic, utilisation: 0.8}\n",
        "engine.utilisation",
        near="utilization",
    ),
    line3("section-is-a-number", "workload: 3\n", "workload", "3"),
    line3("section-is-zero", "workload: 0\n", "workload", "0"),
    line3("section-is-false", "parallelism: false\n", "parallelism", "False"),
    line3("section-is-an-empty-text", "workload: ''\n", "workload", "''"),
    line3("section-is-an-empty-list", "placement: []\n", "placement", "[]"),
    line3("section-is-a-text", "parallelism: tp8\n", "parallelism", "tp8"),
    line3("section-is-a-list", "workload: [8, 1024]\n", "workload", "8, 1024"),
    line3("component-is-a-number", "weights: 8\n", "weights", "8"),
    line3("component-is-a-list", "weights: [fp8]\n", "weights", "fp8"),
    line3("component-is-a-boolean", "engine: true\n", "engine", "True"),
    line3("component-extends-a-number", "engine: {extends: 3}\n", "engine.extends", "3"),
    line3("component-extends-unknown", "engine: {extends: generik}\n", "engine.extends", near="generic"),
    line3("extends-unknown-scenario", "extends: nothing-like-it\n", "extends", "nothing-like-it"),
    line3("extends-a-list", "extends: [a]\n", "extends", "a"),
    line3("tiers-are-a-text", "placement: {tiers: hbm}\n", "placement.tiers", "hbm"),
    Case(
        "several-faults-at-once",
        FILE,
        ("h100-smx", "h100-sxm", "fp9", "fp8", "-1", "inputt", "1.5"),
        path="workload.inputt",
        near="input",
        file="s.yaml",
        line=6,
        files=raw(
            "model: llama-3.1-8b\nhardware: h100-smx\nweights: fp9\nworkload:\n  batch: -1\n  inputt: 5\n"
            "parallelism: {tp: 1.5}\n"
        ),
    ),
    Case("no-model", ("estimate", "--hardware", "h100-sxm"), ("model", "missing", "llama"), path="model"),
    Case("no-hardware", ("estimate", "--model", "llama-3.1-8b"), ("hardware", "missing", "h100"), path="hardware"),
    Case("neither-model-nor-hardware", ("estimate",), ("model", "hardware", "missing"), path="hardware"),
    Case("no-model-in-a-file", FILE, ("missing",), path="model", file="s.yaml", files=raw("hardware: h100-sxm\n")),
    Case("model-is-null", FILE, ("missing",), path="model", file="s.yaml", files=raw("model:\nhardware: h100-sxm\n")),
    Case(
        "unknown-key-in-json",
        JSON_FILE,
        ("batchs",),
        path="workload.batchs",
        near="batch",
        file="s.json",
        files=json_scenario('"workload": {"batchs": 8}'),
    ),
    Case(
        "duplicate-key-in-json",
        JSON_FILE,
        ("batch", "twice"),
        file="s.json",
        files=json_scenario('"workload": {"batch": 8, "batch": 9}'),
    ),
    Case(
        "extends-cycle",
        ("estimate", "{tmp}/a.yaml"),
        ("extends", "itself"),
        file="a.yaml",
        files={"a.yaml": SCENARIO + "extends: {tmp}/b.yaml\n", "b.yaml": "extends: {tmp}/a.yaml\n"},
    ),
    Case("extends-itself", FILE, ("extends", "itself"), file="s.yaml", files=scenario("extends: {tmp}/s.yaml\n")),
)
LAYOUT = (
    flag("tp", "64", "64", "32", path="parallelism.tp"),
    Case(
        "tp-beyond-the-system",
        ("estimate", "--model", "llama-3.1-70b", "--hardware", "dgx-h100", "--tp", "16"),
        ("16", "8", "dgx-h100"),
        path="parallelism",
    ),
    Case("devices-contradict-the-layout", (*GOOD, "--devices", "8", "--tp", "4"), ("8", "4"), path="devices"),
    Case("devices-contradict-replicas", (*GOOD, "--devices", "8", "--replicas", "3"), ("8", "3"), path="devices"),
    Case("ep-does-not-divide", (*MIXTRAL, "--tp", "4", "--ep", "3"), ("3", "4"), path="parallelism.ep"),
    Case("ep-beyond-the-experts", (*MIXTRAL, "--tp", "16", "--ep", "16"), ("16", "8"), path="parallelism.ep"),
    Case("ep-on-a-dense-model", (*GOOD, "--tp", "2", "--ep", "2"), ("llama-3.1-8b", "expert"), path="parallelism.ep"),
    flag("pp", "64", "64", "32", path="parallelism.pp"),
    flag("input", "200000", "200128", "131072", path="workload", id="context-beyond-the-model"),
    Case(
        "prefix-is-the-input",
        (*GOOD, "--input", "100", "--shared-prefix", "100"),
        ("input",),
        path="workload.shared_prefix",
    ),
    Case("prefix-beyond-the-input", (*GOOD, "--input", "100", "--shared-prefix", "900"), path="workload.shared_prefix"),
    Case(
        "fp8-activations-on-a100",
        (*GOOD, "--hardware", "a100-sxm-80gb", "--activations", "fp8"),
        ("a100", "fp8", "bf16"),
    ),
    flag("tiers", "hbn", "hbn", "hbm", path="placement.tiers", near="hbm"),
    flag("tiers", "hbm,dram", "dram", "hbm", path="placement.tiers"),
    flag("tiers", "l2", "l2", "hbm", path="placement.tiers", id="a-cache-as-a-memory-tier"),
    flag("tiers", ",", "tier", path="placement.tiers", id="no-tier-at-all"),
    Case(
        "the-same-tier-twice",
        ("estimate", "--model", "llama-3.1-70b", "--hardware", "rtx-4090-workstation", "--tiers", "gddr,dram,dram"),
        ("dram",),
        path="placement.tiers",
    ),
    line3("layout-in-a-file", "parallelism: {tp: 64}\n", "parallelism.tp", "64", "32"),
)


@cases(*NAMES, *NUMBERS, *KEYS, *LAYOUT)
def test_wrong_input_is_named_in_a_few_plain_lines(case: Case, empty: Path) -> None:
    named_in_plain_lines(case, empty)


@cases(*NAMES, *NUMBERS, *KEYS, *LAYOUT)
def test_wrong_input_is_one_json_object_for_programs(case: Case, empty: Path) -> None:
    one_json_object(case, empty)


def test_there_are_many_cases() -> None:
    assert len((*NAMES, *NUMBERS, *KEYS, *LAYOUT)) >= 60


@cases(
    Case("moe", (*MIXTRAL, "--tp", "2", "--ep", "2")),
    Case("yaml", FILE, files=scenario("workload: {batch: 8}\n")),
    Case("json", JSON_FILE, files=json_scenario('"workload": {"batch": 8}')),
    Case(
        "tiers", ("estimate", "--model", "llama-3.1-8b", "--hardware", "rtx-4090-workstation", "--tiers", "gddr,dram")
    ),
)
def test_the_right_input_beside_the_wrong_one_is_answered(case: Case, empty: Path) -> None:
    answered(case, empty)


PYTHON: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "arrays-that-do-not-broadcast": (
        {"batch": np.arange(1, 4), "input": np.arange(1, 5)},
        "",
        ("batch", "input", "3", "4"),
    ),
    "empty-array": ({"batch": np.array([])}, "workload.batch", ()),
    "nan-first": ({"batch": np.array([np.nan, 1.0])}, "workload.batch", ()),
    "nan-later": ({"batch": np.array([1.0, np.nan])}, "workload.batch", ("finite",)),
    "inf-later": ({"input": np.array([1.0, np.inf])}, "workload.input", ("finite",)),
    "negative-element": ({"batch": np.array([1, 2, -3])}, "workload.batch", ("-3",)),
    "zero-element": ({"output": np.array([1, 2, 0])}, "workload.output", ("0",)),
    "fractional-element": ({"batch": np.array([1.0, 2.5, 4.0])}, "workload.batch", ("2.5",)),
    "boolean-array": ({"batch": np.array([True, True])}, "workload.batch", ("True",)),
    "text-array": ({"batch": np.array(["8", "9"])}, "workload.batch", ("8",)),
    "object-array": ({"batch": np.array([8, None])}, "workload.batch", ("None",)),
    "complex-array": ({"batch": np.array([1j])}, "workload.batch", ("j",)),
    "array-of-models": ({"model": np.array([1, 2])}, "model", ("1",)),
    "list-in-place-of-an-array": ({"batch": [1, 2, 3]}, "workload.batch", ("[1, 2, 3]",)),
    "tuple-in-place-of-an-array": ({"batch": (1, 2)}, "workload.batch", ("(1, 2)",)),
    "tp-array-beyond-the-heads": ({"tp": np.array([1, 64])}, "parallelism.tp", ("64", "32")),
    "context-array-beyond-the-model": ({"input": np.array([1, 200_000])}, "workload", ("200128", "131072")),
    "devices-array-that-contradicts": ({"devices": np.array([2, 4]), "tp": 2}, "devices", ("4", "2")),
    "negative-bandwidths": (
        {"scenario": {"hardware.tiers.hbm.bandwidth": np.array([1e12, -1e12])}},
        "hardware.tiers.hbm.bandwidth",
        ("-1000000000000",),
    ),
    "nan-scalar": ({"batch": float("nan")}, "workload.batch", ("nan",)),
    "nan-numpy-scalar": ({"batch": np.float64("nan")}, "workload.batch", ("nan",)),
    "numpy-boolean": ({"batch": np.True_}, "workload.batch", ("True",)),
    "text-scalar": ({"batch": "8"}, "workload.batch", ("'8'",)),
    "huge-integer": ({"batch": 10**5000}, "workload.batch", ("whole number",)),
    "complex-scalar": ({"batch": 1j}, "workload.batch", ("1j",)),
    "bytes-as-model": ({"model": b"llama-3.1-8b"}, "model", ("llama-3.1-8b",)),
    "object-as-model": ({"model": object()}, "model", ("object",)),
    "set-as-model": ({"model": {"llama-3.1-8b"}}, "model", ("llama-3.1-8b",)),
    "set-inside-a-model": ({"model": {"extends": "llama-3.1-8b", "layers": {1}}}, "model.layers", ("1",)),
    "mapping-of-unknown-model": ({"model": {"extends": "lama-3.1-8b"}}, "model.extends", ("llama-3.1-8b",)),
    "unknown-keyword": ({"batchs": 8}, "batchs", ("batch",)),
    "key-that-is-no-text": ({"scenario": {1: 2}}, "", ("1",)),
    "inner-key-that-is-no-text": ({"scenario": {"workload": {1: 2}}}, "", ("1",)),
    "scenario-that-is-a-number": ({"scenario": 3}, "", ("3",)),
    "scenario-that-is-a-list": ({"scenario": ["llama-3.1-8b"]}, "", ("llama-3.1-8b",)),
    "path-with-a-null-byte": ({"model": "a\0b.yaml"}, "model", ("b.yaml",)),
    "catalog-that-is-one-text": ({"catalog": "/nowhere"}, "", ("/nowhere",)),
}


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize(("keywords", "path", "says"), PYTHON.values(), ids=PYTHON.keys())
def test_python_raises_an_input_error_that_names_what_is_wrong(
    keywords: dict[str, Any], path: str, says: tuple[str, ...]
) -> None:
    with pytest.raises(InputError) as raised:
        llmperf.estimate(**{"model": "llama-3.1-8b", "hardware": "h100-sxm"} | keywords)
    text = str(raised.value)
    assert [said for said in says if said not in text] == [], text
    assert not path or path in [problem.path for problem in raised.value.problems], text
    assert len(text.splitlines()) <= MAX_LINES
    assert len(text) <= MAX_WIDTH
    assert [c for c in text if not c.isprintable() and c != "\n"] == []


def test_several_faults_of_one_call_are_all_reported_at_once() -> None:
    with pytest.raises(InputError) as raised:
        llmperf.estimate(model="lama-3.1-8b", hardware="h100-smx", weights="fp9", batch=-1, tp=1.5)
    assert {problem.path for problem in raised.value.problems} == {
        "model",
        "hardware",
        "weights",
        "workload.batch",
        "parallelism.tp",
    }


@pytest.mark.usefixtures("empty")
def test_a_catalog_that_went_away_is_missed_although_its_entries_were_read_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm")
    monkeypatch.setenv("LLMPERF_CATALOG", "/nowhere")
    with pytest.raises(InputError, match="/nowhere"):
        llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm")

"""Values of a sort that their key does not take, in files that are shown, compared or recomputed: one message each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmperf.checks.lock import LOCK

HUGE = "1" + "0" * 400


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("aliases: 3.5\nsources: {all: x}\n", ":2: aliases: must be a list, not 3.5"),
        ("sources: .nan\n", ":2: sources: must be a mapping, not nan"),
        ("sources: .\n", ":2: sources: must be a mapping, not '.'"),
        ("sources: {year: {max: .nan}}\n", ":2: sources.year: {'max': nan} is not a text"),
        ("cores: {a: 1}\n", ":2: cores: {'a': 1} is not a whole number"),
    ],
)
def test_an_entry_that_is_shown_has_values_of_the_right_sort(
    text: str, says: str, tmp_path: Path, run: Callable[..., Any]
) -> None:
    file = tmp_path / "cat" / "hardware" / "chips" / "hw.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("extends: h100-sxm\n" + text)
    for command in (("show", str(file)), ("show", "hw", "--catalog", str(tmp_path / "cat"))):
        done = run(*command, "--kind", "hardware")
        assert (done.returncode, done.stderr) == (2, f"error: {file}{says}\n")
        assert json.loads(run(*command, "--kind", "hardware", "--json").stdout)["errors"][0]["file"] == str(file)
    if ".year" not in says and "cores" not in says:
        done = run("list", "hardware", "--catalog", str(tmp_path / "cat"))
        assert (done.returncode, done.stderr) == (2, f"error: {file}{says}\n")


@pytest.mark.parametrize(
    ("section", "key", "value", "says"),
    [
        ("projection", "tpot_s", '"x"', "'x' is a text, not a number"),
        ("projection", "tpot_s", "[1]", "[1] is neither a number nor a text"),
        ("projection", "tpot_s", HUGE, "is not a finite number"),
        ("bottleneck", "decode", '{"a": 1}', "{'a': 1} is neither a number nor a text"),
        ("bound", "", "5", "must be a mapping, not 5"),
        ("memory_bytes_per_device", "", '"h100-sxm"', "must be a mapping, not 'h100-sxm'"),
    ],
)
def test_a_result_that_is_compared_holds_numbers(
    section: str, key: str, value: str, says: str, tmp_path: Path, run: Callable[..., Any], answer: Callable[..., Any]
) -> None:
    whole = answer("estimate", "--model", "gpt2", "--hardware", "l40s")
    good, wrong = tmp_path / "good.json", tmp_path / "wrong.json"
    good.write_text(json.dumps(whole))
    if key:
        whole[section][key] = "HERE"
    else:
        whole[section] = "HERE"
    wrong.write_text(json.dumps(whole).replace('"HERE"', value))
    for pair in ((good, wrong), (wrong, good)):
        done = run("diff", *map(str, pair))
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: {wrong}: {section}{'.' if key else ''}{key}: ")
        assert says in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", HUGE, "{a: 1}", "[1]", "fast"])
def test_a_lock_file_holds_numbers_lest_nothing_drifts(value: str, tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "c.llmperf.yaml").write_text("model: gpt2\nhardware: l40s\nexpect: {fits: true}\n")
    run("check", "--update", cwd=tmp_path)
    lock = tmp_path / LOCK
    lines = lock.read_text().splitlines()
    at = next(index for index, line in enumerate(lines) if line.strip().startswith("tpot_s:"))
    lines[at] = f"        tpot_s: {value}"
    lock.write_text("\n".join(lines))
    for command in (("check",), ("check", "--update"), ("diff", "c.llmperf.yaml", LOCK)):
        done = run(*command, cwd=tmp_path)
        assert done.returncode == 2
        assert f"{LOCK}:{at + 1}: checks.c.llmperf.yaml.c.outputs.tpot_s: " in done.stderr
        assert "remove the file and run llmperf check --update" in done.stderr
    lines[at] = "        tpot_s: 5.0e-324"  # a number, if a strange one: it has drifted
    lock.write_text("\n".join(lines))
    done = run("check", "--json", cwd=tmp_path)
    assert done.returncode == 1
    (drift,) = json.loads(done.stdout)["checks"][0]["baseline"]["drifts"]
    assert drift["relative"] is None


@pytest.mark.parametrize("latency", [5e-324, 1e-200, 1e300])
def test_a_measured_latency_that_no_clock_shows_is_refused(
    latency: float, tmp_path: Path, run: Callable[..., Any]
) -> None:
    data = json.loads((Path(__file__).parents[1] / "data/runs/aiperf.json").read_text())
    data["inter_token_latency"]["avg"] = latency
    file = tmp_path / "run.json"
    file.write_text(json.dumps(data))
    done = run("compare", "--measured", str(file))
    assert done.returncode == 2
    assert f"inter_token_latency.avg: {latency!r} is beyond what is measured: 1e-15 to 1e+15" in done.stderr


SERVING = {
    "scenario": "offline_static", "batch_or_concurrency": "8", "input_len": "128", "output_len": "64",
    "metric": "e2e_ms", "value": "900", "tier": "A", "weight_fmt": "bf16", "model": "llama-2-7b",
    "hardware": "a100-sxm-80gb", "engine": "vLLM", "date_or_version": "", "source_title": "", "kv_fmt": "",
    "n_gpus": "1", "tp": "1", "pp": "1", "dp": "1", "ep": "1",
}  # fmt: skip
SILICON = {
    "backend": "vllm", "system": "h100_sxm", "isl": "128", "osl": "64", "attention_dp_size": "1",
    "silicon_ttft_ms": "10", "silicon_tpot_ms": "10", "model_path": "meta-llama/Llama-3.1-8B", "mode": "agg",
    "batch_size": "8", "tp_size": "1", "moe_ep_size": "1", "gemm_quant_mode": "bf16",
}  # fmt: skip


def table(cells: dict[str, str], file: Path) -> Path:
    file.write_text(f"{','.join(cells)}\n{','.join(cells.values())}\n")
    return file


@pytest.mark.parametrize("name", sorted(SERVING))
def test_every_column_that_is_missing_is_named(name: str, tmp_path: Path, run: Callable[..., Any]) -> None:
    whole = run("validate", "--data", str(table(SERVING, tmp_path / "d.csv")), "--json")
    assert whole.returncode == 0
    assert json.loads(whole.stdout)["rows"], whole.stdout
    file = table({key: cell for key, cell in SERVING.items() if key != name}, tmp_path / "d.csv")
    done = run("validate", "--data", str(file), "--dataset", "serving")
    assert done.returncode == 2
    assert f"d.csv:1: {name}: this column is missing" in done.stderr


@pytest.mark.parametrize("name", ["isl", "osl", "batch_size", "tp_size", "attention_dp_size", "moe_ep_size"])
@pytest.mark.parametrize("cell", ["=1+1", "nan", "1e999", "-3"])
def test_a_text_in_the_place_of_a_count_is_named(cell: str, name: str, tmp_path: Path, run: Callable[..., Any]) -> None:
    file = table({**SILICON, name: cell}, tmp_path / "d.csv")
    done = run("validate", "--data", str(file))
    assert done.returncode == 2
    assert f"d.csv:2: {name}: '{cell}' " in done.stderr


@pytest.mark.parametrize("batch", ["x tok/gpu", "tok/gpu", "1e400 tok/gpu"])
def test_tokens_that_are_no_number_are_not_expressible(batch: str, tmp_path: Path, answer: Callable[..., Any]) -> None:
    file = table({**SERVING, "batch_or_concurrency": batch}, tmp_path / "d.csv")
    found = answer("validate", "--data", str(file))
    assert not found["rows"]
    assert len(found["not_expressible"]) == 1

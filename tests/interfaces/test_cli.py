"""The command line, through its real entry point."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import jsonschema
import pytest

import llmperf
from llmperf.files import store
from llmperf.interfaces.cli import COMMANDS
from llmperf.units import scaled

Run = Callable[..., CompletedProcess[str]]
ROOT = Path(__file__).parents[2]
Answer = Callable[..., dict[str, Any]]
DEMO = shlex.split(
    "--model llama-3.1-70b --weights fp8 --hardware h100-sxm --tp 8 --batch 32 --input 2048 --output 256"
)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help_with_an_example_that_runs(command: str, run: Run, process: Run, tmp_path: Path) -> None:
    """In a process of its own, where a command has imported nothing but what it needs."""
    shown = run(command, "--help", COLUMNS="200", NO_COLOR="1", TERM="dumb").stdout
    example = re.search(r"Example: llmperf (.*?)(?:  |\n|│)", shown)
    assert example, shown
    shutil.copytree(ROOT / "examples/checks", tmp_path / "sizing")
    (tmp_path / "result.json").write_text((ROOT / "tests/data/runs/vllm-serve.json").read_text())
    (tmp_path / "trace.jsonl").write_text((ROOT / "tests/data/traces/mooncake.jsonl").read_text())
    done = process(*shlex.split(example.group(1)), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_a_short_model_has_a_shorter_prompt_unless_one_is_asked_for(answer: Answer, run: Run) -> None:
    scenario = answer("estimate", "--model", "gpt2", "--hardware", "h100-sxm")["scenario"]
    assert scenario["workload"]["input"] + scenario["workload"]["output"] == 1024
    assert run("estimate", "--model", "gpt2", "--hardware", "h100-sxm", "--input", "1024").returncode == 2


def test_the_version_is_printed(process: Run) -> None:
    assert process("--version").stdout.strip() == llmperf.__version__
    assert "estimate" in process("--help").stdout


def test_the_demo_answers_every_question(run: Run) -> None:
    shown = run("estimate", *DEMO)
    assert shown.returncode == 0
    for expected in (
        "bound",
        "projection",
        "TTFT",
        "TPOT",
        "output tokens/s",
        "limited by",
        "fits",
        "KV pool",
        "gate_up",
    ):
        assert expected in shown.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["estimate", *DEMO],
        ["ops", *DEMO],
        ["memory", *DEMO, "--pp", "2"],
        ["list"],
        ["show", "h100-sxm"],
        ["show", "deepseek-v3"],
        ["schema", "outputs"],
    ],
)
def test_output_fits_100_columns_and_is_plain_when_piped(arguments: list[str], run: Run) -> None:
    shown = run(*arguments).stdout
    assert max(len(line) for line in shown.splitlines()) <= 100
    assert "\x1b" not in shown


def test_flags_a_file_and_set_say_the_same(tmp_path: Path, answer: Answer) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(
        "model: llama-3.1-70b\nhardware: h100-sxm\nweights: fp8\nparallelism: {tp: 8}\n"
        "workload: {batch: 32, input: 2048, output: 256}\n"
    )
    flags = answer("estimate", *DEMO)
    assert answer("estimate", str(file)) == flags
    assert answer("estimate", str(file), "--set", "workload.batch=32", "--set", "weights=fp8") == flags
    assert answer("estimate", str(file), "--batch", "64")["scenario"]["workload"]["batch"] == 64
    slower = answer("estimate", str(file), "--set", "hardware.tiers.hbm.bandwidth=2 TB/s")
    assert slower["bound"]["tpot_s"] > flags["bound"]["tpot_s"]


def test_list_and_show_give_sources_and_aliases(answer: Answer, run: Run) -> None:
    listed = answer("list")["catalog"]
    assert {"model", "hardware", "weights", "kv_cache", "engine", "attention"} <= set(listed)
    assert "H100" in next(line for line in listed["hardware"] if line["name"] == "h100-sxm")["aliases"]
    shown = answer("show", "H100")
    assert shown["name"] == "h100-sxm"
    assert shown["sources"]
    assert answer("show", "meta-llama/Llama-3.1-8B-Instruct")["derived"]["parameters"] == 8_030_261_248
    assert "3.35 TB/s" in run("show", "h100-sxm").stdout


def test_a_list_is_of_those_that_are_called_so(answer: Answer, run: Run) -> None:
    listed = answer("list", "hardware", "H100")["catalog"]
    assert listed.keys() == {"hardware"}
    names = {line["name"] for line in listed["hardware"]}
    assert {"h100-sxm", "dgx-h100"} <= names
    assert "a100-sxm-80gb" not in names
    assert all("h100" in " ".join((line["name"], *line["aliases"])).lower() for line in listed["hardware"])
    whole = {line["name"]: line for line in answer("list", "hardware")["catalog"]["hardware"]}
    assert [whole[line["name"]] for line in listed["hardware"]] == listed["hardware"]
    shown = run("list", "hardware", "h100").stdout.splitlines()
    assert {line.split()[0] for line in shown if line and line[0].isalnum()} == {"hardware", *names}
    unknown = run("list", "hardware", "h1000")
    assert unknown.returncode == 2
    assert "h1000" in unknown.stderr
    assert "(H100)" in unknown.stderr


def test_the_schema_accepts_what_the_tool_accepts(answer: Answer) -> None:
    schema = answer("schema", "scenario")
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good = {"model": "llama-3.1-8b", "hardware": {"extends": "h100-sxm", "tdp": "350 W"}, "parallelism": {"tp": 2},
            "workload": {"batch": 4}}  # fmt: skip
    validator.validate(good)
    llmperf.load(good)
    for wrong in ({"modle": "x"}, {"workload": {"batch": 0}}, {"parallelism": {"tp": "two"}}):
        assert list(validator.iter_errors(wrong))
        with pytest.raises(llmperf.InputError):
            llmperf.load({"model": "llama-3.1-8b", "hardware": "h100-sxm", **wrong})


@pytest.mark.parametrize(
    "kind", ["model", "hardware", "weights", "kv_cache", "engine", "attention", "achieved", "link", "tier"]
)
def test_the_schema_of_a_kind_accepts_every_packaged_file(kind: str, answer: Answer) -> None:
    from llmperf.scenarios import catalog

    validator = jsonschema.Draft202012Validator(answer("schema", kind))
    for path in catalog.files(kind).values():
        validator.validate(store.load_file(str(path)).data)


def test_what_the_catalog_lacks_is_listed_with_the_answers_that_it_forbids(answer: Answer, run: Run) -> None:
    found = {line["name"]: line["missing"] for line in answer("list", "--missing")["missing"]}
    assert any(lack["forbids"] == "every estimate" for lack in found["wse-3"])
    assert {"what": "tdp", "forbids": "energy"} in found["ascend-910c"]
    assert "wse-3" in run("list", "--missing").stdout


@pytest.mark.parametrize("kind", ["model", "hardware", "scenario"])
def test_a_scaffold_is_valid_as_it_is_and_never_overwrites(kind: str, tmp_path: Path, run: Run, answer: Answer) -> None:
    path = tmp_path / "mine.yaml"
    assert run("init", kind, str(path)).returncode == 0
    before = path.read_text()
    refused = run("init", kind, str(path))
    assert refused.returncode == 2
    assert "exists already" in refused.stderr
    assert path.read_text() == before
    assert run("init", kind, str(path), "--force").returncode == 0
    arguments = {
        "model": ["--model", str(path), "--hardware", "h100-sxm"],
        "hardware": ["--model", "llama-3.1-8b", "--hardware", str(path)],
        "scenario": [str(path)],
    }[kind]
    assert answer("estimate", *arguments)["memory_bytes_per_device"]["fits"] is True


def test_an_old_price_is_said() -> None:
    import datetime

    from llmperf.interfaces.shelf.gaps import price_age

    today = datetime.date(2026, 11, 25)
    assert price_age("AWS P5 on demand, 2026-03", today) is None
    assert price_age("CoreWeave 2024-02-07", today) == "stale: 33 months old"
    assert price_age("a street price", today) == price_age(None, today) == "undated"


CONFIGS = Path(__file__).parents[1] / "data" / "huggingface"


@pytest.mark.parametrize(
    ("file", "name", "hardware"),
    [
        ("Llama-3.1-8B", "llama-3.1-8b", "h100-sxm"),
        ("Mistral-7B-v0.1", "mistral-7b", "h100-sxm"),
        ("DeepSeek-V3", "deepseek-v3", "b200-sxm"),
        ("mamba2-2.7b", "mamba2-2.7b", "a100-sxm-80gb"),
    ],
)
def test_a_hugging_face_config_is_estimated_by_path(file: str, name: str, hardware: str, answer: Answer) -> None:
    flags = ["--hardware", hardware, "--input", "512", "--weights", "bf16"]
    mine = answer("estimate", "--model", str(CONFIGS / f"{file}.json"), *flags)
    assert mine["projection"] == answer("estimate", "--model", name, *flags)["projection"]


def test_the_quantization_of_a_config_is_used_unless_another_is_asked_for(answer: Answer) -> None:
    path = str(CONFIGS / "Llama-3.1-8B-Instruct-AWQ-INT4.json")
    assert answer("estimate", "--model", path, "--hardware", "h100-sxm")["scenario"]["weights"]["name"] == "w4a16-g128"
    other = answer("estimate", "--model", path, "--hardware", "h100-sxm", "--weights", "fp8")
    assert other["scenario"]["weights"]["name"] == "fp8"


def test_a_closed_pipe_is_no_traceback() -> None:
    code = "from llmperf.interfaces.cli import main; main()"
    command = [sys.executable, "-c", code, "list"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root) as reader:
        assert reader.stdout is not None
        assert reader.stderr is not None
        reader.stdout.read(10)
        reader.stdout.close()
        assert b"Traceback" not in reader.stderr.read()


def test_no_heavy_library_is_imported_for_an_estimate() -> None:
    code = (
        "import sys, llmperf\n"
        "assert 'numpy' not in sys.modules\n"
        "llmperf.estimate(model='llama-3.1-8b', hardware='h100-sxm')\n"
        "print(sorted({'plotly', 'hypothesis', 'scipy', 'pandas', 'dask', 'rich', 'typer'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "scenario",
    [
        ("deepseek-v3.2", "--hardware", "dgx-h200", "--weights", "fp8", "--tp", "8", "--input", "60000"),
        ("llama-3.1-405b", "--hardware", "h100-sxm", "--tp", "8", "--pp", "4", "--batch", "512", "--input", "8000"),
        ("whisper-large-v2", "--hardware", "l4", "--input", "4", "--output", "100"),
        ("jamba-v0.1", "--hardware", "raspberry-pi-5"),
    ],
)
def test_no_number_of_an_operator_table_is_cut(scenario: tuple[str, ...], run: Run) -> None:
    """Every time has its whole unit, every product its three sizes, and lines fit 100 columns."""
    printed = run("ops", "--model", *scenario).stdout
    data = json.loads(run("ops", "--model", *scenario, "--json").stdout)
    assert max(map(len, printed.splitlines())) <= 100
    for step in data["steps"]:
        for row in step["operators"]:
            assert scaled(row["time_s"], "time", 3) in printed
            assert scaled(row["roofline_s"], "time", 3) in printed
            if row["k"]:
                assert f" {row['m']:.0f}x{row['n']:.0f}x{row['k']:.0f} " in printed


def test_no_number_of_a_list_is_cut(run: Run) -> None:
    printed = run("list", "model").stdout
    assert "10,485,760" in printed
    assert "1,026.41 B" in printed
    assert max(map(len, printed.splitlines())) <= 100

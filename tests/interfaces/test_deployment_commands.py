"""Commands on deployment files: what became of each, and whose fault a wrong value is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from deployments.helping import DATA, H100, written
from llmperf.deployments import Finding

Run = Callable[..., CompletedProcess[str]]


def test_commands_take_a_deployment_and_show_what_became_of_it(run: Run, answer: Callable[..., Any]) -> None:
    path = str(DATA / "vllm-serve.sh")
    shown = run("estimate", path, "--hardware", H100, "--batch", "32", "--input", "2048")
    assert shown.returncode == 0, shown.stderr
    assert "not modelled" in shown.stdout
    assert "--speculative-config" in shown.stdout
    for command in ("estimate", "memory", "ops"):
        data = answer(command, path, "--hardware", H100, "--batch", "32")
        assert data["scenario"]["parallelism"]["tp"] == 8
        assert data["deployment"]["name"] == "vllm-serve"
        assert len(data["deployment"]["findings"]) > 10


def test_one_of_several_deployments_is_chosen(run: Run, answer: Callable[..., Any]) -> None:
    path = str(DATA / "k8s.yaml")
    shown = run("estimate", path)
    assert shown.returncode == 2
    assert "llama, mistral" in shown.stderr
    assert answer("estimate", path, "--deployment", "mistral")["deployment"]["name"] == "mistral"
    assert run("estimate", path, "--deployment", "nobody").returncode == 2
    assert run("estimate", "llama-70b-8xh100", "--deployment", "x").returncode == 2


def test_flags_go_before_the_file(answer: Callable[..., Any]) -> None:
    found = answer("estimate", str(DATA / "vllm-serve.sh"), "--hardware", "h200-sxm", "--tp", "4")["scenario"]
    assert (found["parallelism"]["tp"], found["hardware"]["name"]) == (4, "h200-sxm")


def test_faults_of_the_scenario_have_the_lines_of_the_file(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path, "run.sh", "vllm serve llama-3.1-8b \\\n  --tensor-parallel-size 64\n")
    done = run("estimate", str(path), "--hardware", H100)
    assert done.returncode == 2
    assert "run.sh:2" in done.stderr


def test_a_scenario_of_a_model_and_devices_is_one(run: Run, answer: Callable[..., Any], tmp_path: Path) -> None:
    path = written(tmp_path, "mine.yaml", "model: llama-3.1-8b\ndevices: 8\n")
    data = answer("estimate", str(path), "--hardware", H100)
    assert data["scenario"]["parallelism"]["tp"] == 8
    assert "deployment" not in data
    for key, full in (("tp", "parallelism: {tp: ...}"), ("batch", "workload: {batch: ...}")):
        path = written(tmp_path, "mine.yaml", f"model: llama-3.1-8b\n{key}: 8\n")
        done = run("estimate", str(path), "--hardware", H100)
        assert done.returncode == 2
        assert full in done.stderr


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("compare", ["--with", "kv_cache=bf16"]),
        ("roofline", []),
        ("report", ["-o", "page.html"]),
        ("compare", [str(DATA / "sglang.sh")]),
        ("report", [str(DATA / "k8s.yaml"), "--deployment", "llama", "-o", "page.html"]),
    ],
)
def test_every_command_says_what_became_of_each_deployment_file(
    command: str, arguments: list[str], run: Run, answer: Callable[..., Any], tmp_path: Path
) -> None:
    if command == "report":
        pytest.importorskip("plotly")
    arguments = [str(tmp_path / one) if one == "page.html" else one for one in arguments]
    common = [command, str(DATA / "vllm-serve.sh"), *arguments, "--hardware", "h200-sxm", "--batch", "4"]
    common += ["--force"] if command == "report" else []
    shown = run(*common)
    assert shown.returncode == 0, shown.stderr
    assert "not modelled" in shown.stdout
    assert "--speculative-config" in shown.stdout
    data = answer(*common)
    found = data["deployments"] if arguments[:1] and arguments[0].startswith("/") else [data["deployment"]]
    assert found[0]["name"] == "vllm-serve"
    assert len(found) == (2 if "deployments" in data else 1)
    assert all(len(one["findings"]) > 2 for one in found)
    if command == "report":
        page = (tmp_path / "page.html").read_text()
        assert "--speculative-config" in page
        assert all(one["name"] in page for one in found)


def test_findings_are_escaped_in_a_report() -> None:
    from llmperf.interfaces.report.sections.scenario import _findings, table

    (row,) = _findings([Finding("assumed", "<script>", "<b>", message="&lt;").to_dict()])
    made = table(("a",) * 5, [row], text=5)
    assert "<script>" not in made
    assert "<b>" not in made


def test_deployments_are_compared_by_their_names(answer: Callable[..., Any]) -> None:
    files = (str(DATA / "vllm-serve.sh"), str(DATA / "k8s.yaml"))
    data = answer("compare", *files, "--deployment", "llama", "--hardware", H100, "--batch", "4")
    assert [one["label"] for one in data["configurations"]] == ["vllm-serve", "llama"]
    assert [one["scenario"]["parallelism"]["tp"] for one in data["configurations"]] == [8, 4]


@pytest.mark.parametrize("command", ["estimate", "roofline"])
def test_a_wrong_flag_is_no_fault_of_the_deployment_file(command: str, run: Run) -> None:
    done = run(command, str(DATA / "k8s.yaml"), "--deployment", "llama", "--hardware", "h100-sx")
    assert done.returncode == 2
    assert "--hardware: unknown hardware 'h100-sx' (did you mean h100-sxm?)" in done.stderr
    assert "k8s.yaml" not in done.stderr
    done = run("estimate", str(DATA / "vllm-serve.sh"), "--hardware", H100, "--tp", "-1")
    assert "--tp" in done.stderr
    assert "vllm-serve.sh" not in done.stderr


def test_a_wrong_change_is_no_fault_of_the_deployment_file(run: Run) -> None:
    for command in ("compare", "roofline"):
        done = run(command, str(DATA / "vllm-serve.sh"), "--hardware", H100, "--with", "kv_cache=fp88")
        assert done.returncode == 2
        assert "unknown kv_cache 'fp88'" in done.stderr
        assert "vllm-serve.sh" not in done.stderr

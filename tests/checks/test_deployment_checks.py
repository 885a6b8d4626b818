"""Checks of deployment files: that they fit, and which files they rest on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import llmperf
from deployments.helping import H100, served, written
from llmperf.checks import words
from llmperf.errors import InputError
from llmperf.interfaces import ci as reports


def test_every_file_that_was_read_is_named(tmp_path: Path) -> None:
    config = written(tmp_path, "flags.yaml", "max-num-seqs: 9\n")
    one = served(tmp_path, "--config flags.yaml --tensor-parallel-size 2")
    assert one.files == (str(tmp_path / "run.sh"), str(config))
    assert one.to_dict()["files"] == list(one.files)
    assert served(tmp_path, "").files == (str(tmp_path / "run.sh"),)
    check = llmperf.check({"deployment": str(tmp_path / "run.sh"), "hardware": H100, "expect": {"fits": True}})
    assert str(config) not in check.results[0].check.files
    served(tmp_path, "--config flags.yaml")
    check = llmperf.check({"deployment": str(tmp_path / "run.sh"), "hardware": H100, "expect": {"fits": True}})
    assert str(config) in check.results[0].check.files
    assert str(config) in llmperf.check(deployment=tmp_path / "run.sh", hardware=H100).results[0].check.files


def test_a_server_must_hold_one_sequence_of_its_longest_context(tmp_path: Path) -> None:
    for length, status in ((131072, "failed"), (8192, "passed")):
        text = f"vllm serve meta-llama/Llama-3.1-8B-Instruct \\\n  --max-model-len {length}\n"
        (result,) = llmperf.check(deployment=written(tmp_path, "run.sh", text), hardware="l4").results
        assert result.status == status
        fits, longest = result.verdicts
        assert fits.holds
        assert longest.limit.output == "max_concurrency_at_max_context"
        assert longest.limit.place.line == 2
        assert longest.holds == (status == "passed")
        assert any("1024 prompt and 128 output tokens" in note for note in result.check.notes)
        assert any(str(length) in note for note in result.check.notes)


def test_hardware_of_a_check_that_is_unknown_is_a_fault_of_the_flag(tmp_path: Path) -> None:
    path = written(tmp_path, "run.sh", "vllm serve llama-3.1-8b\n")
    with pytest.raises(InputError) as caught:
        llmperf.check(deployment=path, hardware="h100-sx")
    (problem,) = caught.value.problems
    assert (problem.path, problem.file, problem.suggestion) == ("--hardware", None, "h100-sxm")
    assert "h200-sxm" in problem.allowed


# --- What the file says and is not understood ------------------------------------------------------------------------

UNDEFINED = "#!/bin/sh\nvllm serve meta-llama/Llama-3.1-8B-Instruct --tensor-parallel-size $TP --max-model-len $LEN\n"


def test_strict_checks_fail_on_what_is_not_understood_at_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "run.sh", UNDEFINED)
    assert llmperf.check(deployment=path, hardware=H100).exit_code == 0
    found = llmperf.check(deployment=path, hardware=H100, strict=True)
    assert found.exit_code == 1
    said = list(words.findings(found))
    assert [(one.rule, one.place.file, one.place.line) for one in said] == [("not-understood", str(path), 2)] * 2
    assert "$TP is not defined" in said[0].message


def test_what_a_check_says_itself_needs_no_variable_of_the_file(tmp_path: Path) -> None:
    entry = {"deployment": str(written(tmp_path, "run.sh", UNDEFINED)), "hardware": H100, "expect": {"fits": True}}
    settled = {**entry, "tp": 2, "model.max_context": 4096}
    assert llmperf.check(entry, strict=True).exit_code == 1
    found = llmperf.check(settled, strict=True)
    assert found.exit_code == 0
    assert not any("not understood" in note for note in found.results[0].check.notes)


@pytest.mark.parametrize("text", ["tensor_parallel_size: 2\nmax_batch_size: 64\n", "vllm serve /models/of-ours\n"])
def test_a_model_is_given_to_files_that_name_none(text: str, tmp_path: Path) -> None:
    path = written(tmp_path, "engine.yaml" if "size" in text else "run.sh", text)
    assert llmperf.check(deployment=path, hardware=H100).exit_code == 2
    (result,) = llmperf.check(deployment=path, hardware=H100, model="qwen3-8b", strict=True).results
    assert (result.status, result.check.scenario["model"]) == ("passed", "qwen3-8b")
    other = written(tmp_path, "other.sh", "vllm serve llama-3.1-8b\n")
    (result,) = llmperf.check(deployment=other, hardware=H100, model="qwen3-8b").results
    assert result.check.scenario["model"] == "llama-3.1-8b"
    with pytest.raises(InputError) as caught:
        llmperf.check(deployment=path, hardware=H100, model="qwen3-8bb")
    assert caught.value.problems[0].path == "--model"


# --- Where a failure goes back to ------------------------------------------------------------------------------------

POD = """\
kind: Pod
metadata: {{name: demo}}
spec:
  nodeSelector: {{nvidia.com/gpu.product: NVIDIA-L40S}}
  containers:
  - name: engine
    image: vllm/vllm-openai:v0.10.0
    command: [vllm, serve]
    args:
    - {model}
    - --max-num-seqs=64
    resources: {{limits: {{nvidia.com/gpu: 1}}}}
"""
CHECK = """\
checks:
- name: chat
  deployment: d.yaml
  workload: {batch: 4, input: 1024, output: 128}
  expect: {fits: true, ttft_s: {max: 100 s}}
"""


@pytest.fixture
def chat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A check of a deployment in a directory of its own, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.delenv("CI_PROJECT_DIR", raising=False)
    (tmp_path / "d.yaml").write_text(POD.format(model="Qwen/Qwen3-32B"))
    (tmp_path / "c.llmperf.yaml").write_text(CHECK)
    return Path("c.llmperf.yaml")


def test_a_failure_says_how_much_what_would_fit_and_which_line(chat: Path) -> None:
    found = llmperf.check(chat)
    (result,) = found.results
    texts = {name: report(found) for name, report in reports.FORMATS.items()}
    needed, there = (result.answered.values[name] / 2**30 for name in ("required", "usable"))
    said = f"needs {needed:.1f} GiB, has {there:.1f} GiB on 1 x l40s; would fit with --tp 2"
    for name in ("text", "github", "gitlab", "junit", "sarif", "markdown", "json"):
        assert said in " ".join(texts[name].split()), name
    assert texts["github"].startswith("::error file=d.yaml,line=10,")
    (failed,) = (one for one in json.loads(texts["sarif"])["runs"][0]["results"])
    place = failed["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("c.llmperf.yaml", 5)
    lines = [one["physicalLocation"]["region"]["startLine"] for one in failed["relatedLocations"]]
    assert (lines[0], set(lines)) == (10, {10, 3, 7, 11})
    assert "d.yaml:10: model Qwen/Qwen3-32B" in texts["junit"]
    # the change that is advised does fit
    again = llmperf.check({**result.check.scenario, "parallelism": {"tp": 2}, "expect": {"fits": True}})
    assert again.exit_code == 0


def test_what_does_not_fit_has_no_margin_but_that_of_memory(chat: Path) -> None:
    (result,) = llmperf.check(chat).results
    margins = {one.limit.output: one.margin for one in result.verdicts}
    assert margins == {"fits": None, "ttft_s": None}
    Path("c.llmperf.yaml").write_text(CHECK.replace("fits: true", "memory.weights: {max: 40 GiB}"))
    (result,) = llmperf.check(chat).results
    assert result.verdicts[0].margin is not None
    assert "would fit with" in result.advice


def test_a_drift_goes_back_to_the_line_that_the_lock_file_has_otherwise(chat: Path) -> None:
    Path("d.yaml").write_text(POD.format(model="Qwen/Qwen3-4B"))
    assert llmperf.check(chat, update=True).exit_code == 0
    Path("d.yaml").write_text(POD.format(model="Qwen/Qwen3-8B"))
    found = llmperf.check(chat)
    (drift,) = words.findings(found)
    assert drift.rule == "drift"
    assert [(one.place.file, one.place.line) for one in drift.related] == [("d.yaml", 10)]
    assert " -> " in drift.message
    assert "::error file=d.yaml,line=10," in reports.FORMATS["github"](found)


def test_a_failure_goes_back_to_the_lines_that_have_changed(chat: Path) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "core.hooksPath=/dev/null")
        subprocess.run(["git", *who, *arguments], check=True, capture_output=True)

    text = POD.format(model="Qwen/Qwen3-8B")
    Path("d.yaml").write_text(text)
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message=all")
    Path("d.yaml").write_text(text.replace("--max-num-seqs=64", "--gpu-memory-utilization=0.3"))
    (result,) = llmperf.check(chat, changed_since="HEAD").results
    assert result.status == "failed"
    assert [one.place.line for one in words.related(result)] == [11]


def test_a_deployment_that_cannot_be_read_is_one_error(chat: Path) -> None:
    Path("d.yaml").unlink()
    (problem,) = llmperf.check(chat).problems
    assert (problem.file, problem.line) == ("c.llmperf.yaml", 3)
    assert "d.yaml: no such file" in problem.message
    Path("d.yaml").write_text("nothing: that is known\n")
    (problem,) = llmperf.check(chat).problems
    assert (problem.file, problem.line) == ("c.llmperf.yaml", 3)
    Path("d.yaml").write_text(
        POD.format(model="Qwen/Qwen3-8B --tensor-parallel-size=two").replace(" --t", "\n    - --t")
    )
    (problem,) = llmperf.check(chat).problems
    assert (problem.file, problem.line) == ("d.yaml", 11)


def test_paths_are_those_of_the_repository(chat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (chat.absolute().parent / ".git").mkdir()
    for file in ("d.yaml", "c.llmperf.yaml"):
        target = Path("sizing") / file
        target.parent.mkdir(exist_ok=True)
        Path(file).rename(target)
    monkeypatch.chdir("sizing")
    found = llmperf.check(chat)
    for name in ("github", "gitlab", "sarif", "junit"):
        assert "sizing/d.yaml" in reports.FORMATS[name](found), name
        assert "sizing/c.llmperf.yaml" in reports.FORMATS[name](found) or name == "gitlab", name


@pytest.mark.parametrize(
    ("expect", "parts"),
    [
        ({"fits": True, "max_concurrency_at_max_context": {"min": 1}}, ("--tp", "--weights fp8")),
        ({"fits": True, "max_concurrency_at_max_context": {"min": 4}}, ("--tp",)),
        ({"fits": True, "ttft_s": {"max": "1 us"}}, ()),
    ],
)
def test_what_is_advised_keeps_all_limits_of_the_check(
    expect: dict[str, object], parts: tuple[str, ...], tmp_path: Path
) -> None:
    text = "vllm serve meta-llama/Llama-3.1-70B-Instruct --tensor-parallel-size 2\n"
    path = written(tmp_path, "run.sh", text)
    check = {"deployment": str(path), "hardware": H100, "expect": expect}
    (result,) = llmperf.check(check).results
    advised = [one.split(" (")[0] for one in result.advice.partition("; would fit with ")[2].split(" or ") if one]
    if not parts:
        assert "no single change would make it pass, though it would fit with --tp 4" in result.advice
    for part in parts:
        assert any(one.startswith(part) for one in advised)
    for one in advised:
        name, value = one.removeprefix("--").split()
        changed = {name.replace("-", "_"): int(value) if value.isdigit() else value}
        assert llmperf.check({**check, **changed}).exit_code == 0, one


def test_a_shorter_context_that_is_advised_passes(tmp_path: Path) -> None:
    text = "llama-server -m Llama-3.1-8B-Instruct-Q8_0.gguf -c {context} -np 4\n"
    path = written(tmp_path, "run.sh", text.format(context=262144))
    (result,) = llmperf.check(deployment=path, hardware="rtx-4090").results
    tokens = int(result.advice.partition("a longest context of ")[2].partition(" ")[0].replace(",", ""))
    for context, code in ((4 * tokens, 0), (4 * (tokens + 64), 1)):
        written(tmp_path, "run.sh", text.format(context=context))
        assert llmperf.check(deployment=path, hardware="rtx-4090").exit_code == code

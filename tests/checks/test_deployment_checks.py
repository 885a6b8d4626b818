"""Checks of deployment files: that they fit, and which files they rest on."""

from __future__ import annotations

from pathlib import Path

import pytest

import llmperf
from deployments.helping import H100, served, written
from llmperf.errors import InputError


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

"""Configurations as people have them: as transformers wrote them, in folders, of architectures that nobody mapped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from importers.test_huggingface import config

import llmperf
from calling import called


def folder(where: Path, name: str, **changes: object) -> Path:
    (where / name).mkdir()
    (where / name / "config.json").write_text(json.dumps(config("mamba2-2.7b-hf", **changes)))
    return where / name


def test_infinity_in_a_configuration_is_read_as_python_writes_it(tmp_path: Path) -> None:
    written = folder(tmp_path, "mamba2", time_step_limit=[0.0, float("inf")], unset=float("nan"))
    assert "Infinity" in (written / "config.json").read_text()
    assert json.loads(called("show", str(written), "--json").stdout)["derived"]["parameters"] == 2_702_599_680


def test_infinity_elsewhere_is_no_number(tmp_path: Path) -> None:
    workload = '{"model": "llama-3.1-8b", "hardware": "h100-sxm", "workload": {"batch": Infinity}}'
    (tmp_path / "s.json").write_text(workload)
    with pytest.raises(llmperf.InputError, match="Infinity is not a JSON number"):
        llmperf.load(str(tmp_path / "s.json"))


def test_a_folder_needs_no_dot_before_it(tmp_path: Path) -> None:
    folder(tmp_path, "my-model")
    for command in (["memory", "--model", "my-model", "--hardware", "h100-sxm"], ["show", "my-model"]):
        answer = called(*command, cwd=tmp_path)
        assert answer.returncode == 0, answer.stderr


def test_a_name_of_the_catalog_is_no_folder(tmp_path: Path) -> None:
    folder(tmp_path, "llama-3.1-8b")
    shown = json.loads(called("show", "llama-3.1-8b", "--json", cwd=tmp_path).stdout)
    assert shown["derived"]["parameters"] == 8_030_261_248

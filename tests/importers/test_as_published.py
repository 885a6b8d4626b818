"""Configurations as people have them: as transformers wrote them, in folders, of architectures that nobody mapped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from importers.test_huggingface import DEFAULTS, config

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


def test_dots1_is_read_as_experts_with_plain_attention(tmp_path: Path) -> None:
    written = dict(DEFAULTS["Dots1ForCausalLM"]["config"], first_k_dense_replace=1, n_routed_experts=128)
    written |= {"n_shared_experts": 2, "num_hidden_layers": 62, "intermediate_size": 10944, "num_experts_per_tok": 6}
    written |= {
        "hidden_size": 4096,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "moe_intermediate_size": 1408,
    }
    written |= {"vocab_size": 152064, "sliding_window": 5, "use_sliding_window": False, "layer_types": None}
    (tmp_path / "dots1.config.json").write_text(json.dumps(written))
    counts = json.loads(called("show", str(tmp_path / "dots1.config.json"), "--json").stdout)["derived"]
    assert counts["parameters"] == pytest.approx(142.8e9, rel=0.005)
    assert counts["active_parameters"] == pytest.approx(14e9, rel=0.01)


@pytest.mark.parametrize("name", ["RecurrentGemmaForCausalLM", "RwkvForCausalLM", "LlamaForCausalLM"])
def test_what_cannot_be_read_is_told_in_one_line_with_a_way_on(name: str, tmp_path: Path) -> None:
    written = {"architectures": [name], "model_type": "new", "attention_window_size": 2048}
    (tmp_path / "new.config.json").write_text(json.dumps(written))
    answer = called("memory", "--model", str(tmp_path / "new.config.json"), "--hardware", "h100-sxm")
    lines = answer.stderr.strip().splitlines()
    assert (answer.returncode, len(lines)) == (2, 1)
    assert name in lines[0]
    assert "new.config.json" in lines[0]
    assert "add-a-model" in lines[0]

"""What is emitted is read back to the same scenario."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmperf import InputError
from llmperf.deployments import read
from llmperf.deployments.emit import FORMS, TOOLS, emitted
from llmperf.descriptors.scenario import Scenario
from llmperf.scenarios.resolve import resolve

ENGINES = {"vllm": "vllm", "sglang": "sglang", "trtllm": "tensorrt-llm"}
SCENARIOS: dict[str, dict[str, Any]] = {
    "dense, quantized when loaded": {"model": "llama-3.1-70b", "hardware": "h100-sxm", "weights": "fp8", "tp": 4},
    "a pipeline": {"model": "llama-3.1-70b", "hardware": "mi300x", "tp": 2, "pp": 2},
    "experts as released, spread": {"model": "gpt-oss-120b", "hardware": "h200-sxm", "tp": 4, "ep": 4},
    "experts that are split": {"model": "gpt-oss-120b", "hardware": "h100-sxm", "tp": 2, "kv_cache": "fp8"},
    "ranks of attention": {"model": "deepseek-v3", "hardware": "h200-sxm", "dp": 8, "ep": 8},
    "an engine with numbers of its own": {
        "model": "qwen3-32b",
        "hardware": "h200-sxm",
        "tp": 2,
        "engine.max_sequences": 96,
        "engine.token_budget": 4096,
        "engine.utilization": 0.8,
        "model.max_context": 16384,
    },
}


def resolved(**keys: Any) -> Scenario:
    return resolve(None, {"input": 1024, "output": 256, **keys}).template


def read_back(folder: Path, text: str, form: str, hardware: str) -> Scenario:
    path = folder / ("emitted.yaml" if form == "kubernetes" else "emitted.sh")
    path.write_text(text)
    (found,) = read(path, hardware=None if form == "kubernetes" else hardware)
    assert not [one for one in found.findings if one.kind in ("not_understood", "not_modelled")]
    return resolve(found.scenario, {"input": 1024, "output": 256}).template


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("manifest", [False, True])
def test_what_is_emitted_is_the_same_scenario(name: str, tool: str, manifest: bool, tmp_path: Path) -> None:
    keys = SCENARIOS[name]
    if tool == "trtllm" and keys.get("weights") == "fp8":
        keys = {**keys, "weights": "bf16"}  # it makes no weights when it loads: that is a test of its own
    scenario = resolved(engine=ENGINES[tool], replicas=3 if manifest else 1, **keys)
    form = "kubernetes" if manifest else tool
    assert read_back(tmp_path, emitted(scenario, form), form, keys["hardware"]) == scenario


@pytest.mark.parametrize("engine", ["vllm-2026", "vllm-2024", "tensorrt-llm-2024"])
def test_a_manifest_names_the_version_that_an_engine_stands_for(engine: str, tmp_path: Path) -> None:
    scenario = resolved(model="llama-3.1-8b", hardware="h100-sxm", engine=engine)
    assert read_back(tmp_path, emitted(scenario, "kubernetes"), "kubernetes", "h100-sxm") == scenario


def test_ranks_of_sglang_share_the_sequences_that_a_server_runs(tmp_path: Path) -> None:
    keys = {"model": "deepseek-v3", "hardware": "h200-sxm", "dp": 8, "ep": 8, "engine": "sglang"}
    scenario = resolved(**keys, **{"engine.max_sequences": 32})
    text = emitted(scenario, "sglang")
    assert "--max-running-requests 256" in text
    assert read_back(tmp_path, text, "sglang", "h200-sxm") == scenario


def test_weights_that_no_flag_makes_are_of_the_checkpoint() -> None:
    scenario = resolved(model="llama-3.1-70b", hardware="h100-sxm", weights="w4a16-g128", tp=2, engine="vllm")
    assert "serve a checkpoint of the model whose weights are in w4a16-g128" in emitted(scenario, "vllm")


def test_a_line_for_another_tool_says_whose_numbers_were_used() -> None:
    scenario = resolved(model="llama-3.1-8b", hardware="h100-sxm", engine="generic")
    assert "# sized with the engine generic" in emitted(scenario, "sglang")


@pytest.mark.parametrize(
    ("form", "keys", "said"),
    [
        ("docker", {}, "allowed: vllm"),
        ("vllm", {"tp": 4, "ep": 2, "model": "gpt-oss-120b"}, "spreads experts over all 4"),
        ("trtllm", {"tp": 2, "dp": 2, "ep": 4, "model": "gpt-oss-120b"}, "a rank of the attention"),
        ("sglang", {"kv_cache": "int4"}, "no KV cache of the format int4"),
        ("kubernetes", {"tp": 8, "pp": 2}, "spans several hosts of 8"),
    ],
)
def test_what_cannot_be_said_is_an_error(form: str, keys: dict[str, Any], said: str) -> None:
    scenario = resolved(**{"model": "llama-3.1-8b", "hardware": "h100-sxm", "engine": "generic", **keys})
    with pytest.raises(InputError, match=said):
        emitted(scenario, form)


def test_a_chip_without_a_resource_of_a_cluster_is_refused() -> None:
    scenario = resolved(model="llama-3.1-8b", hardware="h100-sxm")
    other = replace(scenario, hardware=replace(scenario.hardware, vendor="Nobody"))
    with pytest.raises(InputError, match="no resource of Kubernetes"):
        emitted(other, FORMS[-1])

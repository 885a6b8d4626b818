"""Servers of llama.cpp and Ollama as scenarios."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import llmperf
from calling import called
from deployments.helping import kinds, written
from llmperf.deployments import Deployment, read


def one(folder: Path, text: str, name: str = "run.sh", hardware: str | None = "rtx-4090") -> Deployment:
    (found,) = read(written(folder, name, text), hardware=hardware)
    return found


def test_a_server_of_llama_cpp_is_a_scenario(tmp_path: Path) -> None:
    flags = "-m /m/Qwen3-8B-Q4_K_M.gguf -c 32768 -np 4 -ngl 99 -fa on -ctk q8_0 -ctv q8_0 -ub 1024 --port 80 --temp 1"
    found = one(tmp_path, f"llama-server {flags}\n")
    assert found.scenario["model"] == {"extends": "qwen3-8b", "max_context": 8192}  # 32,768 over four slots
    assert found.scenario["engine"] == {"extends": "llama.cpp-cuda", "max_sequences": 4, "token_budget": 1024}
    assert found.scenario["weights"] == "q4_k_m"
    assert found.scenario["kv_cache"]["bits"] == 8.5
    assert {kinds(found)[name] for name in ("--port", "--temp")} == {"ignored"}
    assert "not_understood" not in kinds(found).values()
    assert bool(llmperf.estimate(found.scenario).memory.fits)


@pytest.mark.parametrize(
    ("flags", "context", "sequences"),
    [
        ("-c 8192", 8192, 4),  # slots of their own number share one context
        ("-c 8192 -np 2", 4096, 2),
        ("-c 8192 -np 2 --kv-unified", 8192, 2),
        ("-c 8192 -np 2 -kvu", 8192, 2),
        ("-c 0 -np 2", None, 2),
        ("--ctx-size 8192 --parallel 1", 8192, 1),
    ],
)
def test_slots_divide_the_context_or_share_it(flags: str, context: int | None, sequences: int, tmp_path: Path) -> None:
    found = one(tmp_path, f"llama-server -hf unsloth/Qwen3-8B-GGUF {flags}\n")
    assert (found.max_context, found.max_sequences) == (context, sequences)


@pytest.mark.parametrize(
    ("flags", "layout"),
    [
        ("", {}),
        ("-ts 1,1", {"pp": 2}),
        ("-ts 3,1,0 -sm layer", {"pp": 2}),
        ("-ts 1,1 -sm row", {"tp": 2}),
        ("-ts 1,1 -sm none", {"tp": 1}),
    ],
)
def test_shares_of_devices_are_a_layout(flags: str, layout: dict[str, int], tmp_path: Path) -> None:
    assert one(tmp_path, f"llama-server -m qwen3-8b.gguf {flags}\n").scenario.get("parallelism", {}) == layout


@pytest.mark.parametrize(
    ("layers", "kind"), [("36", "understood"), ("99", "understood"), ("all", "understood"), ("20", "not_modelled")]
)
def test_layers_that_stay_with_the_processor_are_said(layers: str, kind: str, tmp_path: Path) -> None:
    assert kinds(one(tmp_path, f"llama-server -m qwen3-8b.gguf -ngl {layers}\n"))["-ngl"] == kind


@pytest.mark.parametrize(
    ("image", "hardware", "engine"),
    [
        ("ghcr.io/ggml-org/llama.cpp:server-cuda", "l4", "llama.cpp-cuda"),
        ("ghcr.io/ggml-org/llama.cpp:server-rocm-b5200", "mi300x", "llama.cpp-cuda"),
        ("ghcr.io/ggml-org/llama.cpp:server-vulkan", "rtx-4090", "llama.cpp-vulkan"),
        ("ghcr.io/ggml-org/llama.cpp:server", "epyc-9654", "llama.cpp-cpu"),
        ("ghcr.io/ggml-org/llama.cpp:server", "m2-ultra", "llama.cpp-metal"),
        ("ghcr.io/ggml-org/llama.cpp:server", "rx-7900-xtx", "llama.cpp-vulkan"),
        ("ghcr.io/ggml-org/llama.cpp:server-rocm", "rx-7900-xtx", "llama.cpp-cuda"),
    ],
)
def test_the_backend_is_that_of_the_image_or_of_the_hardware(
    image: str, hardware: str, engine: str, tmp_path: Path
) -> None:
    scenario = one(tmp_path, f"docker run {image} -m qwen3-8b.gguf -np 1\n", hardware=hardware).scenario
    assert scenario["engine"]["extends"] == engine


def test_threads_count_where_a_processor_computes(tmp_path: Path) -> None:
    command = "llama-server -m Qwen3-8B-Q4_K_M.gguf -t 8\n"
    processor, card = (one(tmp_path, command, hardware=hardware) for hardware in ("i9-13900k", "rtx-4090"))
    engine = processor.scenario["engine"]
    assert (engine["extends"], engine["threads"]) == ("llama.cpp-cpu", 8)
    assert "threads" not in str(card.scenario["engine"])
    assert kinds(processor)["-t"] == "understood"
    assert kinds(card)["-t"] == "ignored"


def test_variables_stand_for_flags_which_go_before_them(tmp_path: Path) -> None:
    text = """
        services:
          cpp:
            image: ghcr.io/ggml-org/llama.cpp:server-cuda
            command: {command}
            environment:
              LLAMA_ARG_HF_REPO: unsloth/Qwen3-8B-GGUF:Q5_K_M
              LLAMA_ARG_CTX_SIZE: 8192
              LLAMA_ARG_N_PARALLEL: 2
    """
    found = one(tmp_path, text.format(command="[]"), "c.yaml")
    assert (found.name, found.scenario["weights"], found.max_context) == ("cpp", "q5_k_m", 4096)
    found = one(tmp_path, text.format(command="-c 4096"), "c.yaml")
    assert found.max_context == 2048
    assert kinds(found)["LLAMA_ARG_CTX_SIZE"] == "ignored"


def test_models_that_ollama_runs_or_pulls_are_scenarios(tmp_path: Path) -> None:
    script = (
        "ollama serve &\nOLLAMA_NUM_PARALLEL=2 ollama run llama3.1:8b\nollama pull hf.co/unsloth/Qwen3-8B-GGUF:Q8_0\n"
    )
    first, second = read(written(tmp_path, "run.sh", script), hardware="rtx-4090")
    assert (first.scenario["model"], first.scenario["weights"], first.max_sequences) == ("llama-3.1-8b", "q4_k_m", 2)
    assert (second.scenario["model"], second.scenario["weights"]) == ("qwen3-8b", "q8_0")
    released = one(tmp_path, "ollama run gpt-oss:20b\n")
    assert "weights" not in released.scenario or released.scenario["weights"] == "mxfp4"


def test_a_server_that_is_told_no_model_needs_one(tmp_path: Path) -> None:
    text = "services: {o: {image: ollama/ollama, environment: {OLLAMA_CONTEXT_LENGTH: 8192, OLLAMA_NEW: 1}}}\n"
    found = one(tmp_path, text, "c.yaml")
    assert found.scenario["model"] == {"max_context": 8192}
    assert kinds(found)["OLLAMA_NEW"] == "not_understood"
    result: Any = llmperf.check(deployment=tmp_path / "c.yaml", hardware="rtx-4090", model="qwen3-8b").results[0]
    assert result.status == "passed"


def test_all_that_a_server_allocates_at_its_start_must_fit(tmp_path: Path) -> None:
    for flags, least in (("-c 262144 -np 4", 4), ("-c 65536 -np 1", 1), ("-c 65536 -np 4 -kvu", 1)):
        path = written(tmp_path, "run.sh", f"llama-server -m Llama-3.1-8B-Instruct-Q8_0.gguf {flags} -ngl 99\n")
        (result,) = llmperf.check(deployment=path, hardware="rtx-4090").results
        longest = result.verdicts[1]
        assert (longest.limit.value, result.status) == (least, "failed" if least > 1 else "passed")
        assert any("allocates" in note and "holds no more" in note for note in result.check.notes)


@pytest.mark.parametrize(
    ("script", "limit"),
    [
        ("vllm serve qwen3-8b --max-model-len 8192", "context"),
        ("llama-server -m Qwen3-8B-Q4_K_M.gguf -c 8192 -np 1", "context"),
        ("export OLLAMA_CONTEXT_LENGTH=8192\nollama run qwen3:8b", "context"),
        ("vllm serve qwen3-8b", "model"),
    ],
)
def test_a_context_that_is_asked_for_is_no_limit_of_the_model(script: str, limit: str, tmp_path: Path) -> None:
    path = written(tmp_path, "run.sh", f"{script}\n")
    done = called("memory", str(path), "--hardware", "rtx-pro-6000", "--json")
    assert json.loads(done.stdout)["limited_by"]["max_context"] == limit
    said = " ".join(called("memory", str(path), "--hardware", "rtx-pro-6000").stdout.split())
    assert ("which allows no more" in said) == (limit == "model")
    assert ("the context that is asked for, of 8,192 tokens" in said) == (limit == "context")

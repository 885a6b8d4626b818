"""A deployment file and the same question by flags have one answer, whatever the file is."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from calling import called

NUMBERS = {
    "tensor-parallel-size": (("--tp", "{}"), (1, 2, 4)),
    "pipeline-parallel-size": (("--pp", "{}"), (1, 2)),
    "max-model-len": (("--set", "model.max_context={}"), (2048, 8192)),
    "max-num-seqs": (("--set", "engine.max_sequences={}"), (16, 300)),
    "gpu-memory-utilization": (("--set", "engine.utilization={}"), (0.5, 0.85)),
    "max-num-batched-tokens": (("--set", "engine.token_budget={}"), (2048, 16384)),
    "block-size": (("--set", "engine.kv_block={}"), (16, 128)),
    "kv-cache-dtype": (("--kv-cache", "{}"), ("fp8",)),
    "quantization": (("--weights", "{}"), ("fp8",)),
    "enforce-eager": (("--set", "engine.graphs=false"), (True,)),
}
"""Flags of vLLM, the same for llmperf, and values."""
MODELS = (
    "Qwen/Qwen3-8B",
    "meta-llama/Llama-3.1-8B-Instruct",
    "RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8-dynamic",
    "Qwen/Qwen2.5-7B-Instruct-AWQ",
    "openai/gpt-oss-20b",
)
Settings = Mapping[str, Any]


def words(model: str, chosen: Settings) -> list[str]:
    given_twice = [("" if value is True else str(value), f"--{name}") for name, value in chosen.items()]
    return [model, *(part for value, flag in given_twice for part in (flag, value) if part)]


def script(model: str, chosen: Settings) -> str:
    return " \\\n  ".join(["vllm serve", *words(model, chosen)]) + "\n"


def pod(model: str, chosen: Settings) -> str:
    container = {"name": "e", "image": "vllm/vllm-openai:v0.10.0", "args": ["--model", *words(model, chosen)]}
    return yaml.safe_dump({"kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [container]}})


def compose(model: str, chosen: Settings) -> str:
    command = "--model " + " ".join(words(model, chosen))
    return yaml.safe_dump({"services": {"a": {"image": "vllm/vllm-openai:v0.10.0", "command": command}}})


def configuration(model: str, chosen: Settings) -> str:
    return yaml.safe_dump({"model": model, "port": 8000, "disable-log-requests": True, "swap-space": 4, **chosen})


FILES: dict[str, Callable[[str, Settings], str]] = {
    "run.sh": script,
    "pod.yaml": pod,
    "compose.yaml": compose,
    "config.yaml": configuration,
}


def answered(*arguments: str, cwd: Path) -> dict[str, Any]:
    done = called(
        "estimate", *arguments, "--hardware", "h100-sxm", "--input", "512", "--output", "32", "--json", cwd=cwd
    )
    assert done.returncode == 0, done.stderr
    data: dict[str, Any] = json.loads(done.stdout)
    for said in ("deployment", "warnings", "notes"):  # what is said of the file, and of a model's released format
        data.pop(said, None)
    return data


@pytest.mark.parametrize("name", FILES)
def test_a_file_and_the_same_flags_have_one_answer(name: str) -> None:
    @settings(max_examples=12, derandomize=True, deadline=None, database=None)
    @given(st.sampled_from(MODELS), st.sets(st.sampled_from(sorted(NUMBERS)), max_size=5), st.data())
    def same(model: str, keys: set[str], data: st.DataObject) -> None:
        if "quantization" in keys and model not in MODELS[:2]:
            keys = keys - {"quantization"}  # the checkpoint's own format goes before it
        chosen = {key: data.draw(st.sampled_from(NUMBERS[key][1])) for key in sorted(keys)}
        flags = ["--model", model, "--engine", "vllm"]
        for key, value in chosen.items():
            flag, form = NUMBERS[key][0]
            flags += [flag, form.format(value)]
        with tempfile.TemporaryDirectory() as made:
            (Path(made) / name).write_text(FILES[name](model, chosen))
            assert answered(name, cwd=Path(made)) == answered(*flags, cwd=Path(made))

    same()


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        (
            "python -m sglang.launch_server --model-path Qwen/Qwen3-8B --tp 2 --dp 2 --context-length 8192 "
            "--mem-fraction-static 0.8 --max-running-requests 64 --chunked-prefill-size 4096",
            "--model Qwen/Qwen3-8B --engine sglang --tp 2 --replicas 2 --set model.max_context=8192 "
            "--set engine.utilization=0.8 --set engine.max_sequences=64 --set engine.token_budget=4096",
        ),
        (
            "trtllm-serve meta-llama/Llama-3.1-8B-Instruct --tp_size 2 --max_batch_size 32 --max_num_tokens 4096",
            "--model meta-llama/Llama-3.1-8B-Instruct --engine tensorrt-llm --tp 2 "
            "--set engine.max_sequences=32 --set engine.token_budget=4096",
        ),
        (
            "llama-server -hf unsloth/Qwen3-8B-GGUF:Q8_0 -c 8192 -np 2 -ub 1024 -ts 1,1 -sm row",
            "--model unsloth/Qwen3-8B-GGUF:Q8_0 --engine llama.cpp-cuda --tp 2 --set model.max_context=4096 "
            "--set engine.max_sequences=2 --set engine.token_budget=1024",
        ),
    ],
)
def test_other_tools_have_the_answers_of_the_same_flags(command: str, flags: str, tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text(f"{command}\n")
    assert answered("run.sh", cwd=tmp_path) == answered(*flags.split(), cwd=tmp_path)

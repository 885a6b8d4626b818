"""Ids and names of checkpoints: which model they are of, and in which format; the same for flags, files and runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import llmperf
from llmperf.descriptors.weights import element_bytes
from llmperf.errors import InputError
from llmperf.scenarios import catalog
from llmperf.scenarios.checkpoints import FORMATS, by_name, format_named
from llmperf.scenarios.components import component
from llmperf.scenarios.resolve import resolve

RELEASED = {
    "gpt-oss-20b": "mxfp4",
    "gpt-oss-120b": "mxfp4",
    "openai/gpt-oss-120b": "mxfp4",
    "deepseek-v3": "fp8-block",
    "deepseek-ai/DeepSeek-R1": "fp8-block",
    "deepseek-v3.2": "fp8-block",
    "kimi-k2": "fp8-block",
    "moonshotai/Kimi-K2-Thinking": "w4a16-g32",
    "moonshotai/Kimi-K2.6": "w4a16-g32",
    "minimax-m2.5": "fp8-block",
    "MiniMaxAI/MiniMax-M2": "fp8-block",
    "bitnet-b1.58-2b-4t": "bitnet",
}

IDS = {
    "meta-llama/Llama-3.3-70B-Instruct": ("llama-3.1-70b", "bf16"),
    "Qwen/Qwen3-30B-A3B-Instruct-2507": ("qwen3-30b-a3b-2507", "bf16"),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B": ("qwen2.5-14b", "bf16"),
    "unsloth/DeepSeek-R1-Distill-Llama-70B-bnb-4bit": ("llama-3.1-70b", "nf4"),
    "nvidia/Llama-3.1-405B-Instruct-FP8": ("llama-3.1-405b", "fp8"),
    "RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic": ("llama-3.1-70b", "fp8"),
    "RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w4a16": ("llama-3.1-8b", "w4a16-g128"),
    "RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w8a8": ("llama-3.1-8b", "w8a8-int8"),
    "hugging-quants/Meta-Llama-3.1-70B-Instruct-AWQ-INT4": ("llama-3.1-70b", "w4a16-g128"),
    "Qwen/Qwen2.5-72B-Instruct-GPTQ-Int4": ("qwen2.5-72b", "w4a16-g128"),
    "Qwen/Qwen2.5-72B-Instruct-GPTQ-Int8": ("qwen2.5-72b", "w8a16-g128"),
    "cpatonn/Qwen3-30B-A3B-Instruct-2507-AWQ-4bit": ("qwen3-30b-a3b-2507", "w4a16-g128"),
    "QuantTrio/DeepSeek-V3.2-AWQ": ("deepseek-v3.2", "w4a16-g128"),
    "nvidia/DeepSeek-R1-0528-NVFP4-v2": ("deepseek-r1", "nvfp4"),
    "unsloth/gpt-oss-120b-BF16": ("gpt-oss-120b", "bf16"),
    "ggml-org/gpt-oss-20b-GGUF": ("gpt-oss-20b", "mxfp4"),
    "bartowski/Llama-3.2-1B-Instruct-GGUF": ("llama-3.2-1b", "q4_k_m"),
    "bartowski/Llama-3.2-1B-Instruct-GGUF:Q8_0": ("llama-3.2-1b", "q8_0"),
    "google/gemma-3-27b-it-qat-q4_0-gguf": ("gemma-3-27b", "q4_0"),
    "mlx-community/Llama-3.3-70B-Instruct-4bit": ("llama-3.1-70b", "mlx-w4-g64"),
    "LoneStriker/Llama-3-70B-Instruct-4.65bpw-h6-exl2": ("llama-3-70b", "exl2-w4.65"),
    "turboderp/Llama-3.1-8B-Instruct-exl2:5.0bpw": ("llama-3.1-8b", "exl2-w5"),
    "llama3.1:8b-instruct-q4_K_M": ("llama-3.1-8b", "q4_k_m"),
}


def resolved(model: Any, **more: Any) -> Any:
    return resolve(None, {"model": model, "hardware": "h100-sxm", **more})


@pytest.mark.parametrize(("model", "weights"), RELEASED.items())
def test_a_model_that_is_released_quantized_is_that_format_and_says_so(model: str, weights: str) -> None:
    found = resolved(model)
    assert found.scenario.weights.name == weights
    (said,) = (text for text in found.warnings if "released" in text)
    assert weights in said
    assert "--weights" in said


def test_a_format_that_is_named_goes_before_the_released_one_and_values_on_top_of_it() -> None:
    assert resolved("gpt-oss-20b", weights="bf16").scenario.weights.name == "bf16"
    assert not any("released" in text for text in resolved("gpt-oss-20b", weights="bf16").warnings)
    wider = resolved("gpt-oss-20b", **{"weights.group": 64}).scenario.weights
    assert (wider.bits, wider.group) == (4, 64)


def test_every_released_format_is_of_the_catalog_and_has_a_source() -> None:
    for name in catalog.files("model"):
        data = catalog.load("model", name).data
        if "released" in data:
            assert catalog.find("weights", data["released"])
            assert data["sources"]["released"]


@pytest.mark.parametrize(("devices", "hardware", "model", "gib"), [
    (1, "h100-sxm", "gpt-oss-120b", (59, 61)),
    (8, "h200-sxm", "deepseek-ai/DeepSeek-R1", (78, 80)),
])  # fmt: skip
def test_released_weights_fit_as_their_users_found(
    devices: int, hardware: str, model: str, gib: tuple[float, float]
) -> None:
    """Public loads of the makers' checkpoints; R1 on eight H200 is the usual way to serve it."""
    found = llmperf.estimate(model=model, hardware=hardware, tp=devices)
    assert gib[0] <= found.memory.weights / 2**30 <= gib[1]
    assert found.memory.fits


@pytest.mark.parametrize(("reference", "expected"), IDS.items())
def test_ids_say_their_model_and_their_format(reference: str, expected: tuple[str, str]) -> None:
    found = resolved(reference).scenario
    assert (found.model.name, found.weights.name) == expected


def test_what_is_taken_by_its_name_is_said() -> None:
    (taken, weights) = resolved("nvidia/Llama-3.1-405B-Instruct-FP8").warnings[:2]
    assert "taken as llama-3.1-405b, by its name" in taken
    assert "weights are fp8, by the name" in weights


@pytest.mark.parametrize("reference", ["x/Llama-3.1-8B-Instruct-exl2", "x/Llama-3.1-8B-AQLM", "abc/def", "x/Llama-9B"])
def test_what_a_name_does_not_say_is_not_guessed(reference: str) -> None:
    assert by_name(reference) is None
    with pytest.raises(InputError, match="--download"):
        resolved(reference)


@pytest.mark.parametrize(("reference", "near"), [
    ("mistralai/Mistral-Small-3.2-24B-Instruct-2506", "mistral"),
    ("zai-org/GLM-4.6", "glm"),
    ("deepseek-ai/DeepSeek-V3.5", "deepseek-v3"),
    ("qwen3-31b-a3b", "qwen3-30b-a3b"),
    ("openbmb/AprielX-21B", None),
])  # fmt: skip
def test_the_nearest_model_is_one_of_the_family(reference: str, near: str | None) -> None:
    with pytest.raises(InputError) as caught:
        resolved(reference)
    said = caught.value.problems[0].suggestion
    assert said is None if near is None else near in str(said).lower()


@pytest.mark.parametrize(
    ("written", "bits"),
    [
        ("q4_k_m", 4.8),
        ("Q5_K_M", 5.65),
        ("q3_k_m", 3.84),
        ("exl2-4.0bpw", 4.0),
        ("exl2-4.65", 4.65),
        ("3.5bpw", 3.5),
        ("gptq-int8", 8 + 24 / 128),
        ("gptq-4bit-32g", 4 + 20 / 32),
        ("w4a16-g32", 4.5),
        ("bnb-4bit", 4.5),
        ("awq_marlin", 4 + 20 / 128),
    ],
)
def test_formats_are_named_as_tools_name_them(written: str, bits: float) -> None:
    found = resolved("llama-3.2-1b", weights=written).scenario.weights
    assert 8 * element_bytes(found) == pytest.approx(bits, abs=0.01)


def test_a_file_of_q4_k_m_is_as_large_as_llama_cpp_says() -> None:
    """tools/quantize/README.md of llama.cpp: Llama-3.1-8B has 4.58 GiB in Q4_K_M and 5.33 GiB in Q5_K_M."""
    for name, gib in (("q4_k_m", 4.58), ("q5_k_m", 5.33), ("q3_k_m", 3.74)):
        weights = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", weights=name).memory.weights
        assert weights / 2**30 == pytest.approx(gib, rel=0.01)


def test_formats_that_names_stand_for_are_of_the_catalog() -> None:
    for _, found in FORMATS:
        if isinstance(found, str):
            assert component("weights", found).name == found
    assert format_named("nonsense") is None


def test_a_scenario_file_means_what_the_flags_mean(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("model: nvidia/Llama-3.1-8B-Instruct-FP8\nhardware: 4090\nworkload: {input: 1e3}\n")
    one = resolve(path).scenario
    other = resolve(None, {"model": "nvidia/Llama-3.1-8B-Instruct-FP8", "hardware": "4090", "input": 1000}).scenario
    assert one == other

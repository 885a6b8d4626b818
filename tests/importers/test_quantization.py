"""The quantization that a Hugging Face config.json names becomes a weight format, or is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from importers.test_huggingface import config, problems
from pydantic import TypeAdapter

from llmperf.descriptors.weights import WeightFormat, element_bytes
from llmperf.errors import InputError
from llmperf.importers.huggingface import from_config

INT4 = {"type": "int", "num_bits": 4, "group_size": 128}
FLOAT8 = {"type": "float", "num_bits": 8}
FLOAT4 = {"type": "float", "num_bits": 4, "group_size": 16}


def compressed(weights: Any, inputs: Any, **more: Any) -> dict[str, Any]:
    groups = {"group_0": {"weights": weights, "input_activations": inputs, "targets": ["Linear"]}}
    return {"quant_method": "compressed-tensors", "config_groups": groups, **more}


@pytest.mark.parametrize(
    ("name", "weights", "kv_cache"),
    [
        ("Llama-3.1-8B", None, None),
        ("DeepSeek-V3", "fp8-block", None),
        ("Llama-3.1-8B-Instruct-AWQ-INT4", "w4a16-g128", None),
        ("Llama-3.1-8B-Instruct-quantized.w8a8", "w8a8-int8", None),
        ("Llama-3.1-8B-Instruct-NVFP4", "nvfp4", "fp8"),
        ("DeepSeek-V3.2", "fp8-block", None),
        ("MiniMax-M2.5", "fp8-block", None),
    ],
)
def test_a_real_quantized_config_implies_its_formats(name: str, weights: str | None, kv_cache: str | None) -> None:
    result = from_config(config(name))
    assert (result.weights, result.kv_cache) == (weights, kv_cache)


@pytest.mark.parametrize(
    ("quantization", "weights", "kv_cache"),
    [
        ({"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": True}, "w4a16-g128", None),
        ({"quant_method": "awq", "w_bit": 4, "q_group_size": 128}, "w4a16-g128", None),
        ({"quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}, "fp8", "fp8"),
        (compressed(FLOAT8, FLOAT8, kv_cache_scheme=FLOAT8), "fp8", "fp8"),
        (compressed(INT4, None), "w4a16-g128", None),
        ({"quant_method": "bitnet"}, "bitnet", None),
        ({"quant_method": "fp8", "weight_block_size": [64, 64]}, "fp8", None),
        (compressed(FLOAT4, FLOAT4, format="nvfp4-pack-quantized"), "nvfp4", None),
        ({"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0}, "fp8", None),
        ({"quant_method": "modelopt", "quant_algo": "W4A16_AWQ", "group_size": 128}, "w4a16-g128", None),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True, "load_in_4bit": False}, "w8a8-int8", None),
        (compressed(FLOAT8, FLOAT8, kv_cache_scheme=None), "fp8", None),
    ],
)
def test_a_quantization_scheme_has_one_format(quantization: dict[str, Any], weights: str, kv_cache: str | None) -> None:
    result = from_config(config("Llama-3.1-8B", quantization_config=quantization))
    assert (result.weights, result.kv_cache) == (weights, kv_cache)


@pytest.mark.parametrize(
    ("quantization", "path"),
    [
        ({"quant_method": "hqq", "bits": 4}, "quantization_config.quant_method"),
        ({"quant_method": "bitsandbytes"}, "quantization_config"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True, "load_in_8bit": True}, "quantization_config"),
        ({"bits": 4, "group_size": 64}, "quantization_config.quant_method"),
        ({"quant_method": ["fp8"]}, "quantization_config.quant_method"),
        ({"quant_method": "gptq", "bits": 5, "group_size": 128}, "quantization_config"),
        ({"quant_method": "awq", "bits": 4, "group_size": 0}, "quantization_config"),
        ({"quant_method": "fp8", "fmt": "int4"}, "quantization_config"),
        ({"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"}, "quantization_config"),
        ({"quant_method": "modelopt", "quant_algo": "MXFP8"}, "quantization_config"),
        (compressed(INT4, FLOAT4), "quantization_config"),
        (compressed(FLOAT4, FLOAT4), "quantization_config"),
        (compressed("int8", None), "quantization_config"),
        ({"quant_method": "compressed-tensors", "config_groups": {}}, "quantization_config"),
        ("fp8", "quantization_config"),
        (
            compressed(FLOAT8, None, kv_cache_scheme={"type": "int", "num_bits": 8}),
            "quantization_config.kv_cache_scheme",
        ),
    ],
)
def test_any_other_quantization_is_refused_with_what_is_allowed(quantization: Any, path: str) -> None:
    found = problems(config("Llama-3.1-8B", quantization_config=quantization))
    assert path in found
    assert found[path].allowed or quantization == "fp8"


@pytest.mark.parametrize(
    ("quantization", "name", "bits", "activations"),
    [
        ({"quant_method": "gptq", "bits": 4, "group_size": 32}, "gptq-w4-g32", 4 + 20 / 32, "bf16"),
        ({"quant_method": "gptq", "bits": 8, "group_size": 128}, "gptq-w8-g128", 8 + 24 / 128, "bf16"),
        ({"quant_method": "gptq", "bits": 3, "group_size": -1}, "gptq-w3", 3, "bf16"),
        ({"quant_method": "awq", "bits": 4, "group_size": 64}, "awq-w4-g64", 4 + 20 / 64, "bf16"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes-w4-g64", 4.5, "bf16"),
        (
            {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_use_double_quant": True},
            "bitsandbytes-double-w4-g64",
            4 + (8 + 32 / 256) / 64,
            "bf16",
        ),
        ({"quant_method": "modelopt", "quant_algo": "W4A8_AWQ"}, "modelopt-w4-g128-fp8", 4.125, "fp8"),
        (compressed({**INT4, "group_size": 32, "symmetric": True}, None), "compressed-w4-g32", 4.5, "bf16"),
        (compressed({**INT4, "group_size": 32, "symmetric": False}, None), "compressed-w4-g32", 4.625, "bf16"),
        (compressed(INT4, FLOAT8), "compressed-w4-g128-fp8", 4.125, "fp8"),
        (compressed(FLOAT8, None), "compressed-w8", 8, "bf16"),
        (compressed(FLOAT4, None, format="nvfp4-pack-quantized"), "compressed-w4-g16", 4.5, "bf16"),
    ],
)
def test_a_format_that_the_catalog_lacks_is_written_out(
    quantization: dict[str, Any], name: str, bits: float, activations: str
) -> None:
    written = from_config(config("Llama-3.1-8B", quantization_config=quantization)).weights
    found = TypeAdapter(WeightFormat).validate_python(written)
    assert (found.name, 8 * element_bytes(found), found.activations) == (name, bits, activations)
    assert found.weight_only
    assert found.dequantize_flops


LEFT: list[tuple[str, list[str], dict[str, float]]] = [
    ("Llama-3.1-8B", ["lm_head", "mlp.gate", "k_proj"], {"attention": 8 / 80}),
    ("Llama-3.1-8B", [f"model.layers.{i}.self_attn.{p}_proj" for i in range(32) for p in "qkvo"], {"attention": 1.0}),
    ("Llama-3.1-8B", ["model.layers.0.mlp.down_proj", "model.layers.31.mlp.gate_proj"], {"mlp": 2 / 96}),
    ("Llama-3.1-8B", ["model.layers.0*"], {"attention": 1 / 32, "mlp": 1 / 32}),
    ("Llama-3.1-8B", [r"re:.*layers\.(0|1|2|3)\.self_attn.*"], {"attention": 4 / 32}),
    ("DeepSeek-V3", ["re:.*self_attn.*", "re:.*shared_experts.*"], {"attention": 1.0, "shared": 1.0}),
    ("DeepSeek-V3", [r"re:.*mlp\.(gate|up|gate_up|down)_proj.*"], {"mlp": 1.0}),
    ("DeepSeek-V3", ["model.layers.*.mlp.gate", "lm_head", "model.layers.61*"], {}),
    ("DeepSeek-V3", ["model.layers.4.mlp.experts"], {"experts": 1 / 58}),
    ("DeepSeek-V3", ["model.layers.0*"], {"attention": 1 / 61, "mlp": 1 / 3}),
    ("Qwen3-Next-80B-A3B-Instruct", ["re:.*linear_attn.*"], {"recurrent": 1.0}),
]


@pytest.mark.parametrize(("name", "left", "keeps"), LEFT)
def test_modules_that_stay_unquantized_are_counted_so(name: str, left: list[str], keeps: dict[str, float]) -> None:
    quantization = {"quant_method": "fp8", "modules_to_not_convert": left}
    result = from_config(config(name, quantization_config=quantization))
    if not keeps:
        assert result.weights == "fp8"
        return
    assert isinstance(result.weights, dict)
    assert result.weights["extends"] == "fp8"
    assert result.weights["keeps"] == pytest.approx(keeps, abs=1e-6)
    assert any("stays unquantized" in warning for warning in result.warnings)


def test_modules_of_no_known_kind_are_named() -> None:
    quantization = {"quant_method": "fp8", "ignored_layers": ["model.oracle"]}
    (warning,) = from_config(config("Llama-3.1-8B", quantization_config=quantization)).warnings
    assert "1 module(s)" in warning
    assert "model.oracle" in warning


def test_mxfp4_is_of_the_experts_alone() -> None:
    result = from_config(config("gpt-oss-20b"))
    assert result.weights == {"extends": "mxfp4", "keeps": {"attention": 1.0, "mlp": 1.0, "shared": 1.0}}


def test_a_quantization_that_stands_beside_the_config_is_found(tmp_path: Path) -> None:
    written = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}
    (tmp_path / "hf_quant_config.json").write_text(json.dumps(written))
    result = from_config(config("Llama-3.1-8B"), str(tmp_path / "config.json"))
    assert (result.weights, result.kv_cache) == ("fp8", "fp8")
    (tmp_path / "hf_quant_config.json").write_text("[]")
    with pytest.raises(InputError, match="hf_quant_config"):
        from_config(config("Llama-3.1-8B"), str(tmp_path / "config.json"))

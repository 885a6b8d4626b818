"""A Hugging Face config.json becomes the model it describes, or an error that says what is wrong with it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from llmperf.descriptors.importers import huggingface
from llmperf.descriptors.importers.huggingface import from_config
from llmperf.descriptors.model import Model, contradictions, parameters
from llmperf.errors import InputError, Problem

ROOT = Path(__file__).parent.parent
CONFIGS = Path(__file__).parent / "data" / "huggingface"
CATALOG = sorted((ROOT / "workloads" / "models").glob("*.yaml"))

IN_CATALOG = {
    "Llama-3.1-8B": "llama-3.1-8b",
    "Llama-3.1-8B-Instruct-AWQ-INT4": "llama-3.1-8b",
    "Llama-3.1-8B-Instruct-quantized.w8a8": "llama-3.1-8b",
    "Llama-3.1-8B-Instruct-NVFP4": "llama-3.1-8b",
    "Llama-2-70b-hf": "llama-2-70b",
    "Mistral-7B-v0.1": "mistral-7b",
    "Mixtral-8x7B-v0.1": "mixtral-8x7b",
    "DeepSeek-V3": "deepseek-v3",
    "gemma-2-9b-it": "gemma-2-9b",
    "mamba2-2.7b": "mamba2-2.7b",
    "mamba2-2.7b-hf": "mamba2-2.7b",
    "Qwen2.5-72B": "qwen2.5-72b",
    "Qwen3-8B": "qwen3-8b",
    "opt-30b": "opt-30b",
}
NOT_SHAPE = {"name", "sources", "aliases", "official", "notes"}


def config(name: str, **changes: Any) -> dict[str, Any]:
    """A stored config with `changes`; a change to ... removes the key."""
    document = {**json.loads((CONFIGS / f"{name}.json").read_text()), **changes}
    return {key: value for key, value in document.items() if value is not ...}


def model(document: dict[str, Any]) -> Model:
    return TypeAdapter(Model).validate_python(document)


def imported(name: str, **changes: Any) -> Model:
    return model(from_config(config(name, **changes)).model)


def catalog(path: Path) -> Model:
    return model(yaml.safe_load(path.read_text()))


def shape(value: Model) -> dict[str, Any]:
    return {key: part for key, part in dataclasses.asdict(value).items() if key not in NOT_SHAPE}


def problems(document: Any) -> dict[str, Problem]:
    with pytest.raises(InputError) as caught:
        from_config(document, "models/x/config.json")
    assert all(problem.file == "models/x/config.json" for problem in caught.value.problems)
    return {problem.path: problem for problem in caught.value.problems}


# --- The catalog -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CATALOG, ids=lambda path: path.stem)
def test_a_catalog_model_is_valid_and_has_the_parameters_its_vendor_counts(path: Path) -> None:
    found = catalog(path)
    assert found.name == path.stem
    assert contradictions(found) == []
    assert found.official is not None
    if found.official.exact:
        assert parameters(found) == found.official.parameters
    else:
        assert parameters(found) == pytest.approx(found.official.parameters, rel=0.01)


def test_catalog_names_and_aliases_are_unique() -> None:
    names = [name.lower() for path in CATALOG for name in (catalog(path).name, *catalog(path).aliases)]
    assert sorted(names) == sorted(set(names))


# --- Faithful import -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "entry"), IN_CATALOG.items())
def test_an_imported_model_has_the_shape_of_its_catalog_entry(name: str, entry: str) -> None:
    assert shape(imported(name)) == shape(catalog(ROOT / "workloads" / "models" / f"{entry}.yaml"))


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("Llama-3.1-8B", 8_030_261_248),
        ("Llama-2-70b-hf", 68_976_648_192),
        ("Mistral-7B-v0.1", 7_241_732_096),
        ("Mixtral-8x7B-v0.1", 46_702_792_704),
        ("DeepSeek-V3", 671_026_419_200),
        ("DeepSeek-V2-Lite", 15_706_484_224),
        ("gemma-2-9b-it", 9_241_705_984),
        ("gemma-7b", 8_537_680_896),
        ("mamba2-2.7b", 2_702_599_680),
        ("mamba2-2.7b-hf", 2_702_599_680),
        ("Qwen2.5-72B", 72_706_203_648),
        ("Qwen3-8B", 8_190_735_360),
        ("gpt2", 124_439_808),
        ("opt-30b", 29_974_540_288),
    ],
)
def test_an_imported_model_has_the_parameters_of_the_checkpoint(name: str, count: int) -> None:
    assert parameters(imported(name)) == count


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.json")), ids=lambda path: path.stem)
def test_no_key_of_a_real_config_is_a_surprise(path: Path) -> None:
    expected = ("num_nextn_predict_layers", "torch_dtype: not given", "max_position_embeddings: not given")
    assert [w for w in from_config(json.loads(path.read_text())).warnings if not w.startswith(expected)] == []


def test_the_file_names_the_model_and_is_its_source() -> None:
    named = from_config(config("gpt2"), "hub/openai/gpt2/config.json").model
    assert named["name"] == "gpt2"
    assert named["sources"] == {"all": "Hugging Face config.json: hub/openai/gpt2/config.json"}
    assert from_config(config("Llama-2-70b-hf")).model["name"] == "Llama-2-70b-hf"


# --- Defaults of transformers ----------------------------------------------------------------------------------------


def test_without_kv_heads_llama_has_one_a_query_head() -> None:
    assert imported("Llama-2-70b-hf", num_key_value_heads=...).attention.kv_heads == 64
    assert imported("Mistral-7B-v0.1", num_key_value_heads=None).attention.kv_heads == 32


def test_without_kv_heads_mistral_has_those_of_its_class_and_says_so() -> None:
    result = from_config(config("Mistral-7B-v0.1", num_key_value_heads=...))
    assert result.model["attention"]["kv_heads"] == 8
    assert any("num_key_value_heads" in warning for warning in result.warnings)


def test_a_window_of_null_means_full_attention_and_no_window_key_means_mistrals_4096() -> None:
    assert imported("Mistral-7B-v0.1", sliding_window=None).attention.window is None
    assert imported("Mistral-7B-v0.1", sliding_window=...).attention.window == 4096


def test_qwen_windows_only_the_layers_above_max_window_layers_and_only_when_told_to() -> None:
    assert imported("Qwen2.5-72B", sliding_window=4096).attention.windowed_layers == 0
    used = imported("Qwen2.5-72B", sliding_window=4096, use_sliding_window=True, max_window_layers=70)
    assert (used.attention.window, used.attention.windowed_layers) == (4096, 10)


def test_gemma2_alternates_unless_layer_types_say_otherwise() -> None:
    assert imported("gemma-2-9b-it", num_hidden_layers=43).attention.windowed_layers == 22
    kinds = ["sliding_attention"] * 40 + ["full_attention"] * 2
    assert imported("gemma-2-9b-it", layer_types=kinds).attention.windowed_layers == 40


@pytest.mark.parametrize(
    ("name", "key", "tied"),
    [
        ("Llama-3.1-8B", "tie_word_embeddings", False),
        ("Qwen3-8B", "tie_word_embeddings", False),
        ("gemma-2-9b-it", "tie_word_embeddings", True),
        ("gpt2", "tie_word_embeddings", True),
        ("opt-30b", "tie_word_embeddings", True),
        ("mamba2-2.7b", "tie_embeddings", True),
        ("mamba2-2.7b-hf", "tie_word_embeddings", False),
    ],
)
def test_embeddings_are_tied_by_default_as_the_family_has_it(name: str, key: str, tied: bool) -> None:
    assert imported(name, **{key: ...}).tied_embeddings is tied


def test_attention_bias_of_llama_sits_on_all_four_projections_and_that_of_qwen2_on_three() -> None:
    llama, qwen = imported("Llama-3.1-8B", attention_bias=True, mlp_bias=True).bias, imported("Qwen2.5-72B").bias
    assert (llama.qkv, llama.o, llama.mlp) == (True, True, True)
    assert (qwen.qkv, qwen.o, qwen.mlp) == (True, False, False)


def test_opt_keeps_two_more_positions_than_its_context() -> None:
    assert imported("opt-30b").learned_positions == imported("opt-30b").max_context + 2


def test_a_nested_language_model_is_found_and_the_rest_reported() -> None:
    nested = {
        "architectures": ["LlavaForConditionalGeneration"],
        "vision_config": {"hidden_size": 1024},
        "text_config": config("Llama-3.1-8B", architectures=...),
    }
    result = from_config(nested)
    assert parameters(model(result.model)) == 8_030_261_248
    assert any(warning.startswith("text_config") for warning in result.warnings)


def test_multi_token_prediction_layers_are_left_out_with_a_warning() -> None:
    result = from_config(config("DeepSeek-V3"))
    assert result.model["layers"] == 61
    assert any("num_nextn_predict_layers" in warning for warning in result.warnings)
    assert not any("nextn" in w for w in from_config(config("DeepSeek-V3", num_nextn_predict_layers=0)).warnings)


# --- Quantization ----------------------------------------------------------------------------------------------------

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
        ("DeepSeek-V3", "fp8", None),
        ("Llama-3.1-8B-Instruct-AWQ-INT4", "w4a16-g128", None),
        ("Llama-3.1-8B-Instruct-quantized.w8a8", "w8a8-int8", None),
        ("Llama-3.1-8B-Instruct-NVFP4", "nvfp4", "fp8"),
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
        (compressed(FLOAT4, FLOAT4, format="nvfp4-pack-quantized"), "nvfp4", None),
    ],
)
def test_a_quantization_scheme_has_one_format(quantization: dict[str, Any], weights: str, kv_cache: str | None) -> None:
    result = from_config(config("Llama-3.1-8B", quantization_config=quantization))
    assert (result.weights, result.kv_cache) == (weights, kv_cache)


@pytest.mark.parametrize(
    ("quantization", "path"),
    [
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "quantization_config.quant_method"),
        ({"bits": 4, "group_size": 64}, "quantization_config.quant_method"),
        ({"quant_method": ["fp8"]}, "quantization_config.quant_method"),
        ({"quant_method": "gptq", "bits": 8, "group_size": 128}, "quantization_config"),
        ({"quant_method": "awq", "bits": 4, "group_size": 64}, "quantization_config"),
        ({"quant_method": "modelopt", "quant_algo": "MXFP8"}, "quantization_config"),
        (compressed(INT4, FLOAT8), "quantization_config"),
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


# --- Bad input -------------------------------------------------------------------------------------------------------


def test_a_renamed_expert_count_is_an_error_that_names_both_keys() -> None:
    found = problems(config("Mixtral-8x7B-v0.1", num_local_experts=..., n_expert=8))
    assert "n_expert" in (found["num_local_experts"].suggestion or "")
    assert found["n_expert"].suggestion == "num_local_experts"


@pytest.mark.parametrize(
    "key",
    [
        "n_routed_experts",
        "num_experts_per_tok",
        "moe_intermediate_size",
        "n_shared_experts",
    ],
)
def test_deepseek_needs_every_key_of_its_experts(key: str) -> None:
    assert key in problems(config("DeepSeek-V3", **{key: ...}))


def test_experts_in_a_dense_architecture_are_never_priced_as_dense() -> None:
    assert "num_local_experts" in problems(config("Llama-3.1-8B", num_local_experts=8))


def test_every_fault_is_reported_at_once() -> None:
    found = problems(
        config(
            "Mixtral-8x7B-v0.1",
            hidden_size=...,
            num_hidden_layers=-1,
            vocab_size=True,
            num_local_experts=...,
            n_expert=8,
            sliding_window="wide",
            quantization_config={"quant_method": "nf4"},
        )
    )
    assert set(found) == {
        "hidden_size",
        "num_hidden_layers",
        "vocab_size",
        "num_local_experts",
        "n_expert",
        "sliding_window",
        "quantization_config.quant_method",
    }


@pytest.mark.parametrize("name", ["Llama-3.1-8B", "DeepSeek-V3", "opt-30b", "mamba2-2.7b-hf"])
def test_a_missing_width_is_an_error(name: str) -> None:
    assert "missing" in problems(config(name, hidden_size=...))["hidden_size"].message


BAD_COUNTS = [-1, 0, 1.5, float("nan"), float("inf"), True, "32", [32], {}, 10**400]


@pytest.mark.parametrize("value", BAD_COUNTS, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Llama-3.1-8B", "num_hidden_layers"),
        ("Llama-3.1-8B", "num_key_value_heads"),
        ("gpt2", "n_embd"),
        ("DeepSeek-V3", "kv_lora_rank"),
        ("mamba2-2.7b-hf", "state_size"),
        ("opt-30b", "ffn_dim"),
    ],
)
def test_a_count_that_is_not_a_positive_whole_number_is_an_error(name: str, key: str, value: Any) -> None:
    assert key in problems(config(name, **{key: value}))


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("Llama-3.1-8B", "tie_word_embeddings", "yes"),
        ("Llama-3.1-8B", "attention_bias", 1),
        ("Llama-3.1-8B", "torch_dtype", "int3"),
        ("Llama-3.1-8B", "torch_dtype", 16),
        ("Llama-3.1-8B", "architectures", 7),
        ("gemma-2-9b-it", "layer_types", ["full_attention"]),
        ("gemma-2-9b-it", "layer_types", ["linear_attention"] * 42),
        ("DeepSeek-V3", "moe_layer_freq", 2),
        ("DeepSeek-V3", "attention_bias", True),
        ("opt-30b", "word_embed_proj_dim", 512),
        ("mamba2-2.7b-hf", "num_heads", 128),
        ("mamba2-2.7b-hf", "use_bias", True),
        ("mamba2-2.7b", "attn_layer_idx", [9, 18]),
        ("mamba2-2.7b", "d_intermediate", 4096),
        ("gpt2", "hidden_size", 1024),
    ],
)
def test_what_cannot_be_modelled_is_an_error_not_a_guess(name: str, key: str, value: Any) -> None:
    assert key in problems(config(name, **{key: value}))


def test_without_architectures_the_model_type_tells_the_family() -> None:
    assert imported("Llama-3.1-8B", architectures=[]).family == "llama"
    assert imported("Mixtral-8x7B-v0.1", architectures=...).family == "mixtral"


def test_mamba_1_is_not_taken_for_mamba_2() -> None:
    assert "ssm_cfg.layer" in problems(config("mamba2-2.7b", ssm_cfg={}))


def test_heads_that_do_not_divide_are_an_error() -> None:
    assert "head_dim" in problems(config("Llama-3.1-8B", num_attention_heads=24, num_key_value_heads=8))
    assert "attention.kv_heads" in problems(config("Llama-3.1-8B", num_key_value_heads=5))


def test_a_width_that_only_a_sum_makes_absurd_is_an_error() -> None:
    assert "attention.head_dim" in problems(config("DeepSeek-V3", qk_rope_head_dim=10**15))


@pytest.mark.parametrize("document", [None, [], "config.json", 3])
def test_a_file_that_holds_no_mapping_is_an_error(document: Any) -> None:
    assert "" in problems(document)


def test_an_unknown_architecture_is_an_error_with_the_nearest_known_one() -> None:
    found = problems(config("Mixtral-8x7B-v0.1", architectures=["MixtralForCausalML"]))["architectures"]
    assert found.suggestion == "MixtralForCausalLM"
    assert set(found.allowed) == set(huggingface.FAMILIES)
    assert "architectures" in problems({})


def test_an_unknown_key_that_may_shape_the_model_is_named_with_the_nearest_known_one() -> None:
    warnings = from_config(config("Llama-3.1-8B", num_kv_heads=8, num_mtp_heads=2)).warnings
    assert any(w.startswith("num_kv_heads") and "num_key_value_heads" in w for w in warnings)
    assert any(w.startswith("num_mtp_heads") for w in warnings)


def test_keys_without_a_say_in_the_shape_are_passed_over() -> None:
    assert from_config(config("Llama-3.1-8B", my_note="x", output_hidden_states=False)).warnings == ()

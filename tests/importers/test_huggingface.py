"""A Hugging Face config.json becomes the model it describes, or an error that says what is wrong with it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

import llmperf
from llmperf.descriptors.model import Model
from llmperf.descriptors.parameters import parameters, tower_parameters
from llmperf.errors import InputError, Problem
from llmperf.importers import families
from llmperf.importers.huggingface import from_config
from llmperf.phases.setup import setup as prepared

ROOT = Path(__file__).parents[2]
CONFIGS = Path(__file__).parents[1] / "data" / "huggingface"
DEFAULTS = json.loads((CONFIGS.parent / "transformers-defaults.json").read_text())
"""Class defaults of transformers 5.24.0, which are those of a checkpoint, and the parameters of the class built so."""
EXPECTED = (
    "architectures: 'SeedOssForCausalLM' has no mapping",
    "architectures: 'BitnetForCausalLM'",
    "architectures: the pooler",
    "max_position_embeddings: not given",
    "n_positions: not given",
    "num_attention_heads: not given",
    "num_key_value_heads: not given",
    "num_mtp_modules",
    "num_nextn_predict_layers",
    "quantization_config: stays unquantized",
    "vision_config: a vision tower of",
    "torch_dtype",
    "vocab_size: not given; 262208",
    "weight_bits: weights are ternary",
)
"""Warnings that configs of real models give."""
CATALOG = sorted((ROOT / "workloads" / "models").glob("*.yaml"))

RENAMED = {
    "Llama-3.1-8B-Instruct-AWQ-INT4": "llama-3.1-8b",
    "Llama-3.1-8B-Instruct-NVFP4": "llama-3.1-8b",
    "Llama-3.1-8B-Instruct-quantized.w8a8": "llama-3.1-8b",
    "glm-4-9b-chat-hf": "glm-4-9b",
    "mamba2-2.7b-hf": "mamba2-2.7b",
}
"""Stored configs of catalog models whose aliases do not tell."""

OTHER_IN_CATALOG: dict[str, dict[str, Any]] = {
    # contexts that a model card or another tool names, where the config has another
    "DeepSeek-V2": {"max_context": 131072},
    "DeepSeek-V2-Lite": {"max_context": 32768},
    "Mistral-Large-Instruct-2407": {"max_context": 32768},
    "Qwen2-0.5B": {"max_context": 32768},
    "gemma-2b": {"max_context": 4096},
    "gemma-7b": {"max_context": 4096},
    # the window without and with the token itself
    "Phi-3-mini-4k-instruct": {"attention": {"window": 2048}},
    # the width of latent attention's heads, which nothing but the descriptor's own text shows
    "GLM-5": {"attention": {"head_dim": 256}},
    # capped scores, which the catalog leaves out of some models
    "gemma-2-2b": {"attention": {"softcap": True}},
    "grok-1": {"attention": {"softcap": True}},
}
"""Fields in which the catalog may differ from the config, and why."""

COUNTS = {
    "Baichuan2-13B-Base": 13_896_668_160,
    "Baichuan2-7B-Base": 7_505_973_248,
    "DeepSeek-V2-Lite": 15_706_484_224,
    "EXAONE-3.5-7.8B-Instruct": 7_818_448_896,
    "GLM-4-32B-0414": 32_566_081_536,
    "Minitron-4B-Base": 4_190_509_056,
    "Mistral-Small-3.1-24B-Instruct-2503": 23_572_403_200,
    "OLMo-2-1124-7B": 7_298_617_344,
    "OLMo-7B-hf": 6_888_095_744,
    "OLMoE-1B-7B-0924": 6_919_161_856,
    "Phi-3.5-MoE-instruct": 41_873_153_344,
    "Qwen1.5-MoE-A2.7B": 14_315_784_192,
    "Qwen2-57B-A14B": 57_408_658_944,
    "Qwen2.5-VL-7B-Instruct": 7_615_616_512,
    "Seed-OSS-36B-Base": 36_151_104_512,
    "SmolLM3-3B": 3_075_098_624,
    "bge-m3": 567_754_752 - (1024 + 1) * 1024,  # without its pooler
    "bert-base-uncased": 109_482_240 - (768 + 1) * 768,
    "bloom-7b1": 7_069_016_064,
    "c4ai-command-r-v01": 34_980_831_232,
    "c4ai-command-r7b-12-2024": 8_028_033_024,
    "c4ai-command-r-plus": 103_810_674_688,
    "flan-t5-xxl": 11_135_332_352,
    "gpt-j-6b": 6_050_882_784,
    "gpt-neox-20b": 20_554_567_680,
    "granite-3.0-1b-a400m-base": 1_334_628_352,
    "granite-3.0-8b-base": 8_170_848_256,
    "internlm2-7b": 7_737_708_544,
    "mamba-2.8b": 2_768_345_600,
    "mamba-2.8b-hf": 2_768_345_600,
    "mamba2-2.7b": 2_702_599_680,
    "mamba2-2.7b-hf": 2_702_599_680,
    "mt5-small": 300_176_768,
    "opt-30b": 29_974_540_288,
    "pixtral-12b": 12_247_782_400,
    "pythia-6.9b": 6_857_302_016,
    "stablelm-2-1_6b": 1_644_515_328,
    "starcoder": 15_517_456_384,
    "starcoder2-3b": 3_030_371_328,
    "t5-large": 737_668_096,
    "whisper-large-v2": 1_543_304_960,
    "whisper-large-v3-turbo": 808_878_080,
}
"""Parameters of the checkpoints, those of parts that are not imported left out."""

NOT_SHAPE = {
    "towers",
    "quantized_ffn",
    "released",
    "released_keeps",
    "name",
    "family",
    "sources",
    "aliases",
    "official",
    "notes",
    "dtype",
}


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
    found = {key: part for key, part in dataclasses.asdict(value).items() if key not in NOT_SHAPE}
    if not value.dense_layers:
        found["ffn"] = 0  # every layer has experts: no network has this width
    return found


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes`, which may reach one level deep."""
    return {**base, **{k: {**base[k], **v} if isinstance(v, dict) else v for k, v in changes.items()}}


def problems(document: Any) -> dict[str, Problem]:
    with pytest.raises(InputError) as caught:
        from_config(document, "models/x/config.json")
    assert all(problem.file == "models/x/config.json" for problem in caught.value.problems)
    return {problem.path: problem for problem in caught.value.problems}


def entries() -> dict[str, str]:
    """Catalog names of the stored configs, by the last part of an alias."""
    known = dict(RENAMED)
    stored = {path.stem.lower(): path.stem for path in CONFIGS.glob("*.json")}
    for path in CATALOG:
        document = yaml.safe_load(path.read_text())
        for name in (path.stem, *(alias.rpartition("/")[2] for alias in document.get("aliases", []))):
            if name.lower() in stored:
                known[stored[name.lower()]] = path.stem
    return known


IN_CATALOG = entries()


# --- The catalog -----------------------------------------------------------------------------------------------------


def test_most_of_the_catalog_has_a_stored_config() -> None:
    assert len(IN_CATALOG) >= 88


def test_catalog_names_and_aliases_are_unique() -> None:
    names = [name.lower() for path in CATALOG for name in (catalog(path).name, *catalog(path).aliases)]
    assert sorted(names) == sorted(set(names))


# --- Faithful import -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "entry"), IN_CATALOG.items())
def test_an_imported_model_has_the_shape_of_its_catalog_entry(name: str, entry: str) -> None:
    known = catalog(ROOT / "workloads" / "models" / f"{entry}.yaml")
    other = OTHER_IN_CATALOG.get(name, {})
    assert merged(shape(imported(name)), other) == merged(shape(known), other)
    if known.released is not None:
        weights = from_config(config(name)).weights
        written = weights if isinstance(weights, dict) else {"extends": weights, "keeps": {}}
        assert known.released == written["extends"]
        assert known.released_keeps.items() <= written["keeps"].items()
    if known.official and known.official.exact:
        assert parameters(imported(name)) == known.official.parameters


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_an_imported_model_has_the_parameters_of_the_checkpoint(name: str, count: int) -> None:
    assert parameters(imported(name)) == count


def test_a_gate_of_the_attention_output_is_counted() -> None:
    """Qwen3-Next-80B: the published total less its prediction layer."""
    found = imported("Qwen3-Next-80B-A3B-Instruct")
    assert found.attention is not None
    assert found.attention.output_gate
    assert parameters(found) == 81_324_862_720 - 1_650_471_424


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.json")), ids=lambda path: path.stem)
def test_no_key_of_a_real_config_is_a_surprise(path: Path) -> None:
    warnings = from_config(json.loads(path.read_text())).warnings
    assert [warning for warning in warnings if "not understood" in warning] == []
    assert [warning for warning in warnings if not warning.startswith(EXPECTED)] == []


def test_every_mapped_family_has_a_real_config() -> None:
    tried = {from_config(json.loads(path.read_text())).model["family"] for path in CONFIGS.glob("*.json")}
    tried |= {from_config(written["config"]).model["family"] for written in DEFAULTS.values()}
    assert {family.name for family in families.FAMILIES.values()} - tried == {
        "phi4-mm",
        "step-3",
        "mimo",
        "bailing-moe",
    }


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
    assert any(warning.startswith("vision_config: its size") for warning in result.warnings)


def test_multi_token_prediction_layers_are_counted_apart_with_a_warning() -> None:
    result = from_config(config("DeepSeek-V3"))
    assert (result.model["layers"], result.model["prediction_layers"]) == (61, 1)
    assert any("num_nextn_predict_layers" in warning for warning in result.warnings)
    assert not any("nextn" in w for w in from_config(config("DeepSeek-V3", num_nextn_predict_layers=0)).warnings)


# --- Architectures without a mapping ---------------------------------------------------------------------------------


def test_an_unknown_decoder_is_estimated_with_one_warning_that_lists_what_was_assumed() -> None:
    result = from_config(config("Llama-3.1-8B", architectures=["NewForCausalLM"], model_type="new"))
    (warning,) = result.warnings
    assert "NewForCausalLM" in warning
    for assumed in ("gated MLP", "rmsnorm", "no biases"):
        assert assumed in warning
    assert parameters(model(result.model)) == 8_030_261_248
    less = config("Llama-3.1-8B", architectures=["NewForCausalLM"], model_type="new", tie_word_embeddings=...)
    (warning,) = from_config(less).warnings
    assert "untied embeddings" in warning


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("n_experts", 8),
        ("attention_window_size", 2048),
        ("kv_lora_rank", "wide"),
        ("ssm_state_size", 128),
        ("conv_L_cache", 3),
        ("mamba_d_state", 16),
        ("linear_attn_config", {"kda_layers": [1]}),
        ("sparse_attention_config", {"topk": 64}),
        ("layers_block_type", ["mamba", "attention"]),
        ("cross_attention_layers", [3]),
        ("layer_types", ["rwkv", "full_attention"]),
    ],
)
def test_an_unknown_decoder_with_a_part_that_is_not_plain_is_refused_by_name(key: str, value: Any) -> None:
    found = problems(config("Llama-3.1-8B", architectures=["NewForCausalLM"], model_type="new", **{key: value}))
    assert set(found) == {"architectures"}  # one line, with a way on
    assert key in found["architectures"].message
    assert "docs/how-to/add-a-model" in (found["architectures"].suggestion or "")
    harmless = config("Llama-3.1-8B", architectures=["NewForCausalLM"], model_type="new", **{key: None})
    assert from_config(harmless).model["layers"] == 32


@pytest.mark.parametrize("key", ["hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"])
def test_an_unknown_decoder_without_the_usual_keys_is_refused(key: str) -> None:
    found = problems(config("Llama-3.1-8B", architectures=["NewForCausalLM"], model_type="new", **{key: ...}))
    assert key in found["architectures"].message


@pytest.mark.parametrize("name", ["NewForMaskedLM", "NewForSequenceClassification", "NewForCTC"])
def test_what_is_no_decoder_is_not_estimated_as_one(name: str) -> None:
    assert "architectures" in problems(config("Llama-3.1-8B", architectures=[name], model_type="new"))


def test_an_unknown_architecture_of_a_known_model_type_is_said_to_be_taken_for_it() -> None:
    result = from_config(config("Llama-3.1-8B", architectures=["LlamaForSequenceClassification"]))
    assert any("LlamaForCausalLM" in warning for warning in result.warnings)


# --- Single families -------------------------------------------------------------------------------------------------


def test_dense_layers_between_layers_with_experts_are_refused_and_first_ones_kept() -> None:
    assert imported("Qwen1.5-MoE-A2.7B", mlp_only_layers=[0, 1]).moe_layers == 22
    assert imported("Qwen1.5-MoE-A2.7B", decoder_sparse_step=2).moe_layers == 12
    assert "mlp_only_layers" in problems(config("Qwen1.5-MoE-A2.7B", mlp_only_layers=[3]))


def test_qwen3_next_attends_in_every_fourth_layer() -> None:
    found = imported("Qwen3-Next-80B-A3B-Instruct")
    assert (found.attention_layers, found.ssm_layers) == (12, 36)
    kinds = ["linear_attention"] * 40 + ["full_attention"] * 8
    assert imported("Qwen3-Next-80B-A3B-Instruct", layer_types=kinds).attention_layers == 8


def test_layers_of_llama_4_are_chunked_as_its_config_lists_them() -> None:
    text = config("Llama-4-Scout-17B-16E-Instruct")["text_config"]
    assert model(from_config({**text, "no_rope_layers": [1] * 48}).model).attention.windowed_layers == 48
    listed = ["chunked_attention"] * 12 + ["full_attention"] * 36
    assert model(from_config({**text, "layer_types": listed}).model).attention.windowed_layers == 12
    assert "moe_layers" in problems({**text, "moe_layers": [1, 3]})


def test_the_gemma3_pattern_counts_whole_periods() -> None:
    assert imported("gemma-3-1b-it", sliding_window_pattern=2).attention.windowed_layers == 13
    assert imported("gemma-3-1b-it", layer_types=["full_attention"] * 26).attention.windowed_layers == 0


def test_linear_attention_of_minimax_and_an_indexer_in_some_layers_are_refused() -> None:
    assert "attn_type_list" in problems(config("MiniMax-M2.5", attn_type_list=[0] * 62))
    assert "index_topk_freq" in problems(config("GLM-5", index_topk_freq=4))


def test_an_encoder_does_not_generate() -> None:
    assert not imported("bert-base-uncased").generates
    assert not imported("vit-large-patch16-224").generates
    assert "is_decoder" in problems(config("bert-base-uncased", is_decoder=True))


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.json")), ids=lambda path: path.stem)
def test_a_real_config_is_estimated_by_path(path: Path) -> None:
    """Every parameter of the shape is in the operator table, and prefill and decode are answered."""
    shape = llmperf.load(None, {"model": str(path), "hardware": "b200-sxm", "weights": "bf16"}).scenario
    lengths = {"input": 16, "output": 4} if shape.model.generates else {}
    result = llmperf.estimate(model=str(path), hardware="b200-sxm", weights="bf16", batch=2, **lengths)
    assert 0 < result.bound.e2e_s <= result.e2e_s
    table = prepared(result.scenario).table(prepared(result.scenario).prefill_step)
    stored = (table.total("resident_bytes") + table.total("resident_experts"))[0]
    model = result.scenario.model
    assert stored == pytest.approx(2 * (parameters(model) + tower_parameters(model)), rel=1e-9)

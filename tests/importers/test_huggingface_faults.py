"""A Hugging Face config.json with anything wrong in it is an error that names it, whatever it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from importers.test_huggingface import CONFIGS, config, imported, model, problems
from pydantic import TypeAdapter

from llmperf.descriptors.model import contradictions
from llmperf.descriptors.weights import WeightFormat
from llmperf.errors import InputError
from llmperf.importers.huggingface import from_config
from llmperf.scenarios.catalog import load


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
    found = imported("mamba2-2.7b", ssm_cfg={})
    assert (found.ssm.kind, found.family) == ("mamba1", "mamba")
    assert "ssm_cfg.layer" in problems(config("mamba2-2.7b", ssm_cfg={"layer": "Mamba3"}))


def test_heads_that_do_not_divide_are_an_error() -> None:
    assert "head_dim" in problems(config("Llama-3.1-8B", num_attention_heads=24, num_key_value_heads=8))
    assert "attention.kv_heads" in problems(config("Llama-3.1-8B", num_key_value_heads=5))


def test_a_width_that_only_a_sum_makes_absurd_is_an_error() -> None:
    assert "attention.head_dim" in problems(config("DeepSeek-V3", qk_rope_head_dim=10**15))


@pytest.mark.parametrize("document", [None, [], "config.json", 3])
def test_a_file_that_holds_no_mapping_is_an_error(document: Any) -> None:
    assert "" in problems(document)


def test_an_unknown_architecture_is_one_error_that_says_what_is_missing_and_how_to_go_on() -> None:
    wrong = {"architectures": ["RetNetForCausalLM"], "model_type": "retnet", "vocab_size": 32000, "decay": 0.9}
    found = problems(wrong)
    assert set(found) == {"architectures"}
    said = str(found["architectures"])
    assert "RetNetForCausalLM" in said
    assert "lacks hidden_size, num_hidden_layers, num_attention_heads" in said
    assert "docs/how-to/add-a-model" in said
    assert "architectures" in problems({})


def test_a_misspelt_architecture_without_the_usual_keys_names_the_one_that_was_meant() -> None:
    found = problems({"architectures": ["MixtralForCausalML"], "num_local_experts": 8})
    assert "did you mean MixtralForCausalLM?" in str(found["architectures"])


def test_an_unknown_architecture_with_experts_is_read_by_the_keys_that_others_share() -> None:
    read = from_config(config("Mixtral-8x7B-v0.1", architectures=["NewForCausalLM"], model_type="new"))
    known = from_config(config("Mixtral-8x7B-v0.1"))
    assert (read.model["moe"], read.model["attention"]) == (
        {**known.model["moe"], "router_bias": False},
        known.model["attention"],
    )
    assert any("has no mapping of its own; assumed are" in warning for warning in read.warnings)


def test_an_unknown_key_that_may_shape_the_model_is_named_with_the_nearest_known_one() -> None:
    warnings = from_config(config("Llama-3.1-8B", num_kv_heads=8, num_mtp_heads=2)).warnings
    assert any(w.startswith("num_kv_heads") and "num_key_value_heads" in w for w in warnings)
    assert any(w.startswith("num_mtp_heads") for w in warnings)


def test_keys_without_a_say_in_the_shape_are_passed_over() -> None:
    assert from_config(config("Llama-3.1-8B", my_note="x", output_hidden_states=False)).warnings == ()


# --- Mutations -------------------------------------------------------------------------------------------------------

DOCUMENTS = {path.stem: json.loads(path.read_text()) for path in sorted(CONFIGS.glob("*.json"))}
KEYS = sorted({key for document in DOCUMENTS.values() for key in document})
VALUES = st.sampled_from(
    [None, True, False, 0, -1, 1, 2, 7, 64, 1.5, 10**15, 10**400, "", "auto", [], {}, [1], {"a": 1}, [{}], [None]]
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(DOCUMENTS)),
    st.lists(st.tuples(st.booleans(), st.integers(0, 10**6), st.booleans(), VALUES), min_size=1, max_size=3),
)
def test_a_mutated_config_is_an_input_error_or_a_valid_document(name: str, changes: list[Any]) -> None:
    document = dict(DOCUMENTS[name])
    inner = document
    if isinstance(document.get("text_config"), dict):
        inner = document["text_config"] = dict(document["text_config"])
    for own, position, removed, value in changes:
        keys = (sorted(inner) if own else KEYS) or KEYS
        key = keys[position % len(keys)]
        if removed:
            inner.pop(key, None)
        else:
            inner[key] = value
    try:
        result = from_config(document)
    except InputError as error:
        assert str(error)
        return
    assert contradictions(model(result.model)) == []
    if isinstance(result.weights, dict):
        base = result.weights.pop("extends", None)
        whole = {**load("weights", base).data, **result.weights} if base else result.weights
        TypeAdapter(WeightFormat).validate_python(whole)

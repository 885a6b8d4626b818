"""Wrong configurations of Hugging Face: what is missing, contradictory or unknown is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import llmperf
from llmperf.errors import InputError
from wrong import (
    GOOD,
    Case,
    answered,
    cases,
    named_in_plain_lines,
    one_json_object,
)

CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "max_position_embeddings": 8192,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "torch_dtype": "bfloat16",
    "vocab_size": 128256,
}
MOE_CONFIG = CONFIG | {
    "architectures": ["MixtralForCausalLM"],
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
}
ON_CONFIG = ("estimate", "--hardware", "h100-sxm", "--model", "{tmp}/config.json")


def config(base: dict[str, Any] = CONFIG, **changes: Any) -> dict[str, str]:
    """A config.json with `changes`; a change to ... removes the key."""
    data = {key: value for key, value in {**base, **changes}.items() if value is not ...}
    return {"config.json": json.dumps(data)}


CONFIGS = (
    Case(
        "experts-under-other-names",
        ON_CONFIG,
        ("num_local_experts", "num_local_expert_count"),
        file="config.json",
        files=config(MOE_CONFIG, num_local_experts=..., num_local_expert_count=8),
    ),
    Case(
        "experts-of-a-dense-architecture",
        ON_CONFIG,
        ("num_moe_experts", "dense"),
        path="num_moe_experts",
        file="config.json",
        files=config(num_moe_experts=8),
    ),
    Case(
        "unknown-architecture",
        ON_CONFIG,
        ("num_zebra_experts",),
        file="config.json",
        files=config(architectures=["LamaForCausalLM"], num_zebra_experts=8),
    ),
    Case(
        "no-hidden-size",
        ON_CONFIG,
        ("hidden_size", "missing"),
        path="hidden_size",
        file="config.json",
        files=config(hidden_size=...),
    ),
    Case(
        "hidden-size-misspelt",
        ON_CONFIG,
        ("hidden_sise", "missing"),
        path="hidden_sise",
        near="hidden_size",
        file="config.json",
        files=config(hidden_size=..., hidden_sise=4096),
    ),
    Case(
        "hidden-size-is-a-text",
        ON_CONFIG,
        ("'4096'",),
        path="hidden_size",
        file="config.json",
        files=config(hidden_size="4096"),
    ),
    Case(
        "layers-are-negative",
        ON_CONFIG,
        ("-32",),
        path="num_hidden_layers",
        file="config.json",
        files=config(num_hidden_layers=-32),
    ),
    Case(
        "unknown-quantization",
        ON_CONFIG,
        ("fp88",),
        path="quantization_config.quant_method",
        near="fp8",
        file="config.json",
        files=config(quantization_config={"quant_method": "fp88"}),
    ),
    Case(
        "config-in-a-folder",
        (*GOOD, "--model", "{tmp}"),
        ("hidden_size",),
        path="hidden_size",
        file="config.json",
        files=config(hidden_size=...),
    ),
    Case("config-is-a-list", ON_CONFIG, ("mapping",), file="config.json", files={"config.json": "[1, 2]"}),
)


@cases(*CONFIGS)
def test_wrong_input_is_named_in_a_few_plain_lines(case: Case, empty: Path) -> None:
    named_in_plain_lines(case, empty)


@cases(*CONFIGS)
def test_wrong_input_is_one_json_object_for_programs(case: Case, empty: Path) -> None:
    one_json_object(case, empty)


@cases(
    Case("config", ON_CONFIG, files=config()),
    Case("moe-config", (*ON_CONFIG, "--tp", "2"), files=config(MOE_CONFIG)),
)
def test_the_right_input_beside_the_wrong_one_is_answered(case: Case, empty: Path) -> None:
    answered(case, empty)


def test_a_file_that_became_wrong_is_refused_although_it_was_right_before(empty: Path) -> None:
    file = empty / "config.json"
    file.write_text(json.dumps(CONFIG))
    llmperf.estimate(model=str(file), hardware="h100-sxm")
    file.write_text(json.dumps(CONFIG | {"hidden_size": -1}))
    with pytest.raises(InputError, match="hidden_size"):
        llmperf.estimate(model=str(file), hardware="h100-sxm")

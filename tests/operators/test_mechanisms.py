"""Mechanisms of models of 2026: parameters, bytes of a token, reads of a step and operations, each by hand."""

from __future__ import annotations

from typing import Any

import pytest

import llmperf
from llmperf.contract.answers import operators_dict
from llmperf.descriptors.parameters import active_parameters, parameters
from llmperf.phases.setup import setup
from llmperf.scenarios.resolve import resolve

BASE: dict[str, Any] = {
    "name": "made-up",
    "family": "made-up",
    "layers": 12,
    "hidden": 256,
    "vocab": 1000,
    "max_context": 100_000,
    "ffn": 512,
    "attention": {"heads": 8, "kv_heads": 2, "head_dim": 32},
    "sources": {"all": "made up"},
}
MLA = {"q_lora_rank": 64, "kv_lora_rank": 48, "qk_nope_head_dim": 24, "qk_rope_head_dim": 8, "v_head_dim": 32}
EXPERTS = {"experts": 16, "top_k": 4, "expert_ffn": 96}
DELTA = {"layers": 9, "state": 32, "head_dim": 32, "value_heads": 8}
COMPRESSED = {"heads": 8, "kv_heads": 1, "head_dim": 64, "shared_kv": True, "window": 128, "windowed_layers": 12}
INDEXER = {"heads": 4, "head_dim": 16, "top_k": 256}

MODELS: dict[str, dict[str, Any]] = {
    "other-heads-in-windows": {
        "attention": {
            **BASE["attention"],
            "v_head_dim": 24,
            "window": 128,
            "windowed_layers": 8,
            "windowed": {"heads": 8, "kv_heads": 4, "head_dim": 32, "v_head_dim": 24, "sinks": True},
        }
    },
    "keys-that-are-values": {"attention": {**BASE["attention"], "shared_kv": True, "qk_norm": True}},
    "caches-of-other-layers": {
        "attention": {
            **BASE["attention"],
            "window": 128,
            "windowed_layers": 8,
            "windowed": {"heads": 8, "kv_heads": 2, "head_dim": 16},
            "reusing_layers": 2,
            "reusing_windowed": 3,
            "qk_norm": True,
        },
        "per_layer": {"width": 16, "vocab": 1000},
        "ffn_widths": [{"layers": 5, "ffn": 1024}],
    },
    "a-gate-a-head": {"attention": {**BASE["attention"], "head_gate": True, "qk_norm": True}},
    "compressed-queries": {"attention": {**BASE["attention"], "query_rank": 64}},
    "an-indexer-for-some": {
        "mla": MLA,
        "indexer": {**INDEXER, "layers": 4},
        "attention": {**BASE["attention"], "kv_heads": 8},
    },
    "an-indexer-of-grouped-queries": {
        "indexer": {**INDEXER, "pool": 4, "dense_layers": 3, "head_weights": False, "key_matrices": 2}
    },
    "gated-latent-attention": {
        "mla": MLA,
        "attention": {**BASE["attention"], "kv_heads": 8, "output_gate": True, "sinks": True},
    },
    "compressed-entries": {
        "attention": {**COMPRESSED, "query_rank": 64, "output_rank": 16, "output_groups": 4, "sinks": True},
        "indexer": {**INDEXER, "pool": 4, "key_matrices": 4},
        "compression": [{"layers": 5, "ratio": 4, "series": 2, "picked": True}, {"layers": 6, "ratio": 64}],
        "streams": {"count": 4},
    },
    "streams-of-low-rank": {"streams": {"count": 4, "rank": 20}},
    "streams-that-do-not-mix": {"streams": {"count": 4, "mixes": False}},
    "kimi-delta-attention": {"ssm": {**DELTA, "kind": "kda", "gate_rank": 32}},
    "kimi-delta-attention-full-gate": {"ssm": {**DELTA, "kind": "kda", "state_dtype": "fp32", "full_decay": True}},
    "lightning-attention": {"ssm": {**DELTA, "kind": "lightning"}},
    "short-convolutions": {"ssm": {"layers": 9, "state": 1, "kind": "short_conv", "conv": 3}},
    "one-part-a-layer": {
        "attention": {**BASE["attention"], "layers": 2},
        "ssm": {"layers": 5, "state": 32, "head_dim": 32, "value_heads": 8, "groups": 2, "state_dtype": "fp32"},
        "moe": {**EXPERTS, "layers": 4, "latent": 64, "shared_experts": 1, "shared_ffn": 128, "router_bias": True},
        "ffn_layers": 1,
        "norms_per_layer": 1,
        "gated_mlp": False,
    },
    "both-mixers-a-layer": {
        "attention": {**BASE["attention"], "layers": 12},
        "ssm": {"layers": 12, "state": 32, "head_dim": 32, "value_heads": 10},
    },
    "idle-experts": {"moe": {**EXPERTS, "idle_experts": 8, "layers": 6}, "ffn_layers": 12},
}


def table(model: dict[str, Any], phase: str, **scenario: Any) -> Any:
    written = {"model": {**BASE, **model}, "hardware": "b200-sxm", "weights": "bf16", **scenario}
    scenario.setdefault("workload", {"input": 64, "output": 4})
    prepared = setup(resolve(None, {**written, **scenario}).scenario)
    return prepared.scenario, prepared.table(getattr(prepared, f"{phase}_step"))


def rows(model: dict[str, Any], phase: str, **scenario: Any) -> dict[str, dict[str, Any]]:
    written = {"model": {**BASE, **model}, "hardware": "b200-sxm", "weights": "bf16", **scenario}
    data = operators_dict(llmperf.load(None, written), phase)
    return {row["name"]: row for row in data["steps"][0]["operators"]}


def estimated(model: dict[str, Any], **scenario: Any) -> llmperf.Estimate:
    return llmperf.estimate(model={**BASE, **model}, hardware="b200-sxm", weights="bf16", **scenario)


@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.parametrize("name", MODELS)
def test_the_operators_hold_every_parameter_once(name: str, phase: str) -> None:
    scenario, found = table(MODELS[name], phase)
    stored = found.total("resident_bytes") + found.total("resident_experts")
    assert stored == pytest.approx(2 * parameters(scenario.model), rel=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_two_devices_hold_what_one_does_and_what_both_need(name: str) -> None:
    one = estimated(MODELS[name], input=512, output=64, batch=4)
    two = estimated(MODELS[name], input=512, output=64, batch=4, tp=2)
    assert one.memory.weights / 2 <= two.memory.weights <= one.memory.weights
    assert one.memory.kv_cache / 2 <= two.memory.kv_cache <= one.memory.kv_cache * (1 + 1e-9)
    assert two.bound.tpot_s > 0


@pytest.mark.parametrize("name", MODELS)
def test_a_decode_step_reads_no_more_for_a_shorter_context(name: str) -> None:
    short, long = (estimated(MODELS[name], input=n, output=64, batch=64) for n in (4096, 32768))
    assert short.bound.tpot_s <= long.bound.tpot_s
    assert short.memory.kv_cache <= long.memory.kv_cache


def kv(name: str, tokens: int) -> float:
    """Bytes of the cache of one sequence of `tokens` tokens."""
    return float(estimated(MODELS[name], input=tokens - 16, output=16, batch=1).memory.kv_cache)


def test_windows_with_heads_of_their_own_keep_caches_of_their_own() -> None:
    assert kv("other-heads-in-windows", 1600) == 4 * 1600 * 2 * (32 + 24) * 2 + 8 * 128 * 4 * (32 + 24) * 2


def test_keys_that_are_values_take_half_the_cache_and_one_projection_less() -> None:
    assert kv("keys-that-are-values", 1600) == 12 * 1600 * 2 * 32 * 2
    usual = {**BASE["attention"], "qk_norm": True}
    scenario, _ = table({"attention": usual}, "decode")
    shared, _ = table(MODELS["keys-that-are-values"], "decode")
    assert parameters(scenario.model) - parameters(shared.model) == 12 * 256 * 2 * 32


def test_layers_that_read_the_cache_of_others_keep_and_write_none() -> None:
    name = "caches-of-other-layers"
    assert kv(name, 1600) == 2 * 1600 * 2 * 2 * 32 * 2 + 5 * 128 * 2 * 2 * 16 * 2
    decode = rows(MODELS[name], "decode", batch=1, input=1000, output=2)
    assert decode["attention"]["kv_bytes"] - decode["attention_reusing"]["kv_bytes"] == 2 * 2 * 32 * 2
    assert decode["attention_reusing"]["repeat"] == 2
    assert decode["windowed_reusing_q"]["n"] == 8 * 16


def test_an_indexer_of_a_third_of_the_layers_scores_in_these_alone() -> None:
    decode = rows(MODELS["an-indexer-for-some"], "decode", batch=1, input=1000, output=2)
    assert decode["index_scores"]["repeat"] == 4
    assert decode["attention"]["repeat"] == 12
    assert kv("an-indexer-for-some", 1600) == 1600 * (12 * (48 + 8) * 2 + 4 * (16 + 4))


def test_pooled_keys_are_scored_and_kept_once_for_all_their_tokens() -> None:
    name = "an-indexer-of-grouped-queries"
    decode = rows(MODELS[name], "decode", batch=1, input=1023, output=2)
    assert decode["index_scores"]["kv_bytes"] == 1024 / 4 * (16 + 4)
    assert decode["index_scores"]["flops"] == 2 * 1024 / 4 * 4 * 16
    assert (decode["attention"]["repeat"], decode["attention_dense"]["repeat"]) == (9, 3)
    assert decode["attention"]["flops"] == 4 * 256 * 8 * 32
    assert decode["attention_dense"]["flops"] == 4 * 1024 * 8 * 32
    assert kv(name, 1600) == pytest.approx(1600 * (12 * 2 * 2 * 32 * 2 + 9 * (16 + 4) / 4))


def test_compressed_entries_are_kept_by_their_ratio_beside_the_window() -> None:
    name = "compressed-entries"
    entry = 64 * 2
    growing = 5 * entry / 4 + 6 * entry / 64 + 5 * (16 + 4) / 4
    assert kv(name, 1600) == pytest.approx(12 * 128 * entry + 1600 * growing)
    decode = rows(MODELS[name], "decode", batch=1, input=2047, output=2)
    assert decode["attention_windowed"]["flops"] == 4 * 128 * 8 * 64
    assert decode["attention_compressed_1"]["flops"] == 4 * 256 * 8 * 64  # as many as are picked
    assert decode["attention_compressed_2"]["flops"] == 4 * 2048 / 64 * 8 * 64
    assert decode["index_scores"]["flops"] == 2 * 2048 / 4 * 4 * 16


def test_streams_multiply_what_goes_to_the_next_stage_and_add_their_mixtures() -> None:
    prefill = rows(MODELS["compressed-entries"], "prefill", batch=1, input=100, output=2)
    assert prefill["stream_mixture"]["repeat"] == 24
    assert prefill["stream_mixture"]["flops"] == 2 * 100 * (4 + 4 + 16) * 4 * 256
    unmixed = rows(MODELS["streams-that-do-not-mix"], "prefill", batch=1, input=100, output=2)
    assert unmixed["stream_mixture"]["flops"] == 2 * 100 * 8 * 4 * 256


def test_delta_attention_keeps_one_state_a_head_however_long_the_sequence() -> None:
    states = 9 * (8 * 32 * 32 + 3 * 8 * 32 * 4) * 2
    assert kv("kimi-delta-attention", 1600) == states + 3 * 1600 * 2 * 2 * 32 * 2
    wide = 9 * (8 * 32 * 32 * 4 + 3 * 8 * 32 * 4 * 2)
    assert kv("kimi-delta-attention-full-gate", 1600) == wide + 3 * 1600 * 2 * 2 * 32 * 2
    decode = rows(MODELS["kimi-delta-attention"], "decode", batch=1, input=1000, output=2)
    assert decode["ssm_update"]["kv_bytes"] == 2 * states / 9


def test_layers_of_one_part_each_are_counted_part_by_part() -> None:
    decode = rows(MODELS["one-part-a-layer"], "decode", batch=1, input=1000, output=2)
    repeat = {name: decode[name]["repeat"] for name in ("attention", "ssm_update", "moe_down", "down", "add_norm")}
    assert repeat == {"attention": 2, "ssm_update": 5, "moe_down": 4, "down": 1, "add_norm": 12}
    assert decode["up"]["n"] == 512


def test_latent_experts_work_in_the_narrow_width() -> None:
    decode = rows(MODELS["one-part-a-layer"], "decode", batch=1, input=1000, output=2)
    assert decode["latent_down"]["flops"] == 2 * 256 * 64
    assert decode["moe_gate_up"]["k"] == 64
    assert decode["moe_down"]["n"] == 64


def test_an_idle_choice_costs_nothing() -> None:
    model, _ = table(MODELS["idle-experts"], "decode")
    usual, _ = table({**MODELS["idle-experts"], "moe": {**EXPERTS, "layers": 6}}, "decode")
    less = active_parameters(usual.model) - active_parameters(model.model)
    # a third of the choices is idle; the router has a row for each
    assert less == pytest.approx(6 * (4 / 3 * 3 * 256 * 96 - 8 * 256))


def test_a_reusing_layer_must_have_another_to_read() -> None:
    wrong = {"attention": {**BASE["attention"], "reusing_layers": 12}}
    with pytest.raises(llmperf.InputError, match="reusing_layers"):
        estimated(wrong)


def test_picked_entries_need_an_indexer() -> None:
    wrong = {"attention": COMPRESSED, "compression": [{"layers": 12, "ratio": 4, "picked": True}]}
    with pytest.raises(llmperf.InputError, match="indexer"):
        estimated(wrong)

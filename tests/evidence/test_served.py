"""Measured end-to-end data sets as scenarios, and the engine mechanisms that they need."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import llmperf
from llmperf.errors import InputError
from llmperf.evidence import tables
from llmperf.evidence.classes import name_of
from llmperf.evidence.rows import Rows
from llmperf.evidence.served import (
    DATASETS,
    edge,
    elsewhere,
    engines,
    names,
    recognized,
    serving,
    silicon,
    splitwise,
    vllm,
)
from llmperf.evidence.served.loops import loops
from llmperf.evidence.served.scenarios import Case, answers
from llmperf.scenarios.resolve import resolve

DATA = Path(os.environ.get("LLMPERF_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
"""Measured data beside the checkout; tests of them are skipped where there are none."""

SCENARIO = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "batch": 8, "input": 1024, "output": 129}


def estimate(engine: dict[str, Any] | None = None, **overrides: Any) -> Any:
    return llmperf.estimate(
        **{**SCENARIO, **overrides}, engine={"extends": "generic", "step_time": 0, **(engine or {})}
    )


def table(text: str) -> tables.DataTable:
    lines = [re.sub(r"\s*,\s*", ",", line.strip()) for line in text.strip().splitlines()]
    return tables.parse("\n".join(lines).encode(), "data.csv")


def omitted(rows: Rows) -> dict[str, str]:
    return dict(rows.omitted)


def values(rows: Rows, metric: str = "tpot_s") -> dict[str, float]:
    triples = zip(rows.ids, rows.metrics, rows.measured.tolist(), strict=True)
    return {name: value for name, what, value in triples if what == metric}


# --- continuous batching


def test_a_loop_of_one_is_a_single_request() -> None:
    case = Case({"model": "llama-3.1-8b", "hardware": "h100-sxm"}, 1.0, 512.0, 512.0)
    loop, alone = loops([case]), answers([case])
    served = 512 / (alone.projection["ttft_s"][0] + 511 * alone.projection["tpot_s"][0])
    assert loop.metric("output_tokens_per_s", 0) == pytest.approx(served, rel=0.01)


def test_a_loop_never_serves_more_than_its_bound() -> None:
    scenario = {"model": "llama-3.1-8b", "hardware": "h100-sxm"}
    cases = [Case(scenario, wanted, i, o) for wanted in (1.0, 64.0, np.inf) for i, o in ((128, 2048), (8192, 128))]
    found = loops(cases)
    for i in range(len(cases)):
        assert found.metric("total_tokens_per_s", i) < found.metric("total_tokens_per_s", i, bound=True)


def test_memory_limits_the_concurrency_of_a_loop() -> None:
    case = Case({"model": "llama-3.1-70b", "hardware": "h100-sxm", "weights": "fp8"}, np.inf, 1000.0, 1000.0)
    found = loops([case])
    assert 0 < found.concurrency[0] < 60 < found.most[0] + 60


# --- engines


def test_a_slow_host_sets_the_step_of_an_eager_engine() -> None:
    launch = {"graphs": False, "launch_time": "100 us"}
    once, twice = estimate(launch), estimate({**launch, "launches_per_operator": 2})
    assert once.bottleneck["decode"] == "host"
    assert twice.tpot_s == pytest.approx(2 * once.tpot_s)


def test_a_fast_host_hides_behind_the_device() -> None:
    assert estimate({"graphs": False, "launch_time": "10 ns"}).tpot_s == pytest.approx(estimate().tpot_s)


def test_collectives_wait_only_where_there_are_several_devices() -> None:
    waits = {"collective_latency": "50 us"}
    assert estimate(waits).tpot_s == estimate().tpot_s
    layers = 32
    more = estimate(waits, tp=2).tpot_s - estimate(tp=2).tpot_s
    assert 2 * layers * 50e-6 <= more <= (2 * layers + 2) * 50e-6


def test_workers_of_further_devices_take_their_time_once_a_step() -> None:
    assert estimate({"worker_time": "1 ms"}).tpot_s == estimate().tpot_s
    assert estimate({"worker_time": "1 ms"}, tp=4).tpot_s == pytest.approx(estimate(tp=4).tpot_s + 1e-3)


def test_block_tables_grow_with_the_cached_tokens() -> None:
    more = estimate({"block_time": "1 us"}).tpot_s - estimate().tpot_s
    assert more == pytest.approx(8 * (1024 + 64.5) / 16 * 1e-6)


def test_a_pipeline_waits_for_the_host_once() -> None:
    """Later stages prepare a step while the first computes it (llama.cpp and TensorRT-LLM over 1 to 6 devices)."""
    for stages in (1, 4):
        layout = {"pp": stages, "batch": 1}
        more = estimate({"step_time": "1 ms"}, **layout).tpot_s - estimate(**layout).tpot_s
        assert more == pytest.approx(1e-3)


def test_an_engine_runs_no_more_sequences_than_it_says() -> None:
    assert estimate({"max_sequences": 64}).memory.max_batch == 64 < estimate().memory.max_batch


def test_few_loads_in_flight_do_not_fill_fast_memory() -> None:
    """Matrix-vector products of 2024 reach 1 TB/s on A100 and all of the memory of RTX 4090."""
    few = {"bytes_per_clock": 6.7}
    slow = estimate(few, hardware="a100-sxm-80gb", batch=1)
    assert slow.tpot_s > 16e9 / 1.1e12 > estimate(hardware="a100-sxm-80gb", batch=1).tpot_s
    assert estimate(few, hardware="rtx-4090", batch=1).tpot_s == estimate(hardware="rtx-4090", batch=1).tpot_s


def test_heads_that_do_not_share_keys_read_them_again() -> None:
    own, long = {"attention": {"kv_sharing": 0}}, {"input": 8000, "batch": 32}
    assert estimate(**own, **long).tpot_s > 1.5 * estimate(**long).tpot_s
    alone = {"model": "llama-2-7b", "input": 2000, "batch": 32}  # a head of its own for every query head
    assert estimate(**own, **alone).tpot_s == estimate(**alone).tpot_s


def test_a_dequantized_copy_costs_prompts_of_quantized_weights_only() -> None:
    copy = {"dequantized_copy": True}
    assert estimate(copy).ttft_s == estimate().ttft_s
    quantized = {"weights": "w4a16-g128"}
    assert estimate(copy, **quantized).tpot_s == estimate(**quantized).tpot_s
    more = estimate(copy, **quantized).ttft_s - estimate(**quantized).ttft_s
    written = 7e9 * 2  # the linear layers in 16 bit
    assert more > written / 3.35e12


def test_scores_through_memory_grow_with_the_square_of_the_prompt() -> None:
    def more(length: int) -> float:
        lengths = {"input": length, "batch": 1}
        return estimate(attention={"score_bytes": 20}, **lengths).ttft_s - estimate(**lengths).ttft_s

    assert more(4096) == pytest.approx(4 * more(2048), rel=0.01)


def test_a_pipeline_that_drains_is_slower_the_more_often_it_does() -> None:
    layout = {"pp": 4, "batch": 1, "input": 8192, "micro_batches": 1}
    chunks = {"token_budget": 512}
    times = [estimate({**chunks, "pipeline_depth": depth}, **layout).ttft_s for depth in (1, 2, 4, 16)]
    assert times == sorted(times, reverse=True)
    assert times[-1] == estimate(chunks, **layout).ttft_s
    assert times[0] > 2.5 * times[-1]


def test_a_static_cache_is_read_whole_in_every_step() -> None:
    padded = estimate({"static_cache": True}, batch=64)
    last = estimate(batch=64, input=1024 + 127, output=2)
    assert padded.tpot_s == pytest.approx(last.tpot_s)


def test_slower_collectives_slow_only_what_they_carry() -> None:
    slow = {"collective_slowdown": 3}
    assert estimate(slow).ttft_s == estimate().ttft_s
    assert estimate(slow, tp=8).ttft_s > 1.2 * estimate(tp=8).ttft_s


def test_integer_products_of_blocks_are_limited_by_what_scales_their_sums() -> None:
    def prompt(unpack: float, weights: str, hardware: str = "rtx-4090") -> float:
        engine = {"unpack_slowdown": unpack}
        return estimate(engine, weights=weights, hardware=hardware, batch=1, input=2048).ttft_s

    assert prompt(5, "q4_0") > 1.3 * prompt(1, "q4_0")
    assert prompt(5, "q4_0") == pytest.approx(prompt(5, "q8_0"), rel=0.05)  # both are sums of 32 products
    assert prompt(5, "w4a16-g128") == pytest.approx(prompt(1, "w4a16-g128"), rel=0.05)  # 16-bit sums need no scaling
    slow, plain = (estimate({"unpack_slowdown": unpack}, weights="q4_0", hardware="rtx-4090") for unpack in (5, 1))
    assert slow.bound.ttft_s == plain.bound.ttft_s


def test_rows_that_do_not_fill_a_tile_cost_as_much_as_those_that_do() -> None:
    tiled = {"tiles": {"w4a16": {"rows": 128, "above": 6}}}
    times = {batch: estimate(tiled, batch=batch, weights="w4a16-g128").tpot_s for batch in (6, 8)}
    plain = {batch: estimate(batch=batch, weights="w4a16-g128").tpot_s for batch in (6, 8)}
    assert times[6] == plain[6]
    assert times[8] > 1.2 * plain[8]
    assert estimate(tiled, batch=8).tpot_s == estimate(batch=8).tpot_s  # 16-bit weights have other kernels
    whole = estimate(tiled, batch=1, input=1024, weights="w4a16-g128").ttft_s
    assert whole == pytest.approx(estimate(batch=1, input=1024, weights="w4a16-g128").ttft_s, rel=0.01)


def test_threads_set_what_a_processor_computes_until_memory_limits_it() -> None:
    scenario = {"model": "llama-2-7b", "hardware": "i9-13900k", "weights": "q4_0", "batch": 1, "input": 256}

    def run(threads: int | None) -> Any:
        return estimate({"threads": threads}, **scenario)

    prompt = {threads: run(threads).ttft_s for threads in (4, 8, 24, 32)}
    token = {threads: run(threads).tpot_s for threads in (4, 8, 24, 32)}
    assert prompt[4] == pytest.approx(2 * prompt[8], rel=0.05)  # of eight fast cores
    assert prompt[8] < 2 * prompt[24]  # the other sixteen are less than half as fast
    assert prompt[24] == prompt[32] == run(None).ttft_s
    assert token[24] < token[4] < 2 * token[24]
    assert run(4).bound.tpot_s == run(32).bound.tpot_s


def test_bytes_of_unfused_activations_cost_prompts() -> None:
    unfused = {"elementwise_slowdown": 5}
    assert estimate(unfused).ttft_s > 1.1 * estimate().ttft_s
    assert estimate(unfused).bound.ttft_s == estimate().bound.ttft_s


def test_no_mechanism_of_an_engine_moves_the_bound() -> None:
    mechanisms = {
        "graphs": False,
        "launch_time": "50 us",
        "collective_latency": "50 us",
        "collective_slowdown": 3,
        "bytes_per_clock": 1,
        "dequantized_copy": True,
        "block_time": "1 us",
    }
    slow, plain = (estimate(part, tp=2, weights="w4a16-g128") for part in (mechanisms, {}))
    assert (slow.bound.ttft_s, slow.bound.tpot_s) == (plain.bound.ttft_s, plain.bound.tpot_s)
    assert slow.tpot_s > plain.tpot_s


def test_a_system_puts_values_on_top_of_the_efficiencies_that_its_chip_names() -> None:
    chip, system = (resolve({"model": "llama-2-7b", "hardware": name}).scenario for name in ("a100", "hgx-a100"))
    assert system.hardware.achieved.launch > chip.hardware.achieved.launch
    assert system.hardware.achieved.gemm == chip.hardware.achieved.gemm


# --- classes of error bands


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ({"model": "llama-3.1-8b", "hardware": "h100-sxm"}, "decode/gpu-hbm/single/generic"),
        ({"model": "llama-3.1-8b", "hardware": "rtx-4090", "weights": "w4a16-g128"}, "decode/gpu-gddr/single/generic"),
        ({"model": "llama-3.1-70b", "hardware": "dgx-h100", "weights": "fp8", "tp": 4}, "decode/gpu-hbm/tp/generic"),
        ({"model": "mixtral-8x7b", "hardware": "dgx-h100", "tp": 4}, "decode/gpu-hbm/moe/generic"),
        ({"model": "opt-30b", "hardware": "t4-gcp"}, "decode/gpu-gddr/offload/generic"),
        ({"model": "llama-3.2-3b", "hardware": "m2-ultra"}, "decode/soc-lpddr/single/generic"),
    ],
)
def test_a_class_says_what_decides_an_error(scenario: dict[str, Any], expected: str) -> None:
    assert name_of("decode", resolve(None, scenario).scenario) == expected


# --- many cases at once


def test_cases_evaluated_together_are_those_evaluated_alone() -> None:
    scenario = {"model": "llama-3.1-8b", "hardware": "h100-sxm"}
    cases = [Case(scenario, b, i, o) for b, i, o in ((1, 100, 10), (8, 1000, 200), (64, 4000, 50))]
    together = answers(cases)
    for place, case in enumerate(cases):
        alone = llmperf.estimate(scenario, batch=case.batch, input=case.input, output=case.output)
        assert together.projection["ttft_s"][place] == pytest.approx(alone.ttft_s)
        assert together.bound["tpot_s"][place] == pytest.approx(alone.bound.tpot_s)


def test_one_impossible_case_does_not_spoil_the_others() -> None:
    scenario = {"model": "llama-3.1-8b", "hardware": "h100-sxm"}
    found = answers([Case(scenario, 1.0, 100.0, 10.0), Case(scenario, 1.5, 100.0, 10.0)])
    assert found.known.tolist() == [True, False]
    assert "whole number" in found.faults[1]


# --- splitwise

SPLITWISE = """
model, hardware, prompt_size, batch_size, token_size, peak_power, average_power, prompt_time, token_time, \
tensor_parallel
llama2-70b, h100-80gb, 512, 1, 128, 0, 0, 50, 29, 8
llama2-70b, h100-80gb, 512, 1, 128, 0, 0, 60, 31, 8
llama2-70b, h100-80gb, 512, 1, 128, 0, 0, 54, 30, 8
llama2-70b, h100-80gb, 512, 64, 128, 0, 0, 360, 30, 2
llama2-70b, tpu, 512, 1, 128, 0, 0, 360, 30, 2
"""


def test_repeated_configurations_count_once_with_their_median() -> None:
    rows = splitwise.evaluate(table(SPLITWISE))
    assert rows.metrics == ["ttft_s", "tpot_s"]
    assert rows.measured.tolist() == pytest.approx([54e-3, 30e-3])
    assert rows.notes == ["median of lines 2, 3, 4"] * 2
    assert rows.groups == ["h100-80gb"] * 2


def test_invalid_rows_of_splitwise_are_named_with_a_reason() -> None:
    why = omitted(splitwise.evaluate(table(SPLITWISE)))
    assert len(why) == 2
    assert any("invalid" in text for text in why.values())
    assert any("unknown hardware 'tpu'" in text for text in why.values())


# --- edge

EDGE_COLUMNS = (
    "id, source, model, params_b, weight_fmt, bits_per_weight, kv_fmt, hardware, backend, threads_or_gpus, phase, "
    "batch, prompt_len, gen_len, tokens_per_s, notes"
)


def edge_rows(*rows: str) -> Rows:
    return edge.evaluate(table("\n".join([EDGE_COLUMNS, *rows])))


def test_stated_bits_decide_how_fast_weights_are_read() -> None:
    rows = edge_rows(
        "a, s, llama-3-8b, 8, F16, 16, f16, RTX 4090, llama.cpp CUDA, 1, decode, 1, 0, 128, 50,",
        "b, s, llama-3-8b, 8, Q8_0, 8, f16, RTX 4090, llama.cpp CUDA, 1, decode, 1, 0, 128, 90,",
    )
    assert rows.bound[1] / rows.bound[0] == pytest.approx(2.0, rel=0.03)
    assert rows.metrics == ["decode_tokens_per_s"] * 2
    assert rows.classes == ["decode/gpu-gddr/single/llama.cpp-cuda"] * 2


def test_experts_that_nobody_names_do_not_raise_the_bound() -> None:
    shared = "qwen3-30b-a3b, 30, BF16, 16, f16, Jetson AGX Thor, vLLM, 1, decode"
    one, eight = edge_rows(f"a, s, {shared}, 1, 64, 64, 20,", f"b, s, {shared}, 8, 64, 64, 80,").bound
    assert eight == pytest.approx(8 * one, rel=0.1)  # eight sequences of one prompt read what one reads


def test_a_row_says_its_machine_as_people_do() -> None:
    shared = "llama-3-8b, 8, Q4_0, 4.5, f16"
    rows = edge_rows(
        f"a, s, {shared}, Apple M2 Max - 12 CPU / 30 GPU / 64 GB, llama.cpp Metal, 1, prefill, 1, 512, 0, 500,",
        f"b, s, {shared}, M2 Max 38-core GPU, llama.cpp Metal, 1, prefill, 1, 512, 0, 600,",
        f"c, s, {shared}, 2x RTX 4090, llama.cpp CUDA, 2, decode, 1, 0, 128, 100,",
        f"d, s, {shared}, i9-13900K DDR5-6400, llama.cpp CPU, 4, prefill, 1, 512, 0, 20,",
        f"e, s, {shared}, i9-13900K DDR5-6400, llama.cpp CPU, 8, prefill, 1, 512, 0, 30,",
    )
    assert rows.ids == ["a", "b", "c", "d", "e"]
    assert rows.projection[1] / rows.projection[0] == pytest.approx(38 / 30, rel=0.1)
    assert "layers split over 2 devices" in rows.notes[2]
    assert rows.projection[4] > 1.8 * rows.projection[3]  # twice the threads, on cores of the same kind


@pytest.mark.parametrize(
    ("hardware", "backend", "family"),
    [
        ("Radeon RX 7900 XTX", "llama.cpp", "vulkan"),
        ("Radeon RX 7900 XTX", "llama.cpp ROCm", "cuda"),
        ("Intel Arc A770 16GB", "llama.cpp", "vulkan"),
        ("GeForce RTX 3060", "llama.cpp", "cuda"),
        ("M5 Max", "llama.cpp", "metal"),
    ],
)
def test_a_row_without_a_backend_ran_that_of_its_hardware(hardware: str, backend: str, family: str) -> None:
    assert engines.edge(backend, hardware, "1", "s") == (f"llama.cpp-{family}", f"llama.cpp-{family}")


def test_layers_split_over_cards_decode_no_faster_than_on_one() -> None:
    rows = edge_rows(
        "a, s, llama-3-8b, 8, F16, 16, f16, A40 48GB, llama.cpp CUDA, 1, decode, 1, 0, 512, 34,",
        "b, s, llama-3-8b, 8, F16, 16, f16, A40 48GB * 4, llama.cpp CUDA, 4, decode, 1, 0, 512, 33,",
    )
    assert rows.projection[1] <= rows.projection[0]
    assert "layers split over 4 devices" in rows.notes[1]


def test_tokens_of_a_batch_are_an_aggregate() -> None:
    line = "{0}, s, llama-3-8b, 8, INT4 AWQ g128, 4.25, f16, RTX 4090, AutoAWQ GEMM, 1, decode, {0}, 64, 64, 100,"
    rows = edge_rows(line.format(1), line.format(8))
    assert rows.projection[1] > 4 * rows.projection[0]


def test_offloaded_systems_are_measured_from_prompt_to_end() -> None:
    rows = edge_rows(
        "a, s, opt-30b, 30, FP16, 16, f16, T4 16GB + 208GB DRAM + 1.5TB SSD (GCP), FlexLLMGen, 1, decode, 144, 512, "
        "32, 7.32, END-TO-END generated/(prefill+decode); weights/KV lowest tier cpu"
    )
    assert rows.metrics == ["output_tokens_per_s"]
    assert rows.classes == ["e2e/gpu-gddr/offload/flexgen"]
    assert 1.0 < rows.projection[0] < rows.bound[0]


def test_products_in_half_precision_exceed_what_single_accumulation_allows_on_geforce() -> None:
    half = edge_rows("a, s, llama-3-8b, 8, W4, 4.25, f16, RTX 4090, TinyChat 2.0, 1, prefill, 1, 2048, 0, 15600,")
    single = edge_rows("a, s, llama-3-8b, 8, FP16, 16, f16, RTX 4090, FP16 baseline, 1, prefill, 1, 2048, 0, 9700,")
    assert half.bound[0] == pytest.approx(2 * single.bound[0], rel=0.05)
    assert not half.violations.any()


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("RTX 9999, llama.cpp CUDA, 1, decode, 1, 0, 128, 50,", "unknown hardware 'RTX 9999'"),
        ("RTX 4090, llama.cpp CUDA, 1, prefill, 1, , 0, 50,", "no prompt length"),
        ("RTX 4090, llama.cpp CUDA, 1, decode, , 0, 128, 50,", "batch not stated"),
        ("RTX 4090, llama.cpp CUDA, 1, decode, 1, 0, 128, 50, ANOMALOUS prefill", "distrusted"),
        ("2x Xeon + 2x RTX 4090, kt-kernel, 2, decode, 1, 0, 128, 50,", "experts are computed by host processors"),
        ("RTX 4090, llama.cpp CUDA, 1, both, 1, 0, 128, 50,", "unknown phase 'both'"),
    ],
)
def test_what_cannot_be_expressed_says_why(row: str, why: str) -> None:
    rows = edge_rows(f"a, s, llama-3-8b, 8, Q4_K_M, 4.9, f16, {row}")
    assert len(rows) == 0
    assert why.lower() in omitted(rows)["a"].lower()


def test_an_unknown_model_is_named_with_the_nearest() -> None:
    rows = edge_rows("a, s, llama-3-9b, 9, F16, 16, f16, RTX 4090, llama.cpp CUDA, 1, decode, 1, 0, 128, 50,")
    assert omitted(rows)["a"] == "unknown model 'llama-3-9b' (nearest: llama-3-8b)"


# --- serving

SERVING_COLUMNS = (
    "id, source_title, date_or_version, engine, model, weight_fmt, kv_fmt, act_fmt, hardware, n_gpus, tp, pp, ep, dp, "
    "scenario, batch_or_concurrency, input_len, output_len, metric, value, notes, group, tier"
)


def serving_rows(*rows: str) -> Rows:
    return serving.evaluate(table("\n".join([SERVING_COLUMNS, *rows])))


def served(name: str, **changed: str) -> str:
    cells = {
        "source": "vendor",
        "version": "v1",
        "engine": "vLLM",
        "model": "Llama-3.1-8B",
        "formats": "bf16, bf16, bf16",
        "hardware": "H100-SXM-80GB",
        "layout": "1, 1, 1, , 1",
        "scenario": "fixed_batch",
        "batch": "8",
        "lengths": "1024, 128",
        "metric": "output_tokens_per_s",
        "value": "1000",
        "notes": "",
        "group": "g",
        "tier": "A",
        **changed,
    }
    return ", ".join([name, *cells.values()])


def test_rates_of_one_gpu_stand_for_the_whole_system() -> None:
    rows = serving_rows(
        served("a", layout="4, 4, 1, , 1", value="4000"),
        served("b", layout="4, 4, 1, , 1", metric="output_tokens_per_s_per_gpu"),
    )
    assert values(rows, rows.metrics[0]) == {"a": 4000.0, "b": 4000.0}
    assert rows.projection[0] == rows.projection[1]


def test_a_static_batch_is_the_estimate_of_its_engine() -> None:
    rows = serving_rows(served("a"), served("b", metric="total_tokens_per_s"), served("c", metric="e2e_ms"))
    found = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", engine="vllm", batch=8, input=1024, output=128)
    expected = [found.output_tokens_per_s, found.total_tokens_per_s, found.e2e_s]
    assert rows.projection.tolist() == pytest.approx(expected)
    assert rows.measured[2] == 1.0  # a thousand milliseconds
    assert rows.rates.tolist() == [True, True, False]


def test_a_batch_that_does_not_fit_runs_in_parts() -> None:
    rows = serving_rows(served("a", model="Llama-2-7B", batch="256", lengths="2048, 2048", value="1000"))
    assert re.match(r"does not fit: \d+ parts one after the other", rows.notes[0])
    assert rows.projection[0] < 0.7 * rows.bound[0]


def test_an_infinite_rate_is_a_closed_loop() -> None:
    rows = serving_rows(served("a", scenario="offline_max", batch="", engine="TensorRT-LLM"))
    assert rows.notes[0].startswith("closed loop of ")
    assert rows.classes == ["e2e/gpu-hbm/single/tensorrt-llm"]


def test_a_pool_that_only_decodes_is_judged_by_its_steps() -> None:
    rows = serving_rows(
        served(
            "a",
            engine="SGLang",
            model="DeepSeek-V3/R1",
            formats="fp8, bf16, fp8",
            layout="72, 1, 1, 72, 72",
            batch="256",
            lengths="2000, ",
            notes="DECODE-ONLY pool; batch 256 per GPU",
        )
    )
    assert rows.metrics == ["decode_tokens_per_s"]
    assert "decode/gpu-hbm/moe/sglang" in rows.classes


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"tier": "C"}, "tier C"),
        ({"scenario": "server", "batch": ""}, "rate that is not stated"),
        ({"scenario": "offline_max", "metric": "ttft_ms", "batch": "QPS=INF"}, "whose number is not stated"),
        ({"lengths": ", 128"}, "no input length"),
        ({"layout": "8, , , , "}, "layout over several devices is not stated"),
        ({"formats": "int3, , "}, "unknown weight format 'int3'"),
        ({"metric": "power_w"}, "unknown metric"),
        ({"model": "DeciLM-7B"}, "unknown model"),
        ({"model": "Llama-3.1-405B"}, "the weights do not fit"),
    ],
)
def test_a_published_row_that_cannot_be_expressed_says_why(changed: dict[str, str], why: str) -> None:
    rows = serving_rows(served("a", **changed))
    assert len(rows) == 0
    assert why in omitted(rows)["a"]


# --- silicon

SILICON_COLUMNS = (
    "id, silicon_data_source, backend, model_path, system, mode, isl, osl, gemm_quant_mode, moe_quant_mode, "
    "batch_size, tp_size, pp_size, attention_dp_size, moe_tp_size, moe_ep_size, decode_batch_size, decode_num_workers, "
    "decode_tp_size, decode_attention_dp_size, decode_moe_ep_size, silicon_ttft_ms, silicon_tpot_ms"
)


def silicon_rows(*rows: str) -> Rows:
    return silicon.evaluate(table("\n".join([SILICON_COLUMNS, *rows])))


def test_equal_served_configurations_count_once() -> None:
    line = "{}, s, vllm, Qwen/Qwen3-32B, h100_sxm, agg, 1024, 1024, fp8, fp8, 16, 2, 1, 1, 1, 1, , , , , , 100, {}"
    rows = silicon_rows(line.format("a", 10), line.format("b", 30), line.format("c", 14))
    assert values(rows) == {"a": pytest.approx(14e-3)}
    assert values(rows, "ttft_mean_s") == {"a": pytest.approx(0.1)}
    assert set(rows.notes) == {"closed loop of 16; median of lines 2, 3, 4"}
    assert not rows.omitted


def test_attention_ranks_multiply_the_batch_and_share_the_devices() -> None:
    rows = silicon_rows(
        "a, s, trtllm, deepseek-ai/DeepSeek-R1, b200_sxm, agg, 1024, 1024, nvfp4, nvfp4, 32, 4, 1, 4, 1, 16, , , , , , "
        "100, 20"
    )
    assert set(rows.notes) == {"closed loop of 128"}
    assert rows.classes == ["decode/gpu-hbm/moe/tensorrt-llm", "ttft/gpu-hbm/moe/tensorrt-llm"]


def test_several_tokens_a_step_are_not_judged_as_one() -> None:
    header = SILICON_COLUMNS + ", backend_version"
    line = (
        "{}, measured={}; x, trtllm, deepseek-ai/DeepSeek-R1, b200_sxm, agg, 1024, 1024, nvfp4, nvfp4, 8, 4, 1, 1, 4, "
        "1, , , , , , 100, {}, {}"
    )
    rows = silicon.evaluate(
        table(
            "\n".join(
                [
                    header,
                    line.format("plain", "2026-02-03", 9.7, "1.2.0rc6.post2"),
                    line.format("predicting", "2026-02-06", 7.0, "1.2.0rc6.post3"),
                    line.format("early", "2025-12-15", 10.1, "1.1.0rc2.post2"),
                ]
            )
        )
    )
    assert values(rows) == {"plain": pytest.approx(9.9e-3)}
    assert "multi-token prediction" in dict(rows.omitted)["predicting"]


def test_models_released_with_scaled_blocks_are_read_so() -> None:
    assert names.fp8(names.model("DeepSeek-V3/R1")) == "fp8-block"
    assert names.fp8(names.model("Llama-3.1-8B")) == "fp8"


def test_devices_of_a_whole_deployment_are_no_layout() -> None:
    rows = silicon_rows(
        "a, s, trtllm, deepseek-ai/DeepSeek-R1, gb200, agg, 1024, 1024, nvfp4, nvfp4, 512, 36, 1, 1, 36, 1, , , , , , "
        "100, 20"
    )
    assert "36 GPUs for one aggregated engine" in " ".join(why for _, why in rows.omitted)


def test_a_decoding_pool_waits_for_no_prompts() -> None:
    pool = (
        "a, s, trtllm, Qwen/Qwen3-32B, h100_sxm, disagg, 4096, 512, fp8, fp8, , , , , , , 48, 2, 2, 1, 1, 100, 20",
        "b, s, trtllm, Qwen/Qwen3-32B, h100_sxm, agg, 4096, 512, fp8, fp8, 48, 2, 1, 1, 1, 1, , , , , , 100, 20",
        "c, s, trtllm, Qwen/Qwen3-32B, h100_sxm, disagg, 4096, 512, fp8, fp8, , , , , , , , , , , , 100, 20",
    )
    rows = silicon_rows(*pool)
    times = dict(zip(rows.ids, rows.projection, strict=True))
    assert times["a"] < times["b"]
    assert "without the batch of the decoding pool" in omitted(rows)["c"]


# --- vllm

VLLM = """
id, engine, model, hardware, tp, weight_fmt, max_num_seqs, max_num_batched_tokens, request_rate_per_s, input_len, \
shared_prefix_len, output_len, ttft_mean_ms, itl_mean_ms, e2e_mean_ms, implied_output_len
slow, vLLM, meta-llama/Llama-3.1-8B, H100, 1, FP16, 128, 8192, 1, 600, 100, 250, 30, 7, 1800, 250
fast, vLLM, meta-llama/Llama-3.1-8B, H100, 1, FP16, 128, 8192, 8, 600, 100, 250, 30, 7, 1800, 250
short, vLLM, meta-llama/Llama-3.1-8B, H100, 1, FP16, 128, 8192, 1, 600, 100, 250, 30, 7, 900, 125
"""


def test_an_open_loop_obeys_littles_law() -> None:
    rows = vllm.evaluate(table(VLLM))
    e2e = dict(zip(zip(rows.ids, rows.metrics, strict=True), rows.projection, strict=True))
    notes = dict(zip(rows.ids, rows.notes, strict=True))
    for name, rate in (("slow", 1.0), ("fast", 8.0)):
        at_once = float(re.search(r"([\d.]+) sequences", notes[name])[1])  # type: ignore[index]
        assert at_once == pytest.approx(rate * e2e[name, "e2e_s"], rel=0.05)


def test_more_requests_a_second_slow_every_token() -> None:
    rows = vllm.evaluate(table(VLLM))
    found = dict(zip(zip(rows.ids, rows.metrics, strict=True), rows.projection, strict=True))
    for metric in ("ttft_mean_s", "itl_s", "e2e_s"):
        assert found["fast", metric] > found["slow", metric]


def test_a_stage_that_stops_early_counts_with_its_own_length() -> None:
    rows = vllm.evaluate(table(VLLM))
    found = dict(zip(zip(rows.ids, rows.metrics, strict=True), rows.projection, strict=True))
    assert found["short", "e2e_s"] == pytest.approx(found["slow", "e2e_s"] / 2, rel=0.1)


# --- all data sets


def test_training_rows_are_listed_not_dropped() -> None:
    training = next(part for part in elsewhere.SETS if part.NAME == "training")
    rows = training.evaluate(
        table("id, zero_stage, micro_batch, global_batch, recompute, metric, value\na, 3, 1, 8, full, mfu, 0.4")
    )
    assert len(rows) == 0
    assert "training" in omitted(rows)["a"]


@pytest.mark.parametrize("dataset", [splitwise, edge, serving, silicon, vllm])
def test_a_missing_column_is_named(dataset: Any) -> None:
    with pytest.raises(InputError, match="this column is missing"):
        dataset.evaluate(table("id, nothing\na, 1"))


@pytest.mark.parametrize("dataset", [edge, serving, silicon])
def test_a_value_that_is_no_number_is_named_with_its_line(dataset: Any) -> None:
    header = {"edge": EDGE_COLUMNS, "serving": SERVING_COLUMNS, "silicon": SILICON_COLUMNS}[dataset.NAME]
    cells = ["many"] * len(header.split(","))
    with pytest.raises(InputError) as caught:
        dataset.evaluate(table(f"{header}\n{','.join(cells)}"))
    assert caught.value.problems[0].line == 2
    assert "is not a number" in str(caught.value)


def test_no_two_data_sets_claim_the_same_columns() -> None:
    for dataset in DATASETS:
        assert [other.NAME for other in recognized(dataset.COLUMNS)] == [dataset.NAME]


FILES: dict[str, Callable[[tables.DataTable], Rows]] = {
    "splitwise_phases.csv": splitwise.evaluate,
    "edge.csv": edge.evaluate,
    "serving.csv": serving.evaluate,
    "silicon_e2e.csv": silicon.evaluate,
    "vllm_serving.csv": vllm.evaluate,
}


@pytest.fixture(scope="module", params=FILES)
def measured(request: pytest.FixtureRequest) -> tuple[tables.DataTable, Rows]:
    path = DATA / request.param
    if not path.is_file():
        pytest.skip("the measured data are not at hand")
    read = tables.read(path)
    return read, FILES[request.param](read)


def test_every_measured_row_is_expressed_or_listed_with_a_reason(measured: tuple[tables.DataTable, Rows]) -> None:
    read, rows = measured
    merged = {int(line) for note in rows.notes for line in re.findall(r"\d+", note.partition("lines ")[2])}
    names = {*rows.ids, *(name for name, _ in rows.omitted)}
    if "id" in read.columns:
        missing = [name for name, line in zip(read.text("id"), read.lines, strict=True) if line not in merged]
        assert not [name for name in missing if name not in names]
    assert all(why for _, why in rows.omitted)


def test_measured_rows_have_finite_predictions_and_classes(measured: tuple[tables.DataTable, Rows]) -> None:
    _, rows = measured
    assert np.isfinite(rows.projection).all()
    assert (rows.bound > 0).all()
    for part, metric in zip(rows.classes, rows.metrics, strict=True):
        if part:
            assert part.count("/") == 3, metric
    # no bands are made of percentiles, and of rows that contradict their own source
    without = [metric for part, metric in zip(rows.classes, rows.metrics, strict=True) if not part]
    assert sum("_p9" not in metric for metric in without) <= 0.2 * len(rows.classes)


def test_hardly_any_measurement_beats_the_bound(measured: tuple[tables.DataTable, Rows]) -> None:
    """Faults of the rows, each explained in docs/cost-models.md."""
    _, rows = measured
    assert rows.violations.sum() <= 4, [rows.ids[i] for i in np.flatnonzero(rows.violations)]

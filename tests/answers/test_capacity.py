"""What fixed memory buys: the maximized batch or input fits, a larger one does not, and no other batch is faster."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import llmperf
from llmperf.evidence.claims import recompute as claims

Run = Callable[..., CompletedProcess[str]]
LLAMA = {"model": "llama-2-7b", "hardware": "a100-sxm-80gb", "input": 160, "output": 338}
KIVI = {"name": "two-bit", "bits": 2, "group": 32, "scale_bits": 16, "zero_bits": 16, "dequantize_flops": 2}


def workload(**scenario: Any) -> Any:
    return llmperf.estimate(**scenario).scenario.workload


@st.composite
def scenarios(draw: Any) -> dict[str, Any]:
    engine = {"extends": "generic", "token_budget": draw(st.sampled_from([256, 1000, 8192]))}
    model = draw(st.sampled_from(["llama-3.1-8b", "gemma-2-9b", "mixtral-8x7b", "mamba2-2.7b", "deepseek-v2-lite"]))
    scenario = {
        "model": model,
        "hardware": draw(st.sampled_from(["h200-sxm", "b200-sxm"])),
        "input": draw(st.integers(100, 1500)),
        "output": draw(st.integers(1, 200)),
        "tp": draw(st.sampled_from([1, 2])),
        "dp": draw(st.sampled_from([1, 3])),
        "kv_cache": draw(st.sampled_from(["bf16", "int4"])),
        "engine": engine,
    }
    if draw(st.booleans()):
        scenario["shared_prefix"] = scenario["input"] // 2
    return scenario


@given(scenarios())
def test_the_maximized_batch_fits_and_no_larger_one_does(scenario: dict[str, Any]) -> None:
    result = llmperf.estimate(**scenario, maximize="batch")
    batch = result.scenario.workload.batch
    assert result.fits
    assert not np.any(llmperf.estimate(**scenario, batch=batch + np.arange(1, 400)).fits)


@given(scenarios(), st.integers(1, 40))
def test_the_maximized_input_fits_and_no_longer_one_does(scenario: dict[str, Any], batch: int) -> None:
    result = llmperf.estimate(**scenario, batch=batch, maximize="context")
    work, longest = result.scenario.workload, result.scenario.model.max_context
    assert result.fits
    assert work.input + work.output <= longest
    more = work.input + result.scenario.engine.kv_block * np.arange(1, 200)
    more = more[more + work.output <= longest]
    if more.size:
        assert not np.any(llmperf.estimate(**{**scenario, "batch": batch, "input": more}).fits)
    private = work.input + work.output - work.shared_prefix
    assert private % result.scenario.engine.kv_block == 0 or work.input + work.output == longest


@given(scenarios())
def test_the_batch_of_the_highest_throughput_is_at_least_as_fast_as_one_and_as_the_largest(
    scenario: dict[str, Any],
) -> None:
    best = llmperf.estimate(**scenario, maximize="throughput")
    largest = llmperf.estimate(**scenario, maximize="batch")
    assert best.fits
    assert best.scenario.workload.batch <= largest.scenario.workload.batch
    one, all_ = llmperf.estimate(**scenario, batch=np.array([1, largest.scenario.workload.batch])).output_tokens_per_s
    assert best.output_tokens_per_s >= max(one, all_) * (1 - 1e-12)


@given(st.sampled_from(["batch", "context"]), st.lists(st.floats(20e9, 300e9), min_size=2, max_size=2))
def test_more_memory_never_gives_a_smaller_maximum(what: str, sizes: list[float]) -> None:
    memory = np.array(sorted(sizes))
    name = {"batch": "batch", "context": "input"}[what]
    path = {"hardware.tiers.hbm.capacity": memory, "maximize": what, "batch": 40, "model.max_context": 10**7}
    small, large = getattr(llmperf.estimate(LLAMA, **path).scenario.workload, name)
    assert small <= large


def test_a_quarter_of_the_cache_holds_about_four_times_the_batch() -> None:
    pool = {"engine": {"extends": "generic", "token_budget": 256}, "maximize": "batch"}  # small activations
    full = workload(**LLAMA, **pool).batch
    four_bits = {"name": "four", "bits": 4}
    assert workload(**LLAMA, **pool, kv_cache=four_bits).batch == pytest.approx(4 * full, abs=4)
    assert workload(**LLAMA, **pool, kv_cache=KIVI).batch == pytest.approx(full * 16 / 3, abs=6)


def test_each_configuration_of_an_array_is_maximized_as_it_is_alone() -> None:
    inputs = np.array([[64, 700], [1500, 3000]])
    for what in ("batch", "throughput"):
        together = llmperf.estimate({**LLAMA, "input": inputs}, maximize=what)
        assert together.scenario.workload.batch.tolist() == [
            workload(**{**LLAMA, "input": int(one)}, maximize=what).batch for one in inputs.reshape(-1)
        ]
        assert together.tpot_s.shape == (2, 2)
    batches = np.array([1, 20, 60])
    longest = llmperf.estimate(LLAMA, batch=batches, maximize="context").scenario.workload.input
    assert longest.tolist() == [workload(**LLAMA, batch=int(one), maximize="context").input for one in batches]


def test_thousands_of_configurations_are_maximized_in_blocks() -> None:
    inputs = np.arange(1, 3001)
    batches = llmperf.estimate({**LLAMA, "input": inputs}, maximize="batch").scenario.workload.batch
    assert batches.shape == (3000,)
    for one in (1, 1499, 3000):
        assert batches[one - 1] == workload(**{**LLAMA, "input": one}, maximize="batch").batch


def test_the_batch_given_has_no_influence_and_the_answer_can_be_asked_again() -> None:
    result = llmperf.estimate(**LLAMA, maximize="batch")
    assert llmperf.estimate(**LLAMA, batch=7, maximize="batch").projection == result.projection
    assert llmperf.estimate(**LLAMA, batch=result.scenario.workload.batch).projection == result.projection


def test_an_engine_runs_no_more_sequences_than_its_limit() -> None:
    work = workload(**LLAMA, engine="vllm-2024", maximize="batch", kv_cache="int4")
    limit = llmperf.load(None, {**LLAMA, "engine": "vllm-2024"}).scenario.engine.max_sequences
    assert work.batch == limit


def test_memory_behind_the_device_counts() -> None:
    scenario = {
        "model": "llama-2-7b",
        "hardware": "rtx-4090-workstation",
        "input": 1000,
        "output": 100,
        "maximize": "batch",
    }
    assert workload(**scenario, tiers=["gddr", "dram"]).batch > 2 * workload(**scenario, tiers=["gddr"]).batch


def test_what_does_not_fit_at_all_is_refused_as_a_number_and_told_in_an_array() -> None:
    scenario: dict[str, Any] = {"model": "llama-3.1-405b", "hardware": "h100-sxm", "maximize": "batch"}
    with pytest.raises(llmperf.InputError, match=r"not even batch 1 fits: .* a device too much"):
        llmperf.estimate(**scenario)
    result = llmperf.estimate(**scenario, tp=np.array([1, 16]))
    assert result.fits.tolist() == [False, True]
    assert result.bottleneck["decode"].tolist()[0] == "capacity"


def test_a_model_that_caches_nothing_has_no_largest_batch() -> None:
    with pytest.raises(llmperf.InputError, match="memory limits no batch"):
        llmperf.estimate(model="dit-xl-2", hardware="h100-sxm", maximize="batch")
    with pytest.raises(llmperf.InputError, match="tokens a picture"):
        llmperf.estimate(model="dit-xl-2", hardware="h100-sxm", maximize="context")


def test_a_claim_may_maximize(tmp_path: Path) -> None:
    claim = {
        "id": "four-times",
        "tier": "A",
        "metric": "ratio.output_tokens_per_s",
        "value": [1.5, 6.0],
        "scenario": {
            "model": "llama-2-7b",
            "hardware": "a100-sxm-80gb",
            "kv_cache": KIVI,
            "workload": {"maximize": "batch", "input": 160, "output": 338},
        },
        "baseline": {"kv_cache": None},
        "provenance": "a test",
    }
    source = {"title": "t", "url": "https://example.org", "year": 2025}
    (tmp_path / "one.json").write_text(json.dumps({"system": "one", "source": source, "claims": [claim]}))
    (found,) = claims.evaluate(tmp_path)
    plain = [llmperf.estimate(**LLAMA, maximize="batch", **kv) for kv in ({"kv_cache": KIVI}, {})]
    assert found.predicted == pytest.approx(plain[0].output_tokens_per_s / plain[1].output_tokens_per_s)


FLAGS = ["--model", "llama-2-7b", "--hardware", "a100-sxm-80gb", "--input", "160", "--output", "338"]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("batch", "largest batch that fits: "),
        ("context", "longest input that fits: 3,758, all that llama-2-7b allows"),
        ("throughput", "batch of the highest throughput among all that fit: "),
    ],
)
def test_the_command_says_what_it_found(what: str, words: str, run: Run, answer: Callable[..., dict[str, Any]]) -> None:
    for command in ("estimate", "memory"):
        done = run(command, *FLAGS, "--maximize", what)
        assert done.returncode == 0, done.stderr
        assert words in done.stdout
    asked = answer("estimate", *FLAGS, "--maximize", what)["scenario"]["workload"]
    assert asked["maximize"] == what
    assert answer("ops", *FLAGS, "--maximize", what)["scenario"]["workload"] == asked


def test_an_unknown_maximum_is_one_message(run: Run) -> None:
    done = run("estimate", *FLAGS, "--maximize", "bach")
    assert (done.returncode, done.stdout) == (2, "")
    assert "workload.maximize: 'bach' is not allowed (did you mean batch?)" in done.stderr

"""Explanations: what limits, what would help and does, what would make a workload fit, how sure that is."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest

import llmperf
from llmperf.answers.changes import NOTICED
from llmperf.words.items import TOPICS

Run = Callable[..., CompletedProcess[str]]
Answer = Callable[..., dict[str, Any]]
DEMO = "--model llama-3.1-70b --weights fp8 --hardware h100-sxm --tp 8 --batch 32 --input 2048 --output 256"


def test_an_explanation_says_what_limits_what_would_help_how_sure_it_is_and_what_it_assumes(run: Run) -> None:
    shown = run("estimate", *shlex.split(DEMO), "--explain").stdout
    for heading in TOPICS.values():
        assert heading in shown
    for words in ("Prefill", "Decode", "Physics allows", "8 of 10 measured", "A static batch", "--kv-cache int4"):
        assert words in shown
    assert len(shown.splitlines()) <= 34


def keys(flags: str) -> dict[str, Any]:
    """What flags ask for: ``--tp 4 --devices 4``."""
    words = flags.split()
    pairs = zip(words[::2], words[1::2], strict=True)
    return {flag[2:].replace("-", "_"): float(value) if value.isdigit() else value for flag, value in pairs}


@pytest.mark.parametrize(
    "scenario",
    [
        {"model": "llama-3.1-70b", "hardware": "h100-sxm", "tp": 8, "weights": "fp8", "batch": 32},
        {"model": "mixtral-8x7b", "hardware": "a100-sxm-80gb", "tp": 2, "batch": 4},
        {"model": "llama-3.1-8b", "hardware": "l40s", "batch": 16},
        {"model": "opt-30b", "hardware": "t4-gcp", "batch": 144},
        {"model": "llama-3.1-405b", "hardware": "h100-sxm", "tp": 8},
        {"model": "llama-3.1-8b", "hardware": "h100-sxm", "output": 1},
        {"model": "whisper-large-v2", "hardware": "l4", "input": 4, "output": 100},
        {"model": "llama-3.1-8b", "hardware": "h100-sxm", "maximize": "batch"},
        {"model": "llama-3.1-8b", "hardware": "l4", "maximize": "throughput", "tp": 2},
        {"model": "llama-3.1-8b", "hardware": "l4", "maximize": "context"},
        {"model": "llama-3.1-8b", "hardware": "h100-sxm", "activations": "bf16", "batch": 16, "input": 4096},
        {"model": "llama-3.1-8b", "hardware": "h100-sxm", "devices": 2},
        {"model": "llama-3.1-8b", "hardware": "h100-sxm", "devices": 2, "tp": 2, "output": 1},
        {"model": "mixtral-8x7b", "hardware": "h100-sxm", "devices": 4, "batch": 256},
    ],
    ids=lambda scenario: "-".join(str(value) for value in scenario.values()),
)
def test_what_is_said_to_help_does(scenario: dict[str, Any]) -> None:
    """Each change that is told is a flag, and an estimate with that flag has the numbers that were told."""
    result = llmperf.estimate(scenario)
    for item in result.explain().items:
        if item.values.get("kind") not in ("change", "trade"):
            continue
        if not item.values["change"].startswith("--set"):
            other = llmperf.estimate({**scenario, **keys(item.values["change"])})
            for name in ("ttft_s", "tpot_s", "output_tokens_per_s"):
                before, after = item.values[name]
                np.testing.assert_allclose(before, getattr(result, name))
                np.testing.assert_allclose(after, getattr(other, name))
        assert max(gain for gain in item.values["gains"].values() if gain == gain) >= NOTICED


def test_faster_hardware_never_makes_it_slower() -> None:
    result = llmperf.estimate(model="llama-3.1-70b", hardware="h100-sxm", tp=8, batch=8)
    (item,) = [item for item in result.explain().items if item.values.get("kind") == "hardware"]
    for gains in item.values["gains"].values():
        assert all(gain >= 1 - 1e-9 for gain in gains.values())


def test_a_workload_that_does_not_fit_is_told_what_would_make_it_fit() -> None:
    said = str(llmperf.estimate(model="llama-3.1-405b", hardware="h100-sxm", tp=8).explain())
    assert "It does not fit" in said
    assert "--weights fp8" in said


@pytest.mark.parametrize(
    "scenario",
    [
        {"model": "llama-3.1-405b", "hardware": "h100-sxm", "devices": 4},
        {"model": "llama-3.1-405b", "hardware": "h100-sxm", "devices": 4, "tp": 4, "activations": "bf16"},
        {"model": "llama-3.1-70b", "hardware": "gh200-96gb", "batch": 8},
    ],
)
def test_what_is_said_to_make_it_fit_does(scenario: dict[str, Any]) -> None:
    result = llmperf.estimate(scenario)
    assert not result.fits
    (item,) = [item for item in result.explain().items if item.topic == "memory"]
    assert item.values["would_fit"]
    for change in item.values["would_fit"]:
        changed = keys(change.partition(" (")[0])
        if "tiers" in changed:
            changed["tiers"] = changed["tiers"].split(",")
        assert llmperf.estimate({**scenario, **changed}).fits


def test_where_no_change_makes_it_fit_that_is_said_and_nothing_is_made_up(run: Run) -> None:
    result = llmperf.estimate(model="llama-3.1-405b", hardware="gtx-1050-ti")
    said = str(result.explain())
    assert "It would fit with no single change of batch" in said
    assert "None of the changes below fits alone" in said
    assert "with one of" not in said
    for command in ("memory", "estimate"):
        shown = " ".join(run(command, "--model", "llama-3.1-405b", "--hardware", "gtx-1050-ti").stdout.split())
        assert "It would fit with no single change of batch" in shown
        assert "with one of" not in shown


def test_changes_that_do_not_fit_come_after_those_that_do() -> None:
    items = [
        item
        for item in llmperf.estimate(model="llama-3.1-405b", hardware="rtx-4090").explain().items
        if item.topic == "help"
    ]
    assert items[0].text.startswith("It has to fit first: --tp 64 (64 devices) or --pp 64 (64 devices).")
    assert not any(item.values.get("fits") for item in items)


def test_a_change_says_what_it_makes_of_the_batch_that_is_maximized() -> None:
    result = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", maximize="batch")
    said = str(result.explain())
    wider = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", maximize="batch", kv_cache="int4")
    sizes = f"{result.scenario.workload.batch:,.0f} -> {wider.scenario.workload.batch:,.0f}"
    assert f"--kv-cache int4 (batch {sizes})" in said
    assert "--batch" not in said
    assert "times as fast at this batch" in said


def test_no_gain_is_called_none_and_no_factor_more_than_it_is() -> None:
    at_the_bound = str(llmperf.estimate(model="llama-3.1-405b", hardware="rtx-4090").explain())
    assert "That is about the bound: physics allows" in at_the_bound
    for scenario in ({"tp": 2}, {"tp": 8, "batch": 8}, {"tp": 1}):
        said = str(llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", **scenario).explain())
        assert " 1x" not in said
        assert "order of magnitude" not in said
        assert " 1 times" not in said


def test_a_phase_waits_for_what_its_bottleneck_names() -> None:
    result = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", batch=4)
    for item in result.explain().items:
        if item.topic == "limit":
            assert next(iter(item.values["waits"])) == result.bottleneck[item.values["phase"]]
            assert sum(item.values["waits"].values()) == pytest.approx(1.0)


def test_the_explanation_is_in_the_json_where_it_is_asked_for(answer: Answer) -> None:
    arguments = ("estimate", "--model", "llama-3.1-8b", "--hardware", "h100-sxm")
    assert "explanation" not in answer(*arguments)
    items = answer(*arguments, "--explain")["explanation"]
    assert {item["topic"] for item in items} == set(TOPICS)
    assert all(item["text"] and set(item) == {"topic", "text", "values"} for item in items)
    assert json.dumps(items)


def test_arrays_are_not_explained() -> None:
    with pytest.raises(llmperf.InputError, match="one configuration"):
        llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", batch=np.array([1, 2])).explain()

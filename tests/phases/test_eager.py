"""Without captured graphs the host launches every operator, and steps wait for it."""

from __future__ import annotations

from typing import Any

import pytest

import llmperf
from llmperf.scenarios import catalog
from llmperf.scenarios.components import component

SMALL = {"model": "qwen2.5-1.5b", "hardware": "a100-sxm-80gb", "batch": 1, "input": 512, "output": 64}
REPLAYING = [name for name in sorted(catalog.files("engine")) if component("engine", name).graphs]


def times(engine: str, graphs: bool, **more: Any) -> Any:
    return llmperf.estimate(**{**SMALL, **more, "engine": {"extends": engine, "graphs": graphs}})


@pytest.mark.parametrize("engine", REPLAYING)
def test_every_engine_that_replays_graphs_is_slower_without(engine: str) -> None:
    with_graphs, without = times(engine, True), times(engine, False)
    assert without.tpot_s > 1.02 * with_graphs.tpot_s
    assert without.ttft_s >= with_graphs.ttft_s
    assert without.bound.tpot_s == with_graphs.bound.tpot_s


def test_a_7b_model_takes_as_long_as_published_without_graphs() -> None:
    """Qwen2.5-Omni 7B on A800 (vllm-omni issue 7960): 22 to 23 ms a token, 13 with graphs."""
    found = times("vllm", False, model="qwen2.5-7b", output=128).tpot_s
    assert 0.020 < found < 0.024


def test_a_slower_processor_launches_more_slowly() -> None:
    """The host of an A100 server takes 6.7 us for a launch, the class 4 us."""
    bare, server = times("vllm", False), times("vllm", False, hardware="hgx-a100", tp=1)
    assert server.tpot_s > 1.3 * bare.tpot_s
    assert times("vllm", True, hardware="hgx-a100", tp=1).tpot_s == pytest.approx(times("vllm", True).tpot_s, rel=0.01)


def test_large_steps_hide_the_host() -> None:
    work = {"model": "llama-3.1-70b", "hardware": "hgx-h100", "tp": 8, "batch": 256, "input": 4096}
    with_graphs, without = times("sglang", True, **work), times("sglang", False, **work)
    assert without.tpot_s < 1.3 * with_graphs.tpot_s
    assert without.ttft_s < 1.01 * with_graphs.ttft_s

"""What no number of a layout or a workload changes is planned once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import llmperf
from llmperf.phases import setup
from llmperf.phases.setup import planned
from llmperf.scenarios.binding import BLOCK
from llmperf.scenarios.resolve import resolve

PLAIN = {"model": "llama-3.1-8b", "hardware": "a100-sxm-80gb", "weights": "fp8"}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the hardware that a plan is made for."""
    found: list[str] = []
    real = setup._plan
    monkeypatch.setattr(setup, "_plan", lambda scenario: (found.append(scenario.hardware.name), real(scenario))[1])
    setup._plans.known.clear()
    return found


def test_all_blocks_their_notes_and_the_next_call_have_one_plan(made: list[str]) -> None:
    batch = np.arange(1, 2 * BLOCK + 2)
    found = llmperf.estimate(PLAIN, batch=batch, tp=np.resize([1, 2, 4], batch.size))
    assert any("no fp8 engine" in warning for warning in found.warnings)
    llmperf.estimate(PLAIN, batch=3, tp=8, output=7)
    assert made == ["a100-sxm-80gb"]


def test_numbers_of_the_hardware_that_vary_have_a_plan_for_each_block(made: list[str]) -> None:
    clocks = np.linspace(1e9, 2e9, BLOCK + 1)
    found = llmperf.estimate(PLAIN, **{"hardware.clock": clocks})
    assert found.tpot_s.shape == clocks.shape
    assert len(made) == 2  # of each block


def test_other_parts_have_a_plan_of_their_own() -> None:
    base = resolve(PLAIN).scenario
    assert planned(base) is planned(replace(base, workload=replace(base.workload, batch=9)))
    assert planned(base) is not planned(resolve(PLAIN, {"kv_cache": "fp8"}).scenario)
    asked = resolve(PLAIN, {"activations": "fp16"}).scenario
    assert (planned(base).activations, planned(asked).activations) == ("bf16", "fp16")

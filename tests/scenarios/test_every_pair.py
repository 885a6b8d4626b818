"""Every model on every chip: an answer, or a refusal that names what is missing."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import llmperf
from llmperf.scenarios import catalog
from llmperf.scenarios.components import component

FORMATS = ("bf16", "w8a8-int8", "fp8")
"""Weight formats to try in turn: some engines have integers only."""


def built(name: str) -> Any:
    try:
        return component("hardware", name)
    except llmperf.InputError as error:
        assert all("needs" in problem.message or "is missing" in problem.message for problem in error.problems), error
        assert all(problem.path.startswith(("engines", "tiers", "achieved")) for problem in error.problems), error
        return None


HARDWARE = {name: built(name) for name in sorted(catalog.files("hardware"))}


@pytest.mark.parametrize("name", [name for name, found in HARDWARE.items() if found is not None])
def test_every_model_is_answered_on_this_hardware_or_refused_for_a_reason(name: str) -> None:
    weights = next(form for form in FORMATS if answers(name, form))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for model in catalog.files("model"):
            shape = component("model", model)
            scenario: dict[str, Any] = {
                "model": model,
                "hardware": name,
                "weights": weights,
                "batch": np.array([1, 2, 24, 48]),
            }
            if shape.generates:
                scenario |= {"input": 96, "output": 24}
            result = llmperf.estimate(**scenario)
            for output in ("ttft_s", "e2e_s"):
                bound, roofline, projection = (
                    getattr(part, output) for part in (result.bound, result.roofline, result.projection)
                )
                assert (bound > 0).all(), model
                assert (bound <= roofline * (1 + 1e-9)).all(), model
                assert (roofline <= projection * (1 + 1e-9)).all(), model
                assert np.isfinite(projection).all(), model
            assert (result.memory.required > 0).all()
            one, two, half, whole = result.bound.e2e_s
            assert two <= 2 * one * (1 + 1e-9), model  # a schedule may run them one after the other
            assert whole <= 2 * half * (1 + 1e-9), model
            assert whole <= 48 * one * (1 + 1e-9), model


def answers(name: str, weights: str) -> bool:
    try:
        llmperf.estimate(model="llama-2-7b", hardware=name, weights=weights, input=8, output=2)
    except llmperf.InputError as error:
        assert "has no engine for" in str(error), error
        return False
    return True


@pytest.mark.parametrize("name", [name for name, found in HARDWARE.items() if found is None])
def test_what_cannot_be_estimated_is_refused_by_naming_the_missing_number(name: str) -> None:
    with pytest.raises(llmperf.InputError) as refused:
        llmperf.estimate(model="llama-3.1-8b", hardware=name)
    assert all(problem.file and problem.message.startswith("needs") for problem in refused.value.problems)

"""Two halves of a batch, of which one computes while the other communicates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import llmperf

SETUP: dict[str, Any] = {
    "model": "mixtral-8x7b",
    "hardware": "h100-sxm",
    "dp": 8,
    "ep": 8,
    "batch": 256,
    "input": 1024,
    "output": 32,
}


def step(share: Any) -> Any:
    """Time of a decode step. [s]"""
    return llmperf.estimate(engine={"link_overlap": share}, **SETUP).tpot_s


def test_the_shorter_of_computing_and_communicating_hides_behind_the_other() -> None:
    alone, half, hidden = step(0), step(0.5), step(1)
    assert alone == llmperf.estimate(**SETUP).tpot_s
    assert half == pytest.approx((alone + hidden) / 2)
    apart = llmperf.estimate(engine={"link_overlap": 1}, **{**SETUP, "dp": 1, "ep": 1, "batch": 32})
    assert apart.tpot_s == llmperf.estimate(**{**SETUP, "dp": 1, "ep": 1, "batch": 32}).tpot_s  # nothing to hide
    assert 0 < alone - hidden <= alone / 2


def test_a_bound_is_not_below_what_hiding_leaves() -> None:
    found = llmperf.estimate(engine={"link_overlap": 1}, **SETUP)
    assert found.bound.tpot_s <= found.roofline.tpot_s <= found.tpot_s


def test_shares_may_be_an_array() -> None:
    shares = np.array([0.0, 0.25, 1.0])
    assert step(shares) == pytest.approx([step(share) for share in shares.tolist()])

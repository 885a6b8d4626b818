"""Services as they are shown: reports, comparisons, explanations, figures, checks."""

from __future__ import annotations

from typing import Any

import numpy as np

import llmperf

BASE: dict[str, Any] = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "engine": "vllm"}


# --- what may be asked


def test_a_limit_may_be_on_any_percentile() -> None:
    found = [llmperf.serve(**BASE, request_rate=5, ttft=0.08, percentile=share) for share in (90, 95, 99)]
    most = [one.value("capacity_per_s") for one in found]
    assert most[0] >= most[1] >= most[2]


def test_rates_beyond_saturation_are_endless_and_no_numbers_are_undefined() -> None:
    found = llmperf.serve(**BASE, request_rate=np.array([10.0, 1e3]), ttft=0.1)
    assert found.saturated.tolist() == [False, True]
    for name in ("ttft_mean_s", "ttft_p50_s", "ttft_p99_s", "e2e_p99_s", "queued"):
        assert np.isfinite(found.value(name)).tolist() == [True, False]
        assert not np.isnan(found.value(name)).any()

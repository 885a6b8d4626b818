"""Services as they are shown: reports, comparisons, explanations, figures, checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import llmperf
from llmperf.errors import InputError

BASE: dict[str, Any] = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "engine": "vllm"}


# --- what may be asked


def test_a_limit_on_a_percentile_that_is_not_known_is_refused() -> None:
    with pytest.raises(InputError, match=r"limits.percentile: 95 is none that is known; allowed: 50, 90, 99"):
        llmperf.serve(**BASE, request_rate=5, ttft=1.0, percentile=95)


def test_rates_beyond_saturation_are_endless_and_no_numbers_are_undefined() -> None:
    found = llmperf.serve(**BASE, request_rate=np.array([10.0, 1e3]), ttft=0.1)
    assert found.saturated.tolist() == [False, True]
    for name in ("ttft_mean_s", "ttft_p50_s", "ttft_p99_s", "e2e_p99_s", "queued"):
        assert np.isfinite(found.value(name)).tolist() == [True, False]
        assert not np.isnan(found.value(name)).any()

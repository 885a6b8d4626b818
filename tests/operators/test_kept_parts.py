"""A weight format may leave kinds of modules in 16 bit: they take their bytes, and are computed so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import llmperf

ATTENTION = 32 * (4096 * (4096 + 2 * 1024) + 4096 * 4096)
NETWORKS = 32 * 3 * 4096 * 14336
"""Weights of Llama 3.1 8B."""


def weights(keeps: dict[str, Any], model: str = "llama-3.1-8b", base: str = "fp8", **more: Any) -> float:
    given = {"extends": base, "keeps": keeps}
    return float(llmperf.estimate(model=model, hardware="h100-sxm", weights=given, **more).memory.weights)


@pytest.mark.parametrize(
    ("keeps", "more"),
    [
        ({"attention": 1}, ATTENTION),
        ({"mlp": 1}, NETWORKS),
        ({"attention": 0.5, "mlp": 0.25}, 0.5 * ATTENTION + 0.25 * NETWORKS),
        ({"experts": 1, "shared": 1, "recurrent": 1}, 0.0),
        ({"attention": 0}, 0.0),
    ],
)
def test_what_stays_takes_two_bytes(keeps: dict[str, Any], more: float) -> None:
    assert weights(keeps) - weights({}) == pytest.approx(more, rel=1e-9, abs=1.0)


def test_a_format_that_keeps_all_is_16_bit() -> None:
    every = dict.fromkeys(("attention", "recurrent", "mlp", "shared", "experts"), 1)
    for model in ("mixtral-8x7b", "jamba-v0.1", "deepseek-v2-lite"):
        plain = llmperf.estimate(model=model, hardware="b200-sxm")
        kept = llmperf.estimate(model=model, hardware="b200-sxm", weights={"extends": "fp8", "keeps": every})
        assert float(kept.memory.weights) == pytest.approx(float(plain.memory.weights), rel=1e-12)
        assert float(kept.tpot_s) == pytest.approx(float(plain.tpot_s), rel=1e-12)


def test_shares_of_layers_may_be_arrays() -> None:
    shares = np.array([0.0, 0.25, 1.0])
    given = {"extends": "fp8", "keeps": {"experts": shares}}
    many = llmperf.estimate(model="mixtral-8x7b", hardware="h200-sxm", weights=given)
    for share, found in zip(shares, np.asarray(many.memory.weights), strict=True):
        assert found == pytest.approx(weights({"experts": float(share)}, model="mixtral-8x7b"), rel=1e-12)


def test_a_released_format_is_that_of_its_makers() -> None:
    """Experts in MXFP4 alone: 116.8e9 parameters, 2.1e9 of them in 16 bit (the model card: 60.8 GiB)."""
    released = llmperf.estimate(model="gpt-oss-120b", hardware="h100-sxm").memory.weights
    asked = llmperf.estimate(model="gpt-oss-120b", hardware="h100-sxm", weights="mxfp4").memory.weights
    assert released == asked
    assert float(released) / 2**30 == pytest.approx(60.8, rel=0.01)


def test_kernels_pad_experts() -> None:
    """Widths of 2,880 become 3,072 and 2,944 where vLLM loads MXFP4 (65.97 GiB in its logs)."""
    plain = llmperf.estimate(model="gpt-oss-120b", hardware="h100-sxm").memory.weights
    loaded = llmperf.estimate(model="gpt-oss-120b", hardware="h100-sxm", engine="vllm").memory.weights
    experts = 36 * 128 * 3 * 2880 * 2880 * 4.25 / 8
    assert float(loaded - plain) == pytest.approx(experts * (3072 * 2944 / 2880**2 - 1.0), rel=1e-6)


def test_a_tower_is_loaded_beside_the_model() -> None:
    one, four = (llmperf.estimate(model="gemma-3-27b", hardware="h200-sxm", tp=tp).memory.weights for tp in (1, 4))
    assert float(one) == pytest.approx(2 * (27_009_002_240 + 423_060_336), rel=1e-4)
    assert float(four) > float(one) / 4

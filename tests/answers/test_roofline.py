"""Rooflines: ceilings are those of the hardware file, operators lie below them, the plot names what it draws."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import llmperf
from llmperf.answers.breakdown import operators
from llmperf.answers.rooflines import STEP, Roofline, of_estimate, of_hardware, rooflines
from llmperf.scenarios import catalog
from llmperf.scenarios.components import component

Run = Callable[..., CompletedProcess[str]]
Answer = Callable[..., dict[str, Any]]
H100 = ("--hardware", "h100-sxm")
LLAMA = ("--model", "llama-3.1-8b", *H100)


def ridge(one: Roofline, dtype: str, resource: str) -> float:
    (peak,) = [peak for peak in one.peaks if dtype in peak.dtypes and peak.kind == "matrix"]
    feed = one.feed(resource)
    assert feed is not None
    return peak.flops_per_s / feed.bytes_per_s


def test_the_ceilings_of_a_chip_are_those_of_its_data_sheet() -> None:
    one = of_hardware(component("hardware", "h100-sxm"))
    assert {feed.name: feed.bytes_per_s for feed in one.feeds} == {
        "l2": 5.5e12, "hbm": 3.35e12, "nvlink": 450e9, "pcie": 63e9, "ib": 50e9}  # fmt: skip
    assert ridge(one, "bf16", "memory.main") == pytest.approx(989.4 / 3.35)
    assert ridge(one, "fp8", "memory.main") == pytest.approx(1979 / 3.35)
    assert one.points == ()


def test_memory_behind_a_link_is_no_faster_than_the_link_and_is_shared() -> None:
    one = of_hardware(component("hardware", "rtx-4090-workstation"))
    host = one.feed("memory.host")
    assert host is not None
    assert host.bytes_per_s <= component("hardware", "rtx-4090-workstation").links["pcie"].bandwidth
    assert "via" in host.name


def test_every_hardware_that_can_be_estimated_has_a_roofline() -> None:
    drawn = 0
    for name in catalog.files("hardware"):
        try:
            one = of_hardware(component("hardware", name))
        except llmperf.InputError:
            continue  # a descriptor that lacks its peaks is refused by name
        assert one.drawn
        assert one.feed("memory.main") is not None
        assert all(math.isfinite(value) and value > 0 for value in one.to_dict()["ridge_points"][0].values()
                   if isinstance(value, float))  # fmt: skip
        drawn += 1
    assert drawn > 50


LAYOUTS = (
    {"model": "llama-3.1-8b"},
    {"model": "llama-3.1-8b", "tp": 2, "input": 1024},
    {"model": "llama-3.1-8b", "weights": "fp8", "batch": 64, "input": 8192},
    {"model": "llama-3.1-8b", "weights": "w4a16-g128", "tp": 2, "pp": 2, "batch": 16},
    {"model": "llama-3.1-70b", "tiers": ["hbm", "dram"]},
    {"model": "mixtral-8x7b", "weights": "fp8", "tp": 4, "batch": 16},
    {"model": "deepseek-v3", "weights": "fp8", "tp": 8, "batch": 64},
    {"model": "mamba2-2.7b", "batch": 4},
)


@pytest.mark.parametrize("hardware", catalog.files("hardware"))
def test_nothing_is_above_its_ceilings(hardware: str) -> None:
    """Neither above the peak of its dtype, nor above what its memory or link feeds it; the projection under both."""
    for layout in LAYOUTS:
        try:
            result = llmperf.estimate(layout, hardware=hardware)
        except llmperf.InputError:
            continue  # this chip has no such dtype, link or tier
        one, above = of_estimate(result), 1 + 1e-9
        steps = list(result.evaluated[0].phases.values())
        products = {STEP, *(row.name for step in steps for row in operators(step) if row.flops)}
        vector_known = any(peak.kind == "vector" for peak in one.peaks)
        assert {point.phase for point in one.points} == {"prefill", "decode"}
        for point in one.points:
            (peak,) = [p for p in one.drawn if p.engine == point.engine and point.dtype in p.dtypes]
            assert point.flops_per_s <= point.roofline_flops_per_s * above
            if vector_known or point.name in products:
                assert point.roofline_flops_per_s <= peak.flops_per_s * above
            feed = one.feed(point.resource)
            assert feed is not None or point.of_roof == "cached"
            if feed is not None:
                assert point.roofline_flops_per_s <= point.intensity * feed.bytes_per_s * above
        for step in steps:
            assert all(row.roofline_s <= row.time_s * above for row in operators(step))


def test_what_the_cache_still_holds_is_charged_to_the_cache(answer: Answer, run: Run) -> None:
    arguments = ("--model", "llama-3.1-8b", "--hardware", "l40", "--tp", "2", "--batch", "1", "--input", "1024")
    (one,) = answer("roofline", *arguments)["rooflines"]
    (norm,) = [p for p in one["operators"] if (p["name"], p["phase"]) == ("add_norm", "prefill")]
    assert norm["resource"] == norm["limited_by"] == "memory.cache"
    assert norm["flops_per_s"] == norm["roofline_flops_per_s"]
    assert "cached" in run("roofline", *arguments).stdout
    assert not re.search(r"\b(1[1-9]\d|[2-9]\d\d)%", run("roofline", *arguments).stdout)


def test_a_cache_of_known_bandwidth_has_its_own_roof() -> None:
    keys = {"model": "llama-3.1-8b", "hardware": "l40", "input": 1024, "hardware.tiers.l2.bandwidth": 1e13}
    one = of_estimate(llmperf.estimate(keys), ("prefill",))
    (norm,) = [point for point in one.points if point.name == "add_norm"]
    assert norm.resource == "memory.cache"
    assert norm.roofline_flops_per_s == pytest.approx(norm.intensity * 1e13)
    assert norm.flops_per_s < norm.roofline_flops_per_s


def test_ranks_without_a_link_of_their_own_are_fed_by_the_link_to_the_host() -> None:
    one = of_estimate(llmperf.estimate(model="llama-3.1-8b", hardware="l40", tp=2))
    assert {point.resource for point in one.points if point.name == STEP} == {"memory.main", "link.host"}
    assert one.feed("link.scale_up") is None


def test_a_step_of_mixed_formats_is_measured_by_the_highest_peak_that_it_uses() -> None:
    """Attention in 16 bit does most of the work of long prompts; the products run at the peak of fp8."""
    one = of_estimate(llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", weights="fp8", input=120000))
    (step,) = [point for point in one.points if point.name == STEP and point.phase == "prefill"]
    assert step.dtype == "fp8"
    assert step.roofline_flops_per_s < 1979e12


def test_shares_of_operators_come_to_what_computes_in_a_step() -> None:
    one = of_estimate(llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm"))
    for phase in ("prefill", "decode"):
        assert sum(point.share for point in one.points if point.phase == phase and point.name != STEP) <= 1 + 1e-9


@given(batch=st.integers(1, 256))
def test_a_larger_batch_never_makes_decode_less_intense(batch: int) -> None:
    def step(size: int) -> float:
        one = of_estimate(llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", batch=size), ("decode",))
        return next(point.intensity for point in one.points if point.name == "gate_up")

    assert step(batch) < step(batch + 1)


def test_the_whole_step_is_shown_against_every_way_that_it_moves_bytes() -> None:
    spilled = of_estimate(llmperf.estimate(model="opt-30b", hardware="t4-gcp", batch=144))
    ways = {point.resource for point in spilled.points if point.name == STEP}
    assert ways == {"memory.main", "memory.host"}
    parallel = of_estimate(llmperf.estimate(model="llama-3.1-70b", hardware="h100-sxm", tp=8))
    assert "link.scale_up" in {point.resource for point in parallel.points if point.name == STEP}


def test_arrays_have_no_roofline() -> None:
    with pytest.raises(llmperf.InputError, match="one configuration"):
        of_estimate(llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", batch=np.array([1, 2])))


def test_variants_are_named_by_what_they_change() -> None:
    labels = [one.label for one in rooflines(None, {"hardware": "a100-sxm-80gb"}, hardware="h100-sxm")]
    assert labels == ["h100-sxm", "a100-sxm-80gb"]
    _, other = rooflines(None, {"weights": "fp8"}, model="llama-3.1-8b", hardware="h100-sxm")
    assert other.label == "weights=fp8"
    assert other.drawn[0].dtypes == ("fp8", "int8")


def test_the_plot_names_ceilings_and_operators(run: Run) -> None:
    shown = run("roofline", *LLAMA, "--batch", "16").stdout
    for expected in ("hbm 3.35 TB/s", "bf16, fp16 989 TFLOP/s", "l2 5.5 TB/s", "gate_up", "limited by", "decode, hbm"):
        assert expected in shown
    rows = [line for line in shown.splitlines() if "⠒" in line or "┤" in line]
    assert rows
    assert max(len(line) for line in shown.splitlines()) <= 100


def test_hardware_alone_is_drawn_beside_other_hardware(run: Run) -> None:
    shown = run("roofline", *H100, "--with", "hardware=a100-sxm-80gb").stdout
    assert "h100-sxm (whole lines)" in shown
    assert "a100-sxm-80gb (dashed lines)" in shown
    assert "hbm 2.04 TB/s" in shown


def test_one_phase_is_drawn_alone(run: Run, answer: Answer) -> None:
    (one,) = answer("roofline", *LLAMA, "--phase", "decode")["rooflines"]
    assert {point["phase"] for point in one["operators"]} == {"decode"}
    assert "prefill" not in run("roofline", *LLAMA, "--phase", "decode").stdout
    assert "decode" not in run("roofline", *LLAMA, "--output", "1").stdout


def test_a_phase_that_is_not_there_is_no_page(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "decode.html"
    done = run("roofline", *LLAMA, "--output", "1", "--phase", "decode", "--html", str(path))
    assert done.returncode == 2
    assert "decode is no phase of this result" in done.stderr
    assert not path.exists()


def test_the_json_has_ceilings_ridges_and_operators(answer: Answer) -> None:
    data = answer("roofline", *LLAMA, "--with", "weights=fp8")
    assert data["schema_version"] == 1
    for one in data["rooflines"]:
        assert {"label", "hardware", "compute", "feeds", "ridge_points", "operators"} == set(one)
        assert len(one["ridge_points"]) == len(one["compute"]) * len(one["feeds"])
        for point in one["operators"]:
            assert 0 < point["flops_per_s"] <= point["roofline_flops_per_s"] * (1 + 1e-9)


@pytest.mark.parametrize("arguments", [(*LLAMA, "--with", "weights=fp8"), H100], ids=["scenario", "hardware"])
def test_the_page_is_one_file_that_makes_no_request_and_is_not_overwritten(
    arguments: tuple[str, ...], tmp_path: Path, run: Run
) -> None:
    path = tmp_path / "roofline.html"
    done = run("roofline", *arguments, "--html", str(path))
    assert done.returncode == 0, done.stderr
    page = path.read_text("utf-8")
    assert "h100-sxm" in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=[\"']?https?:", page)
    refused = run("roofline", *arguments, "--html", str(path))
    assert refused.returncode == 2
    assert "--force replaces it" in refused.stderr
    assert path.read_text("utf-8") == page
    assert run("roofline", *arguments, "--html", str(path), "--force").returncode == 0
    assert path.read_text("utf-8") == page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("roofline",), "hardware: is missing"),
        (("roofline", *H100, "--tp", "8"), "model: is missing"),
        (("roofline", "--hardware", "h100"), ""),
        (("roofline", "--hardware", "h1000-sxm"), "h100-sxm"),
        (("roofline", *LLAMA, "--phase", "mixed"), "mixed"),
        (("roofline", *LLAMA, "--with", "weights"), "is not key=value"),
        (("roofline", *LLAMA, "--output", "1", "--phase", "decode"), "decode is no phase of this result"),
        (("roofline", *LLAMA, "--with", "output=1", "--phase", "decode"), "decode is no phase of this result"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_reason(arguments: tuple[str, ...], said: str, run: Run) -> None:
    done = run(*arguments)
    assert done.returncode == (2 if said else 0)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    if said:
        assert json.loads(run(*arguments, "--json").stdout)["errors"]

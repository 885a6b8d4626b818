"""Services as they are shown: reports, comparisons, explanations, figures, checks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest

import llmperf
from llmperf.answers.sweep import along
from llmperf.checks import check
from llmperf.errors import InputError
from llmperf.evidence.confidence import error_bands
from llmperf.words.explain_service import WAITS

Run = Callable[..., CompletedProcess[str]]

BASE: dict[str, Any] = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "engine": "vllm"}


# --- what may be asked


def test_rates_beyond_saturation_are_endless_and_no_numbers_are_undefined() -> None:
    found = llmperf.serve(**BASE, request_rate=np.array([10.0, 1e3]), ttft=0.1)
    assert found.saturated.tolist() == [False, True]
    for name in ("ttft_mean_s", "ttft_p50_s", "ttft_p99_s", "e2e_p99_s", "queued"):
        assert np.isfinite(found.value(name)).tolist() == [True, False]
        assert not np.isnan(found.value(name)).any()


# --- side by side


def compared(*changes: dict[str, Any], **base: Any) -> llmperf.Comparison:
    return llmperf.compare({**BASE, **base}, *changes)


def test_the_same_rate_makes_no_difference() -> None:
    assert compared({"request_rate": 10.0}, request_rate=10).explanation(1) == ["no difference"]


def test_a_limit_alone_is_a_difference() -> None:
    said = compared({"ttft": 0.05}, request_rate=10, ttft=1.0).explanation(1)
    assert said[0].startswith("requests/s within limits")


def test_another_rate_changes_what_users_see_and_not_what_a_prompt_costs() -> None:
    found = compared({"request_rate": 20}, request_rate=10)
    slow, fast = found.results
    said = found.explanation(1)
    assert said[0].startswith("TTFT, mean ")
    assert found.speedup(1)["output_tokens_per_s"] == pytest.approx(2.0)
    assert found.speedup(1, "service")["saturation_rate_per_s"] == pytest.approx(1.0)
    prefill, decode = found.difference(1).phases
    assert (prefill.per, decode.per) == ("prompt", "step")
    assert prefill.time.relative == 0.0
    assert decode.time.after > decode.time.before
    assert decode.time.before <= slow.tpot_s
    assert decode.time.after <= fast.tpot_s
    assert not any("does not fit" in words or "batch" in words for words in said)


def test_what_queues_without_end_is_said_to() -> None:
    said = " ".join(compared({"request_rate": 100}, request_rate=10).explanation(1))
    assert "-> without end" in said
    assert "does not fit" not in said
    assert "unlimited" not in said


def test_services_stand_beside_batches_by_what_both_have() -> None:
    found = compared({"traffic": None, "batch": 12}, request_rate=10)
    assert "ttft_p99_s" not in found.speedup(1)
    assert found.speedup(1)["tpot_s"] == pytest.approx(found.results[0].tpot_s / found.results[1].tpot_s)
    prefill = found.difference(1).phases[0]
    assert prefill.per == "prompt"
    assert prefill.time.after < 1.1 * prefill.time.before  # of one prompt on both sides
    assert "saturation" in found._repr_html_()


# --- in sentences

SERVICES = [
    {"request_rate": 10},
    {"request_rate": 10, "traffic.output.cv": 1.0, "traffic.input.cv": 0.7},
    {"request_rate": 30, "burstiness": 0.5},
    {"request_rate": 500},
    {"concurrency": 32},
    {"concurrency": 600},
    {"users": 100, "think_time": 10.0},
    {"requests": 500},
    {"request_rate": 2, "output": 1},
    {"request_rate": 3, "tp": 2, "engine": "sglang"},
]


@pytest.mark.parametrize("keys", SERVICES, ids=str)
def test_parts_of_times_add_up(keys: dict[str, Any]) -> None:
    """What the first token waits for is all of its time, and a step and the prompts in it are a token's."""
    result = llmperf.serve(**{**BASE, **keys})
    for item in result.explain().items:
        values = item.values
        if values.get("metric") == "ttft_mean_s" and "own_prompt_s" in values:
            parts = [values[name] for name in WAITS]
            assert min(parts) >= 0.0
            assert sum(parts) == pytest.approx(float(result.ttft_mean_s), rel=1e-9)
        if "step_s" in values:
            assert values["step_s"] + values["prompts_s"] == pytest.approx(float(result.tpot_s), rel=0.01)
            assert sum(values["waits"].values()) == pytest.approx(1.0)


@pytest.mark.parametrize("keys", SERVICES, ids=str)
def test_what_is_said_to_help_a_service_does(keys: dict[str, Any]) -> None:
    """Each change that is told is a flag, and the service with that flag has the numbers that were told."""
    result = llmperf.serve(**{**BASE, **keys})
    told = [item for item in result.explain().items if item.values.get("kind") in ("change", "trade")]
    assert told
    for item in told[:2]:
        change = item.values["change"]
        assert not change.startswith("--batch")
        name, _, value = change.removeprefix("--").partition(" ")
        other = llmperf.serve(**{**BASE, **keys, name.replace("-", "_"): int(value) if value.isdigit() else value})
        for output in ("ttft_mean_s", "tpot_s", "saturation_rate_per_s"):
            np.testing.assert_allclose(item.values[output], [result.value(output), other.value(output)], rtol=1e-9)


def test_an_explanation_says_how_far_it_is_from_saturation_and_when_it_is_there() -> None:
    half = llmperf.serve(**BASE, request_rate=10)
    said = str(half.explain())
    assert f"{10 / half.saturation_rate_per_s:.0%} of the" in said
    assert "a batch" not in said
    full = str(llmperf.serve(**BASE, request_rate=100).explain())
    assert "It is saturated" in full
    assert " inf" not in full
    assert " - to -" not in full


# --- figures


def test_curves_of_a_service_are_its_answers_and_end_before_saturation() -> None:
    result = llmperf.serve(**BASE, request_rate=10, ttft=0.1)
    sweep = along("service", result)
    rates = sweep.knobs["request_rate"]
    assert 10.0 in rates
    assert rates.max() < result.saturation_rate_per_s
    assert not sweep.result.saturated.any()
    np.testing.assert_allclose(sweep.result.requests_per_s, rates, rtol=1e-6)
    assert (sweep.result.goodput_per_s <= rates * (1.0 + 1e-9)).all()
    for path in ("ttft_mean_s", "tpot_p99_s"):
        found = sweep.result.value(path)
        assert (np.diff(found) > 0.0).all()
        assert found[rates == 10.0] == pytest.approx(float(result.value(path)), rel=1e-6)


@pytest.mark.parametrize("keys", SERVICES, ids=str)
def test_every_service_is_drawn_along_its_load_with_what_was_asked(keys: dict[str, Any]) -> None:
    pytest.importorskip("plotly")
    result = llmperf.serve(**{**BASE, **keys})
    found = result.plot("service")
    assert all(np.isfinite(np.asarray(one.y, dtype=float)).any() for one in found.data)
    assert not any(np.isinf(np.asarray(one.y, dtype=float)).any() for one in found.data)
    way = next(way for way in ("request_rate", "concurrency", "users", "requests") if way in keys)
    assert any(shape.x0 == keys[way] for shape in found.layout.shapes)
    assert result.plot("frontier").data


def test_only_services_are_drawn_as_services() -> None:
    with pytest.raises(InputError, match="'service'"):
        llmperf.estimate(**BASE).plot("service")


# --- checks


def judged(expect: dict[str, Any], **keys: Any) -> Any:
    (result,) = check({**BASE, **keys, "expect": expect}).results
    return result


def test_a_pessimistic_limit_of_a_percentile_takes_the_band_of_the_mean() -> None:
    served = llmperf.serve(**BASE, traffic={"request_rate": 10})
    high = error_bands(served)["decode"].high
    limit = {"tpot_p99_s": {"max": "1 s", "confidence": "pessimistic"}}
    (verdict,) = judged(limit, traffic={"request_rate": 10}).verdicts
    assert verdict.value == pytest.approx(served.tpot_p99_s * high)


def test_limits_of_requests_are_written_in_requests_and_those_of_tokens_in_tokens() -> None:
    traffic = {"request_rate": 10}
    assert judged({"goodput_per_s": {"min": "9 req/s"}}, traffic=traffic).status == "passed"
    assert judged({"output_tokens_per_s": {"min": "900 tok/s"}}, traffic=traffic).status == "passed"
    for output, written in (("goodput_per_s", "9 tok/s"), ("output_tokens_per_s", "9 req/s")):
        result = judged({output: {"min": written}}, traffic=traffic)
        assert result.status == "error"
        assert "this output counts" in str(result.problems[0])


def test_what_drifts_with_the_traffic_is_laid_to_the_traffic(tmp_path: Path, run: Run) -> None:
    text = "model: llama-3.1-8b\nhardware: h100-sxm\nengine: vllm\ntraffic: {request_rate: 10}\n"
    file = tmp_path / "a.llmperf.yaml"
    file.write_text(text + "expect: {ttft_p90_s: {max: 1s}}\n")
    assert run("check", str(file), "--update").returncode == 0
    assert run("check", str(file)).returncode == 0
    file.write_text(file.read_text().replace("10}", "20}"))
    done = run("check", str(file))
    assert done.returncode == 1
    assert "llmperf.lock.yaml: traffic" in " ".join(done.stdout.split())
    (tmp_path / "b.yaml").write_text(text)
    (tmp_path / "c.yaml").write_text(text.replace("10}", "20}"))
    assert " differ: traffic\n" in run("diff", str(tmp_path / "b.yaml"), str(tmp_path / "c.yaml")).stdout

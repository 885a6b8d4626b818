"""Error bands: groups weigh alike, are left out whole, and what is shown agrees with what is judged."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import llmperf
from llmperf.evidence import bands, confidence, fitted_bands, nearest
from llmperf.evidence.bands import Band, Ends
from llmperf.evidence.classes import Subject
from llmperf.evidence.rows import Rows

EIGHT = [f"model-{n}" for n in range(8)]


def subject(model: str, chip: str = "chip", batch: float = 1.0, **changed: Any) -> Subject:
    one = Subject("decode", "gpu-hbm", "single", "vllm", model, chip, 8e9, 16.0, 1.0, batch, 1024.0)
    return replace(one, **changed)


def rows(measured: list[tuple[Subject, float]], bound: float = 0.1) -> Rows:
    """Rows whose projection is 1, so that what is measured is the ratio."""
    out, count = Rows("synthetic"), len(measured)
    out.extend(
        ids=[f"row {n}" for n in range(count)],
        metric="tpot_s",
        groups=["all"] * count,
        measured=np.array([ratio for _, ratio in measured]),
        bound=np.full(count, bound),
        projection=np.ones(count),
        sources=["s"] * count,
        subjects=[about for about, _ in measured],
    )
    return out


def spread(sizes: dict[str, int], sigma: float = 0.2, seed: int = 7) -> list[tuple[Subject, float]]:
    """Groups that err each by its own factor, of `sizes` rows that err alike but for a little."""
    random = np.random.default_rng(seed)
    out = []
    for model, size in sizes.items():
        mine = random.normal(0.0, sigma)
        out += [(subject(model), float(np.exp(mine + random.normal(0.0, 0.02)))) for _ in range(size)]
    return out


def band(found: list[tuple[Subject, float]], name: str = "decode/gpu-hbm/single/vllm") -> Band:
    return next(one for one in fitted_bands.bands([rows(found)]).bands if one.name == name)


def test_a_sweep_of_a_thousand_rows_weighs_as_much_as_a_single_one() -> None:
    few = spread(dict.fromkeys((f"m{n}" for n in range(40)), 3))
    swept = [*few, *((subject("m0"), few[0][1]) for _ in range(1000))]
    assert band(swept).middle == pytest.approx(band(few).middle, rel=0.02)
    assert band(swept).high == pytest.approx(band(few).high, rel=0.05)


def test_ends_hold_four_of_five_groups_that_they_have_not_seen() -> None:
    made = fitted_bands.bands([rows(spread(dict.fromkeys((f"m{n}" for n in range(120)), 4)))])
    whole = next(one for one in made.held if one.of == "data-center GPUs, groups left out")
    assert (whole.units, whole.n) == (120, 480)
    assert 0.74 < whole.coverage < 0.86
    again = [rows(spread({f"new{n}": 2 for n in range(400)}, seed=11))]
    ends = made.bands[-1].of_groups
    fresh = np.concatenate([one.measured for one in again])
    assert 0.74 < np.mean((fresh >= ends.low) & (fresh <= ends.high)) < 0.88


def test_too_few_groups_leave_the_word_to_the_parent() -> None:
    found = spread(dict.fromkeys(EIGHT[:7], 20))
    other = [(replace(about, engine="sglang"), ratio) for about, ratio in found]
    names = {one.name for one in fitted_bands.bands([rows([*found, *other])]).bands}
    assert names == {"decode/gpu-hbm/single", "decode/gpu-hbm", "decode"}


def test_rows_that_beat_their_bound_are_no_evidence_of_an_error() -> None:
    found = spread(dict.fromkeys(EIGHT, 5))
    faulty = [*found, *((subject(f"bad-{n}"), 0.01) for n in range(8))]
    assert band(faulty) == band(found)


def test_chips_left_out_err_more_where_chips_err_by_their_own_factors() -> None:
    random = np.random.default_rng(3)
    chips = {f"chip-{n}": random.normal(0.0, 0.4) for n in range(8)}
    found = [
        (subject(model, chip), float(np.exp(mine + random.normal(0.0, 0.05))))
        for chip, mine in chips.items()
        for model in EIGHT
    ]
    one = band(found)
    assert one.of_chips is not None
    assert one.of_chips.high / one.of_chips.low > one.high / one.low
    assert one.chips == tuple(sorted(chips))


# --- what ships


def test_bands_that_ship_hold_what_they_were_not_made_from() -> None:
    held = {one.of: one for one in bands.table().held}
    for kind, widest in (("data-center GPUs", 2.0), ("all other hardware", 3.0)):
        one = held[f"{kind}, groups left out"]
        assert 0.77 <= one.coverage <= 0.83, one
        assert one.width <= widest, one
        assert one.width_of_rows <= widest, one
    for one in bands.shipped().values():
        assert one.low <= one.middle <= one.high
        assert one.groups >= fitted_bands.FEWEST_GROUPS
        assert one.of_groups.coverage >= fitted_bands.COVERAGE - 0.02, one.name


def test_a_chip_without_measurements_has_the_ends_of_chips_left_out() -> None:
    known, other = (
        llmperf.estimate(model="llama-3.1-8b", engine="vllm", hardware={"extends": "h100-sxm", **more})
        for more in ({}, {"name": "mine", "achieved": {"extends": "gpu-hopper"}})
    )
    mine, theirs = (confidence.error_bands(one)["e2e"] for one in (known, other))
    assert not mine.elsewhere
    assert theirs.elsewhere
    assert theirs.high / theirs.low > mine.high / mine.low
    assert any("chips left out" in reason for reason in confidence.extrapolated_of(other))


def test_what_the_own_fits_err_by_widens_the_band_of_a_machine_that_was_never_served() -> None:
    def machine(percent: str) -> Any:
        said = f"999999 rows; held out: median 3.0%, p90 {percent}, bias +0.0%"
        fitted = {"gemm.bf16": said, "attention_decode.bf16": said, "elementwise.default": "9 rows; p90 900.0%"}
        achieved = {"extends": "h100-sxm", "name": "mine", "fitted": fitted}
        scenario = {
            "model": "llama-3.1-8b",
            "engine": "vllm",
            "hardware": {"extends": "h100-sxm", "achieved": achieved},
        }
        return confidence.error_bands(llmperf.estimate(scenario))["decode"]

    sharp, rough = machine("1.0%"), machine("60.0%")
    assert sharp.elsewhere
    assert rough.calibration == pytest.approx(np.log(1.6))
    assert rough.high / rough.middle > max(1.6, sharp.high / sharp.middle)
    assert rough.low < sharp.low or rough.low == pytest.approx(sharp.low), "unless both are at the bound"


@pytest.mark.parametrize("batch", [1, 64, 256])
def test_no_end_is_below_the_bound(batch: int) -> None:
    result = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", engine="vllm", batch=batch, input=1024)
    for phase, one in confidence.error_bands(result).items():
        metric = confidence.metric_of(result, phase) or ""
        assert one.low * float(result.projection.of(metric)) >= float(result.bound.of(metric)) * (1.0 - 1e-9)
        assert one.low <= one.middle <= one.high


def test_ends_of_many_configurations_have_their_shape() -> None:
    result = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm", batch=np.array([1, 8, 64]))
    data = result.to_dict()["error_band"]["decode"]
    assert len(data["q10"]) == len(data["times_s"]["q10"]) == 3


def test_a_service_has_a_band_of_first_tokens_of_its_own() -> None:
    result = llmperf.serve(model="llama-3.1-8b", hardware="h100-sxm", engine="vllm", traffic={"request_rate": 4})
    data = result.to_dict()["error_band"]
    assert set(data) == {"ttft", "decode", "e2e"}
    assert data["ttft"]["metric"] == "ttft_mean_s"
    assert data["ttft"]["class"].startswith("ttft/gpu-hbm")
    high = confidence.slower(result.scenario, "ttft")
    assert data["ttft"]["q90"] == pytest.approx(high), "what `size` takes for pessimistic is what the answer says"


# --- the nearest rows


def test_a_wide_band_gives_way_to_the_nearest_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "WIDEST", {"gpu-hbm": 1.0})
    result = llmperf.estimate(model="llama-3.1-70b", hardware="h100-sxm", tp=4, batch=16, engine="vllm", output=64)
    data = result.to_dict()["error_band"]["decode"]
    assert data["wide"]
    assert 0 < len(data["nearest"]) <= nearest.SHOWN
    steps = [row["steps"] for row in data["nearest"]]
    assert steps == sorted(steps)
    for row in data["nearest"]:
        quotient = row["measured"] / row["projection"]
        assert row["ratio"] == pytest.approx(quotient if row["metric"].endswith("tpot_s") else 1 / quotient, rel=0.01)
    said = [item.text for item in result.explain().items if item.topic == "confidence"]
    assert any(data["nearest"][0]["id"] in text for text in said)


def test_rows_are_kept_of_classes_without_a_sharp_band_alone() -> None:
    sharp, few = spread(dict.fromkeys(EIGHT, 6), sigma=0.05), [(subject("x", engine="sglang", regime="moe"), 1.3)]
    found = [rows([*sharp, *few])]
    table = fitted_bands.bands(found)
    table = replace(table, bands=tuple(one for one in table.bands if one.name.endswith("vllm")))
    assert band(sharp).high / band(sharp).low < 2.0
    kept = json.loads(gzip.decompress(nearest.text(found, table)))
    assert kept["engine"] == ["sglang"]
    assert nearest.text(found, table) == nearest.text(found, table), "the same file every time"


def test_the_nearest_row_is_the_question_itself_where_it_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    columns: dict[str, list[Any]] = {}
    for index, (about, _) in enumerate([(subject("a", batch=64.0), 1.0), (subject("a"), 1.0), (subject("b"), 1.0)]):
        entry = nearest._entry(rows([(about, 1.25)] * 3), index)
        for name, value in entry.items():
            columns.setdefault(name, []).append(value)
    monkeypatch.setattr(nearest, "_shipped", lambda: columns)
    found = nearest.nearest(subject("a"))
    assert [row.steps for row in found] == [0.0, 1.0, 6.0]
    assert nearest.nearest(replace(subject("a"), phase="prefill")) == []


def test_ends_are_what_they_say() -> None:
    one = Band("decode/gpu-hbm", 1.0, Ends(0.5, 1.5, 0.8), None, 10, 8, 1, ("c",))
    assert (one.low, one.high, one.widest) == (0.5, 1.5, 2.0)
    assert replace(one, name="decode").widest == bands.WIDEST_ELSEWHERE


def test_what_is_said_of_a_chip_without_rows_says_something() -> None:
    ends = [one.of_chips for one in bands.table().bands if one.of_chips is not None]
    assert ends
    assert all(one.high <= 10.0 * one.low * 1.01 for one in ends)


def test_whole_requests_that_were_not_measured_have_the_ends_of_their_parts() -> None:
    result = llmperf.estimate(model="llama-3.1-8b", hardware="l40s", batch=16)
    known = confidence.error_bands(result)
    prefill, decode, whole = (known[phase] for phase in ("prefill", "decode", "e2e"))
    assert min(prefill.high, decode.high) <= whole.high <= max(prefill.high, decode.high)
    times = result.projection
    expected = times.ttft_s * prefill.high + (times.e2e_s - times.ttft_s) * decode.high
    assert whole.high * times.e2e_s == pytest.approx(expected)

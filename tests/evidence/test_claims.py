"""Published results: verdicts follow the rules, files are read strictly, and every shipped claim stands as written."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import yaml

from llmperf.answers.answer import answer as estimated
from llmperf.errors import InputError
from llmperf.evidence.claims import recompute as claims
from llmperf.evidence.claims.files import (
    APART,
    CATEGORIES,
    COMPRESSION,
    LANDS_WITH,
    MECHANISMS,
    TOLERANCES,
    UNVERIFIED,
    Category,
    Published,
    PublishedClaim,
    read,
)
from llmperf.files import store
from llmperf.files.yaml import parse_yaml
from llmperf.outputs import TIMES, by_path, metric, to_come
from llmperf.scenarios import catalog
from llmperf.scenarios.keys import NOT_YET
from llmperf.scenarios.resolve import resolve
from llmperf.words.claims import claimed, name, standing, systems

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = 2 * 6_738_415_616
"""Bytes of Llama-2-7B in 16 bit, by its official count."""
LLAMA = {"model": "llama-2-7b", "hardware": "a100-sxm-80gb"}
FILES = sorted(catalog.files("published").values())


def written(tmp_path: Path, *rows: dict[str, Any], name: str = "system.yaml") -> Path:
    """A claims file; a row needs only what the test is about."""
    base = {"tier": "A", "metric": "memory.weights", "provenance": "abstract"}
    full = [{"id": f"claim-{index}", **base, **row} for index, row in enumerate(rows)]
    for row in full:
        if "not_expressible" not in row:
            row.setdefault("scenario", LLAMA)
    source = {"title": "A system", "url": "https://example.org", "year": 2024}
    path = tmp_path / name
    path.write_text(yaml.safe_dump({"system": "system", "source": source, "claims": full}))
    return path


def judged(tmp_path: Path, **row: Any) -> claims.Claim:
    """The one claim of a file."""
    (claim,) = claims.evaluate(written(tmp_path, row))
    return claim


@pytest.mark.parametrize(
    ("tier", "off", "verdict"),
    [
        ("A", 0.09, "pass"),
        ("A", -0.09, "pass"),
        ("A", 0.11, "fail"),
        ("A", -0.11, "fail"),
        ("B", 0.24, "pass"),
        ("B", -0.26, "fail"),
    ],
)
def test_a_number_passes_within_the_tolerance_of_its_tier(tmp_path: Path, tier: str, off: float, verdict: str) -> None:
    claim = judged(tmp_path, tier=tier, value=WEIGHTS / (1 + off))
    assert claim.verdict == verdict
    assert claim.error == pytest.approx(off)
    assert claim.predicted == WEIGHTS
    assert claim.tolerance == {"A": 0.10, "B": 0.25}[tier]


def test_a_stated_tolerance_goes_before_that_of_the_tier(tmp_path: Path) -> None:
    assert judged(tmp_path, value=WEIGHTS / 1.05, tolerance=0.04).verdict == "fail"
    assert judged(tmp_path, value=WEIGHTS / 1.05, tolerance="6 %").verdict == "pass"


def test_a_claim_may_be_stricter_than_its_tier_but_never_laxer(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is wider than the 10% of tier A") as error:
        judged(tmp_path, value=WEIGHTS, tolerance=0.2)
    (problem,) = error.value.problems
    assert (problem.path, problem.line is None) == ("claims.0.tolerance", False)
    for published in FILES:
        for claim in claims.load(published).claims:
            assert claim.allowed_error <= TOLERANCES[claim.tier], claim.id


@pytest.mark.parametrize(
    ("published", "batch", "verdict"), [(True, 1, "pass"), (False, 1, "fail"), (False, 9999, "pass")]
)
def test_what_does_not_fit_can_be_claimed(tmp_path: Path, published: bool, batch: int, verdict: str) -> None:
    scenario = {**LLAMA, "workload": {"batch": batch, "input": 1024}}
    claim = judged(tmp_path, metric="fits", value=published, scenario=scenario)
    assert (claim.verdict, claim.published, claim.tolerance) == (verdict, published, None)
    assert claimed(claim) == str(published).lower()


def test_of_several_baselines_the_best_counts(tmp_path: Path) -> None:
    row = {"metric": "ratio.memory.kv_cache", "value": 1, "tier": "B", "scenario": {**LLAMA, "kv_cache": "fp8"}}
    both = judged(tmp_path, **row, baseline=[{"kv_cache": "bf16"}, {"kv_cache": "int4"}])
    alone = judged(tmp_path, **row, baseline={"kv_cache": "int4"})
    assert both.predicted == alone.predicted
    more = {"metric": "ratio.kv_pool_tokens", "value": 1, "tier": "B", "scenario": {**LLAMA, "kv_cache": "fp8"}}
    worst = judged(tmp_path, **more, baseline=[{"kv_cache": "bf16"}, {"kv_cache": "int4"}])
    assert worst.predicted == pytest.approx(judged(tmp_path, **more, baseline={"kv_cache": "int4"}).predicted)


def test_the_mean_over_cases_counts(tmp_path: Path) -> None:
    axes = {"workload.batch": [2, 6], "workload.input": [100, 200]}
    row = {"metric": "ratio.memory.kv_cache", "tier": "B", "over": axes}
    claim = judged(tmp_path, **row, value=4, scenario=LLAMA, baseline={"workload": {"batch": 1}})
    assert claim.predicted == 4
    models = {"model": ["llama-2-7b", "llama-2-13b"]}
    row = {"metric": "memory.weights", "tier": "A", "over": models, "value": (WEIGHTS + 2 * 13_015_864_320) / 2}
    assert judged(tmp_path, **row).error == pytest.approx(0, abs=1e-12)
    with pytest.raises(InputError, match="did you mean batch"):
        judged(tmp_path, **{**row, "over": {"workload.bacth": [1, 2]}})


def test_a_fault_says_whether_the_scenario_or_the_baseline_has_it(tmp_path: Path) -> None:
    row = {"metric": "ratio.memory.kv_cache", "value": 1, "tier": "B"}
    claim = judged(tmp_path, **row, scenario=LLAMA, baseline={"kv_cache": "no-such"})
    assert claim.verdict == "not_expressible"
    assert claim.why.startswith("baseline: unknown kv_cache")
    claim = judged(tmp_path, **row, scenario={**LLAMA, "kv_cache": "no-such"}, baseline={"kv_cache": "bf16"})
    assert claim.why.startswith("unknown kv_cache")
    with pytest.raises(InputError) as error:
        judged(tmp_path, **row, scenario=LLAMA, baseline={"kv_cahce": "bf16"})
    assert [(p.path, p.suggestion) for p in error.value.problems] == [("claims.0.baseline.kv_cahce", "kv_cache")]


def test_claims_that_say_little_are_counted_apart(tmp_path: Path) -> None:
    rows = [
        {"value": WEIGHTS, "apart": "in_sample"},
        {"value": 2 * WEIGHTS, "apart": "tautology"},
        {"value": WEIGHTS},
        {"value": 2 * WEIGHTS},
    ]
    found = claims.evaluate(written(tmp_path, *rows))
    assert [claim.verdict for claim in found] == ["pass", "fail", "pass", "fail"]
    assert claims.share(found) == 0.5
    counts = {"pass": 1, "fail": 1, "not_gated": 0, "in_sample": 1, "tautology": 1, "not_expressible": 0}
    assert claims.counts(found) == counts
    assert "1 in sample (1 hold)" in claims.said(found)
    assert "1 tautology (0 hold)" in claims.said(found)


@pytest.mark.parametrize("published", ["ratio.train.step_s", "train.mfu", "ttft_p95_s"])
def test_a_claim_to_come_names_an_output_of_the_one_table(tmp_path: Path, published: str) -> None:
    row = {"metric": published, "value": 0.5, "not_expressible": "training: a step"}
    assert judged(tmp_path, **row).verdict == "not_expressible"
    with pytest.raises(InputError, match="no output is called") as error:
        judged(tmp_path, **{**row, "metric": f"{published}x"})
    assert error.value.problems[0].suggestion == published
    with pytest.raises(InputError, match="no output is called"):  # a scenario computes none of those
        judged(
            tmp_path, metric=published, value=0.5, scenario=LLAMA, **({"baseline": {}} if "ratio" in published else {})
        )


def test_every_output_to_come_is_claimed_and_none_of_them_is_computed() -> None:
    named = {claim.metric.removeprefix("ratio.") for claim in rows() if claim.scenario is None}
    assert set(to_come()) <= named
    assert not set(to_come()) & set(by_path())


def test_a_size_to_come_is_written_in_its_unit(tmp_path: Path) -> None:
    row = {"metric": "train.memory_bytes", "value": "12 GiB", "not_expressible": "training: a step", "tier": "B"}
    assert judged(tmp_path, **row).published == 12 * 2**30


@pytest.mark.parametrize(
    ("low", "high", "error", "verdict"),
    [
        (0.9, 1.1, 0.0, "pass"),
        (1.0, 1.0, 0.0, "pass"),
        (1.1, 1.5, 1 / 1.1 - 1, "pass"),  # the range is widened by 20 %
        (0.5, 0.9, 1 / 0.9 - 1, "pass"),
        (1.3, 1.5, 1 / 1.3 - 1, "fail"),
        (0.5, 0.8, 1 / 0.8 - 1, "fail"),
    ],
)
def test_a_range_is_measured_to_its_nearest_end(
    tmp_path: Path, low: float, high: float, error: float, verdict: str
) -> None:
    claim = judged(tmp_path, tier="C", value=[low * WEIGHTS, high * WEIGHTS])
    assert claim.error == pytest.approx(error)
    assert claim.verdict == verdict
    assert claim.published == pytest.approx((low * WEIGHTS, high * WEIGHTS))


@pytest.mark.parametrize(
    ("direction", "value", "verdict", "said"),
    [
        ("greater", WEIGHTS - 1, "pass", f"greater than {WEIGHTS - 1:g}"),
        ("greater", WEIGHTS, "fail", f"greater than {WEIGHTS:g}"),
        ("less", WEIGHTS + 1, "pass", f"less than {WEIGHTS + 1:g}"),
        ("less", WEIGHTS, "fail", f"less than {WEIGHTS:g}"),
    ],
)
def test_a_direction_holds_or_does_not(tmp_path: Path, direction: str, value: int, verdict: str, said: str) -> None:
    claim = judged(tmp_path, tier="C", direction=direction, value=value)
    assert (claim.verdict, claim.published, claim.tolerance) == (verdict, said, None)


def test_a_ratio_divides_the_scenario_by_its_baseline(tmp_path: Path) -> None:
    row = {"metric": "ratio.memory.kv_cache", "scenario": {**LLAMA, "workload": {"batch": 6}}}
    claim = judged(tmp_path, **row, value=3, baseline={"workload": {"batch": 2}})
    assert claim.predicted == 3
    assert claim.verdict == "pass"


def test_without_a_value_the_direction_of_a_ratio_is_that_from_one(tmp_path: Path) -> None:
    row = {"metric": "ratio.tpot_s", "tier": "C", "scenario": {**LLAMA, "weights": "w4a16-g128"}}
    less = judged(tmp_path, **row, baseline={"weights": "bf16"}, direction="less")
    assert (less.verdict, less.published, less.error) == ("pass", "less", 0.0)
    greater = judged(tmp_path, **row, baseline={"weights": "bf16"}, direction="greater")
    assert greater.verdict == "fail"
    assert greater.error == pytest.approx(greater.predicted - 1)  # type: ignore[operator]
    same = judged(tmp_path, **row, baseline={"weights": "w4a16-g128"}, direction="less")
    assert same.verdict == "fail", "no effect is no smaller time"


def test_null_in_a_baseline_deletes_what_the_scenario_sets(tmp_path: Path) -> None:
    scenario = {**LLAMA, "kv_cache": "fp8", "model": {"extends": "llama-2-7b", "attention": {"kv_heads": 8}}}
    row = {"metric": "ratio.memory.kv_cache", "scenario": scenario}
    claim = judged(tmp_path, **row, value=0.125, baseline={"kv_cache": None, "model": {"attention": None}})
    assert claim.predicted == pytest.approx(0.125)  # half of the bytes and a quarter of the heads


def test_bounds_and_rooflines_are_claimed_by_their_prefix(tmp_path: Path) -> None:
    rows = [{"metric": f"{prefix}tpot_s", "value": "7 ms", "tier": "B"} for prefix in ("bound.", "roofline.", "")]
    bound, roofline, projection = (claim.predicted for claim in claims.evaluate(written(tmp_path, *rows)))
    assert bound < roofline < projection  # type: ignore[operator]


OPERATOR = {**LLAMA, "workload": {"batch": 4, "input": 512, "output": 2}}


def operator_claims(tmp_path: Path, *names: str, scenario: dict[str, Any] = OPERATOR) -> list[float]:
    """Predictions of metrics of operators."""
    rows = [{"metric": f"operator.{name}", "value": 1, "tier": "B", "scenario": scenario} for name in names]
    found = [claim.predicted for claim in claims.evaluate(written(tmp_path, *rows))]
    assert None not in found
    return found  # type: ignore[return-value]


def test_a_product_is_claimed_by_its_name_with_its_work_over_its_time(tmp_path: Path) -> None:
    results = ("time_s", "flops_per_s", "bytes", "bytes_per_s")
    time, rate, moved, bandwidth = operator_claims(tmp_path, *(f"decode.gate_up.{name}" for name in results))
    assert rate * time == pytest.approx(2 * 4 * 22016 * 4096)  # m n k
    assert moved == pytest.approx(2 * (22016 * 4096 + 4 * (22016 + 4096)))
    assert bandwidth * time == pytest.approx(moved)


def test_results_of_operators_are_those_that_ops_shows(tmp_path: Path, answer: Any) -> None:
    flags = ("--model", "llama-2-7b", "--hardware", "a100-sxm-80gb", "--batch", "4", "--input", "512", "--output", "2")
    for step in answer("ops", *flags)["steps"]:
        shown = {row["name"]: row["time_s"] for row in step["operators"]}
        found = operator_claims(tmp_path, *(f"{step['step']}.{name}.time_s" for name in shown))
        assert found == pytest.approx(list(shown.values()))


def test_a_kind_sums_the_runs_of_its_operators(tmp_path: Path) -> None:
    names = ("gemm", "qkv", "o", "gate_up", "down", "lm_head")
    whole, *parts, head = operator_claims(tmp_path, *(f"prefill.{name}.time_s" for name in names))
    assert whole == pytest.approx(32 * sum(parts) + head)
    both = {**OPERATOR, "devices": 8, "parallelism": {"tp": 8}}
    sums = operator_claims(
        tmp_path, *(f"decode.{k}.bytes" for k in ("collective", "all_reduce", "all_gather")), scenario=both
    )
    assert sums[0] == pytest.approx(sums[1] + sums[2])


def test_operators_that_share_a_name_have_a_mean_run(tmp_path: Path) -> None:
    scenario = {**OPERATOR, "hardware": "h100-sxm", "weights": "fp8"}
    (moved,) = operator_claims(tmp_path, "decode.quantize.bytes", scenario=scenario)
    widths = (4096 + 4096 + 4096 + 11008) / 4  # inputs of qkv, o, gate_up, down; 16 bit read, 8 bit written
    assert moved == pytest.approx(3 * 4 * widths)


def test_an_operator_has_a_roofline_below_its_projection_and_a_ratio(tmp_path: Path) -> None:
    row = {"value": 1, "tier": "B", "scenario": OPERATOR}
    name = "operator.prefill.attention.time_s"
    rows = [{**row, "metric": f"roofline.{name}"}, {**row, "metric": name}]
    rows.append({**row, "metric": f"ratio.{name}", "baseline": {"workload": {"batch": 4}}})
    ideal, projected, same = (claim.predicted for claim in claims.evaluate(written(tmp_path, *rows)))
    assert ideal < projected  # type: ignore[operator]
    assert same == 1.0


@pytest.mark.parametrize(
    ("result", "value", "limit"),
    [
        ("time_s", "62 us", 62e-6),
        ("flops_per_s", "223 TFLOP/s", 223e12),
        ("bytes", "2 MiB", 2**21),
        ("bytes_per_s", "336 GB/s", 336e9),
    ],
)
def test_results_of_operators_are_written_in_their_units(tmp_path: Path, result: str, value: str, limit: float) -> None:
    row = {"metric": f"operator.decode.qkv.{result}", "value": value, "tier": "B"}
    (claim,) = claims.load(written(tmp_path, row)).claims
    assert claim.limits == (pytest.approx(limit), pytest.approx(limit))


def test_an_operator_that_a_step_does_not_have_is_an_error_and_not_a_missing_mechanism(tmp_path: Path) -> None:
    row = {"metric": "operator.decode.gate_upp.time_s", "value": 1, "tier": "B", "scenario": OPERATOR}
    with pytest.raises(InputError, match=r"no operator, .*'gate_upp' \(did you mean gate_up\?\)") as error:
        claims.evaluate(written(tmp_path, row))
    (problem,) = error.value.problems
    assert problem.path == "claims.0.metric"
    assert problem.line is not None
    assert {"qkv", "gemm", "attention"} <= set(problem.allowed)
    alone = {**row, "metric": "operator.decode.tp_all_reduce.time_s"}
    with pytest.raises(InputError, match="tp_all_reduce"):
        claims.evaluate(written(tmp_path, alone))  # one device sums over no ranks


def test_what_an_operator_does_not_do_has_no_rate(tmp_path: Path) -> None:
    claim = judged(tmp_path, metric="operator.decode.add_norm.flops_per_s", value=1, scenario=OPERATOR)
    assert (claim.verdict, claim.predicted) == ("not_expressible", None)


def test_an_unverified_number_never_gates(tmp_path: Path) -> None:
    claim = judged(tmp_path, value=2 * WEIGHTS, provenance="unverified: recalled")
    assert (claim.verdict, claim.predicted, claim.why) == ("not_gated", WEIGHTS, "unverified: recalled")
    assert claim.error == pytest.approx(-0.5)


def test_a_missing_mechanism_is_counted_and_said(tmp_path: Path) -> None:
    row = {"metric": "train.mfu", "value": 0.5, "not_expressible": "training: a training step"}  # of before the key
    claim = judged(tmp_path, **row, provenance="unverified")
    assert (claim.verdict, claim.why) == ("not_expressible", "training: a training step")
    assert (claim.predicted, claim.error, claim.published) == (None, None, 0.5)
    assert claims.missing([claim]) == {"training": 1}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kv_cache": "no-such-format"}, "unknown kv_cache 'no-such-format'"),
        ({"model": "no/such-model"}, "neither the catalog nor the local Hugging Face cache has 'no/such-model'"),
        ({"training": {"zero": 3}}, "training cannot be estimated by this version"),
    ],
)
def test_a_name_that_this_version_lacks_makes_a_claim_not_expressible(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    claim = judged(tmp_path, value=WEIGHTS, scenario={**LLAMA, **change})
    assert claim.verdict == "not_expressible"
    assert said in claim.why


@pytest.mark.parametrize(
    ("scenario", "path", "near"),
    [
        ("{model: llama-2-7b, hardware: h100-sxm, wieghts: fp8}", "wieghts", "weights"),
        ("{model: llama-2-7b, hardware: h100-sxm, workload: {bacth: 1}}", "workload.bacth", "batch"),
        ("{model: llama-2-7b, hardware: {extends: h100-sxm, nmae: x}}", "hardware.nmae", "name"),
        ("{model: llama-2-7b, hardware: h100-sxm, engine: {extends: vllm, grahps: true}}", "engine.grahps", "graphs"),
    ],
)
def test_a_misspelt_key_is_an_error_and_not_a_missing_mechanism(
    tmp_path: Path, scenario: str, path: str, near: str, run: Any
) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(
        "system: s\nsource: {title: t, url: 'https://x', year: 2024}\nclaims:\n"
        "- id: a\n  tier: A\n  metric: tpot_s\n  value: 7 ms\n  provenance: abstract\n"
        f"  scenario: {scenario}\n"
    )
    with pytest.raises(InputError) as error:
        claims.evaluate(file)
    (problem,) = error.value.problems
    assert (problem.file, problem.line, problem.path) == (str(file), 9, f"claims.0.scenario.{path}")
    assert (problem.suggestion, problem.kind) == (near, "wrong")
    result = run("validate", "--claims", str(file))
    assert result.returncode == 2
    assert "f.yaml:9" in result.stderr
    assert f"did you mean {near}?" in " ".join(result.stderr.split())


def test_a_misspelt_key_fails_the_claims_also_beside_a_name_that_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown key"):
        judged(tmp_path, value=WEIGHTS, scenario={**LLAMA, "wieghts": "fp8", "kv_cache": "no-such-format"})


@pytest.mark.parametrize("name", ["./no-such-model.yaml", "no/such-model.json", "/no/such/directory"])
def test_a_file_that_is_not_there_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no such file"):
        judged(tmp_path, value=WEIGHTS, scenario={**LLAMA, "model": name})


def test_the_kind_of_a_fault_is_not_part_of_its_plain_data() -> None:
    with pytest.raises(InputError) as error:
        resolve({**LLAMA, "training": {}})
    (problem,) = error.value.problems
    assert problem.kind == "not_yet"
    assert set(problem.to_dict()) == {"message", "path", "file", "line", "allowed", "suggestion"}


def test_an_output_that_does_not_exist_is_not_expressible(tmp_path: Path) -> None:
    claim = judged(tmp_path, metric="tpot_s", value="7 ms", scenario={**LLAMA, "workload": {"output": 1}})
    assert (claim.verdict, claim.predicted) == ("not_expressible", None)
    assert "tpot_s does not exist" in claim.why


def test_a_scenario_that_is_wrong_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(
        "system: s\nsource: {title: t, url: 'https://x', year: 2024}\nclaims:\n"
        "- id: a\n  tier: A\n  metric: tpot_s\n  value: 7 ms\n  provenance: abstract\n"
        "  scenario:\n    model: llama-2-7b\n    hardware: h100-sxm\n    workload: {batch: 0}\n"
        "- id: b\n  tier: A\n  metric: ratio.tpot_s\n  value: 1\n  provenance: abstract\n"
        "  scenario: {model: llama-2-7b, hardware: h100-sxm}\n"
        "  baseline:\n    workload: {input: 999999}\n"
    )
    with pytest.raises(InputError) as error:
        claims.evaluate(path)
    found = {(problem.line, problem.path) for problem in error.value.problems}
    assert found == {(12, "claims.0.scenario.workload.batch"), (20, "claims.1.baseline.workload")}
    assert all(problem.file == str(path) for problem in error.value.problems)


def test_all_faults_of_a_file_are_listed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(
        "system: s\nsource: {title: t, url: 'https://x', year: soon, doi: 1}\nclaims:\n"
        "- {id: a, tier: D, metric: tpot_s, value: {}, scenario: 3, provenance: abstract}\n"
        "- {id: b, tier: A, metric: tpot_s, value: [1, 2, 3], tolerance: -1, provenence: abstract}\n"
    )
    with pytest.raises(InputError) as error:
        claims.load(path)
    paths = {problem.path for problem in error.value.problems}
    assert {"source.year", "source.doi", "claims.0.tier", "claims.0.value", "claims.0.scenario"} <= paths
    assert {"claims.1.value", "claims.1.tolerance", "claims.1.provenance", "claims.1.provenence"} <= paths
    assert "did you mean provenance?" in str(error.value)
    assert {problem.line for problem in error.value.problems} == {2, 4, 5}


@pytest.mark.parametrize(
    ("row", "path", "said"),
    [
        ({"metric": "tpots_s", "value": 1}, "metric", "did you mean tpot_s?"),
        ({"metric": "operator.decodes.qkv.time_s", "value": 1}, "metric", "did you mean decode?"),
        ({"metric": "operator.decode.qkv.times_s", "value": 1}, "metric", "did you mean time_s?"),
        ({"metric": "bound.operator.decode.qkv.time_s", "value": 1}, "metric", "roofline.operator.PHASE.NAME.time_s"),
        ({"metric": "operator.decode.time_s", "value": 1}, "metric", "operator.PHASE.NAME.time_s"),
        ({"metric": "operator.decode.qkv.time_s", "value": "3 MB"}, "value", "has no unit of time"),
        ({"value": None}, "value", "is missing"),
        ({"value": None, "direction": "less"}, "value", "is that of a ratio"),
        ({"value": [2, 1]}, "value", "the lower end of a range comes first"),
        ({"value": 0}, "value", "must be more than zero"),
        ({"value": "3 ms"}, "value", "has no unit of bytes"),
        ({"value": [1, 2], "direction": "less"}, "direction", "not with a range"),
        ({"tier": "C", "value": 1}, "value", "takes a range or a direction"),
        ({"value": True}, "value", "is not a number"),
        ({"value": 1, "metric": "fits"}, "value", "takes true or false"),
        ({"value": True, "metric": "fits", "direction": "less"}, "direction", "is none of fits"),
        ({"value": 1, "over": {"model": ["llama-2-7b"]}}, "over", "two cases or more"),
        ({"value": 1, "over": {"model": "llama-2-7b"}}, "over", "takes a list of values"),
        ({"value": 1, "apart": "tautology", "not_expressible": "x"}, "apart", "with a scenario only"),
        ({"value": 1, "metric": "ratio.tpot_s"}, "baseline", "a ratio divides the scenario by it"),
        ({"value": 1, "baseline": {}}, "baseline", "serves a ratio"),
        ({"value": 1, "scenario": None}, "scenario", "say with not_expressible"),
        ({"value": 1, "scenario": LLAMA, "not_expressible": "x"}, "not_expressible", "in place of a scenario"),
    ],
)
def test_a_claim_that_contradicts_itself_is_refused(tmp_path: Path, row: dict[str, Any], path: str, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)) as error:
        claims.load(written(tmp_path, row))
    assert [problem.path for problem in error.value.problems] == [f"claims.0.{path}"]


def test_ids_are_unique_in_a_file_and_over_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="stands twice"):
        claims.load(written(tmp_path, {"id": "a", "value": 1}, {"id": "a", "value": 2}))
    written(tmp_path, {"id": "a", "value": 1})
    written(tmp_path, {"id": "a", "value": 1}, name="other.yaml")
    with pytest.raises(InputError, match=r"also the id of a claim in .*other\.yaml"):
        claims.evaluate(tmp_path)


def test_claims_are_taken_from_files_directories_names_and_the_users_catalog(tmp_path: Path) -> None:
    folder = tmp_path / "published"
    folder.mkdir()
    path = written(folder, {"id": "mine", "value": WEIGHTS}, name="mine.yaml")
    assert [c.id for c in claims.evaluate([path])] == ["mine"]
    assert [c.id for c in claims.evaluate([path, folder])] == ["mine"], "a file named twice is read once"
    assert {c.system for c in claims.evaluate("kivi")} == {"kivi"}
    assert [c.id for c in claims.evaluate("mine", catalog=(str(tmp_path),))] == ["mine"]
    assert "mine" in {c.id for c in claims.evaluate(catalog=(str(tmp_path),))}
    with pytest.raises(InputError, match=r"unknown published 'kivy'.*did you mean kivi"):
        claims.evaluate("kivy")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no claims file"):
        claims.evaluate(tmp_path / "empty")


@pytest.mark.parametrize("name", ["", "no-such-file.yaml", "x" * 5000, "a\0b", "/dev/null"])
def test_a_path_that_holds_no_claims_is_one_clear_error(name: str) -> None:
    with pytest.raises(InputError) as error:
        claims.evaluate(name)
    assert len(error.value.problems) == 1


@pytest.mark.parametrize(
    "text",
    ["[]", "claims: 3", "claims: [3]", "claims: {a: 1}", "system: [", "\0", "a: &a [*a]", "system: !!python/x 1"],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(text)
    with pytest.raises(InputError):
        claims.evaluate(path)


@pytest.mark.parametrize("value", [math.nan, math.inf, "1e999", 10**400, "", "3 parsecs", {}, [None, 1], [[1], 2]])
def test_a_value_that_is_no_number_is_refused(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "f.yaml"
    row = {"id": "a", "tier": "A", "metric": "memory.weights", "provenance": "abstract", "not_expressible": "x"}
    source = {"title": "t", "url": "https://x", "year": 2024}
    path.write_text(yaml.safe_dump({"system": "s", "source": source, "claims": [{**row, "value": value}]}))
    with pytest.raises(InputError):
        claims.load(path)


def test_a_model_beside_a_claims_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text("extends: llama-2-7b\nlayers: 2\nofficial: null\n")
    path = written(tmp_path, {"value": 1, "scenario": {**LLAMA, "model": "./tiny.yaml"}})
    (claim,) = claims.evaluate(path)
    assert claim.predicted == WEIGHTS - 2 * 30 * (4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096)


def shipped() -> list[tuple[str, Published]]:
    return [(path.stem, claims.load(path)) for path in FILES]


def rows() -> list[PublishedClaim]:
    return [claim for _, published in shipped() for claim in published.claims]


@pytest.fixture(scope="module")
def results() -> list[claims.Claim]:
    return claims.evaluate()


def test_every_system_is_one_file_of_its_name_with_its_source() -> None:
    assert len(FILES) > 100
    for stem, published in shipped():
        assert published.system == stem
        assert 1990 < published.source.year < 2030
        if published.source.arxiv:
            assert published.source.url == f"https://arxiv.org/abs/{published.source.arxiv}"
    assert sum(path.stat().st_size for path in FILES) < 600_000


def test_a_paper_is_one_file() -> None:
    papers = [published.source.arxiv or published.source.url for _, published in shipped()]
    assert len(papers) == len(set(papers))


def test_every_system_that_ships_is_of_a_category() -> None:
    assert list(CATEGORIES) == list(get_args(Category))
    assert set(COMPRESSION) < set(CATEGORIES)
    assert [stem for stem, published in shipped() if published.category == "other"] == []


def test_every_claim_says_where_it_stands_under_an_id_of_its_own() -> None:
    ids = [claim.id for claim in rows()]
    assert len(ids) == len(set(ids))
    kinds = ("abstract", "repo:", "page:", "fulltext:", "issues:", "secondary:", UNVERIFIED)
    for stem, published in shipped():
        for claim in published.claims:
            assert claim.id.startswith(f"{stem}-")
            assert claim.provenance.startswith(kinds), claim.provenance


def test_every_claim_with_a_scenario_has_a_finite_prediction(results: list[claims.Claim]) -> None:
    assert len(results) == len(rows())
    expressible = {claim.id for claim in rows() if claim.scenario is not None}
    assert len(expressible) > 150
    for claim in results:
        if claim.id not in expressible:
            assert claim.verdict == "not_expressible"
        elif claim.predicted is None:
            assert claim.why.removeprefix("baseline: ").startswith("unknown "), (
                claim
            )  # a format or model that the catalog will have
        else:
            assert math.isfinite(claim.predicted)
            assert claim.predicted > 0


def test_verdicts_of_shipped_claims_follow_from_error_and_tolerance(results: list[claims.Claim]) -> None:
    assert sum(claims.counts(results).values()) == len(results)
    for claim in results:
        if claim.verdict in ("pass", "fail") and claim.tolerance is not None:
            assert claim.error is not None
            assert (abs(claim.error) <= claim.tolerance) == (claim.verdict == "pass")


def test_most_gated_claims_hold(results: list[claims.Claim]) -> None:
    gated = [claim for claim in results if claim.tier in ("A", "B")]
    assert sum(claim.standing in ("pass", "fail") for claim in gated) > 250
    assert claims.share(gated) >= 0.81


def test_the_share_that_holds_counts_gated_claims_of_a_tier_and_of_categories(tmp_path: Path) -> None:
    rows = [
        {"value": WEIGHTS},
        {"value": 2 * WEIGHTS},
        {"value": 3 * WEIGHTS, "provenance": "unverified"},
        {"value": 1, "not_expressible": "x: y"},
        {"value": WEIGHTS, "tier": "B"},
    ]
    found = claims.evaluate(written(tmp_path, *rows))
    assert claims.share(found, "A") == 0.5
    assert claims.share(found, "B", ["other"]) == 1.0
    assert claims.share(found) == pytest.approx(2 / 3)
    assert math.isnan(claims.share(found, "C"))
    assert math.isnan(claims.share(found, "A", COMPRESSION))


def cells(row: str) -> list[str]:
    """The cells of a row of a Markdown table."""
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def test_the_page_of_published_results_lists_every_claim_that_ships(results: list[claims.Claim]) -> None:
    head, *sections = (ROOT / "docs" / "published.md").read_text().split("\n### ")
    for title, tier, count, *_ in standing(results):
        assert f"| {title} | {tier} | {count} |" in head
    pages = {section.partition("\n")[0]: section for section in sections}
    assert list(pages) == [system for system, _ in systems(results)]
    for system, mine in systems(results):
        listed = [cells(row) for row in pages[system].splitlines() if row.startswith("| ")][2:]
        assert [row[:4] for row in listed] == [[name(c), c.tier, f"`{c.metric}`", claimed(c)] for c in mine]
        for row, claim in zip(listed, mine, strict=True):
            assert row[-1] == claim.provenance
            assert row[-2].startswith("not expressible: ") == (claim.verdict == "not_expressible")


def test_the_documentation_lists_the_mechanisms_that_claims_can_wait_for() -> None:
    text = (ROOT / "docs" / "claims.md").read_text().partition("## Missing mechanisms")[2]
    listed = [cells(row) for row in text.splitlines() if row.startswith("| ")][2:]
    assert [tuple(row) for row in listed] == list(MECHANISMS.items())


def test_the_documentation_says_why_claims_are_counted_apart_and_what_passes() -> None:
    text = (ROOT / "docs" / "claims.md").read_text()
    listed = [cells(row) for row in text.partition("## Counted apart")[2].splitlines() if row.startswith("| ")][2:4]
    assert [tuple(row) for row in listed] == list(APART.items())
    assert "A 10 %, B 25 %, C 20 % beyond a range" in text
    assert TOLERANCES == {"A": 0.10, "B": 0.25, "C": 0.20}


def test_every_shipped_claim_without_a_scenario_names_what_it_waits_for() -> None:
    waiting = [claim for claim in rows() if claim.not_expressible]
    assert [claim.id for claim in waiting if claim.mechanism is None] == []
    assert {name for claim in waiting for name in claim.mechanisms} == set(MECHANISMS)  # none that nobody waits for


@pytest.mark.parametrize(("mechanism", "section"), LANDS_WITH.items())
def test_the_claims_that_waited_for_a_mechanism_are_found_when_it_lands(
    mechanism: str, section: str, results: list[claims.Claim]
) -> None:
    found = claims.waiting(results, [mechanism])
    if section in NOT_YET:
        assert found
    else:
        ids = ", ".join(claim.id for claim in claims.waiting(results, [mechanism], alone=True))
        pytest.fail(f"{section} can be estimated: give these claims scenarios, or say what else they need: {ids}")


def test_claims_are_found_by_what_they_wait_for(tmp_path: Path) -> None:
    reason = {"value": 1, "not_expressible": "drafts beside a step"}
    rows = [
        {**reason, "mechanism": "training"},
        {**reason, "mechanism": ["training", "lora"]},
        {"value": 1, "not_expressible": "training: a step, of before the key"},
        {**reason, "not_expressible": "training: the words do not count", "mechanism": "cost"},
        {"value": WEIGHTS},
    ]
    found = claims.evaluate(written(tmp_path, *rows))
    assert [claim.id for claim in claims.waiting(found, ["training"])] == ["claim-0", "claim-1", "claim-2"]
    assert [claim.id for claim in claims.waiting(found, ["training"], alone=True)] == ["claim-0", "claim-2"]
    assert [claim.id for claim in claims.waiting(found, ["training", "lora"], alone=True)][1:2] == ["claim-1"]
    assert claims.missing(found) == {"training": 3, "lora": 1, "cost": 1}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"not_expressible": "x", "mechanism": "trainig"}, "did you mean training"),
        ({"not_expressible": "x", "mechanism": ["training", "fualt tolerance"]}, "did you mean fault tolerance"),
        ({"not_expressible": "x", "mechanism": []}, "name of a mechanism"),
        ({"not_expressible": "x", "mechanism": {"training": 1}}, "name of a mechanism"),
        ({"scenario": LLAMA, "mechanism": "training"}, "serves not_expressible only"),
    ],
)
def test_a_wrong_mechanism_is_an_error_with_its_line(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        claims.evaluate(written(tmp_path, {"value": 1, **row}))
    (problem,) = error.value.problems
    assert problem.path == "claims.0.mechanism"
    assert problem.line is not None


BEATS_THE_BOUND = {
    "flexgen-baseline-t4-opt-175b": "the rate of the drive is stated as about 2 GB/s",
    "zero-infinity-inference-llama3-70b-a100-4-gen4": "7 tokens/s and 10 GB/s have one digit",
}


def test_no_published_measurement_beats_the_bound_but_for_those_explained() -> None:
    beating = set()
    for claim in rows():
        low, high = claim.limits
        known = metric(claim.metric)
        if claim.scenario is None or claim.direction or known is None or known.ratio:
            continue
        if known.operator:
            continue  # an operator alone has no bound: its weights may be in the cache
        if known.path not in TIMES.names or claim.provenance.startswith(UNVERIFIED):
            continue
        try:
            found = estimated(resolve(claim.scenario))
        except InputError:
            continue  # not expressible in this version
        bound = float(np.ravel(found.value(f"bound.{known.output.name}"))[0])
        if low > bound / 0.98 if known.output.better == "higher" else high < 0.98 * bound:
            beating.add(claim.id)
    assert beating == set(BEATS_THE_BOUND)


@pytest.mark.parametrize(("kept", "left"), [("kv-cache", "weights"), ("weights", "kv-cache")])
def test_a_category_is_recomputed_alone(kept: str, left: str, answer: Any) -> None:
    found = answer("validate", "--claims", "h2o", "--claims", "awq", "--category", kept)
    assert {claim["category"] for claim in found["claims"]} == {kept}
    assert left not in {claim["category"] for claim in found["claims"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--category", "kv-cach"), "did you mean kv-cache?"),
        (("--category", "weights", "--shipped", "data"), "is about claims"),
        (("--claims", "kivy"), "did you mean kivi?"),
    ],
)
def test_a_wrong_choice_of_claims_is_one_clear_error(arguments: tuple[str, ...], said: str, run: Any) -> None:
    done = run("validate", *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_claims_are_printed_in_a_hundred_columns(run: Any) -> None:
    shown = run("validate", "--claims", "vidur", "--claims", "h2o", "--claims", "kivi").stdout
    assert max(map(len, shown.splitlines())) <= 100
    assert "operator.prefill.gate_up.time_s" in shown
    assert "h2o: KV-cache methods" in shown


def test_the_page_of_claims_alone_is_that_of_published_results(tmp_path: Path, run: Any) -> None:
    page = tmp_path / "page.md"
    path = written(tmp_path, {"value": WEIGHTS, "note": "x"}, {"value": 1, "not_expressible": "kernels: a|b <script>"})
    assert run("validate", "--claims", str(path), "--markdown", str(page)).returncode == 0
    text = page.read_text()
    assert "| Other systems | A | 2 | 1 | 0 | 0 | 0 | 1 | 100% |" in text
    assert "not expressible: kernels: a\\|b &lt;script>" in text


def test_the_example_of_the_documentation_is_a_claims_file() -> None:
    text = (ROOT / "docs" / "claims.md").read_text()
    example = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert example is not None
    published = read(parse_yaml(example.group(1).encode(), "docs/claims.md"))
    assert published.claims[0].limits == (1.5, 2.1)


def test_results_about_a_chip_do_not_hide_it(answer: Any) -> None:
    assert answer("show", "neupims")["kind"] == "hardware"
    shown = answer("show", "neupims", "--kind", "published")
    assert shown["values"]["neupims-over-gpu"]["value"] == [3.0, 3.0]
    listed = {line["name"]: line for line in answer("list", "published")["catalog"]["published"]}
    assert listed["neupims"]["claims"] == len(claims.load(catalog.find("published", "neupims")).claims)


def test_the_schema_of_a_claims_file_accepts_those_that_ship(answer: Any) -> None:
    import jsonschema

    validator = jsonschema.Draft202012Validator(answer("schema", "published"))
    for path in FILES:
        assert list(validator.iter_errors(store.load_file(str(path)).data)) == []
    assert list(validator.iter_errors({"system": "x", "claims": []}))

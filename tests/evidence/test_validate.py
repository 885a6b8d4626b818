"""Validation shows its own error: every row is counted, every verdict follows, and the shipped figures hold."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmperf.evidence import bands, fitted_bands, nearest
from llmperf.evidence.rows import EXPLAINED, Rows, summary
from llmperf.evidence.validate import validate

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]
Answer = Callable[..., dict[str, Any]]

GEMM = """\
device,dtype,m,n,k,time_us,kernel,source
H100,bfloat16,512,8192,4096,70,none,mine
H100,bfloat16,4096,8192,4096,480,none,mine
H100,bfloat16,4096,4096,4096,1,none,wrong
H100,int3,512,8192,4096,70,none,mine
H900,bfloat16,512,8192,4096,70,none,mine
"""
LIMITS = {
    "gemm": 0.08,
    "attention_prefill": 0.06,
    "attention_decode": 0.08,
    "moe": 0.12,
    "collectives": 0.07,
    "elementwise": 0.07,
    "splitwise": 0.10,
    "vllm": 0.15,
}
"""Largest median error of a data set's worst metric, over its groups. [1]"""


@pytest.fixture(scope="module")
def everything() -> dict[str, list[Rows]]:
    out: dict[str, list[Rows]] = {}
    for rows in validate():
        out.setdefault(rows.dataset, []).append(rows)
    return out


@pytest.fixture
def gemm(tmp_path: Path) -> str:
    path = tmp_path / "gemm.csv"
    path.write_text(GEMM)
    return str(path)


def test_every_row_of_a_file_is_predicted_or_said_to_be_missing(gemm: str, answer: Answer) -> None:
    found = answer("validate", "--data", gemm)
    assert set(found) == {"schema_version", "rows", "summary", "questions", "not_expressible", "failures"}
    assert len(found["rows"]) + len(found["not_expressible"]) == GEMM.count("\n") - 1
    assert all(row["why"] for row in found["not_expressible"])
    keys = {"id", "metric", "group", "measured", "bound", "projection", "error", "log_error", "violation", "note"}
    assert all(set(row) == keys for row in found["rows"])


def test_the_error_of_a_row_is_that_of_its_projection(gemm: str, answer: Answer) -> None:
    for row in answer("validate", "--data", gemm)["rows"]:
        assert row["error"] == pytest.approx(row["projection"] / row["measured"] - 1)
        assert row["log_error"] == pytest.approx(np.log1p(row["error"]))
        assert 0 < row["bound"] <= row["projection"]
        assert row["violation"] == (row["measured"] < 0.98 * row["bound"])


def test_a_summary_is_that_of_its_rows_by_group_and_over_groups_alike() -> None:
    rows = Rows("x")
    logs = {"a": [0.1, -0.1, 0.3], "b": [0.5]}
    for name, values in logs.items():
        rows.extend(
            ids=[f"{name}{i}" for i in range(len(values))],
            metric="time_s",
            groups=[name] * len(values),
            measured=np.ones(len(values)),
            bound=np.full(len(values), 0.5),
            projection=np.exp(values),
        )
    parts = {part.group: part for part in summary(rows)}
    assert parts["a"].n == 3
    assert parts["a"].median_abs_log == pytest.approx(0.1)
    assert parts["b"].median_abs_log == pytest.approx(0.5)
    assert parts["all groups"].n == 4
    assert parts["all groups"].median_abs_log == pytest.approx((0.1 + 0.5) / 2)  # a group counts once, big or small


@pytest.mark.parametrize(
    ("gate", "code", "said"),
    [
        ((), 0, ""),
        (("--max-error", "1000"), 0, ""),
        (("--max-error", "0.000001"), 1, "median error"),
        (("--no-bound-violations",), 1, "beats the bound"),
    ],
    ids=["none", "wide", "narrow", "bound"],
)
def test_a_gate_ends_with_one_and_says_what_failed(
    gate: tuple[str, ...], code: int, said: str, gemm: str, run: Run
) -> None:
    done = run("validate", "--data", gemm, "--json", *gate)
    assert done.returncode == code
    failures = json.loads(done.stdout)["failures"]
    assert bool(failures) == (code == 1)
    assert all(said in failure for failure in failures)
    printed = run("validate", "--data", gemm, *gate)
    assert printed.returncode == code
    assert said in printed.stdout + printed.stderr


def test_outputs_are_written_once_and_hold_what_was_found(gemm: str, tmp_path: Path, run: Run) -> None:
    page, text = tmp_path / "page.html", tmp_path / "page.md"
    arguments = ("validate", "--data", gemm, "--html", str(page), "--markdown", str(text))
    assert run(*arguments).returncode == 0
    assert "h100-sxm" in text.read_text()
    assert "h100-sxm" in page.read_text()
    assert not re.search(r"<(script|link|img|iframe)[^>]*(src|href)=", page.read_text())  # self-contained
    again = run(*arguments)
    assert again.returncode == 2
    assert again.stderr.count("--force") == 2
    assert run(*arguments, "--force").returncode == 0


def test_names_of_untrusted_files_are_text_in_a_page(tmp_path: Path, run: Run) -> None:
    data, page = tmp_path / "gemm.csv", tmp_path / "page.html"
    data.write_text(GEMM.replace("H900", "<script>alert(1)</script>").replace("wrong", "<img src=x onerror=alert(1)>"))
    assert run("validate", "--data", str(data), "--html", str(page), "--rows", "3").returncode == 0
    assert "<script>alert(1)" not in page.read_text()
    assert "<img src=x" not in page.read_text()


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_the_evidence_that_ships_is_predicted_as_well_as_before(name: str, everything: dict[str, list[Rows]]) -> None:
    whole = [part for rows in everything[name] for part in summary(rows) if part.group == "all groups"]
    assert whole
    for part in whole:
        tail = 2.5 if part.metric.endswith("_p99_s") else 1.0  # the first requests of a run find nothing warm
        assert np.expm1(part.median_abs_log) <= tail * LIMITS[name], part


def test_nothing_that_was_measured_beats_its_bound_without_a_reason(everything: dict[str, list[Rows]]) -> None:
    faults = [
        (rows.ids[i], rows.measured[i], rows.bound[i])
        for parts in everything.values()
        for rows in parts
        for i in np.flatnonzero(rows.unexplained)
    ]
    assert not faults


def test_every_projection_is_finite_and_no_better_than_its_bound(everything: dict[str, list[Rows]]) -> None:
    for parts in everything.values():
        for rows in parts:
            assert np.isfinite(rows.projection).all()
            assert (rows.projection > 0).all()
            at_fault = np.array([note.startswith(EXPLAINED) for note in rows.notes], dtype=bool)
            known = np.isfinite(rows.bound) & ~at_fault
            better = np.where(rows.rates, rows.projection > rows.bound, rows.projection < rows.bound)
            faults = np.flatnonzero(known & better & ~np.isclose(rows.projection, rows.bound))
            assert not len(faults), (rows.ids[faults[0]], rows.projection[faults[0]], rows.bound[faults[0]])


def test_the_bands_that_ship_are_those_of_the_evidence(everything: dict[str, list[Rows]]) -> None:
    rows = [one for parts in everything.values() for one in parts]
    made = fitted_bands.bands(rows)
    assert made.text() == bands.file().read_text()
    packed = nearest.text(rows, made)
    assert gzip.decompress(packed) == gzip.decompress(bands.file().with_name(nearest.FILE).read_bytes())


def test_the_readme_shows_the_overview_of_the_accuracy_page() -> None:
    readme, page = (ROOT / "README.md").read_text(), (ROOT / "docs/accuracy.md").read_text()
    shown = readme.split("<!-- overview -->\n")[1].split("<!-- /overview -->")[0]
    assert shown.strip() in page


def test_the_accuracy_page_counts_every_row_that_ships(everything: dict[str, list[Rows]]) -> None:
    page = (ROOT / "docs/accuracy.md").read_text()
    for name, parts in everything.items():
        counts: dict[str, int] = {}
        for rows in parts:
            for metric in rows.metrics:
                counts[metric] = counts.get(metric, 0) + 1
        for metric, count in counts.items():
            assert f"| {name} | `{metric}` | {count:,} |" in page

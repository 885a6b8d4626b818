"""Baselines: what changed since they were reviewed, and what made it; any two results term by term."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import llmperf
from llmperf.checks import check, lock, words
from llmperf.checks.lock import Drift
from llmperf.files.yaml import parse_yaml
from llmperf.interfaces.console.difference import show
from llmperf.scenarios import digests

Run = Callable[..., CompletedProcess[str]]
CHIP = "extends: h100-sxm\nsources: {all: test}\n"
CHECK = """\
model: llama-3.1-8b
hardware: chip.yaml
workload: {batch: 8}
expect: {fits: true, kv_headroom: {min: 10 %}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "chip.yaml").write_text(CHIP)
    (tmp_path / "a.llmperf.yaml").write_text(CHECK)
    assert check(tmp_path, update=True).exit_code == 0
    return tmp_path


def drift(folder: Path) -> Any:
    found = check(folder)
    assert not found.problems, found.problems
    (result,) = found.results
    assert (result.status == "failed") == bool(result.baseline.drifts)
    return result.baseline


def test_nothing_drifts_where_nothing_has_changed(folder: Path) -> None:
    before = (folder / lock.LOCK).read_text()
    assert drift(folder).drifts == ()
    assert check(folder, update=True).exit_code == 0
    assert (folder / lock.LOCK).read_text() == before


@pytest.mark.parametrize(
    ("chip", "text", "cause"),
    [
        ("tiers: {hbm: {bandwidth: 2 TB/s}}", CHECK, "hardware chip.yaml"),
        ("achieved: gpu-gddr", CHECK, "calibration: h100-sxm -> gpu-gddr"),
        ("achieved: {extends: h100-sxm, gemm: {bf16: {compute: 0.2}}}", CHECK, "calibration h100-sxm"),
        ("", CHECK.replace("llama-3.1-8b", "llama-2-7b"), "model: llama-3.1-8b -> llama-2-7b"),
        ("", CHECK + "kv_cache: fp8\n", "formats: bf16 -> bf16 fp8"),
        ("", CHECK + "engine: vllm\n", "engine: generic fused -> vllm"),
        ("", CHECK + "parallelism: {tp: 2}\n", "layout"),
        ("", CHECK.replace("batch: 8", "batch: 16"), "workload"),
    ],
)
def test_a_drift_is_laid_to_what_has_changed(folder: Path, chip: str, text: str, cause: str) -> None:
    (folder / "chip.yaml").write_text(CHIP + chip)
    (folder / "a.llmperf.yaml").write_text(text)
    found = drift(folder)
    assert found.drifts
    assert len(found.causes) == 1
    assert found.causes[0].startswith(cause)


def test_what_changes_no_output_is_no_drift(folder: Path) -> None:
    (folder / "chip.yaml").write_text(CHIP + "price: 1 USD\nnotes: other words\nyear: 2020\naliases: [x]\n")
    (folder / "a.llmperf.yaml").write_text(CHECK + "description: other words\n")
    assert drift(folder).drifts == ()


def test_a_price_is_named_by_itself_and_for_money_only() -> None:
    one, two = ({"llmperf": "1", "components": {"price": price, "model": "m"}, "outputs": {}} for price in "ab")
    assert lock.causes(one, two, ["tpot_s"]) == (
        "llmperf itself: nothing that it reads has changed, nor its version 1",
    )
    scenario = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm").scenario
    dearer = llmperf.estimate({"model": "llama-3.1-8b", "hardware": {"extends": "h100-sxm", "price": "1 USD"}}).scenario
    first, second = (digests.components(part, {}) for part in (scenario, dearer))
    assert [name for name in first if first[name] != second[name]] == ["price"]


def test_the_version_is_named_where_nothing_else_has_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (folder / lock.LOCK).read_text()
    data = yaml.safe_load(text)
    value = data["checks"]["a.llmperf.yaml"]["a"]["outputs"]["tpot_s"]
    (folder / lock.LOCK).write_text(text.replace(f" tpot_s: {value}", f" tpot_s: {1.5 * value}"))
    assert drift(folder).causes == (
        f"llmperf itself: nothing that it reads has changed, nor its version {llmperf.__version__}",
    )
    monkeypatch.setattr(lock, "__version__", "9.9")
    (found,) = check(folder).results
    assert found.baseline.causes == ("llmperf 0.1.0 -> 9.9",)
    assert [(one.output, round(one.relative or 0, 3)) for one in found.baseline.drifts] == [("tpot_s", -0.333)]


def test_a_drift_within_the_tolerance_is_none(folder: Path) -> None:
    (folder / "chip.yaml").write_text(CHIP + "tiers: {hbm: {bandwidth: 3.33 TB/s}}\n")
    assert drift(folder).drifts == ()
    (folder / "a.llmperf.yaml").write_text(CHECK + "tolerance: 0.01 %\n")
    assert drift(folder).drifts


@given(st.floats(1e-12, 1e20), st.floats(0, 0.5))
def test_rounding_to_six_digits_is_never_a_drift(value: float, tolerance: float) -> None:
    assert not lock._beyond(Drift("tpot_s", lock.rounded(value), value), tolerance)
    assert lock._beyond(Drift("tpot_s", value, value * (1.001 + 2.5 * tolerance)), tolerance)


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=20),
        st.one_of(
            st.floats(allow_nan=False, allow_infinity=False),
            st.integers(-(10**14), 10**14),
            st.booleans(),
            st.none(),
            st.just("memory.main"),
        ),
        max_size=5,
    )
)
def test_a_lock_file_reads_as_it_was_written(outputs: dict[str, Any]) -> None:
    entry = {
        "inputs": "0123456789ab",
        "catalog": "1e5",
        "llmperf": "0.1.0",
        "components": {"model": "m 1"},
        "outputs": outputs,
    }
    text = lock.written({"a b: c.llmperf.yaml": {"x": entry, "y #1": entry}})
    data = parse_yaml(text.encode(), "lock").data
    assert data["checks"] == {"a b: c.llmperf.yaml": {"x": entry, "y #1": entry}}


def test_a_lock_file_is_sorted_and_has_one_value_a_line(folder: Path) -> None:
    text = (folder / lock.LOCK).read_text()
    (folder / "0.llmperf.yaml").write_text(CHECK)
    check(folder, update=True)
    lines = (folder / lock.LOCK).read_text().splitlines()
    assert set(text.splitlines()) <= set(lines)
    data = parse_yaml("\n".join(lines).encode(), "lock").data["checks"]
    assert list(data) == sorted(data)
    outputs = data["a.llmperf.yaml"]["a"]["outputs"]
    assert list(outputs) == sorted(outputs)
    assert "kv_headroom" in outputs


def test_a_limit_that_came_after_the_lock_is_said_to_be_not_locked_yet(folder: Path) -> None:
    assert check(folder).notes == ()
    (folder / "a.llmperf.yaml").write_text(CHECK.replace("fits: true", "fits: true, missing: {max: 0 B}"))
    assert "limits are not locked yet of a" in check(folder).notes[0]
    check(folder, update=True)
    assert check(folder).notes == ()


def test_what_has_no_limit_is_null_in_a_lock_file_and_no_drift(folder: Path) -> None:
    text = CHECK.replace("llama-3.1-8b", "mamba2-2.7b").replace("kv_headroom: {min: 10 %}", "kv_pool_tokens: {min: 1}")
    (folder / "a.llmperf.yaml").write_text(text)
    assert check(folder, update=True).exit_code == 0
    assert "kv_pool_tokens: null" in (folder / lock.LOCK).read_text()
    assert drift(folder).drifts == ()


def test_shares_move_by_percentage_points() -> None:
    assert words.drifted(Drift("kv_headroom", 0.5, 0.4)) == "kv_headroom 50 % -> 40 % (-10 pp)"
    assert words.drifted(Drift("tpot_s", 0.010, 0.011)) == "tpot_s 10 ms -> 11 ms (+10 %)"
    one = {"model": "llama-3.1-8b", "hardware": "h100-sxm"}
    stream = io.StringIO()
    with redirect_stdout(stream):
        show(llmperf.diff(one, {**one, "workload": {"batch": 32}}))
    (line,) = (line for line in stream.getvalue().splitlines() if "kv_headroom" in line)
    assert line.rstrip().endswith(" pp")


def test_only_what_has_changed_is_written_anew(folder: Path) -> None:
    (folder / "b.llmperf.yaml").write_text(CHECK)
    check(folder, update=True)
    before = (folder / lock.LOCK).read_text().splitlines()
    (folder / "b.llmperf.yaml").write_text(CHECK.replace("batch: 8", "batch: 9") + "tags: [b]\n")
    assert "1 changed" in check(folder, update=True, tags=["b"]).notes[0]
    after = (folder / lock.LOCK).read_text().splitlines()
    middle = before.index("  b.llmperf.yaml:")
    assert before[:middle] == after[:middle]
    assert before[middle:] != after[middle:]


def test_entries_without_a_check_are_said_and_go_with_the_next_update(folder: Path) -> None:
    (folder / "a.llmperf.yaml").write_text(CHECK + "name: other\nmatrix: {batch: [1, 2]}\n")
    said = check(folder).notes
    assert "has no entry of a[batch=1], a[batch=2]" in said[0]
    assert "entries of checks that are gone: a;" in said[1]
    assert "2 new, 0 changed, 1 removed" in check(folder, update=True).notes[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schema_version: 2\nchecks: {}\n", "is of version 2"),
        ("<<<<<<< ours\nschema_version: 1\n=======\n", "marks of a merge"),
        ("- a\n", "is no lock file"),
        ("schema_version: 1\nchecks: {a.llmperf.yaml: {a: 3}}\n", "is no entry of a check"),
        ("schema_version: 1\nchecks: {a.llmperf.yaml: {a: {outputs: [1]}}}\n", "is no entry of a check"),
        ("schema_version: 1\nchecks: {a.llmperf.yaml: 3}\n", "is no entry of a check"),
        ("", "is empty"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_lock_file_that_cannot_be_read_is_never_overwritten(folder: Path, text: str, said: str) -> None:
    (folder / lock.LOCK).write_text(text)
    for update in (False, True):
        found = check(folder, update=update)
        assert found.exit_code == 2
        assert said in str(found.problems[0])
        assert (folder / lock.LOCK).read_text() == text


def test_a_run_that_is_killed_leaves_the_old_lock_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (folder / lock.LOCK).read_text()
    (folder / "a.llmperf.yaml").write_text(CHECK.replace("batch: 8", "batch: 9"))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            check(folder, update=True)
    assert (folder / lock.LOCK).read_text() == before
    assert not list(folder.glob("*.part"))


@pytest.mark.parametrize(
    "wrong", ["- 3", "- {expect: {fits: true}}", "- {name: one}\n- {name: two, extends: absent}", "- {name: one, a: 1}"]
)
def test_a_file_with_errors_loses_no_entry(folder: Path, wrong: str) -> None:
    head = "model: llama-3.1-8b\nhardware: h100-sxm\nexpect: {fits: true}\nchecks:\n"
    file = folder / "b.llmperf.yaml"
    file.write_text(f"{head}- {{name: one}}\n- {{name: two}}\n")
    check(folder, update=True)
    before = (folder / lock.LOCK).read_text()
    file.write_text(f"{head}{wrong}\n")
    found = check(folder, update=True)
    assert found.exit_code == 2
    assert "entries of b.llmperf.yaml are left as they were" in found.notes[0]
    assert (folder / lock.LOCK).read_text() == before
    assert not any("gone" in note for note in check(folder).notes)


def test_entries_of_a_file_that_is_gone_go_with_the_next_update(folder: Path) -> None:
    (folder / "b.llmperf.yaml").write_text(CHECK + "tags: [b]\n")
    check(folder, update=True)
    (folder / "a.llmperf.yaml").unlink()
    assert "entries of checks that are gone: a;" in check(folder).notes[0]
    (folder / "c.llmperf.yaml").write_text(CHECK)
    check(folder, update=True, tags=["b"])
    assert "  a.llmperf.yaml:" in (folder / lock.LOCK).read_text()
    assert "1 removed" in check(folder, update=True).notes[0]
    assert "  a.llmperf.yaml:" not in (folder / lock.LOCK).read_text()


def test_a_field_that_a_version_adds_is_no_change_of_the_component() -> None:
    @dataclass(frozen=True)
    class Old:
        bits: float
        inner: Any = None

    @dataclass(frozen=True)
    class New:
        bits: float
        inner: Any = None
        added: int = 0
        many: list[int] = field(default_factory=list)

    assert digests._digest("formats", (Old(4, Old(2)),)) == digests._digest("formats", (New(4, New(2)),))
    assert digests._digest("formats", (New(4),)) != digests._digest("formats", (New(4, added=1),))
    assert digests._digest("formats", (New(4),)) != digests._digest("formats", (New(8),))


def test_a_check_that_cannot_be_evaluated_keeps_its_entry(folder: Path) -> None:
    before = (folder / lock.LOCK).read_text()
    (folder / "a.llmperf.yaml").write_text(CHECK.replace("llama-3.1-8b", "llama-9"))
    assert check(folder, update=True).exit_code == 2
    assert (folder / lock.LOCK).read_text() == before


def test_the_command_says_what_changed(folder: Path, run: Run) -> None:
    (folder / "chip.yaml").write_text(CHIP + "tiers: {hbm: {bandwidth: 2 TB/s}}\n")
    done = run("check", "--format", "text", "--format", "github", cwd=folder)
    assert done.returncode == 1
    assert "hardware chip.yaml" in done.stdout
    assert (
        "::error file=a.llmperf.yaml,line=1,title=llmperf drift%3A a::a: drifted from llmperf.lock.yaml" in done.stdout
    )
    (one,) = json.loads(run("check", "--json", cwd=folder).stdout)["checks"]
    assert one["baseline"]["causes"] == ["hardware chip.yaml"]
    assert one["baseline"]["drifts"][0]["before"] != one["baseline"]["drifts"][0]["after"]


def test_a_difference_of_scenarios_has_the_terms_of_a_comparison() -> None:
    one = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "workload": {"batch": 32}}
    two = {**one, "kv_cache": "fp8"}
    found = llmperf.diff(one, two)
    assert found.causes == ("formats: bf16 -> bf16 fp8",)
    assert found.explanation == llmperf.compare(one, {"kv_cache": "fp8"}).explanation(1)
    assert {drift.output for drift in found.changed} >= {"tpot_s", "memory.kv_cache", "kv_pool_tokens"}
    assert "memory.weights" not in {drift.output for drift in found.changed}
    assert llmperf.diff(one, one).changed == []
    assert llmperf.diff(one, one).causes == ()


def test_every_kind_of_result_can_be_set_against_every_other(folder: Path, run: Run) -> None:
    plain = "model: llama-3.1-8b\nhardware: chip.yaml\nworkload: {batch: 8}\n"
    (folder / "plain.yaml").write_text(plain)
    (folder / "printed.json").write_text(run("estimate", "plain.yaml", "--json", cwd=folder).stdout)
    sides = [
        "plain.yaml",
        "printed.json",
        "a.llmperf.yaml",
        "a.llmperf.yaml#a",
        "llmperf.lock.yaml#a",
        "llmperf.lock.yaml",
    ]
    for before in sides:
        for after in sides:
            found = llmperf.diff(folder / before, folder / after)
            assert found.changed == [], (before, after)
            assert found.outputs
    done = run("diff", "llmperf.lock.yaml#a", "llama-70b-8xh100", cwd=folder)
    assert done.returncode == 0
    assert "model: llama-3.1-8b -> llama-3.1-70b" in " ".join(done.stdout.split())
    data = json.loads(run("diff", "printed.json", "llama-70b-8xh100", "--json", cwd=folder).stdout)
    assert data["difference"]["phases"]
    assert data["schema_version"] == 1


def test_numbers_that_were_printed_stay_and_a_note_says_that_they_are_old(folder: Path) -> None:
    data = llmperf.estimate(model="llama-3.1-8b", hardware="h100-sxm").to_dict()
    data["projection"]["tpot_s"] *= 2
    data["llmperf_version"] = "0.0.1"
    (folder / "old.json").write_text(json.dumps(data))
    found = llmperf.diff(folder / "old.json", {"model": "llama-3.1-8b", "hardware": "h100-sxm"})
    assert [drift.output for drift in found.changed] == ["tpot_s"]
    assert found.causes == (f"llmperf 0.0.1 -> {llmperf.__version__}",)
    assert "gives other numbers today (tpot_s)" in found.notes[0]


@pytest.mark.parametrize(
    "source", ["absent.yaml", "a.llmperf.yaml#b", "llmperf.lock.yaml#b", "absent.json", "#", "a.llmperf.yaml#"]
)
def test_what_is_no_result_is_one_clear_error(folder: Path, run: Run, source: str) -> None:
    done = run("diff", source, "llama-70b-8xh100", cwd=folder)
    if source.endswith("a.llmperf.yaml#"):
        assert done.returncode == 0
        return
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1

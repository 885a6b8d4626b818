"""The pytest plugin: check files are tests, and a test can check."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from xml.etree import ElementTree

import pytest

import llmperf
from llmperf.checks import files as check_files
from llmperf.interfaces import pytest_plugin

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[2]
Run = Callable[..., pytest.RunResult]

SIZING = """\
extends: base.yaml
checks:
- name: fast
  tags: [chat]
  expect: {fits: true, ttft_s: {max: 1 h}}
- name: slow
  expect:
    fits: true
    ttft_s: {max: 1 us}
    memory.weights: {max: 1 GiB}
- name: later
  tags: [chat]
  expect: {ttft_s: {max: 1 us}}
  skip: {reason: waits for a node, until: 2999-12-31}
- name: forgotten
  expect: {fits: true}
  skip: {reason: waited for a node, until: 2020-12-31}
- name: empty
"""


@pytest.fixture
def ran(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """pytest on a directory of its own, with the plugin of this checkout, whether or not it is installed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.path.joinpath("base.yaml").write_text("{model: llama-3.1-8b, hardware: h100-sxm, batch: 8}\n")

    def call(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess("-p", "llmperf.interfaces.pytest_plugin", *arguments)

    return call


def sizing(pytester: pytest.Pytester, text: str = SIZING, name: str = "chat.llmperf.yaml") -> None:
    pytester.path.joinpath(name).write_text(text, "utf-8")


def test_each_check_of_a_file_is_a_test_at_its_line(pytester: pytest.Pytester, ran: Run) -> None:
    sizing(pytester)
    done = ran("-v", "-rs", "--junitxml=out.xml")
    done.assert_outcomes(passed=1, failed=3, skipped=1)
    done.stdout.fnmatch_lines(
        [
            "chat.llmperf.yaml::fast PASSED*",
            "chat.llmperf.yaml::slow FAILED*",
            "chat.llmperf.yaml::later SKIPPED*",
            "chat.llmperf.yaml::forgotten FAILED*",
            "chat.llmperf.yaml::empty FAILED*",
            "SKIPPED [[]1[]] chat.llmperf.yaml*: waits for a node (until 2999-12-31)",
        ]
    )
    assert done.ret == 1


def test_a_failure_says_limit_value_and_margin_and_no_traceback(pytester: pytest.Pytester, ran: Run) -> None:
    sizing(pytester)
    done = ran()
    done.stdout.fnmatch_lines(
        [
            "chat.llmperf.yaml:9: slow: ttft_s * ms, expected max 1 us (-* %)",
            "chat.llmperf.yaml:10: slow: memory.weights 15 GiB, expected max 1 GiB (-* %)",
            "chat.llmperf.yaml:15: forgotten: its skip has expired on 2020-12-31: waited for a node",
            "chat.llmperf.yaml:18: empty: it asserts nothing",
        ]
    )
    done.stdout.no_fnmatch_line("*Traceback*")
    done.stdout.no_fnmatch_line("*pytest_plugin.py*")


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["-k", "chat and not base"], 5),  # the name of the file is a keyword, too
        (["-k", "slow or empty"], 2),
        (["-m", "llmperf"], 5),
        (["-m", "not llmperf"], 0),
        (["chat.llmperf.yaml::fast"], 1),
        (["-o", "llmperf_checks=false"], 0),
    ],
)
def test_checks_are_selected_as_tests_are(
    arguments: list[str], names: int, pytester: pytest.Pytester, ran: Run
) -> None:
    sizing(pytester)
    done = ran("--strict-markers", "--collect-only", "-q", *arguments)
    assert sum("llmperf.yaml::" in line for line in done.outlines) == names


def test_tags_are_keywords(pytester: pytest.Pytester, ran: Run) -> None:
    sizing(pytester, name="other.llmperf.yaml")
    ran("-k", "chat").assert_outcomes(passed=1, skipped=1, deselected=3)


def test_everything_wrong_with_a_file_is_one_error_of_the_collection(pytester: pytest.Pytester, ran: Run) -> None:
    sizing(pytester, "extends: base.yaml\nbacth: 4\nexpect:\n  tpot: {max: 1}\n  ttft_s: {maximum: 1}\n")
    sizing(pytester, "- no\n- mapping\n", "list.llmperf.yaml")
    done = ran()
    assert done.ret == 2
    done.assert_outcomes(errors=2)
    done.stdout.fnmatch_lines(
        [
            "chat.llmperf.yaml:2:1: bacth: unknown key 'bacth' (did you mean batch?)*",
            "chat.llmperf.yaml:4:3: expect.tpot: is no output (did you mean tpot_s?)*",
            "chat.llmperf.yaml:5:12: expect.ttft_s.maximum: unknown key (did you mean max?)*",
            "list.llmperf.yaml*must be a mapping*",
        ]
    )


def test_a_scenario_that_cannot_be_evaluated_fails_alone(pytester: pytest.Pytester, ran: Run) -> None:
    known, unknown = "{name: a, expect: {fits: true}}", "{name: b, model: llama-3.1-8, expect: {fits: true}}"
    sizing(pytester, f"extends: base.yaml\nchecks:\n- {known}\n- {unknown}\n")
    done = ran()
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["chat.llmperf.yaml:4:*model: *did you mean llama-3.1-8b*"])


def test_checks_are_compared_with_their_lock_file(pytester: pytest.Pytester, ran: Run) -> None:
    sizing(pytester, "extends: base.yaml\nexpect: {fits: true}\n")
    llmperf.check(pytester.path, update=True)
    lock = pytester.path / "llmperf.lock.yaml"
    ran().assert_outcomes(passed=1)
    pytester.path.joinpath("base.yaml").write_text("{model: llama-3.1-8b, hardware: h100-sxm, batch: 16}\n")
    done = ran()
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["chat.llmperf.yaml:1: chat: drifted from llmperf.lock.yaml: workload: *->*"])
    lock.write_text("<<<<<<< ours\n")
    done = ran()
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["llmperf.lock.yaml: holds the marks of a merge*"])


def test_other_scenarios_are_checks_where_they_are_named(pytester: pytest.Pytester, ran: Run) -> None:
    sizing(pytester, "extends: base.yaml\nexpect: {fits: true}\n", "scenario.yaml")
    assert ran().ret == pytest.ExitCode.NO_TESTS_COLLECTED
    ran("scenario.yaml").assert_outcomes(passed=1)


def test_own_descriptors_come_from_the_directories_of_the_configuration(pytester: pytest.Pytester, ran: Run) -> None:
    folder = pytester.mkdir("catalog") / "chips"
    folder.mkdir()
    (folder / "ours.yaml").write_text("extends: h100-sxm\n")
    sizing(pytester, "extends: base.yaml\nhardware: ours\nexpect: {fits: true}\n")
    ran().assert_outcomes(failed=1)
    pytester.makeini("[pytest]\nllmperf_catalog = catalog\n")
    ran().assert_outcomes(passed=1)


def test_flags_of_a_deployment_that_are_not_understood_are_warnings(pytester: pytest.Pytester, ran: Run) -> None:
    serve = "vllm serve meta-llama/Llama-3.1-8B --max-model-len 8192 --frobnicate 7\n"
    pytester.path.joinpath("serve.sh").write_text(serve)
    sizing(pytester, "deployment: ./serve.sh\nhardware: h100-sxm\nexpect: {fits: true}\n")
    done = ran()
    done.assert_outcomes(passed=1, warnings=1)
    done.stdout.fnmatch_lines(["*NotUnderstoodWarning: chat: not understood: --frobnicate 7*"])


def test_hostile_names_are_tests_like_others(pytester: pytest.Pytester, ran: Run) -> None:
    names = ["::error::x", "a\x1b[31mb", "]]><x/>", "[red]x[/red]", "a" * 300, "a/../b", "n\nn"]
    entries = [f"- {{name: {json.dumps(name)}, expect: {{ttft_s: {{max: 0}}}}}}\n" for name in names]
    sizing(pytester, "extends: base.yaml\nchecks:\n" + "".join(entries))
    done = ran("--junitxml=out.xml")
    done.assert_outcomes(failed=len(names))
    assert "\x1b[31mb" not in done.stdout.str()
    assert not any(line.startswith("::") for line in done.outlines)
    cases = ElementTree.parse(pytester.path / "out.xml").getroot().iter("testcase")
    assert [len(case.findall("failure")) for case in cases] == [1] * len(names)


FIXTURE = """
import pytest
import llmperf

SMALL = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "batch": 8}

def test_holds(llmperf_check):
    found = llmperf_check({**SMALL, "expect": {"fits": True}})
    assert found.results[0].verdicts[0].value is True

def test_fails(llmperf_check):
    llmperf_check({**SMALL, "expect": {"ttft_s": {"max": "1 us"}}})

def test_is_wrong(llmperf_check):
    with pytest.raises(llmperf.InputError, match="did you mean tpot_s"):
        llmperf_check({**SMALL, "expect": {"tpot": {"max": 1}}})

def test_asserts_nothing(llmperf_check):
    with pytest.raises(AssertionError, match="asserts nothing"):
        llmperf_check(SMALL)

def test_beside(llmperf_check):
    llmperf_check("own.llmperf.yaml")
    llmperf_check({"extends": "small.yaml", "expect": {"fits": True}})
    llmperf_check(["own.llmperf.yaml", {"extends": "small.yaml", "expect": {"fits": True}}], tags=["own"])

def test_is_skipped(llmperf_check):
    llmperf_check({**SMALL, "expect": {"fits": True}, "skip": {"reason": "no node", "until": "2999-12-31"}})
"""


def test_the_fixture_asserts_and_explains(pytester: pytest.Pytester, ran: Run) -> None:
    folder = pytester.mkdir("deep")
    (folder / "test_sizing.py").write_text(FIXTURE)
    (folder / "small.yaml").write_text("extends: ../base.yaml\n")
    (folder / "own.llmperf.yaml").write_text("extends: small.yaml\ntags: [own]\nexpect: {fits: true}\n")
    done = ran("deep/test_sizing.py", "-rs")
    done.assert_outcomes(passed=4, failed=1, skipped=1)
    done.stdout.fnmatch_lines(["E *AssertionError: check: ttft_s * ms, expected max 1 us (-* %)", "*no node*"])
    done.stdout.no_fnmatch_line("*pytest_plugin.py:*AssertionError*")


def test_the_plugin_costs_those_nothing_who_do_not_check() -> None:
    assert pytest_plugin.ENDINGS == check_files.ENDINGS
    code = """
import pytest, sys
before = set(sys.modules)
import llmperf.interfaces.pytest_plugin
print(*set(sys.modules) - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(done.stdout.split()) == {"llmperf", "llmperf.version", "llmperf.interfaces", pytest_plugin.__name__}


def test_an_installed_llmperf_is_a_plugin_by_itself(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    if not any(one.value == pytest_plugin.__name__ for one in entry_points(group="pytest11")):
        pytest.skip("llmperf is not installed here")
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", raising=False)
    sizing(pytester, "{model: llama-3.1-8b, hardware: h100-sxm, batch: 8, expect: {fits: true}}\n")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
    assert pytester.runpytest_subprocess("-p", "no:llmperf").ret == pytest.ExitCode.NO_TESTS_COLLECTED

"""What is registered from outside is seen everywhere: a question with its parts, phases, outputs and operators."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import llmperf
from llmperf import outputs
from llmperf.answers.answer import answer
from llmperf.answers.questions import QUESTIONS, Question, register
from llmperf.checks import check
from llmperf.contract.answers import estimate_dict, operators_dict
from llmperf.contract.comparison import schema
from llmperf.contract.outputs import outputs as outputs_dict
from llmperf.costs.pricing.priced import Priced
from llmperf.costs.step import price
from llmperf.descriptors.fields import FORBID_UNKNOWN_KEYS, Whole
from llmperf.errors import InputError
from llmperf.interfaces.console import estimate as console_estimate
from llmperf.interfaces.report.inputs import gather
from llmperf.interfaces.report.page import document
from llmperf.interfaces.report.report import page
from llmperf.interfaces.shelf.schemas import schema_of
from llmperf.operators import kinds
from llmperf.operators.kinds import KINDS, Kind
from llmperf.operators.table import Row, table
from llmperf.outputs import Group, Output, Part, PhaseKind
from llmperf.phases.answered import Evaluated, figures
from llmperf.phases.estimate import laid_out
from llmperf.phases.phase import Phase
from llmperf.scenarios import keys

CHIP = {"model": "llama-3.1-8b", "hardware": "h100-sxm"}
ASKED = {**CHIP, "sorting": {"rounds": 3}}
"""A scenario that asks the question from outside: how long does sorting the weights take?"""


@dataclass(frozen=True, slots=True)
class Sorting:
    """The section of a scenario that asks it."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    rounds: Whole = 1


def price_sort(block: Any, machine: Any, *_: Any) -> Priced:
    """Sorting reads and writes all bytes at half of the memory's bandwidth."""
    time = block.weight_bytes / machine.runs("sort").bandwidth
    return Priced(block, 2.0 * time, time, {"memory.main": 2.0 * time}, {})


def rate(_scenario: Any, _definition: str, found: Any) -> Any:
    """A formula: rounds a second."""
    return 1.0 / found.round_s


TIMES = Group(
    Output("round_s", "s", "lower", "round", "time of a round", shown=frozenset({"compare", "lock"})),
    Output("rounds_per_s", "1/s", "higher", "rounds/s", "rounds in a second", formula=rate),
)
PARTS = (
    Part("bound", "bound", ((TIMES, "bound."),), "bound"),
    Part("projection", "projection", ((TIMES, ""),), "projection"),
    Part("sorted", "sorted_bytes", ((Group(Output("moved", "B", "lower", "moved", "bytes moved")), "sorted."),)),
)


def evaluate(scenario: Any) -> Evaluated:
    """The answer: one phase of one operator of a kind from outside."""
    setup, _, _, need, placed = laid_out(scenario)
    rounds = scenario.asks["sorting"].rounds
    rows = table({"sort": [Row("sort_weights", rounds, (rounds,), weight_bytes=1e9, resident_bytes=0.0)]})
    costs = price(rows, setup.machine)
    priced = costs.priced[0]
    time, least = float(priced.time[0, 0]), float(priced.roofline[0, 0])
    waits = {name: part.total for name, part in costs.limits.items()}
    phase = Phase(rounds * least, rounds * least, rounds * time, waits, costs, 1.0)
    given = {"bound": {"round_s": least}, "projection": {"round_s": time}, "sorted": {"moved": rounds * 1e9}}
    found = {part.name: figures(part, given[part.name], scenario) for part in PARTS}
    return Evaluated(setup, need, placed, {"sorting": phase}, found)


@pytest.fixture
def sorting() -> Iterator[Question]:
    """The question registered, and forgotten afterwards."""
    registries: list[dict[str, Any]] = [QUESTIONS, KINDS, outputs.PHASES, keys.SECTIONS]
    before = [dict(one) for one in registries]
    keys_before, parts_before = list(keys.KEYS), list(outputs._parts)
    kinds.register(Kind("sort", "sorting", ("weight_bytes", "resident_bytes"), price_sort, unmeasured="a toy"))
    question = Question(
        "sorting",
        "how long sorting the weights takes",
        evaluate,
        PARTS,
        (PhaseKind("sorting", "sorting", ("run", "round")),),
        ("sorting",),
        (("sorting", Sorting),),
    )
    register(question)
    yield question
    for registry, kept in zip(registries, before, strict=True):
        registry.clear()
        registry.update(kept)
    keys.KEYS[:], outputs._parts[:] = keys_before, parts_before
    outputs._forget()


@pytest.mark.usefixtures("sorting")
def test_a_scenario_asks_a_question_from_outside_and_json_has_its_answer() -> None:
    data = estimate_dict(answer(llmperf.load(ASKED)))
    seconds = 2.0 * 1e9 / 3.35e12
    assert data["question"] == "sorting"
    assert data["projection"] == {"round_s": pytest.approx(seconds), "rounds_per_s": pytest.approx(1.0 / seconds)}
    assert data["bound"]["round_s"] == pytest.approx(seconds / 2.0)
    assert data["sorted_bytes"] == {"moved": 3e9}
    assert data["bottleneck"] == {"sorting": "memory.main"}
    assert data["scenario"]["asks"] == {"sorting": {"rounds": 3}}
    assert "tpot_s" not in json.dumps({key: value for key, value in data.items() if key != "scenario"})


@pytest.mark.usefixtures("sorting")
def test_python_answers_it_too_and_arrays_broadcast() -> None:
    result = llmperf.estimate(ASKED)
    assert result.round_s == result.value("round_s") == result.projection.round_s
    assert result.value("sorted.moved") == 3e9
    with pytest.raises(InputError, match="no output of sorting"):
        result.value("tpot_s")
    assert llmperf.estimate({**CHIP}).question == "estimate"


@pytest.mark.usefixtures("sorting")
def test_its_section_is_validated_and_stands_in_the_schema_of_scenarios() -> None:
    with pytest.raises(InputError, match=r"sorting\.round: unknown key.*rounds"):
        llmperf.load({**CHIP, "sorting": {"round": 3}})
    assert "rounds" in schema_of("scenario")["properties"]["sorting"]["properties"]
    limits = schema_of("check")["properties"]["expect"]["anyOf"][0]["properties"]
    assert {"round_s", "bound.round_s", "sorted.moved", "bottleneck.sorting"} <= set(limits)


@pytest.mark.usefixtures("sorting")
def test_its_operators_are_listed_with_what_they_wait_for() -> None:
    (step,) = operators_dict(llmperf.load(ASKED))["steps"]
    (row,) = step["operators"]
    assert (step["step"], row["name"], row["kind"], row["repeat"]) == ("sorting", "sort_weights", "sort", 3.0)
    assert row["limited_by"] == "memory.main"
    assert row["time_s"] == pytest.approx(2.0 * row["roofline_s"])


@pytest.mark.usefixtures("sorting")
def test_configurations_are_compared_by_it() -> None:
    found = llmperf.compare(ASKED, {"sorting.rounds": 6})
    data = found.to_dict()
    jsonschema.validate(data, schema())
    assert data["configurations"][1]["speedup"]["projection"]["round_s"] == pytest.approx(1.0)
    (phase,) = data["configurations"][1]["difference"]["phases"]
    assert (phase["phase"], phase["per"]) == ("sorting", "run")
    assert phase["after_s"] == pytest.approx(2.0 * phase["before_s"])
    assert any("sorting" in sentence for sentence in found.explanation(1))


@pytest.mark.usefixtures("sorting")
def test_a_check_limits_it_and_a_lock_file_holds_it(tmp_path: Path) -> None:
    file = tmp_path / "sort.llmperf.yaml"
    expect = {"round_s": {"max": "1 ms"}, "rounds_per_s": {"min": 1e6}, "bottleneck.sorting": "memory.main"}
    file.write_text(json.dumps({**ASKED, "expect": expect}))
    (result,) = check(file, update=True).results
    assert [verdict.holds for verdict in result.verdicts] == [True, False, True]
    assert "bottleneck.sorting: memory.main" in (tmp_path / "llmperf.lock.yaml").read_text()
    file.write_text(json.dumps({**ASKED, "expect": {"tpot_s": {"max": 1.0}}}))
    (result,) = check(file).results
    assert result.status == "error"
    assert "no output of sorting" in str(result.problems[0])


@pytest.mark.usefixtures("sorting")
def test_a_report_and_a_terminal_show_it(capsys: pytest.CaptureFixture[str]) -> None:
    console_estimate.show(answer(llmperf.load(ASKED)))
    printed = capsys.readouterr().out
    assert "rounds/s" in printed
    assert "sorting is limited by memory.main" in printed
    html = str(document(page(gather([ASKED], {}, variants=[{"sorting.rounds": 5}]))))
    assert "how long sorting the weights takes" in html
    assert "rounds in a second" in html


def test_an_output_from_outside_is_seen_by_json_checks_comparison_and_schema(tmp_path: Path) -> None:
    words = Output(
        "words_per_s", "1/s", "higher", "words/s", "output tokens over 4 / 3", shown=frozenset({"compare"}),
        formula=lambda _scenario, _definition, found: found.output_tokens_per_s * 0.75,
    )  # fmt: skip
    outputs.TIMES.add(words)
    try:
        result = llmperf.estimate(CHIP)
        assert result.words_per_s == pytest.approx(0.75 * result.output_tokens_per_s)
        assert result.to_dict()["bound"]["words_per_s"] >= result.words_per_s
        swept = llmperf.estimate(CHIP, batch=np.array([[1, 2], [3, 4]]))
        assert swept.words_per_s.shape == (2, 2)
        assert np.allclose(swept.words_per_s, 0.75 * swept.output_tokens_per_s)
        found = llmperf.compare(CHIP, {"batch": 4})
        assert found.speedup(1)["words_per_s"] == pytest.approx(found.speedup(1)["output_tokens_per_s"])
        jsonschema.validate(found.to_dict(), schema())
        assert "words_per_s" in json.dumps(outputs_dict())
        file = tmp_path / "a.llmperf.yaml"
        file.write_text(
            json.dumps({**CHIP, "expect": {"words_per_s": {"min": 1.0}, "bound.words_per_s": {"min": 1.0}}})
        )
        assert check(file).results[0].status == "passed"
    finally:
        outputs.TIMES.remove("words_per_s")
    assert "words_per_s" not in outputs.by_path()


def test_every_question_has_outputs_that_are_shown_and_phases_that_are_known() -> None:
    for question in QUESTIONS.values():
        assert question.evaluation
        assert {kind.name for kind in question.phases} <= set(outputs.PHASES)
        shown = [output for part in question.parts for output in part.outputs if output.shown]
        assert any("compare" in output.shown for output in shown)
        assert any("lock" in output.shown for output in shown)
        assert all(output.label and output.description for part in question.parts for output in part.outputs)


def test_every_output_has_a_unit_that_its_name_ends_in_and_a_printer() -> None:
    ends = {"s": "_s", "1/s": "_per_s", "J": "_j", "W": "_w", "USD": "_usd", "h": "_hours"}
    for output in outputs.TIMES:
        assert output.name.endswith(ends[output.unit])
        assert output.better
        if output.formula:
            assert callable(outputs.loaded(output.formula))


def test_every_kind_of_operators_has_columns_a_price_a_label_and_measured_kernels_or_a_reason() -> None:
    for kind in KINDS.values():
        assert kind.label
        assert kind.columns
        assert callable(outputs.loaded(kind.price))
        assert bool(kind.measured) != bool(kind.unmeasured)

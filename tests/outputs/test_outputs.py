"""The table of outputs: one name, one unit, one meaning, whatever the question."""

from __future__ import annotations

import pytest

from llmperf.answers.questions import QUESTIONS
from llmperf.outputs import BOOLEANS, DIMENSIONS, SERVED, TIMES, by_path, metric
from llmperf.outputs.serving import PERCENTILES

ENDINGS = {"s": "_s", "1/s": "_per_s", "J": "_j", "W": "_w", "USD": "_usd"}


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_name_of_an_output_ends_in_its_unit(question: str) -> None:
    for path, (_, output) in QUESTIONS[question].paths.items():
        ending = ENDINGS.get(output.unit)
        assert ending is None or path.endswith(ending), path


def test_what_two_questions_call_alike_has_one_unit_and_direction() -> None:
    for output in SERVED:
        if output.name in TIMES.names:
            other = TIMES[output.name]
            assert (output.unit, output.better) == (other.unit, other.better), output.name


def test_every_mean_time_of_a_service_has_its_percentiles() -> None:
    for stem in ("ttft", "tpot", "itl", "e2e"):
        assert {f"{stem}_p{percent}_s" for percent in PERCENTILES} <= set(SERVED.names)


def test_a_claim_may_name_what_a_service_has() -> None:
    for name in ("ttft_p99_s", "goodput_per_s", "ratio.saturation_rate_per_s", "bound.requests_per_s"):
        assert metric(name) is not None, name


def test_units_are_known() -> None:
    for path, output in by_path().items():
        assert output.unit in (*DIMENSIONS, "1", "h", ""), path
    assert {"fits", "saturated"} == set(BOOLEANS)

"""The one printer: three digits, one unit, and nothing that a reader has to count zeros of."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from llmperf import units
from llmperf.outputs import BOUND_BY, CAPACITY, DIMENSIONS, OPERATORS, PARTS, TIMES, Output, by_path
from llmperf.words.quantities import (
    arrow,
    cell,
    count,
    gib,
    measured,
    percent,
    quantity,
    said,
    share,
    span,
    times,
    tokens,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"),
        (1.25, "1.25"),
        (123.456, "123"),
        (99.96, "100"),
        (2048, "2,048"),
        (1_048_576.0, "1,048,576"),
        (1.5e12, "1.5e+12"),
        (math.inf, "unlimited"),
        (math.nan, "-"),
        (None, "-"),
    ],
)
def test_counts(value: float | None, expected: str) -> None:
    assert count(value) == expected


def test_more_digits_tell_numbers_apart() -> None:
    near = 1234.1, 1234.4
    assert count(near[0]) == count(near[1])
    assert [count(value, 6) for value in near] == ["1,234.1", "1,234.4"]


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.0168, "s", "16.8 ms"),
        (3.35e12, "B/s", "3.35 TB/s"),
        (9.89e14, "FLOP/s", "989 TFLOP/s"),
        (9.89e14, "FLOP", "989 TFLOP"),
        (700.0, "W", "700 W"),
        (0.123456, "USD", "0.123 USD"),
        (30_000.0, "USD", "30,000 USD"),
        (1234.5, "1/s", "1,234/s"),
        (0.125, "", "12.5 %"),
        (2.5, "h", "2.5 h"),
        (15.25, "GiB", "15.2 GiB"),
    ],
)
def test_every_unit_has_its_form(value: float, unit: str, expected: str) -> None:
    assert measured(value, unit) == expected


def test_rent_is_said_by_the_hour() -> None:
    assert quantity(units.parse("3.9 USD/h", "money_rate"), "money_rate") == "3.9 USD/h"


NUMBERS = {path: output for path, output in by_path().items() if output is not BOUND_BY}


@pytest.mark.parametrize("about", list(NUMBERS.values()), ids=list(NUMBERS))
def test_every_output_is_said_with_what_it_is_of(about: Output) -> None:
    words = said(about, 12.5)
    unit = {"1": "", "1/s": "/s", "": "%", "B": "B"}.get(about.unit, about.unit)
    assert words.endswith(unit)
    assert said(about, None) == "does not exist"


def test_what_is_said_of_an_output_can_be_read_again() -> None:
    for output in (output for part in PARTS.values() for output in part.outputs if output.unit in DIMENSIONS):
        value = 12.5 * 2**30 if output.unit == "B" else 12.5
        assert units.parse(said(output, value), DIMENSIONS[output.unit]) == value


def test_memory_that_is_held_is_in_gib_and_traffic_is_not() -> None:
    assert said(CAPACITY["required"], 15.25 * 2**30) == "15.2 GiB"
    assert gib(15.25 * 2**30) == "15.25"
    assert said(OPERATORS["bytes"], 16.8e9) == "16.8 GB"


def test_truths_and_names() -> None:
    assert said(CAPACITY["fits"], True) == "yes"
    assert cell(CAPACITY["fits"], np.bool_(False)) == "no"
    assert said(by_path()["bottleneck.decode"], "link.host") == "link.host"


def test_many_are_said_by_their_range() -> None:
    assert cell(TIMES["ttft_s"], np.array([0.5, math.nan, 0.25])) == "250 ms to 500 ms"
    assert cell(TIMES["output_tokens_per_s"], np.array([1.0, 4096.0])) == "1 to 4,096"
    assert cell(TIMES["tpot_s"], np.full(3, math.nan)) == "-"
    assert span(np.array([8.0, 8.0])) == "8"


def test_two_values_share_their_unit() -> None:
    assert arrow(0.0168, 0.0032, "s") == "16.8 -> 3.2 ms"
    assert arrow(0.0, 3.2e9, "B") == "0 -> 3.2 GB"
    assert arrow(0.9, 0.5, "s") == "900 -> 500 ms"
    assert arrow(1.5, 0.5, "s") == "1.5 s -> 500 ms"
    assert arrow(24, 96, "1") == "24 -> 96"


def test_ratios_and_shares() -> None:
    assert times(2.413) == "2.41x"
    assert share(0.1234) == "12.3%"
    assert share(0.1234, 0) == "12%"
    assert (percent(0.096), percent(-12.5)) == ("+9.6 %", "-1,250 %")
    assert tokens(1234.5) == "1,234 tokens/s"


def test_an_output_of_another_unit_is_said_too() -> None:
    assert said(replace(TIMES["ttft_s"], unit="kWh"), 1.5) == "1.5 kWh"

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmperf import units


@pytest.mark.parametrize(
    ("written", "dimension", "value"),
    [
        ("3.35 TB/s", "bandwidth", 3.35e12),
        ("80 GiB", "bytes", 80 * 2**30),
        ("80 GB", "bytes", 80e9),
        ("400 Gb/s", "bandwidth", 50e9),
        ("989.4 TFLOP/s", "compute", 989.4e12),
        ("1979 TOP/s", "compute", 1979e12),
        ("2 us", "time", 2e-6),
        ("1.83 GHz", "frequency", 1.83e9),
        ("90 %", "fraction", 0.9),
        ("3.6 USD/h", "money_rate", 0.001),
        (5, "time", 5.0),
    ],
)
def test_written_quantities_are_si_inside(written: object, dimension: str, value: float) -> None:
    assert units.parse(written, dimension) == pytest.approx(value, rel=1e-15)


@given(st.floats(1e-12, 1e15), st.sampled_from(sorted(units.DIMENSIONS)))
def test_what_is_shown_can_be_read_again(value: float, dimension: str) -> None:
    assert units.parse(units.scaled(value, dimension, digits=15), dimension) == pytest.approx(value, rel=1e-12)


@given(st.sampled_from(sorted(units.DIMENSIONS)), st.floats(0.001, 1000))
def test_every_accepted_spelling_scales_by_its_factor(dimension: str, number: float) -> None:
    for spelling, factor in units.DIMENSIONS[dimension].factors().items():
        if spelling:
            assert units.parse(f"{number!r} {spelling}", dimension) == pytest.approx(number * factor)


def test_decimal_and_binary_prefixes_are_not_mixed() -> None:
    assert units.parse("1 GiB", "bytes") / units.parse("1 GB", "bytes") == pytest.approx(1.073741824)


@pytest.mark.parametrize("wrong", ["80 parsecs", "3.35 TB", "", "fast", "nan TB/s", "1e999 TB/s", math.inf, True, None])
def test_what_is_no_bandwidth_is_refused(wrong: object) -> None:
    with pytest.raises(units.UnitError):
        units.parse(wrong, "bandwidth")

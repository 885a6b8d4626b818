"""A condensed tape has fewer operations, and the same numbers but for rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from llmperf.recording.condensing import behind, condensed
from llmperf.recording.recorder import Name, Tape, record
from llmperf.recording.replay import Program

SAMPLE = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0])}


def recorded(function: Any) -> tuple[Tape, dict[Name, int]]:
    return record(lambda given: {("", "out"): function(given["a"], given["b"])}, SAMPLE)


def needed(function: Any) -> list[str]:
    """Names of the operations that the condensed tape of a function needs."""
    tape, results = condensed(*recorded(function))
    found = (tape.operations[node][0] for node in behind(tape, results.values()))
    return [function.__name__ for function in found if function is not None]


def test_a_multiple_of_a_multiple_is_one() -> None:
    assert needed(lambda a, _: 2.0 * a * 4096.0 / 3.0 * 1.5 / 989e12) == ["multiply"]


def test_a_sum_has_each_number_once_and_equal_factors_taken_out() -> None:
    assert needed(lambda a, b: 2.0 * a + 3.0 * b + 3.0 * a + 2.0 * b) == ["add", "multiply"]  # 5 (a + b)


def test_a_sum_that_is_used_elsewhere_stays_whole() -> None:
    def formula(a: Any, b: Any) -> Any:
        both = a + 3.0 * b
        return (both + 2.0 * a) * np.sqrt(both)

    program = Program(*recorded(formula))
    found, _ = program.arrays({"a": np.array([2.0, 3.0]), "b": np.array([5.0, 1.0])})
    np.testing.assert_allclose(found["", "out"], [21.0 * np.sqrt(17.0), 12.0 * np.sqrt(6.0)], rtol=1e-15)


def test_differences_round_as_they_are_written() -> None:
    assert needed(lambda a, _: 3.0 * a + -2.0 * a) == ["multiply", "multiply", "add"]


@given(st.integers(1, 10**6), st.sampled_from([(256.0, 132.0), (3.0, 7.0), (10.0, 3.0), (96.0, 108.0)]))
def test_what_is_rounded_to_whole_numbers_is_rounded_alike(number: int, factors: tuple[float, float]) -> None:
    """33 * 256 / 132 are 64 waves; 33 * (256 / 132) would be a little more, and 65."""
    up, down = factors
    program = Program(*recorded(lambda a, _: np.ceil(a * up / down)))
    found, _ = program.arrays({"a": np.array([float(number), 1.0]), "b": np.ones(2)})
    assert found["", "out"][0] == -(-number * int(up) // int(down))


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0.001, 1e6)), min_size=1, max_size=30))
def test_a_sum_of_multiples_is_the_sum(terms: list[tuple[str, float]]) -> None:
    def formula(a: Any, b: Any) -> Any:
        total: Any = 0.0
        for name, factor in terms:
            total = total + {"a": a, "b": b}[name] * factor
        return total

    values = {"a": np.array([0.7, 11.0]), "b": np.array([3.3, 1e5])}
    found, _ = Program(*recorded(formula)).arrays(values)
    np.testing.assert_allclose(found["", "out"], formula(values["a"], values["b"]), rtol=1e-13)


def test_an_operation_stands_after_what_it_needs() -> None:
    tape, results = recorded(lambda a, b: np.sqrt(a * b) + np.maximum(a * b, b))
    order = behind(tape, results.values())
    for place, node in enumerate(order):
        function, arguments = tape.operations[node]
        assert function is None or all(order.index(one) < place for one in arguments)

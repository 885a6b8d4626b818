"""Formulas on arrays leave operations on numbers: folded, merged, taken apart, with what they decided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmperf.numeric import (
    anywhere,
    bytes_of,
    ceil_div,
    choose,
    everywhere,
    floor_div,
    least,
    most,
    root,
    stack,
    weighted_sum,
)
from llmperf.recording.recorder import NotRecordedError, Recorded, Tape, record
from llmperf.recording.replay import Program

SAMPLE = {"a": np.array([1.0, 2.0, 7.0]), "b": np.array([3.0, 0.5, 5.0])}


def written(function: Callable[[Any, Any], Any]) -> tuple[Tape, int]:
    """The tape of a function of two arrays, and the node of its result."""
    tape, results = record(lambda given: {("", "out"): function(given["a"], given["b"])}, SAMPLE)
    return tape, results["", "out"]


def operations(function: Callable[[Any, Any], Any]) -> list[str]:
    """Names of the operations that a function of two arrays needs, in their order."""
    tape, node = written(function)
    program = Program(tape, {("", "out"): node})
    return [getattr(program.tape.operations[one][0], "__name__", "interpolation") for one in program.order]


def test_what_does_not_vary_is_computed_once() -> None:
    assert operations(lambda a, _: a * (2.0 * 3.0 + np.sqrt(np.float64(9.0)))) == ["multiply"]
    tape, node = written(lambda a, _: 0.0 * a + 4.0)
    assert tape.value(node) == 4.0


def test_equal_operations_are_one_and_unused_ones_none() -> None:
    def formula(a: Any, b: Any) -> Any:
        np.exp(a)  # needed by nobody
        return (a + b) * np.sqrt(b + a)

    assert operations(formula) == ["add", "sqrt", "multiply"]


@pytest.mark.parametrize(
    "formula",
    [
        lambda a, _: (a * 1.0 + 0.0 - 0.0) / 1.0,
        lambda a, _: np.maximum(a, a),
        lambda a, b: np.where(a > a, b, a),
        lambda a, b: np.where(np.array([[True]]), a, b)[0],
    ],
)
def test_what_changes_nothing_is_no_operation(formula: Callable[[Any, Any], Any]) -> None:
    assert operations(formula) == []


def test_rows_of_a_table_are_taken_apart() -> None:
    def formula(a: Any, b: Any) -> Any:
        table = stack([a, 2.0, b])  # the constant row costs nothing
        return weighted_sum(np.array([[32.0], [1.0], [32.0]]), table)

    assert operations(formula) == ["add", "multiply", "add"]  # 32 (a + b) + 2


def test_a_decision_is_a_guard_where_it_depends_on_what_varies() -> None:
    def formula(a: Any, b: Any) -> Any:
        assert anywhere(np.array([[True]]))
        return a if anywhere(a > 5.0) and not everywhere(b > 1.0) else b

    tape, _ = written(formula)
    assert [(guard.kind, guard.found) for guard in tape.guards] == [("any", True), ("all", False)]


def test_a_decision_that_constants_settle_is_none() -> None:
    tape, _ = written(lambda a, b: a if anywhere(stack([a > 100.0, True]) > 0.0) else b)
    assert tape.guards == []


def test_the_largest_of_all_is_a_guard() -> None:
    tape, _ = written(lambda a, _: a * float(np.max(a)))
    assert [(guard.kind, guard.found) for guard in tape.guards] == [("max", 7.0)]


LOSING = {
    "asarray": (lambda a, _: np.asarray(a), "np.asarray"),
    "array of rows": (lambda a, b: np.array([a, b]), "stack"),
    "truth": (lambda a, b: a if a > 0 else b, "anywhere"),
    "item": (lambda a, _: a.item(), ".item"),
    "in place": (lambda a, b: np.add(a, b, out=a), "new arrays"),
    "one configuration": (lambda a, _: a[0], "last axis"),
    "reduced": (lambda a, _: np.add.reduce(a[None], axis=1), "configurations"),
    "unknown function": (lambda a, _: np.sort(a), "np.sort"),
    "unknown method": (lambda a, _: a.cumsum(), ".cumsum"),
    "lost on the way": (lambda a, _: a + np.array([1.0, 2.0, 3.0]), "outside of what is recorded"),
    "several numbers": (lambda a, b: stack([a, b]), "one number a configuration"),
}


@pytest.mark.parametrize("name", LOSING)
def test_what_would_lose_the_recording_says_so(name: str) -> None:
    formula, said = LOSING[name]
    with pytest.raises(NotRecordedError, match=said.replace(".", r"\.")):
        written(formula)


def test_a_recorded_array_looks_like_an_array() -> None:
    tape = Tape()
    array = Recorded(tape, np.ones((2, 3)), np.array([[tape.input("a")], [tape.input("b")]]))
    assert isinstance(array, np.ndarray)
    assert (array.shape, array.ndim, array.size, array.dtype, len(array)) == ((2, 3), 2, 6, np.dtype(float), 2)
    assert bytes_of(array, 100) is None


UNARY: tuple[Callable[[Any], Any], ...] = (
    lambda x: root(1.0 + x * x),
    lambda x: np.floor(x),
    lambda x: 3.0 * x,
    lambda x: x / 7.0,
    lambda x: -x,
    lambda x: stack([x, 2.0, x * x]).max(axis=0),
    lambda x: stack([x, x + 1.0]).sum(axis=0),
    lambda x: x[None][0],
    lambda x: np.interp(x, np.array([0.0, 1.0, 10.0]), np.array([1.0, 5.0, 2.0])),
    lambda x: np.concatenate([x[None], 3.0 * x[None]], axis=0)[1],
    lambda x: weighted_sum(np.array([[2.0], [2.0], [0.0]]), stack([x, 1.0, x])),
    lambda x: np.zeros_like(x) + np.ones_like(x) * x,
    lambda x: np.broadcast_to(x, (2, x.shape[-1])).min(axis=0),
)
BINARY: tuple[Callable[[Any, Any], Any], ...] = (
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    lambda x, y: x / (1.0 + abs(y)),
    lambda x, y: least(x, y),
    lambda x, y: most(x, y),
    lambda x, y: choose(x > y, x, 2.0),
    lambda x, y: ceil_div(x, 1.0 + abs(y)),
    lambda x, y: floor_div(x, 2.0 + abs(y)),
    lambda x, y: x * (x > y),
    lambda x, y: choose((x > 0.0) & (y > 1.0), y, x),
    lambda x, y: choose(~((x > 3.0) | (y > 1.0)), y, x),
)


@st.composite
def formulas(draw: st.DrawFn) -> Callable[[Any, Any], Any]:
    """A random formula of two arrays."""
    steps = draw(
        st.lists(
            st.tuples(st.integers(0, len(UNARY) + len(BINARY) - 1), st.integers(0, 9), st.integers(0, 9)), max_size=12
        )
    )

    def formula(a: Any, b: Any) -> Any:
        values = [a, b, 2.0 * a]
        for which, one, other in steps:
            x, y = values[one % len(values)], values[other % len(values)]
            values.append(UNARY[which](x) if which < len(UNARY) else BINARY[which - len(UNARY)](x, y))
        return values[-1]

    return formula


@settings(max_examples=150)
@given(formulas(), st.lists(st.tuples(st.floats(0.1, 50.0), st.floats(0.1, 50.0)), min_size=2, max_size=40))
def test_a_replay_is_the_formula(formula: Callable[[Any, Any], Any], numbers: list[tuple[float, float]]) -> None:
    a, b = np.array(numbers).T.copy()
    with np.errstate(all="ignore"):
        expected = np.broadcast_to(formula(a, b), a.shape)
    tape, node = written(formula)
    program = Program(tape, {("", "out"): node})
    found, missed = program.arrays({"a": a, "b": b})
    assert not missed
    np.testing.assert_allclose(np.broadcast_to(found["", "out"], a.shape), expected, rtol=1e-9, atol=1e-9)
    for index in range(2):
        single = program.scalar(*({"a": a, "b": b}[path][index].item() for path in program.paths))
        np.testing.assert_allclose(single[""]["out"], expected[index], rtol=1e-9, atol=1e-9)

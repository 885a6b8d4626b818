"""A program runs in blocks, on the axes that matter, and says where it decides otherwise."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from llmperf.numeric import anywhere, codes
from llmperf.recording.recorder import record
from llmperf.recording.replay import CHUNK, Program


def program(function: Any, **sample: list[float]) -> Program:
    given = {name: np.array(values, dtype=float) for name, values in sample.items()}
    return Program(*record(lambda arrays: {("", key): value for key, value in function(**arrays).items()}, given))


@pytest.mark.parametrize("size", [2, 100, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 17])
def test_blocks_of_any_size_give_every_configuration(size: int) -> None:
    made = program(lambda a, b: {"sum": a + b, "root": np.sqrt(a) / (b + a)}, a=[1.0, 2.0], b=[3.0, 4.0])
    a, b = np.random.default_rng(size).uniform(1.0, 9.0, (2, size))
    found, missed = made.arrays({"a": a, "b": b})
    assert not missed
    np.testing.assert_array_equal(found["", "sum"], a + b)
    np.testing.assert_array_equal(found["", "root"], np.sqrt(a) / (b + a))


def test_operations_stay_on_the_axes_that_they_depend_on() -> None:
    made = program(
        lambda a, b, c: {"one": np.sqrt(a), "two": a * b, "all": a * b + c, "none": 0.0 * a + 3.0},
        a=[1.0, 2.0],
        b=[3.0, 4.0],
        c=[5.0, 6.0],
    )
    a, b, c = np.arange(1.0, 101.0)[:, None, None], np.arange(2.0, 82.0)[:, None], np.arange(3.0, 63.0)
    found, missed = made.arrays({"a": a, "b": b[None], "c": c[None, None]})
    assert not missed
    shapes = {name: np.shape(value) for (_, name), value in found.items()}
    assert shapes == {"one": (100, 1, 1), "two": (100, 80, 1), "all": (100, 80, 60), "none": ()}
    np.testing.assert_array_equal(found["", "all"], a * b + c)
    np.testing.assert_array_equal(found["", "one"], np.sqrt(a))


def test_a_block_that_decides_otherwise_is_named() -> None:
    made = program(lambda a: {"out": 2.0 * a if anywhere(a > 5.0) else a}, a=[1.0, 9.0])
    a = np.full(4 * CHUNK, 9.0)
    a[2 * CHUNK : 3 * CHUNK] = 1.0
    found, missed = made.arrays({"a": a})
    assert missed == [(slice(2 * CHUNK, 3 * CHUNK),)]
    np.testing.assert_array_equal(found["", "out"][: 2 * CHUNK], 18.0)
    np.testing.assert_array_equal(found["", "out"][3 * CHUNK :], 18.0)


def test_one_configuration_that_decides_otherwise_gives_none() -> None:
    made = program(lambda a: {"out": 2.0 * a if anywhere(a > 5.0) else a}, a=[6.0, 9.0])
    assert made.scalar(8.0) == {"": {"out": 16.0}}
    assert made.scalar(3.0) is None


def test_results_keep_their_types() -> None:
    made = program(
        lambda a: {"truth": a > 2.0, "code": codes(np.where(a > 2.0, 7, 3)), "number": a * 2.0}, a=[1.0, 9.0]
    )
    found, _ = made.arrays({"a": np.array([1.0, 3.0])})
    assert {name: value.dtype for (_, name), value in found.items()} == {
        "truth": np.dtype(bool),
        "code": np.dtype(np.uint8),
        "number": np.dtype(float),
    }
    assert made.scalar(3.0) == {"": {"truth": True, "code": 7, "number": 6.0}}


def test_results_are_written_once() -> None:
    made = program(lambda a: {"one": a + 1.0, "same": 1.0 + a, "other": np.sqrt(a)}, a=[1.0, 9.0])
    found, _ = made.arrays({"a": np.arange(1.0, 3.0 * CHUNK)})
    assert np.shares_memory(found["", "one"], found["", "same"])
    assert not np.shares_memory(found["", "one"], found["", "other"])


def test_runs_of_several_threads_do_not_disturb_each_other() -> None:
    made = program(lambda a, b: {"out": np.sqrt(a * a + b * b) / (a + b)}, a=[1.0, 2.0], b=[3.0, 4.0])

    def run(seed: int) -> bool:
        a, b = np.random.default_rng(seed).uniform(1.0, 9.0, (2, 3 * CHUNK))
        found, _ = made.arrays({"a": a, "b": b})
        return np.array_equal(found["", "out"], np.sqrt(a * a + b * b) / (a + b))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, range(40)))


def test_what_python_refuses_is_left_to_arrays() -> None:
    made = program(lambda a: {"out": 1.0 / a}, a=[1.0, 2.0])
    with pytest.raises(ZeroDivisionError):
        made.scalar(0.0)
    found, _ = made.arrays({"a": np.array([0.0, 2.0])})
    np.testing.assert_array_equal(found["", "out"], [np.inf, 0.5])

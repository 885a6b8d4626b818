"""What is kept by objects is made once for the same ones, and again for others that are equal."""

from __future__ import annotations

from llmperf.kept import MadeOfObjects


def test_the_same_objects_have_one_value_and_equal_ones_have_their_own() -> None:
    kept: MadeOfObjects[list[int]] = MadeOfObjects(8)
    one, equal = [1], [1]
    made = kept.get((one,), lambda: [0])
    assert kept.get((one,), lambda: [0]) is made
    assert kept.get((equal,), lambda: [0]) is not made
    assert kept.get((one,), lambda: [0], key="other") is not made


def test_no_more_than_asked_are_kept_and_those_that_are_keep_their_objects() -> None:
    kept: MadeOfObjects[int] = MadeOfObjects(4)
    for number in range(20):  # a list that nobody kept would be gone when the next is made, which may get its identity
        assert kept.get(([number],), lambda number=number: number) == number
        assert len(kept.known) <= 4

"""Records are frozen dataclasses of the standard module in all that can be seen of them."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, asdict, field, fields, is_dataclass, replace
from typing import Any

import pytest

from llmperf import records
from llmperf.errors import Problem
from llmperf.scenarios.resolve import resolve


def _classes(make: Any) -> tuple[Any, Any]:
    """The same two classes, made by one decorator."""

    @make(frozen=True, slots=True)
    class Base:
        """A base."""

        a: int
        b: list[int] = field(default_factory=list)
        c: str | None = None
        hidden: float = field(default=1.0, repr=False, compare=False)
        made: int = field(init=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "made", self.a + 1)

    @make(frozen=True, slots=True)
    class Wider(Base):
        """One that inherits."""

        d: int = 4

    return Base, Wider


RECORDS = _classes(records.dataclass)
STANDARD = _classes(dataclasses.dataclass)


@pytest.mark.parametrize("which", [0, 1])
def test_a_record_is_made_shown_and_compared_as_a_dataclass_is(which: int) -> None:
    ours, theirs = RECORDS[which], STANDARD[which]
    for arguments, keywords in (((1,), {}), ((1, [2], "x"), {}), ((), {"a": 5, "c": "y", "hidden": 3.0})):
        one, other = ours(*arguments, **keywords), theirs(*arguments, **keywords)
        assert repr(one) == repr(other)
        assert asdict(one) == asdict(other)
        assert one == ours(*arguments, **keywords)
        assert one != other
        assert replace(one, a=9).made == 10
    assert ours(1, hidden=1.0) == ours(1, hidden=2.0)
    assert ours(1).b is not ours(1).b
    assert [item.name for item in fields(ours)] == [item.name for item in fields(theirs)]
    assert ours.__match_args__ == theirs.__match_args__


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(
    ("arguments", "keywords"), [((), {}), ((1, 2, 3, 4, 5, 6), {}), ((1,), {"z": 1}), ((1,), {"a": 1})]
)
def test_a_record_is_not_made_of_other_arguments_than_its_fields(which: int, arguments: Any, keywords: Any) -> None:
    with pytest.raises(TypeError) as ours:
        RECORDS[which](*arguments, **keywords)
    with pytest.raises(TypeError) as theirs:
        STANDARD[which](*arguments, **keywords)
    assert str(ours.value) == str(theirs.value)


def test_a_record_does_not_change_and_has_no_other_attributes() -> None:
    one = RECORDS[1](1)
    for name in ("a", "d", "new"):
        with pytest.raises(FrozenInstanceError):
            setattr(one, name, 2)
    with pytest.raises(FrozenInstanceError):
        del one.a
    assert not hasattr(one, "__dict__")


def test_a_record_of_hashable_fields_is_a_key() -> None:
    assert len({Problem("a", "b"), Problem("a", "b"), Problem("a", "c")}) == 2
    with pytest.raises(TypeError):
        hash(RECORDS[0](1))


def test_a_scenario_is_copied_and_pickled_whole() -> None:
    scenario = resolve({"model": "deepseek-v3", "hardware": "dgx-h200", "weights": "fp8", "tp": 8}).scenario
    for other in (copy.deepcopy(scenario), pickle.loads(pickle.dumps(scenario))):
        assert other == scenario
        assert other is not scenario
        assert repr(other) == repr(scenario)


def test_what_may_change_is_no_record() -> None:
    assert is_dataclass(RECORDS[0])
    with pytest.raises(AssertionError):
        records.dataclass(frozen=False)

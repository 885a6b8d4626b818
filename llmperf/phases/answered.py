"""What an evaluation gives: figures of its parts, phases, and what explains them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.outputs import Part, loaded
from llmperf.phases.memory import Memory
from llmperf.phases.phase import Phase
from llmperf.phases.placement import Placed
from llmperf.phases.setup import Setup
from llmperf.records import dataclass


class Figures:
    """Outputs of one part of an answer by name: numbers, or arrays of a number a configuration.

    Which there are, and in which units, says the part's row in `llmperf.outputs.PARTS`. What has a formula there is
    computed when it is asked for, so that outputs that nobody reads cost nothing.

    Parameters
    ----------
    values : mapping of str to number or array
        What the evaluation of the question gave.
    derive : callable, optional
        Gives each output that has a formula, of these figures and by its name; `derived` says which there are. It must
        not hold the figures: a ring of objects keeps their arrays until the garbage collector comes by.
    """

    __slots__ = ("_derive", "_values", "derived")

    def __init__(
        self,
        values: Mapping[str, Any],
        derive: Callable[[Figures, str], Any] | None = None,
        derived: tuple[str, ...] = (),
    ) -> None:
        self._values = dict(values)
        self._derive = derive
        self.derived = derived

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what copies ask for before there are values
            raise AttributeError(name)
        return self.of(name)

    def of(self, name: str) -> Any:
        """One output by its name.

        Raises
        ------
        AttributeError
            If the part has none of this name.
        """
        found = self._values.get(name)
        if found is None:
            if name not in self.derived or self._derive is None:
                raise AttributeError(f"there is no output {name!r}; there are {', '.join(self)}")
            found = self._values[name] = self._derive(self, name)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._values or name in self.derived

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._values, *self.derived)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Figures):
            return NotImplemented
        mine, theirs = dict(self.items()), dict(other.items())
        return mine.keys() == theirs.keys() and all(
            np.array_equal(value, theirs[name], equal_nan=True) for name, value in mine.items()
        )

    __hash__ = None  # type: ignore[assignment]  # values may be arrays

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *self})

    def __reduce__(self) -> tuple[type[Figures], tuple[dict[str, Any]]]:
        return Figures, (dict(self.items()),)  # what goes to another process has been computed

    def __repr__(self) -> str:
        said = (
            f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value!r}" for name, value in self.items()
        )
        return f"Figures({', '.join(said)})"

    @property
    def given(self) -> dict[str, Any]:
        """What the evaluation gave, without what formulas make of it."""
        return {name: value for name, value in self._values.items() if name not in self.derived}

    def items(self) -> Iterator[tuple[str, Any]]:
        """Names and values of all outputs."""
        return ((name, self.of(name)) for name in self)

    def map(self, function: Callable[[Any], Any]) -> Figures:
        """Figures of the same names whose values are a function of these, of each when it is read."""
        return Figures({}, lambda _, name: function(self.of(name)), tuple(self))


def figures(part: Part, values: Mapping[str, Any], scenario: Callable[[], Scenario]) -> Figures:
    """Figures of a part: what an evaluation gave, and what the formulas of its outputs make of it.

    Parameters
    ----------
    part : Part
        A row of `llmperf.outputs.PARTS`.
    values : mapping of str to number or array
    scenario : callable
        Gives the scenario, when a formula asks for it; its arrays broadcast against the values.
    """
    formulas = part.formulas
    if not formulas.keys().isdisjoint(values):
        formulas = {name: formula for name, formula in formulas.items() if name not in values}

    def derive(found: Figures, name: str) -> Any:
        return loaded(formulas[name])(scenario(), part.definition, found)

    return Figures(values, derive if formulas else None, tuple(formulas))


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One block of configurations, with everything that explains it.

    Attributes
    ----------
    setup, need, placed : Setup, Memory, Placed
        The prepared scenario, what it needs in memory, and where that lies.
    phases : dict of str to Phase
        By name (`llmperf.outputs.PHASES`).
    parts : dict of str to Figures
        By name (`llmperf.outputs.PARTS`).
    """

    setup: Setup
    need: Memory
    placed: Placed
    phases: dict[str, Phase]
    parts: dict[str, Figures]

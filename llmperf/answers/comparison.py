"""Two or more configurations side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmperf.answers.answer import Answer, answer
from llmperf.answers.differences import Difference, difference
from llmperf.answers.questions import QUESTIONS
from llmperf.costs.money import apart, basis
from llmperf.errors import InputError, Problem
from llmperf.phases.answered import Figures
from llmperf.records import dataclass
from llmperf.scenarios.names import Reference, Whole, changed, distinct, named
from llmperf.scenarios.resolve import resolve


@dataclass(frozen=True, slots=True)
class Comparison:
    """Configurations side by side; the first is what the others are compared with.

    Attributes
    ----------
    labels : tuple of str
        What each configuration is called.
    results : tuple of Answer
        Their estimates.
    """

    labels: tuple[str, ...]
    results: tuple[Answer, ...]

    def speedup(self, index: int, definition: str = "projection") -> dict[str, float]:
        """How many times better each output is than in the first configuration: more than 1 is better. [1]

        Parameters
        ----------
        index : int
            Which configuration.
        definition : str
            Part of the answers: ``bound``, ``roofline`` or ``projection``, or any other; outputs that one of them lacks
            are left out.
        """
        nothing = Figures({})
        base, other = (result.parts.get(definition, nothing) for result in (self.results[0], self.results[index]))
        apart = bool(self.apart(index))
        return {
            output.name: math.nan
            if apart and output.unit == "USD"
            else _ratio(base.of(output.name), other.of(output.name), output.better == "lower")
            for output in QUESTIONS[self.results[0].question].part(definition).outputs
            if output.better and output.name in base and output.name in other
        }

    def apart(self, index: int) -> str:
        """Why the costs of a configuration do not compare with those of the first; empty where they do."""
        return apart(*(basis(one.scenario) for one in (self.results[0], self.results[index])))

    @property
    def notes(self) -> list[str]:
        """What a reader should know of the comparison itself."""
        return [
            f"costs of {self.labels[index]} are not compared with those of {self.labels[0]}: {why}"
            for index in range(1, len(self.results))
            if (why := self.apart(index))
        ]

    @property
    def definitions(self) -> list[str]:
        """Parts whose outputs can be compared as ratios: those that all answers have by the same definitions."""
        parts = QUESTIONS[self.results[0].question].parts
        return [part.name for part in parts if part.definition and all(part.name in one.parts for one in self.results)]

    def difference(self, index: int) -> Difference:
        """What differs from the first configuration, as numbers."""
        return difference(self.results[0].evaluated[0], self.results[index].evaluated[0])


def _ratio(base: float, other: float, less_is_better: bool) -> float:
    """How many times better a number is; NaN where either is none, or without end."""
    above, below = (base, other) if less_is_better else (other, base)
    return above / below if below and math.isfinite(above) and math.isfinite(below) else math.nan


def compare(
    base: Reference, *others: Mapping[str, Any] | str | Path, catalog: tuple[str, ...] = (), **overrides: Any
) -> Comparison:
    """Set two or more configurations side by side.

    Parameters
    ----------
    base : mapping, str or Path
        A scenario as data, or the name or file of one: what the others are compared with.
    *others : mapping, str or Path
        The name or file of a scenario of its own, one as data (`Whole`), or a mapping of what differs from `base` (keys
        as in `overrides`).
    catalog : tuple of str
        Directories whose descriptors go before the packaged ones.
    **overrides
        Keys on top of every scenario, as in `llmperf.estimate`; numbers only, no arrays. What a mapping of `others`
        names goes before them. With ``maximize``, each configuration is maximized by itself.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If there is nothing to compare, or a scenario is wrong; lists every fault.
    """
    if not others:
        raise InputError(Problem("needs at least two configurations", "compare"))
    given: list[tuple[Reference, dict[str, Any], str]] = [(base, overrides, named(base) or "base")]
    for index, other in enumerate(others, 2):
        if isinstance(other, Mapping) and not isinstance(other, Whole):
            given.append((base, {**overrides, **other}, changed(other) or f"configuration {index}"))
        else:
            given.append((other, overrides, named(other) or f"configuration {index}"))
    labels = distinct([label for _, _, label in given])
    problems: list[Problem] = []
    results = []
    for (reference, keys, _), label in zip(given, labels, strict=True):
        try:
            results.append(_answer(reference, keys, catalog))
        except InputError as error:
            problems += [
                one if one.file else replace(one, message=f"{one.message} (in {label})") for one in error.problems
            ]
    if problems:
        raise InputError(list({(one.path, one.message): one for one in problems}.values()))
    return Comparison(tuple(labels), tuple(results))


def _answer(reference: Reference, keys: Mapping[str, Any], catalog: tuple[str, ...]) -> Answer:
    resolved = resolve(reference, keys, catalog)
    if resolved.shape:
        raise InputError(Problem("a comparison shows one configuration each, not arrays"))
    return answer(resolved)

"""A scenario that is asked again and again with other numbers, as in a loop: resolved once, recorded, and replayed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from llmperf.answers.answer import Answer, Origin, answer, answered_by
from llmperf.answers.columns import columns_of
from llmperf.answers.questions import asked
from llmperf.answers.recordings import Recording
from llmperf.descriptors.filling import filler
from llmperf.errors import InputError
from llmperf.outputs import generation
from llmperf.recording.recorder import Name
from llmperf.scenarios.binding import Resolved, bound, shape_of, without_arrays
from llmperf.scenarios.consistency import check_together
from llmperf.scenarios.keys import FLAT, SECTIONS, flattened, over
from llmperf.scenarios.resolve import checked, extremes, followed, on_axes, resolve

Kind = TypeVar("Kind", bound=Answer)

NUMERIC = ("workload", "parallelism", "traffic")
"""Sections whose numbers may be bound to a scenario that is prepared."""


class Prepared(Generic[Kind]):
    """A scenario to be called with numbers; gives an answer of a kind.

    Files and names are read when it is made: what changes in them later changes nothing here.

    Parameters
    ----------
    kind : type of Answer
        Made of each answer.
    reference, overrides, catalog
        As of `llmperf.scenarios.resolve.resolve`.

    Raises
    ------
    InputError
        If the scenario is wrong.
    """

    def __init__(
        self,
        kind: type[Kind],
        reference: Mapping[str, Any] | str | Path | None,
        overrides: Mapping[str, Any],
        catalog: tuple[str, ...] = (),
    ) -> None:
        self.kind = kind
        self._again = (reference, overrides, catalog)
        self.resolved = resolve(reference, overrides, catalog)
        self._loops: dict[tuple[str, ...], _Loop | None] = {}
        self._generation = generation()

    def __call__(self, **numbers: Any) -> Kind:
        """The answer with other numbers.

        Parameters
        ----------
        **numbers
            Numbers of the workload and the layout, as of `llmperf.estimate`, are bound to the scenario: single ones are
            answered from a recording. With other keys the scenario is resolved anew, names and files included.

        Raises
        ------
        InputError
            If a number is wrong, or does not suit the scenario.
        """
        names = tuple(numbers)
        if self._generation != generation():
            self._loops, self._generation = {}, generation()
        if names not in self._loops:
            self._loops[names] = _loop(self.resolved, names)
        loop = self._loops[names]
        if loop is not None:
            try:
                return loop.answer(self.kind, tuple(numbers.values()))
            except (ValueError, InputError):
                self._resolved(numbers)  # says what is wrong, with its place
                raise
        return self.kind(*_fields(answer(self._resolved(numbers))))

    def _resolved(self, numbers: Mapping[str, Any]) -> Resolved:
        reference, overrides, catalog = self._again
        return resolve(reference, {**overrides, **numbers}, catalog)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loops": {}}  # another process records anew

    def __repr__(self) -> str:
        scenario = self.resolved.template
        return f"Prepared({scenario.model.name} on {scenario.hardware.name})"


def _fields(found: Answer) -> tuple[Any, ...]:
    return found.question, found.parts, found.limits, found.shape, found.origin, found.kept


class _Loop:
    """What calls with the same names share: checks of their values, and the recording."""

    def __init__(self, resolved: Resolved, paths: tuple[str, ...], checks: Sequence[Callable[[Any], Any]]) -> None:
        self.resolved, self.paths, self.checks = resolved, paths, checks
        self.question = asked(resolved.template)
        self.said = over(resolved.asked, flattened(dict.fromkeys(paths, 1)))
        self.recording = Recording(self._columns, paths)

    def _columns(self, given: dict[str, Any]) -> dict[Name, Any]:
        """Columns of a scenario that has been checked as a whole: what is found wrong becomes a guard."""
        scenario = followed(bound(self.resolved.template, given), self.said)
        check_together(scenario, None)
        return columns_of(self.question.evaluation(scenario))

    def answer(self, kind: type[Kind], values: Sequence[Any]) -> Kind:
        """The answer to some values.

        Raises
        ------
        ValueError, InputError
            If one is wrong, or does not suit the scenario.
        """
        try:
            numbers = [check(value) for check, value in zip(self.checks, values, strict=True)]
        except ValueError:  # what is no number may be an array of them
            columns = None
        else:
            columns = self.recording.number(numbers) if numbers else None
        if columns is not None:
            return answered_by(kind, self.question, columns, (), Origin(lambda: self._both(numbers)), {})
        return kind(*_fields(answer(self._bound(values))))

    def _both(self, values: Sequence[Any]) -> tuple[Resolved, Resolved]:
        resolved = self._bound(values)
        return resolved, resolved

    def _bound(self, values: Sequence[Any]) -> Resolved:
        """The scenario with some numbers and arrays, its components those that were built when it was prepared."""
        arrays: dict[str, Any] = {}
        singles = without_arrays(dict(zip(self.paths, values, strict=True)), "", arrays)
        for path, check in zip(self.paths, self.checks, strict=True):
            for value in extremes(arrays[path], path) if path in arrays else ():
                check(value)
            singles[path] = check(singles[path])
        shape = shape_of(arrays)
        template = followed(bound(self.resolved.template, singles), self.said)
        said = over(self.resolved.asked, flattened(singles))
        found = Resolved(template, shape, self.resolved.warnings, on_axes(arrays, shape), said, self.resolved.catalog)
        return checked(found)


def _loop(resolved: Resolved, names: tuple[str, ...]) -> _Loop | None:
    """What calls with some names share; None where they are no numbers of the workload or the layout."""
    paths = tuple(FLAT.get(name, name) for name in names)
    checks = []
    for path in paths:
        section, _, name = path.partition(".")
        check = filler(SECTIONS[section], name) if section in NUMERIC else None
        if check is None or name == "maximize":
            return None
        checks.append(check)
    if resolved.shape or len(set(paths)) < len(paths) or resolved.template.workload.maximize is not None:
        return None
    return _Loop(resolved, paths, checks)

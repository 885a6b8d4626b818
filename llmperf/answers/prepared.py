"""A scenario that is asked again and again with other numbers, as in a loop: resolved once, recorded, and replayed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from llmperf.answers.answer import Answer, Origin, answer, answered_by
from llmperf.answers.columns import columns_of
from llmperf.answers.questions import asked
from llmperf.answers.recordings import Recording
from llmperf.descriptors.filling import filler
from llmperf.descriptors.scenario import Scenario
from llmperf.descriptors.workload import Workload
from llmperf.errors import InputError
from llmperf.recording.recorder import Name
from llmperf.scenarios.binding import Resolved, bound
from llmperf.scenarios.consistency import check_together
from llmperf.scenarios.keys import FLAT, SECTIONS
from llmperf.scenarios.resolve import changed, default_lengths, resolve

Kind = TypeVar("Kind", bound=Answer)


class Prepared(Generic[Kind]):
    """A scenario to be called with numbers; gives an answer of a kind.

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
        self.resolved = resolve(reference, overrides, catalog)
        self._loops: dict[tuple[str, ...], _Loop | None] = {}

    def __call__(self, **numbers: Any) -> Kind:
        """The answer with other numbers.

        Parameters
        ----------
        **numbers
            Keys of a scenario, as of `llmperf.estimate`. Single numbers of the workload and the layout are answered
            from a recording; arrays and all else as `llmperf.estimate` does.

        Raises
        ------
        InputError
            If a number is wrong, or does not suit the scenario.
        """
        names = tuple(numbers)
        if names not in self._loops:
            self._loops[names] = _loop(self.resolved, names)
        loop = self._loops[names]
        if loop is not None:
            try:
                values = [check(value) for check, value in zip(loop.checks, numbers.values(), strict=True)]
                columns = loop.recording.number(values)
            except (ValueError, InputError):  # what is wrong, says the long way
                columns = None
            if columns is not None:
                return answered_by(self.kind, loop.question, columns, (), Origin(lambda: self._asked(numbers)), {})
        return self.kind(*_fields(answer(changed(self.resolved, numbers))))

    def _asked(self, numbers: Mapping[str, Any]) -> tuple[Resolved, Resolved]:
        resolved = changed(self.resolved, numbers)
        return resolved, resolved

    def __repr__(self) -> str:
        scenario = self.resolved.template
        return f"Prepared({scenario.model.name} on {scenario.hardware.name})"


def _fields(found: Answer) -> tuple[Any, ...]:
    return found.question, found.parts, found.limits, found.shape, found.origin, found.kept


class _Loop:
    """What calls with the same names share: checks of their values, and the recording."""

    def __init__(self, resolved: Resolved, paths: tuple[str, ...], checks: Sequence[Callable[[Any], Any]]) -> None:
        self.checks, self.question = checks, asked(resolved.template)
        self.resolved = resolved
        self.recording = Recording(self._columns, paths)

    def _columns(self, given: dict[str, Any]) -> dict[Name, Any]:
        """Columns of a scenario that has been checked as a whole: what is found wrong becomes a guard."""
        scenario: Scenario = bound(self.resolved.template, given)
        asked_for = self.resolved.asked
        said = {*(asked_for.get("workload") or {}), *(path.partition(".")[2] for path in given)}
        work = scenario.workload if "input" in said else replace(scenario.workload, input=Workload().input)
        scenario = replace(scenario, workload=default_lengths(scenario.model, work, dict.fromkeys(said)))
        if "devices" not in asked_for:
            used: Any = scenario.parallelism.devices
            scenario = replace(scenario, devices=used)
        check_together(scenario, None)
        return columns_of(self.question.evaluation(scenario))


def _loop(resolved: Resolved, names: tuple[str, ...]) -> _Loop | None:
    """What calls with some names share; None where they are no numbers of the workload or the layout."""
    paths = tuple(FLAT.get(name, name) for name in names)
    checks = []
    for path in paths:
        section, _, name = path.partition(".")
        if section not in ("workload", "parallelism") or name == "maximize":
            return None
        check = filler(SECTIONS[section], name)
        if check is None:
            return None
        checks.append(check)
    if resolved.shape or len(set(paths)) < len(paths) or resolved.template.workload.maximize is not None:
        return None
    return _Loop(resolved, paths, checks)

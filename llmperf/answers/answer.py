"""The answer to a question: a resolved scenario evaluated, block by block, as figures that are read by path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from llmperf.answers.columns import LIMITS, columns_of, grouped
from llmperf.answers.questions import QUESTIONS, Question, asked
from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError, Problem, nearest
from llmperf.numeric import choose
from llmperf.outputs import BOUND_BY, canonical
from llmperf.phases.answered import Evaluated, Figures, figures
from llmperf.phases.notes import notes
from llmperf.records import dataclass
from llmperf.resources import RESOURCES
from llmperf.scenarios.binding import Joined, Resolved


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question about a scenario; values are numbers, or arrays of the shape that inputs broadcast to.

    Attributes
    ----------
    question : str
        A key of `llmperf.answers.questions.QUESTIONS`.
    parts : dict of str to Figures
        By name (`llmperf.outputs.PARTS`): what no system beats (``bound``), the sum of every operator's own
        ``roofline``, what a good implementation reaches (``projection``), ``memory`` of one device. Each is an
        attribute, too.
    limits : dict of str to int or ndarray
        Codes of what limits each phase (`bottleneck`).
    shape : tuple of int
        The shape that the inputs broadcast to; empty where all are numbers.
    origin : Origin
        What was asked.
    kept : dict
        What was computed when it was asked for.
    """

    question: str
    parts: dict[str, Figures]
    limits: dict[str, Any]
    shape: tuple[int, ...]
    origin: Origin = field(repr=False)
    kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def resolved(self) -> Resolved:
        """What was asked, before anything was maximized."""
        return self.origin.both[0]

    @property
    def answered(self) -> Resolved:
        """The same with what was maximized."""
        return self.origin.both[1]

    @property
    def scenario(self) -> Scenario:
        """What was evaluated, with its arrays."""
        return self.answered.scenario

    @property
    def bottleneck(self) -> dict[str, Any]:
        """What limits each phase: a key of `llmperf.resources.RESOURCES`; None where it does not take place."""
        found: dict[str, Any] = self._once("bottleneck", self._named)
        return found

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the answer assumes."""
        found: tuple[str, ...] = self._once(
            "warnings", lambda: (*self.answered.warnings, *notes(self.answered.on_axes))
        )
        return found

    @property
    def evaluated(self) -> tuple[Evaluated, ...]:
        """The priced steps behind the numbers; of an array those of the first block of configurations."""
        question = QUESTIONS[self.question]
        found: tuple[Evaluated, ...] = self._once(
            "evaluated", lambda: (question.evaluation(next(self.answered.blocks())),)
        )
        return found

    def _named(self) -> dict[str, Any]:
        found = {phase: _named(codes) for phase, codes in self.limits.items()}
        return {phase: np.broadcast_to(one, self.shape) for phase, one in found.items()} if self.shape else found

    def _once(self, name: str, compute: Callable[[], Any]) -> Any:
        if name not in self.kept:
            self.kept[name] = compute()
        return self.kept[name]

    def __getattr__(self, name: str) -> Any:
        """A part, or an output that needs no prefix: ``result.bound``, ``result.tpot_s``, ``result.fits``."""
        parts: dict[str, Figures] = object.__getattribute__(self, "parts")
        if name in parts:
            return parts[name]
        part = QUESTIONS[self.question].paths.get(name, (None, None))[0]
        if part is not None and part.name in parts:
            return parts[part.name].of(name)
        raise AttributeError(f"an answer to {self.question} has no {name!r}")

    def __dir__(self) -> list[str]:
        bare = [path for path in self.paths if "." not in path]
        return sorted({*object.__dir__(self), *self.parts, *bare})

    def value(self, path: str) -> Any:
        """An output by its path (`llmperf.outputs.by_path`): a number, a truth value, a resource's name, or an array.

        Raises
        ------
        InputError
            If there is no such output, or this question has none of it.
        """
        name = canonical(path)
        part, output = QUESTIONS[self.question].paths.get(name, (None, None))
        if output is BOUND_BY:
            return self.bottleneck[name.partition(".")[2]]
        if part is None or output is None:
            allowed = tuple(self.paths)
            text = f"is no output of {self.question}"
            raise InputError(Problem(text, path, allowed=allowed, suggestion=nearest(path, allowed)))
        found = self.parts[part.name].of(output.name)
        if name == "kv_pool_tokens":  # a model that keeps nothing of a token holds any number of them
            found = choose(np.isnan(found), np.inf, found)
        return found

    @property
    def paths(self) -> list[str]:
        """Paths of all outputs of its question."""
        return list(QUESTIONS[self.question].paths)


class Origin:
    """What an answer was given to; resolved when somebody looks.

    Parameters
    ----------
    resolve : callable
        Gives `both`.
    """

    def __init__(self, resolve: Callable[[], tuple[Resolved, Resolved]]) -> None:
        self._resolve = resolve

    @cached_property
    def both(self) -> tuple[Resolved, Resolved]:
        """As it was asked, and with what was maximized."""
        return self._resolve()

    def scenario(self) -> Scenario:
        """The scenario that was evaluated, its arrays as they were given."""
        return self.both[1].on_axes

    def __reduce__(self) -> Any:
        return _origin, self.both


def _origin(resolved: Resolved, answered: Resolved) -> Origin:
    return Origin(lambda: (resolved, answered))


def answer(resolved: Resolved) -> Answer:
    """Answer the question that a resolved scenario asks."""
    answered = with_maximum(resolved)
    question = asked(answered.template)
    kept: dict[str, Any] = {}
    columns = _replayed(question, answered)
    if columns is None:
        columns = _evaluated(question, answered, kept)
    return answered_by(Answer, question, columns, answered.shape, _origin(resolved, answered), kept)


Kind = TypeVar("Kind", bound="Answer")


def answered_by(
    kind: type[Kind],
    question: Question,
    columns: Mapping[str, Mapping[str, Any]],
    shape: tuple[int, ...],
    origin: Origin,
    kept: dict[str, Any],
) -> Kind:
    """An answer made of its columns by part; of no part (`LIMITS`) are codes of what limits phases."""
    parts = {}
    for part in question.parts:
        if part.name in columns:
            found = figures(part, columns[part.name], origin.scenario)
            parts[part.name] = found.map(lambda values: _whole(values, shape)) if shape else found
    return kind(question.name, parts, dict(columns.get(LIMITS, {})), shape, origin, kept)


def _whole(values: Any, shape: tuple[int, ...]) -> Any:
    """An array of its own of one value a configuration, read only: who keeps it keeps no other column."""
    own = isinstance(values, np.ndarray) and values.shape == shape and values.base is None
    found = values.view() if own else np.array(np.broadcast_to(values, shape), order="C")
    found.flags.writeable = False  # other outputs are derived from it
    return found


MANY, FEW = 32_768, 4_096
"""Configurations of one call from which on a recording pays, and from which on one that is there does."""


def _replayed(question: Question, answered: Resolved) -> dict[str, dict[str, Any]] | None:
    """Columns from a recording, where that pays."""
    if answered.size < FEW or not answered.shape:
        return None
    from llmperf.answers.recordings import recording

    known = recording(question, answered.template, tuple(answered.axes))
    if answered.size < MANY and not known.programs:
        return None
    return known.arrays(answered.axes, answered.shape)


def _evaluated(question: Question, answered: Resolved, kept: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Columns, evaluated block by block."""
    joined = Joined(answered)
    for scenario in answered.blocks():
        part = question.evaluation(scenario)
        kept.setdefault("evaluated", (part,))
        joined.add(columns_of(part))
    return grouped(joined.columns)


def with_maximum(resolved: Resolved) -> Resolved:
    """A scenario with the batch or input that the workload wants as large as possible."""
    if resolved.template.workload.maximize is None:
        return resolved
    from llmperf.answers.maximize import maximized

    return maximized(resolved)


def _named(codes: Any) -> Any:
    """Names of resources from their codes."""
    names = np.array([*RESOURCES, None], dtype=object)
    return names[codes]

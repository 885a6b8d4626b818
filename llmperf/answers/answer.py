"""The answer to a question: a resolved scenario evaluated, block by block, as figures that are read by path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from llmperf.answers.questions import QUESTIONS, asked
from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError, Problem, nearest
from llmperf.numeric import choose, codes
from llmperf.outputs import BOUND_BY, Part, canonical
from llmperf.phases.answered import Evaluated, Figures, figures
from llmperf.phases.notes import notes
from llmperf.records import dataclass
from llmperf.resources import CAPACITY, RESOURCES
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
    bottleneck : dict of str to str or ndarray
        What limits each phase: a key of `llmperf.resources.RESOURCES`; None where it does not take place.
    warnings : tuple of str
        What the answer assumes.
    evaluated : tuple of Evaluated
        The priced steps behind the numbers; only the first block of configurations is kept of an array.
    resolved : Resolved
        What was asked, before anything was maximized.
    answered : Resolved
        The same with what was maximized.
    """

    question: str
    parts: dict[str, Figures]
    bottleneck: dict[str, Any]
    warnings: tuple[str, ...]
    shape: tuple[int, ...]
    evaluated: tuple[Evaluated, ...]
    resolved: Resolved
    answered: Resolved

    @property
    def scenario(self) -> Scenario:
        """What was evaluated, with its arrays."""
        return self.answered.scenario

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


def answer(resolved: Resolved) -> Answer:
    """Answer the question that a resolved scenario asks, block by block."""
    answered = with_maximum(resolved)
    question = asked(answered.template)
    evaluate, joined = question.evaluation, Joined(answered)
    first: Evaluated | None = None
    for scenario in answered.blocks():
        part = evaluate(scenario)
        first = first or part
        joined.add(_columns(part))
    assert first is not None
    return Answer(
        question.name,
        {name: _collected(question.part(name), joined.columns, answered) for name in first.parts},
        {phase: _named(joined.columns[phase]) for phase in first.phases},
        (*answered.warnings, *notes(answered.scenario)),
        answered.shape,
        (first,),
        resolved,
        answered,
    )


def with_maximum(resolved: Resolved) -> Resolved:
    """A scenario with the batch or input that the workload wants as large as possible."""
    if resolved.template.workload.maximize is None:
        return resolved
    from llmperf.answers.maximize import maximized

    return maximized(resolved)


def _columns(part: Evaluated) -> dict[str, Any]:
    """All that the evaluation of a block gave, and what limits its phases."""
    found = {phase: _limiting(part, phase) for phase in part.phases}
    for name, one in part.parts.items():
        found.update({f"{name}.{output}": value for output, value in one.given.items()})
    return found


def _collected(part: Part, columns: Mapping[str, Any], answered: Resolved) -> Figures:
    """A part of all blocks together; what has a formula is computed of the whole, when it is read."""
    prefix = f"{part.name}."
    given = {key.removeprefix(prefix): value for key, value in columns.items() if key.startswith(prefix)}
    if not answered.shape:
        return figures(part, given, answered.template)
    flat = figures(part, {name: value.reshape(-1) for name, value in given.items()}, answered.scenario)
    return flat.map(lambda values: np.broadcast_to(values, (answered.size,)).reshape(answered.shape))


def _named(codes: Any) -> Any:
    """Names of resources from their codes."""
    names = np.array([*RESOURCES, None], dtype=object)
    return names[codes]


def _limiting(part: Evaluated, name: str) -> Any:
    """Index into `RESOURCES` (8 bit) of what a phase waits for most; one beyond where it does not take place."""
    phase = part.phases[name]
    order = list(RESOURCES)
    best: Any = -1.0
    index: Any = 0
    for resource, value in phase.waits.items():
        longer = value > best
        best, index = choose(longer, value, best), choose(longer, order.index(resource), index)
    if "memory" in part.parts:
        index = choose(part.parts["memory"].fits, index, order.index(CAPACITY))
    return codes(choose(phase.runs, index, len(order)))

"""The questions that a scenario may ask, one row each.

A row is all that comparison, checks, lock files, differences, claims, JSON, schema, notebook and report need to serve a
question: they read its answer by the paths of its outputs. `register` takes one from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from llmperf.descriptors.scenario import Scenario
from llmperf.outputs import PARTS, PHASES, SERVE_PARTS, Output, Part, PhaseKind, add_parts, add_phase, loaded, paths
from llmperf.records import dataclass
from llmperf.scenarios.keys import add_section

if TYPE_CHECKING:
    from llmperf.phases.answered import Evaluated


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes
    ----------
    name, label : str
        Its name in JSON, and what is asked, in words.
    evaluate : str or callable
        ``module:function``, loaded when the question is asked: a resolved scenario of one block -> `Evaluated`.
    parts : tuple of Part
        Outputs of its answer, in the order of JSON.
    phases : tuple of PhaseKind
        What its answer is made of, in time.
    asked_by : tuple of str
        Sections of a scenario that ask it; none of the static batch, which is asked where nothing else is.
    sections : dict of str to type
        Descriptor of each of these sections that the package does not have.
    """

    name: str
    label: str
    evaluate: str | Callable[[Scenario], Evaluated]
    parts: tuple[Part, ...]
    phases: tuple[PhaseKind, ...]
    asked_by: tuple[str, ...] = ()
    sections: tuple[tuple[str, type[Any]], ...] = ()

    @property
    def evaluation(self) -> Callable[[Scenario], Evaluated]:
        """What evaluates it."""
        function: Callable[[Scenario], Evaluated] = loaded(self.evaluate)
        return function

    @property
    def paths(self) -> dict[str, tuple[Part | None, Output]]:
        """Its outputs by the paths that name them, each with its part; what limits a phase is of none."""
        return paths(self.parts, tuple(kind.name for kind in self.phases))

    def part(self, name: str) -> Part:
        """One of its parts."""
        return next(part for part in self.parts if part.name == name)


QUESTIONS: dict[str, Question] = {
    "estimate": Question(
        "estimate",
        "a static batch: all prompts at time zero",
        "llmperf.phases.estimate:evaluate",
        tuple(PARTS[name] for name in ("bound", "roofline", "projection", "memory")),
        tuple(PHASES[name] for name in ("prefill", "decode")),
    ),
    "serve": Question(
        "serve",
        "a steady state: requests come, and others are complete",
        "llmperf.phases.serving.serve:evaluate",
        tuple(SERVE_PARTS.values()),
        tuple(PHASES[name] for name in ("prefill", "decode")),
        ("traffic",),
    ),
}
"""By name; the first is asked where a scenario asks nothing else."""


def register(question: Question) -> None:
    """Take a question from outside: with its parts, phases and sections of a scenario."""
    add_parts(question.parts)
    for kind in question.phases:
        add_phase(kind)
    for name, cls in question.sections:
        add_section(name, cls)
    QUESTIONS[question.name] = question


def asked(scenario: Scenario) -> Question:
    """The question that a scenario asks."""
    for question in QUESTIONS.values():
        if any(_said(scenario, section) for section in question.asked_by):
            return question
    return next(iter(QUESTIONS.values()))


def _said(scenario: Scenario, section: str) -> bool:
    return getattr(scenario, section, None) is not None or scenario.asks.get(section) is not None

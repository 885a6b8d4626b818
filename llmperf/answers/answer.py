"""The answer to a question: a resolved scenario evaluated, block by block, as figures that are read by path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import choose
from llmperf.phases.answered import Evaluated, Footprint, Metrics
from llmperf.phases.estimate import evaluate
from llmperf.phases.notes import notes
from llmperf.resources import CAPACITY, RESOURCES
from llmperf.scenarios.binding import Joined, Resolved

T = TypeVar("T", Metrics, Footprint)
PHASES = ("prefill", "decode")
PARTS = ("bound", "roofline", "projection", "footprint")
"""Figures of an evaluation."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one scenario; every value is a number, or an array of the shape that the inputs broadcast to.

    Attributes
    ----------
    bound, roofline, projection : Metrics
        What no system beats; the sum of every operator's own roofline; what a good implementation reaches.
    memory : Footprint
        Memory of one device.
    bottleneck : dict of str to str or ndarray
        What limits ``prefill`` and ``decode``: a key of `llmperf.resources.RESOURCES`; None where nothing is decoded.
    warnings : tuple of str
        What the estimate assumes.
    evaluated : tuple of Evaluated
        The priced steps behind the numbers; only the first block of configurations is kept of an array.
    resolved : Resolved
        What was asked, before anything was maximized.
    answered : Resolved
        The same with what was maximized.
    """

    bound: Metrics
    roofline: Metrics
    projection: Metrics
    memory: Footprint
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
        """An unprefixed output is the projection's or the memory's: ``result.tpot_s``, ``result.fits``."""
        for part in ("projection", "memory"):
            if name in {item.name for item in fields(object.__getattribute__(self, part))}:
                return getattr(object.__getattribute__(self, part), name)
        raise AttributeError(f"an estimate has no {name!r}")


def answer(resolved: Resolved) -> Answer:
    """Evaluate a resolved scenario, block by block."""
    answered = with_maximum(resolved)
    first: Evaluated | None = None
    joined = Joined(answered)
    for scenario in answered.blocks():
        part = evaluate(scenario)
        first = first or part
        joined.add(_figures(part))
    assert first is not None
    found = joined.columns
    bound, roofline, projection = (_collected(Metrics, found, name) for name in PARTS[:3])
    return Answer(
        bound,
        roofline,
        projection,
        _collected(Footprint, found, "footprint"),
        {phase: _named(found[phase]) for phase in PHASES},
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


def _figures(part: Evaluated) -> dict[str, Any]:
    """All figures of a block by their names, and what limits its phases."""
    found = {phase: _limiting(part, phase) for phase in PHASES}
    for name in PARTS:
        figures = getattr(part, name)
        found.update({f"{name}.{item.name}": getattr(figures, item.name) for item in fields(figures)})
    return found


def _collected(cls: type[T], found: Mapping[str, Any], name: str) -> T:
    return cls(**{item.name: found[f"{name}.{item.name}"] for item in fields(cls)})


def _named(codes: Any) -> Any:
    """Names of resources from their codes."""
    names = np.array([*RESOURCES, None], dtype=object)
    return names[codes]


def _limiting(part: Evaluated, phase: str) -> Any:
    """Index into `RESOURCES` (8 bit) of what a phase waits for most; one beyond where no token is decoded."""
    waits = getattr(part, phase).waits
    order = list(RESOURCES)
    best: Any = -1.0
    index: Any = 0
    for name, value in waits.items():
        longer = value > best
        best, index = choose(longer, value, best), choose(longer, order.index(name), index)
    index = choose(part.footprint.fits, index, order.index(CAPACITY))
    if phase == "decode":
        index = choose(part.setup.scenario.workload.output > 1, index, len(order))
    return np.uint8(index)

"""The answer to a question: a resolved scenario evaluated, block by block, as figures that are read by path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import choose
from llmperf.phases.answered import Evaluated, Footprint, Metrics
from llmperf.phases.estimate import evaluate
from llmperf.phases.notes import notes
from llmperf.resources import RESOURCES
from llmperf.scenarios.binding import Resolved, blocks, join

T = TypeVar("T", Metrics, Footprint)
PHASES = ("prefill", "decode")


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
    scenario : Scenario
        Fully resolved.
    evaluated : tuple of Evaluated
        The priced steps behind the numbers; only the first block of configurations is kept of an array.
    resolved : Resolved
        What was asked, before anything was maximized.
    """

    bound: Metrics
    roofline: Metrics
    projection: Metrics
    memory: Footprint
    bottleneck: dict[str, Any]
    warnings: tuple[str, ...]
    scenario: Scenario
    shape: tuple[int, ...]
    evaluated: tuple[Evaluated, ...]
    resolved: Resolved

    def __getattr__(self, name: str) -> Any:
        """An unprefixed output is the projection's or the memory's: ``result.tpot_s``, ``result.fits``."""
        for part in ("projection", "memory"):
            if name in {item.name for item in fields(object.__getattribute__(self, part))}:
                return getattr(object.__getattribute__(self, part), name)
        raise AttributeError(f"an estimate has no {name!r}")


def answer(resolved: Resolved) -> Answer:
    """Evaluate a resolved scenario, block by block."""
    asked, resolved = resolved, with_maximum(resolved)
    shape = resolved.shape
    size = int(np.prod(shape)) if shape else 1
    first: Evaluated | None = None
    parts: list[tuple[Any, ...]] = []
    for scenario in blocks(resolved.scenario, size) if shape else (resolved.scenario,):
        part = evaluate(scenario)
        first = first or part
        parts.append(
            (part.bound, part.roofline, part.projection, part.footprint, *(_limiting(part, phase) for phase in PHASES))
        )
    assert first is not None
    bound, roofline, projection, footprint, *limiting = zip(*parts, strict=True)
    return Answer(
        _joined(Metrics, bound, size, shape),
        _joined(Metrics, roofline, size, shape),
        _joined(Metrics, projection, size, shape),
        _joined(Footprint, footprint, size, shape),
        {phase: _named(found, size, shape) for phase, found in zip(PHASES, limiting, strict=True)},
        (*resolved.warnings, *notes(resolved.scenario)),
        resolved.scenario,
        shape,
        (first,),
        asked,
    )


def with_maximum(resolved: Resolved) -> Resolved:
    """A scenario with the batch or input that the workload wants as large as possible."""
    if resolved.scenario.workload.maximize is None:
        return resolved
    from llmperf.answers.maximize import maximized

    size = int(np.prod(resolved.shape)) if resolved.shape else None
    return replace(resolved, scenario=maximized(resolved.scenario, size))


def _joined(cls: type[T], parts: Sequence[T], size: int, shape: tuple[int, ...]) -> T:
    values = {}
    for item in fields(cls):
        found = [getattr(part, item.name) for part in parts]
        values[item.name] = _scalar(found[0]) if not shape else join(found, size, item.name == "fits").reshape(shape)
    return cls(**values)


def _scalar(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.reshape(-1)[0].item()
    return value.item() if isinstance(value, np.generic) else value


def _named(found: Sequence[Any], size: int, shape: tuple[int, ...]) -> Any:
    """Names of resources from their indices."""
    names = [*RESOURCES, None]
    if not shape:
        return names[int(_scalar(found[0]))]
    return np.array(names, dtype=object)[join(found, size).astype(int)].reshape(shape)


def _limiting(part: Evaluated, phase: str) -> Any:
    """Index into `RESOURCES` of what a phase waits for most; one beyond where no token is decoded."""
    waits = getattr(part, phase).waits
    order = list(RESOURCES)
    best: Any = -1.0
    index: Any = 0
    for name, value in waits.items():
        longer = value > best
        best, index = choose(longer, value, best), choose(longer, order.index(name), index)
    index = choose(part.footprint.fits, index, order.index("capacity"))
    return choose(part.setup.scenario.workload.output > 1, index, len(order)) if phase == "decode" else index

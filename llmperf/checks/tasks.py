"""Scenarios of one array call, answered together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from llmperf.answers.answer import Answer, answer
from llmperf.answers.values import values
from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError, Problem
from llmperf.evidence.confidence import extrapolated_of
from llmperf.files import store
from llmperf.phases.notes import notes
from llmperf.scenarios.binding import Resolved, bound
from llmperf.scenarios.resolve import resolve


@dataclass(frozen=True, slots=True)
class Answered:
    """The estimate of one check: values of all outputs by path, and what it rests on."""

    values: Mapping[str, Any]
    scenario: Scenario
    warnings: tuple[str, ...]
    files: tuple[str, ...]
    extrapolated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """Scenarios of one array call."""

    scenarios: tuple[dict[str, Any], ...]


def plain_number(value: Any) -> bool:
    """Whether a value of a workload is a number, which an array may take the place of."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def answered(task: Task, extra: tuple[str, ...]) -> list[Answered | list[Problem]]:
    """The scenarios of one array call; where that is refused, their halves, until the wrong ones stand alone."""
    scenarios = task.scenarios
    scenario = scenarios[0]
    if len(scenarios) > 1:
        works = [one["workload"] for one in scenarios]
        columns = {name: [work[name] for work in works] for name in works[0] if plain_number(works[0][name])}
        arrays = {name: np.array(column) for name, column in columns.items() if len(set(column)) > 1}
        scenario = {**scenario, "workload": {**works[0], **arrays}}
    try:
        with store.touching() as touched:
            resolved = resolve(scenario, {}, extra)
            result = answer(resolved)
    except InputError as error:
        if len(scenarios) == 1:
            return [list(error.problems)]
        half = len(scenarios) // 2
        halves = (replace(task, scenarios=part) for part in (scenarios[:half], scenarios[half:]))
        return [one for part in halves for one in answered(part, extra)]
    files = tuple(dict.fromkeys(touched))
    said = _said(resolved, result, len(scenarios))
    return [
        Answered(one, result.scenario, warnings, files, extrapolated)
        for one, (warnings, extrapolated) in zip(values(result, len(scenarios)), said, strict=True)
    ]


def _said(resolved: Resolved, result: Answer, size: int) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Warnings and extrapolations of each configuration; what all together do not cause, none of them does."""
    warnings, extrapolated = result.warnings, tuple(extrapolated_of(result))
    if size == 1 or not (warnings or extrapolated):
        yield from [(warnings, extrapolated)] * size
        return
    each = result.answered
    shortest = bound(each.template, {path: array.min(keepdims=True) for path, array in each.arrays.items()})
    alike = tuple(extrapolated_of(result, shortest)) == extrapolated  # what the shortest contexts cause, all do
    for index in range(size):
        own = each.cut(slice(index, index + 1))
        yield (
            (*resolved.warnings, *notes(own)) if warnings else (),
            extrapolated if alike else tuple(extrapolated_of(result, own)),
        )

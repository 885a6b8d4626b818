"""Evaluations of questions recorded once and replayed: kept by all that is not a number, or that no array varies.

A recording costs as much as some tens of evaluations, so that one is made for many configurations, or for a scenario
that is asked again and again; all else is evaluated as it is written. Where a block of configurations decides other
than the recording, another recording serves it, or it is evaluated.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from llmperf.answers.columns import columns_of, grouped
from llmperf.answers.questions import Question
from llmperf.descriptors.scenario import Scenario
from llmperf.outputs import generation
from llmperf.recording.recorder import Name, NotRecordedError, record
from llmperf.recording.replay import Block, Program
from llmperf.scenarios.binding import BLOCK, bound
from llmperf.scenarios.components import COMPONENTS

SAMPLE, VARIANTS, KINDS = 64, 4, 64
"""Configurations that a recording is made of, recordings of one kind, and kinds that are kept."""
SHORT = 32
"""Length of an axis below which it does not pay to keep it apart."""

Columns = Callable[[dict[str, Any]], dict[Name, Any]]
"""What an answer is made of, by group and name, as a function of arrays by path."""


class Recording:
    """Recordings of one kind of scenario: the same in all but the numbers at some paths.

    Parameters
    ----------
    columns : callable
        What is recorded.
    paths : tuple of str
        Where numbers vary.
    """

    def __init__(self, columns: Columns, paths: tuple[str, ...]) -> None:
        self.columns, self.paths = columns, paths
        self.programs: list[Program] = []
        self.fits = True

    def arrays(self, inputs: Mapping[str, Any], shape: tuple[int, ...]) -> dict[str, dict[str, Any]] | None:
        """Columns of a grid of configurations; None where nothing can be recorded.

        Parameters
        ----------
        inputs : mapping of str to ndarray
            At `paths`; they broadcast to `shape`.

        Returns
        -------
        dict of str to dict of str to number or ndarray
            By group and name; arrays broadcast to `shape`.
        """
        grid, axes = _merged(inputs, shape)
        if not self.programs and not self._record(axes):
            return None
        found, missed = self._serving(axes, grid)
        if missed:
            found = {name: np.array(np.broadcast_to(value, grid)) for name, value in found.items()}
            for block in missed:
                part = {path: array[_along(array, block)] for path, array in axes.items()}
                for name, value in self._otherwise(part).items():
                    found[name][block] = value
        return grouped({name: _spread(value, grid, shape) for name, value in found.items()})

    def number(self, values: Sequence[float]) -> dict[str, dict[str, Any]] | None:
        """Columns of one configuration with `values` at `paths`; None where it is not recorded."""
        for program in self.programs:
            found = self._single(program, values)
            if found is not None:
                return found
        twice = {path: np.full(2, one) for path, one in zip(self.paths, values, strict=True)}
        if len(self.programs) < VARIANTS and self._record(twice):
            return self._single(self.programs[-1], values)
        return None

    def _single(self, program: Program, values: Sequence[float]) -> dict[str, dict[str, Any]] | None:
        """Columns of one configuration; None where it decides otherwise, or NumPy alone gives what is not finite."""
        places = program.places(self.paths)
        try:
            found: dict[str, dict[str, Any]] | None = program.scalar(*[values[place] for place in places])
        except (ArithmeticError, ValueError):
            return None
        return found

    def _serving(self, axes: Mapping[str, Any], grid: tuple[int, ...]) -> tuple[dict[Name, Any], list[Block]]:
        """Results of the first recording that serves any block, which is the first from now on; and what it missed."""
        for place, program in enumerate(self.programs):
            found, missed = program.arrays(axes)
            if sum(math.prod(part.stop - part.start for part in block) for block in missed) < math.prod(grid):
                self.programs.insert(0, self.programs.pop(place))
                return found, missed
        if len(self.programs) < VARIANTS and self._record(axes):
            self.programs.insert(0, self.programs.pop())
            return self.programs[0].arrays(axes)
        return found, missed

    def _record(self, axes: Mapping[str, Any]) -> bool:
        """Add a recording of a sample; whether that is possible."""
        if not self.fits:
            return False
        try:
            tape, results = record(self.columns, _sample(axes))
        except NotRecordedError:
            self.fits = False
            return False
        self.programs.append(Program(tape, results))
        return True

    def _otherwise(self, axes: Mapping[str, Any]) -> dict[Name, Any]:
        """Columns of a block that decides other than the first recording."""
        tried = 1
        while tried < len(self.programs) or (tried < VARIANTS and self._record(axes)):
            found, missed = self.programs[tried].arrays(axes)
            if not missed:
                return found
            tried += 1
        shape = np.broadcast_shapes(*(array.shape for array in axes.values()))
        flat = {path: np.broadcast_to(array, shape).reshape(-1) for path, array in axes.items()}
        size = next(iter(flat.values())).size
        parts = []
        for begin in range(0, size, BLOCK):
            rows = slice(begin, min(begin + BLOCK, size))
            part = self.columns({path: array[rows] for path, array in flat.items()})
            width = rows.stop - begin
            parts.append({name: np.broadcast_to(np.ravel(value), width) for name, value in part.items()})
        return {name: np.concatenate([part[name] for part in parts]).reshape(shape) for name in parts[0]}


_known: OrderedDict[Any, list[tuple[Any, Recording]]] = OrderedDict()


def recording(question: Question, template: Scenario, paths: tuple[str, ...]) -> Recording:
    """The recordings of a question about scenarios like a template, with other numbers at some paths."""
    objects = (template.model, template.hardware, template.weights, template.kv_cache, template.engine)
    key = (generation(), question.name, question.evaluate, paths, *map(id, objects), id(template.attention))
    alike, rest = _known.setdefault(key, []), _rest(template, paths)
    found = next((one for own, one in alike if own == rest), None)
    if found is None:
        found = Recording(lambda given: columns_of(question.evaluation(bound(template, given))), paths)
        alike.append((rest, found))
        if len(alike) > KINDS:
            del alike[0]
    _known.move_to_end(key)
    if len(_known) > KINDS:
        _known.popitem(last=False)
    return found


def _rest(template: Scenario, paths: tuple[str, ...]) -> tuple[Any, ...]:
    """All but the components of a scenario, without the numbers at some paths."""
    own: Scenario = bound(template, {path: 0.0 for path in paths if path.partition(".")[0] not in COMPONENTS})
    return (
        own.workload,
        own.parallelism,
        own.activations,
        own.devices,
        own.placement,
        own.prices,
        own.traffic,
        own.prefill_pool,
        own.asks,
    )


def _sample(axes: Mapping[str, Any]) -> dict[str, Any]:
    """Some configurations of a grid: evenly spread, and where each number is smallest and largest."""
    shape = np.broadcast_shapes(*(array.shape for array in axes.values()))
    every = np.linspace(0, math.prod(shape) - 1, SAMPLE).astype(int)
    places = [np.array(np.unravel_index(every, shape))]
    for array in axes.values():
        places += [np.array(np.unravel_index([array.argmin(), array.argmax()], array.shape))]
    rows = tuple(np.concatenate(places, axis=1))
    return {path: np.broadcast_to(array, shape)[rows] for path, array in axes.items()}


def _merged(inputs: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[tuple[int, ...], dict[str, Any]]:
    """A grid with as few axes as may be: neighbours along which the same numbers vary are one, as are short ones."""
    groups: list[list[int]] = [[]]
    varying: tuple[bool, ...] = ()
    for axis, length in enumerate(shape):
        own = tuple(array.shape[axis] > 1 for array in inputs.values())
        size = math.prod(shape[one] for one in groups[-1])
        if own != varying and min(length, size) >= SHORT:
            groups.append([])
        groups[-1].append(axis)
        varying = own if length > 1 else varying
    lengths = [[shape[axis] for axis in group] for group in groups]
    merged = {}
    for path, array in inputs.items():
        parts = [[array.shape[axis] for axis in group] for group in groups]
        whole = [full if max(part) > 1 else part for part, full in zip(parts, lengths, strict=True)]
        spread = np.broadcast_to(array, [length for part in whole for length in part])
        merged[path] = np.ascontiguousarray(spread).reshape(list(map(math.prod, whole)))
    return tuple(map(math.prod, lengths)), merged


def _along(array: Any, block: Block) -> Block:
    """Where a block of a grid lies in an array that does not vary along all axes."""
    return tuple(part if length > 1 else slice(None) for part, length in zip(block, array.shape, strict=True))


def _spread(value: Any, grid: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """A column of a merged grid as one of the grid that was asked for."""
    return np.broadcast_to(value, grid).reshape(shape)

"""Arrays of a scenario: kept beside its numbers, bound to them in blocks, and the results of blocks joined."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import field, is_dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError, Problem, shown
from llmperf.numeric import Array, Real
from llmperf.records import dataclass

MAX_CONFIGURATIONS = 20_000_000
"""Configurations of one call: with some 350 bytes of results and arrays each, 7 GB."""

BLOCK = 4096
"""Configurations that are evaluated together: their arrays stay in the processor's cache."""


@dataclass(frozen=True)
class Resolved:
    """A scenario and what its resolution had to say.

    Attributes
    ----------
    template : Scenario
        All its numbers are plain; of arrays the first element.
    shape : tuple of int
        The broadcast shape of the arrays; empty where all are plain numbers.
    warnings : tuple of str
        What an importer assumed.
    axes : mapping of str to ndarray
        What varies, by its path in the scenario, as it was given: arrays that broadcast to `shape`, of as many axes;
        ``devices`` among them where the layout varies.
    asked : mapping
        What was written, as nested data with overrides on top; of arrays the first element.
    catalog : tuple of str
        Catalog directories that went before all others.
    """

    template: Scenario
    shape: tuple[int, ...]
    warnings: tuple[str, ...]
    axes: Mapping[str, Array] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)
    catalog: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Configurations. [1]"""
        return math.prod(self.shape)

    @cached_property
    def arrays(self) -> dict[str, Array]:
        """What varies by its path, one value for each configuration: (configurations,)."""
        return {path: np.broadcast_to(array, self.shape).reshape(-1) for path, array in self.axes.items()}

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario with its arrays, whole: of one axis."""
        scenario: Scenario = bound(self.template, self.arrays)
        return scenario

    @cached_property
    def on_axes(self) -> Scenario:
        """The scenario with its arrays as they were given, which broadcast against each other."""
        scenario: Scenario = bound(self.template, self.axes)
        return scenario

    def cut(self, rows: slice | NDArray[np.intp]) -> Scenario:
        """The scenario of some of its configurations."""
        scenario: Scenario = bound(self.template, {path: array[rows] for path, array in self.arrays.items()})
        return scenario

    def blocks(self) -> Iterator[Scenario]:
        """The scenario in parts of at most `BLOCK` configurations; once, of plain numbers, where nothing varies."""
        if not self.shape:
            yield self.template
            return
        for begin in range(0, self.size, BLOCK):
            yield self.cut(slice(begin, begin + BLOCK))

    def having(self, path: str, value: Real) -> Resolved:
        """The same with another number, or an array that broadcasts to its shape, or of one a configuration."""
        axes = {other: array for other, array in self.axes.items() if other != path}
        if isinstance(value, np.ndarray):
            axes[path] = value if value.ndim == len(self.shape) else value.reshape(self.shape)
            value = value.reshape(-1)[0].item()
        return replace(self, template=bound(self.template, {path: value}), axes=axes)


def without_arrays(data: Mapping[str, Any], prefix: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """`data` with every numeric array replaced by its first element; the arrays go to `arrays` by path."""
    out: dict[str, Any] = {}
    for key, value in data.items():
        path = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, Mapping):
            out[key] = without_arrays(value, path, arrays)
        elif isinstance(value, np.ndarray):
            array = value
            if array.dtype.kind not in "iuf" or array.size == 0:
                raise InputError(Problem(f"{shown(value)} is not an array of numbers", path))
            if array.ndim == 0:
                out[key] = array.item()
                continue
            arrays[path] = array
            out[key] = array.reshape(-1)[0].item()
        else:
            out[key] = value.item() if isinstance(value, np.generic) else value
    return out


def shape_of(arrays: Mapping[str, Any]) -> tuple[int, ...]:
    """The shape that arrays broadcast to; empty without arrays.

    Raises
    ------
    InputError
        If they do not broadcast, or span more than `MAX_CONFIGURATIONS`.
    """
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        sizes = ", ".join(f"{path} {array.shape}" for path, array in arrays.items())
        raise InputError(Problem(f"arrays do not broadcast against each other: {sizes}")) from None
    if math.prod(shape) > MAX_CONFIGURATIONS:
        text = f"the arrays span {math.prod(shape):,} configurations, more than {MAX_CONFIGURATIONS:,} at once"
        raise InputError(Problem(text, ", ".join(arrays)))
    return shape


def bound(value: Any, given: Mapping[str, Any]) -> Any:
    """`value` with what stands at some paths replaced; all that no path leads through is the same object.

    Raises
    ------
    InputError
        If a path leads through what has no fields.
    """
    inner: dict[str, dict[str, Any]] = {}
    changed: dict[str, Any] = {}
    for path, new in given.items():
        key, _, rest = path.partition(".")
        if rest:
            inner.setdefault(key, {})[rest] = new
        else:
            changed[key] = new
    if not given:
        return value
    if isinstance(value, dict):
        return {**value, **changed, **{key: bound(value[key], below) for key, below in inner.items()}}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **changed, **{key: bound(getattr(value, key), below) for key, below in inner.items()})
    raise InputError(Problem("no array can be bound here", next(iter(given))))


class Joined:
    """Results of blocks, each written to its place as it comes: those of a block are not kept beside the whole.

    Parameters
    ----------
    resolved : Resolved
        What is evaluated.

    Attributes
    ----------
    columns : dict of number or ndarray
        By key, of the shape of what is evaluated; plain numbers where nothing varies.
    rows : slice
        Where the next block goes.
    """

    def __init__(self, resolved: Resolved) -> None:
        self.shape, self.size = resolved.shape, resolved.size
        self.rows = slice(0, BLOCK)
        self.columns: dict[Any, Any] = {}

    def add(self, values: Mapping[Any, Any]) -> None:
        """The values of the next block, each a number for all of its configurations or an array of one each."""
        if not self.shape:
            self.columns = {name: plain(value) for name, value in values.items()}
            return
        for name, value in values.items():
            part = np.asarray(value).reshape(-1)
            if name not in self.columns:  # truth values and codes stay small; all else is a number
                kind = part.dtype if part.dtype.kind in "bu" else np.dtype(float)
                self.columns[name] = np.empty(self.shape, dtype=kind)
            self.columns[name].reshape(-1)[self.rows] = part
        self.rows = slice(self.rows.stop, self.rows.stop + BLOCK)


def plain(value: Any) -> Any:
    """The one value of an array, or of a scalar of NumPy, as a plain number."""
    if isinstance(value, np.ndarray):
        value = value.reshape(-1)[0]
    if isinstance(value, np.generic):
        return value.item() if value.dtype.kind in "bu" else float(value)  # truth values and codes stay what they are
    return float(value) if type(value) is int else value

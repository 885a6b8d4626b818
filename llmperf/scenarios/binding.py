"""Arrays of a scenario: bound to its numbers after validation, cut into blocks, joined again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError, Problem, shown
from llmperf.numeric import Array

MAX_CONFIGURATIONS = 20_000_000
"""Configurations of one call: about 3 GB of results."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A scenario and what its resolution had to say.

    Attributes
    ----------
    scenario : Scenario
        Its arrays are flat and have one length.
    shape : tuple of int
        The broadcast shape of the arrays; empty where all are plain numbers.
    warnings : tuple of str
        What an importer assumed.
    asked : mapping
        What was written, as nested data with overrides on top; of arrays the first element.
    catalog : tuple of str
        Catalog directories that went before all others.
    """

    scenario: Scenario
    shape: tuple[int, ...]
    warnings: tuple[str, ...]
    asked: Mapping[str, Any] = field(default_factory=dict)
    catalog: tuple[str, ...] = ()


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


def bind(value: Any, keys: list[str], array: Any) -> Any:
    """`value` with the field at `keys` replaced by an array."""
    key, rest = keys[0], keys[1:]
    if isinstance(value, dict):
        return {**value, key: bind(value[key], rest, array) if rest else array}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{key: bind(getattr(value, key), rest, array) if rest else array})
    raise InputError(Problem("no array can be bound here", ".".join(keys)))


BLOCK = 4096
"""Configurations that are evaluated together: their arrays stay in the processor's cache."""


def blocks(scenario: Scenario, size: int) -> Iterator[Scenario]:
    """A scenario with arrays of length `size`, cut into parts of at most `BLOCK` configurations."""
    for begin in range(0, size, BLOCK):
        yield with_arrays(scenario, size, itemgetter(slice(begin, begin + BLOCK)))


def with_arrays(value: Any, size: int, change: Callable[[Array], Array]) -> Any:
    """A scenario, or a part of it, with each of its arrays of length `size` changed."""
    if isinstance(value, np.ndarray):
        return change(value) if value.size == size else value
    if is_dataclass(value) and not isinstance(value, type):
        changed = {}
        for item in fields(value):
            old = getattr(value, item.name)
            new = with_arrays(old, size, change)
            if new is not old:
                changed[item.name] = new
        return replace(value, **changed) if changed else value
    if isinstance(value, dict):
        inner = {key: with_arrays(item, size, change) for key, item in value.items()}
        return inner if any(inner[key] is not value[key] for key in value) else value
    return value


def join(parts: Sequence[Any], size: int, logical: bool = False) -> NDArray[Any]:
    """Results of blocks one after the other, each repeated to the length of its block where it does not vary."""
    out = np.empty(size, dtype=bool if logical else float)
    for begin, part in zip(range(0, size, BLOCK), parts, strict=True):
        out[begin : begin + BLOCK] = np.asarray(part).reshape(-1)
    return out

"""Recording: one evaluation of formulas on arrays, written down as a list of operations on single numbers.

Formulas are plain functions on arrays. Called with `Recorded` arrays in place of some, they leave a `Tape`: every
operation that leads from these to the results, with constants folded, equal operations merged, and the rows of a table
taken apart, so that each operation is on one number a configuration. `llmperf.recording.replay` runs a tape.

What a formula decides by looking at its numbers (`llmperf.numeric.anywhere` and the like) is written down with what
was found, as a guard: a tape holds where all of its guards come out alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from llmperf.records import dataclass

Name = tuple[str, str]
"""Group and name of a result."""

Nodes = Any
"""Numbers of nodes, of the shape of the values but for the last axis, which is 1."""

COMMUTATIVE = frozenset((np.add, np.multiply, np.maximum, np.minimum, np.logical_and, np.logical_or))


EQUAL = {
    np.greater: False,
    np.less: False,
    np.not_equal: False,
    np.greater_equal: True,
    np.less_equal: True,
    np.equal: True,
}
"""What comparisons say of a number and itself."""


class NotRecordedError(ValueError):
    """A formula does what cannot be recorded; says what, and what to write in its place."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What a formula decided: whether ``any``, ``all`` or the largest (``max``) of some nodes, and what was found."""

    kind: str
    nodes: tuple[int, ...]
    found: Any


class Tape:
    """Operations on numbers in the order in which they can run.

    Attributes
    ----------
    operations : list of (function, arguments)
        By the number of the node that it gives: a function of NumPy and the numbers of other nodes. Of inputs and
        constants the function is None, and the argument a path, or the value.
    guards : list of Guard
    """

    def __init__(self) -> None:
        self.operations: list[tuple[Callable[..., Any] | None, tuple[Any, ...]]] = []
        self.guards: list[Guard] = []
        self._known: dict[Any, int] = {}

    def input(self, path: str) -> int:
        """The node of a number that varies."""
        return self._node(None, (path,))

    def constant(self, value: Any) -> int:
        """The node of a number or truth value."""
        value = value.item() if isinstance(value, np.generic | np.ndarray) else value
        return self._node(None, (value,), (type(value), repr(value)))

    def value(self, node: int) -> Any:
        """The value of a constant; None of all else."""
        function, arguments = self.operations[node]
        return None if function is not None or isinstance(arguments[0], str) else arguments[0]

    def operation(self, function: Callable[..., Any], *arguments: int, finite: bool = False) -> int:
        """The node of a function of nodes: folded where all are constant, an earlier one where it is the same.

        `finite` says that no value of the sample is infinite or undefined.
        """
        values = [self.value(node) for node in arguments]
        if None not in values:
            with np.errstate(all="ignore"):
                return self.constant(function(*values))
        found = _simpler(function, arguments, values, finite)
        if found is not None:
            return found if isinstance(found, int) else self.constant(found[0])
        if function in COMMUTATIVE:
            arguments = tuple(sorted(arguments))
        return self._node(function, arguments)

    def _node(self, function: Callable[..., Any] | None, arguments: tuple[Any, ...], key: Any = None) -> int:
        key = key or (function, arguments)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = len(self.operations)
            self.operations.append((function, arguments))
        return found

    def decide(self, kind: str, nodes: Nodes, found: Any) -> Any:
        """Write down what was decided; nothing where it depends on no number that varies."""
        varying = tuple(dict.fromkeys(node for node in nodes.ravel().tolist() if self.value(node) is None))
        if varying:
            constants = [self.value(node) for node in nodes.ravel().tolist() if self.value(node) is not None]
            settled = (kind == "any" and any(constants)) or (kind == "all" and not all(constants))
            guard = Guard(kind, varying, found)
            if not settled and guard not in self.guards:
                self.guards.append(guard)
        return found


def _simpler(
    function: Callable[..., Any], arguments: tuple[int, ...], values: list[Any], finite: bool
) -> int | tuple[Any] | None:
    """A node, or a constant (in a tuple), that equals a function of nodes; None where there is none."""
    first, *rest = arguments
    if function is np.where:
        if values[0] is not None:
            return arguments[1 if values[0] else 2]
        return arguments[1] if arguments[1] == arguments[2] else None
    if not rest:
        return None
    one, other = values
    if function is np.multiply:
        if finite and (one == 0 or other == 0):
            return (0.0,)
        return rest[0] if one == 1 else first if other == 1 else None
    if function is np.add:
        return rest[0] if one == 0 else first if other == 0 else None
    if (function is np.subtract and other == 0) or (function is np.true_divide and other == 1):
        return first
    if function is np.true_divide and finite and one == 0:
        return (0.0,)
    if first == rest[0]:
        if function in (np.maximum, np.minimum, np.logical_and, np.logical_or):
            return first
        if function in EQUAL:
            return (EQUAL[function],)
    return None


def record(
    function: Callable[[dict[str, Any]], dict[Name, Any]], sample: dict[str, Any]
) -> tuple[Tape, dict[Name, int]]:
    """Record a function of arrays.

    Parameters
    ----------
    function : callable
        Takes arrays of one value a configuration by path, and gives arrays of such, or numbers, by group and name.
    sample : dict of str to ndarray, (configurations,)
        Two configurations or more, whose decisions are those of the tape.

    Returns
    -------
    tape : Tape
    results : dict of (str, str) to int
        Nodes of the results by group and name.

    Raises
    ------
    NotRecordedError
        If the function does what cannot be recorded.
    """
    tape = Tape()
    with np.errstate(all="ignore"):
        found = function({path: _input(tape, path, values) for path, values in sample.items()})
    results = {}
    for name, value in found.items():
        nodes = value.nodes if isinstance(value, Recorded) else _constants(tape, value)
        if nodes.size != 1:
            raise NotRecordedError(f"{'.'.join(name)} is not one number a configuration")
        results[name] = int(nodes.reshape(-1)[0])
    return tape, results


def _input(tape: Tape, path: str, sample: Any) -> Recorded:
    return Recorded(tape, np.asarray(sample, dtype=float), np.array([tape.input(path)]))


def _constants(tape: Tape, value: Any) -> Nodes:
    """Nodes of a number, or of an array that is the same for all configurations."""
    array = np.asarray(value)
    if array.ndim and array.strides[-1] == 0:
        array = array[..., :1]  # a number that was broadcast to all configurations
    if array.ndim and array.shape[-1] != 1:
        raise NotRecordedError(
            f"an array of the shape {array.shape} was computed outside of what is recorded: its last axis must be 1, "
            "or it must come from arrays that are recorded by functions that llmperf.recording.recorder knows"
        )
    flat = [tape.constant(one) for one in array.ravel().tolist()]
    return np.array(flat).reshape(array.shape or (1,))


class Recorded(NDArrayOperatorsMixin):
    """An array under recording: its values for some configurations, and the nodes that they come from.

    To formulas it is an ndarray whose last axis are the configurations. What would turn it into a plain one, so that
    the recording lost it, raises.
    """

    __slots__ = ("data", "nodes", "tape")

    def __init__(self, tape: Tape, data: Any, nodes: Nodes) -> None:
        self.tape, self.data, self.nodes = tape, data, nodes
        if data.shape[:-1] != nodes.shape[:-1] or nodes.shape[-1:] != (1,):
            raise NotRecordedError("the last axis are the configurations: it cannot be indexed")

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """What `isinstance` sees."""
        return np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an ndarray."""
        return tuple(self.data.shape)

    @property
    def ndim(self) -> int:
        """As of an ndarray."""
        return int(self.data.ndim)

    @property
    def size(self) -> int:
        """As of an ndarray."""
        return int(self.data.size)

    @property
    def dtype(self) -> Any:
        """As of an ndarray."""
        return self.data.dtype

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, key: Any) -> Recorded:
        if self.data.ndim == 1 and key is not None and key != (None, slice(None)) and key != (Ellipsis, slice(None)):
            raise NotRecordedError("the last axis are the configurations: it cannot be indexed")
        return Recorded(self.tape, self.data[key], self.nodes[key])

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise NotRecordedError(
            "an array under recording cannot become a plain one: leave out np.asarray and np.array "
            "(llmperf.numeric.stack puts rows together), and in-place assignments"
        )

    def __bool__(self) -> bool:
        raise NotRecordedError("decide by llmperf.numeric.anywhere or everywhere, choose by llmperf.numeric.choose")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotRecordedError(f".{name} of an array cannot be recorded (see docs/recording.md)")

    def astype(self, kind: Any) -> Recorded:
        """As of an ndarray; to codes of 8 bit only."""
        if kind is not np.uint8:
            raise NotRecordedError("values stay numbers, or become codes of 8 bit")
        return self._each(np.uint8, self)

    def any(self, axis: int | None = None) -> Any:
        """Over rows; without an axis a decision."""
        if axis is not None:
            return np.logical_or.reduce(self, axis=axis)
        return self.tape.decide("any", self.nodes, bool(self.data.any()))

    def all(self, axis: int | None = None) -> Any:
        """Over rows; without an axis a decision."""
        if axis is not None:
            return np.logical_and.reduce(self, axis=axis)
        return self.tape.decide("all", self.nodes, bool(self.data.all()))

    def max(self, axis: int | None = None) -> Any:
        """Over rows; without an axis a decision."""
        if axis is None:
            return self.tape.decide("max", self.nodes, self.data.max().item())
        return np.maximum.reduce(self, axis=axis)

    def min(self, axis: int) -> Any:
        """Over rows."""
        return np.minimum.reduce(self, axis=axis)

    def sum(self, axis: int) -> Any:
        """Over rows."""
        return np.add.reduce(self, axis=axis)

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if options.get("out") is not None:
            raise NotRecordedError("results go to new arrays: no out=, no += on arrays")
        if method == "reduce":
            return self._reduced(function, options.pop("axis", 0), inputs[0])
        if method != "__call__" or options:
            raise NotRecordedError(f"np.{function.__name__}.{method} with {options} cannot be recorded")
        return self._product(*inputs) if function is np.matmul else self._each(function, *inputs)

    def _each(self, function: Any, *inputs: Any) -> Recorded:
        """A function of each element."""
        tape = self.tape
        data = function(*(one.data if type(one) is Recorded else one for one in inputs))
        parts = [one.nodes if type(one) is Recorded else _constants(tape, one) for one in inputs]
        finite = all(bool(np.isfinite(one.data).all()) for one in inputs if type(one) is Recorded)
        if len(parts) == 1:
            shape, columns = parts[0].shape, [parts[0].ravel().tolist()]
        else:
            spread = np.broadcast_arrays(*parts)
            shape, columns = spread[0].shape, [part.ravel().tolist() for part in spread]
        found = [tape.operation(function, *nodes, finite=finite) for nodes in zip(*columns, strict=True)]
        return Recorded(tape, data, np.array(found).reshape(shape))

    def _reduced(self, function: Any, axis: int, values: Recorded) -> Recorded:
        """Rows of a leading axis joined one after the other, as NumPy joins them."""
        if axis % values.ndim == values.ndim - 1:
            raise NotRecordedError("the last axis are the configurations: it cannot be reduced")
        nodes = np.moveaxis(values.nodes, axis, 0)
        found = nodes[0].ravel().tolist()
        for row in nodes[1:]:
            found = [self.tape.operation(function, *pair) for pair in zip(found, row.ravel().tolist(), strict=True)]
        data = function.reduce(values.data, axis=axis)
        return Recorded(self.tape, data, np.array(found).reshape(nodes.shape[1:]))

    def _product(self, matrix: Any, values: Any) -> Recorded:
        """A constant matrix times rows; rows of an equal weight are added up before they are weighted."""
        if type(matrix) is Recorded:
            raise NotRecordedError("a product of matrices of which the first varies: multiply and sum up")
        rows, tape = values.nodes[:, 0].tolist(), self.tape
        found = []
        for weights in matrix.reshape(-1, matrix.shape[-1]).tolist():
            total = tape.constant(0.0)
            for weight in dict.fromkeys(weights):
                part = tape.constant(0.0)
                for row in (row for row, own in zip(rows, weights, strict=True) if own == weight != 0.0):
                    part = tape.operation(np.add, part, row)
                total = tape.operation(np.add, total, tape.operation(np.multiply, tape.constant(weight), part))
            found.append(total)
        return Recorded(tape, matrix @ values.data, np.array(found).reshape((*matrix.shape[:-1], 1)))

    def __array_function__(self, function: Any, _: Any, inputs: Any, options: Any) -> Any:
        known = _FUNCTIONS.get(function)
        if known is None:
            raise NotRecordedError(f"np.{function.__name__} cannot be recorded (see docs/recording.md)")
        return known(self.tape, *inputs, **options)


def _where(_: Tape, condition: Any, a: Any, b: Any) -> Any:
    one = next(value for value in (condition, a, b) if type(value) is Recorded)
    return one._each(np.where, condition, a, b)


def _joined(function: Any) -> Callable[..., Any]:
    """A function that puts arrays together along a leading axis."""

    def joined(tape: Tape, arrays: Sequence[Any], axis: int = 0) -> Recorded:
        width = next(one.data.shape[-1] for one in arrays if type(one) is Recorded)
        data, nodes = [], []
        for one in arrays:
            plain = type(one) is not Recorded
            data.append(np.broadcast_to(one, (*np.shape(one)[:-1], width)) if plain else one.data)
            nodes.append(_constants(tape, one) if plain else one.nodes)
        return Recorded(tape, function(data, axis=axis), function(nodes, axis=axis))

    return joined


def _broadcast_to(tape: Tape, array: Recorded, shape: tuple[int, ...]) -> Recorded:
    return Recorded(tape, np.broadcast_to(array.data, shape), np.broadcast_to(array.nodes, (*shape[:-1], 1)))


def _broadcast_arrays(tape: Tape, *arrays: Any) -> tuple[Any, ...]:
    shape = np.broadcast_shapes(*(np.shape(one.data if type(one) is Recorded else one) for one in arrays))
    like = next(one for one in arrays if type(one) is Recorded)
    zero = Recorded(tape, np.zeros(shape), np.full((*shape[:-1], 1), tape.constant(0.0)))
    return tuple(
        _broadcast_to(tape, one, shape) if type(one) is Recorded else like._each(np.add, one, zero) for one in arrays
    )


def _filled(value: float) -> Callable[..., Any]:
    return lambda tape, array: Recorded(
        tape, np.full(array.shape, value), np.full((*array.shape[:-1], 1), tape.constant(value))
    )


def _interpolated(tape: Tape, at: Recorded, places: Any, values: Any) -> Recorded:
    interpolation = Interpolation(tuple(map(float, places)), tuple(map(float, values)))
    known = tape._known.setdefault(interpolation, interpolation)  # type: ignore[arg-type]
    return at._each(known, at)


@dataclass(frozen=True, slots=True)
class Interpolation:
    """A piecewise linear function, as of `numpy.interp`."""

    places: tuple[float, ...]
    values: tuple[float, ...]

    def __call__(self, at: Any) -> Any:
        """Values at some places."""
        return np.interp(at, self.places, self.values)


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.where: _where,
    np.stack: _joined(np.stack),
    np.concatenate: _joined(np.concatenate),
    np.broadcast_to: _broadcast_to,
    np.broadcast_arrays: _broadcast_arrays,
    np.zeros_like: _filled(0.0),
    np.ones_like: _filled(1.0),
    np.full_like: lambda tape, array, value: _filled(value)(tape, array),
    np.interp: _interpolated,
    np.shape: lambda _, array: array.shape,
    np.ndim: lambda _, array: array.ndim,
    np.size: lambda _, array: array.size,
    np.max: lambda _, array, **options: array.max(**options),
    np.any: lambda _, array, **options: array.any(**options),
    np.all: lambda _, array, **options: array.all(**options),
}
"""Functions of NumPy, beside its elementwise ones, that formulas may use."""

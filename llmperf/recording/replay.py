"""Replay: a recorded evaluation run again, by NumPy for arrays, as Python for one configuration.

A tape (`llmperf.recording.recorder`) is brought into an order that decides first and computes what remains afterwards.
For arrays each operation is one call of NumPy on a block that stays in the processor's cache, into buffers that are
used again; an operation that depends on some axes of a grid alone is done on those. For numbers the tape becomes one
Python function.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import accumulate, product
from operator import itemgetter
from typing import Any

import numpy as np

from llmperf.recording.condensing import behind, condensed
from llmperf.recording.recorder import Guard, Name, Tape

CHUNK = 16384
"""Configurations of one block: enough that calls cost little, few enough that some tens of buffers stay in a cache."""

TRUTHS = frozenset(
    (np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal, np.isfinite, np.isnan)
) | {np.logical_and, np.logical_or, np.logical_not}
"""Functions that give truth values."""

Block = tuple[slice, ...]
"""Part of a grid of configurations: a slice of each axis."""


class Program:
    """A tape with the results that are wanted of it.

    Parameters
    ----------
    tape : Tape
    results : mapping of (str, str) to int
        Nodes by group and name.

    Attributes
    ----------
    order : tuple of int
        Operations that guards or results need, those of the guards first; each after what it needs.
    deciding : int
        How many of them are of the guards.
    """

    def __init__(self, tape: Tape, results: Mapping[Name, int]) -> None:
        self.tape, self.results = condensed(tape, results)
        tape = self.tape
        operations = {node for node, (function, _) in enumerate(tape.operations) if function is not None}
        guards = [node for node in behind(tape, (n for g in tape.guards for n in g.nodes)) if node in operations]
        others = operations.difference(guards)
        self.order = (*guards, *(node for node in behind(tape, self.results.values()) if node in others))
        self.deciding = len(guards)
        self.paths = tuple(tape.operations[node][1][0] for node in range(len(tape.operations)) if self.is_input(node))
        self._schedules: dict[tuple[Any, ...], Schedule] = {}
        self._places: dict[tuple[str, ...], tuple[int, ...]] = {}

    def places(self, paths: tuple[str, ...]) -> tuple[int, ...]:
        """Where its inputs stand among some paths."""
        found = self._places.get(paths)
        if found is None:
            found = self._places[paths] = tuple(paths.index(path) for path in self.paths)
        return found

    def is_input(self, node: int) -> bool:
        """Whether a node is an input."""
        function, arguments = self.tape.operations[node]
        return function is None and isinstance(arguments[0], str)

    @cached_property
    def kinds(self) -> list[Any]:
        """Type of each node's values: numbers, truth values, or codes of 8 bit."""
        found: list[Any] = []
        for function, arguments in self.tape.operations:
            if function is None:
                found.append(bool if isinstance(arguments[0], bool) else float)
            elif function in (np.where, np.bitwise_and, np.bitwise_or, np.invert):
                found.append(found[arguments[-1]])
            else:
                found.append(bool if function in TRUTHS else function if function is np.uint8 else float)
        return found

    @cached_property
    def constants(self) -> dict[int, Any]:
        """Constants by node, in the form in which NumPy takes them fastest."""
        values = {node: self.tape.value(node) for node in range(len(self.tape.operations))}
        return {node: np.array(value) for node, value in values.items() if value is not None}

    @cached_property
    def inputs(self) -> list[tuple[int, tuple[str, ...]]]:
        """Inputs, and their paths."""
        return [(n, entry[1]) for n, entry in enumerate(self.tape.operations) if self.is_input(n)]

    def arrays(self, inputs: Mapping[str, Any]) -> tuple[dict[Name, Any], list[Block]]:
        """Results of arrays.

        Parameters
        ----------
        inputs : mapping of str to ndarray
            By path; all of as many axes as the grid that they span, 1 where they do not vary.

        Returns
        -------
        results : dict of (str, str) to ndarray or number
            By group and name, each of the axes that it depends on; numbers where on none.
        missed : list of tuple of slice
            Blocks of the grid whose decisions are other than those of the tape: their results are not set.
        """
        shape = np.broadcast_shapes(*(array.shape for array in inputs.values()))
        axes = tuple(tuple(length > 1 for length in inputs[path].shape) for path in self.paths)
        key = (axes, shape)
        if key not in self._schedules:
            if len(self._schedules) >= SCHEDULES:
                self._schedules.clear()
            self._schedules[key] = Schedule(self, axes, shape)
        with np.errstate(all="ignore"):
            return self._schedules[key].run([inputs[path] for path in self.paths])

    @cached_property
    def scalar(self) -> Any:
        """The tape as a function of one number for each of `paths`: results by group and name; None where it misses."""
        return _Source(self).compiled()


class _Source:
    """A program as the source of a Python function; what is used once is written where it is used."""

    def __init__(self, program: Program) -> None:
        self.program, self.tape = program, program.tape
        self.names = dict(_NAMES)
        self.used = Counter(one for node in program.order for one in self.tape.operations[node][1])
        self.kept = {*program.results.values(), *(node for guard in self.tape.guards for node in guard.nodes)}
        self.said: dict[int, str] = {}
        self.lines: list[str] = []

    def compiled(self) -> Any:
        """The function."""
        program, missed = self.program, [self._missed(guard) for guard in self.tape.guards]
        self.said |= {node: f"v{node}" for node, _ in program.inputs}
        for place, node in enumerate(program.order):
            if place == program.deciding:
                self.lines += [f"    if {one}: return None" for one in missed]
            self._add(node)
        if program.deciding == len(program.order):
            self.lines += [f"    if {one}: return None" for one in missed]
        head = f"def replayed({', '.join(f'v{node}' for node, _ in program.inputs)}):"
        exec("\n".join((head, *self.lines, f"    return {self._results()}")), self.names)
        return self.names["replayed"]

    def _add(self, node: int) -> None:
        function, arguments = self.tape.operations[node]
        form = PYTHON.get(function)
        if form is None:
            self.names[f"f{node}"] = function
            form = f"f{node}({', '.join(f'{{{place}}}' for place in range(len(arguments)))}).item()"
        written = form.format(*(self._value(one) for one in arguments))
        once = self.used[node] == 1 and node not in self.kept and node not in self._repeating
        if once and len(written) < LONGEST:
            self.said[node] = f"({written})"
        else:
            self.said[node] = f"v{node}"
            self.lines.append(f"    v{node} = {written}")

    @cached_property
    def _repeating(self) -> set[int]:
        """Nodes that the Python of their user mentions more than once."""
        found: set[int] = set()
        for node in self.program.order:
            function, arguments = self.tape.operations[node]
            form = PYTHON.get(function, "")
            found.update(one for place, one in enumerate(arguments) if form.count(f"{{{place}}}") > 1)
        return found

    def _value(self, node: int) -> str:
        value = self.tape.value(node)
        return self.said[node] if value is None else f"({value!r})"

    def _missed(self, guard: Guard) -> str:
        """Whether a guard does not hold."""
        found = [f"v{node}" for node in guard.nodes]
        if guard.kind == "max":
            return f"max({', '.join(found)}, -inf) != {guard.found!r}"
        joined = (" or " if guard.kind == "any" else " and ").join(found)
        return f"not ({joined})" if guard.found else f"({joined})"

    def _results(self) -> str:
        groups: dict[str, list[str]] = {}
        for (group, name), node in self.program.results.items():
            said = self._value(node)
            said = f"float({said})" if self.program.kinds[node] is float else said
            groups.setdefault(group, []).append(f"{name!r}: {said}")
        return f"{{{', '.join(f'{group!r}: {{{chr(44).join(own)}}}' for group, own in groups.items())}}}"


LONGEST = 300
"""Characters of an expression that is still written where it is used."""

SCHEDULES = 16
"""Schedules of a program that are kept, one for each shape."""

PYTHON: dict[Any, str] = {
    np.add: "{0} + {1}",
    np.subtract: "{0} - {1}",
    np.multiply: "{0} * {1}",
    np.true_divide: "{0} / {1}",
    np.negative: "-{0}",
    np.power: "{0} ** {1}",
    np.square: "{0} * {0}",
    np.absolute: "abs({0})",
    np.sqrt: "sqrt({0})",
    np.log: "log({0})",
    np.exp: "exp({0})",
    np.floor: "floor({0})",
    np.ceil: "ceil({0})",
    np.maximum: "{0} if {0} > {1} else {1}",
    np.minimum: "{0} if {0} < {1} else {1}",
    np.greater: "{0} > {1}",
    np.greater_equal: "{0} >= {1}",
    np.less: "{0} < {1}",
    np.less_equal: "{0} <= {1}",
    np.equal: "{0} == {1}",
    np.not_equal: "{0} != {1}",
    np.isfinite: "isfinite({0})",
    np.isnan: "isnan({0})",
    np.logical_and: "{0} and {1}",
    np.logical_or: "{0} or {1}",
    np.logical_not: "not {0}",
    np.invert: "not {0}",  # of truth values; formulas have no bits of whole numbers
    np.bitwise_and: "{0} & {1}",
    np.bitwise_or: "{0} | {1}",
    np.where: "{1} if {0} else {2}",
    np.uint8: "int({0})",
}
"""Functions of NumPy as Python; others are called."""


def _floor(value: float) -> float:
    return value // 1.0 if -math.inf < value < math.inf else value


def _ceil(value: float) -> float:
    return -(-value // 1.0) if -math.inf < value < math.inf else value


_NAMES = {
    **{name: getattr(math, name) for name in ("isfinite", "isnan", "sqrt", "log", "exp", "inf", "nan")},
    "floor": _floor,
    "ceil": _ceil,
}
"""What the Python of a program may call."""


class Schedule:
    """A program on a grid of one shape: what is done once, what in every block, and in which buffers.

    Parameters
    ----------
    program : Program
    axes : tuple of tuple of bool
        Of each input, along which axes of the grid it varies.
    shape : tuple of int
        Of the grid.
    """

    def __init__(self, program: Program, axes: tuple[tuple[bool, ...], ...], shape: tuple[int, ...]) -> None:
        self.program = program
        self.axes = self._dependence(axes, len(shape))
        self.turned = self._turned()
        self.axes = [tuple(varies[axis] for axis in self.turned) for varies in self.axes]
        self.shape = tuple(shape[axis] for axis in self.turned)
        self.block = _block_of(self.shape)
        self.cut = (True, *(part < whole for part, whole in zip(self.block[1:], self.shape[1:], strict=True)))
        inside = [node for node in program.order if self._in_blocks(node)]
        self.once = self._once(inside)
        self.deciding = sum(map(self._in_blocks, program.order[: program.deciding]))
        self.own = [node for node in dict.fromkeys(program.results.values()) if node in set(inside)]
        self.buffers: list[tuple[tuple[bool, ...], Any]] = []
        self.place = self._places(inside)
        self.calls = [self._call(node) for node in inside]

    def _turned(self) -> tuple[int, ...]:
        """Axes of the grid as blocks have them: along the first, which is cut, the fewest operations vary."""
        varying = Counter(axis for node in self.program.order for axis, one in enumerate(self.axes[node]) if one)
        return tuple(sorted(range(len(self.axes[0])), key=lambda axis: varying[axis]))

    def _once(self, inside: list[int]) -> list[tuple[int, list[int]]]:
        """Nodes that no block computes, each with those that nobody needs after it."""
        tape, found = self.program.tape, [node for node in self.program.order if not self._in_blocks(node)]
        needed = {one for node in inside for one in tape.operations[node][1]}.union(self.program.results.values())
        needed.update(node for guard in tape.guards for node in guard.nodes)
        last = {one: node for node in found for one in tape.operations[node][1]}
        done: dict[int, list[int]] = {}
        for one in last.keys() & set(found) - needed:
            done.setdefault(last[one], []).append(one)
        return [(node, done.get(node, [])) for node in found]

    def _dependence(self, axes: tuple[tuple[bool, ...], ...], number: int) -> list[tuple[bool, ...]]:
        """Along which axes each node varies."""
        none = (False,) * number
        given = dict(zip(self.program.paths, axes, strict=True))
        found: list[tuple[bool, ...]] = []
        for function, arguments in self.program.tape.operations:
            if function is None:
                found.append(given.get(arguments[0], none) if isinstance(arguments[0], str) else none)
            else:
                found.append(tuple(map(any, zip(*(found[one] for one in arguments), strict=True))))
        return found

    def _in_blocks(self, node: int) -> bool:
        return any(varies and cut for varies, cut in zip(self.axes[node], self.cut, strict=True))

    def _places(self, inside: list[int]) -> dict[int, int]:
        """Register of each node: those that are computed in blocks share buffers, one after the other."""
        tape = self.program.tape
        last = {node: len(inside) for node in self.own}
        for guard in tape.guards:
            last.update((node, max(last.get(node, 0), self.deciding)) for node in guard.nodes)
        for when, node in enumerate(inside):
            last.update((one, max(last.get(one, 0), when)) for one in tape.operations[node][1])
        place = {node: node for node in range(len(tape.operations))}
        free: dict[tuple[tuple[bool, ...], Any], list[int]] = {}
        for when, node in enumerate(inside):
            for one in set(tape.operations[node][1]):
                if last[one] == when and self._in_blocks(one) and not self.program.is_input(one):
                    free.setdefault((self.axes[one], self.program.kinds[one]), []).append(place[one])
            if node not in self.own:
                kind = (self.axes[node], self.program.kinds[node])
                if not free.get(kind):
                    free.setdefault(kind, []).append(len(place) + len(self.buffers))
                    self.buffers.append(kind)
                place[node] = free[kind].pop()
        return place

    def _call(self, node: int) -> tuple[Any, Any, int]:
        """What computes a node: a function, what takes its operands from the registers, and where the result goes."""
        function, arguments = self.program.tape.operations[node]
        operands = [self.place[one] for one in arguments]
        picked = itemgetter(*operands) if len(operands) > 1 else itemgetter(slice(operands[0], operands[0] + 1))
        return function if isinstance(function, np.ufunc) else Into(function), picked, self.place[node]

    def run(self, inputs: list[Any]) -> tuple[dict[Name, Any], list[Block]]:
        """Results of inputs, as `Program.arrays`."""
        tape, program, missed = self.program.tape, self.program, []
        sizes = [(self._shape(self.block, axes), kind) for axes, kind in self.buffers]
        arena = _arena(_places_in(sizes)[-1])
        whole: list[Any] = [program.constants.get(node) for node in range(len(tape.operations))]
        whole += _carved(sizes, arena)
        sources = {
            node: inputs[program.paths.index(arguments[0])].transpose(self.turned) for node, arguments in program.inputs
        }
        for node, array in sources.items():
            whole[node] = array
        for node, done in self.once:
            function, arguments = tape.operations[node]
            whole[node] = function(*(whole[one] for one in arguments))  # type: ignore[misc]
            for one in done:
                whole[one] = None
        for node, array in zip(self.own, self._fresh(), strict=True):
            whole[node] = array
        cut = [node for node in (*sources, *self.own) if self._in_blocks(node)]
        first = len(tape.operations)
        registers = whole.copy()
        for block in self._blocks():
            for node in cut:
                registers[node] = whole[node][self._part(self.axes[node], block)]
            if any(part.stop - part.start < n for part, n in zip(block, self.block, strict=True)):
                ends = tuple(slice(0, part.stop - part.start) for part in block)
                for index, (axes, _) in enumerate(self.buffers, first):
                    registers[index] = whole[index][self._part(axes, ends)]
            else:
                registers[first:] = whole[first:]
            for function, operands, place in self.calls[: self.deciding]:
                function(*operands(registers), out=registers[place])
            if not all(self._holds(guard, registers) for guard in tape.guards):
                missed.append(block)
                continue
            for function, operands, place in self.calls[self.deciding :]:
                function(*operands(registers), out=registers[place])
        _release(arena)
        back = tuple(map(self.turned.index, range(len(self.turned))))
        found = {
            name: whole[node].transpose(back) if np.ndim(whole[node]) else whole[node]
            for name, node in program.results.items()
        }
        return found, [tuple(block[axis] for axis in back) for block in missed]

    def _fresh(self) -> list[Any]:
        """Arrays of the results, in one piece of memory: a large one is had in large pages, at a fifth of the time."""
        return _carved([(self._shape(self.shape, self.axes[node]), self.program.kinds[node]) for node in self.own])

    @staticmethod
    def _shape(lengths: tuple[int, ...], axes: tuple[bool, ...]) -> tuple[int, ...]:
        """Of what varies along some axes of a grid or block."""
        return tuple(n if varies else 1 for n, varies in zip(lengths, axes, strict=True))

    def _holds(self, guard: Guard, registers: list[Any]) -> bool:
        values = [registers[self.place[node]] for node in guard.nodes]
        if guard.kind == "max":
            return bool(max(value.max() for value in values) == guard.found)
        if guard.kind == "any":
            return bool(any(value.any() for value in values) == guard.found)
        return bool(all(value.all() for value in values) == guard.found)

    def _blocks(self) -> Iterator[Block]:
        """Parts of the grid, of equal size but for the last ones of an axis."""
        cuts = [
            [slice(begin, min(begin + n, length)) for begin in range(0, length, n)]
            for n, length in zip(self.block, self.shape, strict=True)
        ]
        return product(*cuts)

    def _part(self, axes: tuple[bool, ...], block: Block) -> Block:
        """Where a block lies in an array that varies along some axes."""
        return tuple(part if varies else slice(None) for part, varies in zip(block, axes, strict=True))


Array = tuple[tuple[int, ...], Any]
"""Shape and type of an array."""

LINE, APART = 64, 192
"""Bytes of a line of a cache, and between arrays: at equal places of a page they would hinder each other. [B]"""


def _places_in(arrays: Iterable[Array]) -> list[int]:
    """Where arrays begin in a piece of memory, one behind the other, and where the last one ends. [B]"""
    sizes = [math.prod(shape) * np.dtype(kind).itemsize for shape, kind in arrays]
    return [0, *accumulate(-(-size // LINE) * LINE + APART for size in sizes)]


def _carved(arrays: list[Array], memory: Any = None) -> list[Any]:
    """Arrays in one piece of memory."""
    places = _places_in(arrays)
    memory = np.empty(places[-1], np.uint8) if memory is None else memory
    sizes = [math.prod(shape) * np.dtype(kind).itemsize for shape, kind in arrays]
    return [
        memory[begin : begin + size].view(kind).reshape(shape)
        for begin, size, (shape, kind) in zip(places, sizes, arrays, strict=False)
    ]


class Into:
    """A function of NumPy that gives a new array, with the result written to where it belongs."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self, *operands: Any, out: Any) -> None:
        """As a ufunc is called."""
        out[...] = self.function(*operands)


def _block_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A part of a grid of about `CHUNK` configurations: as much as there is of the last axes."""
    found: list[int] = []
    left = CHUNK if len(shape) == 1 else 2 * CHUNK  # fewer buffers are of the whole block then
    for length in reversed(shape):
        most = min(length, max(left, 1))
        found.append(-(-length // -(-length // most)))  # as many as needed, of equal size
        left //= found[-1]
    return tuple(reversed(found))


_free: list[Any] = []


def _arena(size: int) -> Any:
    """Memory for the buffers of one run, which no other run has."""
    try:
        found = _free.pop()
    except IndexError:
        # glibc asks the system anew for each piece over 128 KiB until it has returned a larger one, of 32 MiB at most
        found = np.empty(LARGEST // 4, np.uint8)
        found = np.empty(0, np.uint8)
    return found if found.size >= size else np.empty(size, np.uint8)


def _release(arena: Any) -> None:
    """Memory that the next run may have."""
    if len(_free) < KEPT and arena.size <= LARGEST:
        _free.append(arena)


KEPT, LARGEST = 2, 64 * 2**20
"""Pieces of memory that are kept for the next runs, and their most bytes."""

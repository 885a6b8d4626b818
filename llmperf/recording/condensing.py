"""Condensing: a tape with fewer operations that gives the same numbers but for rounding.

Formulas multiply by one constant after the other, and add up what many operators need of the same few numbers. Here a
multiple of a multiple becomes one multiple, and a sum has each number once, and numbers of an equal factor added up
before they are multiplied. What is rounded to whole numbers, or decided by, stays as it was written: there the last
place would matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from llmperf.recording.recorder import Guard, Name, Tape

EXACT = frozenset((np.floor, np.ceil, np.rint, np.floor_divide, np.remainder, np.equal, np.not_equal))
"""Functions that jump where their argument changes in the last place."""


def condensed(tape: Tape, results: Mapping[Name, int]) -> tuple[Tape, dict[Name, int]]:
    """A tape of fewer operations, and the nodes of its results.

    Parameters
    ----------
    tape : Tape
    results : mapping of (str, str) to int
        Nodes by group and name.
    """
    deciding = {node for guard in tape.guards for node in guard.nodes}
    jumping = {node for node, (function, _) in enumerate(tape.operations) if function in EXACT}
    wanted = (*deciding, *results.values())
    return _Condensed(tape, wanted, behind(tape, (*deciding, *jumping))).of(results)


def behind(tape: Tape, nodes: Iterable[int]) -> list[int]:
    """Nodes and all that they come from, each after what it needs, and as shortly before its use as may be."""
    found: dict[int, None] = {}
    left = [(node, False) for node in reversed(list(nodes))]
    while left:
        node, ready = left.pop()
        function, arguments = tape.operations[node]
        if ready or function is None:
            found[node] = None
        elif node not in found:
            left.append((node, True))
            left += [(one, False) for one in reversed(arguments) if one not in found]
    return list(found)


class _Condensed:
    """The new tape, while it is written."""

    def __init__(self, tape: Tape, wanted: tuple[int, ...], exact: list[int]) -> None:
        self.old, self.new, self.exact = tape, Tape(), set(exact)
        needed = behind(tape, wanted)
        used = Counter(one for node in needed if tape.operations[node][0] for one in tape.operations[node][1])
        adding = {node for node in needed if tape.operations[node][0] is np.add and node not in self.exact}
        inner = Counter(one for node in adding for one in tape.operations[node][1])
        once = {node for node in adding if inner[node] == used[node] == 1}
        self.inside = once.difference(wanted)  # parts of one longer sum that nothing else needs
        self.places: dict[int, int] = {}
        for node in needed:
            if node not in self.inside:
                self.places[node] = self._written(node)

    def of(self, results: Mapping[Name, int]) -> tuple[Tape, dict[Name, int]]:
        for guard in self.old.guards:
            self.new.guards.append(Guard(guard.kind, tuple(self.places[node] for node in guard.nodes), guard.found))
        return self.new, {name: self.places[node] for name, node in results.items()}

    def _written(self, node: int) -> int:
        function, arguments = self.old.operations[node]
        if function is None:
            path = arguments[0]
            return self.new.input(path) if isinstance(path, str) else self.new.constant(path)
        if function is np.add and node not in self.exact:
            return self._sum(node)
        found = [self.places[one] for one in arguments]
        if function in (np.multiply, np.true_divide) and node not in self.exact:
            atom, factor = self._multiple(self.new.operation(function, *found))
            return self._times(atom, factor)
        return self.new.operation(function, *found)

    def _multiple(self, node: int) -> tuple[int, float]:
        """What a node is a multiple of, and how often."""
        factor = 1.0
        while True:
            function, arguments = self.new.operations[node]
            if function not in (np.multiply, np.true_divide):
                return node, factor
            values = [self.new.value(one) for one in arguments]
            if values[1] is not None:
                node, factor = arguments[0], factor * values[1] if function is np.multiply else factor / values[1]
            elif values[0] is not None and function is np.multiply:
                node, factor = arguments[1], factor * values[0]
            else:
                return node, factor

    def _times(self, atom: int, factor: float) -> int:
        return self.new.operation(np.multiply, atom, self.new.constant(factor))

    def _terms(self, node: int) -> list[int]:
        """Terms of a sum, those of sums that are used nowhere else among them."""
        found: list[int] = []
        left = [node]
        while left:
            one = left.pop()
            if one == node or one in self.inside:
                left += reversed(self.old.operations[one][1])
            else:
                found.append(self.places[one])
        return found

    def _sum(self, node: int) -> int:
        """A sum in which each node stands once, and equal factors are taken out."""
        factors: dict[tuple[int, bool], float] = {}
        for term in self._terms(node):
            atom, factor = self._multiple(term)
            key = (atom, factor < 0.0)  # differences stay: they would round otherwise
            factors[key] = factors.get(key, 0.0) + factor
        atoms: dict[float, list[int]] = {}
        for (atom, _), factor in factors.items():
            atoms.setdefault(factor, []).append(atom)
        total = self.new.constant(0.0)
        for factor, together in atoms.items():
            part = together[0]
            for atom in together[1:]:
                part = self.new.operation(np.add, part, atom)
            total = self.new.operation(np.add, total, self._times(part, factor))
        return total

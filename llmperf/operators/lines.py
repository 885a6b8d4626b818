"""Numbers that grow with the tokens of a sequence, straight between places where they bend: where, and how far they go.

A number of tokens that methods keep or read is the least or the largest of some lines. It bends only where two of these
meet, and so does every sum of such numbers: bytes, for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from llmperf.numeric import Real, anywhere, choose, everywhere, least, most
from llmperf.records import dataclass

Line = tuple[Real, Real]
"""What a line is at no token, and what each token adds to it."""

TOKENS: Line = (0.0, 1.0)
"""The tokens of a sequence themselves."""

END = 2.0**40
"""Tokens up to which a longest sequence is sought: more than any has. [1]"""

LEVEL = 1e-6
"""What does not grow by as much between two places does not grow."""


@dataclass(frozen=True, slots=True)
class AtMost:
    """Tokens of which at most so many count: `tokens`, or a `share` of a length if that is more, and `beside`. [1]"""

    tokens: Real
    share: Real = 0.0
    beside: Real = 0.0

    def of(self, length: Real) -> Real:
        """The limit of a sequence of a length. [1]"""
        return self.beside + most(self.tokens, self.share * length)

    def lines(self, length: Line = TOKENS) -> list[Line]:
        """The lines that the limit of a length follows, which is a line itself."""
        level = self.beside + self.tokens
        lines: list[Line] = [(level, 0.0)] if anywhere(level > 0.0) else []
        if anywhere(self.share > 0.0):
            lines.append((self.beside + self.share * length[0], self.share * length[1]))
        return lines


def meetings(lines: Sequence[Line]) -> list[Real]:
    """Where two of some lines meet, in no order. [1]"""
    found = []
    for (start, slope), (other, steeper) in combinations(lines, 2):
        apart = steeper - slope
        if everywhere(apart == 0.0):
            continue
        place = (start - other) / choose(apart == 0.0, 1.0, apart)
        if anywhere((place > 0.0) & (place < END)):
            found.append(least(most(place, 0.0), END))
    return found


def ascending(values: Sequence[Real]) -> list[Real]:
    """Values in ascending order, in each configuration its own."""
    found: list[Real] = []
    for value in values:
        for index, other in enumerate(found):
            found[index], value = least(other, value), most(other, value)
        found.append(value)
    return found


def reached(places: Sequence[Real], sizes: Sequence[Real], level: Real) -> Real:
    """Where a size first exceeds a level; infinite where it does not up to the last place. [1]

    Parameters
    ----------
    places : sequence of number or array
        Zero, all places where the size bends, and `END`, in ascending order. [1]
    sizes : sequence of number or array
        The size at each of them.
    level : number or array
    """
    found: Real = 0.0
    held: Any = 1.0  # whether all before does not exceed the level
    for (start, end), (low, high) in zip(pairwise(places), pairwise(sizes), strict=True):
        part = least(most(level - low, 0.0) / most(high - low, LEVEL), 1.0)
        found = found + held * (end - start) * part
        held = held * (part >= 1.0)
    return choose(found > 0.999 * END, np.inf, found)

"""Text in columns: how wide it is, how it is folded, and tables of it.

Bold and coloured words carry the codes of a terminal from the start, which take no room here; where the output is no
terminal, they are taken out as it is written (`llmperf.interfaces.console.style`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

_RESET = "\x1b[0m"
_CODE = re.compile(r"\x1b\[[0-9;]*m")
_PIECE = rf"(?s:{_CODE.pattern}|.)"
_WORD = r"\s*\S+\s*"
_COLOURS = {"red": 31, "green": 32, "yellow": 33}
_GAP = "  "
_LEAST = 3
"""Columns of the terminal that no column of a table goes below: a wide character, and half of a gap."""


def bold(words: str) -> str:
    """Words to be printed bold; they have no other style inside."""
    return f"\x1b[1m{words}{_RESET}"


def coloured(words: str, colour: str) -> str:
    """Words to be printed in a colour; they have no other style inside."""
    return f"\x1b[{_COLOURS[colour]}m{words}{_RESET}"


def unstyled(words: str) -> str:
    """The words alone."""
    return _CODE.sub("", words) if "\x1b" in words else words


def cells(words: str) -> int:
    """Columns of a terminal that a line takes."""
    words = unstyled(words)
    return len(words) if words.isascii() else sum(map(_cells, words))


@cache
def _cells(character: str) -> int:
    """Columns of a character: two of East Asian ones and pictures, none of marks upon another."""
    from unicodedata import category, east_asian_width

    if character == "\ufe0f":  # makes a picture of the character before
        return 1
    if category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def folded(words: str, width: int) -> list[str]:
    """Lines of at most `width` columns, cut between words, and inside of a word that is wider than a line.

    What a line is indented by belongs to its first word.
    """
    lines = [part for line in words.split("\n") for part in _folded(line, width)]
    return list(_closed(lines)) if len(lines) > 1 and "\x1b" in words else lines


def _folded(line: str, width: int) -> list[str]:
    if cells(line) <= width:
        return [line]
    lines, used = [""], 0
    for word in re.findall(_WORD, line):
        wide = cells(word.rstrip())
        if used + wide > width and used:
            lines.append("")
            used = 0
        if wide <= width:
            lines[-1] += word
            used += cells(word)
            continue
        for piece in re.findall(_PIECE, word.rstrip()):
            if used + cells(piece) > width and used:
                lines.append("")
                used = 0
            lines[-1] += piece
            used += cells(piece)
        after = word[len(word.rstrip()) :]
        lines[-1] += after
        used += len(after)
    return [one.rstrip() for one in lines]


def _closed(lines: Iterable[str]) -> Iterator[str]:
    """Lines each of which ends the style that it has, for the next to begin it anew."""
    style = ""
    for line in lines:
        begun = style + line
        last = (_CODE.findall(begun) or [_RESET])[-1]
        style = "" if last == _RESET else last
        yield begun + _RESET if style else begun


class Column:
    """A column of a table: its cells, and how they stand in it.

    Attributes
    ----------
    right : bool
        Whether cells end at the right edge, as numbers do.
    folds : bool
        Whether the column is the first to give way where room is short, its cells in several lines.
    least : int
        Columns of the terminal that it takes at least. [1]
    """

    def __init__(self, head: str, right: bool) -> None:
        self.right = right
        self.folds = not right
        self.least = 1
        self.cells = [bold(head) if head else ""]

    def width(self) -> int:
        """Columns of the terminal that the longest line of a cell takes."""
        return max(self.least, *(max(map(cells, cell.split("\n"))) for cell in self.cells))


class Table:
    """Rows below a head, in columns that are as wide as what they hold.

    Parameters
    ----------
    columns : sequence of Column
    title : str
        A line above.
    rule : str
        The character of the line below the head.
    """

    def __init__(self, columns: Sequence[Column], title: str = "", rule: str = "─") -> None:
        self.columns = columns
        self._title = title
        self._rule = rule
        self._sections: set[int] = set()

    def add_row(self, *row: str, strong: bool = False) -> None:
        """Add a row, all of it bold where it is `strong`."""
        for column, cell in zip(self.columns, row, strict=True):
            column.cells.append(bold(cell) if strong and cell else cell)

    def add_section(self) -> None:
        """Leave a line free between the rows before and those to come."""
        self._sections.add(len(self.columns[0].cells))

    def lines(self, width: int) -> list[str]:
        """The lines of the table, of at most `width` columns where each of its own gets one."""
        widths = self._widths(width)
        rule = self._rule * (sum(widths) + len(_GAP) * (len(widths) - 1))
        lines = folded(bold(self._title), len(rule)) if self._title else []
        for index, row in enumerate(zip(*(column.cells for column in self.columns), strict=True)):
            if index in self._sections:
                lines.append("")
            lines += self._row(row, widths, at_bottom=index == 0)
            if index == 0:
                lines.append(rule)
        return lines

    def _row(self, row: Sequence[str], widths: Sequence[int], at_bottom: bool) -> Iterator[str]:
        """The lines of a row; shorter cells stand at its top, or in a head at its bottom."""
        parts = [folded(cell, width) for cell, width in zip(row, widths, strict=True)]
        height = max(map(len, parts))
        for line in range(height):
            said = []
            for column, cell, width in zip(self.columns, parts, widths, strict=True):
                place = line - (height - len(cell)) if at_bottom else line
                words = cell[place] if 0 <= place < len(cell) else ""
                blank = " " * (width - cells(words))
                said.append(blank + words if column.right else words + blank)
            yield _GAP.join(said).rstrip()

    def _widths(self, width: int) -> list[int]:
        """Widths of the columns, so that the table fits: those that fold give way first, the widest before others."""
        gaps = [1] * (len(self.columns) - 1) + [0]
        room = width - sum(gaps)  # one of the two spaces between columns is counted as the left one's
        widths = [min(column.width() + gap, room) for column, gap in zip(self.columns, gaps, strict=True)]
        for which in ([index for index, column in enumerate(self.columns) if column.folds], range(len(widths))):
            _narrow(widths, which, room)
        return [width - gap for width, gap in zip(widths, gaps, strict=True)]


def _narrow(widths: list[int], which: Sequence[int], room: int) -> None:
    """Cut the widest of some columns to one width, as far as all columns need it to fit."""
    while (over := sum(widths) - room) > 0 and (most := max((widths[index] for index in which), default=0)) > _LEAST:
        widest = [index for index in which if widths[index] == most]
        step = most - max((widths[index] for index in which if _LEAST < widths[index] < most), default=_LEAST)
        for share, index in zip(range(len(widest), 0, -1), widest, strict=True):
            cut = min(step, round(over / share))
            widths[index] -= cut
            over -= cut

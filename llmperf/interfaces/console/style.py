"""How numbers, tables and bars look on a terminal."""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import Any, TextIO

from llmperf.interfaces.console.tables import Column, Table, cells, folded, unstyled

WIDTH, NARROWEST = 100, 80
"""Width of the output where it goes to no terminal, and where a terminal is narrower still: that one folds lines
itself, which cuts no number. ``COLUMNS`` goes before both."""

_plain = False
_ASCII = str.maketrans("│┤└┴─", "|+`+-")
_BRAILLE, _UPPER = 0x2800, 0b00011011
"""First braille character, and those of its eight dots that lie in its upper half."""


def be_plain() -> None:
    """From now on print ASCII alone, without colours: what ``--plain`` asks for."""
    global _plain
    _plain = True


def plain() -> bool:
    """Whether to print ASCII alone: because it was asked for, or since the output can take no other characters."""
    return _plain or "utf" not in (getattr(sys.stdout, "encoding", None) or "utf-8").lower()


class Console:
    """Where text goes, in lines of at most `width` columns."""

    def __init__(self, stream: TextIO, width: int, colours: bool = False) -> None:
        self.width = width
        self._stream = stream
        self._colours = colours

    def print(self, shown: str | Table = "") -> None:
        """Print a text or a table."""
        lines = shown.lines(self.width) if isinstance(shown, Table) else folded(shown, self.width)
        if not self._colours:
            lines = [unstyled(line).rstrip(" ") for line in lines]
        self._stream.write("".join(f"{line}\n" for line in lines))
        self._stream.flush()


def console() -> Console:
    """A console on standard output: without colours when piped or when ``NO_COLOR`` asks for it."""
    width = max(shutil.get_terminal_size((WIDTH, 24)).columns, NARROWEST)
    if plain() and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # names may hold what the output cannot take
    return Console(sys.stdout, width, colours=_coloured())


def _coloured() -> bool:
    """Whether standard output takes colours, and nobody minds."""
    if plain() or os.environ.get("NO_COLOR") or os.environ.get("TERM", "").lower() in ("dumb", "unknown"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def table(*columns: str, title: str = "", left: int = 1) -> Table:
    """A table whose first `left` columns are text, folded where room is short, and whose others are numbers."""
    made = [Column(name, right=index >= left) for index, name in enumerate(columns)]
    return Table(made, title, rule="-" if plain() else "─")


def text(value: Any) -> str:
    """A value as plain text: no control character of the user's reaches the terminal."""
    words = str(value)
    if words.isprintable():
        return words
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in words)


def filled(words: str, begin: str, width: int) -> str:
    """A sentence in lines of at most `width` columns, the further ones indented; what is one word stays in one."""
    inner, used = [begin + words.split(" ", 1)[0]], cells(begin + words.split(" ", 1)[0])
    for word in words.split(" ")[1:]:
        if used + 1 + cells(word) > width:
            inner.append(" " * len(begin) + word)
            used = len(begin) + cells(word)
        else:
            inner[-1] += f" {word}"
            used += 1 + cells(word)
    return "\n".join(inner)


def drawing(words: str) -> str:
    """Lines and braille dots as they are, or in plain output as ASCII: upper dots ``'``, lower ones ``.``."""
    if not plain():
        return words
    return re.sub("[\u2800-\u28ff]", _as_ascii, words.translate(_ASCII))


def _as_ascii(found: re.Match[str]) -> str:
    dots = ord(found.group()) - _BRAILLE
    upper, lower = bool(dots & _UPPER), bool(dots & ~_UPPER & 0xFF)
    return ":" if upper and lower else "'" if upper else "." if lower else " "


def bar(share: Any, width: int = 20) -> str:
    """A bar for a share of the whole."""
    filled = max(0, min(width, round(float(share) * width)))
    full, empty = ("#", ".") if plain() else ("█", "·")
    return full * filled + empty * (width - filled)

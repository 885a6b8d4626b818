"""How numbers, tables and bars look on a terminal."""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import Any, TextIO, cast

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

WIDTH, NARROWEST = 100, 80
"""Width of the output where it goes to no terminal, and where a terminal is narrower still: that one folds lines
itself, which cuts no number. ``COLUMNS`` goes before both."""

_plain = False
_HEAD = box.Box(str(box.SIMPLE_HEAD).replace("─", "-"), ascii=True)
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


def console() -> Console:
    """A console on standard output: without colours when piped or when ``NO_COLOR`` asks for it."""
    width = max(shutil.get_terminal_size((WIDTH, 24)).columns, NARROWEST)
    colours = not plain() and not os.environ.get("NO_COLOR")
    if plain() and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # names may hold what the output cannot take
    stream = sys.stdout if sys.stdout.isatty() else cast(TextIO, _Trimmed(sys.stdout))
    return Console(
        file=stream,
        width=width,
        highlight=False,
        emoji=False,
        no_color=not colours,
        color_system="auto" if colours else None,
    )


class _Trimmed:
    """A stream that gets no spaces at the ends of lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, words: str) -> int:
        """Write what is left."""
        return self._stream.write(re.sub(" +(?=\n|$)", "", words))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def table(*columns: str, title: str | None = None, left: int = 1) -> Table:
    """A table whose first `left` columns are text, folded where room is short, and whose others are numbers."""
    made = Table(
        box=_HEAD if plain() else box.SIMPLE_HEAD,
        title=title,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        show_edge=False,
        padding=(0, 1),
        collapse_padding=True,
    )
    for index, column in enumerate(columns):
        is_text = index < left
        made.add_column(column, justify="left" if is_text else "right", no_wrap=not is_text, overflow="fold")
    return made


def text(value: Any) -> str:
    """A value as plain text: no markup of the user's is interpreted, no control character reaches the terminal."""
    words = str(value)
    if not words.isprintable():
        words = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in words)
    return escape(words)


def filled(words: str, begin: str, width: int) -> str:
    """A sentence in lines of at most `width` columns, the further ones indented; what is one word stays in one."""
    inner, used = [begin + words.split(" ", 1)[0]], cell_len(begin + words.split(" ", 1)[0])
    for word in words.split(" ")[1:]:
        if used + 1 + cell_len(word) > width:
            inner.append(" " * len(begin) + word)
            used = len(begin) + cell_len(word)
        else:
            inner[-1] += f" {word}"
            used += 1 + cell_len(word)
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

"""Tables of Markdown pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def line(*cells: str) -> str:
    """One row of a table; what would end a cell, or be read as markup of a page, is escaped."""
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ") for cell in cells) + " |"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    return [line(*head), line(*["---"] * len(head)), *(line(*row) for row in rows)]

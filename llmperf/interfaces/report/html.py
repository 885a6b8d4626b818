"""HTML from plain values: everything is escaped unless it is `Html` already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

VOID = ("br", "img", "link", "meta")


class Html(str):
    """Text that is HTML: it goes into a page as it is."""

    __slots__ = ()


def h(name: str, /, *children: object, **attributes: object) -> Html:
    """An element.

    Parameters
    ----------
    name : str
        Tag.
    *children
        `Html` as it is, anything else as escaped text; None is left out.
    **attributes
        ``class_`` for ``class``, ``aria_label`` for ``aria-label``; True stands without a value, None and False are
        left out.
    """
    given = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{name}{given}>" if name in VOID else f"<{name}{given}>{join(*children)}</{name}>")


def join(*parts: object) -> Html:
    """Parts one after the other: `Html` as it is, anything else as escaped text."""
    return Html("".join(p if isinstance(p, Html) else escape(str(p), quote=False) for p in parts if p is not None))


def each(name: str, items: Iterable[object]) -> Html:
    """Every item in an element of its own."""
    return join(*(h(name, item) for item in items))


def table(head: Sequence[object], rows: Iterable[Sequence[object]], text: int = 1, strong: Sequence[bool] = ()) -> Html:
    """A table that scrolls where it is wide.

    Parameters
    ----------
    head : sequence
        Names of the columns.
    rows : iterable of sequence
        Cells; the first names its row.
    text : int
        Columns that are text, the first ones; the others are numbers.
    strong : sequence of bool
        Rows that stand out.
    """
    body = [
        h("tr", *_cells(row, text), class_="all" if number < len(strong) and strong[number] else None)
        for number, row in enumerate(rows)
    ]
    columns = (h("th", cell, scope="col", class_=_text(index, text)) for index, cell in enumerate(head))
    made = h("table", h("thead", h("tr", *columns)), h("tbody", *body))
    return h("div", made, class_="scroll", tabindex=0, role="region", aria_label="Table")


def _cells(row: Sequence[object], text: int) -> Iterator[Html]:
    yield h("th", row[0], scope="row")
    for index, cell in enumerate(row[1:], 1):
        yield h("td", cell, class_=_text(index, text))


def _text(index: int, columns: int) -> str | None:
    return "text" if index < columns else None


def details(summary: object, *children: object, **attributes: object) -> Html:
    """What a reader may open."""
    return h("details", h("summary", summary), *children, **attributes)


def items(lines: Iterable[object], **attributes: object) -> Html | None:
    """A list; None of nothing."""
    found = list(lines)
    return h("ul", each("li", found), **attributes) if found else None

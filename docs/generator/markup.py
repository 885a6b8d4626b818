"""Pieces of pages: tables, links, escaped text. Tables are HTML: they hold what Markdown would interpret."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_ARXIV = re.compile(r"\barXiv:(\d{4}\.\d{4,5})")
_LONG = re.compile(r"[^\s<>]{24,}(?![^<>]*>)")
"""Words that must be broken, outside of tags."""
_URL = re.compile(r"https?://[^\s<>,;\"')]+")


@dataclass(frozen=True, slots=True)
class Page:
    """A generated page: where it lies below ``docs/``, and its Markdown."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Html:
    """Text that is HTML already."""

    text: str


def page(path: str, title: str, *parts: str, searched: bool = True, alone: bool = False) -> Page:
    """A page of a title and parts that blank lines separate; `alone`: it has no place in the navigation."""
    said = [*([] if searched else ["search: {exclude: true}"]), *(["hide: [navigation, toc]"] if alone else [])]
    head = ["\n".join(["---", *said, "---"])] if said else []
    return Page(path, "\n\n".join([*head, f"# {markdown(title)}", *(part for part in parts if part)]) + "\n")


def cell(value: Any) -> str:
    """A value as HTML: escaped, web addresses and arXiv numbers as links; None is empty."""
    if isinstance(value, Html):
        return value.text
    if value is None:
        return ""
    text = html.escape(str(value), quote=False)
    text = _URL.sub(lambda found: f'<a href="{found[0]}">{found[0]}</a>', text)
    return breakable(_ARXIV.sub(r'<a href="https://arxiv.org/abs/\1">arXiv:\1</a>', text))


def breakable(text: str) -> str:
    """HTML in which long names, paths and addresses may be broken behind a sign."""
    return _LONG.sub(lambda found: re.sub(r"(?<=[/_.:@-])(?=\w)", "<wbr>", found[0]), text)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Sequence[int] = (), merged: bool = False
) -> str:
    """A table; `numbers` are columns aligned to the right, `merged` makes one cell of equal last ones."""
    found = [[cell(value) for value in row] for row in rows]
    if not found:
        return ""
    style = [' style="text-align: right"' if index in numbers else "" for index in range(len(columns))]
    heads = "".join(f"<th{right}>{cell(name)}</th>" for name, right in zip(columns, style, strict=True))
    body = []
    for index, row in enumerate(found):
        cells = [f"<td{right}>{value}</td>" for value, right in zip(row, style, strict=True)]
        if merged:
            run = next((k for k, other in enumerate(found[index:]) if other[-1] != row[-1]), len(found) - index)
            begins = index == 0 or found[index - 1][-1] != row[-1]
            cells[-1] = f'<td rowspan="{run}">{row[-1]}</td>' if begins else ""
        body.append(f"<tr>{' '.join(cells)}</tr>")  # the search takes words as the spaces part them
    lines = "\n".join(body)
    return f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}\n</tbody>\n</table>"


def code(text: Any) -> Html:
    """Text in a fixed width."""
    return Html(f"<code>{breakable(html.escape(str(text), quote=False))}</code>")


def link(text: str, target: str) -> Html:
    """A link in a table: to a built page, so that it ends in .html."""
    return Html(f'<a href="{html.escape(target)}">{html.escape(text, quote=False)}</a>')


def markdown(text: str) -> str:
    """Text with what Markdown and HTML would interpret escaped."""
    return re.sub(r"([\\`*_\[\]#|$~])", r"\\\1", html.escape(text, quote=False))


def shell(*lines: str) -> str:
    """Commands to copy."""
    return "```\n" + "\n".join(lines) + "\n```"

"""The shell of every page: one file that makes no request, in light and dark, on paper and on a phone."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from llmperf.errors import InputError, Problem
from llmperf.files.store import write_atomically
from llmperf.interfaces.figures import theme
from llmperf.interfaces.figures.drawing import Drawing
from llmperf.interfaces.report.html import Html, details, h, join, table

SCRIPT = "plotly.min.js"
"""The shared script of pages that are split."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page: its anchor, its title, and HTML and drawings in their order."""

    name: str
    title: str
    parts: Sequence[Html | Drawing | None]

    @property
    def drawings(self) -> list[Drawing]:
        """Its figures."""
        return [part for part in self.parts if isinstance(part, Drawing)]


@dataclass(frozen=True, slots=True)
class Page:
    """What stands on a page: `note` is the small line below the title, `lead` goes before the sections."""

    title: str
    note: str
    sections: Sequence[Section]
    footer: str = ""
    lead: Html | None = None


def named_drawings(sections: Sequence[Section]) -> list[tuple[str, Drawing]]:
    """Every drawing with a name that no other one of the page has."""
    out: list[tuple[str, Drawing]] = []
    seen: dict[str, int] = {}
    for drawing in (drawing for section in sections for drawing in section.drawings):
        seen[drawing.name] = seen.get(drawing.name, 0) + 1
        count = seen[drawing.name]
        out.append((drawing.name if count == 1 else f"{drawing.name}-{count}", drawing))
    return out


def document(page: Page, split: bool = False) -> str:
    """The page as HTML.

    Parameters
    ----------
    page : Page
    split : bool
        Whether plotly's script lies beside the page (`SCRIPT`) instead of in it.

    Notes
    -----
    The content security policy names the hash of each script, so that nothing else runs, and allows no request.
    """
    drawings = named_drawings(page.sections)
    ids = {id(drawing): f"figure-{name}" for name, drawing in drawings}
    body = [
        h(
            "section",
            h("h2", section.title, id=f"{section.name}-title"),
            *(_figure(part, ids[id(part)]) if isinstance(part, Drawing) else part for part in section.parts),
            id=section.name,
            aria_labelledby=f"{section.name}-title",
        )
        for section in page.sections
    ]
    library = plotly_script() if drawings and not split else ""
    scripts = [text for text in (library, _asset("page.js")) if text]
    beside = h("script", src=SCRIPT) if drawings and split else None
    return "<!doctype html>\n" + h(
        "html",
        h(
            "head",
            h("meta", charset="utf-8"),
            h("meta", http_equiv="Content-Security-Policy", content=_policy(scripts, split)),
            h("meta", name="viewport", content="width=device-width, initial-scale=1"),
            h("meta", name="referrer", content="no-referrer"),
            h("meta", name="color-scheme", content="light dark"),
            h("title", page.title),
            h("style", Html(_asset("page.css"))),
        ),
        "\n",
        h(
            "body",
            h("a", "Skip to the content", href="#content", class_="skip"),
            _head(page),
            "\n",
            h("main", page.lead, *(join(part, "\n") for part in body), id="content", tabindex=-1),
            h("footer", page.footer) if page.footer else None,
            h("script", _data(drawings), id="figures", type="application/json"),
            "\n",
            beside,
            *(join(h("script", Html(text)), "\n") for text in scripts),
        ),
        lang="en",
    ) + "\n"  # fmt: skip


def _head(page: Page) -> Html:
    links = (h("li", h("a", section.title, href=f"#{section.name}")) for section in page.sections)
    toggle = h("button", "Dark", id="theme", type="button", aria_pressed="false", hidden=True)
    return join(
        h("header", h("div", h("h1", page.title), h("p", page.note, class_="note")), toggle),
        h("nav", h("ul", *links), aria_label="Sections") if len(page.sections) > 1 else None,
    )


def _figure(drawing: Drawing, name: str) -> Html:
    """A figure with its title, caption and table; without a script the table is what one sees."""
    height = int(drawing.figure.layout.height or theme.HEIGHT)
    rows = f"{len(drawing.rows):,} row{'' if len(drawing.rows) == 1 else 's'}"
    return h(
        "figure",
        h("h3", drawing.title, id=f"{name}-title"),
        h(
            "div",
            h("noscript", "The figure needs JavaScript; its data stand below."),
            class_="plot",
            id=f"{name}-plot",
            role="img",
            aria_labelledby=f"{name}-title",
            aria_describedby=f"{name}-caption {name}-summary",
            style=f"height:{height}px",
        ),
        h("figcaption", drawing.caption, id=f"{name}-caption"),
        details(
            h("span", f"Data of this figure ({rows})", id=f"{name}-summary"),
            table(drawing.head, drawing.rows),
            class_="data",
        ),
        id=name,
        aria_labelledby=f"{name}-title",
    )


def _data(drawings: list[tuple[str, Drawing]]) -> Html:
    """The figures and both themes as JSON, in which nothing can end the script."""
    figures = {}
    for name, drawing in drawings:
        plain = json.loads(drawing.figure.to_json(engine="json"))
        plain["layout"].pop("template", None)
        figures[f"figure-{name}-plot"] = plain
    themes = {"light": theme.template(), "dark": theme.template(dark=True)}
    text = json.dumps({"themes": themes, "figures": figures}, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Html(text)


def _policy(scripts: list[str], split: bool) -> str:
    allowed = [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts]
    if split:
        allowed += ["'self'", "file:"]
    # plotly styles its elements, and draws a picture that is saved from a blob
    rules = {
        "default-src": "'none'",
        "script-src": " ".join(allowed),
        "style-src": "'unsafe-inline'",
        "img-src": "data: blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{key} {value}" for key, value in rules.items())


@cache
def _asset(name: str) -> str:
    return (Path(__file__).parent / name).read_text("utf-8")


@cache
def plotly_script() -> str:
    """The script of plotly.

    Raises
    ------
    InputError
        If plotly is not installed.
    """
    from llmperf.interfaces.figures.drawing import require

    require()
    from plotly.offline import get_plotlyjs

    text: str = get_plotlyjs()
    return text


def plotly_version() -> str:
    """The version of plotly's script."""
    from plotly.offline import get_plotlyjs_version

    return str(get_plotlyjs_version())


def taken(path: Path, force: bool, option: str) -> list[Problem]:
    """What keeps a file from being written: it exists, or is a directory; devices and pipes are written through."""
    if path.is_dir():
        return [Problem("is a directory", option, str(path))]
    if path.is_file() and not force:
        return [Problem("exists already", option, str(path), suggestion="--force replaces it")]
    return []


def write(path: Path, text: str) -> None:
    """Write a file as a whole or not at all.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    try:
        write_atomically(path, text)
    except OSError as error:
        raise InputError(Problem(f"cannot be written: {error.strerror or error}", file=str(path))) from None


def write_beside(folder: Path) -> None:
    """Write plotly's script into a folder of split pages, where it is not there already."""
    path, text = folder / SCRIPT, plotly_script()
    if not (path.is_file() and path.read_text("utf-8") == text):
        write(path, text)


def facts(rows: Sequence[tuple[str, Any]]) -> Html:
    """Names and values, one a line."""
    return h("dl", *(join(h("dt", name), h("dd", value)) for name, value in rows))

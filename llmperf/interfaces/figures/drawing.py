"""What every figure is: a plotly figure, what it shows in words, and its numbers as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from textwrap import wrap
from typing import Any

from llmperf.answers.answer import Answer
from llmperf.answers.sweep import Sweep
from llmperf.errors import InputError, Problem
from llmperf.interfaces.figures import theme
from llmperf.words.quantities import count

LONGEST = 20
"""Characters of a line beside bars."""

Results = Mapping[str, Answer]
"""Results of one configuration each, by the label that a reader sees."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure with its text alternative.

    Attributes
    ----------
    name : str
        What its kind of figure is called, in lower case and without spaces: a file's name.
    title : str
        One line.
    caption : str
        How to read it, in words.
    figure : plotly.graph_objects.Figure
    head : tuple of str
        Columns of the table; the first names the row.
    rows : tuple of tuple of str
        The numbers that are drawn, as a person reads them.
    """

    name: str
    title: str
    caption: str
    figure: Any
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def titled(self, title: str) -> Drawing:
        """The same under another title."""
        return replace(self, title=title)

    def _repr_html_(self) -> str | None:
        """The figure, in a notebook."""
        return self.figure._repr_html_()  # type: ignore[no-any-return]


def require(option: str = "") -> Any:
    """``plotly.graph_objects``.

    Raises
    ------
    InputError
        If plotly is not installed; says how to get it.
    """
    try:
        from plotly import graph_objects
    except ImportError:
        text = "figures need plotly"
        raise InputError(Problem(text, option, suggestion="pip install 'llmperf[report]'")) from None
    return graph_objects


def new(height: int = theme.HEIGHT) -> Any:
    """An empty figure in the theme of all figures."""
    # in the constructor: a later update of a template costs forty times as much
    return require().Figure(layout={"template": theme.template(), "height": height})


def label(text: object) -> str:
    """Text that plotly draws as it is: no markup of a file's is interpreted."""
    return escape(str(text), quote=False)


def folded(text: object) -> str:
    """The same on several lines where it is long: beside bars it would leave them no room."""
    return "<br>".join(label(line) for line in wrap(str(text), LONGEST)) or " "


def hover(*lines: str) -> str:
    """Lines of a hover label; foreign parts of them are escaped already."""
    return "<br>".join(line for line in lines if line)


def drawing(
    name: str, title: str, caption: str, figure: Any, head: Iterable[str], rows: Iterable[Sequence[str]]
) -> Drawing:
    """A drawing, its table frozen."""
    return Drawing(name, title, caption, figure, tuple(head), tuple(tuple(row) for row in rows))


def knobs_said(sweep: Sweep, index: Any) -> str:
    """A configuration of a sweep in words."""
    return ", ".join(f"{name} {count(values[index])}" for name, values in sweep.knobs.items())

"""The sections of a report: one file each, in one order.

A section is a module with ``TITLE``, ``applies(inputs)`` and ``render(inputs)``, which gives HTML and drawings. A name
of `ORDER` whose file does not exist yet keeps its place: adding the file is all that a new section takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from llmperf.interfaces.figures.drawing import Drawing
from llmperf.interfaces.report.html import Html
from llmperf.interfaces.report.inputs import Inputs
from llmperf.interfaces.report.page import Section

ORDER = (
    "summary",
    "comparison",
    "roofline",
    "operators",
    "memory",
    "throughput",
    "sweep",
    "search",
    "sensitivity",
    "serving",
    "training",
    "cost",
    "error",
    "validation",
    "scenario",
)
"""Names of the sections in the order of the page."""


class Renders(Protocol):
    """What the module of a section offers."""

    TITLE: str

    def applies(self, inputs: Inputs) -> bool:
        """Whether there is something to show."""

    def render(self, inputs: Inputs) -> Iterable[Html | Drawing | None]:
        """HTML and drawings, from the top down."""


def sections(inputs: Inputs) -> list[Section]:
    """The sections that have something to show."""
    found = [(name, cast(Renders, import_module(f"{__name__}.{name}"))) for name in ORDER if _exists(name)]
    return [Section(name, one.TITLE, list(one.render(inputs))) for name, one in found if one.applies(inputs)]


def _exists(name: str) -> bool:
    return find_spec(f"{__name__}.{name}") is not None

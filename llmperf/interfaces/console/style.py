"""How numbers, tables and bars look on a terminal."""

from __future__ import annotations

import math
import os
import shutil
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from llmperf import units

WIDTH = 100
"""Width of the output: ``COLUMNS`` may widen it. A narrower terminal folds lines itself, which cuts no number."""


def console() -> Console:
    """A console on standard output: plain when piped or when ``NO_COLOR`` asks for it."""
    asked = shutil.get_terminal_size((WIDTH, 24)).columns if "COLUMNS" in os.environ else WIDTH
    width = max(asked, WIDTH)
    return Console(width=width, highlight=False, no_color=bool(os.environ.get("NO_COLOR")), soft_wrap=False)


def table(*columns: str, title: str | None = None, left: int = 1) -> Table:
    """A table whose first `left` columns are text, folded where room is short, and whose others are numbers."""
    made = Table(
        box=box.SIMPLE_HEAD,
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
    """A value as plain text: no markup of the user's is interpreted."""
    return escape(str(value))


def quantity(value: Any, dimension: str, digits: int = 3) -> str:
    """A value with its unit, or a dash where there is none."""
    return "-" if value is None or not math.isfinite(value) else units.scaled(value, dimension, digits)


def count(value: Any) -> str:
    """A number of things: 12,345 or 1.23e+09."""
    if value is None or math.isnan(value):
        return "-"
    if math.isinf(value):
        return "unlimited"
    if abs(value) < 100 and value != int(value):
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) < 1e12 else f"{value:.3g}"


def gib(value: Any) -> str:
    """Bytes in GiB."""
    return f"{float(value) / 2**30:,.2f}"


def bar(share: Any, width: int = 20) -> str:
    """A bar for a share of the whole."""
    filled = max(0, min(width, round(float(share) * width)))
    return "█" * filled + "·" * (width - filled)

"""An explanation on a terminal."""

from __future__ import annotations

from llmperf.interfaces.console.estimate import headline
from llmperf.interfaces.console.style import console, filled, text
from llmperf.interfaces.results import Estimate


def show(result: Estimate) -> None:
    """Print a result in sentences."""
    out = console()
    out.print(f"[bold]{text(headline(result))}[/bold]")
    for heading, items in result.explain().by_topic().items():
        out.print(f"[bold]{heading}[/bold]")
        for item in items:
            out.print(text(filled(item.text, "- ", out.width)))

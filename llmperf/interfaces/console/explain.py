"""An explanation on a terminal."""

from __future__ import annotations

from llmperf.answers.answer import Answer
from llmperf.interfaces.console.style import console, filled, text
from llmperf.interfaces.console.tables import bold
from llmperf.words.explain import explain
from llmperf.words.scenario import headline


def show(result: Answer) -> None:
    """Print a result in sentences."""
    out = console()
    out.print(f"{bold(text(headline(result)))}")
    for heading, items in explain(result).by_topic().items():
        out.print(f"{bold(heading)}")
        for item in items:
            out.print(text(filled(item.text, "- ", out.width)))

"""The table of outputs on a terminal."""

from __future__ import annotations

from llmperf.interfaces.console.style import console, table, text
from llmperf.outputs import CAPACITY, MEMORY_CLASSES, OPERATORS, TIMES, to_come
from llmperf.resources import labels


def show_outputs() -> None:
    """Print every output: name, unit, which direction is better, meaning."""
    out = console()
    for title, outputs in (
        ("bound, roofline and projection", TIMES),
        ("memory of one device", MEMORY_CLASSES),
        ("capacity", CAPACITY),
        ("an operator, roofline and projection", OPERATORS),
        ("to come: only published results name them", to_come().values()),
    ):
        made = table("output", "unit", "better", "meaning", title=title, left=4)
        made.columns[3].folds = True
        for output in outputs:
            made.add_row(output.name, text(output.unit), output.better, output.description)
        out.print(made)
        out.print()
    made = table("bottleneck", "meaning", left=2)
    for name, meaning in labels().items():
        made.add_row(name, meaning)
    out.print(made)

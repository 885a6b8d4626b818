"""A comparison with measured runs on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmperf.evidence.runs import ComparedMetric, MeasuredRun
from llmperf.interfaces.console.style import console, table, text
from llmperf.interfaces.console.tables import bold
from llmperf.words.quantities import count, quantity, share
from llmperf.words.scenario import described

_MENTIONED = 0.05
"""Smallest share of a gap that is mentioned. [1]"""


def show(found: Sequence[MeasuredRun]) -> None:
    """Print every run: its metrics beside bound and projection, what explains the gap, and what is not compared."""
    out = console()
    for index, item in enumerate(found):
        if index:
            out.print()
        out.print(f"{bold(text(' '.join(part for part in (item.run.tool, item.run.label) if part)))}")
        if item.scenario is not None:
            out.print(text(described(item.scenario)))
        if item.rows:
            out.print()
            out.print(_rows(item.rows))
        for why, names in _alike((row.metric, _shares(row.explained_by)) for row in item.rows if not row.is_percentile):
            out.print(f"{', '.join(names)}: from bound to projection {why}")
        for why, names in _alike((row.metric, row.note) for row in item.rows):
            out.print(f"{', '.join(names)}: {text(why)}")
        for why, names in _alike(item.not_compared):
            out.print(f"not compared: {text(', '.join(names))} ({text(why)})")
        for note in item.notes:
            out.print(f"note: {text(note)}")


def _rows(rows: Sequence[ComparedMetric]) -> Any:
    made = table("", "measured", "bound", "projection", "of bound", "error", "")
    made.columns[0].folds = False
    made.columns[-1].right, made.columns[-1].folds = False, True
    for row in rows:
        values = (row.measured, row.bound, row.projection)
        shown = (count(value) if row.is_rate else quantity(value, "time") for value in values)
        made.add_row(row.metric, *shown, share(row.fraction_of_bound), f"{row.error:+.1%}", row.verdict)
    return made


def _shares(explained: Mapping[str, float]) -> str:
    return ", ".join(f"{share(part, 0)} {name}" for name, part in explained.items() if part >= _MENTIONED)


def _alike(said: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """What is said, each with all the metrics that it is said of."""
    found: dict[str, list[str]] = {}
    for name, why in said:
        if why:
            found.setdefault(why, []).append(name)
    return list(found.items())

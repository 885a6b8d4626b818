"""Configurations side by side on a terminal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from llmperf.answers.answer import Answer
from llmperf.answers.comparison import Comparison
from llmperf.interfaces.console.style import console, filled, table, text
from llmperf.interfaces.console.tables import bold
from llmperf.outputs import CAPACITY, MEMORY_CLASSES, Output
from llmperf.phases.answered import Figures
from llmperf.words.difference import explanation
from llmperf.words.quantities import NONE, cell, count, gib, times
from llmperf.words.scenario import described, maximum
from llmperf.words.tables import compared

_LABEL = 24
_WIDEST = 23

Row = tuple[str, list[str]]


def show(found: Comparison) -> None:
    """Print what is compared, the numbers side by side, and what makes the difference to the first."""
    out = console()
    for label, result in zip(found.labels, found.results, strict=True):
        out.print(f"{bold(text(label))}")
        for words in (described(result.scenario), maximum(result.scenario)):
            if words:
                out.print(text(filled(words, "  ", out.width)))
    rows = _rows(found)
    for columns in _groups(found.labels, rows, out.width):
        out.print()
        made = table("", *(_wrapped(found.labels[index]) for index in columns))
        for name, cells in rows:
            made.add_row(name, *(cells[index] for index in columns))
        out.print(made)
    for index in range(1, len(found.labels)):
        out.print(f"\n{bold(text(found.labels[index]))} against {text(found.labels[0])}")
        for words in explanation(found, index):
            out.print(text(filled(words, "- ", out.width)))
    for words in found.notes:
        out.print(f"note: {text(words)}")
    notes: dict[str, list[str]] = {}
    for label, result in zip(found.labels, found.results, strict=True):
        for note in result.warnings:
            notes.setdefault(note, []).append(label)
    for note, labels in notes.items():
        whose = "" if len(labels) == len(found.labels) else f" ({', '.join(labels)})"
        out.print(f"note: {text(note)}{text(whose)}")


def _wrapped(label: str) -> str:
    """A label as the head of a column: changes below each other, each cut to its width."""
    return text("\n".join(part if len(part) <= _WIDEST else part[: _WIDEST - 3] + "..." for part in label.split(",")))


def _groups(labels: tuple[str, ...], rows: list[Row], width: int) -> list[list[int]]:
    """Columns that fit beside each other; the first stands in every group."""
    widths = [
        2 + max(len(line) for line in (*_wrapped(label).split("\n"), *(cells[index] for _, cells in rows)))
        for index, label in enumerate(labels)
    ]
    first = _LABEL + widths[0]
    groups: list[list[int]] = [[0]]
    used = first
    for index in range(1, len(labels)):
        if used + widths[index] > width and len(groups[-1]) > 1:
            groups.append([0])
            used = first
        groups[-1].append(index)
        used += widths[index]
    return groups


def _rows(found: Comparison) -> list[Row]:
    """The numbers of every configuration; rows without any are left out."""
    results = found.results
    works = [result.scenario.workload for result in results]
    lengths = [key for key in ("batch", "input", "output") if len({getattr(work, key) for work in works}) > 1]
    rows: list[Row] = [(key, [_length(result, key) for result in results]) for key in lengths]
    for part, output in compared(results[0]):
        rows += _row(found, part.name, output, output.label.replace(", last sequence", ""))
        if part.definition and "bound" in results[0].parts:
            rows += _row(found, "bound", output, "  its bound")
    if all("memory" in result.parts for result in results):
        rows += _memory(found)
    rows += [
        (f"{phase} limited by", [result.bottleneck.get(phase) or "" for result in results])
        for phase in results[0].bottleneck
    ]
    return [row for row in rows if any(words not in ("", "-") for words in row[1])]


def _length(result: Answer, key: str) -> str:
    """A number of the workload; a service has no batch."""
    served = key == "batch" and result.scenario.traffic is not None
    return NONE if served else count(getattr(result.scenario.workload, key))


def _memory(found: Comparison) -> list[Row]:
    """Classes of memory, whether it fits, and what would."""
    results = found.results
    shown = CAPACITY.shown("compare")
    rows = [
        (f"{output.label}, GiB", [_gib(result.memory.of(output.name)) for result in results])
        for output in (*MEMORY_CLASSES, *(one for one in shown if one.unit == "B"))
    ]
    if not all(result.fits for result in results):
        rows.append(("fits", ["yes" if one.fits else f"no: {_gib(one.memory.missing)} more" for one in results]))
    rows += [
        (output.label, [count(result.memory.of(output.name)) for result in results])
        for output in shown
        if output.unit == "1"
    ]
    return rows


def _row(found: Comparison, part: str, output: Output, label: str) -> list[Row]:
    """One output of all results that have it, with how many times better than the first; none where it is no number."""
    parts = [result.parts.get(part, Figures({})) for result in found.results]
    values = [one.of(output.name) if output.name in one else math.nan for one in parts]
    if not any(math.isfinite(value) for value in values):
        return []
    cells = [cell(output, value) for value in values]
    for index in range(1, len(cells)):
        ratio = found.speedup(index, part).get(output.name, math.nan)
        if np.isfinite(ratio):
            cells[index] += f" ({times(ratio)})"
    return [(label, cells)]


def _gib(value: Any) -> str:
    return gib(value) if value else ""

"""Results in a notebook: a compact table as HTML without scripts, and figures by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from llmperf.answers.answer import Answer
from llmperf.answers.sweep import along
from llmperf.errors import InputError, Problem, nearest, shown
from llmperf.phases.answered import Figures
from llmperf.resources import RESOURCES
from llmperf.words.difference import explanation
from llmperf.words.quantities import NONE, cell, gib, times
from llmperf.words.scenario import headline
from llmperf.words.tables import compared, tables

if TYPE_CHECKING:
    from llmperf.answers.comparison import Comparison
    from llmperf.answers.sweep import Sweep

_LEFT, _RIGHT = "style='text-align:left'", "style='text-align:right;font-variant-numeric:tabular-nums'"


def estimate_html(result: Answer) -> str:
    """An estimate as a table: bound, roofline and projection, what limits it, and memory; of arrays their ranges."""
    made = "".join(_table(head, rows) for head, rows in tables(result, "notebook"))
    return f"<div>{_p(headline(result), bold=True)}{made}{''.join(map(_p, _limits(result)))}</div>"


def comparison_html(found: Comparison) -> str:
    """A comparison as a table: a column a configuration, and what makes the difference to the first."""
    rows = []
    for part, output in compared(found.results[0]):
        parts = [result.parts.get(part.name, Figures({})) for result in found.results]
        cells = [cell(output, one.of(output.name) if output.name in one else np.nan) for one in parts]
        for index in range(1, len(cells)):
            ratio = found.speedup(index, part.name).get(output.name, np.nan)
            cells[index] += f" ({times(ratio)})" if np.isfinite(ratio) else ""
        if set(cells) != {NONE}:
            rows.append((output.label, *cells))
    if all("memory" in result.parts for result in found.results):
        rows.append(("required memory, GiB a device", *(gib(result.memory.required) for result in found.results)))
    said = [_p(f"{label}: {headline(one)}") for label, one in zip(found.labels, found.results, strict=True)]
    for index in range(1, len(found.labels)):
        items = "".join(f"<li>{escape(words)}</li>" for words in explanation(found, index))
        head = f"{escape(found.labels[index])} against {escape(found.labels[0])}"
        said.append(f"<details><summary>{head}</summary><ul>{items}</ul></details>")
    return f"<div>{_table(('', *found.labels), rows)}{''.join(said)}</div>"


def _limits(result: Answer) -> Iterator[str]:
    """What limits each phase, and whether it fits, in words."""
    for phase, name in result.bottleneck.items():
        names = [one for one in dict.fromkeys(np.asarray(name, dtype=object).reshape(-1)) if one is not None]
        if names:
            yield f"{phase} is limited by " + "; ".join(f"{one} ({RESOURCES[one].label})" for one in names)
    if "memory" not in result.parts:
        return
    memory, count = result.memory, int(np.prod(result.shape)) if result.shape else 1
    fitting = int(np.sum(np.broadcast_to(memory.fits, result.shape)))
    if result.shape:
        yield f"{fitting:,} of {count:,} configurations fit"
        return
    held = f"{gib(memory.required)} of {gib(memory.usable)} usable GiB a device"
    yield f"fits: {held}" if fitting else f"does not fit: {held}; the times assume that it did"


def _p(words: str, bold: bool = False) -> str:
    safe = escape(words)
    return f"<p style='margin:.2em 0'>{f'<b>{safe}</b>' if bold else safe}</p>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag} {_RIGHT if index else _LEFT}>{escape(cell)}</{tag}>" for index, cell in enumerate(cells)
        )

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"<table><thead><tr>{line(head, 'th')}</tr></thead><tbody>{body}</tbody></table>"


ONE = ("roofline", "operators", "waits", "memory", "frontier")
MANY = ("frontier", "curves", "memory")
SERVICE = ("service",)
COMPARED = ("speedup", "roofline", "waits", "memory", "frontier")
"""Figures of one configuration, of arrays of them, of one service beside these, and of a comparison."""


def plot(result: Answer, kind: str = "roofline", phase: str = "decode") -> Any:
    """A figure of an estimate (`llmperf.answers.answer.Answer.plot`)."""
    _known(kind, MANY if result.shape else ONE if result.scenario.traffic is None else (*ONE, *SERVICE))
    from llmperf.interfaces.figures import frontier, memory, operators, roofline, service, sweep

    if result.shape:
        found = _sweep(result, kind)
        drawings: dict[str, Callable[..., Any]] = {
            "frontier": lambda swept: frontier.pareto([swept]),
            "curves": sweep.curves,
            "memory": memory.memory_against,
        }
        return drawings[kind](found).figure
    if kind == "operators":
        if result.bottleneck.get(phase) is None:
            phases = tuple(name for name, limit in result.bottleneck.items() if limit is not None)
            raise InputError(Problem(f"{shown(phase)} is no phase of this result", "phase", allowed=phases))
        return operators.operator_times(result, phase).figure
    if kind == "service":
        return service.along_load(along(headline(result), result), result).figure
    drawn = {
        "roofline": roofline.roofline,
        "waits": operators.waits,
        "memory": memory.memory,
        "frontier": _frontier,
    }
    return drawn[kind]({headline(result): result}).figure


def plot_comparison(found: Comparison, kind: str = "speedup") -> Any:
    """A figure of a comparison (`llmperf.answers.comparison.Comparison.plot`)."""
    _known(kind, COMPARED)
    from llmperf.interfaces.figures import comparison, memory, operators, roofline

    if kind == "speedup":
        return comparison.speedups(found).figure
    results = dict(zip(found.labels, found.results, strict=True))
    drawn = {
        "roofline": roofline.roofline,
        "waits": operators.waits,
        "memory": memory.memory,
        "frontier": _frontier,
    }
    return drawn[kind](results).figure


def _frontier(results: Mapping[str, Answer]) -> Any:
    """Throughput against latency, along the batch of each result, or what a service is loaded by."""
    from llmperf.interfaces.figures.frontier import throughput_latency

    return throughput_latency(results, {name: along(name, result) for name, result in results.items()})


def _known(kind: str, allowed: tuple[str, ...]) -> None:
    if kind not in allowed:
        text = f"there is no figure {shown(kind)} of this result"
        raise InputError(Problem(text, "kind", allowed=allowed, suggestion=nearest(str(kind), allowed)))


def _sweep(result: Answer, kind: str) -> Sweep:
    """An estimate of arrays as the sweep that it is; its knobs are the arrays of its scenario."""
    from llmperf.answers.sweep import Sweep

    size = int(np.prod(result.shape))
    varied = {path: array for path, array in result.answered.arrays.items() if path != "devices"}  # of the layout
    knobs = {path.rpartition(".")[2]: array for path, array in varied.items()}
    if kind != "frontier" and len(knobs) > 1:
        text = f"a figure of kind {kind} follows one knob, and {', '.join(knobs)} vary"
        raise InputError(Problem(text, "kind", allowed=("frontier",)))
    return Sweep(headline(result), knobs, _flat(result, size))


def _flat(result: Answer, size: int) -> Answer:
    """The result with arrays of one dimension."""

    def flat(value: Any) -> Any:
        return np.broadcast_to(value, result.shape).reshape(-1) if isinstance(value, np.ndarray) else value

    parts = {name: part.map(flat) for name, part in result.parts.items()}
    limits = {phase: flat(codes) for phase, codes in result.limits.items()}
    return replace(result, parts=parts, limits=limits, shape=(size,), kept={})

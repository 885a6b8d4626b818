"""Tables of results: which outputs of an answer a view shows, and their values in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from llmperf.answers.answer import Answer
from llmperf.answers.questions import QUESTIONS
from llmperf.outputs import Output, Part
from llmperf.words.quantities import NONE, cell

Row = tuple[str, ...]


def outputs(result: Answer, where: str = "", definition: str = "projection") -> tuple[Output, ...]:
    """Outputs of an answer that a view shows (`llmperf.outputs.Output.shown`); all, where its question marks none.

    Parameters
    ----------
    result : Answer
    where : str
        The view; empty: the whole table, without what stands aside.
    definition : str
        ``bound``, ``roofline`` or ``projection``.
    """
    parts = [part for part in QUESTIONS[result.question].parts if part.definition == definition]
    every = tuple(output for part in parts for output in part.outputs)
    if not where:
        return tuple(output for output in every if "aside" not in output.shown)
    return tuple(output for output in every if where in output.shown) or every


def compared(result: Answer) -> Iterator[tuple[Part, Output]]:
    """Outputs that comparisons show beside the memory, each with its part; of definitions those of projections."""
    for output in outputs(result, "compare"):
        yield QUESTIONS[result.question].part("projection"), output
    for part in QUESTIONS[result.question].parts:
        if not part.definition and part.name != "memory":
            yield from ((part, output) for output in part.outputs if "compare" in output.shown)


def tables(result: Answer, where: str = "") -> Iterator[tuple[Row, list[Row]]]:
    """Heads and rows of the tables of an answer: its outputs by definition, then each other part but the memory.

    Values of many configurations are said by their range; what none has is left out.
    """
    parts = QUESTIONS[result.question].parts
    defined = [part for part in parts if part.definition]
    if defined:
        shown = dict.fromkeys(one for part in defined for one in outputs(result, where, part.definition))
        rows = [(one.label, *(_cell(result, part, one) for part in defined)) for one in shown]
        yield ("", *(part.name for part in defined)), [row for row in rows if set(row[1:]) != {NONE}]
    for part in parts:
        if not part.definition and part.name != "memory":
            yield (part.name, "value"), [(one.label, _cell(result, part, one)) for one in part.outputs]


def _cell(result: Answer, part: Part, output: Output) -> str:
    value: Any = result.parts[part.name].of(output.name) if output.name in result.parts[part.name] else np.nan
    return cell(output, value)

"""How sure an answer is, on a terminal."""

from __future__ import annotations

from typing import Any

from llmperf.answers.answer import Answer
from llmperf.evidence.confidence import extrapolated_of
from llmperf.interfaces.console.style import table, text
from llmperf.words.confidence import NONE, Sure, sure


def show(out: Any, result: Answer) -> None:
    """Print what a projection rests on, where measured results lie beside it, and why they may not hold here."""
    basis = result.scenario.hardware.achieved
    out.print(f"projection: {basis.basis} constants ({text(basis.name)})")
    known = sure(result)
    out.print(_table(known) if known else NONE)
    for one in known:
        for near in one.nearest:
            out.print(f"nearest {one.noun}: {text(near)}")
    for reason in extrapolated_of(result):
        out.print(f"extrapolated: {text(reason)}")


def _table(known: list[Sure]) -> Any:
    made = table("how sure this is", "8 of 10 measured", "half below", "by", left=1)
    made.columns[0].folds, made.columns[3].folds, made.columns[3].right = False, True, False
    for one in known:
        ends = f"{one.ends}{' (wide)' if one.values['wide'] else ''}"
        made.add_row(text(one.noun), ends, one.middle, text(one.basis))
    return made

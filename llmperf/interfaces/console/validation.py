"""Validation on a terminal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from llmperf.evidence import topics
from llmperf.evidence.claims.files import CATEGORIES
from llmperf.evidence.claims.recompute import Claim, missing, said
from llmperf.evidence.rows import Rows, Summary
from llmperf.evidence.validation import Validation
from llmperf.interfaces.console.style import console, table, text
from llmperf.interfaces.console.tables import bold
from llmperf.words import claims as published
from llmperf.words.quantities import count

MOST = 20
"""Violations, reasons and claims that are listed; the others are counted."""


def show(found: Validation, worst: int = 0) -> None:
    """Print errors by group, what beats the bound, what could not be expressed, and the verdict on every claim."""
    out = console()
    summaries = found.summaries
    for rows in found.rows:
        _data(out, rows, summaries, worst)
    if found.rows:
        _questions(out, found.rows)
    if found.claims:
        _claims(out, found.claims)
    for line in found.failures[:MOST]:
        out.print(f"{bold('fails')}: {text(line)}")
    if len(found.failures) > MOST:
        out.print(f"and {len(found.failures) - MOST} more failures")


def _percent(value: float) -> str:
    """A logarithmic error as a share; beyond a factor of ten, as that factor."""
    return f"{math.expm1(value):+.1%}" if abs(value) < math.log(10.0) else f"x{math.exp(value):.3g}"


def _questions(out: Any, found: list[Rows]) -> None:
    """Errors by question and engine, with the worst group of each."""
    head = ("question", "engine", "measured", "rows", "median error", "p90 error", "bias", "worst group", "its error")
    made = table(*head, left=3)
    made.columns[7].right, made.columns[7].folds = False, True
    for one in topics.lines(found):
        numbers = (_percent(one.median)[1:], _percent(one.p90)[1:], _percent(one.bias))
        worst = text(one.worst.replace("|", ", "))
        few = f"{count(one.n)}{'' if one.n >= topics.FEW else ' (few)'}"
        made.add_row(
            topics.TOPICS[one.topic], one.engine, one.measured, few, *numbers, worst, _percent(one.worst_median)[1:]
        )
    out.print(made)
    out.print()


def _data(out: Any, rows: Rows, summaries: list[Summary], worst: int) -> None:
    made = table(rows.dataset, "metric", "rows", "median error", "p90 error", "bias", "beat the bound", left=2)
    for part in summaries:
        if part.dataset != rows.dataset:
            continue
        cells = (_percent(part.median_abs_log)[1:], _percent(part.p90_abs_log)[1:], _percent(part.bias_log))
        strong = part.group == "all groups"
        made.add_row(text(part.group), part.metric, count(part.n), *cells, count(part.bound_violations), strong=strong)
    if len(rows):
        out.print(made)
    if worst:
        _worst(out, rows, worst)
    _violations(out, rows)
    if rows.omitted:
        whole = len(rows.omitted) + len(rows)
        out.print(f"not expressible: {len(rows.omitted)} of {whole} rows")
    for why, number in rows.missing()[:MOST]:
        out.print(f"  {number} x {text(why)}")
    out.print()


def _worst(out: Any, rows: Rows, most: int) -> None:
    made = table("row", "metric", "measured", "bound", "projection", "error", left=2)
    logs = rows.log_errors
    for index in np.argsort(-np.abs(logs))[:most]:
        values = [f"{column[index]:.4g}" for column in (rows.measured, rows.bound, rows.projection)]
        made.add_row(text(rows.ids[index]), rows.metrics[index], *values, _percent(logs[index]))
    out.print(made)


def _violations(out: Any, rows: Rows) -> None:
    for why, number in rows.reasons():
        out.print(f"{number} rows beat the bound: {text(why)}")
    for index in np.flatnonzero(rows.unexplained)[:MOST]:
        values = f"{rows.measured[index]:.4g}, bound {rows.bound[index]:.4g}"
        out.print(f"  {text(rows.ids[index])}: {rows.metrics[index]} {values}")


def _claims(out: Any, claims: list[Claim]) -> None:
    """What was recomputed of each system; then how many claims of each category and tier hold."""
    found = list(published.systems(claims))
    for system, mine in found:
        _system(out, system, mine)
    made = table(*published.HEAD, left=2)
    for row in published.standing(claims):
        made.add_row(*row, strong=row[0] == "all")
    out.print(made)
    out.print(f"{len(claims)} claims of {len(found)} systems: {said(claims)}")
    for why, number in list(missing(claims).items())[:MOST]:
        out.print(f"  {number} x {text(why)}")


def _system(out: Any, system: str, mine: list[Claim]) -> None:
    waiting = ", ".join(f"{number} x {text(why)}" for why, number in missing(mine).items())
    shown = [claim for claim in mine if claim.verdict != "not_expressible"]
    if shown:
        title = text(f"{system}: {CATEGORIES[mine[0].category]}")
        made = table("claim", "metric", "tier", "published", "predicted", "error", "verdict", title=title, left=2)
        for column in made.columns[3:5]:
            column.folds = True
        for claim in shown:
            cells = (published.claimed(claim), published.predicted(claim), published.error(claim))
            verdict = published.name_of(claim.verdict) + "*" * bool(claim.apart)
            made.add_row(text(published.name(claim)), claim.metric, claim.tier, *cells, verdict)
        out.print(made)
        reasons = dict.fromkeys(claim.apart for claim in shown if claim.apart)
        if reasons:
            out.print(f"* counted apart: {', '.join(map(published.name_of, reasons))}")
    if waiting:
        out.print(f"{'' if shown else text(system) + ': '}not expressible: {waiting}")
    if shown:
        out.print()

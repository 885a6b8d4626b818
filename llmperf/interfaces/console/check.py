"""Checks on a terminal: every limit with its value and margin, and what changed."""

from __future__ import annotations

from io import StringIO

from llmperf.checks import Checks
from llmperf.checks.evaluation import Result
from llmperf.checks.words import changed, expected, judged, margin, printable, related
from llmperf.interfaces.console.style import WIDTH, Console, console, table, text
from llmperf.interfaces.console.tables import Table, coloured

MOST = 100
"""Most checks that are shown one by one, those that do not hold first."""
COLORS = {"passed": "green", "failed": "red", "error": "red", "skipped": "yellow"}


def show(checks: Checks) -> None:
    """Print all checks."""
    _print(console(), checks)


def plain(checks: Checks) -> str:
    """The same as text, for a file."""
    stream = StringIO()
    _print(Console(stream, WIDTH), checks)
    return stream.getvalue()


def _print(out: Console, checks: Checks) -> None:
    bad = [result for result in checks.results if result.status != "passed"]
    kept = {id(result) for result in bad[:MOST]}
    kept |= {id(result) for result in [one for one in checks.results if id(one) not in kept][: MOST - len(kept)]}
    shown = [result for result in checks.results if id(result) in kept]
    if shown:
        made = table("check", "status", "output", "value", "limit", "margin", left=3)
        made.columns[1].folds = False
        for result in shown:
            _rows(made, result)
        out.print(made)
        out.print()
    for result in shown:
        parts = (result.reason, changed(result), result.advice)
        said = "; ".join(part for part in parts if part and part != "as locked")
        if said:
            out.print(f"{_safe(result.check.name)}: {_safe(said)}")
        if result.status == "failed":
            for line in related(result)[:1]:
                out.print(f"  {_safe(str(line.place.file))}:{line.place.line}: {_safe(line.text)}")
        for note in result.check.notes:
            out.print(f"  note: {_safe(note)}")
    if len(shown) < len(checks.results):
        out.print(f"and {len(checks.results) - len(shown):,} more checks; --format json shows all")
    for note in checks.notes:
        out.print(f"note: {_safe(note)}")
    counts = [coloured(f"{number:,} {status}", COLORS[status]) for status, number in checks.counts.items() if number]
    if counts or not checks.problems:  # without any, the errors say why
        out.print(", ".join(counts) or "no checks")


def _rows(made: Table, result: Result) -> None:
    status = coloured(result.status, COLORS[result.status])
    head = [_safe(result.check.name), status]
    if not result.verdicts:
        made.add_row(*head, "", "", "", "")
    for verdict in result.verdicts:
        cells = [text(cell) for cell in (judged(verdict), expected(verdict), margin(verdict))]
        if not verdict.holds:
            cells = [coloured(cell, "red") for cell in cells]
        name = verdict.limit.output + (" (pessimistic)" if verdict.limit.pessimistic else "")
        made.add_row(*head, name, *cells)
        head = ["", ""]


def _safe(foreign: str) -> str:
    """Foreign text that is no command of a terminal, nor one to a runner that reads what is printed (``::error::``)."""
    return text(printable(foreign).replace("::", ": :").replace("##[", "## ["))

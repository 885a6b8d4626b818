"""Markdown: a summary for ``$GITHUB_STEP_SUMMARY`` and for merge requests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llmperf.checks.evaluation import Result
from llmperf.checks.words import changed, expected, findings, judged, margin, printable, related
from llmperf.interfaces.ci.paths import placed

if TYPE_CHECKING:
    from llmperf.checks import Checks

MOST = 500
"""Most rows of the table; GitHub shows up to 1 MiB of a summary."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#|~@!&])")


def markdown(checks: Checks) -> str:
    """How many checks hold, every limit of those that do not, and what is wrong with the input."""
    said = ", ".join(f"{number} {status}" for status, number in checks.counts.items() if number) or "no checks"
    lines = [f"## llmperf check: {said}", ""]
    rows = [row for result in checks.results if result.status != "passed" for row in _rows(result)]
    rows += [row for result in checks.results if result.status == "passed" for row in _rows(result)]
    if rows:
        lines += ["| check | status | output | value | limit | margin | changed |", "|---|---|---|---:|---:|---:|---|"]
        lines += rows[:MOST]
        lines.append("")
        if len(rows) > MOST:
            lines += [f"and {len(rows) - MOST:,} more rows", ""]
    wrong = [finding for finding in findings(checks) if finding.rule == "input"]
    if wrong:
        lines += ["### Wrong input", ""]
        for one in wrong[:MOST]:
            place = f"{at}: " if (at := placed(one.place)) else ""
            lines.append(f"- {_text(place + one.message)}")
        lines.append("")
    lines += [f"- {_text(f'{one.check.name}: {note}')}" for one in checks.results for note in one.check.notes][:MOST]
    lines += [f"- {_text(note)}" for note in checks.notes]
    return "\n".join(lines).rstrip("\n") + "\n"


def _rows(result: Result) -> list[str]:
    """The limits of a check, those that do not hold first, and why it has its status."""
    head = [_text(result.check.name), result.status]
    ordered = sorted(result.verdicts, key=lambda one: one.holds)
    rows = [
        [
            _text(one.limit.output) + (" (pessimistic)" if one.limit.pessimistic else ""),
            ("" if one.holds else "**") + _text(judged(one)) + ("" if one.holds else "**"),
            _text(expected(one)),
            margin(one),
            "",
        ]
        for one in ordered
    ]
    lines = related(result) if result.status == "failed" else ()
    at = f"at {placed(lines[0].place)}: {lines[0].text}" if lines else ""
    said = (result.reason, changed(result) if result.baseline else "", result.advice, at)
    notes = "; ".join(part for part in said if part)
    if not rows:
        rows = [["", "", "", "", ""]]
    rows[0][-1] = _text(notes)
    return ["| " + " | ".join([*(head if index == 0 else ["", ""]), *row]) + " |" for index, row in enumerate(rows)]


def _text(text: str) -> str:
    """`text` as it is: nothing of it is markup, a link, a mention or a cell."""
    return _SPECIAL.sub(r"\\\1", printable(text))

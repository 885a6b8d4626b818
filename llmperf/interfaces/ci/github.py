"""Annotations of GitHub Actions: workflow commands that the runner shows at the line of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmperf.checks.words import findings, printable
from llmperf.interfaces.ci.paths import placed, relative

if TYPE_CHECKING:
    from llmperf.checks import Checks


def github(checks: Checks) -> str:
    """One ``::error`` a finding, ``::warning`` a flag that is not understood, ``::notice`` a skip; and the counts.

    Of a deployment the error stands at the line of its file, which is what a change shows, and names that of the limit.

    References
    ----------
    .. [1] GitHub, "Workflow commands for GitHub Actions"; escapes as of actions/toolkit, ``core/src/command.ts``.
    """
    lines = []
    for finding in findings(checks):
        title = f"llmperf {finding.rule}" + (f": {finding.check}" if finding.check else "")
        place = finding.deployed
        at = "" if place.file == finding.place.file else f" ({placed(finding.place)})"
        lines.append(_command("error", f"{finding.message}{at}", title, place.file, place.line, place.column))
    for result in checks.results:
        place = result.check.place
        title = f"llmperf: {result.check.name}"
        said = [one for one in result.check.said if one.kind in ("not_understood", "not_modelled")]
        lines += [
            _command("warning", str(one), title, one.place.file, one.place.line or place.line, None)
            for one in said
            if one not in result.unclear
        ]
        if result.status == "skipped":
            text = f"{result.check.name} is skipped: {result.reason}"
            lines.append(_command("notice", text, "llmperf skipped", place.file, place.line, None))
    lines += [f"{number} {status}" for status, number in checks.counts.items() if number]
    return "\n".join(lines) + "\n"


def _command(kind: str, message: str, title: str, file: str | None, line: int | None, column: int | None) -> str:
    given = {
        "file": None if file is None else relative(file, "GITHUB_WORKSPACE"),
        "line": line,
        "col": column,
        "title": title,
    }
    said = ",".join(f"{key}={_property(str(value))}" for key, value in given.items() if value is not None)
    return f"::{kind} {said}::{_data(message)}"


def _data(text: str) -> str:
    """A message; the percent sign first, since it begins the other escapes."""
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return printable(escaped)  # other ends of lines, too, would begin a command of their own


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

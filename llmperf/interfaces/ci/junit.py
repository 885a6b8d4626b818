"""JUnit XML: one suite a check file, one case a check."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from llmperf.checks.evaluation import Result
from llmperf.checks.words import changed, expected, findings, judged, margin, of

if TYPE_CHECKING:
    from llmperf.checks import Checks

_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""


def junit(checks: Checks) -> str:
    """The checks as JUnit XML; faults of the input are errors of a suite of their own.

    References
    ----------
    .. [1] Jenkins xUnit plugin, junit-10.xsd.
    """
    suites: dict[str, list[Result]] = {}
    for result in checks.results:
        suites.setdefault(result.check.place.file or "checks", []).append(result)
    parts = [_suite(name, results) for name, results in suites.items()]
    wrong = [finding for finding in findings(checks) if finding.rule == "input"]
    if wrong:
        cases = [
            _case(
                f"{one.place.file or 'input'}:{one.place.line or 1}", "input", f"    <error{_message(one.message)}/>\n"
            )
            for one in wrong
        ]
        parts.append(_named("input", len(wrong), 0, len(wrong), 0, cases))
    return '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="llmperf">\n' + "".join(parts) + "</testsuites>\n"


def _suite(name: str, results: Sequence[Result]) -> str:
    count = {status: sum(one.status == status for one in results) for status in ("failed", "error", "skipped")}
    cases = [_case(one.check.name, name, _body(one)) for one in results]
    return _named(name, len(results), count["failed"], count["error"], count["skipped"], cases)


def _named(name: str, tests: int, failures: int, errors: int, skipped: int, cases: Sequence[str]) -> str:
    return (
        f'  <testsuite name={_attribute(name)} tests="{tests}" failures="{failures}" errors="{errors}" '
        f'skipped="{skipped}" time="0">\n' + "".join(cases) + "  </testsuite>\n"
    )


def _case(name: str, suite: str, body: str) -> str:
    head = f'    <testcase name={_attribute(name)} classname={_attribute(suite)} time="0"'
    return f"{head}>\n{body}    </testcase>\n" if body else f"{head}/>\n"


def _body(result: Result) -> str:
    if result.status == "skipped":
        return f"      <skipped{_message(result.reason)}/>\n"
    if result.status == "error":
        said = "; ".join(problem.message for problem in result.problems) or result.reason
        return f"      <error{_message(said)}/>\n" + _log(result)
    if result.status == "failed":
        found = [finding.message for finding in of(result)]
        return f"      <failure{_message('; '.join(found))}>{_text(chr(10).join(found))}</failure>\n" + _log(result)
    return _log(result)


def _log(result: Result) -> str:
    """Every limit with its value and margin, and what changed."""
    lines = [
        f"{one.limit.output}: {judged(one)}, expected {expected(one)} {margin(one)}".rstrip() for one in result.verdicts
    ]
    if change := changed(result):
        lines.append(change)
    lines += result.check.notes
    return f"      <system-out>{_text(chr(10).join(lines))}</system-out>\n" if lines else ""


def _message(text: str) -> str:
    return f" message={_attribute(text)}"


def _attribute(text: str) -> str:
    return quoteattr(_legal(text))


def _text(text: str) -> str:
    return escape(_legal(text))


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)

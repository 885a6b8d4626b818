"""JUnit XML: one suite a check file, one case a check."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from llmperf.checks.evaluation import Result
from llmperf.checks.words import Finding, changed, expected, findings, judged, margin, of
from llmperf.interfaces.ci.paths import ROOTS, placed, relative

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
    root = Element("testsuites", name="llmperf")
    suites: dict[str, list[Result]] = {}
    for result in checks.results:
        file = result.check.place.file
        suites.setdefault(relative(file, *ROOTS) if file else "checks", []).append(result)
    for name, results in suites.items():
        count = {status: sum(one.status == status for one in results) for status in ("failed", "error", "skipped")}
        suite = _suite(root, name, len(results), count["failed"], count["error"], count["skipped"])
        for one in results:
            _told(_case(suite, one.check.name, name), one)
    wrong = [finding for finding in findings(checks) if finding.rule == "input"]
    if wrong:
        suite = _suite(root, "input", len(wrong), 0, len(wrong), 0)
        for fault in wrong:
            case = _case(suite, placed(fault.place) or "input:1", "input")
            SubElement(case, "error", message=_legal(fault.message))
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, "unicode")}\n'


def _suite(root: Element, name: str, tests: int, failures: int, errors: int, skipped: int) -> Element:
    counts = {"tests": tests, "failures": failures, "errors": errors, "skipped": skipped, "time": 0}
    return SubElement(root, "testsuite", {"name": _legal(name), **{key: str(value) for key, value in counts.items()}})


def _case(suite: Element, name: str, of: str) -> Element:
    return SubElement(suite, "testcase", name=_legal(name), classname=_legal(of), time="0")


def _told(case: Element, result: Result) -> None:
    """What became of a check, and every limit with its value and margin, and what changed."""
    if result.status == "skipped":
        SubElement(case, "skipped", message=_legal(result.reason))
        return
    if result.status == "error":
        said = "; ".join(problem.message for problem in result.problems) or result.reason
        SubElement(case, "error", message=_legal(said))
    if result.status == "failed":
        found = list(of(result))
        failure = SubElement(case, "failure", message="; ".join(_legal(one.message) for one in found))
        failure.text = "\n".join(_legal(line) for one in found for line in _lines(one))
    lines = [
        f"{one.limit.output}: {judged(one)}, expected {expected(one)} {margin(one)}".rstrip() for one in result.verdicts
    ]
    if change := changed(result):
        lines.append(change)
    lines += result.check.notes
    if lines:
        SubElement(case, "system-out").text = _legal("\n".join(lines))


def _lines(finding: Finding) -> list[str]:
    """A finding, and the lines that it goes back to."""
    at = placed(finding.place)
    related = [f"  {placed(one.place)}: {one.text}" for one in finding.related]
    return [f"{at}: {finding.message}" if at else finding.message, *related]


def _legal(text: str) -> str:
    """A text that XML can hold, with what would turn or hide text where it is shown written out."""
    safe = _ILLEGAL.sub("\ufffd", text)
    return safe if safe.isprintable() else "".join(c if c.isprintable() or c in "\t\n" else repr(c)[1:-1] for c in safe)

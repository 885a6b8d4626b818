"""SARIF 2.1.0, as code scanning of GitHub and others read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from llmperf.checks.limits import Place
from llmperf.checks.words import RULES, Finding, findings, printable
from llmperf.interfaces.ci.paths import relative
from llmperf.version import __version__

if TYPE_CHECKING:
    from llmperf.checks import Checks

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(checks: Checks) -> str:
    """One result a finding, at its line and column; the lines of a deployment that it goes back to are related.

    References
    ----------
    .. [1] OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", 2020.
    """
    rules = list(RULES)
    driver = {
        "name": "llmperf",
        "version": __version__,
        "rules": [
            {"id": name, "shortDescription": {"text": text}, "defaultConfiguration": {"level": "error"}}
            for name, text in RULES.items()
        ],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": not checks.problems, "exitCode": checks.exit_code}],
        "results": [_result(finding, rules) for finding in findings(checks)],
    }
    data = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(data, indent=2) + "\n"


def _result(finding: Finding, rules: list[str]) -> dict[str, Any]:
    out: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": "error",
        "message": {"text": finding.message},
    }
    if finding.place.file is not None:
        out["locations"] = [_location(finding.place.file, finding.place)]
    if finding.related:
        out["relatedLocations"] = [
            {"id": index, **_location(one.place.file, one.place), "message": {"text": printable(one.text)}}
            for index, one in enumerate(finding.related, 1)
            if one.place.file is not None
        ]
    return out


def _location(file: str, place: Place) -> dict[str, Any]:
    path = relative(file, "GITHUB_WORKSPACE")
    where: dict[str, Any] = {"artifactLocation": {"uri": quote(_encoded(path))}}
    if not path.startswith("/"):
        where["artifactLocation"]["uriBaseId"] = "%SRCROOT%"
    if place.line is not None:
        where["region"] = {"startLine": place.line}
        if place.column is not None:
            where["region"]["startColumn"] = place.column
    return {"physicalLocation": where}


def _encoded(path: str) -> bytes:
    """The bytes of a file name; of a text that can be none, with what is no character replaced."""
    try:
        return path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return path.encode("utf-8", "replace")

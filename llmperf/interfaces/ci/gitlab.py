"""Code Quality reports of GitLab."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING

from llmperf.checks.words import findings, printable
from llmperf.interfaces.ci.paths import relative

if TYPE_CHECKING:
    from llmperf.checks import Checks

SEVERITIES = {"input": "blocker", "limit": "major", "drift": "major", "capacity": "critical"}


def gitlab(checks: Checks) -> str:
    """A list of findings; a fingerprint stays the same while the limit does, whatever its value.

    References
    ----------
    .. [1] GitLab, "Code Quality report format".
    """
    seen: Counter[str] = Counter()
    out = []
    for finding in findings(checks):
        path = relative(finding.place.file or "llmperf", "CI_PROJECT_DIR")
        shown = relative(finding.deployed.file or "llmperf", "CI_PROJECT_DIR")
        key = json.dumps([finding.rule, path, finding.check, finding.subject])
        seen[key] += 1
        out.append(
            {
                "description": finding.message,
                "check_name": f"llmperf.{finding.rule}",
                "fingerprint": hashlib.sha256(f"{key}{seen[key]}".encode("utf-8", "replace")).hexdigest(),
                "severity": SEVERITIES.get(finding.rule, "minor"),
                "location": {"path": printable(shown), "lines": {"begin": finding.deployed.line or 1}},
            }
        )
    return json.dumps(out, indent=2) + "\n"

"""What `llmperf roofline --json` prints."""

from __future__ import annotations

from typing import Any

from llmperf.answers.rooflines import Roofline
from llmperf.contract.answers import SCHEMA_VERSION, plain


def to_dict(found: list[Roofline]) -> dict[str, Any]:
    """Plain data as ``llmperf roofline --json`` prints it."""
    return dict(plain({"schema_version": SCHEMA_VERSION, "rooflines": [one.to_dict() for one in found]}))

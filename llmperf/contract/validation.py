"""What `llmperf validate --json` prints."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from llmperf.contract.answers import SCHEMA_VERSION
from llmperf.evidence import topics
from llmperf.evidence.claims import recompute as claims_module
from llmperf.evidence.rows import Rows
from llmperf.evidence.validation import Validation


def to_dict(found: Validation) -> dict[str, Any]:
    """Plain data as ``llmperf validate --json`` prints it."""
    out: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
    if found.rows:
        out["rows"] = [row for rows in found.rows for row in _rows(rows)]
        out["summary"] = [asdict(part) for part in found.summaries]
        out["questions"] = [asdict(line) for line in topics.lines(found.rows)]
        out["not_expressible"] = [{"id": name, "why": why} for rows in found.rows for name, why in rows.omitted]
    if found.claims:
        out["claims"] = [asdict(claim) for claim in found.claims]
        out["claims_summary"] = claims_module.counts(found.claims)
    out["failures"] = found.failures
    return out


def _rows(rows: Rows) -> list[dict[str, Any]]:
    names = ("id", "metric", "group", "measured", "bound", "projection", "error", "log_error", "violation", "note")
    logs = rows.log_errors
    columns = (
        rows.ids,
        rows.metrics,
        rows.groups,
        rows.measured.tolist(),
        [value if math.isfinite(value) else None for value in rows.bound.tolist()],
        rows.projection.tolist(),
        np.expm1(logs).tolist(),
        logs.tolist(),
        rows.violations.tolist(),
        rows.notes,
    )
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

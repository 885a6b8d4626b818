"""What `llmperf calibrate --json` prints."""

from __future__ import annotations

from typing import Any

from llmperf.contract.answers import SCHEMA_VERSION
from llmperf.evidence.calibration import Calibrated


def to_dict(found: Calibrated) -> dict[str, Any]:
    """Plain data as ``llmperf calibrate --json`` prints it."""
    fits = [
        {
            "section": section,
            "selector": selector,
            "rows": fit.rows,
            "median_error": fit.median,
            "p90_error": fit.p90,
            "bias": fit.bias,
        }
        for section, group in found.calibration.fits.items()
        for selector, fit in group.items()
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "name": found.name,
        "file": str(found.path),
        "rows": found.calibration.rows,
        "fits": fits,
        "refused": [{"fit": what, "why": why} for what, why in found.calibration.refused],
        "not_expressible": [{"id": row, "why": why} for row, why in found.omitted],
    }

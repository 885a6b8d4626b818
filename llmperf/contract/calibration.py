"""What `llmperf calibrate --json` prints."""

from __future__ import annotations

from typing import Any

from llmperf.contract.answers import SCHEMA_VERSION
from llmperf.evidence.calibration import Written


def to_dict(written: Written) -> dict[str, Any]:
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
        for section, group in written.calibration.fits.items()
        for selector, fit in group.items()
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "name": written.name,
        "file": str(written.path),
        "rows": written.calibration.rows,
        "fits": fits,
        "refused": [{"fit": what, "why": why} for what, why in written.calibration.refused],
        "not_expressible": [{"id": row, "why": why} for row, why in written.omitted],
    }

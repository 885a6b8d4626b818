"""The table of outputs as data."""

from __future__ import annotations

from typing import Any

from llmperf.outputs import CAPACITY, MEMORY_CLASSES, OPERATORS, TIMES, Output, to_come
from llmperf.resources import labels


def _said(output: Output) -> dict[str, str]:
    return {key: getattr(output, key) for key in ("name", "unit", "better", "label", "description")}


def outputs() -> dict[str, Any]:
    """The table of outputs as data."""
    return {
        "schema_version": 1,
        "by_definition": {"definitions": ["bound", "roofline", "projection"], "outputs": [_said(one) for one in TIMES]},
        "memory_bytes_per_device": [_said(one) for one in (*MEMORY_CLASSES, *CAPACITY)],
        "by_operator": {"definitions": ["roofline", "projection"], "outputs": [_said(one) for one in OPERATORS]},
        "bottleneck": labels(),
        "to_come": [_said(one) for one in to_come().values()],
    }

"""The table of outputs as data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from llmperf.outputs import CAPACITY, MEMORY_CLASSES, OPERATORS, TIMES
from llmperf.resources import labels


def outputs() -> dict[str, Any]:
    """The table of outputs as data."""
    return {
        "schema_version": 1,
        "by_definition": {"definitions": ["bound", "roofline", "projection"], "outputs": [asdict(o) for o in TIMES]},
        "memory_bytes_per_device": [asdict(o) for o in (*MEMORY_CLASSES, *CAPACITY)],
        "by_operator": {"definitions": ["roofline", "projection"], "outputs": [asdict(o) for o in OPERATORS]},
        "bottleneck": labels(),
    }

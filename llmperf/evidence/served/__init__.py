"""Measured end-to-end data sets as scenarios."""

from __future__ import annotations

from typing import Any

from llmperf.evidence.served import edge, serving, silicon, splitwise

DATASETS: tuple[Any, ...] = (splitwise, edge, serving, silicon)
"""Modules of the data sets, each with `NAME`, `COLUMNS` and `evaluate`."""

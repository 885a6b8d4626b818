"""Comparisons with measured runs as the JSON contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from llmperf.contract.answers import SCHEMA_VERSION
from llmperf.descriptors.scenario import Scenario
from llmperf.evidence.runs import ComparedMetric, MeasuredRun
from llmperf.files.documents import finite


def plain(found: Sequence[MeasuredRun]) -> dict[str, Any]:
    """Plain data as ``llmperf compare --json`` prints it: SI units, one entry a run."""
    tools = dict.fromkeys(item.run.tool for item in found)
    data: dict[str, Any] = finite(
        {
            "schema_version": SCHEMA_VERSION,
            "tool": ", ".join(tools),
            "runs": [_run(item) for item in found],
        }
    )
    return data


def _run(item: MeasuredRun) -> dict[str, Any]:
    return {
        "label": item.run.label,
        "load": asdict(item.run.load),
        "scenario": None if item.scenario is None else _scenario(item.scenario),
        "rows": [_row(row) for row in item.rows],
        "not_compared": [{"metric": name, "why": why} for name, why in item.not_compared],
        "notes": list(item.notes),
    }


def _scenario(scenario: Scenario) -> dict[str, Any]:
    data = asdict(scenario)
    if not scenario.asks:
        del data["asks"]
    return data


def _row(row: ComparedMetric) -> dict[str, Any]:
    return {
        "metric": row.metric,
        "measured": row.measured,
        "bound": row.bound,
        "projection": row.projection,
        "fraction_of_bound": row.fraction_of_bound,
        "error": row.error,
        "violation": row.violation,
        "verdict": row.verdict,
        "explained_by": dict(row.explained_by),
        "note": row.note,
    }

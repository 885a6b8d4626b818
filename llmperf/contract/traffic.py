"""What `llmperf traffic` prints as JSON, and the entry of a catalog that it writes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from llmperf.contract.answers import SCHEMA_VERSION
from llmperf.files.documents import finite
from llmperf.importers.traces.statistics import TraceStatistics


def to_dict(found: TraceStatistics) -> dict[str, Any]:
    """Plain data as ``llmperf traffic --json`` prints it; ``traffic`` is what a scenario takes."""
    data: dict[str, Any] = finite(asdict(found))
    return {"schema_version": SCHEMA_VERSION, **data, "traffic": found.entry()}


def entry_text(found: TraceStatistics) -> str:
    """The statistics as a YAML file that a scenario's ``traffic`` names."""
    import yaml

    body: str = yaml.safe_dump(found.entry(), sort_keys=False, allow_unicode=True, width=120)
    return f"# Traffic: statistics of a request trace, by llmperf traffic.\n{body}"

"""What `llmperf size --json` prints."""

from __future__ import annotations

from typing import Any

from llmperf.answers.candidates import Candidate
from llmperf.answers.copies import DEMANDS
from llmperf.answers.sizing import Sizing
from llmperf.contract.answers import SCHEMA_VERSION, plain
from llmperf.descriptors.scenario import Scenario
from llmperf.phases.serving.limits import LIMITED
from llmperf.version import __version__
from llmperf.words.commands import command

UNITS = {"request_rate": "request_rate_per_s", "think_time": "think_time_s"}
"""Names that end in their units outside."""


def to_dict(found: Sizing) -> dict[str, Any]:
    """Plain data as ``llmperf size --json`` prints it: SI units, null for what is not known."""
    traffic = found.traffic
    demand = {UNITS.get(name, name): getattr(traffic, name) for name in (*DEMANDS, "think_time", "burstiness")}
    limits = {f"{name}_s": getattr(traffic.limits, name) for name in LIMITED}
    data = {
        "schema_version": SCHEMA_VERSION,
        "llmperf_version": __version__,
        "demand": demand,
        "limits": {**limits, "percentile": traffic.limits.percentile},
        "headroom": found.headroom,
        "confidence": "pessimistic" if found.pessimistic else "projection",
        "ranked_by": found.by,
        "candidates": [candidate_dict(found, one) for one in found.candidates],
        "refused": [{**formats(one.scenario), "why": one.why} for one in found.refused],
        "notes": list(found.notes),
    }
    return dict(plain(data))


def formats(scenario: Scenario) -> dict[str, str]:
    """Chip, formats and engine by name."""
    return {name: getattr(scenario, name).name for name in ("model", "hardware", "weights", "kv_cache", "engine")}


def candidate_dict(found: Sizing, one: Candidate) -> dict[str, Any]:
    """One candidate: times at the percentile of the limits, and what one copy serves of the demand."""
    percentile = f"p{found.traffic.limits.percentile:g}"
    return {
        **formats(one.scenario),
        "layout": dict(one.copy.layout),
        "devices_per_copy": one.copy.devices,
        "copies": one.copies,
        "devices": one.devices,
        "devices_with_spare": one.devices_with_spare,
        "load_per_copy": one.load,
        "capacity_per_copy": one.capacity,
        "headroom": one.headroom,
        "limited_by": one.copy.limited_by,
        "in_flight_per_copy": one.answer.value("in_flight"),
        **{f"{name}_{percentile}_s": one.time_s(name) for name in LIMITED},
        "requests_per_s": one.requests_per_s,
        "output_tokens_per_s": one.output_tokens_per_s,
        "cost_per_month_usd": one.usd_per_month,
        "cost_per_mtok_usd": one.usd_per_mtok,
        "command": command("serve", found.reference, one.asked),
    }

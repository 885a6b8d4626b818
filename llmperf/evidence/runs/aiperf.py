"""AIPerf and its predecessor genai-perf: ``profile_export_aiperf.json``, ``profile_export_genai_perf.json``.

Every metric is an object with its own unit, which decides (docs/reference/json-export-schema.md of ai-dynamo/aiperf).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llmperf.evidence.runs.run import (
    NO_PREDICTION,
    OTHER_SPREADS,
    PERCENTILES,
    Fields,
    OfferedLoad,
    Run,
    by_little,
    percentile,
    present,
)

AIPERF, GENAI_PERF = "aiperf", "genai-perf"
KEYS = ("input_config", "request_throughput", "request_latency", "output_sequence_length")

TIME_UNITS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
RATE_UNITS = dict.fromkeys(
    ("requests/sec", "requests/s", "req/s", "per sec", "tokens/sec", "tokens/s", "tok/s", "1/s"), 1.0
)
_COUNTS = dict.fromkeys(("tokens", "requests", "", "tok"), 1.0)

_SPREAD = re.compile(r"p\d+(\.\d+)?|std|min|max")

_METRICS = {
    "time_to_first_token": ("ttft_mean_s", TIME_UNITS),
    "inter_token_latency": ("tpot_s", TIME_UNITS),  # (latency - ttft) / (tokens - 1) of a request: a TPOT
    "request_latency": ("e2e_s", TIME_UNITS),
    "request_throughput": ("requests_per_s", RATE_UNITS),
    "output_token_throughput": ("output_tokens_per_s", RATE_UNITS),
    "total_token_throughput": ("total_tokens_per_s", RATE_UNITS),
    "goodput": ("goodput_per_s", RATE_UNITS),
    "request_goodput": ("goodput_per_s", RATE_UNITS),
}
_OTHERS = {
    "output_token_throughput_per_user": "the reciprocal of inter_token_latency, request by request",
    "inter_chunk_latency": "a chunk holds as many tokens as the server sends at once",
    "time_to_second_token": "the second token alone is not predicted",
}
LITTLE = (
    "the file does not say how requests came: by Little's law, rate times latency, so many were in flight; "
    "--batch says otherwise"
)
"""Of exports whose input configuration was taken out."""


def recognizes(data: Mapping[str, Any]) -> bool:
    """Whether a record is an export of either tool."""
    return any(isinstance(data.get(key), Mapping) and "avg" in data[key] for key in _METRICS)


def run(fields: Fields) -> Run:
    """One export."""
    for key, (metric, units) in _METRICS.items():
        scale = _scale(fields, key, units)
        if scale is not None:
            fields.measure(metric, f"{key}.avg", scale)
            _spread(fields, key, metric, scale)
    for key, value in fields.data.items():
        unit = value.get("unit") if isinstance(value, Mapping) and "avg" in value else None
        if key not in _METRICS and isinstance(unit, str) and (unit in TIME_UNITS or "/s" in unit):
            fields.skip(key, _OTHERS.get(key, NO_PREDICTION))
    requests = _count(fields, "request_count")
    load = _load(fields, requests)
    notes = (LITTLE,) if load.kind == "closed" and not any(_stimulus(fields)) else ()
    how = f"{load.rate:g} requests/s" if load.rate else f"{load.concurrency:g} in flight" if load.concurrency else ""
    return Run(
        AIPERF if "aiperf_version" in fields.data or "schema_version" in fields.data else GENAI_PERF,
        how,
        load,
        present(input=_count(fields, "input_sequence_length"), output=_count(fields, "output_sequence_length")),
        tuple(fields.measured),
        present(model=_model(fields), hardware=_gpu(fields)),
        not_compared=tuple(fields.not_compared),
        notes=notes,
    )


def _spread(fields: Fields, key: str, metric: str, scale: float) -> None:
    """Percentiles of a time; of a rate none is predicted, nor what else is known of its spread."""
    percents = () if metric.endswith("_per_s") else PERCENTILES
    for percent in percents:
        fields.measure(percentile(metric, percent), f"{key}.p{percent}", scale)
    taken = {f"p{percent}" for percent in percents}
    others = [name for name in fields.get(key) if _SPREAD.fullmatch(name) and name not in taken]
    if others:
        fields.not_compared.append((f"{key}.{'|'.join(others)}", OTHER_SPREADS))


def _scale(fields: Fields, key: str, units: Mapping[str, float]) -> float | None:
    """SI units of the metric's own unit; None where the metric is absent."""
    value = fields.get(key)
    if value is None:
        return None
    if not isinstance(value, Mapping):
        fields.fault(key, "is not an object with unit and avg")
        return None
    unit = value.get("unit")
    if not isinstance(unit, str) or unit not in units:
        said = "has no unit" if unit is None else f"{str(unit)[:40]!r} is no unit of it"
        fields.fault(f"{key}.unit", said, tuple(units))
        return None
    return units[unit]


def _count(fields: Fields, key: str) -> int | None:
    return None if fields.get(key) is None or _scale(fields, key, _COUNTS) is None else fields.whole(f"{key}.avg")


def _stimulus(fields: Fields) -> tuple[float | None, float | None]:
    """Concurrency and request rate, wherever the version keeps them."""
    config = fields.get("input_config") or {}
    phases = config.get("phases") if isinstance(config, Mapping) else None
    if isinstance(phases, Mapping):
        phases = list(phases.values())
    for phase in phases if isinstance(phases, list) else ():
        warming = isinstance(phase, Mapping) and (
            phase.get("exclude_from_results") or "warmup" in (phase.get("name"), phase.get("kind"))
        )
        if isinstance(phase, Mapping) and not warming:
            part = Fields(phase, fields.file, fields.line, fields.problems)
            return part.some("concurrency"), part.some("request_rate") or part.some("rate")
    for place in ("loadgen", "perf_analyzer.stimulus", "input"):
        if isinstance(found := fields.get(f"input_config.{place}"), Mapping) and _known(found):
            return _both(Fields(found, fields.file, fields.line, fields.problems))
    return _both(Fields(config if isinstance(config, Mapping) else {}, fields.file, fields.line, fields.problems))


def _known(found: Mapping[str, Any]) -> bool:
    return any(found.get(key) is not None for key in ("concurrency", "request_rate"))


def _both(fields: Fields) -> tuple[float | None, float | None]:
    """A single value, or a list of one."""
    plain = {
        key: value[0] if isinstance(value, list) and len(value) == 1 else value
        for key, value in fields.data.items()
        if key in ("concurrency", "request_rate")
    }
    part = Fields(plain, fields.file, fields.line, fields.problems)
    return part.some("concurrency"), part.some("request_rate")


def _load(fields: Fields, requests: float | None) -> OfferedLoad:
    concurrency, rate = _stimulus(fields)
    if rate is not None:
        return OfferedLoad("open", concurrency, rate, requests)
    if concurrency is not None:
        return OfferedLoad("closed", min(concurrency, requests) if requests else concurrency, None, requests)
    measured = {item.metric: item.value for item in fields.measured}
    found = by_little(measured.get("requests_per_s"), measured.get("e2e_s"), requests)
    return found or OfferedLoad("closed", None, None, requests)


def _model(fields: Fields) -> str:
    """The one model of the run."""
    for path in ("input_config.endpoint.model_names", "input_config.model_names", "input_config.model"):
        value = fields.get(path)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, str):
            return value
    items = fields.get("input_config.models.items")
    name = items[0].get("name") if isinstance(items, list) and len(items) == 1 and isinstance(items[0], Mapping) else ""
    return name if isinstance(name, str) else ""


def _gpu(fields: Fields) -> str:
    """The GPU that telemetry saw, where all are alike."""
    endpoints = fields.get("telemetry_data.endpoints")
    names = {
        gpu.get("gpu_name")
        for endpoint in (endpoints.values() if isinstance(endpoints, Mapping) else ())
        if isinstance(endpoint, Mapping) and isinstance(endpoint.get("gpus"), Mapping)
        for gpu in endpoint["gpus"].values()
        if isinstance(gpu, Mapping) and isinstance(gpu.get("gpu_name"), str)
    }
    return str(names.pop()) if len(names) == 1 else ""

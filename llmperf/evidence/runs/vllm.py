"""vLLM: ``vllm bench serve --save-result`` and ``vllm bench latency --output-json``.

Keys: vllm/benchmarks/serve.py and latency.py, before 2025 benchmarks/benchmark_serving.py and benchmark_latency.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmperf.evidence.runs import serving
from llmperf.evidence.runs.run import Fields, OfferedLoad, Run, present

SERVE, LATENCY = "vllm bench serve", "vllm bench latency"
SERVE_KEYS = ("completed", "total_input_tokens", "total_output_tokens", "request_throughput", "model_id")
REPEATS = "a batch that runs again takes as long again: what repeats differ by is not predicted"
LATENCY_KEYS = ("avg_latency", "latencies", "percentiles")


def is_serve(data: Mapping[str, Any]) -> bool:
    """Whether a record is a result of ``vllm bench serve``."""
    return "model_id" in data and "request_throughput" in data


def is_latency(data: Mapping[str, Any]) -> bool:
    """Whether a record is a result of ``vllm bench latency``."""
    return "avg_latency" in data


def serve(fields: Fields) -> Run:
    """One result of ``vllm bench serve``."""
    fields.require(*SERVE_KEYS)
    load = serving.read(fields, {"total_token_throughput": "total_tokens_per_s", "mean_e2el_ms": "e2e_s"})
    return Run(
        SERVE,
        serving.label(fields, load),
        load,
        present(**serving.lengths(fields)),
        tuple(fields.measured),
        present(model=fields.text("model_id")),
        not_compared=tuple(fields.not_compared),
        notes=serving.notes(fields, fields.some("spec_decode_acceptance_length")),
    )


def latency(fields: Fields) -> Run:
    """One result of ``vllm bench latency``: a static batch, of which the file says neither size nor lengths."""
    fields.require("avg_latency")
    fields.measure("e2e_s", "avg_latency")
    fields.skip("std_latency", REPEATS)
    fields.skip("percentiles", REPEATS)
    return Run(
        LATENCY,
        "one batch at a time",
        OfferedLoad("static"),
        {},
        tuple(fields.measured),
        present(engine="vllm"),
        not_compared=tuple(fields.not_compared),
    )

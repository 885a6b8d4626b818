"""TensorRT-LLM: reports of ``trtllm-bench throughput`` and ``latency``, as JSON (``--report_json``) and as text.

Keys and lines: tensorrt_llm/bench/dataclasses/reporting.py; older versions lack some of them.
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
    percentile,
    present,
)

NAME = "trtllm-bench"
KEYS = ("performance", "request_info", "world_info")
HEADING = "= PERFORMANCE OVERVIEW"

_TIMES = {
    "performance.avg_request_latency_ms": "e2e_s",
    "streaming_metrics.avg_ttft_ms": "ttft_mean_s",
    "streaming_metrics.avg_tpot_ms": "tpot_s",
}
_SPREADS = {
    "performance.request_latency_percentiles_ms": "e2e_s",
    "streaming_metrics.ttft_percentiles": "ttft_mean_s",
    "streaming_metrics.tpot_percentiles": "tpot_s",
}
"""Percentiles by ``p50``, ``p90`` ..., in milliseconds all of them, and the mean that they lie about."""
_BREAKDOWNS = ("[Latency]", "[TTFT]", "[TPOT]")
"""Words before their lines in the textual report."""
_RATES = {
    "performance.request_throughput_req_s": "requests_per_s",
    "performance.system_output_throughput_tok_s": "output_tokens_per_s",
    "performance.system_total_throughput_tok_s": "total_tokens_per_s",
}
_OTHERS = {
    "performance.total_latency_ms": "length of the whole run",
    "performance.output_throughput_per_user_tok_s": "a mean of rates, not a rate of means",
    "performance.output_throughput_per_gpu_tok_s": "output_tokens_per_s once more, for one device",
    "streaming_metrics.token_output_speed_tok_s": "a mean of rates, not a rate of means",
    "streaming_metrics.gen_tps_percentiles": "percentiles of rates, not rates of percentiles",
    "energy": NO_PREDICTION,
}

_LINES = {
    "Model": "engine.model",
    "Dtype": "engine.dtype",
    "KV Cache Dtype": "engine.kv_cache_dtype",
    "Quantization": "engine.quantization",
    "TP Size": "world_info.tp_size",
    "PP Size": "world_info.pp_size",
    "EP Size": "world_info.ep_size",
    "Max Runtime Batch Size": "world_info.max_batch_size",
    "Number of requests": "request_info.num_requests",
    "Number of concurrent requests": "request_info.avg_num_concurrent_requests",
    "Average Input Length (tokens)": "request_info.avg_input_length",
    "Average Output Length (tokens)": "request_info.avg_output_length",
    "Request Throughput (req/sec)": "performance.request_throughput_req_s",
    "Total Output Throughput (tokens/sec)": "performance.system_output_throughput_tok_s",
    "Total Token Throughput (tokens/sec)": "performance.system_total_throughput_tok_s",
    "Total Latency (ms)": "performance.total_latency_ms",
    "Average request latency (ms)": "performance.avg_request_latency_ms",
    "Average time-to-first-token [TTFT] (ms)": "streaming_metrics.avg_ttft_ms",
    "Average time-per-output-token [TPOT] (ms)": "streaming_metrics.avg_tpot_ms",
    "Per User Output Throughput [w/ ctx] (tps/user)": "performance.output_throughput_per_user_tok_s",
    "Per GPU Output Throughput (tps/gpu)": "performance.output_throughput_per_gpu_tok_s",
    "Per User Output Speed (tps/user)": "streaming_metrics.token_output_speed_tok_s",
}
_LINES |= {
    f"{word} {name.upper()}": f"{path}.{name}"
    for word, path in zip(_BREAKDOWNS, _SPREADS, strict=True)
    for name in ("p50", "p90", "p95", "p99")
}
"""Lines of the textual report, and the keys of the JSON report that hold the same."""


def recognizes(data: Any) -> bool:
    """Whether a record is a report."""
    return isinstance(data.get("performance"), dict) and "request_info" in data


def from_text(text: str) -> dict[str, Any]:
    """The keys of the JSON report from the lines of the textual one."""
    out: dict[str, Any] = {}
    for line in text.splitlines():
        # a logger may stand before the line; the report itself begins at the known words
        name, colon, value = line.partition(":")
        path = _LINES.get(name.strip())
        if path is None or not colon or value.strip() in ("None", "N/A"):
            continue
        *sections, key = path.split(".")
        inner = out
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[key] = value.strip()
    machine = re.search(r"^(.+), memory [\d.]+ GB", text, re.MULTILINE)
    if machine:
        out["machine"] = {"name": machine.group(1)}
    return out


def run(fields: Fields) -> Run:
    """One report."""
    fields.require("request_info.avg_input_length", "request_info.avg_output_length", "request_info.num_requests")
    for path, metric in _TIMES.items():
        fields.measure(metric, path, 1e-3)
    for path, metric in _RATES.items():
        fields.measure(metric, path)
    for path, metric in _SPREADS.items():
        _spread(fields, path, metric)
    for path, why in _OTHERS.items():
        fields.skip(path, why)
    if not fields.measured and not fields.problems:
        fields.fault("performance", "holds no measurement", (*_RATES, *_TIMES))
    load = _load(fields)
    notes = ("tokens were drafted: speculation is not modelled, and can beat the bound of a token",)
    return Run(
        NAME,
        f"{load.concurrency:g} in flight" if load.concurrency else "",
        load,
        present(
            input=fields.whole("request_info.avg_input_length"), output=fields.whole("request_info.avg_output_length")
        ),
        tuple(fields.measured),
        present(
            model=fields.text("engine.model"),
            hardware=fields.text("machine.name"),
            weights=_format(fields, "engine.quantization") or _format(fields, "engine.dtype"),
            kv_cache=_format(fields, "engine.kv_cache_dtype"),
            engine="tensorrt-llm",
        ),
        layout=present(
            tp=fields.whole("world_info.tp_size"),
            pp=fields.whole("world_info.pp_size"),
            ep=fields.whole("world_info.ep_size"),
        ),
        not_compared=tuple(fields.not_compared),
        notes=notes if fields.get("decoding_stats") else (),
    )


def _spread(fields: Fields, path: str, metric: str) -> None:
    """Percentiles of a time, and what else the report says of its spread."""
    for percent in PERCENTILES:
        fields.measure(percentile(metric, percent), f"{path}.p{percent}", 1e-3)
    known = {"average", *(f"p{percent}" for percent in PERCENTILES)}
    found = fields.get(path)
    others = [name for name in found if name not in known] if isinstance(found, Mapping) else []
    if others:
        fields.not_compared.append((f"{path}.{'|'.join(others)}", OTHER_SPREADS))


def _format(fields: Fields, path: str) -> str:
    name = fields.text(path)
    return "" if name.lower() in ("none", "auto", "no_quant") else name


def _load(fields: Fields) -> OfferedLoad:
    """In flight on average; more than the engine's largest batch only waits."""
    requests, most = fields.some("request_info.num_requests"), fields.some("world_info.max_batch_size")
    flying = fields.some("request_info.avg_num_concurrent_requests")
    if flying is None:
        return OfferedLoad("burst", min(requests, most) if requests and most else requests, None, requests)
    return OfferedLoad("closed", min(flying, most) if most else flying, None, requests)

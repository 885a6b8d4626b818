"""SGLang: the JSON lines of ``python -m sglang.bench_serving --output-file``.

Keys: python/sglang/bench_serving.py, since 2026 python/sglang/benchmark/serving.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmperf.evidence.runs import serving
from llmperf.evidence.runs.run import Fields, Run, present

NAME = "sglang bench_serving"
KEYS = ("completed", "total_input_tokens", "total_output_tokens", "output_throughput", "mean_e2e_latency_ms")


def recognizes(data: Mapping[str, Any]) -> bool:
    """Whether a record is a line of ``bench_serving``."""
    return "output_throughput" in data and any(
        key in data for key in ("mean_e2e_latency_ms", "median_e2e_latency_ms", "total_output_tokens_retokenized")
    )


def run(fields: Fields) -> Run:
    """One line of ``bench_serving``."""
    fields.require("completed", "total_input_tokens", "total_output_tokens")
    load = serving.read(fields, {"total_throughput": "total_tokens_per_s", "mean_e2e_latency_ms": "e2e_s"})
    info = fields.get("server_info")
    server = Fields(info if isinstance(info, Mapping) else {}, fields.file, fields.line, fields.problems)
    return Run(
        NAME,
        serving.label(fields, load),
        load,
        present(**serving.lengths(fields)),
        tuple(fields.measured),
        present(
            model=server.text("model_path"),
            weights=server.text("quantization"),
            kv_cache=server.text("kv_cache_dtype"),
            engine="sglang" if server.data else "",
        ),
        layout=_layout(server),
        not_compared=tuple(fields.not_compared),
        notes=serving.notes(fields, fields.some("accept_length")),
    )


def _layout(server: Fields) -> dict[str, int]:
    """The server's layout; with attention data parallelism, ``tp_size`` counts all devices of a stage."""
    tp, dp = server.whole("tp_size"), server.whole("dp_size") or 1
    if tp is None:
        return {}
    shared = bool(server.get("enable_dp_attention"))
    return {
        "tp": max(tp // dp, 1) if shared else tp,
        "dp": dp if shared else 1,
        "replicas": 1 if shared else dp,
        "pp": server.whole("pp_size") or 1,
        "ep": server.whole("ep_size") or 1,
    }

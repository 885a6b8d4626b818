"""How far is a measured server from what is possible? A result of `vllm bench serve` beside bound and projection."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from llmperf.evidence.runs import compare, read

RESULT = {  # what --save-result writes, in short
    "model_id": "meta-llama/Llama-3.1-8B-Instruct",
    "request_rate": "inf",
    "max_concurrency": 32,
    "completed": 320,
    "total_input_tokens": 327_680,
    "total_output_tokens": 81_920,
    "request_throughput": 10.26,
    "output_throughput": 2626.0,
    "mean_tpot_ms": 11.06,
}

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "result.json"
    file.write_text(json.dumps(RESULT))
    (found,) = compare(read(file), overrides={"hardware": "h100-sxm"})

print(f"{found.run.tool}, {found.run.label}")
for row in found.rows:
    most = max(row.explained_by, key=lambda name: row.explained_by[name])
    print(
        f"{row.metric:20s} {row.measured:10.4g} measured, {row.bound:10.4g} bound ({row.fraction_of_bound:.0%}), "
        f"{row.projection:10.4g} projected ({row.error:+.0%}): {row.verdict}; the gap is mostly {most}"
    )

"""What would more memory bandwidth buy, and what more compute? Hardware numbers are knobs like all others."""

from __future__ import annotations

import numpy as np

import llmperf

factor = np.array([1.0, 1.25, 1.5, 2.0])
scenario = {"model": "llama-3.1-8b", "hardware": "h100-sxm", "batch": 64, "input": 2048, "output": 256}

memory = llmperf.estimate({"hardware.tiers.hbm.bandwidth": 3.35e12 * factor}, **scenario)
compute = llmperf.estimate({"hardware.engines.matrix.peaks.bf16": 989.4e12 * factor}, **scenario)
print("factor   TTFT and TPOT with more bandwidth   TTFT and TPOT with more compute")
for index, value in enumerate(factor):
    print(
        f"{value:6.2f}   {1e3 * memory.ttft_s[index]:9.0f} ms {1e3 * memory.tpot_s[index]:9.2f} ms"
        f"{1e3 * compute.ttft_s[index]:20.0f} ms {1e3 * compute.tpot_s[index]:9.2f} ms"
    )

"""Matrix products as measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmperf.costs import gemm
from llmperf.costs.machine import Machine
from llmperf.evidence.kernels.base import Kernels, Readings, bound, groups, slug, stack
from llmperf.evidence.kernels.schemes import HIDDEN, matrix, peak, schemes
from llmperf.evidence.tables import DataTable
from llmperf.numeric import Array


def read_gemm(table: DataTable) -> Readings:
    """Matrix products: device, dtype, m, n, k, time, kernel, source."""
    out, kernel = Readings(), table.labels("kernel")
    m, n, k, time = table.numbers("m"), table.numbers("n"), table.numbers("k"), table.seconds()
    sources = table.text("source")
    table.check()
    for hardware, label, (scheme, name), rows, ids in groups(table, out, schemes(table), kernel):
        if scheme == "fp8" and peak(hardware, scheme) is None:
            scheme = "w8a16"  # without an engine for it, 8-bit weights are converted before the product
        best = peak(hardware, scheme)
        if best is None:
            out.omitted += [(row, f"{hardware.name} has no {scheme}") for row in ids]
            continue
        if "grouped" in name:
            out.omitted += [
                (row, "a grouped product without a column that says how its rows are grouped") for row in ids
            ]
            continue
        made = matrix(scheme)
        inputs = float(made.input)
        size = made.stored(n[rows], k[rows]) + m[rows] * (made.inputs(k[rows]) + n[rows] * max(inputs, HIDDEN))
        compute = np.asarray(made.products(m[rows], n[rows], k[rows]).matrix / best)
        passes = (
            m[rows] * k[rows] * (HIDDEN + inputs)
            if inputs < HIDDEN and stack(sources[rows[0]]) != "deepgemm"
            else np.zeros(len(rows))
        )
        plugin = name.startswith("trt_flow")  # single layers of an engine: none takes less than 7 us, not even 0.1 MB
        eager = plugin or (scheme == "fp8_block" and stack(sources[rows[0]]) == "vllm")
        rate = hardware.main.bandwidth
        out.kernels.append(
            Kernels(
                "gemm",
                label,
                scheme,
                f"{slug(name)}_eager" if eager else slug(name),
                time[rows],
                bound(hardware, compute, size),
                {"compute": compute, "memory": size / rate, "k": k[rows], "rows": m[rows], "quantized": passes / rate},
                size,
                ids,
                [sources[row] for row in rows],
                "launched one by one: the time holds the host's launch" if eager else "",
            )
        )
    return out


def gemm_time(fit: Any, _: Machine, compute: Array, memory: Array, k: Array, rows: Array, quantized: Array) -> Array:
    """Products, and the pass that quantizes their inputs where there is one. [s]"""
    time = gemm.time(fit, compute, memory, k)[0]
    passes = gemm.quantize_time(fit, quantized, rows)[0]
    return np.asarray(time + np.where(quantized > 0.0, passes, 0.0))

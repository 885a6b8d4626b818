"""Operators that stream activations, as measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmperf.costs import elementwise
from llmperf.costs.machine import Machine
from llmperf.evidence.kernels.base import Kernels, Readings, bound, groups, stack
from llmperf.evidence.tables import DataTable
from llmperf.numeric import Array

KINDS = {
    "attn_rope": "rope",
    "input_layernorm": "norm",
    "post_attention_layernorm": "norm",
    "silu_mul": "activation",
    "fp8_computescale": "computescale",
    "fp8_scale_matrix": "quantize",
}
"""Kind of an elementwise operator, where the files give it another name."""

COMPOSED = {("quantize", "sglang"): "sglang_pytorch"}
"""What was measured as several kernels of PyTorch one after the other, at a tenth of the bandwidth, where the server
launches one of its own (sgl-kernel, per_token_quant_fp8): a name that no engine asks for."""


def read_elementwise(table: DataTable) -> Readings:
    """Operators that stream activations: device, op, bytes, time."""
    out = Readings()
    kind = np.array([KINDS.get(text, text) for text in table.text("op")], dtype=object)
    size, time, sources = table.numbers("bytes"), table.seconds(), table.text("source")
    table.check()
    stacks = np.array([stack(source) for source in sources], dtype=object)
    for hardware, label, (name, software), rows, ids in groups(table, out, kind, stacks):
        if name == "computescale" and hardware.name == "rtx-pro-6000":
            out.omitted += [(row, "a difference of two kernels' times (README of the data)") for row in ids]
            continue
        out.kernels.append(
            Kernels(
                "elementwise",
                label,
                str(name),
                COMPOSED.get((str(name), software), software),
                time[rows],
                bound(hardware, np.zeros(len(rows)), size[rows]),
                {"memory": size[rows] / hardware.main.bandwidth, "size": size[rows]},
                None,
                ids,
                [sources[row] for row in rows],
            )
        )
    return out


def elementwise_time(fit: Any, machine: Machine, memory: Array, size: Array) -> Array:
    """A stream of so many bytes. [s]"""
    return elementwise.time(fit, np.zeros_like(memory), memory, machine.fill(size))[0]

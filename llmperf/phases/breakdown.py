"""Where the time goes: the operators of a phase as rows, each with its work, its times and what limits it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from llmperf.costs.step import Priced
from llmperf.numeric import Array
from llmperf.phases.prefill import Phase


@dataclass(frozen=True, slots=True)
class Operator:
    """One distinct operator of a step on one device; work and times of one run, `total_s` of all `repeat` runs."""

    name: str
    kind: str
    dtype: str
    repeat: float
    m: float
    n: float
    k: float
    flops: float
    vector_flops: float
    weight_bytes: float
    kv_bytes: float
    activation_bytes: float
    message_bytes: float
    roofline_s: float
    time_s: float
    total_s: float
    share: float
    limited_by: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return asdict(self)


def operators(phase: Phase, index: int = 0) -> list[Operator]:
    """The operators of a phase's step in the order of their total time.

    Parameters
    ----------
    phase : Phase
    index : int
        Which configuration.

    Returns
    -------
    list of Operator
        `share` is of the device time of the whole step, without host time and transfers. [1]
    """
    found = [_row(priced, row, index) for priced in phase.costs.priced for row in range(len(priced.block.names))]
    found = [row for row in found if row["repeat"] > 0]
    whole = sum(row["total_s"] for row in found)
    found.sort(key=lambda row: -row["total_s"])
    return [Operator(**row, share=row["total_s"] / whole) for row in found]


def _row(priced: Priced, row: int, index: int) -> dict[str, Any]:
    block = priced.block

    def at(column: Array) -> float:
        return float(column[row if column.shape[0] > 1 else 0, index if column.shape[1] > 1 else 0])

    limits = {name: at(np.asarray(part)) for name, part in priced.limits.items()}
    repeat, time = at(block.repeat), at(priced.time)
    return {
        "name": block.names[row],
        "kind": block.kind if block.kind != "collective" else block.operations[row],
        "dtype": block.dtypes[row],
        "repeat": repeat,
        "m": at(block.m),
        "n": at(block.n),
        "k": at(block.k),
        "flops": at(block.flops),
        "vector_flops": at(block.vector_flops),
        "weight_bytes": at(block.weight_bytes),
        "kv_bytes": at(block.kv_bytes),
        "activation_bytes": at(block.activation_bytes),
        "message_bytes": at(block.message),
        "roofline_s": at(priced.roofline),
        "time_s": time,
        "total_s": repeat * time,
        "limited_by": max(limits, key=lambda name: limits[name]),
    }

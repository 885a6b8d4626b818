"""Where the time goes: the operators of a phase as rows, each with its work, its times and what limits it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, get_args

import numpy as np

from llmperf.costs.pricing.priced import Priced
from llmperf.errors import InputError, Problem, nearest, shown
from llmperf.numeric import Array
from llmperf.operators.kinds import Collective, kind
from llmperf.phases.phase import Phase
from llmperf.records import dataclass
from llmperf.resources import CACHE

ROUNDING = 1e-9
"""Part of a time that is no difference. [1]"""


@dataclass(frozen=True, slots=True)
class Operator:
    """One distinct operator of a step on one device; work and times of one run, `total_s` of all `repeat` runs.

    Where `from_cache`, the last-level cache still holds its operands, so that it takes less than the main memory would
    need: that memory does not limit it, and `roofline_s` is no more than `time_s`.
    """

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
    from_cache: bool

    @property
    def bytes(self) -> float:
        """Bytes that one run moves to and from memory, or of a collective its message. [B]"""
        return self.weight_bytes + self.kv_bytes + self.activation_bytes + self.message_bytes

    @property
    def kinds(self) -> tuple[str, ...]:
        """What a set of operators that this one belongs to may be called: ``attention.decode``, ``attention``."""
        return self.kind, "collective" if self.kind in get_args(Collective) else self.kind.partition(".")[0]

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


def measured(rows: Sequence[Operator], name: str, quantity: str, roofline: bool = False) -> float:
    """A result of `llmperf.outputs.OPERATORS`: of one run of an operator, or of all runs of a kind of operators.

    Parameters
    ----------
    rows : sequence of Operator
        The operators of a step.
    name : str
        An operator's name, or a kind (``gemm``, ``attention``, ``collective``, ``all_reduce``); a name goes first. Of
        operators that share a name (the passes of ``quantize``), the mean run counts.
    quantity : str
        ``time_s``, ``flops_per_s``, ``bytes`` or ``bytes_per_s``.
    roofline : bool
        Take the time at the peaks instead of the projected one.

    Returns
    -------
    float
        On one device; NaN where nothing is moved, computed or waited for. [s], [FLOP/s], [B], [B/s]

    Raises
    ------
    InputError
        If the step has neither such an operator nor such a kind.
    """
    named = [row for row in rows if row.name == name]
    every = sum(row.repeat for row in named)
    runs = [(row.repeat / every, row) for row in named] or [(row.repeat, row) for row in rows if name in row.kinds]
    if not runs:
        allowed = tuple(dict.fromkeys([*(row.name for row in rows), *(kind for row in rows for kind in row.kinds)]))
        text = f"this step has no operator, and no kind of operators, {shown(name)}"
        raise InputError(Problem(text, allowed=allowed, suggestion=nearest(name, allowed)))
    time = sum(times * (row.roofline_s if roofline else row.time_s) for times, row in runs)
    if quantity == "time_s":
        return time or math.nan
    work = sum(times * (row.flops if quantity == "flops_per_s" else row.bytes) for times, row in runs)
    if not work or quantity == "bytes":
        return work or math.nan
    return work / time if time else math.nan


def _row(priced: Priced, row: int, index: int) -> dict[str, Any]:
    block = priced.block

    def at(column: Array) -> float:
        return float(column[row if column.shape[0] > 1 else 0, index if column.shape[1] > 1 else 0])

    limits = {name: at(np.asarray(part)) for name, part in priced.limits.items()}
    repeat, time, roofline = at(block.repeat), at(priced.time), at(priced.roofline)
    limit = max(limits, key=lambda name: limits[name])
    cached = time < roofline * (1.0 - ROUNDING)
    m, n, k = (at(block.column(name)) for name in kind(block.kind).shape)
    return {
        "name": block.names[row],
        "kind": block.kind if block.kind != "collective" else block.operations[row],
        "dtype": block.dtypes[row],
        "repeat": repeat,
        "m": m,
        "n": n,
        "k": k,
        "flops": at(block.flops),
        "vector_flops": at(block.vector_flops),
        "weight_bytes": at(block.weights_read),
        "kv_bytes": at(block.kept_read + block.kept_written),
        "activation_bytes": at(block.activation_bytes),
        "message_bytes": at(block.message),
        "roofline_s": time if cached else roofline,
        "time_s": time,
        "total_s": repeat * time,
        "limited_by": CACHE if cached and limit == priced.memory else limit,
        "from_cache": cached,
    }

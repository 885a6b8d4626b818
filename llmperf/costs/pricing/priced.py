"""An operator block with its times, and what every kind of operator needs to price one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from llmperf.costs.machine import Machine
from llmperf.costs.residence import Residence
from llmperf.numeric import Array
from llmperf.operators.kinds import kind
from llmperf.operators.table import Block
from llmperf.resources import LATENCY, MAIN, MATRIX, VECTOR, matrix


@dataclass(slots=True)
class Priced:
    """One block of operators with its times.

    Attributes
    ----------
    time, roofline : ndarray, (operators, configurations)
        Projected time, and the slowest resource at its peak, of one operator. [s]
    limits : dict of str to ndarray
        The parts that the projected time is made of, by what they wait for. [s]
    demands : dict of str to ndarray
        Time that each resource but memory needs at its peak. [s]
    memory : str
        The memory resource that the operators read.
    cold : ndarray
        Time that it needs at its bandwidth. [s]
    parts : tuple of Priced
        Where engines share the operators: what each of them does.
    """

    block: Block
    time: Array
    roofline: Array
    limits: dict[str, Array]
    demands: dict[str, Array]
    memory: str = MAIN
    cold: Array | float = 0.0
    parts: tuple[Priced, ...] = ()

    @property
    def each(self) -> tuple[Priced, ...]:
        """What each engine does: of an engine's own operators, all."""
        return self.parts or (self,)


def memory_time(
    block: Block, machine: Machine, residence: Residence, unread: Array | float = 0.0
) -> tuple[Array, Array]:
    """Time at full bandwidth that the memory of an operator's engine needs, and would need without a cache. [s]

    Of its activations, `unread` bytes are not read.

    Weights and KV cache of a layer have long left the cache when their layer comes again; activations may still be
    there.
    """
    stored: Any = block.copy_bytes if block.fills("copy_bytes") else 0.0
    runs = machine.runs(block.kind)
    for column, tensor, _ in kind(block.kind).moves:
        moved = block.column(column)
        stored = stored + (moved if residence.whole else moved * residence.here(tensor, runs.memory))
    rate = runs.bandwidth
    passing = block.activation_bytes - unread
    return (stored + machine.relieved(passing)) / rate, (stored + passing) / rate


def compute_demands(block: Block, machine: Machine) -> tuple[Array, dict[str, Array]]:
    """Time of the matrix engine at its peak, and of every compute resource; the vector engine may be unknown."""
    compute = block.flops / machine.peaks(block.kind, block.dtypes)
    if block.fills("wide_flops"):
        wide = tuple(wide or dtype for wide, dtype in zip(block.wide, block.dtypes, strict=True))
        compute = compute + block.wide_flops / machine.peaks(block.kind, wide)
    demands = {matrix(machine.runs(block.kind).engine): compute}
    vector = machine.vector_peak
    if vector is not None:
        demands[VECTOR] = block.vector_flops / vector
    return compute, demands


def limit_parts(
    memory_name: str, compute: Array, memory: Array, latency: Array, demands: dict[str, Array]
) -> dict[str, Array]:
    """Parts of an operator's time by what it waits for: the slower of its engines, memory, and what is fixed. [s]"""
    vector = demands.get(VECTOR)
    if vector is None:
        return {MATRIX: compute, memory_name: memory, LATENCY: latency}
    waited = vector * (vector > compute)
    return {
        MATRIX: np.maximum(compute, vector) - waited,
        VECTOR: waited,
        memory_name: memory,
        LATENCY: latency,
    }


def vector_time(demands: dict[str, Array]) -> Array | float:
    """Time of the vector work that runs beside products; 0 where its rate is not known. [s]"""
    return demands.get(VECTOR, 0.0)


def vector_times(demands: dict[str, Array]) -> tuple[Array, ...]:
    """The time of the vector engine at its peak, where its rate is known: none or one. [s]"""
    vector = demands.get(VECTOR)
    return () if vector is None else (vector,)

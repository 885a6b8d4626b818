"""A step's operator table priced on a machine: the time of every operator, and the sums that phases need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.costs import attention, collectives, elementwise, gemm, moe
from llmperf.costs.machine import Machine
from llmperf.costs.roofline import roofline
from llmperf.numeric import Array, Real, anywhere, weighted_sum
from llmperf.operators.table import Block, Table


@dataclass(slots=True)
class Sum:
    """A quantity of all operators.

    Attributes
    ----------
    stages : ndarray, (stages, configurations), or without a pipeline a number, or (configurations,)
        The quantity in each stage.
    whole : ndarray, (configurations,), or None
        The quantity in the whole model, where that differs from the one stage.
    """

    stages: Any
    whole: Any = None

    @property
    def total(self) -> Any:
        """The quantity of the whole model: a number, or (configurations,)."""
        if self.whole is not None:
            return self.whole
        return self.stages[0] if np.ndim(self.stages) == 2 else self.stages

    @property
    def busiest(self) -> Any:
        """The quantity of the stage that has most of it: a number, or (configurations,)."""
        return self.total if self.whole is None else self.stages.max(axis=0)

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.stages + other.stages, None if self.whole is None else self.whole + other.whole)


def combine(function: Callable[..., Any], *sums: Sum) -> Sum:
    """A function of arrays applied to the stages and to the whole model alike."""
    stages = function(*(part.stages for part in sums))
    if sums[0].whole is None:
        return Sum(stages)
    return Sum(stages, function(*(part.whole for part in sums)))


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
    """

    block: Block
    time: Array
    roofline: Array
    limits: dict[str, Array]
    demands: dict[str, Array]
    memory: str = "memory.main"


@dataclass(slots=True)
class StepCosts:
    """A priced step.

    Attributes
    ----------
    time, roofline : dict of str to Sum
        By engine: projected device time, roofline time. [s]
    limits : dict of str to Sum
        Projected time by what it waits for. [s]
    demands : dict of str to Sum
        Time of each compute engine and link at its peak. [s]
    weights, kv_reads, kv_writes : dict of str to Sum
        Distinct bytes of weights and of KV cache or states that each memory must move. [B]
    launches : Sum
        Operators of the step. [1]
    priced : list of Priced
        The blocks.
    """

    time: dict[str, Sum] = field(default_factory=dict)
    roofline: dict[str, Sum] = field(default_factory=dict)
    limits: dict[str, Sum] = field(default_factory=dict)
    demands: dict[str, Sum] = field(default_factory=dict)
    weights: dict[str, Sum] = field(default_factory=dict)
    kv_reads: dict[str, Sum] = field(default_factory=dict)
    kv_writes: dict[str, Sum] = field(default_factory=dict)
    launches: Sum = field(default_factory=lambda: Sum(0.0))
    priced: list[Priced] = field(default_factory=list)


def price(table: Table, machine: Machine, elsewhere: tuple[Real, Real] = (0.0, 0.0)) -> StepCosts:
    """Price every operator of a table.

    Parameters
    ----------
    table : Table
        Operators of one step (`llmperf.operators.transformer.operators`).
    machine : Machine
        The device.
    elsewhere : tuple of two numbers or arrays
        Shares of weights and KV cache that operators read from other tiers directly (CXL), not through the memory of
        the device. [1]

    Returns
    -------
    StepCosts
        Device times without host time, transfers or overlap of engines, which phases add.
    """
    costs = StepCosts()
    for block in table:
        priced = _PRICES[block.kind](block, machine, elsewhere)
        costs.priced.append(priced)
        engine = "link" if block.kind == "collective" else machine.runs(block.kind).engine
        entries: list[tuple[dict[str, Sum], str, Array]] = [
            (costs.time, engine, priced.time),
            (costs.roofline, engine, priced.roofline),
            *((costs.limits, name, part) for name, part in priced.limits.items()),
            *((costs.demands, name, part) for name, part in priced.demands.items()),
        ]
        if block.uses("weight_bytes"):
            entries.append((costs.weights, priced.memory, block.weight_bytes))
        if block.uses("kv_write"):
            entries.append((costs.kv_reads, priced.memory, block.kv_read - block.kv_repeated))
            entries.append((costs.kv_writes, priced.memory, block.kv_write))
        for (into, name, _), part in zip(entries, _sums(block, [entry[2] for entry in entries]), strict=True):
            into[name] = into[name] + part if name in into else part
        costs.launches = _launches(block) if len(costs.priced) == 1 else costs.launches + _launches(block)
    return costs


def _launches(block: Block) -> Sum:
    if len(block.stages) == 1:
        count = np.add.reduce(block.repeat, axis=0)
        return Sum(count.item() if count.size == 1 else count)
    return Sum(np.add.reduce(block.stages, axis=1), np.add.reduce(block.repeat, axis=0))


def _sums(block: Block, columns: list[Array]) -> list[Sum]:
    """Each column summed over the operators of the block."""
    alone = len(block.stages) == 1
    shape = block.repeat.shape
    if alone and shape[1] == 1 and all(column.shape == shape for column in columns):
        return [Sum(total) for total in (block.repeat[:, 0] @ np.concatenate(columns, axis=1)).tolist()]
    return [
        Sum(weighted_sum(block.stages, column), None if alone else weighted_sum(block.repeat, column))
        for column in columns
    ]


def _delivered(block: Block, elsewhere: tuple[Real, Real]) -> Array:
    """Bytes of each operator that the memory of its engine delivers. [B]"""
    weights, kv = elsewhere
    if not anywhere(weights > 0.0) and not anywhere(kv > 0.0):
        return block.bytes
    return block.weight_bytes * (1.0 - weights) + block.kv_bytes * (1.0 - kv) + block.activation_bytes


def _compute_demands(block: Block, machine: Machine) -> tuple[Array, dict[str, Array]]:
    """Time of the matrix engine at its peak, and of every compute resource; the vector engine may be unknown."""
    compute = block.flops / machine.peaks(block.kind, block.dtypes)
    demands = {f"compute.matrix:{machine.runs(block.kind).engine}": compute}
    vector = machine.vector_peak
    if vector is not None:
        demands["compute.vector"] = block.vector_flops / vector
    return compute, demands


def _limits(
    memory_name: str, compute: Array, memory: Array, latency: Array, demands: dict[str, Array]
) -> dict[str, Array]:
    vector = demands.get("compute.vector")
    if vector is None:
        return {"compute.matrix": compute, memory_name: memory, "latency": latency}
    slower = vector > compute
    return {
        "compute.matrix": np.where(slower, 0.0, compute),
        "compute.vector": np.where(slower, vector, 0.0),
        memory_name: memory,
        "latency": latency,
    }


def _reached(compute: Array, demands: dict[str, Array]) -> Array:
    """Compute time of an operator whose vector work runs beside its products."""
    vector = demands.get("compute.vector")
    return compute if vector is None else np.maximum(compute, vector)


def _product(block: Block, machine: Machine, elsewhere: tuple[Real, Real]) -> Priced:
    """Matrix products, and recurrent scans, which are made of them."""
    compute, demands = _compute_demands(block, machine)
    memory = _delivered(block, elsewhere) / machine.runs(block.kind).bandwidth
    share, share_memory, latency, k_latency, k_half = machine.gemm(block.dtypes)
    reached, slowed = compute / share, memory / share_memory
    fixed = latency + gemm.serial_k(block.k, k_latency, k_half)
    time = gemm.time(_reached(reached, demands), slowed, fixed)
    name = machine.runs(block.kind).memory
    limits = _limits(name, reached, slowed, fixed, demands)
    return Priced(block, time, roofline(compute, memory, *_vector(demands)), limits, demands, name)


def _vector(demands: dict[str, Array]) -> tuple[Array, ...]:
    vector = demands.get("compute.vector")
    return () if vector is None else (vector,)


def _moe(block: Block, machine: Machine, elsewhere: tuple[Real, Real]) -> Priced:
    compute, demands = _compute_demands(block, machine)
    memory = _delivered(block, elsewhere) / machine.runs(block.kind).bandwidth
    achieved = machine.hardware.achieved.moe
    hottest = np.maximum(block.padded_bytes / np.maximum(block.weight_bytes, 1.0), 1.0)
    padded = block.padded_flops / machine.peaks(block.kind, block.dtypes) * moe.padded_share(block.m, achieved.tile)
    reached = padded / achieved.compute
    slowed = memory * hottest / achieved.memory
    _, _, _, k_latency, k_half = machine.gemm(block.dtypes)
    fixed = achieved.latency + gemm.serial_k(block.k, k_latency, k_half)
    time = gemm.time(_reached(reached, demands), slowed, fixed)
    name = machine.runs(block.kind).memory
    limits = _limits(name, reached, slowed, fixed, demands)
    return Priced(block, time, roofline(compute, memory, *_vector(demands)), limits, demands, name)


def _attention_prefill(block: Block, machine: Machine, elsewhere: tuple[Real, Real]) -> Priced:
    compute, demands = _compute_demands(block, machine)
    memory = _delivered(block, elsewhere) / machine.runs(block.kind).bandwidth
    achieved = machine.hardware.achieved.attention_prefill
    reached, slowed = compute / achieved.compute, memory / achieved.memory
    time = attention.prefill_time(_reached(reached, demands), slowed, achieved.latency, achieved.blend)
    name = machine.runs(block.kind).memory
    limits = _limits(name, reached, slowed, np.full_like(slowed, achieved.latency), demands)
    return Priced(block, time, roofline(compute, memory, *_vector(demands)), limits, demands, name)


def _attention_decode(block: Block, machine: Machine, elsewhere: tuple[Real, Real]) -> Priced:
    compute, demands = _compute_demands(block, machine)
    memory = _delivered(block, elsewhere) / machine.runs(block.kind).bandwidth
    achieved = machine.hardware.achieved.attention_decode
    padded = compute * attention.padded_share(block.group, achieved.query_tile)
    reached, slowed = padded / achieved.compute, memory / achieved.memory
    cores = machine.hardware.cores or np.inf  # unknown: all pairs run at once
    overhead = (
        achieved.latency
        + attention.waves_time(block.waves, cores, achieved.wave)
        + attention.split_time(block.context, achieved.split)
    )
    time = attention.decode_time(_reached(reached, demands), slowed, overhead)
    name = machine.runs(block.kind).memory
    return Priced(
        block,
        time,
        roofline(compute, memory, *_vector(demands)),
        _limits(name, reached, slowed, overhead, demands),
        demands,
        name,
    )


def _elementwise(block: Block, machine: Machine, elsewhere: tuple[Real, Real]) -> Priced:
    memory = _delivered(block, elsewhere) / machine.runs(block.kind).bandwidth
    achieved = machine.hardware.achieved.elementwise
    vector = machine.vector_peak
    compute = np.zeros_like(memory) if vector is None else block.vector_flops / vector
    slowed = memory / achieved.memory
    time = elementwise.time(compute, slowed, achieved.latency)
    name = machine.runs(block.kind).memory
    limits = _limits(
        name,
        np.zeros_like(memory),
        slowed,
        np.full_like(slowed, achieved.latency),
        {} if vector is None else {"compute.vector": np.where(compute > slowed, compute, 0.0)},
    )
    demands = {} if vector is None else {"compute.vector": compute}
    return Priced(block, time, roofline(compute, memory), limits, demands, name)


@lru_cache(maxsize=256)
def _masks(required: tuple[bool, ...], operations: tuple[str, ...]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    reduces = [operation == "all_reduce" for operation in operations]
    return np.array(required)[:, None], np.array(reduces)[:, None]


def _collective(block: Block, machine: Machine, _: tuple[Real, Real]) -> Priced:
    up_link, out_link = machine.scale_up, machine.scale_out
    achieved = machine.hardware.achieved
    up, out = collectives.wire_bytes(
        block.operations, block.message, block.message_out, block.ranks_up, block.ranks_out
    )
    needed, reduces = _masks(block.required, block.operations)
    demands: dict[str, Array] = {}
    limits: dict[str, Array] = {}
    time = latency = ideal = np.zeros_like(block.message)
    if up_link is not None:
        fit = achieved.scale_up
        # unlike the bound, libraries do not relay through devices that stand idle
        peak = up_link.bandwidth * (
            collectives.reachable(block.ranks_up, machine.domain) if up_link.topology == "mesh" else 1.0
        )
        rate = peak * fit.bandwidth
        spent = collectives.time(up, rate, fit.latency, fit.root)
        if fit.one_shot is not None:
            direct = collectives.one_shot_time(block.message, block.ranks_up, rate, fit.one_shot)
            spent = np.where(reduces & (block.ranks_up > 1.0), np.minimum(spent, direct), spent)
        # a switch that adds lets each device send its vector once; how much a library gains from that is part of the
        # reached bandwidth
        least = np.where(reduces, np.minimum(up, block.message), up) if up_link.in_switch_reduction else up
        demands["link.scale_up"] = np.where(needed, least, 0.0) / up_link.bandwidth
        ideal = np.where(needed, least, 0.0) / peak
        limits["link.scale_up"] = sending = np.minimum(up / rate, spent)
        time, latency = spent, spent - sending
    if out_link is not None and (out > 0.0).any():
        fit = achieved.scale_out
        rate = out_link.bandwidth * fit.bandwidth
        spent = collectives.time(out, rate, fit.latency, fit.root)
        demands["link.scale_out"] = np.where(needed, out, 0.0) / out_link.bandwidth
        ideal = np.maximum(ideal, demands["link.scale_out"])
        limits["link.scale_out"] = sending = out / rate
        time, latency = time + spent, latency + spent - sending
    limits["latency"] = latency
    return Priced(block, time, ideal, limits, demands)


_PRICES = {
    "gemm": _product,
    "recurrent": _product,
    "moe": _moe,
    "attention.prefill": _attention_prefill,
    "attention.decode": _attention_decode,
    "elementwise": _elementwise,
    "collective": _collective,
}

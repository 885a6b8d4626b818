"""A step's operator table priced on a machine: the time of every operator, and the sums that phases need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.costs import collectives, elementwise, gemm, moe
from llmperf.costs.machine import Machine
from llmperf.costs.pricing.attention import price_decode, price_prefill
from llmperf.costs.pricing.priced import Priced, compute_demands, limit_parts, memory_time, vector_time, vector_times
from llmperf.costs.roofline import roofline
from llmperf.numeric import Array, Real, weighted_sum
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
    kv_fetched, kv_sent : Sum or None
        Bytes that decode steps fetch from the tier of a KV-cache method, and that prompts send there. [B]
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
    kv_fetched: Sum | None = None
    kv_sent: Sum | None = None
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
        if block.uses("kv_remote") and block.kv_remote.any():
            moved = _sums(block, [block.kv_remote])[0]
            if block.kind == "attention.decode":
                costs.kv_fetched = moved
            else:
                costs.kv_sent = moved
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


def _product(block: Block, machine: Machine, elsewhere: tuple[Real, Real]) -> Priced:
    """Matrix products, and recurrent scans, which are made of them."""
    compute, demands = compute_demands(block, machine)
    memory, cold = memory_time(block, machine, elsewhere)
    time, reached, slowed, fixed = gemm.time(
        machine.fit("gemm", block.schemes), compute, memory, block.k, vector_time(demands)
    )
    time = time * machine.slowdown
    name = machine.runs(block.kind).memory
    limits = limit_parts(name, reached, slowed, fixed, demands)
    ideal = roofline(compute, cold, *vector_times(demands))
    if not all(block.required):
        needed = _masks(block.required, block.operations)[0]
        demands = {resource: np.where(needed, part, 0.0) for resource, part in demands.items()}
    return Priced(block, time, ideal, limits, demands, name)


def _moe(block: Block, machine: Machine, elsewhere: tuple[Real, Real]) -> Priced:
    compute, demands = compute_demands(block, machine)
    rate = machine.runs(block.kind).bandwidth
    stored = (block.weight_bytes * (1.0 - elsewhere[0]) + block.copy_bytes) / rate
    hottest = np.maximum(block.padded_bytes / np.maximum(block.weight_bytes + block.copy_bytes, 1.0), 1.0)
    busiest = block.padded_flops / (block.dense_flops if block.fills("dense_flops") else block.flops)
    hit = block.padded_flops / (2.0 * block.n * block.k * block.m)
    time, reached, slowed, fixed = moe.time(
        machine.fit("moe", block.schemes),
        compute * busiest,
        stored * hottest,
        block.activation_bytes / rate,
        block.foreign_bytes / rate,
        block.k,
        block.m,
        hit,
        vector_time(demands),
    )
    time = time * machine.slowdown
    name = machine.runs(block.kind).memory
    limits = limit_parts(name, reached, slowed, fixed, demands)
    return Priced(block, time, roofline(compute, stored, *vector_times(demands)), limits, demands, name)


def _elementwise(block: Block, machine: Machine, elsewhere: tuple[Real, Real]) -> Priced:
    _, cold = memory_time(block, machine, elsewhere)
    compute = np.zeros_like(cold) if machine.vector_peak is None else block.vector_flops / machine.vector_peak
    fit = machine.fit("elementwise", block.schemes)
    time, slowed = elementwise.time(fit, compute, cold, machine.fill(block.activation_bytes))
    return _streamed(block, machine, time, compute, slowed, cold, np.broadcast_to(fit.latency, cold.shape))


def _convert(block: Block, machine: Machine, elsewhere: tuple[Real, Real]) -> Priced:
    """The pass that converts weights: what it writes has grown out of the cache when the product reads it."""
    rate, runs = machine.vector_rate(block.kind), machine.runs(block.kind)
    cold = memory_time(block, machine, elsewhere)[1]
    compute = np.zeros_like(cold) if rate is None else block.vector_flops / rate
    fit = machine.fit("elementwise", block.schemes)
    slowed, fixed = cold / fit.memory, np.broadcast_to(fit.latency, cold.shape)
    placed = block.kind in machine.hardware.placement
    demands = {} if rate is None else {f"compute.matrix:{runs.engine}" if placed else "compute.vector": compute}
    limits = limit_parts(runs.memory, np.zeros_like(slowed), slowed, fixed, {"compute.vector": compute})
    return Priced(block, fixed + np.maximum(slowed, compute), roofline(compute, cold), limits, demands, runs.memory)


def _quantize(block: Block, machine: Machine, elsewhere: tuple[Real, Real]) -> Priced:
    # measured passes found their inputs in the cache as an engine's do: what it gives is in their constants
    cold = memory_time(block, machine, elsewhere)[1]
    compute = np.zeros_like(cold) if machine.vector_peak is None else block.vector_flops / machine.vector_peak
    time, slowed, fixed = gemm.quantize_time(machine.fit("gemm", block.schemes), cold, block.m)
    return _streamed(block, machine, np.maximum(time, compute), compute, slowed, cold, fixed)


def _streamed(
    block: Block, machine: Machine, time: Array, compute: Array, slowed: Array, cold: Array, fixed: Array
) -> Priced:
    """An operator of the vector engine, priced."""
    known = machine.vector_peak is not None
    name = machine.runs(block.kind).memory
    longer = {"compute.vector": np.where(compute > slowed, compute, 0.0)} if known else {}
    limits = limit_parts(name, np.zeros_like(slowed), slowed, fixed, longer)
    return Priced(block, time, roofline(compute, cold), limits, {"compute.vector": compute} if known else {}, name)


@lru_cache(maxsize=256)
def _masks(required: tuple[bool, ...], operations: tuple[str, ...]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    reduces = [operation == "all_reduce" for operation in operations]
    return np.array(required)[:, None], np.array(reduces)[:, None]


def _collective(block: Block, machine: Machine, _: tuple[Real, Real]) -> Priced:
    up_link, out_link = machine.scale_up, machine.scale_out
    up, out = collectives.wire_bytes(
        block.operations, block.message, block.message_out, block.ranks_up, block.ranks_out
    )
    needed, reduces = _masks(block.required, block.operations)
    demands: dict[str, Array] = {}
    limits: dict[str, Array] = {}
    time = latency = ideal = np.zeros_like(block.message)
    if up_link is not None:
        # unlike the bound, libraries do not relay through devices that stand idle
        peak = up_link.bandwidth * (
            collectives.reachable(block.ranks_up, machine.domain) if up_link.topology == "mesh" else 1.0
        )
        fit = machine.collective("scale_up", block.operations, block.ranks_up)
        spent = collectives.time(fit, up, peak)
        if reduces.any() and machine.one_shot:
            direct = machine.collective("scale_up", (ONE_SHOT,) * len(block.operations), block.ranks_up)
            spent = np.where(reduces, np.minimum(spent, collectives.time(direct, up, peak)), spent)
        # a switch that adds lets each device send its vector once; how much a library gains from that is part of the
        # reached bandwidth
        least = np.where(reduces, np.minimum(up, block.message), up) if up_link.in_switch_reduction else up
        demands["link.scale_up"] = np.where(needed, least, 0.0) / up_link.bandwidth
        ideal = np.where(needed, least, 0.0) / peak
        limits["link.scale_up"] = sending = np.minimum(up / (peak * fit.bandwidth), spent)
        time, latency = spent, spent - sending
    if out_link is not None and (out > 0.0).any():
        fit = machine.collective("scale_out", block.operations, block.ranks_out)
        spent = collectives.time(fit, out, out_link.bandwidth)
        demands["link.scale_out"] = np.where(needed, out, 0.0) / out_link.bandwidth
        ideal = np.maximum(ideal, demands["link.scale_out"])
        limits["link.scale_out"] = sending = np.minimum(out / (out_link.bandwidth * fit.bandwidth), spent)
        time, latency = time + spent, latency + spent - sending
    limits["latency"] = latency
    return Priced(block, time, ideal, limits, demands)


ONE_SHOT = "all_reduce_custom"
"""Selector of all-reduces in one kernel, which engines use where they are faster than the library."""

_PRICES = {
    "gemm": _product,
    "quantize": _quantize,
    "convert": _convert,
    "recurrent": _product,
    "moe": _moe,
    "attention.prefill": price_prefill,
    "attention.decode": price_decode,
    "elementwise": _elementwise,
    "collective": _collective,
}

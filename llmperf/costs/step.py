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
from llmperf.operators.attention import SOFTMAX_FLOPS
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


def _memory_time(block: Block, machine: Machine, elsewhere: tuple[Real, Real]) -> tuple[Array, Array]:
    """Time at full bandwidth that the memory of an operator's engine needs, and would need without a cache. [s]

    Weights and KV cache of a layer have long left the cache when their layer comes again; activations may still be
    there.
    """
    weights, kv = elsewhere
    if anywhere(weights > 0.0) or anywhere(kv > 0.0):
        stored = block.weight_bytes * (1.0 - weights) + block.kv_bytes * (1.0 - kv)
    else:
        stored = block.weight_bytes + block.kv_bytes
    if block.fills("copy_bytes"):
        stored = stored + block.copy_bytes
    rate = machine.runs(block.kind).bandwidth
    passing = block.activation_bytes
    return (stored + machine.relieved(passing)) / rate, (stored + passing) / rate


def _compute_demands(block: Block, machine: Machine) -> tuple[Array, dict[str, Array]]:
    """Time of the matrix engine at its peak, and of every compute resource; the vector engine may be unknown."""
    compute = block.flops / machine.peaks(block.kind, block.dtypes)
    if block.fills("wide_flops"):
        wide = tuple(wide or dtype for wide, dtype in zip(block.wide, block.dtypes, strict=True))
        compute = compute + block.wide_flops / machine.peaks(block.kind, wide)
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


def _beside(demands: dict[str, Array]) -> Array | float:
    """Time of the vector work that runs beside products; 0 where its rate is not known. [s]"""
    return demands.get("compute.vector", 0.0)


def _vector(demands: dict[str, Array]) -> tuple[Array, ...]:
    vector = demands.get("compute.vector")
    return () if vector is None else (vector,)


def _product(block: Block, machine: Machine, elsewhere: tuple[Real, Real]) -> Priced:
    """Matrix products, and recurrent scans, which are made of them."""
    compute, demands = _compute_demands(block, machine)
    memory, cold = _memory_time(block, machine, elsewhere)
    time, reached, slowed, fixed = gemm.time(
        machine.fit("gemm", block.schemes), compute, memory, block.k, _beside(demands)
    )
    time = time * machine.slowdown
    name = machine.runs(block.kind).memory
    limits = _limits(name, reached, slowed, fixed, demands)
    return Priced(block, time, roofline(compute, cold, *_vector(demands)), limits, demands, name)


def _moe(block: Block, machine: Machine, elsewhere: tuple[Real, Real]) -> Priced:
    compute, demands = _compute_demands(block, machine)
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
        _beside(demands),
    )
    time = time * machine.slowdown
    name = machine.runs(block.kind).memory
    limits = _limits(name, reached, slowed, fixed, demands)
    return Priced(block, time, roofline(compute, stored, *_vector(demands)), limits, demands, name)


def _attention_prefill(block: Block, machine: Machine, elsewhere: tuple[Real, Real]) -> Priced:
    compute, demands = _compute_demands(block, machine)
    memory, cold = _memory_time(block, machine, elsewhere)
    fit = machine.fit("attention_prefill", block.schemes)
    kernel, work, beside, passed = machine.attention, compute, demands, np.zeros_like(compute)
    if not machine.usual_prefill:
        demands, work, beside, scores = _scores_of_prompts(block, machine, demands)
        if kernel.softmax_pass:
            half = 0.5 * scores * kernel.score_bytes / machine.runs(block.kind).bandwidth
            memory, cold = memory + half, cold + half
            passed = np.maximum(half / machine.fit("gemm", block.dtypes).memory, _beside(beside))
            beside = {}
    time, reached, slowed, fixed = attention.prefill_time(
        fit, work, memory, block.query, block.context, block.waves, machine.cores, _beside(beside)
    )
    time = (time + passed) * kernel.prefill_slowdown
    name = machine.runs(block.kind).memory
    limits = _limits(name, reached, slowed + passed, fixed, beside)
    return Priced(
        block, time, roofline(demands[_matrix(block, machine)], cold, *_vector(demands)), limits, demands, name
    )


def _matrix(block: Block, machine: Machine) -> str:
    return f"compute.matrix:{machine.runs(block.kind).engine}"


def _scores_of_prompts(
    block: Block, machine: Machine, demands: dict[str, Array]
) -> tuple[dict[str, Array], Array, dict[str, Array], Array]:
    """What a kernel of its own makes of the scores of prompts.

    Returns
    -------
    demands : dict of str to ndarray
        Time that compute resources need at their peaks, the softmax on the engine that the kernel has it on. [s]
    compute : ndarray
        Time of all that the kernel computes on the matrix engine, at its peak. [s]
    beside : dict of str to ndarray
        The same of the vector engine. [s]
    scores : ndarray
        Scores that it computes. [1]
    """
    kernel, peaks = machine.attention, machine.peaks(block.kind, block.dtypes)
    scores = computed_scores(block, machine)
    seen = block.vector_flops > 0.0
    more = np.where(seen, SOFTMAX_FLOPS * scores / np.where(seen, block.vector_flops, 1.0), 1.0)
    softmax = _softmax(scores, machine)
    if kernel.score_engine == "matrix":
        demands = {_matrix(block, machine): (block.flops + block.vector_flops) / peaks}
        return demands, (block.flops * more + softmax) / peaks, {}, scores
    vector = machine.vector_peak
    beside = {} if vector is None else {"compute.vector": softmax / vector}
    return demands, block.flops * more / peaks, beside, scores


def computed_scores(block: Block, machine: Machine) -> Array:
    """Scores of attention over prompts, with those behind the mask where the kernel computes them too. [1]

    An indexer's scores, which have no softmax, do not count.
    """
    seen = block.vector_flops / SOFTMAX_FLOPS
    if machine.attention.skips_masked:
        return seen
    return np.where(seen > 0.0, attention.all_scores(seen, block.query, block.context, block.waves), 0.0)


def _softmax(scores: Array, machine: Machine) -> Array:
    """Operations of the softmax, never less than the bound counts. [FLOP]"""
    wanted = machine.attention.score_ops
    return scores * (SOFTMAX_FLOPS if wanted is None else np.maximum(wanted, SOFTMAX_FLOPS))


def _attention_decode(block: Block, machine: Machine, elsewhere: tuple[Real, Real]) -> Priced:
    compute, demands = _compute_demands(block, machine)
    memory, cold = _memory_time(block, machine, elsewhere)
    fit = machine.fit("attention_decode", block.schemes)
    kernel, work, beside, waves = machine.attention, compute, demands, block.waves
    padding: Array | None = None
    busy: Array | float = 1.0
    again: Array | float = 0.0
    if not machine.usual_decode:
        demands, work, beside = _products_of_cache(block, machine, demands)
        group = np.ones_like(block.group) if kernel.head_blocks else block.group
        waves = block.waves * block.group / group
        padding = attention.padded_share(group, fit.query_tile)
        busy = attention.occupancy(kernel.split, waves, block.context, machine.cores)
        if kernel.prefix == "once":
            once = attention.shared_prefix(block.kv_repeated, np.maximum(block.kv_read, 1.0), block.m)
            rows = attention.padded_share(group * np.maximum(block.m, 1.0), fit.query_tile)
            padding = padding * (1.0 - once) + rows * once
            memory = memory - block.kv_repeated * (1.0 - elsewhere[1]) / machine.runs(block.kind).bandwidth
            again = np.where(once > 0.0, fit.latency, 0.0)  # the prefix has a kernel of its own
    time, reached, slowed, fixed = attention.decode_time(
        fit,
        work,
        memory * machine.reads(block.group),
        block.group,
        block.context,
        waves,
        machine.cores,
        _beside(beside),
        padding=padding,
        busy=busy,
    )
    time = (time + again) * kernel.decode_slowdown
    name = machine.runs(block.kind).memory
    limits = _limits(name, reached, slowed, fixed + again, beside)
    return Priced(
        block, time, roofline(demands[_matrix(block, machine)], cold, *_vector(demands)), limits, demands, name
    )


def _products_of_cache(
    block: Block, machine: Machine, demands: dict[str, Array]
) -> tuple[dict[str, Array], Array, dict[str, Array]]:
    """What a kernel of its own computes over the KV cache; demands, compute and beside as of `_scores_of_prompts`.

    Notes
    -----
    Every (cached element, query head) pair is one multiply-add. An instruction that is none takes the place of one, two
    operations of a peak.
    """
    kernel, peaks = machine.attention, machine.peaks(block.kind, block.dtypes)
    scores = np.where(block.vector_flops > 0.0, block.waves * block.group * block.context, 0.0)
    counted = SOFTMAX_FLOPS * scores
    dequantizing = block.vector_flops - counted
    dequantizing = np.where(dequantizing > 1e-6 * counted, dequantizing, 0.0)
    if kernel.dequantize_instructions is not None:
        elements = 0.5 * block.flops / block.group
        dequantizing = np.where(dequantizing > 0.0, 2.0 * kernel.dequantize_instructions * elements, 0.0)
    dequantizing = dequantizing * (block.group if kernel.head_blocks else 1.0)
    softmax, products, beside = _softmax(scores, machine), block.flops, {}
    if kernel.score_engine == "matrix":
        demands = {**demands, _matrix(block, machine): (block.flops + counted) / peaks}
        if "compute.vector" in demands:
            demands["compute.vector"] = np.maximum(block.vector_flops - counted, 0.0) / machine.vector_peak
        products, softmax = products + softmax, np.zeros_like(softmax)
    vector = machine.vector_peak
    if vector is not None:
        on_vector = kernel.decode_products == "vector"
        beside = {"compute.vector": (softmax + dequantizing + (products if on_vector else 0.0)) / vector}
        products = products * (0.0 if on_vector else 1.0)
    return demands, products / peaks, beside


def _elementwise(block: Block, machine: Machine, elsewhere: tuple[Real, Real]) -> Priced:
    _, cold = _memory_time(block, machine, elsewhere)
    compute = np.zeros_like(cold) if machine.vector_peak is None else block.vector_flops / machine.vector_peak
    fit = machine.fit("elementwise", block.schemes)
    time, slowed = elementwise.time(fit, compute, cold, machine.fill(block.activation_bytes))
    return _streamed(block, machine, time, compute, slowed, cold, np.broadcast_to(fit.latency, cold.shape))


def _convert(block: Block, machine: Machine, elsewhere: tuple[Real, Real]) -> Priced:
    """The pass that converts weights: what it writes has grown out of the cache when the product reads it."""
    rate, runs = machine.vector_rate(block.kind), machine.runs(block.kind)
    cold = _memory_time(block, machine, elsewhere)[1]
    compute = np.zeros_like(cold) if rate is None else block.vector_flops / rate
    fit = machine.fit("elementwise", block.schemes)
    slowed, fixed = cold / fit.memory, np.broadcast_to(fit.latency, cold.shape)
    placed = block.kind in machine.hardware.placement
    demands = {} if rate is None else {f"compute.matrix:{runs.engine}" if placed else "compute.vector": compute}
    limits = _limits(runs.memory, np.zeros_like(slowed), slowed, fixed, {"compute.vector": compute})
    return Priced(block, fixed + np.maximum(slowed, compute), roofline(compute, cold), limits, demands, runs.memory)


def _quantize(block: Block, machine: Machine, elsewhere: tuple[Real, Real]) -> Priced:
    # measured passes found their inputs in the cache as an engine's do: what it gives is in their constants
    cold = _memory_time(block, machine, elsewhere)[1]
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
    limits = _limits(name, np.zeros_like(slowed), slowed, fixed, longer)
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
    "attention.prefill": _attention_prefill,
    "attention.decode": _attention_decode,
    "elementwise": _elementwise,
    "collective": _collective,
}

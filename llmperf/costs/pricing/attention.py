"""Prices of attention: what its kernels do beside the products that the operator table counts."""

from __future__ import annotations

import numpy as np

from llmperf.costs import attention
from llmperf.costs.machine import Machine
from llmperf.costs.pricing.priced import Priced, compute_demands, limit_parts, memory_time, vector_time, vector_times
from llmperf.costs.residence import Residence
from llmperf.costs.roofline import roofline
from llmperf.numeric import Array
from llmperf.operators.formats import SOFTMAX_FLOPS
from llmperf.operators.table import Block
from llmperf.resources import VECTOR, matrix


def price_prefill(block: Block, machine: Machine, residence: Residence) -> Priced:
    """Attention over prompts, priced: times in seconds (`llmperf.costs.attention.prefill_time`).

    Parameters
    ----------
    block : Block
        All attention operators of prompts.
    machine : Machine
        The device, with its attention kernel.
    residence : Residence
        Where its bytes come from.
    """
    compute, demands = compute_demands(block, machine)
    once = machine.attention.prefix == "once"
    memory, cold = memory_time(block, machine, residence, block.prefix_bytes if once else 0.0)
    fit = machine.fit("attention_prefill", block.schemes)
    kernel, work, beside, passed = machine.attention, compute, demands, np.zeros_like(compute)
    query = block.query
    if not machine.usual_prefill:
        demands, work, beside, scores = _scores_of_prompts(block, machine, demands)
        if kernel.softmax_pass:
            half = 0.5 * scores * kernel.score_bytes / machine.runs(block.kind).bandwidth
            memory, cold = memory + half, cold + half
            passed = np.maximum(half / machine.fit("gemm", block.dtypes).memory, vector_time(beside))
            beside = {}
        if once:  # queries of all prompts stand side by side before the prefix, which has no mask
            query = query / (1.0 - attention.cached_share(block.before, block.keys))
    time, reached, slowed, fixed = attention.prefill_time(
        fit, work, memory, query, block.keys, block.blocks, machine.cores, vector_time(beside)
    )
    ideal = roofline(demands[_matrix(block, machine)], cold, *vector_times(demands))
    time = np.maximum((time + passed) * kernel.prefill_slowdown, ideal)
    name = machine.runs(block.kind).memory
    limits = limit_parts(name, reached, slowed + passed, fixed, beside)
    return Priced(block, time, ideal, limits, demands, name, cold)


def _matrix(block: Block, machine: Machine) -> str:
    return matrix(machine.runs(block.kind).engine)


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
    seen = block.scores > 0.0
    more = np.where(seen, scores / np.where(seen, block.scores, 1.0), 1.0)
    softmax = _softmax(scores, machine)
    if kernel.score_engine == "matrix":
        demands = {_matrix(block, machine): (block.flops + block.vector_flops) / peaks}
        return demands, (block.flops * more + softmax) / peaks, {}, scores
    vector = machine.vector_peak
    beside = {} if vector is None else {VECTOR: softmax / vector}
    return demands, block.flops * more / peaks, beside, scores


def computed_scores(block: Block, machine: Machine) -> Array:
    """Scores of attention over prompts, with those behind the mask where the kernel computes them too. [1]

    An indexer's scores, which have no softmax, do not count.
    """
    seen = block.scores
    if machine.attention.skips_masked:
        return seen
    return np.where(seen > 0.0, attention.all_scores(seen, block.query, block.keys, block.blocks), 0.0)


def _softmax(scores: Array, machine: Machine) -> Array:
    """Operations of the softmax, never less than the bound counts. [FLOP]"""
    wanted = machine.attention.score_ops
    return scores * (SOFTMAX_FLOPS if wanted is None else np.maximum(wanted, SOFTMAX_FLOPS))


def price_decode(block: Block, machine: Machine, residence: Residence) -> Priced:
    """Attention over the KV cache, priced: times in seconds (`llmperf.costs.attention.decode_time`).

    Parameters
    ----------
    block : Block
        All attention operators of a decode step.
    machine : Machine
        The device, with its attention kernel.
    residence : Residence
        Where its bytes come from.
    """
    compute, demands = compute_demands(block, machine)
    memory, cold = memory_time(block, machine, residence)
    fit = machine.fit("attention_decode", block.schemes)
    kernel, work, beside, waves = machine.attention, compute, demands, block.streams
    padding: Array | None = None
    busy: Array | float = 1.0
    again: Array | float = 0.0
    if not machine.usual_decode:
        demands, work, beside = _products_of_cache(block, machine, demands)
        group = np.ones_like(block.group) if kernel.head_blocks else block.group
        waves = block.streams * block.group / group
        padding = attention.padded_share(group, fit.query_tile)
        busy = attention.occupancy(kernel.split, waves, block.context, machine.cores)
        if kernel.prefix == "once":
            once = attention.shared_prefix(block.prefix_bytes, np.maximum(block.kv_read, 1.0), block.sequences)
            rows = attention.padded_share(group * np.maximum(block.sequences, 1.0), fit.query_tile)
            padding = padding * (1.0 - once) + rows * once
            runs = machine.runs(block.kind)
            unread = block.prefix_bytes * residence.here("kv_cache", runs.memory) / runs.bandwidth
            memory, cold = memory - unread, cold - unread
            again = np.where(once > 0.0, fit.latency, 0.0)  # the prefix has a kernel of its own
    time, reached, slowed, fixed = attention.decode_time(
        fit,
        work,
        memory * machine.reads(block.group),
        block.group,
        block.context,
        waves,
        machine.cores,
        vector_time(beside),
        padding=padding,
        busy=busy,
    )
    ideal = roofline(demands[_matrix(block, machine)], cold, *vector_times(demands))
    time = np.maximum((time + again) * kernel.decode_slowdown, ideal)
    name = machine.runs(block.kind).memory
    limits = limit_parts(name, reached, slowed, fixed + again, beside)
    return Priced(block, time, ideal, limits, demands, name, cold)


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
    scores, beside_scores = block.scores, block.beside_flops
    if kernel.dequantize_instructions is not None:
        beside_scores = np.where(beside_scores > 0.0, 2.0 * kernel.dequantize_instructions * block.cached, 0.0)
    beside_scores = beside_scores * (block.group if kernel.head_blocks else 1.0)
    softmax, products, beside = _softmax(scores, machine), block.flops, {}
    if kernel.score_engine == "matrix":
        demands = {**demands, _matrix(block, machine): (block.flops + SOFTMAX_FLOPS * scores) / peaks}
        if machine.vector_peak is not None:
            demands[VECTOR] = block.beside_flops / machine.vector_peak
        products, softmax = products + softmax, np.zeros_like(softmax)
    vector = machine.vector_peak
    if vector is not None:
        on_vector = kernel.decode_products == "vector"
        beside = {VECTOR: (softmax + beside_scores + (products if on_vector else 0.0)) / vector}
        products = products * (0.0 if on_vector else 1.0)
    return demands, products / peaks, beside

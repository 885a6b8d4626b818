"""What fixed memory buys: the largest batch, the longest input, or the batch of the highest throughput."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf import units
from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError, Problem
from llmperf.numeric import Array, Real, ceil_div, least
from llmperf.phases.estimate import evaluate, laid_out
from llmperf.phases.memory import most_sequences
from llmperf.scenarios.binding import BLOCK, Resolved

Rows = NDArray[np.intp]
"""Indices of configurations."""

CANDIDATES = 64
"""Values of one configuration that are tried at once, at first."""
WIDENING = 4
"""How many more are tried if none of those fits."""


@dataclass(frozen=True, slots=True)
class Axis:
    """What is made as large as possible: ``least(offset + step * count, limit)`` of a whole count.

    Attributes
    ----------
    name : str
        Field of the workload.
    count : ndarray, (configurations,)
        About where the cache alone fills the memory, whatever the activations. [1]
    smallest : ndarray, (configurations,)
        Smallest value that makes sense. [1]
    """

    name: str
    count: Array
    offset: Array
    step: Array
    limit: Array
    smallest: Array

    def values(self, counts: Array, rows: Rows) -> Array:
        """Values at `counts`, (rows, candidates), of the configurations `rows`."""
        found = self.offset[rows, None] + self.step[rows, None] * counts
        return np.minimum(found, self.limit[rows, None])


def maximized(resolved: Resolved) -> Resolved:
    """The scenario with the batch or the input that ``workload.maximize`` asks for; as it is without.

    Parameters
    ----------
    resolved : Resolved
        Its batch (``context``: its input) has no influence.

    Returns
    -------
    Resolved
        What was found stands in ``workload.batch`` or ``workload.input``: the largest value that fits, activations
        included, so that no larger one does (inputs end with a whole block of the cache). Of configurations of which
        nothing fits, the smallest value.

    Raises
    ------
    InputError
        If nothing fits, in a scenario of plain numbers; or if memory does not limit what is to be maximized.
    """
    scenario, wanted = resolved.scenario, resolved.template.workload.maximize
    if wanted is None:
        return resolved
    axis = _inputs(scenario, resolved.size) if wanted == "context" else _batches(scenario, resolved.size)
    found = _largest(resolved, axis)
    if not resolved.shape and found[0] < axis.smallest[0]:
        raise _refusal(scenario, axis)
    found = np.maximum(found, axis.smallest)
    if wanted == "throughput":
        found = _fastest(resolved, found)
    return resolved.having(f"workload.{axis.name}", found if resolved.shape else int(found[0]))


def said(scenario: Scenario) -> str:
    """What was maximized, in words; empty where nothing was, or where arrays were."""
    work, engine = scenario.workload, scenario.engine
    value = work.input if work.maximize == "context" else work.batch
    if work.maximize is None or isinstance(value, np.ndarray):
        return ""
    words = {
        "batch": "largest batch that fits",
        "context": "longest input that fits",
        "throughput": "batch of the highest throughput among all that fit",
    }
    copies = scenario.parallelism.dp * scenario.parallelism.replicas
    full = work.maximize == "batch" and engine.max_sequences is not None and value == engine.max_sequences * copies
    most = f", as many as {engine.name} runs at once" if full else ""
    if work.maximize == "context" and value + work.output == scenario.model.max_context:
        most = f", all that {scenario.model.name} allows"
    return f"{words[work.maximize]}: {value:,.0f}{most}"


def _with(scenario: Scenario, name: str, value: Any) -> Scenario:
    return replace(scenario, workload=replace(scenario.workload, **{name: value}))


def _each(value: Real, size: int) -> Array:
    return np.broadcast_to(np.asarray(value, dtype=float).reshape(-1), (size,))


def _batches(scenario: Scenario, size: int) -> Axis:
    """Batches of the whole system, up to where keys, values and states alone fill the memory."""
    copies = scenario.parallelism.dp * scenario.parallelism.replicas
    setup, _, _, need, placed = laid_out(_with(scenario, "batch", copies))
    cached, block = setup.cached_tokens, scenario.engine.kv_block
    tokens = ceil_div(setup.decoder_input + scenario.workload.output - cached, block) * block + cached
    everything = placed.room + need.reserved
    count = _each(most_sequences(setup, replace(need, per_decoding=0.0), everything, tokens) * copies, size)
    if np.any(count > 1e9):
        text = f"{scenario.model.name} keeps nothing for a sequence: memory limits no batch"
        raise InputError(Problem(text, "workload.maximize", suggestion="name a batch"))
    one = np.ones(size)
    most = np.inf if scenario.engine.max_sequences is None else scenario.engine.max_sequences
    return Axis("batch", count, 0.0 * one, one, _each(most * copies, size), one)


def _inputs(scenario: Scenario, size: int) -> Axis:
    """Inputs that with the output fill whole blocks of the cache, up to what the model allows."""
    model, work = scenario.model, scenario.workload
    if model.vision:
        text = f"{model.name} takes {model.max_context:g} tokens a picture, always"
        raise InputError(Problem(text, "workload.maximize", allowed=("batch", "throughput")))
    one = np.ones(size)
    setup, _, _, need, placed = laid_out(scenario)
    encodes = model.encoder is not None and not model.encoder.positions
    if encodes or not model.generates:  # nothing is cached in blocks
        limit = _each(model.max_context, size)
        return Axis("input", limit, 0.0 * one, one, limit, one)
    cached, block = setup.cached_tokens, scenario.engine.kv_block
    limit = _each(model.max_context - work.output, size)
    room = (placed.room + need.reserved) / setup.sequences
    private = need.per_sequence.longest(room)
    count = np.ceil(_each(least(private, model.max_context), size) / block)
    offset, smallest = _each(cached - work.output, size), _each(work.shared_prefix + 1.0, size)
    return Axis("input", count, offset, _each(block, size), limit, smallest)


def _trial(resolved: Resolved, rows: Rows, name: str, values: Array) -> Scenario:
    """Some configurations with values of the workload that are tried, (rows, candidates), each once with each."""
    return _with(resolved.cut(np.repeat(rows, values.shape[1])), name, values.reshape(-1))


def _fitting(resolved: Resolved, rows: Rows, axis: Axis, values: Array) -> Any:
    """Which of the values that are tried fit, (rows, candidates)."""
    tried = np.maximum(values, axis.smallest[rows, None])
    fits = laid_out(_trial(resolved, rows, axis.name, tried))[-1].missing <= 0.0
    return np.broadcast_to(fits, tried.size).reshape(tried.shape)


def _largest(resolved: Resolved, axis: Axis) -> Array:
    """The largest value that fits of each configuration; below the smallest where none does.

    Activations do not grow evenly (prompts that fill one more step make each step smaller), so that what fits is no
    interval. It is sought downwards from where the cache alone fills the memory: the activations are the distance.
    """
    found = axis.smallest - 1.0
    begin: Array = np.maximum(axis.count, 1.0)
    size = resolved.size
    for first in range(0, size, BLOCK // CANDIDATES):
        left, width = np.arange(first, min(first + BLOCK // CANDIDATES, size)), CANDIDATES
        _raise(resolved, axis, begin, left)
        while left.size:
            counts = begin[left, None] - np.arange(width)
            values = axis.values(counts, left)
            valid = values >= axis.smallest[left, None]
            good = _fitting(resolved, left, axis, values) & valid
            hit = good.any(axis=1)
            found[left[hit]] = values[hit, good[hit].argmax(axis=1)]
            begin[left] -= width
            left = left[~hit & valid[:, -1]]
            width = min(width * WIDENING, BLOCK // max(left.size, 1))
    return found


def _raise(resolved: Resolved, axis: Axis, begin: Array, rows: Rows) -> None:
    """Double the counts of `rows` that fit, until none does or the limit is reached: they are to lie above."""
    while rows.size:
        values = axis.values(begin[rows, None], rows)
        fits = _fitting(resolved, rows, axis, values)[:, 0]
        rows = rows[fits & (values[:, 0] < axis.limit[rows])]
        begin[rows] *= 2.0


def _fastest(resolved: Resolved, largest: Array) -> Array:
    """The batch up to `largest` with the most projected output tokens per second, the smaller of equal ones."""
    size = resolved.size
    found = np.empty(size)
    for begin in range(0, size, BLOCK // CANDIDATES):
        rows = np.arange(begin, min(begin + BLOCK // CANDIDATES, size))
        tried = np.rint(np.geomspace(1.0, largest[rows], CANDIDATES, axis=1))
        best = _best(resolved, rows, tried)
        around = (np.maximum(best - 1, 0), np.minimum(best + 1, CANDIDATES - 1))
        low, high = (tried[np.arange(rows.size), index] for index in around)
        near = np.rint(np.linspace(low, high, CANDIDATES, axis=1))
        near[:, 0] = tried[np.arange(rows.size), best]  # what was found stays among the candidates
        found[rows] = near[np.arange(rows.size), _best(resolved, rows, near)]
    return found


def _best(resolved: Resolved, rows: Rows, batches: Array) -> Rows:
    """Index of the fastest of each configuration's batches, (rows, candidates), of those that fit."""
    part = evaluate(_trial(resolved, rows, "batch", batches))
    rate = np.where(part.parts["memory"].fits, part.parts["projection"].output_tokens_per_s, -1.0)
    return np.asarray(np.broadcast_to(rate, batches.size).reshape(batches.shape).argmax(axis=1))


def _refusal(scenario: Scenario, axis: Axis) -> InputError:
    missing = laid_out(_with(scenario, axis.name, int(axis.smallest[0])))[-1].missing
    lacking = units.scaled(float(np.max(missing)), "bytes", 3)
    text = f"not even {axis.name} {axis.smallest[0]:.0f} fits: {lacking} a device too much"
    hint = f"llmperf memory with --{axis.name} {axis.smallest[0]:.0f} says what would make it fit"
    return InputError(Problem(text, "workload.maximize", suggestion=hint))

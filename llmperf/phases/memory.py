"""Memory of one device, by class and pipeline stage: what the workload needs, what fits, and how much would fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from llmperf.descriptors.model import Model
from llmperf.numeric import Array, Real, ceil_div, choose, least, most
from llmperf.operators.attention import kv_bytes_per_token
from llmperf.operators.build import Build
from llmperf.operators.recurrent import state_bytes
from llmperf.operators.table import Table
from llmperf.phases.setup import Setup

TINY = 1e-6
"""Bytes that stand for none where something is divided by them. [B]"""


@dataclass(frozen=True, slots=True)
class Sequence:
    """What one sequence keeps on one device, a context-parallel group sharing its tokens.

    Attributes
    ----------
    token : number or array
        Bytes of one token in one attention layer. [B]
    full, windowed : tuple of number or array
        Layers of each pipeline stage that keep all tokens, and that keep the last `window`. [1]
    state : tuple of number or array
        Bytes of recurrent states in each stage, however long the sequence. [B]
    """

    token: Real
    full: tuple[Real, ...]
    windowed: tuple[Real, ...]
    window: Real
    state: tuple[Real, ...]

    def bytes(self, tokens: Real) -> tuple[Real, ...]:
        """Bytes of a sequence of `tokens` tokens in each stage. [B]"""
        kept = least(tokens, self.window)
        return tuple(
            self.token * (full * tokens + windowed * kept) + state
            for full, windowed, state in zip(self.full, self.windowed, self.state, strict=True)
        )

    def longest(self, room: Real) -> Real:
        """Most tokens whose bytes fit into `room` on every stage; infinite where nothing grows. [1]"""
        found: Real = np.inf
        for full, windowed, state in zip(self.full, self.windowed, self.state, strict=True):
            left = most(room - state, 0.0)
            growing = self.token * (full + windowed)
            within = left / most(growing, TINY)
            beyond = most(left - self.token * windowed * self.window, 0.0) / most(self.token * full, TINY)
            found = least(found, choose(within > self.window, beyond, within))
        return found


def sequence(setup: Setup) -> Sequence:
    """What one sequence keeps (`Sequence`)."""
    model, stages = setup.scenario.model, setup.stages
    build = Build(model, setup.shards, stages, setup.formats, setup.decode_step(), 1.0)
    attention = model.attention
    windowed = attention.windowed_layers if attention else 0.0
    window = attention.window if attention and attention.window is not None and windowed else 1e18
    states = state_bytes(build)
    return Sequence(
        kv_bytes_per_token(build) / setup.shards.cp,
        stages.spread(model.attention_layers - windowed),
        stages.spread(windowed),
        window,
        tuple(layers * states for layers in stages.spread(model.ssm_layers)),
    )


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of one device; per-stage values have the shape (stages, configurations).

    Attributes
    ----------
    weights, kv_cache : ndarray, (stages, configurations)
        Weights, and KV cache and states of the requested workload, in whatever tier. [B]
    activations, context, graphs : number or array
        Peak activations of the largest step; device context and communication buffers; captured graphs. [B]
    capacity, usable : number or array
        Memory of the device, and the part that may be used. [B]
    """

    weights: Array
    kv_cache: Array
    activations: Real
    context: Real
    graphs: Real
    capacity: Real
    usable: Real
    per_sequence: Sequence

    @property
    def fixed(self) -> Real:
        """Memory that neither weights nor KV cache may use. [B]"""
        return self.activations + self.context + self.graphs


def memory(setup: Setup, prefill: Table, decode: Table) -> Memory:
    """Memory that a scenario needs on one device.

    Parameters
    ----------
    setup : Setup
    prefill, decode : Table
        The operators, whose weights and activations are counted.
    """
    scenario = setup.scenario
    engine, work, main = scenario.engine, scenario.workload, scenario.hardware.main
    per_sequence = sequence(setup)
    block = engine.kv_block
    private = ceil_div(work.input + work.output - setup.cached_tokens(), block) * block
    whole = per_sequence.bytes(private + setup.cached_tokens())
    shared = per_sequence.bytes(setup.cached_tokens())
    state = per_sequence.state
    kv = [
        setup.sequences * (all_ - prefix + fixed) + (prefix - fixed)
        for all_, prefix, fixed in zip(whole, shared, state, strict=True)
    ]
    weights = prefill.by_stage("resident_bytes")
    activations = most(peak_activations(setup, prefill), peak_activations(setup, decode))
    assert main.capacity is not None
    width = max((np.size(part) for part in kv), default=1)
    return Memory(
        weights,
        np.array([np.broadcast_to(part, (width,)) for part in kv], dtype=float),
        activations,
        engine.context_memory,
        engine.graph_memory if engine.graphs else 0.0,
        main.capacity,
        main.capacity * engine.utilization,
        per_sequence,
    )


def peak_activations(setup: Setup, table: Table) -> Array:
    """Activations of the operator that holds most, and the residual stream beside it. [B]"""
    tokens = next(block.m[0] for block in table if block.kind == "gemm")
    residual = tokens * setup.scenario.model.hidden * setup.formats.hidden
    held = [block.activation_bytes.max(axis=0) for block in table if block.kind != "collective"]
    out = held[0]
    for part in held[1:]:
        out = np.maximum(out, part)
    return np.asarray(out + residual)


def longest_context(model: Model, need: Memory, room: Real, sequences: Real) -> Real:
    """Longest sequence that `sequences` of them may have, the model's own limit included. [1]"""
    return least(need.per_sequence.longest(room / sequences) // 1.0, model.max_context)


def most_sequences(need: Memory, room: Real, tokens: Real) -> Real:
    """Most sequences of `tokens` tokens that fit into `room` on every stage. [1]"""
    out: Real = np.inf
    for size in need.per_sequence.bytes(tokens):
        out = least(out, room / most(size, TINY) // 1.0)
    return out


def bytes_per_token(need: Memory, tokens: Real) -> Any:
    """Mean KV bytes of a token in a sequence of `tokens` tokens, on the stage that keeps most. [B]"""
    out: Real = 0.0
    for size, state in zip(need.per_sequence.bytes(tokens), need.per_sequence.state, strict=True):
        out = most(out, (size - state) / tokens)
    return out

"""Memory of one device, by class and pipeline stage: what the workload needs, what fits, and how much would fit."""

from __future__ import annotations

from dataclasses import field, replace
from typing import Any

import numpy as np

from llmperf.descriptors.hardware import Tier
from llmperf.descriptors.model import groups
from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Array, Real, anywhere, ceil_div, choose, floor_div, least, most, stack
from llmperf.operators.build import Build
from llmperf.operators.cache import Cache, entries
from llmperf.operators.lines import END, ascending, reached
from llmperf.operators.recurrent import state_bytes
from llmperf.operators.table import Table
from llmperf.phases.kernels import held_scores
from llmperf.phases.setup import Setup
from llmperf.records import dataclass

TINY = 1e-6
"""Bytes that stand for none where something is divided by them. [B]"""


@dataclass(frozen=True, slots=True)
class Sequence:
    """What one sequence keeps on one device, a context-parallel group sharing its tokens.

    Attributes
    ----------
    cache : Cache or None
        One attention layer (`llmperf.operators.cache`); None without attention.
    sharers : number or array
        Context-parallel devices, each with its share of the tokens. [1]
    generated : number or array
        Tokens of a sequence that come after its prompt. [1]
    full, windowed : tuple of number or array
        Layers of each pipeline stage that keep all tokens, and that keep the last `window`. [1]
    state : tuple of number or array
        Bytes of recurrent states, and of keys and values of an encoder's output, in each stage, however long the
        sequence. [B]
    recurrent : tuple of number or array
        The part of `state` that is recurrent. [B]
    near : Cache or None
        One layer with a window.
    entries : tuple of number or array
        Bytes of compressed entries for each token, in each stage; empty where there are none. [B]
    token, near_token : number or array
        Bytes of one token in one layer, without and with a window. [B]
    even : bool
        Whether every token takes the same bytes.
    """

    cache: Cache | None
    sharers: Real
    generated: Real
    full: tuple[Real, ...]
    windowed: tuple[Real, ...]
    window: Real
    state: tuple[Real, ...]
    recurrent: tuple[Real, ...]
    near: Cache | None = None
    entries: tuple[Real, ...] = ()
    token: Real = field(init=False)
    near_token: Real = field(init=False)
    even: bool = field(init=False)

    def __post_init__(self) -> None:
        own = self.cache
        near = own if self.near is None else self.near
        object.__setattr__(self, "token", 0.0 if own is None else (own.token + own.index) / self.sharers)
        object.__setattr__(self, "near_token", 0.0 if near is None else (near.token + near.index) / self.sharers)
        object.__setattr__(self, "even", own is None or own.method.linear)

    def _layer(self, tokens: Real) -> tuple[Real, Real]:
        """Bytes of `tokens` tokens in a layer that keeps all: on the device, and where the method puts others. [B]"""
        if self.cache is None:
            return 0.0, 0.0
        if self.even:
            return self.token * tokens, 0.0
        here, away = self.cache.stored(tokens, most(tokens - self.generated, 1.0), tokens)
        return here / self.sharers, away / self.sharers

    def bytes(self, tokens: Real, shared: Real = 0.0) -> tuple[Real, ...]:
        """Bytes that a sequence of `tokens` tokens keeps for itself in each stage, a prefix being shared. [B]"""
        private = tokens - shared
        layer, kept = self._layer(private)[0], self.near_token * least(private, self.window)
        found = tuple(
            layer * full + kept * windowed + state
            for full, windowed, state in zip(self.full, self.windowed, self.state, strict=True)
        )
        if not self.entries:
            return found
        return tuple(one + each * private / self.sharers for one, each in zip(found, self.entries, strict=True))

    def away(self, tokens: Real, shared: Real = 0.0) -> tuple[Real, ...]:
        """Bytes of a sequence that lie in the tier that its KV-cache method names, in each stage. [B]"""
        layer = self._layer(tokens - shared)[1]
        return tuple(layer * full for full in self.full)

    def prefix(self, tokens: Real, shared: Real) -> tuple[Real, ...]:
        """Bytes of the shared prefix that sequences of `tokens` tokens still read, once for all, in each stage. [B]"""
        kept = least(most(self.window - (tokens - shared), 0.0), shared)
        layer = self._layer(shared)[0]
        found = tuple(
            layer * full + self.near_token * windowed * kept
            for full, windowed in zip(self.full, self.windowed, strict=True)
        )
        if not self.entries:
            return found
        return tuple(one + each * shared / self.sharers for one, each in zip(found, self.entries, strict=True))

    def computing(self, tokens: Real, budget: Real) -> Real:
        """Bytes of a prompt of `tokens` tokens that its method drops only when its last step is done. [B]

        A prompt that fits into one step of `budget` tokens is cut layer by layer.
        """
        return choose(tokens > budget, most(self._uncut(tokens), 0.0), 0.0) if self._cuts else 0.0

    @property
    def _cuts(self) -> bool:
        """Whether a prompt takes more while it is computed than what stays of it."""
        return self.cache is not None and self.cache.cuts

    def _uncut(self, tokens: Real) -> Real:
        """Bytes that a prompt takes while it is computed in several steps, beyond what stays of it. [B]"""
        return 0.0 if self.cache is None else self.cache.prompt(tokens) / self.sharers * _largest(self.full)

    def _bends(self, cut: bool) -> list[Real]:
        """Where the bytes of a sequence bend as it grows, and, of prompts that are cut late, those beside them. [1]"""
        windows = [least(self.window, END)] if anywhere(self.window < END) else []
        if self.cache is None:
            return windows
        kept = self.cache.bends(self.generated)
        # the prompt is what is not generated, but one token at least
        prompts = [least(self.generated + bend, END) for bend in (1.0, *self.cache.prompt_bends())] if cut else []
        return [*windows, *kept, *prompts]

    def longest(self, room: Real, elsewhere: Real = np.inf, budget: Real = np.inf, sequences: Real = 1.0) -> Real:
        """Most tokens that fit; infinite where nothing grows. [1]

        Parameters
        ----------
        room, elsewhere : number or array
            Bytes that a sequence may have on every stage, and in the tier that its method names. [B]
        budget : number or array
            Tokens of a step: a longer prompt needs room to be computed (`computing`). [1]
        sequences : number or array
            Sequences that give room to the one prompt that is computed. [1]
        """
        cut = self._cuts and anywhere(budget < np.inf)
        places = [0.0, *ascending(self._bends(cut)), END]
        kept = [self.bytes(place) for place in places]
        found = _all_reach(places, kept, room)
        if self.cache is not None and self.cache.method.offload is not None:
            found = least(found, _all_reach(places, [self.away(place) for place in places], elsewhere))
        if not cut:
            return found
        # prompts up to the budget need no more; of those above, the bytes that stay and those beside them must fit
        beside = [self._uncut(most(place - self.generated, 1.0)) / sequences for place in places]
        together = [tuple(size + more for size in sizes) for sizes, more in zip(kept, beside, strict=True)]
        return least(found, most(budget + self.generated, _all_reach(places, together, room)))


def _all_reach(places: list[Real], sizes: list[tuple[Real, ...]], room: Real) -> Real:
    """Where the bytes of some stage first exceed the room, given those of all stages at each place (`reached`). [1]"""
    found: Real = np.inf
    for stage in zip(*sizes, strict=True):
        found = least(found, reached(places, stage, room))
    return found


def sequence(setup: Setup) -> Sequence:
    """What one sequence keeps (`Sequence`)."""
    model, stages = setup.scenario.model, setup.stages
    build = Build(model, setup.shards, stages, setup.formats, setup.decode_step, 1.0)
    own = build.cache
    keeping = [group for group in groups(model) if group.keeps and model.generates]
    windowed = sum([group.windowed for group in keeping])
    full = sum([group.layers for group in keeping]) - windowed
    near = next((build.grouped(group).cache for group in keeping if group.prefix), None)
    attention = model.attention
    window = attention.window if attention and attention.window is not None and windowed else 1e18
    states = state_bytes(build)
    encoded = setup.encoded_tokens * (own.token + own.index) if own else 0.0
    recurrent = tuple(layers * states for layers in stages.spread(model.ssm_layers))
    compressed = entries(model, own, setup.formats)
    return Sequence(
        own,
        setup.shards.cp,
        setup.scenario.workload.output,
        stages.spread(full),
        stages.spread(windowed),
        window,
        tuple(
            state + crossed * encoded
            for state, crossed in zip(recurrent, stages.spread(model.layers if model.encoder else 0), strict=True)
        ),
        recurrent,
        near,
        stages.spread(compressed) if model.compression else (),
    )


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of one device; per-stage values have the shape (stages, configurations).

    Attributes
    ----------
    weights, kv_cache : ndarray, (stages, configurations)
        Weights, and KV cache and states of the requested workload, in whatever tier. [B]
    experts, states : ndarray, (stages, configurations)
        The parts of them that are weights of experts, and recurrent states. [B]
    activations, context, graphs : number or array
        Peak activations of the largest step, or what the engine sets aside for them; device context and communication
        buffers; captured graphs. [B]
    reserved : number or array
        Peak activations of a step that fills the engine's token budget, which a pool of KV cache must leave. [B]
    per_prompt, per_decoding : number or array
        Peak activations for each token of a prompt that is computed, and for each sequence of a decode step. [B]
    capacity, usable : number or array
        Memory of the device, and the part that may be used, all classes together. [B]
    away, elsewhere : number or array
        KV cache that the method keeps in a tier of its choice, and what that tier holds for one device. [B]
    """

    weights: Array
    kv_cache: Array
    activations: Real
    reserved: Real
    per_prompt: Real
    per_decoding: Real
    context: Real
    graphs: Real
    capacity: Real
    usable: Real
    per_sequence: Sequence
    away: Real
    elsewhere: Real
    experts: Array
    states: Array

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
    block, cached = engine.kv_block, setup.cached_tokens
    tokens = ceil_div(setup.decoder_input + work.output - cached, block) * block + cached
    kv = [
        setup.sequences * own + once
        for own, once in zip(per_sequence.bytes(tokens, cached), per_sequence.prefix(tokens, cached), strict=True)
    ]
    weights = prefill.by_stage("resident_bytes")
    experts = prefill.by_stage("resident_experts") if setup.scenario.model.moe else np.zeros_like(weights)
    weights = weights + experts
    step = setup.prefill_step
    filled = step.prompts * (step.query + step.encoded)
    filling: Real = peak_activations(setup, prefill)
    stepping: Real = peak_activations(setup, decode)
    beside = per_sequence.computing(setup.new_tokens, engine.token_budget)
    reserved = most(stepping, filling * most(engine.token_budget / filled, 1.0) + beside)
    if anywhere(engine.logit_bytes > 0.0):
        stepping = most(stepping, sampling(setup, setup.sequences, setup.sequences))
        together = setup.sequences if engine.max_sequences is None else engine.max_sequences
        reserved = most(reserved, sampling(setup, together, engine.token_budget))
    activations = reserved if engine.profiles else most(filling + beside, stepping)
    context, graphs = _context(scenario), _graphs(scenario, decode)
    counted = graphs if engine.graphs_within or engine.memory_fraction_of != "total" else 0.0
    assert main.capacity is not None
    states = [setup.sequences * own for own in per_sequence.recurrent]
    return Memory(
        weights,
        stack(kv),
        activations,
        reserved,
        filling / filled,
        stepping / setup.sequences,
        context,
        counted,
        main.capacity,
        _usable(scenario, weights, activations + context + counted, context),
        per_sequence,
        setup.sequences * _largest(per_sequence.away(tokens, cached)),
        _elsewhere(scenario),
        experts,
        stack(states),
    )


def one_by_one(setup: Setup, need: Memory) -> Memory:
    """What is needed where sequences run one after the other and activations stay on the chip: what the bound asks."""
    n = setup.sequences
    return replace(need, kv_cache=need.kv_cache / n, states=need.states / n, away=need.away / n, activations=0.0)


def sampling(setup: Setup, sequences: Real, tokens: Real) -> Real:
    """Memory of choosing the next tokens, logits of the whole vocabulary and their copies on every device. [B]

    Parameters
    ----------
    setup : Setup
    sequences : number or array
        Sequences that get a token. [1]
    tokens : number or array
        Tokens of the step, whose hidden states are still there. [1]
    """
    model = setup.scenario.model
    logits = sequences * model.vocab * setup.scenario.engine.logit_bytes
    return logits + tokens * model.hidden * setup.formats.hidden


def _context(scenario: Scenario) -> Real:
    """Device context, and buffers of collectives where a fast link joins the devices of a copy of the model. [B]"""
    engine, layout = scenario.engine, scenario.parallelism
    if not anywhere(engine.communication_memory > 0.0) or scenario.hardware.link("scale_up") is None:
        return engine.context_memory
    several = layout.devices / layout.replicas > 1
    return engine.context_memory + choose(several, engine.communication_memory, 0.0)


def _graphs(scenario: Scenario, decode: Table) -> Real:
    """Captured graphs of the stage with most kernels: one for each batch size. [B]"""
    engine = scenario.engine
    if not engine.graphs or not anywhere(engine.graph_sizes > 0):
        return 0.0
    kernels: Real = sum(np.add.reduce(block.stages, axis=1) for block in decode).max(axis=0)
    return kernels * engine.launches_per_operator * engine.graph_sizes * engine.graph_node_memory


def _usable(scenario: Scenario, weights: Array, fixed: Real, context: Real) -> Real:
    """Memory that an engine uses, all classes together (`llmperf.descriptors.engine.FractionOf`). [B]

    Parameters
    ----------
    scenario : Scenario
    weights : ndarray, (stages, configurations)
        Weights. [B]
    fixed : number or array
        All that is neither weights nor KV cache. [B]
    context : number or array
        The part of `fixed` that is there before loading. [B]

    References
    ----------
    .. [1] vllm-project/vllm, vllm/v1/worker/gpu_worker.py, determine_available_memory.
    .. [2] sgl-project/sglang, python/sglang/srt/model_executor/model_runner.py, profile_max_num_token.
    .. [3] NVIDIA/TensorRT-LLM, tensorrt_llm/llmapi/llm_args.py, KvCacheConfig.free_gpu_memory_fraction.
    """
    engine, main = scenario.engine, scenario.hardware.main
    assert main.capacity is not None
    visible = main.capacity - main.reserved
    if engine.memory_fraction_of == "free":
        return visible - (1.0 - engine.utilization) * most(visible - fixed - weights.max(axis=0), 0.0)
    if engine.memory_fraction_of == "static":
        return least((visible - context) * engine.utilization + fixed, visible)
    return visible * engine.utilization


def _elsewhere(scenario: Scenario) -> Real:
    """What the tier of the KV-cache method holds for one device; without one there is no limit. [B]"""
    name = tier_of_cache(scenario)
    if name is None:
        return np.inf
    tier = scenario.hardware.tiers[name]
    return (0.0 if tier.capacity is None else tier.capacity) / sharers(scenario, tier)


def tier_of_cache(scenario: Scenario) -> str | None:
    """The tier that the KV-cache method keeps its cache in; None where it stays on the device."""
    method = scenario.kv_cache.offload
    return None if method is None else scenario.hardware.behind(method.tier)


def sharers(scenario: Scenario, tier: Tier) -> Real:
    """Devices that share a tier: those that are used, up to as many as it serves, else the whole system. [1]"""
    used, most_sharers = scenario.parallelism.devices, tier.sharers or scenario.hardware.devices
    return used if most_sharers is None else least(used, most_sharers)


def peak_activations(setup: Setup, table: Table) -> Array:
    """Activations of the operator that holds most, and the residual stream beside it. [B]"""
    tokens = next(block.m[0] for block in table if block.kind == "gemm")
    streams = setup.scenario.model.streams
    width = setup.scenario.model.hidden * (streams.count if streams else 1.0)
    residual = tokens * width * setup.formats.hidden
    held = [
        (block.activation_bytes + held_scores(setup, block)).max(axis=0)
        for block in table
        if block.kind != "collective"
    ]
    out = held[0]
    for part in held[1:]:
        out = np.maximum(out, part)
    peak: Array = out + residual
    return peak


def longest_context(setup: Setup, need: Memory, room: Real) -> Real:
    """Longest sequence that the requested batch may have, in whole blocks, the model's own limit included. [1]"""
    cached, block = setup.cached_tokens, setup.scenario.engine.kv_block
    left = room - _largest(need.per_sequence.prefix(cached, cached))
    longest, kept, n = setup.scenario.model.max_context, need.per_sequence, setup.sequences
    budget = setup.scenario.engine.token_budget
    left = most(left, 0.0) + kept.computing(setup.new_tokens, budget)
    private = kept.longest(left / n, need.elsewhere / n, budget, n)
    return least(floor_div(least(private, longest), block) * block + cached, longest)


def _further(setup: Setup, need: Memory, tokens: Real) -> Real:
    """Bytes that computing prompts of sequences of `tokens` tokens takes more than those of the scenario. [B]"""
    kept, budget = need.per_sequence, setup.scenario.engine.token_budget
    return kept.computing(most(tokens - kept.generated, 1.0), budget) - kept.computing(setup.new_tokens, budget)


def most_sequences(setup: Setup, need: Memory, room: Real, tokens: Real) -> Real:
    """Most sequences of `tokens` tokens that fit into `room` on every stage, their activations included. [1]

    Not more than the engine runs at once.
    """
    engine, cached = setup.scenario.engine, setup.cached_tokens
    out: Real = np.inf if engine.max_sequences is None else 1.0 * engine.max_sequences
    kept = need.per_sequence
    prompt = (most(tokens - kept.generated - cached, 1.0) + setup.encoded_tokens) * need.per_prompt
    for own, once in zip(kept.bytes(tokens, cached), kept.prefix(tokens, cached), strict=True):
        left = room - once - _further(setup, need, tokens)
        # prompts need what is reserved, which `room` leaves out; decoding sequences need their own, if that is more
        whole, prompts = left + need.reserved, left / most(own, TINY)
        if not engine.profiles:  # few prompts do not fill the token budget
            prompts = most(prompts, whole / most(own + prompt, TINY))
        out = least(out, floor_div(least(prompts, whole / most(own + need.per_decoding, TINY)), 1.0))
    away = _largest(kept.away(tokens, cached))
    if anywhere(away > 0.0):
        out = least(out, floor_div(need.elsewhere, most(away, TINY)))
    return most(out, 0.0)


def _largest(parts: tuple[Real, ...]) -> Real:
    out: Real = 0.0
    for part in parts:
        out = most(out, part)
    return out


def bytes_per_token(need: Memory, tokens: Real) -> Any:
    """Mean KV bytes of a token in a sequence of `tokens` tokens, on the stage that keeps most. [B]"""
    out: Real = 0.0
    for size, state in zip(need.per_sequence.bytes(tokens), need.per_sequence.state, strict=True):
        out = most(out, (size - state) / tokens)
    return out


POOL_SPREAD = 0.02
"""Error of the pool over the memory that programs see: twelve start-up logs of vLLM, SGLang and TensorRT-LLM lie within
0.02 (tests/phases/test_start_up_logs.py). [1]"""


def pool_low(scenario: Scenario, _: str, found: Any) -> Real:
    """Tokens of the KV pool at the lower end of its band. [1]"""
    return _pool(scenario, found, -POOL_SPREAD)


def pool_high(scenario: Scenario, _: str, found: Any) -> Real:
    """Tokens of the KV pool at the upper end of its band. [1]"""
    return _pool(scenario, found, POOL_SPREAD)


def _pool(scenario: Scenario, found: Any, spread: Real) -> Real:
    """Tokens of a pool that has so much more of the device's memory. [1]"""
    main = scenario.hardware.main
    assert main.capacity is not None
    room = most(found.usable - found.required + found.kv_cache, TINY)
    tokens: Real = found.kv_pool_tokens
    return floor_div(tokens * most(1.0 + spread * (main.capacity - main.reserved) / room, 0.0), 1.0)

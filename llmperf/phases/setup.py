"""A scenario prepared for evaluation: what is the same in prefill, decode and memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from llmperf.costs.machine import Machine, compute_dtype, dtypes, machine_of
from llmperf.descriptors.engine import Padding
from llmperf.descriptors.hardware import Hardware
from llmperf.descriptors.scenario import Scenario
from llmperf.descriptors.weights import Compute, WeightFormat
from llmperf.errors import InputError, Problem
from llmperf.kept import MadeOfObjects
from llmperf.numeric import Real, ceil_div, choose, everywhere, least, most
from llmperf.operators.formats import Formats, formats
from llmperf.operators.layout import Shards, Stages, shards, stages
from llmperf.operators.matrix import ENGINES
from llmperf.operators.step import Step
from llmperf.operators.table import Table
from llmperf.operators.transformer import operators
from llmperf.phases.engines import engines
from llmperf.records import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """What an evaluation needs that no number of the layout or the workload changes.

    Attributes
    ----------
    machine : Machine
    weights : WeightFormat
        As the hardware runs them (`dequantized`).
    activations : str
        Dtype of the inputs of linear layers, as the hardware runs them.
    formats : Formats
    shared : dict of str to dict of str to number or array
        Kinds of operators that several engines share (`llmperf.phases.engines`). [1]
    """

    machine: Machine
    weights: WeightFormat
    activations: Compute
    formats: Formats
    shared: Mapping[str, Mapping[str, Real]]


@dataclass(frozen=True)
class Setup:
    """A scenario with its layout, and the plan of its formats and machine.

    Attributes
    ----------
    sequences : number or array
        Sequences of the most loaded data-parallel rank. [1]
    """

    scenario: Scenario
    plan: Plan
    shards: Shards
    stages: Stages
    sequences: Real

    @property
    def machine(self) -> Machine:
        """The machine of the plan."""
        return self.plan.machine

    @property
    def formats(self) -> Formats:
        """The formats of the plan."""
        return self.plan.formats

    def table(self, step: Step) -> Table:
        """The operators of a step."""
        return operators(self.scenario.model, self.shards, self.stages, self.formats, step, self.machine.domain)

    def _copy(self) -> Real:
        """Mean sequences of one copy of the model, all data-parallel ranks together. [1]"""
        return most(self.scenario.workload.batch / self.scenario.parallelism.replicas, 1.0)

    @cached_property
    def micro_batches(self) -> Real:
        """Parts that a decoding batch is cut into to keep the stages of a pipeline busy. [1]"""
        layout = self.scenario.parallelism
        if layout.micro_batches is not None:
            return layout.micro_batches
        return least(layout.pp, self.sequences)

    @cached_property
    def new_tokens(self) -> Real:
        """Tokens of a prompt that are not cached before it arrives. [1]"""
        if self._encodes_prompt:
            return 1.0  # the prompt goes through the encoder; the decoder begins with one token
        return self.scenario.workload.input - self.cached_tokens

    @property
    def _encodes_prompt(self) -> bool:
        encoder = self.scenario.model.encoder
        return encoder is not None and not encoder.positions

    @cached_property
    def encoded_tokens(self) -> Real:
        """Encoder tokens of a sequence. [1]"""
        encoder = self.scenario.model.encoder
        if encoder is None:
            return 0.0
        return encoder.positions or self.scenario.workload.input

    @cached_property
    def decoder_input(self) -> Real:
        """Tokens of a sequence that the decoder has seen when it has generated its first. [1]"""
        return 1.0 if self._encodes_prompt else self.scenario.workload.input

    @cached_property
    def cached_tokens(self) -> Real:
        """Tokens of a prompt that are cached before it arrives. [1]"""
        if self._encodes_prompt:
            return 0.0
        return self.scenario.workload.shared_prefix if self.scenario.engine.shared_prefix_cache else 0.0

    @cached_property
    def prefill_steps(self) -> Real:
        """Steps (or micro-batches) that all prompts of a rank are prefilled in. [1]"""
        tokens = self.sequences * (self.new_tokens + self.encoded_tokens)
        steps = ceil_div(tokens, self.scenario.engine.token_budget)
        if self.scenario.model.encoder or not self.scenario.model.generates:
            steps = least(steps, self.sequences)  # what sees all of its input cannot be cut into chunks
        layout = self.scenario.parallelism
        return most(steps, choose(layout.pp > 1, self.micro_batches, 1.0))

    @cached_property
    def prefill_step(self) -> Step:
        """The mean step of prefill."""
        work, new, model = self.scenario.workload, self.new_tokens, self.scenario.model
        tokens = self.sequences * new / self.prefill_steps
        query = least(new, tokens)
        group = self._copy() * new / self.prefill_steps
        return Step(
            prompts=tokens / query,
            query=query,
            before=self.cached_tokens,
            length=self.cached_tokens + new,
            group=group,
            diversity=work.routing_diversity,
            encoded=self.encoded_tokens,
            causal=model.attention.causal if model.attention else True,
        )

    @cached_property
    def decode_step(self) -> Step:
        """The mean decode step of one micro-batch."""
        work = self.scenario.workload
        steps = most(work.output - 1.0, 1.0)
        padded = self.scenario.engine.static_cache
        return Step(
            sequences=self.sequences / self.micro_batches,
            context=self.decoder_input + (steps - 1.0 if padded else 0.0),
            encoded=self.encoded_tokens,
            steps=1.0 if padded else steps,
            group=self._copy() / self.micro_batches,
            shared=self.cached_tokens,
            prompt=self.decoder_input,
            final=self.decoder_input + work.output,
            diversity=work.routing_diversity,
        )


def dequantized(scenario: Scenario, hardware: Hardware) -> Scenario:
    """The scenario as hardware without an engine for its weight format runs it, its operators placed.

    Products that are made of bit planes, look-ups or additions become multiply-adds in the format's activations; where
    there is no engine for these, or for a part that is computed wider, weights are converted to 16 bit. Inputs stay
    16 bit then, and each weight costs at least one vector operation, as in the weight-only kernels that engines use on
    such chips. Activations that differ from those of the format were asked for, and stay: all is computed in them.
    """
    weights = scenario.weights
    asked = scenario.activations != weights.activations
    if weights.product != "multiply" and (asked or compute_dtype(hardware, ENGINES[weights.product]) is None):
        weights = _unpacked(replace(weights, product="multiply", activation_bits=None, kernels=None))
    if asked:
        weights = replace(weights, wide=None, kernels=None) if weights.wide or weights.kernels else weights
    elif not _computes(hardware, weights) and compute_dtype(hardware, "bf16") is not None:
        converts = weights.converted_bits is not None
        # what is stored in 16 bit needs no conversion, and less is unpacked by the product
        weights = replace(weights, activations="bf16", wide=None, converted_bits=None, kernels=None)
        if not (converts and everywhere(weights.bits == 16)):
            weights = _unpacked(weights)
    if weights is scenario.weights:
        return scenario
    return replace(scenario, weights=weights, activations=scenario.activations if asked else weights.activations)


def _unpacked(weights: WeightFormat) -> WeightFormat:
    """The format where products unpack weights: at least one vector operation each."""
    flops: Any = most(weights.dequantize_flops, 1.0)
    return replace(weights, weight_only=True, dequantize_flops=flops)


def _computes(hardware: Hardware, weights: WeightFormat) -> bool:
    """Whether an engine computes all that a format needs."""
    if weights.wide is not None and compute_dtype(hardware, weights.wide) is None:
        return False
    return compute_dtype(hardware, ENGINES.get(weights.product, weights.activations)) is not None


def skips(hardware: Hardware, weights: WeightFormat, dtype: str) -> bool:
    """Whether the engine of linear layers does not multiply the zeros of a format in a dtype."""
    engine = hardware.engine("gemm")
    return weights.sparsity is not None and engine is not None and dtype in engine.skips.get(weights.sparsity, ())


def setup(scenario: Scenario, sequences: Real | None = None) -> Setup:
    """Prepare a scenario.

    Parameters
    ----------
    scenario : Scenario
    sequences : number or array, optional
        Sequences of a data-parallel rank, as a mean over time; without, those of the most loaded one of the batch. [1]

    Raises
    ------
    InputError
        As `planned`.
    """
    plan = planned(scenario)
    if plan.weights is not scenario.weights:
        scenario = replace(scenario, weights=plan.weights, activations=plan.activations)
    model, layout = scenario.model, scenario.parallelism
    return Setup(
        scenario,
        plan,
        shards(model, layout),
        stages(model.layers, layout.pp),
        ceil_div(scenario.workload.batch, layout.dp * layout.replicas) if sequences is None else sequences,
    )


_plans: MadeOfObjects[Plan] = MadeOfObjects(256)


def planned(scenario: Scenario) -> Plan:
    """The plan of a scenario: one for all blocks of arrays, and for every scenario of the same parts.

    Raises
    ------
    InputError
        If the hardware has no engine for the formats, and none that could compute with dequantized weights.
    """
    placement = scenario.placement if scenario.placement.operators else None  # what lies where is no part of it
    parts = (scenario.model, scenario.hardware, scenario.weights, scenario.kv_cache, scenario.engine)
    objects = (*parts, scenario.attention, placement)
    return _plans.get(objects, lambda: _plan(scenario), key=scenario.activations)


def _plan(scenario: Scenario) -> Plan:
    usual = machine_of(scenario.hardware, scenario.engine, scenario.attention)
    machine, shared = engines(scenario, usual)
    hardware, model, kernel = machine.hardware, scenario.model, scenario.attention
    scenario = dequantized(scenario, hardware)
    weights = scenario.weights
    wanted = ENGINES.get(weights.product, scenario.activations)
    linear = compute_dtype(hardware, "fp16" if wanted == "bf16" and scenario.engine.accumulates == "fp16" else wanted)
    if linear is None:
        raise InputError(
            Problem(
                f"{hardware.name} has no engine for {wanted} ({weights.name} weights)",
                "weights",
                allowed=tuple(dtypes(hardware)),
                suggestion="a format that computes in one of these",
            )
        )
    if kernel.decode_products == "vector" and machine.vector_peak is None:
        text = f"{kernel.name} computes on vector units, whose rate {hardware.name} does not say"
        raise InputError(Problem(text, "attention", suggestion="a kernel of matrix products, such as fused"))
    attention = compute_dtype(hardware, "bf16", "attention.prefill") or linear
    index = compute_dtype(hardware, model.indexer.dtype, "attention.prefill") if model.indexer else None
    made = formats(
        weights,
        scenario.kv_cache,
        linear,
        attention,
        index or attention,
        wide=(weights.wide and compute_dtype(hardware, weights.wide)) or "",
        skips=skips(hardware, weights, linear),
        scored=everywhere(kernel.score_bytes > 0.0),
        padding=scenario.engine.padding.get(weights.name, Padding()),
        fuses=tuple(scenario.engine.fuses),
    )
    return Plan(machine, weights, scenario.activations, made, shared)

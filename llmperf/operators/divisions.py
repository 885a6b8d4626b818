"""Layouts that an engine refuses: what it splits among devices only where it divides evenly.

Other engines pad, or replicate (`llmperf.operators.layout`); which one does what is data of the engine (``divides``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np

from llmperf.descriptors.engine import ServingEngine
from llmperf.descriptors.model import Model
from llmperf.descriptors.parallelism import Parallelism
from llmperf.descriptors.weights import Part, WeightFormat
from llmperf.errors import InputError, Problem
from llmperf.numeric import Real, anywhere, ceil_div, choose, everywhere, floor_div, most
from llmperf.records import dataclass

VOCABULARY_BLOCK = 64
"""Vocabularies are padded to a multiple of this before they are divided (vLLM and SGLang, layers of
vocab_parallel_embedding.py, DEFAULT_VOCAB_PADDING_SIZE). [1]"""
WIDTHS: dict[Part, str] = {
    "mlp": "the feed-forward width",
    "experts": "the experts' width",
    "shared": "the shared experts' width",
    "attention": "the attention's output",
}
"""Inner widths that devices share, by what weight formats call the modules."""
LARGEST = 128
"""Largest tensor-parallel size that is looked at for one that starts. [1]"""


@dataclass(frozen=True, slots=True)
class Division:
    """Something that a layout divides.

    Attributes
    ----------
    part : str
        What an engine calls it in its ``divides``.
    size : str
        Which of the layout's sizes divides it.
    name : str
        What it is, in words, with its number.
    by : int or array
        Devices that share it. [1]
    uneven : bool or array
        Whether it does not come out even.
    """

    part: str
    size: str
    name: str
    by: Real
    uneven: Any


def check(model: Model, weights: WeightFormat, engine: ServingEngine, layout: Parallelism) -> None:
    """Refuse a layout that an engine refuses.

    Parameters
    ----------
    model, weights, engine
    layout : Parallelism
        Its numbers may be arrays.

    Raises
    ------
    InputError
        If something comes out uneven that the engine wants even, with the nearest layouts that it starts.
    """
    wrong = next(uneven(model, weights, engine, layout), None)
    if wrong is None:
        return
    plain = _first(layout, wrong.uneven)
    said = next(uneven(model, weights, engine, plain))
    text = f"{said.name} does not divide by {said.by:g}: {engine.name} does not start"
    near = " or ".join(nearest(model, weights, engine, plain))
    raise InputError(Problem(text, f"parallelism.{said.size}", suggestion=near or None))


def uneven(model: Model, weights: WeightFormat, engine: ServingEngine, layout: Parallelism) -> Iterator[Division]:
    """What an engine wants even and a layout makes uneven, in one configuration at least."""
    if engine.divides:
        for one in divisions(model, weights, layout):
            if one.part in engine.divides and anywhere(one.uneven):
                yield one


def even(model: Model, weights: WeightFormat, tp: int) -> bool:
    """Whether every engine starts a tensor-parallel size: nothing is padded, no block of weights is cut."""
    return not any(one.uneven for one in divisions(model, weights, Parallelism(tp=tp)))


def nearest(model: Model, weights: WeightFormat, engine: ServingEngine, layout: Parallelism) -> list[str]:
    """The nearest layouts that an engine starts, as flags: another tensor-parallel size, whole experts a device.

    Parameters
    ----------
    model, weights, engine
    layout : Parallelism
        Plain numbers.
    """

    def starts(**sizes: int) -> bool:
        other = replace(layout, **sizes)
        if layout.ep == layout.expert_group:  # whole experts on every device, then as before
            other = replace(other, ep=int(other.expert_group))
        return other.expert_group % other.ep == 0 and next(uneven(model, weights, engine, other), None) is None

    tp, found = int(layout.tp), []
    if model.moe and layout.ep < layout.expert_group and starts(ep=int(layout.expert_group)):
        found.append(f"--ep {layout.expert_group:g}")
    sizes = (range(tp - 1, 0, -1), range(tp + 1, LARGEST + 1))
    near = [next((size for size in some if starts(tp=size)), None) for some in sizes]
    return found + [f"--tp {size}" for size in near if size is not None]


def divisions(model: Model, weights: WeightFormat, layout: Parallelism) -> Iterator[Division]:
    """What a layout divides: heads, widths, the vocabulary, blocks of quantized weights.

    Experts are not among them: engines place copies of some where their number does not divide.

    Parameters
    ----------
    model, weights
    layout : Parallelism
        Its numbers may be arrays.
    """
    tp, attention = layout.tp, model.attention
    if attention:
        heads, kv_heads = attention.heads, attention.kv_heads
        yield Division("heads", "tp", f"the number of heads, {heads:g},", tp, heads % tp != 0)
        if not model.mla:  # where devices are a multiple of the heads, each head is replicated as often as the others
            wrong = (kv_heads % tp != 0) & (tp % kv_heads != 0)
            yield Division("kv_heads", "tp", f"the number of KV heads, {kv_heads:g},", tp, wrong)
    for part, width, by in _widths(model, layout):
        yield Division("widths", "tp", f"{WIDTHS[part]} of {width:g}", by, width % by != 0)
    padded = ceil_div(model.vocab, VOCABULARY_BLOCK) * VOCABULARY_BLOCK
    yield Division("vocabulary", "tp", f"the vocabulary, {model.vocab:g} padded to {padded:g},", tp, padded % tp != 0)
    yield from _blocks(model, weights, layout)


def _widths(model: Model, layout: Parallelism) -> Iterator[tuple[Part, Real, Real]]:
    """Inner widths of feed-forward networks, and the devices that share them."""
    if model.dense_layers:
        yield "mlp", model.ffn, layout.tp
    if model.moe:
        yield "experts", model.moe.expert_ffn, floor_div(layout.expert_group, layout.ep)
        if model.moe.shared_experts:
            shared = model.moe.shared_experts * (model.moe.shared_ffn or model.moe.expert_ffn)
            yield "shared", shared, layout.tp


def _blocks(model: Model, weights: WeightFormat, layout: Parallelism) -> Iterator[Division]:
    """Shards of quantized matrices, which hold whole blocks of weights that share a scale.

    Sources: vLLM, fp8_utils.py, validate_fp8_block_shape, and marlin_utils.py, verify_marlin_supports_shape; SGLang has
    the same checks.
    """
    block = weights.block
    if block is None:
        return
    attention = model.attention
    widths = list(_widths(model, layout))
    if attention:
        value = model.mla.v_head_dim if model.mla else attention.head_dim
        widths.append(("attention", attention.heads * value, layout.tp))
    for part, width, by in widths:
        if everywhere(weights.keeps.get(part, 0.0) >= 1.0):
            continue  # it stays in 16 bit, and has no blocks
        if part == "mlp":  # as the makers' checkpoint in integers has it
            width = most(width, model.quantized_ffn)
        text = f"{WIDTHS[part]} of {width:g} in blocks of {block:g}, {width / block:g},"
        divided = "expert_blocks" if part == "experts" else "blocks"
        yield Division(divided, "tp", text, by, choose(by > 1, width % (by * block) != 0, False))


def cut(model: Model, weights: WeightFormat, engine: ServingEngine, layout: Parallelism) -> list[str]:
    """What lets a layout start that cuts blocks of weights: padded checkpoints, and later versions; one line each."""
    if weights.block is None or not engine.divides:
        return []
    found = []
    if model.quantized_ffn and anywhere((layout.tp > 1) & (model.ffn % (layout.tp * weights.block) != 0)):
        found.append(
            f"of the feed-forward width {model.ffn:g}, a shard would cut a block of {weights.block:g} weights: the "
            f"makers' checkpoints are padded to {model.quantized_ffn:g}, and {engine.name} starts no others"
        )
    for part, version in engine.divides_before.items():
        if any(one.part == part and anywhere(one.uneven) for one in _blocks(model, weights, layout)):
            found.append(
                f"shards cut {part.replace('_', ' ')}: versions of {engine.name} before {version} do not start"
            )
    return found


def _first(layout: Parallelism, wrong: Any) -> Parallelism:
    """The first configuration in which something is wrong, in plain numbers."""
    names = [field.name for field in fields(layout) if getattr(layout, field.name) is not None]
    columns = [np.ravel(one) for one in np.broadcast_arrays(wrong, *(getattr(layout, name) for name in names))]
    index = int(columns[0].argmax())
    return replace(layout, **{name: int(column[index]) for name, column in zip(names, columns[1:], strict=True)})

"""What every part of a model needs to add its operators to a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llmperf.descriptors.achieved import FUSED
from llmperf.descriptors.engine import Fusion
from llmperf.descriptors.model import Group, Model
from llmperf.descriptors.weights import Part
from llmperf.numeric import Real, anywhere, ceil_div, choose, everywhere, floor_div, least, most
from llmperf.operators.cache import Cache, cache_of
from llmperf.operators.formats import Formats
from llmperf.operators.kinds import Collective
from llmperf.operators.layout import Shards, Stages
from llmperf.operators.matrix import Matrix
from llmperf.operators.step import Step
from llmperf.operators.table import Row


@dataclass(frozen=True, slots=True)
class Layers:
    """A class of layers: how many the whole model has, and how many each looked-at stage."""

    repeat: Real
    stages: tuple[Real, ...]

    def times(self, factor: Real) -> Layers:
        """The same layers with `factor` equal operators in each."""
        return Layers(self.repeat * factor, tuple(count * factor for count in self.stages))


def only(layers: Layers, condition: Any) -> Layers:
    """The same layers where the condition holds, none elsewhere."""
    return Layers(choose(condition, layers.repeat, 0.0), tuple(choose(condition, n, 0.0) for n in layers.stages))


def join(*layers: Layers) -> Layers:
    """Layers of several classes that hold an equal operator."""
    return Layers(sum(part.repeat for part in layers), tuple(map(sum, zip(*(p.stages for p in layers), strict=True))))


@dataclass(slots=True)
class Build:
    """A table being filled for one step on one device.

    Attributes
    ----------
    domain : number
        Devices that the scale-up link joins. [1]
    keeps : bool
        Whether keys and values go to a KV cache (an encoder's do not).
    cache : Cache or None
        The KV cache of one attention layer; None where the model has no attention.
    prompt_tokens, tokens : number or array
        Prompt tokens on one device of a context-parallel group; tokens that linear layers see on one device. [1]
    """

    model: Model
    shards: Shards
    stages: Stages
    formats: Formats
    step: Step
    domain: Real
    keeps: bool = True
    rows: dict[str, list[Row]] = field(default_factory=dict)
    cache: Cache | None = field(init=False)
    prompt_tokens: Real = field(init=False)
    tokens: Real = field(init=False)

    def __post_init__(self) -> None:
        self.cache = cache_of(self.model, self.shards, self.formats)
        self.prompt_tokens = self.step.prompts * self.step.query / self.shards.cp
        self.tokens = self.prompt_tokens + self.step.sequences

    @property
    def prefills(self) -> bool:
        """Whether the step holds prompt tokens."""
        return self.step.prefills

    @property
    def decodes(self) -> bool:
        """Whether the step holds decoding sequences."""
        return self.step.decodes

    def spread(self, count: Real) -> Layers:
        """Layers spread evenly over the model."""
        return Layers(count, self.stages.spread(count))

    def once(self, where: str) -> Layers:
        """An operator of the first or the last stage."""
        return Layers(1.0, self.stages.once(where))

    def grouped(self, group: Group) -> Build:
        """The same table, filled for layers whose attention has another shape."""
        attention, tp = group.model.attention, self.shards.tp
        assert attention is not None
        heads, kv_heads = ceil_div(attention.heads, tp), ceil_div(attention.kv_heads, tp)
        own = replace(self.shards, heads=heads, kv_heads=kv_heads)
        return replace(self, model=group.model, shards=own)

    def add(self, kind: str, row: Row) -> None:
        """Append a row."""
        self.rows.setdefault(kind, []).append(row)

    def gemm(
        self,
        name: str,
        layers: Layers,
        m: Real,
        n: Real,
        k: Real,
        *,
        part: Part | None = None,
        bias: Real = 0.0,
        kept: bool = False,
        stored: Real = 1.0,
        joined: Real = 1.0,
    ) -> None:
        """A linear layer: m tokens, k inputs, n outputs of `joined` matrices.

        What is `kept` stays in 16 bit, as the format may keep `part` in a share of the layers; `stored` is 0 for shared
        weights.
        """
        share = self.formats.keeps.get(part, 0.0) if part else 0.0
        rest = 1.0 - share
        if not everywhere(rest > 0.0):
            kept = True
        elif anywhere(share > 0.0):
            self._product(f"{name}_kept", layers.times(share), self.formats.kept_matrix, m, n, k, bias, stored, joined)
            layers = layers.times(rest)
        matrix = self.formats.kept_matrix if kept else self.formats.matrix
        self._product(name, layers, matrix, m, n, k, bias, stored, joined)

    def _product(
        self,
        name: str,
        layers: Layers,
        matrix: Matrix,
        m: Real,
        n: Real,
        k: Real,
        bias: Real,
        stored: Real,
        joined: Real,
    ) -> None:
        """A linear layer whose matrix is stored in one way."""
        formats = self.formats
        weights, copy = matrix.stored(n, k, joined), n * k * matrix.copy
        if anywhere(matrix.copy > 0.0):
            self.convert(name, layers, weights, weights * stored, copy, n * k * matrix.convert)
            weights = 0.0
        weights = weights + bias * formats.kept
        work = matrix.products(m, n, k, joined)
        self.add(
            "gemm",
            Row(
                name,
                layers.repeat,
                layers.stages,
                matrix.dtype,
                scheme=matrix.scheme,
                flops=work.matrix,
                wide=matrix.wide,
                wide_flops=work.wide,
                vector_flops=work.vector,
                weight_bytes=weights,
                resident_bytes=weights * stored,
                copy_bytes=copy,
                activation_bytes=m * (matrix.inputs(k) + n * formats.hidden),
                m=m,
                n=n,
                k=k,
            ),
        )

    def convert(
        self, name: str, layers: Layers, read: Real, resident: Real, copy: Real, flops: Real, *, experts: bool = False
    ) -> None:
        """The pass that writes a copy of the weights of an operator, or of its experts, as its product reads them."""
        nothing = (0.0, 0.0)
        plain, routed = (nothing, (read, resident)) if experts else ((read, resident), nothing)
        self.add(
            "convert",
            Row(
                f"{name}_convert",
                layers.repeat,
                layers.stages,
                self.formats.attention,
                scheme="convert",
                vector_flops=flops,
                activation_bytes=copy,
                weight_bytes=plain[0],
                resident_bytes=plain[1],
                expert_bytes=routed[0],
                resident_experts=routed[1],
            ),
        )

    def elementwise(
        self,
        name: str,
        layers: Layers,
        activation_bytes: Real,
        flops: Real = 0.0,
        weight_bytes: Real = 0.0,
        resident_bytes: Real | None = None,
        *,
        fused: bool = False,
    ) -> None:
        """An operator that streams activations through the vector engine; the last word of its name is its kind.

        One that is `fused` into the kernel before it has no fixed time of its own.
        """
        self.add(
            "elementwise",
            Row(
                name,
                layers.repeat,
                layers.stages,
                self.formats.attention,
                scheme=name.rpartition("_")[2] + (FUSED if fused else ""),
                vector_flops=flops,
                weight_bytes=weight_bytes,
                resident_bytes=weight_bytes if resident_bytes is None else resident_bytes,
                activation_bytes=activation_bytes,
            ),
        )

    def quantize(self, part: Part, layers: Layers, inputs: Sequence[tuple[Fusion, Real]], tokens: Real) -> None:
        """The passes that quantize inputs of linear layers: each by what may hold it, and the input's width."""
        kept = self.formats.keeps.get(part, 0.0)
        widths = [width for fusion, width in inputs if fusion not in self.formats.fuses]
        if anywhere(kept > 0.0):
            layers = layers.times(1.0 - kept)
        if widths and self.formats.quantizes and anywhere(kept < 1.0):
            width = sum(widths) / len(widths)
            every = layers.times(len(widths))
            self.add(
                "quantize",
                Row(
                    "quantize",
                    every.repeat,
                    every.stages,
                    self.formats.attention,
                    scheme="quantize",
                    vector_flops=4.0 * tokens * width,
                    activation_bytes=tokens * width * (self.formats.hidden + self.formats.input),
                ),
            )

    def blocks_of_queries(self, heads: Real) -> Real:
        """(Prompt, head, block of 128 queries) triples of the prompts on one device. [1]"""
        return self.step.prompts * heads * ceil_div(self.step.query / self.shards.cp, 128.0)

    def inside(self, ranks: Real, stride: Real = 1.0) -> Real:
        """How many of `ranks` devices, `stride` apart, a scale-up domain holds. [1]"""
        return most(least(ranks, floor_div(self.domain, stride)), 1.0)

    def collective(
        self,
        name: str,
        layers: Layers,
        operation: Collective,
        message: Real,
        ranks: Real,
        stride: Real = 1.0,
        *,
        message_out: Real = 0.0,
        required: bool = True,
    ) -> None:
        """A collective of `ranks` devices that stand `stride` devices apart."""
        inside = self.inside(ranks, stride)
        self.add(
            "collective",
            Row(
                name,
                layers.repeat,
                layers.stages,
                operation=operation,
                required=required,
                message=message,
                message_out=message_out,
                ranks_up=inside,
                ranks_out=ceil_div(ranks, inside),
            ),
        )

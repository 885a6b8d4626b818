"""Recurrent layers as operators: projections, convolution, scan over prompts, state update of a decode step.

One row of products before the recurrence, one after; between them a scan, whose form depends on the kind of mixer.
"""

from __future__ import annotations

from llmperf.descriptors.layers import Ssm
from llmperf.numeric import Real, anywhere, least
from llmperf.operators.build import Build, Layers, only
from llmperf.operators.matrix import DTYPE_BYTES
from llmperf.operators.table import Row
from llmperf.records import dataclass


@dataclass(frozen=True, slots=True)
class Widths:
    """Sizes of one mixer on one device. [1]

    Attributes
    ----------
    inner : number or array
        Width of what the recurrence gives out.
    inputs : number or array
        Outputs of the projections before it.
    channels : number or array
        Channels of the convolution; 0 where there is none.
    state : number or array
        Elements of the recurrent state of one sequence.
    small : number or array
        Weights of steps, decays and norms.
    """

    inner: Real
    inputs: Real
    channels: Real
    state: Real
    small: Real


def widths(build: Build, ssm: Ssm) -> Widths:
    """Sizes of a mixer on one device."""
    heads, groups = build.shards.ssm_heads, build.shards.ssm_groups
    inner = heads * ssm.head_dim
    if ssm.kind == "mamba1":
        small = inner * ssm.state + 2.0 * inner + (ssm.dt_rank + 2.0 * ssm.state if ssm.inner_norms else 0.0)
        return Widths(inner, 2.0 * inner, inner, inner * ssm.state, small)
    if ssm.kind == "hgrn":
        return Widths(inner, 3.0 * inner, 0.0, inner, 4.0 * build.model.hidden + 2.0 * inner)
    if ssm.kind == "short_conv":
        hidden = build.model.hidden / build.shards.tp
        return Widths(hidden, 3.0 * hidden, hidden, 0.0, 0.0)
    if ssm.kind == "lightning":
        return Widths(inner, 4.0 * inner, 0.0, inner * ssm.head_dim, inner)
    if ssm.kind == "kda":
        # queries, keys, values and step sizes; the decay and the gate have products of their own where of low rank
        inputs = 3.0 * inner + heads + (0.0 if ssm.gate_rank else inner) + (inner if ssm.full_decay else 0.0)
        small = inner + heads + ssm.head_dim
        return Widths(inner, inputs, 3.0 * inner, inner * ssm.head_dim, small)
    if ssm.kind == "gated_delta":
        mixed = 2.0 * groups * ssm.state + inner
        return Widths(
            inner, mixed + inner + 2.0 * heads, mixed, heads * ssm.state * ssm.head_dim, 2.0 * heads + ssm.head_dim
        )
    channels = inner + 2.0 * groups * ssm.state
    return Widths(inner, inner + channels + heads, channels, inner * ssm.state, 3.0 * heads + inner)


def state_bytes(build: Build) -> Real:
    """Bytes of the recurrent and convolution state of one sequence in one layer on one device. [B]"""
    ssm = build.model.ssm
    if ssm is None:
        return 0.0
    width = widths(build, ssm)
    kept = DTYPE_BYTES[ssm.state_dtype] if ssm.state_dtype else build.formats.hidden
    return width.state * kept + width.channels * ssm.conv * build.formats.hidden


def add(build: Build, layers: Layers) -> None:
    """All operators of the model's recurrent layers."""
    ssm, model, formats, tokens = build.model.ssm, build.model, build.formats, build.tokens
    if ssm is None:
        return
    width = widths(build, ssm)
    build.quantize("recurrent", layers, (("norm_quantize", model.hidden), ("activation_quantize", width.inner)), tokens)
    build.gemm("ssm_in", layers, tokens, width.inputs, model.hidden, part="recurrent")
    if ssm.kind == "mamba1":
        low = ssm.dt_rank + 2.0 * ssm.state
        build.gemm("ssm_x", layers, tokens, low, width.inner, part="recurrent")
        if anywhere(build.shards.tp > 1):  # steps and projections of the state depend on all channels
            split = only(layers, build.shards.tp > 1)
            build.collective("ssm_all_reduce", split, "all_reduce", tokens * low * formats.hidden, build.shards.tp)
        build.gemm("ssm_dt", layers, tokens, width.inner, ssm.dt_rank, part="recurrent")
    if ssm.kind == "kda":
        _low_rank(build, layers, ssm, width)
    bias = 1.0 if ssm.kind in ("mamba1", "mamba2", "hgrn") else 0.0
    weights = (width.channels * (ssm.conv + bias) + width.small) * formats.kept
    build.elementwise(
        "ssm_conv",
        layers,
        2.0 * tokens * width.channels * formats.hidden,
        2.0 * ssm.conv * tokens * width.channels,
        weights,
    )
    if build.prefills:
        build.add("recurrent", _scan(build, layers, ssm, width))
    if build.decodes:
        build.add("recurrent", _update(build, layers, width))
    build.elementwise("ssm_gate_norm", layers, 3.0 * tokens * width.inner * formats.hidden, 8.0 * tokens * width.inner)
    build.gemm("ssm_out", layers, tokens, model.hidden, width.inner, part="recurrent")


def _low_rank(build: Build, layers: Layers, ssm: Ssm, width: Widths) -> None:
    """The decay of each channel, and a gate of low rank, as two products each (arXiv:2510.26692, sec. 3.1)."""
    rank = (0.0 if ssm.full_decay else ssm.head_dim) + ssm.gate_rank
    if not rank:
        return
    build.gemm("ssm_low", layers, build.tokens, rank, build.model.hidden, part="recurrent")
    if not ssm.full_decay:
        build.gemm("ssm_decay", layers, build.tokens, width.inner, ssm.head_dim, part="recurrent")
    if ssm.gate_rank:
        build.gemm("ssm_gate", layers, build.tokens, width.inner, ssm.gate_rank, part="recurrent")


def _scan(build: Build, layers: Layers, ssm: Ssm, width: Widths) -> Row:
    """The scan over prompts.

    Chunked forms (arXiv:2405.21060, sec. 6; arXiv:2412.06464, sec. 3.3) compute the causal half of products within a
    chunk and hand a state from chunk to chunk; selective and gated scans update the state token by token on the vector
    engine, five operations an element.
    """
    step, tokens = build.step, build.prompt_tokens
    products: Real = 0.0
    beside: Real = 5.0 * tokens * width.state
    if ssm.kind not in ("mamba1", "hgrn", "short_conv"):
        chunk = least(ssm.chunk, step.query)
        # linear attention has as many keys as values; Mamba-2 and gated delta rules share them among heads
        own = ssm.kind in ("kda", "lightning")
        keys = width.inner if own else build.shards.ssm_groups * ssm.state
        pairs = 0.5 * (chunk + 1.0) * (2.0 if ssm.kind in ("gated_delta", "kda") else 1.0)
        products = tokens * (2.0 * pairs * (keys + width.inner) + 4.0 * width.state)
        beside = 4.0 * tokens * width.inner
    return Row(
        "ssm_scan",
        layers.repeat,
        layers.stages,
        build.formats.attention,
        flops=products,
        vector_flops=beside,
        state_write=step.prompts * state_bytes(build),
        activation_bytes=tokens * (2.0 * width.inner + width.channels) * build.formats.hidden,
    )


def _update(build: Build, layers: Layers, width: Widths) -> Row:
    """One decode step: read, decay, update and write the state, and read it out (five operations an element)."""
    sequences = build.step.sequences
    state = sequences * state_bytes(build)
    return Row(
        "ssm_update",
        layers.repeat,
        layers.stages,
        build.formats.attention,
        vector_flops=5.0 * sequences * width.state,
        state_read=state,
        state_write=state,
        activation_bytes=sequences * 2.0 * width.inner * build.formats.hidden,
    )

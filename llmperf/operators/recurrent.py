"""State-space layers (Mamba-2) as operators: projections, convolution, scan over prompts, state update of a step."""

from __future__ import annotations

from llmperf.descriptors.model import Ssm
from llmperf.numeric import Real, least
from llmperf.operators.build import Build, Layers
from llmperf.operators.table import Row


def state_bytes(build: Build) -> Real:
    """Bytes of the recurrent and convolution state of one sequence in one layer on one device. [B]"""
    ssm = build.model.ssm
    if ssm is None:
        return 0.0
    shards = build.shards
    channels = shards.ssm_heads * ssm.head_dim + 2.0 * shards.ssm_groups * ssm.state
    return (shards.ssm_heads * ssm.head_dim * ssm.state + channels * ssm.conv) * build.formats.hidden


def add(build: Build, layers: Layers) -> None:
    """All operators of the model's state-space layers."""
    ssm, model, shards, formats, tokens = build.model.ssm, build.model, build.shards, build.formats, build.tokens
    if ssm is None:
        return
    inner = shards.ssm_heads * ssm.head_dim
    channels = inner + 2.0 * shards.ssm_groups * ssm.state
    build.quantize(layers, (model.hidden, inner), tokens)
    build.gemm("ssm_in", layers, tokens, inner + channels + shards.ssm_heads, model.hidden)
    build.elementwise(
        "ssm_conv",
        layers,
        2.0 * tokens * channels * formats.hidden,
        2.0 * ssm.conv * tokens * channels,
        (channels * (ssm.conv + 1) + 3.0 * shards.ssm_heads) * formats.kept,
    )
    if build.prefills:
        build.add("recurrent", _scan(build, layers, ssm))
    if build.decodes:
        build.add("recurrent", _update(build, layers, ssm))
    build.elementwise(
        "ssm_gate_norm", layers, 3.0 * tokens * inner * formats.hidden, 8.0 * tokens * inner, inner * formats.kept
    )
    build.gemm("ssm_out", layers, tokens, model.hidden, inner)


def _scan(build: Build, layers: Layers, ssm: Ssm) -> Row:
    """The chunked state-space dual form over prompts (arXiv:2405.21060, sec. 6: diagonal blocks and chunk states)."""
    shards, step = build.shards, build.step
    inner = shards.ssm_heads * ssm.head_dim
    chunk = least(ssm.chunk, step.query)
    per_token = 2.0 * chunk * (shards.ssm_groups * ssm.state + inner) + 4.0 * ssm.state * inner
    tokens = build.prompt_tokens
    state = step.prompts * state_bytes(build)
    return Row(
        "ssm_scan",
        layers.repeat,
        layers.stages,
        build.formats.attention,
        flops=tokens * per_token,
        vector_flops=4.0 * tokens * inner,
        kv_write=state,
        activation_bytes=tokens * (2.0 * inner + 2.0 * shards.ssm_groups * ssm.state) * build.formats.hidden,
    )


def _update(build: Build, layers: Layers, ssm: Ssm) -> Row:
    """One decode step: read, decay, update and write the state, and read it out (five operations an element)."""
    shards, sequences = build.shards, build.step.sequences
    inner = shards.ssm_heads * ssm.head_dim
    state = sequences * state_bytes(build)
    return Row(
        "ssm_update",
        layers.repeat,
        layers.stages,
        build.formats.attention,
        vector_flops=5.0 * sequences * inner * ssm.state,
        kv_read=state,
        kv_write=state,
        activation_bytes=sequences * 2.0 * inner * build.formats.hidden,
    )

"""What layers add to the residual stream beside mixers and networks: several streams, embeddings of each layer."""

from __future__ import annotations

from llmperf.descriptors.layers import PerLayer, Streams
from llmperf.operators.build import Build


def add(build: Build) -> None:
    """Operators of the streams and of the per-layer embeddings that a model has."""
    if build.model.streams:
        mix(build, build.model.streams)
    if build.model.per_layer:
        add_per_layer(build, build.model.per_layer)


def mix(build: Build, part: Streams) -> None:
    """Mixtures of residual streams: each sublayer reads one of them, and writes to all (hyper-connections).

    Each of the two sublayers of a layer projects all streams to the numbers of its mixture, reads the streams for its
    input, and reads and writes them once more with its output: ``3 streams + 2`` hidden states a token (DeepSeek-V4,
    sec. 2.2; transformers `DeepseekV4HyperConnection`, of low rank `Qwen4ExpTextGatedResidual`).
    """
    model, tokens, hidden, formats = build.model, build.tokens, build.model.hidden, build.formats
    layers, width = build.spread(2.0 * model.layers), part.count * hidden
    last = build.once("last")
    if part.rank:
        for name, where, numbers in (("stream", layers, width * part.count), ("last_stream", last, 0.0)):
            build.gemm(f"{name}_down", where, tokens, part.rank, width, kept=True)
            build.gemm(f"{name}_up", where, tokens, width, part.rank, kept=True)
            if numbers:
                build.gemm("stream_write", where, tokens, part.count, width, kept=True)
            moved = 2.0 * tokens * width * formats.hidden
            build.elementwise(f"{name}_norm", where, moved, 4.0 * tokens * width, width * formats.kept)
    else:
        numbers = part.numbers
        scales = numbers + (3.0 if part.mixes else 2.0)
        build.gemm("stream_mixture", layers, tokens, numbers, width, bias=scales, kept=True)
        build.gemm("last_stream_mixture", last, tokens, part.count, width, bias=part.count + 1.0, kept=True)
    states = (3.0 * part.count + 2.0) * tokens * hidden
    build.elementwise("stream_mix", layers, states * formats.hidden, 2.0 * states)


def add_per_layer(build: Build, part: PerLayer) -> None:
    """Embeddings of each layer: looked up and projected once, then gated and added by each layer.

    Transformers `Gemma4TextModel` and `Gemma4TextDecoderLayer`; a token reads one row of all layers' tables.
    """
    model, tokens, formats = build.model, build.tokens, build.formats
    first, layers = build.once("first"), build.spread(model.layers)
    wide = model.layers * part.width
    rows = part.vocab * wide / build.shards.tp * formats.kept
    moved = 2.0 * tokens * wide * formats.hidden
    build.elementwise("per_layer_embedding", first, moved, resident_bytes=rows)
    build.gemm("per_layer_inputs", first, tokens, wide / build.shards.tp, model.hidden)
    build.elementwise("per_layer_inputs_norm", first, moved, 4.0 * tokens * wide, part.width * formats.kept)
    build.gemm("per_layer_gate", layers, tokens, part.width, model.hidden)
    build.gemm("per_layer_up", layers, tokens, model.hidden, part.width)
    states = 2.0 * tokens * model.hidden
    weights = model.hidden * (2.0 if model.norm_bias else 1.0) * formats.kept
    build.elementwise("per_layer_norm", layers, states * formats.hidden, 2.0 * states, weights)

"""Attention to compressed entries as operators: each stands for several tokens, beside a window of single ones."""

from __future__ import annotations

from llmperf.descriptors.layers import Compression
from llmperf.descriptors.model import scoring_layers
from llmperf.numeric import Real
from llmperf.operators import index
from llmperf.operators.build import Build, Layers
from llmperf.operators.formats import SOFTMAX_FLOPS, selector
from llmperf.operators.step import Window
from llmperf.operators.table import Row


def add(build: Build) -> None:
    """Operators of all classes of layers that read compressed entries (DeepSeek-V4, sec. 2.3).

    The window of single tokens is a row of the layer's attention; what a class reads beside it is a row of its own.
    """
    for number, part in enumerate(build.model.compression, 1):
        layers = build.spread(part.layers)
        name = "compressed" if len(build.model.compression) == 1 else f"compressed_{number}"
        _pooling(build, layers, part, name)
        window = None
        if part.picked and build.model.indexer:
            window = Window(build.model.indexer.top_k * part.ratio)
            index.add(build, build.spread(scoring_layers(build.model)), build.model.indexer)
        _scores(build, layers, part, f"attention_{name}", window)


def _pooling(build: Build, layers: Layers, part: Compression, name: str) -> None:
    """Keys and gates of every token, and their weighted mean over the tokens of an entry.

    2 x series x width outputs a token; the mean reads both and writes an entry for each `ratio` tokens.
    """
    formats, tokens, width = build.formats, build.tokens, _width(build)
    outputs = 2.0 * part.series * width
    build.gemm(f"{name}_kv", layers, tokens, outputs, build.model.hidden, part="attention")
    weights = (part.ratio * part.series * width + width) * formats.kept
    moved = tokens * (outputs + width / part.ratio) * formats.hidden
    build.elementwise(f"{name}_pool", layers, moved, 4.0 * tokens * outputs, weights)


def _width(build: Build) -> Real:
    """Elements of an entry: keys that are the values, which no device divides. [1]"""
    attention = build.model.attention
    assert attention is not None
    return attention.kv_heads * attention.head_dim


def _scores(build: Build, layers: Layers, part: Compression, name: str, window: Window | None) -> None:
    """Attention to the entries: one for each `ratio` tokens that a query sees, at most those that are picked."""
    step, formats, shards, width = build.step, build.formats, build.shards, _width(build)
    cached = build.cache.token if build.cache else 0.0
    if build.prefills:
        pairs = step.prompts * step.pairs(window) / shards.cp / part.ratio
        read = step.prompts * step.keys(None) / part.ratio * width
        shape = {
            "kv_write": build.prompt_tokens / part.ratio * cached,
            "activation_bytes": (2.0 * build.prompt_tokens * shards.heads * width + read) * formats.hidden,
            "blocks": build.blocks_of_queries(shards.heads),
            "keys": step.length / part.ratio,
            "query": step.query,
        }
        build.add("attention.prefill", _row(build, layers, name, pairs, **shape))
    if build.decodes:
        entries = step.decode_context(window) / part.ratio / shards.cp
        shape = {
            "cached": 2.0 * step.sequences * entries * width,
            "kv_read": step.sequences * entries * cached,
            "kv_write": step.sequences * cached / part.ratio,
            "activation_bytes": 2.0 * step.sequences * shards.heads * width * formats.hidden,
            "streams": step.sequences,
            "group": shards.heads,
            "context": entries,
            "sequences": step.sequences,
        }
        build.add("attention.decode", _row(build, layers, name, step.sequences * entries, **shape))


def _row(build: Build, layers: Layers, name: str, pairs: Real, **shape: Real) -> Row:
    heads, width = build.shards.heads, _width(build)
    row = Row(
        name,
        layers.repeat,
        layers.stages,
        build.formats.attention,
        scheme=selector(build.formats.attention, width),
        flops=4.0 * heads * width * pairs,
        vector_flops=SOFTMAX_FLOPS * heads * pairs,
        scores=heads * pairs,
    )
    row.columns.update(shape)
    return row

"""Indexers as operators: light scorers that pick the cached tokens, or entries, that attention reads."""

from __future__ import annotations

from llmperf.descriptors.layers import Indexer
from llmperf.descriptors.model import index_input
from llmperf.numeric import Real
from llmperf.operators.build import Build, Layers
from llmperf.operators.formats import selector
from llmperf.operators.table import Row


def add(build: Build, layers: Layers, indexer: Indexer) -> None:
    """Projections of the scorer that picks tokens, and its scores of every cached key; not split over devices.

    A key stands for `pool` tokens, so that scores and bytes are those of as many keys fewer. DeepSeek-V3.2, sec. 2.1;
    pooled: transformers `Qwen4ExpTextQSAIndexer`, `Glm5NextTextIndexer`, `DeepseekV4Indexer`.
    """
    step, tokens, formats = build.step, build.tokens, build.formats
    width, key = indexer.heads * indexer.head_dim, formats.index_bytes(indexer.head_dim)
    projected = indexer.key_matrices * indexer.head_dim + (indexer.heads if indexer.head_weights else 0.0)
    build.gemm("index_q", layers, tokens, width, index_input(build.model), part="attention")
    build.gemm("index_k", layers, tokens, projected, build.model.hidden, part="attention")
    norm = 2.0 * indexer.head_dim * formats.kept
    build.elementwise("index_norm", layers, 2.0 * tokens * indexer.head_dim * formats.hidden, 0.0, norm)
    if build.prefills:
        pairs = step.prompts * step.pairs(None) / build.shards.cp / indexer.pool
        read = step.prompts * step.keys(None) * key / indexer.pool
        moved = build.prompt_tokens * width * formats.hidden + read
        blocks = build.blocks_of_queries(indexer.heads)
        shape = {"blocks": blocks, "keys": step.length, "query": step.query}
        build.add("attention.prefill", _row(build, layers, indexer, 2.0 * pairs * width, moved, **shape))
    if build.decodes:
        context = step.decode_context(None) / build.shards.cp / indexer.pool
        flops = 2.0 * step.sequences * context * width
        moved = step.sequences * width * formats.hidden
        shape = {"kv_read": step.sequences * context * key, "streams": step.sequences, "group": indexer.heads}
        build.add("attention.decode", _row(build, layers, indexer, flops, moved, context=context, **shape))


def _row(build: Build, layers: Layers, indexer: Indexer, flops: Real, moved: Real, **shape: Real) -> Row:
    """Scores of all keys of a step."""
    row = Row(
        "index_scores",
        layers.repeat,
        layers.stages,
        build.formats.index,
        scheme=selector(build.formats.index, indexer.head_dim),
        flops=flops,
        activation_bytes=moved,
    )
    row.columns.update(shape)
    return row

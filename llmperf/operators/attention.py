"""Attention layers as operators: projections, rotary embedding, attention over prompts and over the KV cache."""

from __future__ import annotations

from llmperf.descriptors.engine import Fusion
from llmperf.descriptors.kv_cache import PLAIN
from llmperf.descriptors.layers import Attention, Mla
from llmperf.descriptors.model import Group, groups, scoring_layers
from llmperf.numeric import Real, anywhere, choose, least, most
from llmperf.operators.build import Build, Layers, only
from llmperf.operators.cache import Cache, Read
from llmperf.operators.formats import SOFTMAX_FLOPS, selector
from llmperf.operators.step import Window
from llmperf.operators.table import Row


def add(build: Build) -> None:
    """All operators of the model's attention layers, group by group."""
    for group in groups(build.model):
        part = build if group.model is build.model else build.grouped(group)
        _group(part, group)
    if build.model.compression:
        from llmperf.operators import compressed

        compressed.add(build)


def _group(build: Build, group: Group) -> None:
    """Operators of the attention layers of one shape."""
    attention, model = build.model.attention, build.model
    assert attention is not None
    layers = build.spread(group.layers)
    if model.mla:
        _latent_projections(build, layers, model.mla, group.prefix)
    else:
        _projections(build, layers, attention, group)
    if attention.head_gate:
        _head_gate(build, layers, attention, group.prefix)
    if model.indexer and not model.compression and group.windowed < group.layers:
        from llmperf.operators import index

        index.add(build, build.spread(scoring_layers(model)), model.indexer)
    _output(build, layers, attention, group.prefix)
    if group.windowed < group.layers:
        _whole(build, group.layers - group.windowed, attention, group)
    if group.windowed:
        window = Window(attention.window or 0.0, attention.chunked)
        name = "attention_windowed" if group.keeps else "attention_windowed_reusing"
        _scores(build, name, build.spread(group.windowed), attention, window, group.keeps)


def _whole(build: Build, count: Real, attention: Attention, group: Group) -> None:
    """Attention of `count` layers without a window: to all tokens, or to those that an indexer picks."""
    indexer, full = build.model.indexer, build.spread(count)
    name = "attention" if group.keeps else "attention_reusing"
    if indexer is None:
        _scores(build, name, full, attention, None, group.keeps)
    else:
        # as many tokens as a window of that size
        picking = count - indexer.dense_layers
        _scores(build, name, build.spread(picking), attention, Window(indexer.top_k))
        if indexer.dense_layers:
            _scores(build, "attention_dense", build.spread(indexer.dense_layers), attention, None)
    if not build.formats.cache.linear or build.formats.cache.prompts is not PLAIN:
        _method(build, full, attention)


def _projections(build: Build, layers: Layers, attention: Attention, group: Group) -> None:
    """Query, key, value and output projections of multi-head and grouped-query attention."""
    shards, model, tokens, prefix = build.shards, build.model, build.tokens, group.prefix
    query, values = shards.heads * attention.head_dim, shards.heads * (attention.v_head_dim or attention.head_dim)
    keys, value = _own_widths(build, attention, group.keeps)
    inputs: list[tuple[Fusion, Real]] = [("norm_quantize", model.hidden), ("attention_quantize", values)]
    if attention.query_rank:
        inputs.append(("norm_quantize", attention.query_rank))
    build.quantize("attention", layers, inputs, tokens)
    _inputs(build, layers, attention, (query, keys, value), prefix)
    if attention.output_gate:
        build.elementwise(f"{prefix}gate", layers, 3.0 * tokens * values * build.formats.hidden, 5.0 * tokens * values)
    if attention.relative_projection:
        build.gemm("position", layers, tokens, model.hidden / shards.tp, model.hidden, part="attention")
    if attention.qk_norm:
        over = query + keys if attention.qk_norm_over == "all" else (2.0 if group.keeps else 1.0) * attention.head_dim
        norm = over * build.formats.kept
        moved = 2.0 * tokens * (query + keys) * build.formats.hidden
        build.elementwise(f"{prefix}qk_norm", layers, moved, 4.0 * tokens * (query + keys), norm)
    if attention.rotary and not model.learned_positions and not attention.relative_buckets:
        _rotary(build, layers, tokens * (query + keys), prefix)
    if model.sub_norms:
        moved = 2.0 * tokens * query * build.formats.hidden
        build.elementwise("sub_norm", layers, moved, 4.0 * tokens * query, query * build.formats.kept)


def _output(build: Build, layers: Layers, attention: Attention, prefix: str) -> None:
    """The product after attention; outputs of low rank take two, of which the first has a matrix a group of heads."""
    shards, model, tokens = build.shards, build.model, build.tokens
    head = model.mla.v_head_dim if model.mla else attention.v_head_dim or attention.head_dim
    values = shards.heads * head
    # the learned logits of sinks are read with the biases: one number a head
    extra = (model.hidden if model.bias.o and not model.mla else 0.0) + (shards.heads if attention.sinks else 0.0)
    if attention.output_rank:
        rank = attention.output_rank * attention.output_groups / shards.tp
        build.gemm(f"{prefix}o_a", layers, tokens, rank, values * shards.tp / attention.output_groups, part="attention")
        build.gemm(f"{prefix}o_b", layers, tokens, model.hidden, rank, bias=extra, part="attention")
    else:
        build.gemm(f"{prefix}o", layers, tokens, model.hidden, values, bias=extra, part="attention")


def _own_widths(build: Build, attention: Attention, keeps: bool) -> tuple[Real, Real]:
    """Widths of the keys and of the values that a layer projects: none where it reuses those of another. [1]"""
    if not keeps:
        return 0.0, 0.0
    heads = build.shards.kv_heads
    value = 0.0 if attention.shared_kv else heads * (attention.v_head_dim or attention.head_dim)
    return heads * attention.head_dim, value


def _inputs(build: Build, layers: Layers, attention: Attention, widths: tuple[Real, Real, Real], prefix: str) -> None:
    """The products before attention; compressed queries take two of them (Step-3, arXiv:2507.19427, sec. 3.2)."""
    model, tokens = build.model, build.tokens
    query, keys, value = widths
    gate = query / attention.head_dim * (attention.v_head_dim or attention.head_dim) if attention.output_gate else 0.0
    biases = (query + value + (keys if model.bias.key else 0.0)) if model.bias.qkv else 0.0
    if attention.query_rank:
        low = float(attention.query_rank)
        build.gemm(
            f"{prefix}qkv_a", layers, tokens, low + keys + value + gate, model.hidden, joined=2.0, part="attention"
        )
        moved = 2.0 * tokens * low * build.formats.hidden
        build.elementwise(f"{prefix}latent_norm", layers, moved, 4.0 * tokens * low, low * build.formats.kept)
        build.gemm(f"{prefix}q_b", layers, tokens, query, low, bias=biases, part="attention")
        return
    matrices = 1.0 + len([width for width in (gate, keys, value) if anywhere(width > 0.0)])
    name = f"{prefix}qkv" if anywhere(keys > 0.0) else f"{prefix}q"
    build.gemm(
        name, layers, tokens, query + gate + keys + value, model.hidden, bias=biases, joined=matrices, part="attention"
    )


def _head_gate(build: Build, layers: Layers, attention: Attention, prefix: str) -> None:
    """A gate of one number a head, from the hidden state."""
    heads, tokens = build.shards.heads, build.tokens
    values = heads * (build.model.mla.v_head_dim if build.model.mla else attention.v_head_dim or attention.head_dim)
    build.gemm(f"{prefix}head_gate", layers, tokens, heads, build.model.hidden, part="attention")
    build.elementwise(f"{prefix}gate", layers, 2.0 * tokens * values * build.formats.hidden, tokens * values)


def _rotary(build: Build, layers: Layers, elements: Real, prefix: str = "") -> None:
    if "rope" not in build.formats.fuses:
        build.elementwise(f"{prefix}rope", layers, 2.0 * elements * build.formats.hidden, 3.0 * elements)


def _latent_projections(build: Build, layers: Layers, mla: Mla, prefix: str) -> None:
    """Projections of latent attention (DeepSeek-V2, arXiv:2405.04434, sec. 2.1.2).

    The up-projection of the latent costs the same whether it expands keys and values of a prompt or, absorbed, maps
    queries and outputs of a decode step: one row serves both.
    """
    shards, model, tokens, kept = build.shards, build.model, build.tokens, build.formats.kept
    heads = shards.heads
    query = heads * (mla.qk_nope_head_dim + mla.qk_rope_head_dim)
    latent = mla.kv_lora_rank + mla.qk_rope_head_dim
    norms = mla.kv_lora_rank + mla.q_lora_rank
    inputs: list[tuple[Fusion, Real]] = [
        ("norm_quantize", model.hidden),
        ("norm_quantize", mla.kv_lora_rank),
        ("attention_quantize", heads * mla.v_head_dim),
    ]
    if mla.q_lora_rank:
        inputs.append(("norm_quantize", mla.q_lora_rank))
    build.quantize("attention", layers, inputs, tokens)
    if mla.q_lora_rank:
        build.gemm(
            f"{prefix}qkv_a", layers, tokens, mla.q_lora_rank + latent, model.hidden, joined=2.0, part="attention"
        )
        build.gemm(f"{prefix}q_b", layers, tokens, query, mla.q_lora_rank, part="attention")
    else:
        build.gemm(f"{prefix}qkv_a", layers, tokens, query + latent, model.hidden, joined=2.0, part="attention")
    moved = 2.0 * tokens * norms * build.formats.hidden
    build.elementwise(f"{prefix}latent_norm", layers, moved, 4.0 * tokens * norms, norms * kept)
    build.gemm(
        f"{prefix}kv_b",
        layers,
        tokens,
        heads * (mla.qk_nope_head_dim + mla.v_head_dim),
        mla.kv_lora_rank,
        part="attention",
    )
    if mla.qk_rope_head_dim:
        _rotary(build, layers, tokens * (heads + 1.0) * mla.qk_rope_head_dim, prefix)
    part = model.attention
    if part is not None and part.output_gate:
        values = heads * mla.v_head_dim
        build.gemm(f"{prefix}output_gate", layers, tokens, values, model.hidden, part="attention")
        build.elementwise(f"{prefix}gate", layers, 3.0 * tokens * values * build.formats.hidden, 5.0 * tokens * values)


def _scores(
    build: Build, name: str, layers: Layers, attention: Attention, window: Window | None, keeps: bool = True
) -> None:
    """Scores and products of attention; layers that keep no keys of their own write none."""
    if build.prefills:
        row = _prefill(build, name, layers, attention, window)
        build.add("attention.prefill", row if keeps else _unwritten(row))
    if build.decodes:
        row = _decode(build, name, layers, attention, window)
        build.add("attention.decode", row if keeps else _unwritten(row))


def _unwritten(row: Row) -> Row:
    row.columns.update({name: 0.0 for name in ("kv_write", "kv_sent") if name in row.columns})
    return row


def _method(build: Build, layers: Layers, attention: Attention) -> None:
    """Passes that the KV-cache method adds to attention."""
    if build.prefills:
        _compression(build, layers, attention)
    if build.decodes:
        _selection(build, layers)


def _widths(build: Build, attention: Attention, absorbed: bool) -> tuple[Real, Real]:
    """Widths of a key and of a value that the score and the output product see."""
    mla = build.model.mla
    if mla is None:
        return attention.head_dim, attention.v_head_dim or attention.head_dim
    if absorbed:
        return mla.kv_lora_rank + mla.qk_rope_head_dim, mla.kv_lora_rank
    return mla.qk_nope_head_dim + mla.qk_rope_head_dim, mla.v_head_dim


def _seen(own: Cache, length: Real, window: Window | None) -> tuple[tuple[Real, Window | None], ...]:
    """Shares of the heads or layers with the windows that prompts of `length` tokens are computed in. [1]"""
    method = own.method
    if window is not None or method.linear:
        return ((1.0, window),)
    budget = method.budget
    whole = None
    if budget is not None and budget.chunk is not None:
        whole = Window(own.held(length, length) + 0.5 * (budget.chunk + 1))
    part = method.windowed
    if part is None or part.prompts is None:
        return ((1.0, whole),)
    return ((1.0 - part.share, whole), (part.share, Window(part.sinks + part.prompts)))


def _prefill(build: Build, name: str, layers: Layers, attention: Attention, window: Window | None) -> Row:
    """Causal attention of prompt tokens; a context-parallel rank has its share of the queries."""
    step, shards, formats = build.step, build.shards, build.formats
    own = build.cache
    assert own is not None
    key, value = _widths(build, attention, absorbed=False)
    seen = _seen(own, step.length, window)
    pairs = step.prompts * sum(part * step.pairs(within) for part, within in seen) / shards.cp
    keys = sum(part * step.keys(within) for part, within in seen)
    heads = shards.heads
    kv_heads = heads if build.model.mla else shards.kv_heads
    tokens = build.prompt_tokens
    written, sent = own.prompt_writes(step.length, window is None) if build.keeps else (0.0, 0.0)
    return Row(
        name,
        layers.repeat,
        layers.stages,
        formats.attention,
        flops=2.0 * heads * pairs * (key + value),
        vector_flops=SOFTMAX_FLOPS * heads * pairs,
        scores=heads * pairs,
        kv_write=tokens * written,
        kv_sent=tokens * sent,
        activation_bytes=tokens * heads * (key + value) * formats.hidden
        + step.prompts * keys * kv_heads * (key + value) * formats.hidden,
        scheme=selector(formats.attention, key),
        blocks=build.blocks_of_queries(heads),
        keys=least(step.length, window.size + step.query) if window else step.length,
        query=step.query,
        before=step.before,
        prefix_bytes=most(step.prompts - 1.0, 0.0)
        * (least(step.before, window.size) if window else step.before)
        * kv_heads
        * (key + value)
        * formats.hidden,
    )


def _compression(build: Build, layers: Layers, attention: Attention) -> None:
    """Passes over the keys and values of prompts: scores of some queries once more, decomposition, quantization."""
    step, shards, formats = build.step, build.shards, build.formats
    own, costs = build.cache, build.formats.cache.prompts
    if own is None or not build.keeps:
        return
    tokens, key = build.prompt_tokens, _widths(build, attention, absorbed=False)[0]
    if anywhere(costs.probes > 0.0) and not formats.scored:
        probed = only(layers, costs.probes > 0.0)
        pairs = costs.probes * step.prompts * step.pairs(None) / shards.cp * shards.heads
        rows = costs.probes * tokens * shards.heads
        row = Row(
            "probe",
            probed.repeat,
            probed.stages,
            formats.attention,
            required=False,  # a kernel that keeps its scores shows them
            flops=2.0 * pairs * key,
            activation_bytes=pairs * formats.hidden + tokens * own.keys * formats.hidden,
            m=rows,
            n=step.length,
            k=key,
        )
        build.add("gemm", row)
        build.elementwise("probe_softmax", probed, pairs * formats.hidden, SOFTMAX_FLOPS * pairs)
    if anywhere(costs.products > 0.0):
        some = only(layers, costs.products > 0.0)
        row = Row(
            "decompose",
            some.repeat,
            some.stages,
            formats.attention,
            flops=costs.products * tokens * own.keys,
            activation_bytes=2.0 * tokens * own.keys * formats.hidden,
            m=tokens,
            n=own.keys,
            k=own.keys,
        )
        build.add("gemm", row)
    if anywhere(costs.flops > 0.0):
        moved = tokens * own.elements * formats.hidden
        build.elementwise("compress", only(layers, costs.flops > 0.0), moved, tokens * own.elements * costs.flops)


def _decode(build: Build, name: str, layers: Layers, attention: Attention, window: Window | None) -> Row:
    """One new query a sequence over its cached keys and values; a context-parallel rank reads its share of them."""
    step, shards, formats = build.step, build.shards, build.formats
    own = build.cache
    assert own is not None
    key, value = _widths(build, attention, absorbed=True)
    heads, kv_heads, cp = shards.heads, own.kv_heads, shards.cp
    if window:  # few tokens: methods choose among those of the other layers
        tokens = step.decode_context(window)
        read = Read(tokens, own.token * tokens, 0.0, tokens)
    else:
        read = own.step(lambda limit: step.decode_context(Window(limit)), step.prompt, step.final)
    scores = step.sequences * read.tokens / cp * heads
    beside = step.sequences * own.dequantization(read) / cp
    moved, fetched = step.sequences * (read.bytes - read.fetched) / cp, step.sequences * read.fetched / cp
    prefix = most(step.sequences - 1.0, 0.0) * least(step.decode_shared(window), read.tokens) / cp * own.token
    return Row(
        name,
        layers.repeat,
        layers.stages,
        formats.attention,
        flops=2.0 * scores * (key + value) + step.sequences * own.corrections(read.tokens / cp),
        vector_flops=SOFTMAX_FLOPS * scores + beside,
        scores=scores,
        # one multiply-add of every query head and element
        cached=scores / heads * kv_heads * (key + value),
        beside_flops=beside,
        kv_read=moved,
        kv_write=step.sequences * own.written,
        # what sequences and layers share might be read once by all
        kv_repeated=moved - (moved - prefix) * (1.0 - own.repeated),
        # sequences that choose their tokens choose different ones
        prefix_bytes=prefix if own.method.reads is None else 0.0,
        kv_fetched=fetched,
        activation_bytes=step.sequences * (heads * (key + value) * formats.hidden + own.scored(read.tokens / cp))
        + 2.0 * fetched,
        streams=step.sequences * kv_heads,
        group=heads / kv_heads,
        context=read.tokens / cp,
        sequences=step.sequences,
        scheme=selector(formats.attention_scheme, key, heads / kv_heads, latent=build.model.mla is not None),
    )


def _selection(build: Build, layers: Layers) -> None:
    """The pass of a decode step that chooses the pages to read."""
    step, formats, own = build.step, build.formats, build.cache
    chosen = formats.cache.selection
    if own is None or chosen is None:
        return
    tokens = step.decode_context(None) / build.shards.cp
    pages = step.sequences * tokens / chosen.page / chosen.every * own.outside
    compared = pages * own.heads * (1.0 + choose(chosen.codes > 0, 1.0, 0.0))
    row = Row(
        "select",
        layers.repeat,
        layers.stages,
        formats.attention,
        scheme=selector(formats.attention, own.head_dim),
        flops=2.0 * pages * own.heads * own.head_dim * chosen.vectors,
        vector_flops=compared,
        beside_flops=compared,
        kv_read=step.sequences * own.summaries(tokens) / chosen.every,
        activation_bytes=step.sequences * own.heads * own.head_dim * formats.hidden,
        streams=step.sequences * own.kv_heads,
        group=own.heads / own.kv_heads,
        context=tokens / chosen.page,
    )
    build.add("attention.decode", row)


def kv_exchange(build: Build, layers: Layers, attention: Attention) -> None:
    """What context parallelism communicates: keys and values of prompts, partial outputs of decode steps."""
    shards, formats = build.shards, build.formats
    if not anywhere(shards.cp > 1):
        return
    layers = only(layers, shards.cp > 1)
    own = build.cache
    written = own.token + own.index if own else 0.0
    if build.prefills:
        build.collective(
            "cp_kv",
            layers,
            "all_gather",
            build.prompt_tokens * shards.cp * written,
            shards.cp,
            shards.tp,
        )
    if build.decodes:
        # the up-projection of values is linear: latent attention sums its outputs behind it, which are narrower
        value = build.model.mla.v_head_dim if build.model.mla else attention.v_head_dim or attention.head_dim
        build.collective(
            "cp_output",
            layers,
            "all_reduce",
            build.step.sequences * shards.heads * value * formats.hidden,
            shards.cp,
            shards.tp,
        )


def cross(build: Build, attention: Attention) -> None:
    """Attention of every decoder layer to the encoder's output, whose keys and values are computed once."""
    step, shards, formats, model = build.step, build.shards, build.formats, build.model
    layers = build.spread(model.layers)
    query, keys = shards.heads * attention.head_dim, shards.kv_heads * attention.head_dim
    biases = 1.0 if model.bias.qkv else 0.0
    per_token = 2.0 * keys * formats.kv
    encoded = step.prompts * step.encoded
    build.gemm("cross_q", layers, build.tokens, query, model.hidden, bias=query * biases, part="attention")
    both = keys * (2.0 if model.bias.key else 1.0) * biases
    if build.prefills:
        build.gemm("cross_kv", layers, encoded, 2.0 * keys, model.hidden, bias=both, joined=2.0, part="attention")
        pairs = step.prompts * step.query * step.encoded
        build.add(
            "attention.prefill",
            Row(
                "cross_attention",
                layers.repeat,
                layers.stages,
                formats.attention,
                flops=4.0 * query * pairs,
                vector_flops=SOFTMAX_FLOPS * shards.heads * pairs,
                scores=shards.heads * pairs,
                kv_write=encoded * per_token,
                activation_bytes=2.0 * build.prompt_tokens * query * formats.hidden
                + encoded * 2.0 * keys * formats.hidden,
                scheme=selector(formats.attention, attention.head_dim),
                blocks=build.blocks_of_queries(shards.heads),
                keys=step.encoded,
                query=step.query,
            ),
        )
    if build.decodes:
        scores = step.sequences * step.encoded
        build.add(
            "attention.decode",
            Row(
                "cross_attention",
                layers.repeat,
                layers.stages,
                formats.attention,
                flops=4.0 * query * scores,
                vector_flops=SOFTMAX_FLOPS * shards.heads * scores,
                scores=shards.heads * scores,
                cached=scores * 2.0 * keys,
                kv_read=scores * per_token,
                activation_bytes=2.0 * step.sequences * query * formats.hidden,
                streams=step.sequences * shards.kv_heads,
                group=shards.heads / shards.kv_heads,
                context=step.encoded,
                scheme=selector(formats.attention_scheme, attention.head_dim, shards.heads / shards.kv_heads),
            ),
        )
    build.gemm(
        "cross_o",
        layers,
        build.tokens,
        model.hidden,
        query,
        bias=model.hidden if model.bias.o else 0.0,
        part="attention",
    )

"""A model as an operator table for one step on one device: decoders, encoders with decoders, vision transformers."""

from __future__ import annotations

from dataclasses import replace

from llmperf.descriptors.layers import Encoder
from llmperf.descriptors.model import Model
from llmperf.numeric import Real, anywhere, ceil_div, choose, floor_div, most
from llmperf.operators import attention, moe, recurrent, vision
from llmperf.operators.build import Build, Layers, join, only
from llmperf.operators.formats import Formats
from llmperf.operators.layout import Shards, Stages
from llmperf.operators.layout import stages as layer_stages
from llmperf.operators.step import Step
from llmperf.operators.table import Table, table


def operators(model: Model, shards: Shards, stages: Stages, formats: Formats, step: Step, domain: Real) -> Table:
    """The operators of one step.

    Parameters
    ----------
    model : Model
    shards, stages : Shards, Stages
        What one device and one pipeline stage hold (`llmperf.operators.layout`).
    formats : Formats
        Element sizes and compute dtypes.
    step : Step
        Prompt tokens and decoding sequences of one data-parallel rank.
    domain : number
        Devices that the scale-up link joins. [1]

    Returns
    -------
    Table
        Work and bytes on the most loaded device.
    """
    build = Build(model, shards, stages, formats, step, domain)
    if model.vision:
        vision.add(build, _layers)
        return table(build.rows)
    _embedding(build)
    if model.encoder and build.prefills:
        _encoder(build, model, model.encoder)
    _layers(build)
    if model.encoder and model.attention:
        attention.cross(build, model.attention)
    _head(build)
    return table(build.rows)


def _layers(build: Build) -> None:
    """All layers of a stack: mixers, networks, norms, and the sums over devices."""
    model = build.model
    attending, mixing = build.spread(model.attention_layers), build.spread(model.ssm_layers)
    attention.add(build)
    if model.attention:
        attention.kv_exchange(build, attending, model.attention)
    recurrent.add(build, mixing)
    dense, sparse = _feed_forward_layers(build)
    _feed_forwards(build, dense)
    if model.moe:
        moe.add(build, sparse)
    _norms(build, build.spread(model.layers))
    if model.streams or model.per_layer:
        from llmperf.operators import residual

        residual.add(build)
    _reductions(build, attending, mixing, dense, sparse)


def _encoder(build: Build, model: Model, encoder: Encoder) -> None:
    """An encoder's layers over the prompts, each of its operators named for it; nothing of it goes to a cache."""
    step, attending = build.step, model.attention
    assert attending is not None
    stack = replace(model, layers=encoder.layers, encoder=None, attention=replace(attending, causal=False))
    seen = Step(prompts=step.prompts, query=step.encoded, length=step.encoded, causal=False)
    cut = layer_stages(encoder.layers, build.shards.pp)
    inner = Build(stack, build.shards, cut, build.formats, seen, build.domain, keeps=False)
    _layers(inner)
    tokens, hidden = step.prompts * step.encoded, model.hidden
    kept = (norm_weights(model) + encoder.positions * hidden) * build.formats.kept
    inner.elementwise("final_norm", inner.once("last"), 2.0 * tokens * hidden * build.formats.hidden, 0.0, kept)
    if encoder.input_channels:  # two convolutions of width 3, the second of stride 2
        first = inner.once("first")
        inner.gemm("conv_1", first, 2.0 * tokens, hidden, 3.0 * encoder.input_channels, bias=hidden, kept=True)
        inner.gemm("conv_2", first, tokens, hidden, 3.0 * hidden, bias=hidden, kept=True)
    for kind, rows in inner.rows.items():
        for row in rows:
            row.name = f"encoder_{row.name}"
            build.add(kind, row)


def norm_weights(model: Model) -> float:
    """Weights of one norm over the hidden width. [1]"""
    return model.hidden * (2.0 if model.norm_bias else 1.0) if model.norm_weights else 0.0


def _feed_forward_layers(build: Build) -> tuple[Layers, Layers]:
    model, stages, part = build.model, build.stages, build.model.moe
    if part is None:
        return build.spread(model.dense_layers), build.spread(0.0)
    if part.period > 1 or part.layers is not None or model.ffn_layers is not None:
        return build.spread(model.dense_layers), build.spread(model.moe_layers)
    leading = Layers(model.dense_layers, stages.leading(model.dense_layers))
    return leading, Layers(model.moe_layers, stages.following(model.layers - model.moe_layers))


def _embedding(build: Build) -> None:
    model, formats, tokens = build.model, build.formats, build.tokens
    rows = build.shards.vocab * model.hidden * formats.kept
    positions = (model.learned_positions * model.hidden + _biases(model)) * formats.kept
    held = rows + positions + _towers(build) * formats.kept
    build.elementwise(
        "embedding", build.once("first"), 2.0 * tokens * model.hidden * formats.hidden, resident_bytes=held
    )


TOWER_WHOLE = 0.5
"""Share of a tower that every tensor-parallel rank holds whole: engines divide either the attention or the networks of
its layers; start-up logs of vLLM with tp 4 show 0.65 of Gemma 3's, 0.3 of Qwen2.5-VL's (vllm issues). [1]"""


def _towers(build: Build) -> Real:
    """Weights on one device of the encoders of other media that are loaded beside the model. [1]"""
    whole = sum([tower.parameters for tower in build.model.towers])
    return whole * (TOWER_WHOLE + (1.0 - TOWER_WHOLE) / build.shards.tp)


def _biases(model: Model) -> float:
    """Relative-position biases of the stack, and of its encoder. [1]"""
    part = model.attention
    stacks = 2.0 if model.encoder else 1.0
    return stacks * part.relative_buckets * part.heads if part else 0.0


def _feed_forwards(build: Build, layers: Layers) -> None:
    """Dense networks, class by class of their widths; those of another width lie evenly among the layers."""
    model = build.model
    if not model.ffn_widths:
        _feed_forward(build, layers, build.shards.ffn)
        return
    for number, (count, ffn) in enumerate(model.dense_widths):
        share = count / model.dense_layers
        part = Layers(layers.repeat * share, tuple(stage * share for stage in layers.stages))
        _feed_forward(build, part, ceil_div(ffn, build.shards.tp), f"_{number}" if number else "")


def _feed_forward(build: Build, layers: Layers, width: Real, suffix: str = "") -> None:
    model, formats, tokens = build.model, build.formats, build.tokens
    if not layers.repeat:
        return
    matrices = model.mlp_matrices - 1
    build.quantize("mlp", layers, (("norm_quantize", model.hidden), ("activation_quantize", width)), tokens)
    up = ("gate_up" if model.gated_mlp else "up") + suffix
    bias = matrices * width if model.bias.mlp else 0.0
    build.gemm(up, layers, tokens, matrices * width, model.hidden, bias=bias, joined=matrices, part="mlp")
    sub_norm = width * formats.kept if model.sub_norms else 0.0
    moved = (matrices + 1) * tokens * width * formats.hidden
    build.elementwise("activation", layers, moved, 5.0 * tokens * width, sub_norm)
    build.gemm(
        f"down{suffix}", layers, tokens, model.hidden, width, bias=model.hidden if model.bias.mlp else 0.0, part="mlp"
    )


def _norms(build: Build, layers: Layers) -> None:
    """Norms, the residual additions fused into up to two of them a layer."""
    model, formats = build.model, build.formats
    elements = build.tokens * model.hidden
    weights = norm_weights(model) * formats.kept
    fused = min(model.norms_per_layer, 2)
    count = fused + (1 if model.encoder else 0)  # attention to an encoder has a norm of its own
    _add_norms(build, layers.times(count), elements, weights)
    if model.norms_per_layer > fused:
        build.elementwise(
            "norm",
            layers.times(model.norms_per_layer - fused),
            2.0 * elements * formats.hidden,
            4.0 * elements,
            weights,
        )
    if model.embedding_norm:
        build.elementwise(
            "embedding_norm", build.once("first"), 2.0 * elements * formats.hidden, 4.0 * elements, weights
        )


def _add_norms(build: Build, layers: Layers, elements: Real, weights: Real) -> None:
    """Norms with the additions before them; where an all-reduce stands there, its kernel may hold both."""
    size, flops = 4.0 * elements * build.formats.hidden, 5.0 * elements
    behind = build.shards.tp > 1
    if "norm_all_reduce" not in build.formats.fuses or not anywhere(behind):
        build.elementwise("add_norm", layers, size, flops, weights)
        return
    build.elementwise("add_norm", only(layers, behind), size, flops, weights, fused=True)
    if anywhere(build.shards.tp <= 1):
        build.elementwise("add_norm", only(layers, build.shards.tp <= 1), size, flops, weights)


def _reductions(build: Build, attending: Layers, recurrent_layers: Layers, dense: Layers, sparse: Layers) -> None:
    """Sums of partial outputs over tensor-parallel ranks, and hand-overs to the next pipeline stage."""
    shards = build.shards
    message = build.tokens * build.model.hidden * build.formats.hidden
    if anywhere(shards.tp > 1):
        # where tokens are exchanged with other ranks, the exchange brings the sum of the experts home
        home = only(sparse, shards.dp * shards.cp <= 1)
        # a parallel block sums attention and feed-forward network together
        sums = (
            (attending, recurrent_layers, home)
            if build.model.parallel_block
            else (attending, recurrent_layers, dense, home, *((attending,) if build.model.encoder else ()))
        )
        layers = only(join(*sums), shards.tp > 1)
        build.collective("tp_all_reduce", layers, "all_reduce", message, shards.tp)
        # a table that every rank holds whole would need none
        looked_up = only(build.once("first"), shards.tp > 1)
        build.collective("embedding_all_reduce", looked_up, "all_reduce", message, shards.tp, required=False)
    if build.stages.number > 1:
        streams = build.model.streams.count if build.model.streams else 1.0
        _hand_overs(build, message * streams / shards.tp)


def _hand_overs(build: Build, message: Real) -> None:
    """What a pipeline stage hands to the next; as many stages as fit stand in a scale-up domain."""
    shards, boundaries = build.shards, build.stages.boundaries()
    group = shards.tp * shards.cp * shards.dp
    together = most(floor_div(build.domain, group), 1.0)
    leaving = ceil_div(shards.pp, together) - 1.0
    # the middle stage stands for all of them, and the slowest of them counts
    across = (together < 2.0, leaving > 0.0, False)
    sent = tuple(choose(out, n, 0.0) for out, n in zip(across, boundaries, strict=True))
    kept = tuple(n - out for n, out in zip(boundaries, sent, strict=True))
    build.collective("pp_send", Layers(shards.pp - 1.0 - leaving, kept), "p2p", message, 2.0)
    build.collective("pp_send_out", Layers(leaving, sent), "p2p", message, 2.0, build.domain)


def _head(build: Build) -> None:
    """Final norm, output projection of the last token of each sequence, and the gathering of its logits."""
    model, formats, shards, step = build.model, build.formats, build.shards, build.step
    last = build.once("last")
    rows = step.prompts + step.sequences
    norm = norm_weights(model) * formats.kept
    build.elementwise(
        "final_norm", last, 2.0 * build.tokens * model.hidden * formats.hidden, 4.0 * build.tokens * model.hidden, norm
    )
    stored = choose(shards.pp > 1, 1.0, 0.0) if model.tied_embeddings else 1.0  # a last stage needs its own copy
    build.gemm(
        "lm_head",
        last,
        rows,
        shards.vocab,
        model.hidden,
        bias=shards.vocab if model.bias.lm_head else 0.0,
        kept=True,
        stored=stored,
    )
    if anywhere(shards.tp > 1):
        logits = rows * shards.vocab * shards.tp * formats.hidden
        # choosing the next token needs but a few of them from each rank
        build.collective("logits_gather", only(last, shards.tp > 1), "all_gather", logits, shards.tp, required=False)

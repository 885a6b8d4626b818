"""A decoder-only model as an operator table for one step on one device."""

from __future__ import annotations

from llmperf.descriptors.model import Model
from llmperf.numeric import Real, anywhere, choose
from llmperf.operators import attention, moe, recurrent
from llmperf.operators.build import Build, Layers, join, only
from llmperf.operators.formats import Formats
from llmperf.operators.layout import Shards, Stages
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
    layers = build.spread(model.layers)
    attending = build.spread(model.attention_layers)
    _embedding(build)
    attention.add(build, attending)
    if model.attention:
        attention.kv_exchange(build, attending, model.attention)
    recurrent.add(build, build.spread(model.ssm_layers))
    dense, sparse = _feed_forward_layers(build)
    _feed_forward(build, dense)
    if model.moe:
        moe.add(build, sparse)
    _norms(build, layers)
    _reductions(build, attending, build.spread(model.ssm_layers), dense, sparse)
    _head(build)
    return table(build.rows)


def _feed_forward_layers(build: Build) -> tuple[Layers, Layers]:
    model, stages = build.model, build.stages
    if model.moe is None:
        return build.spread(model.dense_layers), build.spread(0.0)
    leading = Layers(model.dense_layers, stages.leading(model.dense_layers))
    return leading, Layers(model.moe_layers, stages.following(model.dense_layers))


def _embedding(build: Build) -> None:
    model, formats, tokens = build.model, build.formats, build.tokens
    rows = build.shards.vocab * model.hidden * formats.kept
    positions = model.learned_positions * model.hidden * formats.kept
    build.elementwise(
        "embedding", build.once("first"), 2.0 * tokens * model.hidden * formats.hidden, resident_bytes=rows + positions
    )


def _feed_forward(build: Build, layers: Layers) -> None:
    model, formats, tokens, width = build.model, build.formats, build.tokens, build.shards.ffn
    if not layers.repeat:
        return
    matrices = model.mlp_matrices - 1
    build.quantize(layers, (model.hidden, width), tokens)
    up = "gate_up" if model.gated_mlp else "up"
    build.gemm(up, layers, tokens, matrices * width, model.hidden, bias=matrices * width if model.bias.mlp else 0.0)
    build.elementwise("activation", layers, (matrices + 1) * tokens * width * formats.hidden, 5.0 * tokens * width)
    build.gemm("down", layers, tokens, model.hidden, width, bias=model.hidden if model.bias.mlp else 0.0)


def _norms(build: Build, layers: Layers) -> None:
    """Norms, the residual additions fused into up to two of them a layer."""
    model, formats = build.model, build.formats
    elements = build.tokens * model.hidden
    weights = model.hidden * (2.0 if model.norm_bias else 1.0) * formats.kept
    fused = min(model.norms_per_layer, 2)
    build.elementwise("add_norm", layers.times(fused), 4.0 * elements * formats.hidden, 5.0 * elements, weights)
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


def _reductions(build: Build, attending: Layers, recurrent_layers: Layers, dense: Layers, sparse: Layers) -> None:
    """Sums of partial outputs over tensor-parallel ranks, and hand-overs to the next pipeline stage."""
    shards = build.shards
    message = build.tokens * build.model.hidden * build.formats.hidden
    if anywhere(shards.tp > 1):
        # where tokens are exchanged with other ranks, the exchange brings the sum of the experts home
        home = only(sparse, shards.dp * shards.cp <= 1)
        layers = only(join(attending, recurrent_layers, dense, home), shards.tp > 1)
        build.collective("tp_all_reduce", layers, "all_reduce", message, shards.tp)
        # a table that every rank holds whole would need none
        looked_up = only(build.once("first"), shards.tp > 1)
        build.collective("embedding_all_reduce", looked_up, "all_reduce", message, shards.tp, required=False)
    if build.stages.number > 1:
        boundaries = build.stages.boundaries()
        build.collective(
            "pp_send",
            Layers(shards.pp - 1.0, boundaries),
            "p2p",
            message / shards.tp,
            2.0,
            shards.tp * shards.cp * shards.dp,
        )


def _head(build: Build) -> None:
    """Final norm, output projection of the last token of each sequence, and the gathering of its logits."""
    model, formats, shards, step = build.model, build.formats, build.shards, build.step
    last = build.once("last")
    rows = step.prompts + step.sequences
    norm = model.hidden * (2.0 if model.norm_bias else 1.0) * formats.kept
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

"""Mixture-of-experts layers as operators: router, dispatch, grouped products of the experts hit, combine."""

from __future__ import annotations

from llmperf.descriptors.engine import Padding
from llmperf.descriptors.layers import Moe
from llmperf.numeric import Real, anywhere, ceil_div, choose, least, most
from llmperf.operators.build import Build, Layers, only
from llmperf.operators.matrix import Matrix
from llmperf.operators.routing import Load, experts_hit, hottest
from llmperf.operators.table import Row


def add(build: Build, layers: Layers) -> None:
    """All operators of the model's MoE layers but the all-reduce of the layer's output."""
    moe, model, shards, formats = build.model.moe, build.model, build.shards, build.formats
    if moe is None:
        return
    tokens = build.tokens
    choices = moe.experts + moe.idle_experts
    build.gemm("router", layers, tokens, choices, model.hidden, bias=choices if moe.router_bias else 0.0, kept=True)
    if moe.residual_ffn:
        _dense_beside(build, layers, moe.residual_ffn)
    if moe.shared_experts:
        if moe.shared_gate:
            build.gemm("shared_gate", layers, tokens, 1.0, model.hidden, kept=True)
        width = shards.shared_ffn
        matrices = model.mlp_matrices - 1
        build.quantize("shared", layers, (("norm_quantize", model.hidden), ("activation_quantize", width)), tokens)
        build.gemm("shared_gate_up", layers, tokens, matrices * width, model.hidden, joined=matrices, part="shared")
        build.elementwise(
            "shared_activation", layers, (matrices + 1) * tokens * width * formats.hidden, 5.0 * tokens * width
        )
        build.gemm("shared_down", layers, tokens, model.hidden, width, part="shared")
    if moe.latent:
        build.gemm("latent_down", layers, tokens, moe.latent, model.hidden, part="shared")
        build.gemm("latent_up", layers, tokens, model.hidden, moe.latent, part="shared")
    group, top_k = build.step.group, moe.working
    assignments = group * top_k / shards.ep
    hit = shards.experts * experts_hit(moe.experts, top_k, group, build.step.diversity) / moe.experts
    # what the most loaded rank has more is part of the projection only: a bound must not assume bad luck
    load, most_hit = assignments, hit
    if anywhere(shards.ep > 1):
        load = hottest(assignments, shards.ep, group * least(top_k, shards.experts))
        most_hit = hottest(hit, shards.ep, least(shards.experts, group * top_k))
    work, kept = Load(assignments, hit, load, most_hit), formats.keeps.get("experts", 0.0)
    if anywhere(kept > 0.0):
        _experts(build, layers.times(kept), moe, work, formats.kept_matrix, Padding(), "_kept")
    if anywhere(kept < 1.0):
        _experts(build, layers.times(1.0 - kept), moe, work, formats.matrix, formats.padding)
    _exchange(build, layers, moe)


def _dense_beside(build: Build, layers: Layers, residual_ffn: Real) -> None:
    """A dense network beside the experts, with a norm of its own that the model's norms count."""
    model, tokens, width = build.model, build.tokens, ceil_div(residual_ffn, build.shards.tp)
    matrices = model.mlp_matrices - 1
    build.quantize("shared", layers, (("norm_quantize", model.hidden), ("activation_quantize", width)), tokens)
    build.gemm("residual_gate_up", layers, tokens, matrices * width, model.hidden, joined=matrices, part="shared")
    moved = (matrices + 1) * tokens * width * build.formats.hidden
    build.elementwise("residual_activation", layers, moved, 5.0 * tokens * width)
    build.gemm("residual_down", layers, tokens, model.hidden, width, part="shared")


def _experts(
    build: Build, layers: Layers, moe: Moe, load: Load, matrix: Matrix, padding: Padding, suffix: str = ""
) -> None:
    """The two grouped products with the activation between them and the permutation around them, which are one kernel
    or are measured as one; kernels may want padded matrices.
    """
    model, shards, formats = build.model, build.shards, build.formats
    matrices, width, outer = model.mlp_matrices - 1, shards.expert_ffn, moe.latent or model.hidden
    outer_held, width_held = padded(outer, padding.hidden), padded(width, padding.ffn)
    # without an exchange every rank has all tokens of the group, also those whose experts are elsewhere
    present = choose(shards.dp * shards.cp > 1, load.most_rows, build.tokens * moe.working)
    elsewhere = most(present - load.most_rows, 0.0)
    moved = formats.hidden + matrix.input  # quantized where the format does so
    up = outer * moved + matrices * width * formats.hidden
    for name, n, k, joined, passes, held in (
        ("moe_gate_up", matrices * width, outer, matrices, up, (matrices * width_held, outer_held)),
        ("moe_down", outer, width, 1.0, width * moved + outer * moved, (outer_held, width_held)),
    ):
        name, bias = name + suffix, n * formats.kept if moe.expert_bias else 0.0
        expert, copy, resident = matrix.stored(n, k, joined), n * k * matrix.copy, matrix.stored(*held, joined)
        if anywhere(matrix.copy > 0.0):
            flops = load.hit * n * k * matrix.convert
            build.convert(
                name, layers, load.hit * expert, shards.experts * resident, load.hit * copy, flops, experts=True
            )
            expert = resident = 0.0
        expert, resident = expert + bias, resident + bias
        work = matrix.products(load.rows, n, k, joined, load.hit)
        dense = 2.0 * load.rows * n * k
        build.add(
            "moe",
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
                expert_bytes=load.hit * expert,
                resident_experts=shards.experts * resident,
                copy_bytes=load.hit * copy,
                activation_bytes=load.most_rows * passes,
                foreign_bytes=elsewhere * passes,
                m=load.most_rows / load.most_hit,
                n=n,
                k=k,
                hit=load.most_hit,
                padded_flops=2.0 * load.most_rows * n * k,
                padded_bytes=load.most_hit * (expert + copy),
                dense_flops=0.0 if matrix.plain else dense,
            ),
        )


def padded(width: Real, multiple: Real) -> Real:
    """A width rounded up to a multiple. [1]"""
    return ceil_div(width, multiple) * multiple


def _exchange(build: Build, layers: Layers, moe: Moe) -> None:
    """Tokens to the ranks of their experts and back, where attention is data-parallel or context-parallel.

    A token goes once to each rank that holds any of its experts, ``ep (1 - (1 - 1/ep)^k)`` ranks expected, and once to
    each domain of ranks, from where it is forwarded (DeepSeek-V3, arXiv:2412.19437, sec. 3.2.2).
    """
    shards, hidden, formats = build.shards, moe.latent or build.model.hidden, build.formats
    top_k = moe.working
    if not anywhere(shards.dp * shards.cp > 1):
        return
    layers = only(layers, shards.dp * shards.cp > 1)
    ranks = shards.dp * shards.cp * shards.tp
    domains = ceil_div(ranks, build.inside(ranks))
    # after the attention's all-reduce every tp rank sends its share; decoding tokens are on all cp ranks
    own = build.prompt_tokens / shards.tp + build.step.sequences / (shards.tp * shards.cp)
    copies = shards.ep * (1.0 - (1.0 - 1.0 / shards.ep) ** top_k) * shards.moe_tp
    copies_out = domains * (1.0 - (1.0 - 1.0 / domains) ** top_k)
    for name, element in (("moe_dispatch", formats.input), ("moe_return", formats.hidden)):
        token = own * hidden * element
        build.collective(name, layers, "all_to_all", token * copies, ranks, message_out=token * copies_out)

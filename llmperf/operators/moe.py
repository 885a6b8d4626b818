"""Mixture-of-experts layers as operators: router, dispatch, grouped products of the experts hit, combine."""

from __future__ import annotations

from dataclasses import dataclass

from llmperf.descriptors.model import Moe
from llmperf.numeric import Real, anywhere, ceil_div, least, log, most, root
from llmperf.operators.build import Build, Layers, only
from llmperf.operators.table import Row


def experts_hit(experts: Real, top_k: Real, tokens: Real, diversity: Real) -> Real:
    """Expected distinct experts of `tokens` tokens that choose uniformly.

    Parameters
    ----------
    experts, top_k : number or array
        Experts of a layer, and experts a token chooses. [1]
    tokens : number or array
        Tokens of the whole expert-parallel group. [1]
    diversity : number or array
        0: all tokens choose alike; 1: independently. [1]

    Returns
    -------
    number or array
        ``E (1 - (1 - k/E)^T)``, T the number of independent choices; between `top_k` and `experts`. [1]
    """
    independent = 1.0 + most(tokens - 1.0, 0.0) * diversity
    return experts * (1.0 - (1.0 - top_k / experts) ** independent)


def hottest(mean: Real, ranks: Real, ceiling: Real) -> Real:
    """Expected load of the most loaded of `ranks` ranks whose loads scatter around `mean` like counts.

    Notes
    -----
    The expected maximum of n normal variates is about ``mean + sigma sqrt(2 ln n)``; sigma^2 of a count that falls
    on one of n ranks is ``mean (1 - 1/n)``. No rank can get more than `ceiling`.
    """
    return least(mean + root(2.0 * log(ranks) * mean * (1.0 - 1.0 / ranks)), most(ceiling, mean))


def add(build: Build, layers: Layers) -> None:
    """All operators of the model's MoE layers but the all-reduce of the layer's output."""
    moe, model, shards, formats = build.model.moe, build.model, build.shards, build.formats
    if moe is None:
        return
    tokens = build.tokens
    build.gemm(
        "router", layers, tokens, moe.experts, model.hidden, bias=moe.experts if moe.router_bias else 0.0, kept=True
    )
    if moe.residual_ffn:
        _dense_beside(build, layers, moe.residual_ffn)
    if moe.shared_experts:
        if moe.shared_gate:
            build.gemm("shared_gate", layers, tokens, 1.0, model.hidden, kept=True)
        width = shards.shared_ffn
        matrices = model.mlp_matrices - 1
        build.quantize(layers, (model.hidden, width), tokens)
        build.gemm("shared_gate_up", layers, tokens, matrices * width, model.hidden)
        build.elementwise(
            "shared_activation", layers, (matrices + 1) * tokens * width * formats.hidden, 5.0 * tokens * width
        )
        build.gemm("shared_down", layers, tokens, model.hidden, width)
    group = build.step.group
    assignments = group * moe.top_k / shards.ep
    hit = shards.experts * experts_hit(moe.experts, moe.top_k, group, build.step.diversity) / moe.experts
    # what the most loaded rank has more is part of the projection only: a bound must not assume bad luck
    load, most_hit = assignments, hit
    if anywhere(shards.ep > 1):
        load = hottest(assignments, shards.ep, group * least(moe.top_k, shards.experts))
        most_hit = hottest(hit, shards.ep, least(shards.experts, group * moe.top_k))
    _experts(build, layers, moe, Load(assignments, hit, load, most_hit))
    _exchange(build, layers, moe)


def _dense_beside(build: Build, layers: Layers, residual_ffn: Real) -> None:
    """A dense network beside the experts, with a norm of its own that the model's norms count."""
    model, tokens, width = build.model, build.tokens, ceil_div(residual_ffn, build.shards.tp)
    matrices = model.mlp_matrices - 1
    build.quantize(layers, (model.hidden, width), tokens)
    build.gemm("residual_gate_up", layers, tokens, matrices * width, model.hidden)
    moved = (matrices + 1) * tokens * width * build.formats.hidden
    build.elementwise("residual_activation", layers, moved, 5.0 * tokens * width)
    build.gemm("residual_down", layers, tokens, model.hidden, width)


@dataclass(frozen=True, slots=True)
class Load:
    """Tokens' choices and distinct experts of a rank: the mean, and those of the most loaded rank. [1]"""

    rows: Real
    hit: Real
    most_rows: Real
    most_hit: Real


def _experts(build: Build, layers: Layers, moe: Moe, load: Load) -> None:
    """The two grouped products, the activation between them, and the permutation around them."""
    model, shards, formats = build.model, build.shards, build.formats
    rows = load.rows
    matrices = model.mlp_matrices - 1
    width = shards.expert_ffn
    build.elementwise("moe_permute", layers, 2.0 * rows * model.hidden * formats.hidden)
    build.quantize(layers, (model.hidden, width), rows)
    for name, n, k in (("moe_gate_up", matrices * width, model.hidden), ("moe_down", model.hidden, width)):
        element = n * k * formats.weight + (n * formats.kept if moe.expert_bias else 0.0)
        build.add(
            "moe",
            Row(
                name,
                layers.repeat,
                layers.stages,
                formats.linear,
                flops=2.0 * rows * n * k,
                vector_flops=load.hit * n * k * formats.dequantize,
                weight_bytes=load.hit * element,
                resident_bytes=shards.experts * element,
                activation_bytes=rows * (k * formats.input + n * formats.hidden),
                m=load.most_rows / load.most_hit,
                n=n,
                k=k,
                padded_flops=2.0 * load.most_rows * n * k,
                padded_bytes=load.most_hit * element,
            ),
        )
        if name == "moe_gate_up":
            build.elementwise(
                "moe_activation", layers, (matrices + 1) * rows * width * formats.hidden, 5.0 * rows * width
            )
    build.elementwise(
        "moe_combine", layers, (rows + build.tokens) * model.hidden * formats.hidden, 2.0 * rows * model.hidden
    )


def _exchange(build: Build, layers: Layers, moe: Moe) -> None:
    """Tokens to the ranks of their experts and back, where attention is data-parallel or context-parallel.

    A token goes once to each rank that holds any of its experts, ``ep (1 - (1 - 1/ep)^k)`` ranks expected, and once to
    each domain of ranks, from where it is forwarded (DeepSeek-V3, arXiv:2412.19437, sec. 3.2.2).
    """
    shards, hidden, formats = build.shards, build.model.hidden, build.formats
    if not anywhere(shards.dp * shards.cp > 1):
        return
    layers = only(layers, shards.dp * shards.cp > 1)
    ranks = shards.dp * shards.cp * shards.tp
    domains = ceil_div(ranks, build.inside(ranks))
    # after the attention's all-reduce every tp rank sends its share; decoding tokens are on all cp ranks
    own = build.prompt_tokens / shards.tp + build.step.sequences / (shards.tp * shards.cp)
    copies = shards.ep * (1.0 - (1.0 - 1.0 / shards.ep) ** moe.top_k) * shards.moe_tp
    copies_out = domains * (1.0 - (1.0 - 1.0 / domains) ** moe.top_k)
    for name, element in (("moe_dispatch", formats.input), ("moe_return", formats.hidden)):
        token = own * hidden * element
        build.collective(name, layers, "all_to_all", token * copies, ranks, message_out=token * copies_out)

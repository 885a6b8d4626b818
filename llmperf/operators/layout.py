"""How a model lies on devices: what one device holds of each layer, and which layers a pipeline stage holds.

Where heads, experts or widths do not divide, they are padded up to the next multiple, and key-value heads are
replicated where there are more devices than heads, as serving engines do; `notes` says so.
"""

from __future__ import annotations

from llmperf.descriptors.model import Model
from llmperf.descriptors.parallelism import Parallelism
from llmperf.numeric import Real, anywhere, ceil_div, choose, floor_div, least, most
from llmperf.records import dataclass


@dataclass(frozen=True, slots=True)
class Shards:
    """What one device holds; counts are of the most loaded device. [1]"""

    tp: Real
    pp: Real
    dp: Real
    ep: Real
    cp: Real
    moe_tp: Real
    heads: Real
    kv_heads: Real
    ffn: Real
    vocab: Real
    experts: Real
    expert_ffn: Real
    shared_ffn: Real
    ssm_heads: Real
    ssm_groups: Real


def shards(model: Model, parallelism: Parallelism) -> Shards:
    """Divide a model by a layout.

    Parameters
    ----------
    model : Model
    parallelism : Parallelism
        Its numbers may be arrays.

    Returns
    -------
    Shards
    """
    tp = parallelism.tp
    attention, moe, ssm = model.attention, model.moe, model.ssm
    moe_tp = floor_div(parallelism.expert_group, parallelism.ep)
    ssm_heads = (ssm.value_heads or floor_div(ssm.expand * model.hidden, ssm.head_dim)) if ssm else 0.0
    return Shards(
        tp=tp,
        pp=parallelism.pp,
        dp=parallelism.dp,
        ep=parallelism.ep,
        cp=parallelism.cp,
        moe_tp=moe_tp,
        heads=ceil_div(attention.heads, tp) if attention else 0.0,
        kv_heads=ceil_div(attention.kv_heads, tp) if attention else 0.0,
        ffn=ceil_div(model.ffn, tp),
        vocab=ceil_div(model.vocab, tp),
        experts=ceil_div(moe.experts, parallelism.ep) if moe else 0.0,
        expert_ffn=ceil_div(moe.expert_ffn, moe_tp) if moe else 0.0,
        shared_ffn=ceil_div(moe.shared_experts * (moe.shared_ffn or moe.expert_ffn), tp) if moe else 0.0,
        ssm_heads=ceil_div(ssm_heads, tp),
        ssm_groups=ceil_div(ssm.key_heads or ssm.groups, tp) if ssm else 0.0,
    )


def notes(model: Model, parallelism: Parallelism) -> list[str]:
    """What does not divide, and what is done about it; one line each."""
    found = []
    attention, moe, tp = model.attention, model.moe, parallelism.tp
    if attention and anywhere(attention.heads % tp != 0):
        found.append(f"{attention.heads:g} heads do not divide by tp: padded to the next multiple")
    if attention and not model.mla and anywhere(tp > attention.kv_heads):
        found.append(f"tp is more than the {attention.kv_heads:g} KV heads: KV heads are replicated")
    if model.mla and anywhere(tp > 1):
        found.append("MLA keeps one latent for all heads: every tp rank holds the whole KV cache")
    if moe and anywhere(moe.experts % parallelism.ep != 0):
        found.append(f"{moe.experts:g} experts do not divide by ep: padded to the next multiple")
    if model.ffn and anywhere(model.ffn % tp != 0):
        found.append(f"the feed-forward width {model.ffn:g} does not divide by tp: padded to the next multiple")
    if anywhere(model.vocab % tp != 0):
        found.append(f"the vocabulary {model.vocab:g} does not divide by tp: padded to the next multiple")
    if anywhere(model.layers % parallelism.pp != 0):
        found.append(f"{model.layers:g} layers do not divide by pp: the first stages hold one more")
    return found


@dataclass(frozen=True, slots=True)
class Stages:
    """How many layers of each class the first, a middle and the last pipeline stage hold.

    `ranges` are the layer numbers of those stages, [begin, end); a model that is not pipelined has one stage. Where
    `pp` is an array, an entry of 1 puts the whole model into the first stage.
    """

    layers: Real
    pp: Real
    ranges: tuple[tuple[Real, Real], ...]

    @property
    def number(self) -> int:
        """Stages that are looked at: 1, or 3."""
        return len(self.ranges)

    def spread(self, count: Real) -> tuple[Real, ...]:
        """Layers of a class that is spread evenly over the model: the share of each stage."""
        if len(self.ranges) == 1:
            return (count,)
        return tuple((end - begin) * (count / self.layers) for begin, end in self.ranges)

    def leading(self, count: Real) -> tuple[Real, ...]:
        """Layers of a class that holds the first `count` layers."""
        return tuple(most(least(count, end) - begin, 0.0) for begin, end in self.ranges)

    def following(self, first: Real) -> tuple[Real, ...]:
        """Layers of a class that holds the layers from number `first` on."""
        return tuple(end - least(most(begin, first), end) for begin, end in self.ranges)

    def once(self, where: str) -> tuple[Real, ...]:
        """An operator that runs once, in the ``first`` or the ``last`` stage."""
        if len(self.ranges) == 1:
            return (1.0,)
        return (1.0, 0.0, 0.0) if where == "first" else (choose(self.pp > 1, 0.0, 1.0), 0.0, 1.0)

    def boundaries(self) -> tuple[Real, ...]:
        """Hand-overs to the next stage: one in each stage but the last."""
        if len(self.ranges) == 1:
            return (0.0,)
        return (choose(self.pp > 1, 1.0, 0.0), choose(self.pp > 2, 1.0, 0.0), 0.0)


def stages(layers: Real, pp: Real) -> Stages:
    """Cut `layers` into `pp` stages, the longer ones first, so that the output head sits on a shorter one."""
    if not anywhere(pp > 1):
        return Stages(layers, pp, ((0.0, layers),))
    short = floor_div(layers, pp)
    longer = layers - short * pp
    first = short + choose(longer > 0, 1.0, 0.0)
    second = choose(pp > 2, short + choose(longer > 1, 1.0, 0.0), 0.0)
    return Stages(layers, pp, ((0.0, first), (first, first + second), (layers - short, layers)))

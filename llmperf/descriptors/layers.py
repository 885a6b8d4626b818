"""Parts of a model: attention and what picks for it, experts, recurrent mixers, streams, encoders, towers."""

from __future__ import annotations

from typing import Literal

from llmperf.descriptors.fields import FORBID_UNKNOWN_KEYS, Switch, Whole, WholeOrZero
from llmperf.records import dataclass


@dataclass(frozen=True, slots=True)
class Windowed:
    """Heads of the layers with a window, where they differ from the others' (Gemma 4, MiMo-V2, Laguna, Step-3.5)."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    heads: Whole
    kv_heads: Whole
    head_dim: Whole
    v_head_dim: Whole | None = None
    sinks: Switch = False


@dataclass(frozen=True, slots=True)
class Attention:
    """Attention of the layers that have it; `windowed_layers` of them see only the last `window` tokens."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    heads: Whole
    kv_heads: Whole
    head_dim: Whole
    v_head_dim: Whole | None = None
    """Width of a head's values, where it is not that of its keys (MiMo-V2)."""
    layers: Whole | None = None
    """Layers that have it, where that is not each without a recurrent mixer (Nemotron-H, Falcon-H1)."""
    query_rank: WholeOrZero = 0
    """Queries go through a projection of this width first (Step-3, DeepSeek-V4)."""
    output_rank: WholeOrZero = 0
    """Outputs go through one of this width for each of `output_groups` groups of heads (DeepSeek-V4, sec. 2.3.1)."""
    output_groups: Whole = 1
    shared_kv: Switch = False
    """Values are the keys: one projection and one cache for both, in layers without a window of their own heads."""
    windowed: Windowed | None = None
    reusing_layers: WholeOrZero = 0
    """Layers without a window that read the keys and values of an earlier layer and have none (Gemma 3n and 4)."""
    reusing_windowed: WholeOrZero = 0
    """Windowed layers of that kind."""
    window: Whole | None = None
    windowed_layers: WholeOrZero = 0
    chunked: Switch = False
    """Windows do not slide: a token sees what came before it in its own chunk of `window` tokens."""
    sinks: Switch = False
    """One learned logit a head stands beside the scores."""
    qk_norm: Switch = False
    qk_norm_over: Literal["head", "all"] = "head"
    """Norms of queries and keys have the width of one head, or of all heads together."""
    softcap: Switch = False
    output_gate: Switch = False
    """Queries come with as wide a gate, which attention's output is multiplied by (Qwen3-Next)."""
    head_gate: Switch = False
    """A gate of one number a head, computed from the hidden state (Laguna, Step-3.5)."""
    causal: Switch = True
    rotary: Switch = True
    """Queries and keys are rotated; not where a model has learned, relative or no positions, or ALiBi."""
    relative_projection: Switch = False
    """A hidden x hidden projection of relative positions in each layer (Transformer-XL)."""
    relative_buckets: WholeOrZero = 0
    """Buckets of relative-position biases, one set of heads for the whole stack (T5)."""


@dataclass(frozen=True, slots=True)
class Mla:
    """Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, sec. 2.1): widths of the latent and the heads."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    kv_lora_rank: Whole
    qk_nope_head_dim: Whole
    qk_rope_head_dim: WholeOrZero
    v_head_dim: Whole
    q_lora_rank: WholeOrZero = 0


@dataclass(frozen=True, slots=True)
class Indexer:
    """A light scorer that picks `top_k` cached tokens for attention to read (DeepSeek-V3.2, sparse attention).

    Blocks that are picked whole count as their tokens. Where entries stand for several tokens (`compression`), `top_k`
    counts entries.
    """

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    heads: Whole
    head_dim: Whole
    top_k: Whole
    dtype: Literal["bf16", "fp8"] = "fp8"
    """What it computes in and caches its keys in, each with one scale; "can be implemented in FP8", sec. 2.1 there."""
    layers: Whole | None = None
    """Layers that score; the others that pick reuse what the last one picked (GLM-5.2, Hy4). None: all of them."""
    dense_layers: WholeOrZero = 0
    """Attention layers that pick nothing and read all tokens (MiniMax-M3)."""
    pool: Whole = 1
    """Tokens that share one key, pooled (Qwen4, GLM-5.3-Flash)."""
    key_matrices: Whole = 1
    """Projections of the hidden state that make a key: two with a gate of pooling, four with two series of keys."""
    head_weights: Switch = True
    """Scores of the heads are summed with learned weights of the token; otherwise as they are (MiniMax-M3, Qwen4)."""


@dataclass(frozen=True, slots=True)
class Compression:
    """Layers whose attention reads, beside its window, one cached entry for each `ratio` tokens (DeepSeek-V4)."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    layers: Whole
    ratio: Whole
    series: Whole = 1
    """Overlapping series that an entry is pooled from: 2 where each half has projections of its own (CSA)."""
    picked: Switch = False
    """The indexer picks `top_k` entries; otherwise all are read (HCA)."""


@dataclass(frozen=True, slots=True)
class Moe:
    """Mixture of experts in every `period`-th layer from `offset` on, after the first `first_dense` layers."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    experts: Whole
    top_k: Whole
    expert_ffn: Whole
    shared_experts: WholeOrZero = 0
    shared_ffn: Whole | None = None
    """Width of one shared expert, where it is not that of a routed one."""
    first_dense: WholeOrZero = 0
    period: Whole = 1
    offset: WholeOrZero = 0
    router_bias: Switch = False
    expert_bias: Switch = False
    shared_gate: Switch = False
    """A learned gate of the shared experts' output."""
    residual_ffn: WholeOrZero = 0
    """Width of a dense network beside the experts in each of their layers (Arctic)."""
    layers: Whole | None = None
    """Layers with experts, spread over the model, where no `period` says which (Nemotron-H, LongCat)."""
    latent: WholeOrZero = 0
    """Width that tokens are projected to before the routed experts, and from after them (Nemotron-3, Kimi-K3)."""
    idle_experts: WholeOrZero = 0
    """Choices of the router that hand a token through without work (LongCat); spread evenly over all choices."""

    @property
    def working(self) -> float:
        """Routed experts that a token uses in each layer, the mean over tokens where some choices are idle. [1]"""
        return self.top_k * self.experts / (self.experts + self.idle_experts) if self.idle_experts else self.top_k


@dataclass(frozen=True, slots=True)
class Ssm:
    """A recurrent mixer that replaces attention in `layers` layers.

    ``mamba2``: state-space duality (arXiv:2405.21060); ``mamba1``: selective state spaces (arXiv:2312.00752);
    ``hgrn``: gated linear recurrence of the MatMul-free model (arXiv:2406.02528); ``gated_delta``: gated delta rule
    (arXiv:2412.06464) with `key_heads` of `state` and value heads of `head_dim`; ``kda``: Kimi delta attention
    (arXiv:2510.26692), which decays each channel by itself; ``lightning``: linear attention with a fixed decay a head
    (MiniMax-01, arXiv:2501.08313, sec. 2.2); ``short_conv``: a gated convolution alone (LFM2).
    """

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    layers: Whole
    state: Whole
    kind: Literal["mamba2", "mamba1", "hgrn", "gated_delta", "kda", "lightning", "short_conv"] = "mamba2"
    head_dim: Whole = 64
    expand: Whole = 2
    groups: Whole = 1
    conv: Whole = 4
    chunk: Whole = 256
    dt_rank: WholeOrZero = 0
    """Rank of the step-size projection (``mamba1``)."""
    inner_norms: Switch = False
    """Norms of step size, B and C (Jamba)."""
    key_heads: WholeOrZero = 0
    value_heads: WholeOrZero = 0
    """Heads, where they are not the expanded width over `head_dim`."""
    gate_rank: WholeOrZero = 0
    """Rank of the output gate's projection (``kda``); 0: it is a full matrix."""
    full_decay: Switch = False
    """The decay's projection is a full matrix as well (Ling 3), not one of the rank `head_dim`."""
    state_dtype: Literal["bf16", "fp32"] | None = None
    """What the recurrent state is kept in; None: what hidden states are."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """A stack of non-causal layers of the decoder's widths, whose output every decoder layer attends to.

    `positions` encoder tokens are fixed (Whisper's frames); without them, the prompt goes through the encoder.
    """

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    layers: Whole
    positions: WholeOrZero = 0
    input_channels: WholeOrZero = 0
    """Channels of the audio features that two convolutions of width 3 turn into tokens (Whisper)."""


@dataclass(frozen=True, slots=True)
class Vision:
    """A network over image patches instead of words: ``vit`` classifies, ``dit`` denoises latents (no KV cache)."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    kind: Literal["vit", "dit"]
    patch: Whole
    patches: Whole
    input_channels: Whole = 3
    output_channels: Whole | None = None
    frequency_width: Whole = 256
    """Width of the sinusoidal step embedding (``dit``)."""


@dataclass(frozen=True, slots=True)
class Streams:
    """Residual streams; each sublayer reads a mixture of them and writes to all (hyper-connections, DeepSeek-V4)."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    count: Whole
    rank: WholeOrZero = 0
    """Rank of the projection that makes the mixture (Qwen4); 0: one number a stream, and a matrix of all pairs."""
    mixes: Switch = True
    """Streams are mixed among each other (a number for each pair of them) as well as read and written."""

    @property
    def numbers(self) -> float:
        """Numbers that say what a sublayer reads of the streams, writes to them, and mixes among them. [1]"""
        return 2 * self.count + (self.count * self.count if self.mixes else 0)


@dataclass(frozen=True, slots=True)
class PerLayer:
    """Embeddings of a token for each layer, added to what the layer gives out (Gemma 3n and 4)."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    width: Whole
    vocab: Whole


@dataclass(frozen=True, slots=True)
class Wide:
    """Layers whose dense network has another width (Gemma 4's doubled ones, networks cut to size layer by layer)."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    layers: Whole
    ffn: Whole


@dataclass(frozen=True, slots=True)
class Tower:
    """An encoder of other media that comes with a language model: it takes memory, and a prompt of text skips it."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    kind: Literal["vision", "audio"]
    parameters: Whole
    """Its weights, with the projection to the width of the language model. [1]"""

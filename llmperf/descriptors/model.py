"""Models: the shape of a transformer, a state-space network, an encoder and decoder, or a vision transformer."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from llmperf.descriptors.fields import FORBID_UNKNOWN_KEYS, Switch, Text, Whole, WholeOrZero
from llmperf.records import dataclass


@dataclass(frozen=True, slots=True)
class Attention:
    """Attention of the layers that have it; `windowed_layers` of them see only the last `window` tokens."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    heads: Whole
    kv_heads: Whole
    head_dim: Whole
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
    qk_rope_head_dim: Whole
    v_head_dim: Whole
    q_lora_rank: WholeOrZero = 0


@dataclass(frozen=True, slots=True)
class Indexer:
    """A light scorer that picks `top_k` cached tokens for attention to read (DeepSeek-V3.2, sparse attention)."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    heads: Whole
    head_dim: Whole
    top_k: Whole
    dtype: Literal["bf16", "fp8"] = "fp8"
    """What it computes in and caches its keys in, each with one scale; "can be implemented in FP8", sec. 2.1 there."""


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


@dataclass(frozen=True, slots=True)
class Ssm:
    """A recurrent mixer that replaces attention in `layers` layers.

    ``mamba2``: state-space duality (arXiv:2405.21060); ``mamba1``: selective state spaces (arXiv:2312.00752);
    ``hgrn``: gated linear recurrence of the MatMul-free model (arXiv:2406.02528); ``gated_delta``: gated delta rule
    (arXiv:2412.06464) with `key_heads` of `state` and value heads of `head_dim`.
    """

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    layers: Whole
    state: Whole
    kind: Literal["mamba2", "mamba1", "hgrn", "gated_delta"] = "mamba2"
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
class Tower:
    """An encoder of other media that comes with a language model: it takes memory, and a prompt of text skips it."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    kind: Literal["vision", "audio"]
    parameters: Whole
    """Its weights, with the projection to the width of the language model. [1]"""


@dataclass(frozen=True, slots=True)
class Bias:
    """Which linear layers carry a bias; `key` tells whether keys do where queries and values do."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    qkv: Switch = False
    key: Switch = True
    o: Switch = False
    mlp: Switch = False
    lm_head: Switch = False


@dataclass(frozen=True, slots=True)
class Official:
    """The vendor's own count; `exact` means it is an exact integer that the shape must reproduce."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    parameters: Whole
    exact: Switch
    source: Text


@dataclass(frozen=True, slots=True)
class Model:
    """The shape of a model."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    name: Text
    family: Text
    layers: Whole
    hidden: Whole
    vocab: Whole
    max_context: Whole
    sources: dict[Text, Text]
    ffn: WholeOrZero = 0
    attention: Attention | None = None
    mla: Mla | None = None
    indexer: Indexer | None = None
    moe: Moe | None = None
    ssm: Ssm | None = None
    encoder: Encoder | None = None
    vision: Vision | None = None
    gated_mlp: Switch = True
    parallel_block: Switch = False
    """Attention and feed-forward network of a layer share their input, and so one sum over devices."""
    sub_norms: Switch = False
    """Norms before the output and the down projection (BitNet)."""
    tied_embeddings: Switch = False
    learned_positions: WholeOrZero = 0
    embedding_norm: Switch = False
    norm: Literal["rmsnorm", "layernorm"] = "rmsnorm"
    norm_bias: Switch = False
    norm_weights: Switch = True
    """Whether norms have learned weights (DiT's have none)."""
    norms_per_layer: WholeOrZero = 2
    bias: Bias = field(default_factory=Bias)
    prediction_layers: WholeOrZero = 0
    """Multi-token-prediction layers that come with the model; counted apart and not run."""
    towers: list[Tower] = field(default_factory=list)
    """Encoders of images and sound that are loaded beside it; counted apart."""
    dtype: Literal["bf16", "fp16", "fp32"] = "bf16"
    released: Text | None = None
    """Weight format of the makers' own checkpoint, where it is not of 16 bits: what the weights are if none are named.
    """
    aliases: list[Text] = field(default_factory=list)
    official: Official | None = None
    notes: Text | None = None

    @property
    def ssm_layers(self) -> float:
        """Layers with a recurrent mixer."""
        return self.ssm.layers if self.ssm else 0

    @property
    def attention_layers(self) -> float:
        """Layers with attention."""
        return self.layers - self.ssm_layers if self.attention else 0

    @property
    def moe_layers(self) -> float:
        """Layers with routed experts."""
        moe = self.moe
        if moe is None:
            return 0
        first = moe.offset + max(-(-(moe.first_dense - moe.offset) // moe.period), 0) * moe.period
        return max(-(-(self.layers - first) // moe.period), 0)

    @property
    def dense_layers(self) -> float:
        """Layers with a dense feed-forward network."""
        return (self.layers - self.moe_layers) if self.ffn else 0

    @property
    def mlp_matrices(self) -> int:
        """Matrices of a feed-forward network: gate, up, down; or up, down."""
        return 3 if self.gated_mlp else 2

    @property
    def generates(self) -> bool:
        """Whether the model generates tokens one after the other."""
        return self.vision is None and (self.attention is None or self.attention.causal)


def contradictions(model: Model) -> list[tuple[str, str]]:
    """What in a model's fields contradicts itself: (path, message) pairs."""
    found: list[tuple[str, str]] = []
    attention, moe, ssm = model.attention, model.moe, model.ssm
    if attention is None and ssm is None:
        found.append(("attention", "a model needs attention, ssm, or both"))
    if (model.mla or model.indexer) and attention is None:
        found.append(("mla", "needs attention: {heads, kv_heads, head_dim}"))
    if model.indexer and not model.mla:
        found.append(("indexer", "is known for latent attention (mla) only"))
    if attention:
        found += _attention_contradictions(model, attention)
    if moe:
        found += _moe_contradictions(model, moe)
    if ssm and ssm.layers > model.layers:
        found.append(("ssm.layers", f"more than the {model.layers} layers"))
    if ssm and ssm.layers < model.layers and attention is None:
        found.append(("attention", "is needed for the layers that ssm does not cover"))
    if ssm and ssm.kind == "mamba1" and not ssm.dt_rank:
        found.append(("ssm.dt_rank", "is needed for mamba1"))
    if ssm and ssm.kind == "gated_delta" and not (ssm.key_heads and ssm.value_heads):
        found.append(("ssm.key_heads", "key_heads and value_heads are needed for gated_delta"))
    if model.encoder and (attention is None or model.mla or moe or ssm):
        found.append(("encoder", "goes with plain attention layers only"))
    return found


def _attention_contradictions(model: Model, attention: Attention) -> list[tuple[str, str]]:
    found = []
    if attention.heads % attention.kv_heads:
        found.append(("attention.kv_heads", f"{attention.kv_heads} does not divide heads {attention.heads}"))
    if attention.windowed_layers > model.attention_layers:
        found.append(("attention.windowed_layers", f"more than the {model.attention_layers} attention layers"))
    if attention.windowed_layers and attention.window is None:
        found.append(("attention.window", "is needed where windowed_layers is given"))
    if attention.windowed_layers and not attention.causal:
        found.append(("attention.windowed_layers", "a window goes with causal attention only"))
    return found


def _moe_contradictions(model: Model, moe: Moe) -> list[tuple[str, str]]:
    found = []
    if moe.top_k > moe.experts:
        found.append(("moe.top_k", f"{moe.top_k} is more than the {moe.experts} experts"))
    if moe.first_dense > model.layers:
        found.append(("moe.first_dense", f"more than the {model.layers} layers"))
    if moe.offset >= moe.period:
        found.append(("moe.offset", f"must be less than the period {moe.period}"))
    if model.moe_layers < model.layers and not model.ffn:
        found.append(("ffn", "is needed for the layers without experts"))
    return found

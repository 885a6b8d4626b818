"""Models: the shape of a transformer or state-space network, and exact parameter counts from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from llmperf.descriptors.fields import FORBID_UNKNOWN_KEYS, Switch, Text, Whole, WholeOrZero


@dataclass(frozen=True, slots=True)
class Attention:
    """Attention of the layers that have it; `windowed_layers` of them see only the last `window` tokens."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    heads: Whole
    kv_heads: Whole
    head_dim: Whole
    window: Whole | None = None
    windowed_layers: WholeOrZero = 0
    qk_norm: Switch = False
    softcap: Switch = False


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
class Moe:
    """Mixture of experts in all but the first `first_dense` layers."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    experts: Whole
    top_k: Whole
    expert_ffn: Whole
    shared_experts: WholeOrZero = 0
    first_dense: WholeOrZero = 0
    router_bias: Switch = False


@dataclass(frozen=True, slots=True)
class Ssm:
    """Mamba-2 state-space mixer (arXiv:2405.21060): replaces attention in `layers` layers."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    layers: Whole
    state: Whole
    head_dim: Whole
    expand: Whole = 2
    groups: Whole = 1
    conv: Whole = 4
    chunk: Whole = 256


@dataclass(frozen=True, slots=True)
class Bias:
    """Which linear layers carry a bias."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    qkv: Switch = False
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
    """The shape of a decoder-only language model."""

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
    moe: Moe | None = None
    ssm: Ssm | None = None
    gated_mlp: Switch = True
    tied_embeddings: Switch = False
    learned_positions: WholeOrZero = 0
    embedding_norm: Switch = False
    norm: Literal["rmsnorm", "layernorm"] = "rmsnorm"
    norm_bias: Switch = False
    norms_per_layer: Whole = 2
    bias: Bias = field(default_factory=Bias)
    dtype: Literal["bf16", "fp16", "fp32"] = "bf16"
    aliases: list[Text] = field(default_factory=list)
    official: Official | None = None
    notes: Text | None = None

    @property
    def ssm_layers(self) -> float:
        """Layers with a state-space mixer."""
        return self.ssm.layers if self.ssm else 0

    @property
    def attention_layers(self) -> float:
        """Layers with attention."""
        return self.layers - self.ssm_layers if self.attention else 0

    @property
    def moe_layers(self) -> float:
        """Layers with routed experts."""
        return self.layers - self.moe.first_dense if self.moe else 0

    @property
    def dense_layers(self) -> float:
        """Layers with a dense feed-forward network."""
        return (self.layers - self.moe_layers) if self.ffn else 0

    @property
    def mlp_matrices(self) -> int:
        """Matrices of a feed-forward network: gate, up, down; or up, down."""
        return 3 if self.gated_mlp else 2


def contradictions(model: Model) -> list[tuple[str, str]]:
    """What in a model's fields contradicts itself: (path, message) pairs."""
    found: list[tuple[str, str]] = []
    attention, moe = model.attention, model.moe
    if attention is None and model.ssm is None:
        found.append(("attention", "a model needs attention, ssm, or both"))
    if model.mla and attention is None:
        found.append(("mla", "needs attention: {heads, kv_heads, head_dim}"))
    if attention and attention.heads % attention.kv_heads:
        found.append(("attention.kv_heads", f"{attention.kv_heads} does not divide heads {attention.heads}"))
    if attention and attention.windowed_layers > model.attention_layers:
        found.append(("attention.windowed_layers", f"more than the {model.attention_layers} attention layers"))
    if attention and attention.windowed_layers and attention.window is None:
        found.append(("attention.window", "is needed where windowed_layers is given"))
    if moe and moe.top_k > moe.experts:
        found.append(("moe.top_k", f"{moe.top_k} is more than the {moe.experts} experts"))
    if moe and moe.first_dense > model.layers:
        found.append(("moe.first_dense", f"more than the {model.layers} layers"))
    if moe and moe.first_dense and not model.ffn:
        found.append(("ffn", "is needed for the dense first layers"))
    if model.ssm and model.ssm.layers > model.layers:
        found.append(("ssm.layers", f"more than the {model.layers} layers"))
    if model.ssm and model.ssm.layers < model.layers and attention is None:
        found.append(("attention", "is needed for the layers that ssm does not cover"))
    return found


def attention_parameters(model: Model) -> float:
    """Parameters of one attention layer, norms on queries and keys included."""
    attention, hidden = model.attention, model.hidden
    if attention is None:
        return 0
    heads, bias = attention.heads, model.bias
    if model.mla:
        mla = model.mla
        qk = mla.qk_nope_head_dim + mla.qk_rope_head_dim
        query = (
            hidden * mla.q_lora_rank + mla.q_lora_rank + mla.q_lora_rank * heads * qk
            if mla.q_lora_rank
            else hidden * heads * qk
        )
        latent = hidden * (mla.kv_lora_rank + mla.qk_rope_head_dim) + mla.kv_lora_rank
        expand = mla.kv_lora_rank * heads * (mla.qk_nope_head_dim + mla.v_head_dim)
        return query + latent + expand + heads * mla.v_head_dim * hidden
    q, kv = heads * attention.head_dim, attention.kv_heads * attention.head_dim
    matrices = hidden * (q + 2 * kv) + q * hidden
    biases = (q + 2 * kv if bias.qkv else 0) + (hidden if bias.o else 0)
    return matrices + biases + (2 * attention.head_dim if attention.qk_norm else 0)


def mlp_parameters(model: Model, width: float) -> float:
    """Parameters of one feed-forward network of inner width `width`."""
    matrices = model.mlp_matrices * model.hidden * width
    return matrices + ((model.mlp_matrices - 1) * width + model.hidden if model.bias.mlp else 0)


def ssm_parameters(model: Model) -> float:
    """Parameters of one Mamba-2 mixer (its inner norm included), as in state-spaces/mamba `Mamba2`."""
    ssm = model.ssm
    if ssm is None:
        return 0
    inner = ssm.expand * model.hidden
    heads = inner // ssm.head_dim
    channels = inner + 2 * ssm.groups * ssm.state
    projection = model.hidden * (2 * inner + 2 * ssm.groups * ssm.state + heads)
    return projection + channels * (ssm.conv + 1) + 3 * heads + inner + inner * model.hidden


def norm_parameters(model: Model) -> float:
    """Parameters of one norm over the hidden width."""
    return model.hidden * (2 if model.norm_bias else 1)


def moe_parameters(model: Model, experts: float) -> float:
    """Parameters of one MoE feed-forward layer with `experts` routed experts; router and shared experts included."""
    moe = model.moe
    if moe is None:
        return 0
    router = model.hidden * moe.experts + (moe.experts if moe.router_bias else 0)
    return router + (experts + moe.shared_experts) * mlp_parameters(model, moe.expert_ffn)


def _count(model: Model, experts: float, input_embedding: bool) -> float:
    embedding = model.vocab * model.hidden
    tables = embedding * ((1 if input_embedding else 0) + (0 if model.tied_embeddings and input_embedding else 1))
    tables += (model.learned_positions * model.hidden if input_embedding else 0) + (
        model.vocab if model.bias.lm_head else 0
    )
    mixers = model.attention_layers * attention_parameters(model) + model.ssm_layers * ssm_parameters(model)
    networks = model.dense_layers * mlp_parameters(model, model.ffn) + model.moe_layers * moe_parameters(model, experts)
    norms = (model.layers * model.norms_per_layer + 1 + (1 if model.embedding_norm else 0)) * norm_parameters(model)
    return tables + mixers + networks + norms


def parameters(model: Model) -> int:
    """Parameters of the whole model, as the vendor counts them (multi-token-prediction heads excluded)."""
    return int(_count(model, model.moe.experts if model.moe else 0, input_embedding=True))


def active_parameters(model: Model, input_embedding: bool = True) -> int:
    """Parameters that one token uses: `top_k` experts a layer, with or without the input embedding."""
    return int(_count(model, model.moe.top_k if model.moe else 0, input_embedding))

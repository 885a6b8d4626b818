"""Models: the shape of a transformer, a state-space network, an encoder and decoder, or a vision transformer."""

from __future__ import annotations

from dataclasses import field, replace
from typing import Literal

from llmperf.descriptors.fields import FORBID_UNKNOWN_KEYS, Fraction, Switch, Text, Whole, WholeOrZero
from llmperf.descriptors.layers import (
    Attention,
    Compression,
    Encoder,
    Indexer,
    Mla,
    Moe,
    PerLayer,
    Ssm,
    Streams,
    Tower,
    Vision,
    Wide,
)
from llmperf.descriptors.weights import Part
from llmperf.records import dataclass


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
    ffn_layers: Whole | None = None
    """Layers with a dense network, where that is not each without experts (Nemotron-H, LongCat)."""
    ffn_widths: list[Wide] = field(default_factory=list)
    """Layers among these whose network has another width than `ffn`."""
    attention: Attention | None = None
    mla: Mla | None = None
    indexer: Indexer | None = None
    compression: list[Compression] = field(default_factory=list)
    """Classes of layers that read compressed entries; all attention layers keep their window beside these."""
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
    streams: Streams | None = None
    per_layer: PerLayer | None = None
    prediction_layers: WholeOrZero = 0
    """Multi-token-prediction layers that come with the model; counted apart and not run."""
    towers: list[Tower] = field(default_factory=list)
    """Encoders of images and sound that are loaded beside it; counted apart."""
    dtype: Literal["bf16", "fp16", "fp32"] = "bf16"
    released: Text | None = None
    """Weight format of the makers' own checkpoint, where it is not of 16 bits: what the weights are if none are named.
    """
    released_keeps: dict[Part, Fraction] = field(default_factory=dict)
    """Share of the layers whose modules of a kind stay unquantized in that checkpoint."""
    quantized_ffn: WholeOrZero = 0
    """Feed-forward width of the makers' checkpoints in integers, which they pad so that blocks divide (0: `ffn`)."""
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
        if self.attention is None:
            return 0
        return self.layers - self.ssm_layers if self.attention.layers is None else self.attention.layers

    @property
    def moe_layers(self) -> float:
        """Layers with routed experts."""
        moe = self.moe
        if moe is None:
            return 0
        if moe.layers is not None:
            return moe.layers
        first = moe.offset + max(-(-(moe.first_dense - moe.offset) // moe.period), 0) * moe.period
        return max(-(-(self.layers - first) // moe.period), 0)

    @property
    def dense_layers(self) -> float:
        """Layers with a dense feed-forward network."""
        if not self.ffn:
            return 0
        return self.layers - self.moe_layers if self.ffn_layers is None else self.ffn_layers

    @property
    def dense_widths(self) -> list[tuple[float, float]]:
        """Layers with a dense feed-forward network and its width, class by class."""
        others = [(float(part.layers), float(part.ffn)) for part in self.ffn_widths]
        usual = self.dense_layers - sum([layers for layers, _ in others])
        return [(usual, self.ffn), *others]

    @property
    def mlp_matrices(self) -> int:
        """Matrices of a feed-forward network: gate, up, down; or up, down."""
        return 3 if self.gated_mlp else 2

    @property
    def generates(self) -> bool:
        """Whether the model generates tokens one after the other."""
        return self.vision is None and (self.attention is None or self.attention.causal)


@dataclass(frozen=True, slots=True)
class Group:
    """Attention layers of one shape.

    Attributes
    ----------
    model : Model
        The model as if all its attention layers were of this shape.
    layers, windowed : float
        Layers of the group, and those of them with a window. [1]
    prefix : str
        What names its operators beside those of other groups.
    keeps : bool
        Whether its layers have keys and values of their own.
    """

    model: Model
    layers: float
    windowed: float
    prefix: str = ""
    keeps: bool = True


def groups(model: Model) -> tuple[Group, ...]:
    """The attention layers of a model, group by group; those without a window come first."""
    attention = model.attention
    if attention is None:
        return ()
    windowed = attention.windowed_layers
    if attention.windowed is None and not (attention.reusing_layers or attention.reusing_windowed):
        return (Group(model, model.attention_layers, windowed),)
    wide = _all(model, replace(attention, windowed=None, window=None, windowed_layers=0))
    narrow = _all(model, _narrow(attention))
    full = model.attention_layers - windowed
    found = (
        Group(wide, full - attention.reusing_layers, 0),
        Group(narrow, windowed - attention.reusing_windowed, windowed - attention.reusing_windowed, "windowed_"),
        Group(wide, attention.reusing_layers, 0, "reusing_", keeps=False),
        Group(narrow, attention.reusing_windowed, attention.reusing_windowed, "windowed_reusing_", keeps=False),
    )
    return tuple(group for group in found if group.layers)


def _narrow(attention: Attention) -> Attention:
    """Attention of the layers with a window."""
    own = attention.windowed
    if own is None:
        return attention
    return replace(
        attention,
        heads=own.heads,
        kv_heads=own.kv_heads,
        head_dim=own.head_dim,
        v_head_dim=own.v_head_dim,
        sinks=own.sinks,
        windowed=None,
        shared_kv=False,
    )


def _all(model: Model, attention: Attention) -> Model:
    return replace(model, attention=replace(attention, reusing_layers=0, reusing_windowed=0))


def picking_layers(model: Model) -> float:
    """Attention layers that read only what an indexer picked. [1]"""
    if model.indexer is None or model.attention is None:
        return 0
    if model.compression:
        return sum([part.layers for part in model.compression if part.picked])
    return model.attention_layers - model.attention.windowed_layers - model.indexer.dense_layers


def scoring_layers(model: Model) -> float:
    """Layers whose indexer scores; the other picking layers reuse what it picked. [1]"""
    if model.indexer is None:
        return 0
    return picking_layers(model) if model.indexer.layers is None else model.indexer.layers


def index_input(model: Model) -> float:
    """Width that queries of an indexer are projected from: that of compressed queries, or the hidden state's. [1]"""
    low = model.mla.q_lora_rank if model.mla else model.attention.query_rank if model.attention else 0
    return low or model.hidden


def contradictions(model: Model) -> list[tuple[str, str]]:
    """What in a model's fields contradicts itself: (path, message) pairs."""
    found: list[tuple[str, str]] = []
    attention, moe, ssm = model.attention, model.moe, model.ssm
    if attention is None and ssm is None:
        found.append(("attention", "a model needs attention, ssm, or both"))
    if (model.mla or model.indexer) and attention is None:
        found.append(("mla", "needs attention: {heads, kv_heads, head_dim}"))
    if model.indexer and attention is None:
        found.append(("indexer", "needs attention: {heads, kv_heads, head_dim}"))
    if attention:
        found += _attention_contradictions(model, attention)
    if moe:
        found += _moe_contradictions(model, moe)
    if ssm and ssm.layers > model.layers:
        found.append(("ssm.layers", f"more than the {model.layers} layers"))
    if ssm and ssm.layers < model.layers and attention is None and not model.ffn_layers:
        found.append(("attention", "is needed for the layers that ssm does not cover"))
    if ssm and ssm.kind == "mamba1" and not ssm.dt_rank:
        found.append(("ssm.dt_rank", "is needed for mamba1"))
    if ssm and ssm.kind == "gated_delta" and not (ssm.key_heads and ssm.value_heads):
        found.append(("ssm.key_heads", "key_heads and value_heads are needed for gated_delta"))
    if ssm and ssm.kind in ("kda", "lightning") and not ssm.value_heads:
        found.append(("ssm.value_heads", f"is needed for {ssm.kind}"))
    if model.encoder and (attention is None or model.mla or moe or ssm):
        found.append(("encoder", "goes with plain attention layers only"))
    return found


def _attention_contradictions(model: Model, attention: Attention) -> list[tuple[str, str]]:
    found = _special_attention(model, attention)
    if attention.heads % attention.kv_heads:
        found.append(("attention.kv_heads", f"{attention.kv_heads} does not divide heads {attention.heads}"))
    if attention.windowed_layers > model.attention_layers:
        found.append(("attention.windowed_layers", f"more than the {model.attention_layers} attention layers"))
    if attention.windowed_layers and attention.window is None:
        found.append(("attention.window", "is needed where windowed_layers is given"))
    if attention.windowed_layers and not attention.causal:
        found.append(("attention.windowed_layers", "a window goes with causal attention only"))
    return found


def _special_attention(model: Model, attention: Attention) -> list[tuple[str, str]]:
    found = []
    windowed, full = attention.windowed_layers, model.attention_layers - attention.windowed_layers
    if attention.windowed and attention.windowed.heads % attention.windowed.kv_heads:
        found.append(("attention.windowed.kv_heads", f"does not divide heads {attention.windowed.heads}"))
    if attention.windowed and (model.mla or not windowed):
        found.append(("attention.windowed", "goes with windowed_layers, and not with latent attention (mla)"))
    if attention.reusing_layers and attention.reusing_layers >= full:
        found.append(("attention.reusing_layers", f"must leave one of the {full} layers without a window"))
    if attention.reusing_windowed and attention.reusing_windowed >= windowed:
        found.append(("attention.reusing_windowed", f"must leave one of the {windowed} windowed layers"))
    if (attention.reusing_layers or attention.reusing_windowed) and (model.mla or model.encoder):
        found.append(("attention.reusing_layers", "goes with plain attention layers only"))
    if model.indexer and model.indexer.dense_layers + (model.indexer.layers or 0) > full and not model.compression:
        found.append(("indexer.layers", f"more, with dense_layers, than the {full} layers without a window"))
    if model.compression and (model.mla or not attention.shared_kv or windowed != model.attention_layers):
        found.append(("compression", "needs attention with shared_kv and a window in each of its layers, without mla"))
    if any(part.picked for part in model.compression) and not model.indexer:
        found.append(("indexer", "is needed where entries of compression are picked"))
    return found


def _moe_contradictions(model: Model, moe: Moe) -> list[tuple[str, str]]:
    found = []
    if moe.top_k > moe.experts:
        found.append(("moe.top_k", f"{moe.top_k} is more than the {moe.experts} experts"))
    if moe.first_dense > model.layers:
        found.append(("moe.first_dense", f"more than the {model.layers} layers"))
    if moe.offset >= moe.period:
        found.append(("moe.offset", f"must be less than the period {moe.period}"))
    if moe.layers is None and model.moe_layers < model.layers and not model.ffn:
        found.append(("ffn", "is needed for the layers without experts"))
    return found

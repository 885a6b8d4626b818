"""Exact parameter counts from a model's shape."""

from __future__ import annotations

from llmperf.descriptors.layers import Ssm
from llmperf.descriptors.model import Model, groups, index_input, scoring_layers


def parameters(model: Model) -> int:
    """Parameters of the whole model, as the vendor counts them (multi-token-prediction layers excluded)."""
    return int(_count(model, model.moe.experts if model.moe else 0, input_embedding=True))


def active_parameters(model: Model, input_embedding: bool = True) -> int:
    """Parameters that one token uses: `top_k` experts a layer, with or without the input embedding."""
    return int(_count(model, model.moe.working if model.moe else 0, input_embedding, lookups=input_embedding))


def prediction_parameters(model: Model) -> int:
    """Parameters of the multi-token-prediction layers: a projection of two hidden states, norms, and a layer each."""
    experts = model.moe.experts if model.moe else 0
    network = moe(model, experts) if model.moe else mlp(model, model.ffn)
    norms = (model.norms_per_layer + 3) * norm(model)
    attending = groups(model)[0].model if model.attention else model
    layer = attention(attending) + (indexer(model) if model.indexer else 0)
    return int(model.prediction_layers * (2 * model.hidden**2 + layer + network + norms))


def tower_parameters(model: Model) -> int:
    """Parameters of the encoders of other media that are loaded beside a language model."""
    return int(sum([tower.parameters for tower in model.towers]))


def _count(model: Model, experts: float, input_embedding: bool, lookups: bool = True) -> float:
    if model.vision:
        return vision(model)
    embedding = model.vocab * model.hidden
    tables = embedding * ((1 if input_embedding else 0) + (0 if model.tied_embeddings and input_embedding else 1))
    tables += model.vocab if model.bias.lm_head else 0
    tables += model.learned_positions * model.hidden if input_embedding else 0
    mixers = attentions(model) + model.ssm_layers * ssm(model)
    networks = sum(layers * mlp(model, width) for layers, width in model.dense_widths) if model.ffn else 0
    networks += model.moe_layers * moe(model, experts)
    norms = (model.layers * model.norms_per_layer + 1 + (1 if model.embedding_norm else 0)) * norm(model)
    beside = encoder(model) + once(model) + streams(model) + per_layer(model, lookups)
    return tables + mixers + networks + norms + beside


def once(model: Model) -> float:
    """Parameters of an attention stack that are there once: relative-position biases."""
    return model.attention.relative_buckets * model.attention.heads if model.attention else 0


def norm(model: Model) -> float:
    """Parameters of one norm over the hidden width."""
    return model.hidden * (2 if model.norm_bias else 1) if model.norm_weights else 0


def attentions(model: Model) -> float:
    """Parameters of all attention layers, with those of indexers and of compressed entries."""
    found = sum(group.layers * attention(group.model, group.keeps) for group in groups(model))
    entries = sum(part.layers * compression(model, part.ratio, part.series) for part in model.compression)
    return found + scoring_layers(model) * indexer(model) + entries


def attention(model: Model, keeps: bool = True) -> float:
    """Parameters of one attention layer, norms on queries and keys included; `keeps`: it has keys and values."""
    part, hidden = model.attention, model.hidden
    if part is None:
        return 0
    if model.mla:
        return latent_attention(model)
    q, values = part.heads * part.head_dim, part.heads * (part.v_head_dim or part.head_dim)
    kv = part.kv_heads * part.head_dim
    value = 0 if part.shared_kv else part.kv_heads * (part.v_head_dim or part.head_dim)
    if not keeps:
        kv, value = 0, 0
    query = hidden * part.query_rank + part.query_rank + part.query_rank * q if part.query_rank else hidden * q
    rank = part.output_rank * part.output_groups
    output = values * part.output_rank + rank * hidden if part.output_rank else values * hidden
    gate = (hidden * values if part.output_gate else 0) + (hidden * part.heads if part.head_gate else 0)
    matrices = query + hidden * (kv + value) + output + gate + (hidden * hidden if part.relative_projection else 0)
    biases = (q + value + (kv if model.bias.key else 0) if model.bias.qkv else 0) + (hidden if model.bias.o else 0)
    over = q + kv if part.qk_norm_over == "all" else (2 if keeps else 1) * part.head_dim
    norms = (over if part.qk_norm else 0) + (q if model.sub_norms else 0)
    return matrices + biases + norms + (part.heads if part.sinks else 0)


def latent_attention(model: Model) -> float:
    """Parameters of one latent attention layer."""
    mla, part, hidden = model.mla, model.attention, model.hidden
    if mla is None or part is None:
        return 0
    qk = mla.qk_nope_head_dim + mla.qk_rope_head_dim
    low, values = mla.q_lora_rank, part.heads * mla.v_head_dim
    query = hidden * low + low + low * part.heads * qk if low else hidden * part.heads * qk
    latent = hidden * (mla.kv_lora_rank + mla.qk_rope_head_dim) + mla.kv_lora_rank
    expand = mla.kv_lora_rank * part.heads * (mla.qk_nope_head_dim + mla.v_head_dim)
    gate = (hidden * values if part.output_gate else 0) + (hidden * part.heads if part.head_gate else 0)
    return query + latent + expand + values * hidden + gate + (part.heads if part.sinks else 0)


def indexer(model: Model) -> float:
    """Parameters of the indexer of one layer: query and key projections, the key's norm, weights of the heads."""
    part = model.indexer
    if part is None:
        return 0
    query = index_input(model) * part.heads * part.head_dim
    keys = model.hidden * part.key_matrices * part.head_dim + 2 * part.head_dim
    return query + keys + (model.hidden * part.heads if part.head_weights else 0)


def compression(model: Model, ratio: float, series: float) -> float:
    """Parameters that make the compressed entries of one layer: keys, gates, position biases, a norm.

    As transformers `DeepseekV4CSACompressor` and `DeepseekV4HCACompressor`.
    """
    if model.attention is None:
        return 0
    width = model.attention.kv_heads * model.attention.head_dim
    return 2 * model.hidden * series * width + ratio * series * width + width


def mlp(model: Model, width: float, inputs: float = 0) -> float:
    """Parameters of one feed-forward network of inner width `width`, from and to the hidden width or `inputs`."""
    outer = inputs or model.hidden
    matrices = model.mlp_matrices * outer * width
    biases = (model.mlp_matrices - 1) * width + outer if model.bias.mlp else 0
    return matrices + biases + (width if model.sub_norms else 0)


def moe(model: Model, experts: float) -> float:
    """Parameters of one MoE layer's networks with `experts` routed experts; router and shared experts included."""
    part = model.moe
    if part is None:
        return 0
    choices = part.experts + part.idle_experts
    router = model.hidden * choices + (choices if part.router_bias else 0)
    expert = mlp(model, part.expert_ffn, part.latent)
    if part.expert_bias and not model.bias.mlp:
        expert += (model.mlp_matrices - 1) * part.expert_ffn + (part.latent or model.hidden)
    shared = part.shared_experts * mlp(model, part.shared_ffn or part.expert_ffn)
    gate = model.hidden if part.shared_gate else 0
    residual = mlp(model, part.residual_ffn) if part.residual_ffn else 0
    return router + experts * expert + shared + gate + residual + 2 * model.hidden * part.latent


def streams(model: Model) -> float:
    """Parameters of all mixtures of residual streams: two a layer, and one before the head."""
    part = model.streams
    if part is None:
        return 0
    width = part.count * model.hidden
    if part.rank:  # as transformers `Qwen4ExpTextGatedResidual`
        last = width + 2 * width * part.rank
        return 2 * model.layers * (last + width * part.count) + last
    # as transformers `DeepseekV4HyperConnection` and `DeepseekV4HyperHead`; Hy4's mixes no streams
    numbers = part.numbers
    sublayer = numbers * width + numbers + (3 if part.mixes else 2)
    return 2 * model.layers * sublayer + part.count * width + part.count + 1


def per_layer(model: Model, lookups: bool = True) -> float:
    """Parameters of per-layer embeddings (transformers `Gemma4TextModel`): tables, one projection, and two a layer."""
    part = model.per_layer
    if part is None:
        return 0
    wide = model.layers * part.width
    once_only = model.hidden * wide + part.width
    each = 2 * model.hidden * part.width + norm(model)
    return (part.vocab * wide if lookups else 0) + once_only + model.layers * each


def ssm(model: Model) -> float:
    """Parameters of one recurrent mixer, inner norms included."""
    part = model.ssm
    if part is None:
        return 0
    return _MIXERS[part.kind](model.hidden, part)


def _mamba2(hidden: float, part: Ssm) -> float:
    """As state-spaces/mamba `Mamba2`: projections, convolution, step size, A, D, and the gated norm."""
    heads = part.value_heads or part.expand * hidden // part.head_dim
    inner = heads * part.head_dim
    channels = inner + 2 * part.groups * part.state
    return hidden * (inner + channels + heads) + channels * (part.conv + 1) + 3 * heads + inner + inner * hidden


def _mamba1(hidden: float, part: Ssm) -> float:
    """As state-spaces/mamba `Mamba`: projections, convolution, low-rank step size, A, D; Jamba norms three of them."""
    inner = part.expand * hidden
    low = part.dt_rank
    inputs = 2 * hidden * inner + inner * (part.conv + 1) + inner * (low + 2 * part.state)
    norms = low + 2 * part.state if part.inner_norms else 0
    return inputs + low * inner + inner + inner * part.state + inner + norms + inner * hidden


def _hgrn(hidden: float, part: Ssm) -> float:
    """As ridgerchu/matmulfreellm `HGRNBitAttention`: input, forget and gate projections, output, the gated norm; every
    ternary layer norms its input, the first of the feed-forward network included.
    """
    inner = part.expand * hidden
    return 4 * hidden * inner + inner + 4 * hidden + inner


def _gated_delta(hidden: float, part: Ssm) -> float:
    """As transformers `Qwen3NextGatedDeltaNet`: queries, keys, values, gate; decay and step size; convolution; norm."""
    keys, values = part.key_heads * part.state, part.value_heads * part.head_dim
    mixed = 2 * keys + values
    inputs = hidden * (mixed + values + 2 * part.value_heads)
    return inputs + mixed * part.conv + 2 * part.value_heads + part.head_dim + values * hidden


def _kda(hidden: float, part: Ssm) -> float:
    """As transformers `KimiLinearDeltaAttention`: queries, keys, values; decay of low rank, step size, gate; norm."""
    inner = part.value_heads * part.head_dim
    low = hidden * inner if part.full_decay else hidden * part.head_dim + part.head_dim * inner
    gate = hidden * part.gate_rank + part.gate_rank * inner if part.gate_rank else hidden * inner
    small = 3 * inner * part.conv + inner + part.value_heads + part.head_dim
    return 3 * hidden * inner + low + hidden * part.value_heads + gate + small + inner * hidden


def _lightning(hidden: float, part: Ssm) -> float:
    """As transformers `MiniMaxLightningAttention`: queries, keys, values, gate, norm, output."""
    inner = part.value_heads * part.head_dim
    return 5 * hidden * inner + inner


def _short_conv(hidden: float, part: Ssm) -> float:
    """As transformers `Lfm2ShortConv`: three projections in one, the convolution, the output."""
    return 4 * hidden * hidden + part.conv * hidden


_MIXERS = {
    "mamba2": _mamba2,
    "mamba1": _mamba1,
    "hgrn": _hgrn,
    "gated_delta": _gated_delta,
    "kda": _kda,
    "lightning": _lightning,
    "short_conv": _short_conv,
}


def encoder(model: Model) -> float:
    """Parameters of an encoder, and of the decoder's attention to its output."""
    part = model.encoder
    if part is None:
        return 0
    layer = attention(model) + mlp(model, model.ffn) + 2 * norm(model)
    cross = model.layers * (attention(model) + norm(model))
    audio = 0.0
    if part.input_channels:
        audio = 3 * part.input_channels * model.hidden + 3 * model.hidden**2 + 2 * model.hidden
    positions = part.positions * model.hidden
    return part.layers * layer + norm(model) + cross + audio + positions + once(model)


def vision(model: Model) -> float:
    """Parameters of a vision transformer, patch embedding and head included."""
    part, hidden = model.vision, model.hidden
    if part is None:
        return 0
    pixels = part.patch**2 * part.input_channels
    layer = attention(model) + mlp(model, model.ffn) + model.norms_per_layer * norm(model)
    body = model.layers * layer + pixels * hidden + hidden
    if part.kind == "vit":  # class token, positions, final norm, classifier
        return body + hidden + (part.patches + 1) * hidden + norm(model) + hidden * model.vocab + model.vocab
    modulation = model.layers * (6 * hidden * hidden + 6 * hidden)
    step = part.frequency_width * hidden + hidden + hidden * hidden + hidden
    labels = (model.vocab + 1) * hidden
    final = 2 * hidden * hidden + 2 * hidden
    output = part.patch**2 * (part.output_channels or part.input_channels)
    return body + modulation + step + labels + final + hidden * output + output + part.patches * hidden

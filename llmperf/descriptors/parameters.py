"""Exact parameter counts from a model's shape."""

from __future__ import annotations

from llmperf.descriptors.model import Model, Ssm


def parameters(model: Model) -> int:
    """Parameters of the whole model, as the vendor counts them (multi-token-prediction layers excluded)."""
    return int(_count(model, model.moe.experts if model.moe else 0, input_embedding=True))


def active_parameters(model: Model, input_embedding: bool = True) -> int:
    """Parameters that one token uses: `top_k` experts a layer, with or without the input embedding."""
    return int(_count(model, model.moe.top_k if model.moe else 0, input_embedding))


def prediction_parameters(model: Model) -> int:
    """Parameters of the multi-token-prediction layers: a projection of two hidden states, norms, and a layer each."""
    experts = model.moe.experts if model.moe else 0
    network = moe(model, experts) if model.moe else mlp(model, model.ffn)
    norms = (model.norms_per_layer + 3) * norm(model)
    return int(model.prediction_layers * (2 * model.hidden**2 + attention(model) + network + norms))


def tower_parameters(model: Model) -> int:
    """Parameters of the encoders of other media that are loaded beside a language model."""
    return int(sum([tower.parameters for tower in model.towers]))


def _count(model: Model, experts: float, input_embedding: bool) -> float:
    if model.vision:
        return vision(model)
    embedding = model.vocab * model.hidden
    tables = embedding * ((1 if input_embedding else 0) + (0 if model.tied_embeddings and input_embedding else 1))
    tables += model.vocab if model.bias.lm_head else 0
    tables += model.learned_positions * model.hidden if input_embedding else 0
    mixers = model.attention_layers * attention(model) + model.ssm_layers * ssm(model)
    networks = model.dense_layers * mlp(model, model.ffn) + model.moe_layers * moe(model, experts)
    norms = (model.layers * model.norms_per_layer + 1 + (1 if model.embedding_norm else 0)) * norm(model)
    return tables + mixers + networks + norms + encoder(model) + once(model)


def once(model: Model) -> float:
    """Parameters of an attention stack that are there once: relative-position biases."""
    return model.attention.relative_buckets * model.attention.heads if model.attention else 0


def norm(model: Model) -> float:
    """Parameters of one norm over the hidden width."""
    return model.hidden * (2 if model.norm_bias else 1) if model.norm_weights else 0


def attention(model: Model) -> float:
    """Parameters of one attention layer, norms on queries and keys included."""
    part, hidden = model.attention, model.hidden
    if part is None:
        return 0
    if model.mla:
        return latent_attention(model) + indexer(model)
    q, kv = part.heads * part.head_dim, part.kv_heads * part.head_dim
    gate = hidden * q if part.output_gate else 0
    matrices = hidden * (q + 2 * kv) + q * hidden + gate + (hidden * hidden if part.relative_projection else 0)
    biases = (q + kv + (kv if model.bias.key else 0) if model.bias.qkv else 0) + (hidden if model.bias.o else 0)
    over = q + kv if part.qk_norm_over == "all" else 2 * part.head_dim
    norms = (over if part.qk_norm else 0) + (q if model.sub_norms else 0)
    return matrices + biases + norms + (part.heads if part.sinks else 0)


def latent_attention(model: Model) -> float:
    """Parameters of one latent attention layer."""
    mla, part, hidden = model.mla, model.attention, model.hidden
    if mla is None or part is None:
        return 0
    qk = mla.qk_nope_head_dim + mla.qk_rope_head_dim
    low = mla.q_lora_rank
    query = hidden * low + low + low * part.heads * qk if low else hidden * part.heads * qk
    latent = hidden * (mla.kv_lora_rank + mla.qk_rope_head_dim) + mla.kv_lora_rank
    expand = mla.kv_lora_rank * part.heads * (mla.qk_nope_head_dim + mla.v_head_dim)
    return query + latent + expand + part.heads * mla.v_head_dim * hidden


def indexer(model: Model) -> float:
    """Parameters of the indexer of one layer: query and key projections, the key's norm, weights of the heads."""
    part, mla = model.indexer, model.mla
    if part is None or mla is None:
        return 0
    query = (mla.q_lora_rank or model.hidden) * part.heads * part.head_dim
    return query + model.hidden * part.head_dim + 2 * part.head_dim + model.hidden * part.heads


def mlp(model: Model, width: float) -> float:
    """Parameters of one feed-forward network of inner width `width`."""
    matrices = model.mlp_matrices * model.hidden * width
    biases = (model.mlp_matrices - 1) * width + model.hidden if model.bias.mlp else 0
    return matrices + biases + (width if model.sub_norms else 0)


def moe(model: Model, experts: float) -> float:
    """Parameters of one MoE layer's networks with `experts` routed experts; router and shared experts included."""
    part = model.moe
    if part is None:
        return 0
    router = model.hidden * part.experts + (part.experts if part.router_bias else 0)
    expert = mlp(model, part.expert_ffn)
    if part.expert_bias and not model.bias.mlp:
        expert += (model.mlp_matrices - 1) * part.expert_ffn + model.hidden
    shared = part.shared_experts * mlp(model, part.shared_ffn or part.expert_ffn)
    gate = model.hidden if part.shared_gate else 0
    residual = mlp(model, part.residual_ffn) if part.residual_ffn else 0
    return router + experts * expert + shared + gate + residual


def ssm(model: Model) -> float:
    """Parameters of one recurrent mixer, inner norms included."""
    part = model.ssm
    if part is None:
        return 0
    counts = {"mamba2": _mamba2, "mamba1": _mamba1, "hgrn": _hgrn, "gated_delta": _gated_delta}
    return counts[part.kind](model.hidden, part)


def _mamba2(hidden: float, part: Ssm) -> float:
    """As state-spaces/mamba `Mamba2`: projections, convolution, step size, A, D, and the gated norm."""
    inner = part.expand * hidden
    heads = inner // part.head_dim
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

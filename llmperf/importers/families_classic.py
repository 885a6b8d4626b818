"""Decoders with layer norms: GPT-2 and its descendants, and those whose attention and network run side by side."""

from __future__ import annotations

from llmperf.importers.parts import (
    Shape,
    attention,
    context,
    decoder,
    divided,
    layernorm_style,
    plain_heads,
    window,
)
from llmperf.importers.reader import Reader

ALIBI = "its positions are biases of the scores, without a limit of their own"


def gpt2(read: Reader) -> Shape:
    """GPT-2."""
    hidden = read.whole("n_embd", "hidden_size")
    heads = read.whole("n_head", "num_attention_heads")
    positions = read.whole("n_positions", "max_position_embeddings")
    read.ignore("n_ctx")  # a duplicate of n_positions that transformers does not read
    read.must_be("add_cross_attention", False, False, "attention to an encoder")
    return {
        "layers": read.whole("n_layer", "num_hidden_layers"),
        "hidden": hidden,
        "vocab": read.whole("vocab_size"),
        "max_context": positions,
        "learned_positions": positions,
        "ffn": read.optional("n_inner") or 4 * hidden,
        "attention": plain_heads(read, hidden, heads),
        "tied_embeddings": read.switch("tie_word_embeddings", True),
        **layernorm_style(True),
    }


def gpt_bigcode(read: Reader) -> Shape:
    """GPT-BigCode (StarCoder): GPT-2 with one key-value head."""
    model = gpt2(read)
    if read.switch("multi_query", True):
        model["attention"]["kv_heads"] = 1
    read.ignore("attention_softmax_in_fp32", "inference_runner", "runner_max_sequence_length", "max_sequence_length")
    return model


def gptj(read: Reader) -> Shape:
    """GPT-J: rotary positions, parallel blocks, biases in the network and the output head only."""
    model = gpt2(read)
    del model["learned_positions"]
    read.ignore("rotary_dim")
    tied = read.switch("tie_word_embeddings", False)
    return {
        **model,
        "tied_embeddings": tied,
        "parallel_block": True,
        "norms_per_layer": 1,
        "bias": {"mlp": True, "lm_head": True},
    }


def gpt_neox(read: Reader) -> Shape:
    """GPT-NeoX and Pythia: parallel blocks with a norm for each branch."""
    model = decoder(read)
    model["attention"] = plain_heads(read, model["hidden"], read.whole("num_attention_heads"))
    style = layernorm_style(True)
    biased = read.switch("attention_bias", True)
    style["bias"].update(qkv=biased, o=biased)
    return {**model, **style, "parallel_block": read.switch("use_parallel_residual", True)}


def opt(read: Reader) -> Shape:
    """OPT."""
    hidden, heads = read.whole("hidden_size"), read.whole("num_attention_heads")
    positions = read.whole("max_position_embeddings")
    projected = read.optional("word_embed_proj_dim")
    if projected not in (None, hidden) and "hidden_size" not in read.missing:
        read.problem("word_embed_proj_dim", f"{projected} is not modelled: it must equal hidden_size {hidden}")
    read.must_be("layer_norm_elementwise_affine", True, True, "norms without weights")
    if read.switch("_remove_final_layer_norm", False) or not read.switch("do_layer_norm_before", True):
        read.warnings.append(f"the model has no final norm, but one is counted: {2 * hidden} parameters too many")
    return {
        "layers": read.whole("num_hidden_layers"),
        "hidden": hidden,
        "vocab": read.whole("vocab_size"),
        "max_context": positions,
        "learned_positions": positions + 2,  # OPTLearnedPositionalEmbedding: two rows of offset, left by padding
        "ffn": read.whole("ffn_dim"),
        "attention": plain_heads(read, hidden, heads),
        "tied_embeddings": read.switch("tie_word_embeddings", True),
        **layernorm_style(read.switch("enable_bias", True)),
    }


def bloom(read: Reader) -> Shape:
    """BLOOM: a norm after the embedding."""
    hidden = read.whole("hidden_size", "n_embed")
    read.must_be("apply_residual_connection_post_layernorm", False, False, "residuals after the norm")
    read.ignore("attention_softmax_in_fp32", "masked_softmax_fusion", "skip_bias_add", "skip_bias_add_qkv")
    read.ignore("offset_alibi", "bias_dropout_fusion", "unk_token_id")
    inner = read.optional("n_inner")
    if inner not in (None, 4 * hidden) and not read.missing:
        read.problem("n_inner", f"{inner} is not modelled: transformers takes four times hidden_size {hidden}")
    return {
        "layers": read.whole("n_layer", "num_hidden_layers"),
        "hidden": hidden,
        "vocab": read.whole("vocab_size"),
        "max_context": context(read, 2048, ALIBI, "seq_length"),
        "ffn": 4 * hidden,
        "attention": {**plain_heads(read, hidden, read.whole("n_head", "num_attention_heads")), "rotary": False},
        "tied_embeddings": read.switch("tie_word_embeddings", True),
        "embedding_norm": True,
        **layernorm_style(True),
    }


def falcon(read: Reader) -> Shape:
    """Falcon: parallel blocks; one key-value head, or groups in the new decoder architecture."""
    hidden = read.whole("hidden_size")
    heads = read.whole("num_attention_heads", "n_head")
    new = read.switch("new_decoder_architecture", False)
    grouped = read.whole("num_kv_heads", "n_head_kv") if new else heads
    read.ignore("num_kv_heads", "n_head_kv")  # written, but not read, by the old architecture
    single = not new and read.switch("multi_query", True)
    read.ignore("multi_query", "attention_softmax_in_fp32")
    rotary = not read.switch("alibi", False)
    parallel = new or read.switch("parallel_attn", True)
    read.ignore("parallel_attn")
    given = read.optional("num_ln_in_parallel_attn")
    norms = (given or 2) if new else (1 if parallel else 2)
    style = layernorm_style(read.switch("bias", False))
    return {
        "layers": read.whole("num_hidden_layers", "n_layer"),
        "hidden": hidden,
        "vocab": read.whole("vocab_size"),
        "max_context": context(read, 2048, "its training length", "max_position_embeddings"),
        "ffn": read.optional("ffn_hidden_size") or 4 * hidden,
        "attention": {**plain_heads(read, hidden, heads), "kv_heads": 1 if single else grouped, "rotary": rotary},
        "tied_embeddings": read.switch("tie_word_embeddings", True),
        "parallel_block": parallel,
        "norms_per_layer": norms,
        **style,
    }


def mpt(read: Reader) -> Shape:
    """MPT: no biases at all; attention options sit in ``attn_config``."""
    hidden, heads = read.whole("d_model", "hidden_size"), read.whole("n_heads", "num_attention_heads")
    options = read.nested("attn_config")
    options.must_be("qk_ln", False, False, "norms on queries and keys")
    options.must_be("prefix_lm", False, False, "a prefix that sees itself whole")
    kind = options.text("attn_type") or "multihead_attention"
    groups = options.optional("kv_n_heads") or heads
    part = {**plain_heads(read, hidden, heads), "kv_heads": 1 if kind == "multiquery_attention" else groups}
    part["rotary"] = False
    positions = read.whole("max_seq_len")
    learned = read.switch("learned_pos_emb", True) and not options.switch("alibi", True)
    biased = not read.switch("no_bias", True)
    ratio = read.optional("expansion_ratio") or 4
    norm = read.text("norm_type")
    if norm not in (None, "low_precision_layernorm", "layernorm"):
        read.problem("norm_type", f"{norm} is not modelled", ("low_precision_layernorm", "layernorm"))
    return {
        "layers": read.whole("n_layers", "num_hidden_layers"),
        "hidden": hidden,
        "vocab": read.whole("vocab_size"),
        "max_context": positions,
        "learned_positions": positions if learned else 0,
        "ffn": ratio * hidden,
        "attention": part,
        "tied_embeddings": read.switch("tie_word_embeddings", True),
        **layernorm_style(biased),
        "norm_bias": biased,
    }


def phi(read: Reader) -> Shape:
    """Phi-1, 1.5 and 2: parallel blocks with one norm, biases everywhere."""
    model = decoder(read)
    model["attention"] = attention(read, model["hidden"])
    read.must_be("qk_layernorm", False, False, "layer norms on queries and keys")
    return {**model, **layernorm_style(True, head=True), "parallel_block": True, "norms_per_layer": 1}


def stablelm(read: Reader) -> Shape:
    """StableLM: layer norms around gated networks."""
    model = decoder(read)
    part = attention(read, model["hidden"])
    if read.switch("qk_layernorm", False):
        part.update(qk_norm=True, qk_norm_over="all")  # a norm for each head, each with its own weights
    parallel = read.switch("use_parallel_residual", False)
    return {
        **model,
        "attention": part,
        "norm": "layernorm",
        "norm_bias": True,
        "parallel_block": parallel,
        "norms_per_layer": 1 if parallel else 2,
        "bias": {"qkv": read.switch("use_qkv_bias", False)},
    }


def starcoder2(read: Reader) -> Shape:
    """StarCoder2: grouped queries, a window in every layer."""
    model = decoder(read, tied=True)
    model["attention"] = attention(read, model["hidden"], kv_heads=2)
    model["attention"].update(window(read, model, default=None, rule=model["layers"]))
    kind = read.text("mlp_type") or "default"
    if kind != "default":
        read.problem("mlp_type", f"{kind} is not modelled", ("default",))
    read.ignore("norm_type", "layer_norm_eps")
    return {**model, **layernorm_style(read.switch("use_bias", True))}


def cohere(read: Reader) -> Shape:
    """Command R: parallel blocks with one norm without bias, tied embeddings."""
    model = decoder(read, tied=True)
    part = attention(read, model["hidden"])
    if read.switch("use_qk_norm", False):
        part.update(qk_norm=True, qk_norm_over="all")  # a norm for each head, each with its own weights
    biased = read.switch("attention_bias", False)
    style = {"norm": "layernorm", "parallel_block": True, "norms_per_layer": 1}
    return {**model, "attention": part, **style, "bias": {"qkv": biased, "o": biased}}


def cohere2(read: Reader) -> Shape:
    """Command R7B and Command A: Cohere's block, three of four layers with a window."""
    model = cohere(read)
    pattern = read.optional("sliding_window_pattern") or read.optional("_sliding_window_pattern") or 4
    read.ignore("sliding_window_pattern", "_sliding_window_pattern", "order_of_interleaved_layers", "layer_switch")
    model["attention"].update(window(read, model, default=4096, rule=model["layers"] - model["layers"] // pattern))
    return model


def nemotron(read: Reader) -> Shape:
    """Nemotron-4 and Minitron: squared ReLU without a gate, layer norms with biases."""
    hidden = read.whole("hidden_size")
    model = decoder(read)
    heads = read.whole("num_attention_heads")
    biased = read.switch("attention_bias", False)
    width = read.optional("head_dim") or read.optional("kv_channels") or divided(read, hidden, heads)
    read.ignore("head_dim", "kv_channels")
    model["attention"] = {"heads": heads, "kv_heads": read.optional("num_key_value_heads") or heads, "head_dim": width}
    style = layernorm_style(False)
    return {**model, **style, "bias": {"qkv": biased, "o": biased, "mlp": read.switch("mlp_bias", False)}}

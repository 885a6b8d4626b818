"""Models with an encoder: T5, Whisper, and those that are encoders alone: BERT, ViT."""

from __future__ import annotations

from collections.abc import Mapping

from llmperf.errors import shown
from llmperf.importers.parts import Shape, context, divided, layernorm_style, plain_heads
from llmperf.importers.reader import Reader


def t5(read: Reader) -> Shape:
    """T5, FLAN-T5 and mT5: relative-position biases; an encoder of the decoder's widths."""
    hidden, heads = read.whole("d_model", "hidden_size"), read.whole("num_heads", "num_attention_heads")
    encoder = read.whole("num_layers", "num_hidden_layers")
    projection = read.text("feed_forward_proj") or "relu"
    read.ignore("dense_act_fn", "is_gated_act", "relative_attention_max_distance", "is_encoder_decoder")
    buckets = read.optional("relative_attention_num_buckets") or 32
    width = read.optional("d_kv") or divided(read, hidden, heads)
    return {
        "layers": read.optional("num_decoder_layers") or encoder,
        "hidden": hidden,
        "vocab": read.whole("vocab_size"),
        "max_context": context(read, 512, "its training length", "n_positions"),
        "ffn": read.whole("d_ff"),
        "attention": {"heads": heads, "kv_heads": heads, "head_dim": width, "relative_buckets": buckets},
        "encoder": {"layers": encoder},
        "gated_mlp": projection.startswith("gated-"),
        "tied_embeddings": read.switch("tie_word_embeddings", True),
    }


def mt5(read: Reader) -> Shape:
    """mT5: T5 with a gated network by default, and untied embeddings."""
    model = t5(read)
    gated = model["gated_mlp"] if read.has("feed_forward_proj") else True
    return {**model, "gated_mlp": gated, "tied_embeddings": read.switch("tie_word_embeddings", False)}


def whisper(read: Reader) -> Shape:
    """Whisper: an encoder of audio frames, a decoder of text."""
    hidden, heads = read.whole("d_model", "hidden_size"), read.whole("decoder_attention_heads")
    layers, ffn = read.whole("decoder_layers"), read.whole("decoder_ffn_dim")
    for key, wanted in (("encoder_attention_heads", heads), ("encoder_ffn_dim", ffn)):
        if (given := read.whole(key)) != wanted and not read.missing:
            read.problem(key, f"{given} is not modelled: it must be the decoder's {wanted}")
    read.ignore("num_hidden_layers", "encoder_layerdrop", "decoder_layerdrop", "num_attention_heads")
    read.ignore("is_encoder_decoder", "mask_feature_min_masks", "classifier_proj_size", "use_weighted_layer_sum")
    positions = read.whole("max_target_positions")
    style = layernorm_style(True)
    style["bias"]["key"] = False
    return {
        "layers": layers,
        "hidden": hidden,
        "vocab": read.whole("vocab_size"),
        "max_context": positions,
        "learned_positions": positions,
        "ffn": ffn,
        "attention": plain_heads(read, hidden, heads),
        "encoder": {
            "layers": read.whole("encoder_layers"),
            "positions": read.whole("max_source_positions"),
            "input_channels": read.whole("num_mel_bins"),
        },
        "tied_embeddings": read.switch("tie_word_embeddings", True),
        **style,
    }


def vit(read: Reader) -> Shape:
    """ViT for classification."""
    hidden, heads = read.whole("hidden_size"), read.whole("num_attention_heads")
    image, patch = read.whole("image_size"), read.whole("patch_size")
    patches = (image // patch) ** 2
    labels = read.config.get("id2label")
    read.ignore("id2label", "label2id", "encoder_stride", "pooler_act", "pooler_output_size")
    if labels is not None and not isinstance(labels, Mapping):
        read.problem("id2label", f"{shown(labels)} is not a mapping")
    named = len(labels) if isinstance(labels, Mapping) else 0
    style = layernorm_style(True)
    style["bias"]["qkv"] = read.switch("qkv_bias", True)
    return {
        "layers": read.whole("num_hidden_layers"),
        "hidden": hidden,
        "vocab": named or read.whole("num_labels"),
        "max_context": patches + 1,
        "ffn": read.whole("intermediate_size"),
        "attention": {**plain_heads(read, hidden, heads), "causal": False, "rotary": False},
        "vision": {
            "kind": "vit",
            "patch": patch,
            "patches": max(patches, 1),
            "input_channels": read.optional("num_channels") or 3,
        },
        **style,
    }


def bert(read: Reader) -> Shape:
    """BERT, RoBERTa and XLM-R: encoders of text; their last norms are each layer's own."""
    hidden, heads = read.whole("hidden_size"), read.whole("num_attention_heads")
    positions = read.whole("max_position_embeddings")
    kinds = read.default("type_vocab_size", 2)
    read.must_be("is_decoder", False, False, "a decoder of this family")
    read.must_be("add_cross_attention", False, False, "attention to an encoder")
    scheme = read.text("position_embedding_type") or "absolute"
    if scheme != "absolute":
        read.problem("position_embedding_type", f"{shown(scheme)} is not modelled", ("absolute",))
    read.ignore("classifier_dropout", "id2label", "label2id", "gradient_checkpointing")
    read.ignore("pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers", "pooler_type")
    read.ignore("pooler_size_per_head", "directionality")
    read.warn("architectures", "the pooler or the head on top is left out; an output head of no own weights is priced")
    return {
        "layers": read.whole("num_hidden_layers"),
        "hidden": hidden,
        "vocab": read.whole("vocab_size"),
        "max_context": positions,
        "learned_positions": positions + kinds,  # kinds of token have a table of their own beside that of positions
        "ffn": read.whole("intermediate_size"),
        "attention": {**plain_heads(read, hidden, heads), "causal": False},
        "tied_embeddings": True,
        # The norm after the embedding is counted as the final one, which these models do not have.
        **layernorm_style(True),
    }

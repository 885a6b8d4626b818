"""Dense decoders of the Llama lineage: root-mean-square norms and gated networks."""

from __future__ import annotations

from llmperf.importers.parts import (
    Shape,
    attention,
    decoder,
    divided,
    layer_types,
    plain_heads,
    window,
)
from llmperf.importers.reader import Reader


def llama(read: Reader) -> Shape:
    """Llama; Yi, Granite and DeepSeek-Coder have its shape."""
    model = decoder(read)
    model["attention"] = attention(read, model["hidden"])
    biased = read.switch("attention_bias", False)
    model["bias"] = {"qkv": biased, "o": biased, "mlp": read.switch("mlp_bias", False)}
    return model


def mistral(read: Reader) -> Shape:
    """Mistral: grouped queries, and in its first version a window in every layer."""
    model = decoder(read)
    model["attention"] = attention(read, model["hidden"], kv_heads=8)
    model["attention"].update(window(read, model, default=4096, rule=model["layers"]))
    read.no_bias("attention_bias", "mlp_bias")
    return model


def qwen_window(read: Reader, model: Shape) -> Shape:
    """Qwen's window: off by default, and then only in the layers above ``max_window_layers``."""
    used = read.switch("use_sliding_window", False)
    full = read.optional("max_window_layers", least=0)
    return window(read, model, default=4096, rule=model["layers"] - (28 if full is None else full), used=used)


def qwen2(read: Reader) -> Shape:
    """Qwen1.5, Qwen2 and Qwen2.5, and the language model of the vision models of that name."""
    model = decoder(read)
    model["attention"] = attention(read, model["hidden"], kv_heads=32)
    model["attention"].update(qwen_window(read, model))
    return {**model, "bias": {"qkv": True}}


def qwen3(read: Reader) -> Shape:
    """Qwen3: norms on queries and keys."""
    model = decoder(read)
    model["attention"] = {**attention(read, model["hidden"], kv_heads=32, head_dim=128), "qk_norm": True}
    model["attention"].update(qwen_window(read, model))
    biased = read.switch("attention_bias", False)
    return {**model, "bias": {"qkv": biased, "o": biased}}


def gemma(read: Reader) -> Shape:
    """Gemma: wide heads, tied embeddings."""
    model = decoder(read, tied=True)
    model["attention"] = attention(read, model["hidden"], kv_heads=16, head_dim=256)
    biased = read.switch("attention_bias", False)
    return {**model, "bias": {"qkv": biased, "o": biased}}


def gemma2(read: Reader) -> Shape:
    """Gemma 2: every other layer has a window; scores are capped; four norms a layer."""
    model = decoder(read, tied=True)
    part = attention(read, model["hidden"], kv_heads=4, head_dim=256)
    # Layers 0, 2, 4, ... have the window, so an odd number of layers has one more with it than without.
    part.update(window(read, model, default=4096, rule=(model["layers"] + 1) // 2))
    part["softcap"] = not read.is_null("attn_logit_softcapping")
    read.ignore("sliding_window_size")  # a duplicate of sliding_window that transformers does not read
    biased = read.switch("attention_bias", False)
    return {**model, "attention": part, "norms_per_layer": 4, "bias": {"qkv": biased, "o": biased}}


def gemma3(read: Reader) -> Shape:
    """Gemma 3: five of six layers have a window; norms on queries and keys; four norms a layer."""
    layers, hidden = read.whole("num_hidden_layers"), read.whole("hidden_size")
    # The text part of the multimodal models leaves out what equals the defaults of Gemma3TextConfig.
    model: Shape = {
        "layers": layers,
        "hidden": hidden,
        "vocab": read.default("vocab_size", 262208),
        "max_context": read.default("max_position_embeddings", 131072),
        "ffn": read.whole("intermediate_size"),
        "tied_embeddings": read.switch("tie_word_embeddings", True),
        "norms_per_layer": 4,
    }
    pattern = read.optional("sliding_window_pattern") or read.optional("_sliding_window_pattern") or 6
    read.ignore("sliding_window_pattern", "_sliding_window_pattern")
    part = {
        "heads": read.default("num_attention_heads", 8),
        "kv_heads": read.default("num_key_value_heads", 4),
        "head_dim": read.optional("head_dim") or 256,
        "qk_norm": True,
        "softcap": read.has("attn_logit_softcapping"),
    }
    part.update(window(read, model, default=4096, rule=layers - layers // pattern))
    read.must_be("use_bidirectional_attention", False, False, "attention to what follows")
    biased = read.switch("attention_bias", False)
    return {**model, "attention": part, "bias": {"qkv": biased, "o": biased}}


def glm(read: Reader) -> Shape:
    """GLM-4 in the keys of transformers: biases on queries, keys and values only."""
    model = decoder(read)
    model["attention"] = attention(read, model["hidden"], kv_heads=2, head_dim=128)
    return {**model, "bias": {"qkv": read.switch("attention_bias", True)}}


def glm4(read: Reader) -> Shape:
    """GLM-4-0414: GLM-4 with norms also after attention and after the network."""
    model = {**glm(read), "norms_per_layer": 4}
    model["bias"] = {"qkv": read.switch("attention_bias", False)}
    return model


def chatglm(read: Reader) -> Shape:
    """ChatGLM2, ChatGLM3 and GLM-4 in their own keys."""
    hidden, heads = read.whole("hidden_size"), read.whole("num_attention_heads")
    biased = read.switch("add_bias_linear", False)
    groups = read.optional("multi_query_group_num") or 1
    read.must_be("post_layer_norm", True, True, "no norm before the output head")
    read.must_be("apply_residual_connection_post_layernorm", False, False, "residuals after the norm")
    read.must_be("rmsnorm", True, True, "layer norms in this family")
    read.ignore("num_hidden_layers", "apply_query_key_layer_scaling")
    model: Shape = {
        "layers": read.whole("num_layers"),
        "hidden": hidden,
        "vocab": read.whole("padded_vocab_size", "vocab_size"),
        "max_context": read.whole("seq_length"),
        "ffn": read.whole("ffn_hidden_size"),
        "tied_embeddings": read.switch("tie_word_embeddings", False),
        "bias": {"qkv": biased or read.switch("add_qkv_bias", False), "o": biased, "mlp": biased},
    }
    model["attention"] = {
        "heads": heads,
        "kv_heads": groups if read.switch("multi_query_attention", False) else heads,
        "head_dim": read.optional("kv_channels") or divided(read, hidden, heads),
    }
    return model


def phi3(read: Reader) -> Shape:
    """Phi-3 and Phi-4."""
    model = decoder(read)
    model["attention"] = attention(read, model["hidden"])
    model["attention"].update(window(read, model, default=None, rule=model["layers"]))
    read.no_bias("attention_bias", "mlp_bias")
    if read.has("vision_lora") or read.has("speech_lora"):
        read.warn("vision_lora", "only the language model is imported; encoders and their adapters are left out")
    return model


def internlm2(read: Reader) -> Shape:
    """InternLM2 and 2.5: one key for the biases of attention."""
    model = decoder(read)
    model["attention"] = attention(read, model["hidden"])
    biased = read.switch("bias", False)
    return {**model, "bias": {"qkv": biased, "o": biased}}


def baichuan(read: Reader) -> Shape:
    """Baichuan and Baichuan2; the 13B models have no rotary positions and name their context otherwise."""
    hidden = read.whole("hidden_size")
    model: Shape = {
        "layers": read.whole("num_hidden_layers"),
        "hidden": hidden,
        "vocab": read.whole("vocab_size"),
        "max_context": read.whole("max_position_embeddings", "model_max_length"),
        "ffn": read.whole("intermediate_size"),
        "tied_embeddings": read.switch("tie_word_embeddings", False),
    }
    return {**model, "attention": plain_heads(read, hidden, read.whole("num_attention_heads"))}


def olmo(read: Reader) -> Shape:
    """OLMo: layer norms without weights."""
    model = decoder(read)
    model["attention"] = attention(read, model["hidden"])
    biased = read.switch("attention_bias", False)
    return {**model, "norm": "layernorm", "norm_weights": False, "bias": {"qkv": biased, "o": biased}}


def olmo2(read: Reader) -> Shape:
    """OLMo 2 and 3: norms after each block, and on all queries and keys; OLMo 3 has windows in three of four layers."""
    model = decoder(read)
    model["attention"] = {**attention(read, model["hidden"]), "qk_norm": True, "qk_norm_over": "all"}
    model["attention"].update(window(read, model, default=None, rule=model["layers"] - model["layers"] // 4))
    biased = read.switch("attention_bias", False)
    return {**model, "bias": {"qkv": biased, "o": biased}}


def smollm3(read: Reader) -> Shape:
    """SmolLM3: Llama, a quarter of its layers without rotary positions."""
    model = decoder(read, tied=True)
    model["attention"] = attention(read, model["hidden"], kv_heads=4)
    model["attention"].update(qwen_window(read, model))
    read.ignore("no_rope_layers", "no_rope_layer_interval")  # rotary positions have no parameters
    biased = read.switch("attention_bias", False)
    return {**model, "bias": {"qkv": biased, "o": biased, "mlp": read.switch("mlp_bias", False)}}


def exaone(read: Reader) -> Shape:
    """EXAONE 3 and 3.5: Llama under other names."""
    hidden = read.whole("hidden_size")
    model: Shape = {
        "layers": read.whole("num_layers", "num_hidden_layers"),
        "hidden": hidden,
        "vocab": read.whole("vocab_size"),
        "max_context": read.whole("max_position_embeddings"),
        "ffn": read.whole("intermediate_size"),
        "tied_embeddings": read.switch("tie_word_embeddings", False),
    }
    return {**model, "attention": attention(read, hidden)}


def exaone4(read: Reader) -> Shape:
    """EXAONE 4: norms after each block and on queries and keys; in the 32B model three of four layers have a window."""
    model = decoder(read)
    model["attention"] = {**attention(read, model["hidden"]), "qk_norm": True}
    read.ignore("sliding_window_pattern")
    if read.has("sliding_window") and layer_types(read, model["layers"]) is None:
        read.missing.append("layer_types")
    model["attention"].update(window(read, model, default=None, rule=0))
    read.must_be("reorder_and_qk_norm", True, True, "norms in another order")
    return model


def bitnet(read: Reader) -> Shape:
    """BitNet b1.58: norms before the output and the down projection."""
    model = decoder(read, tied=True)
    model["attention"] = attention(read, model["hidden"])
    read.no_bias("attention_bias", "mlp_bias")
    read.ignore("weight_bits", "input_bits")
    if not read.has("quantization_config"):
        read.warn("weight_bits", "weights are ternary; choose a weight format of as many bits as the engine stores")
    return {**model, "sub_norms": True}

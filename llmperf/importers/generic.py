"""Architectures without a mapping of their own: estimated as a plain decoder, or refused for keys that forbid it."""

from __future__ import annotations

from collections.abc import Iterable

from llmperf.errors import Problem, nearest, shown
from llmperf.importers.parts import Shape, attention, predictions, window
from llmperf.importers.reader import FOREIGN_WORDS, Reader, printable

USUAL = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
"""Keys without which nothing can be estimated."""

NO_DECODER = ("ForMaskedLM", "Classification", "ForQuestionAnswering", "ForCTC", "Detection", "Segmentation")
"""Ends of the names of architectures that do not generate text."""

POSITIONS = ("max_position_embeddings", "max_sequence_length", "seq_length", "model_max_length", "max_seq_len")
ASSUMED_CONTEXT = 4096


def is_plain(read: Reader, name: object) -> bool:
    """Whether a config has what a plain decoder needs, and does not call itself something else."""
    if not isinstance(name, str) or name.endswith(NO_DECODER) or read.config.get("is_encoder_decoder") is True:
        return False
    return all(read.has(key) for key in USUAL)


def plain_decoder(read: Reader, known: Iterable[str]) -> Shape:
    """A decoder of the usual keys; one warning lists what was assumed. `known` are architectures with a mapping."""
    assumed: list[str] = []
    hidden = read.whole("hidden_size")
    model: Shape = {
        "layers": read.whole("num_hidden_layers"),
        "hidden": hidden,
        "vocab": read.whole("vocab_size"),
        "max_context": _context(read, assumed),
        "ffn": read.whole("intermediate_size", "ffn_hidden_size", "ffn_dim", "n_inner"),
        "tied_embeddings": _stated(read, "tie_word_embeddings", "untied embeddings", assumed),
    }
    part = attention(read, hidden)
    if not read.has("num_key_value_heads"):
        assumed.append("as many key-value heads as query heads")
    if read.switch("use_qk_norm", False) or read.switch("qk_layernorm", False):
        part["qk_norm"] = True
        assumed.append("norms on queries and keys a head wide")
    read.ignore("use_qk_norm", "qk_layernorm")
    used = read.switch("use_sliding_window", True)
    part.update(window(read, model, default=None, rule=model["layers"], used=used))
    if read.config.get("layer_types") is None and part.get("windowed_layers"):
        assumed.append("a window in every layer")
    model["attention"] = part
    model.update(_norms(read, assumed), bias=_biases(read, assumed))
    model.update(predictions(read))
    assumed.append("two norms a layer, attention before the feed-forward network")
    assumed.append(f"a gated MLP (activation {shown(read.config.get('hidden_act'))})")
    _foreign(read, tuple(known))
    read.warn(
        "architectures", f"{shown(read.architecture)} has no mapping of its own; assumed are {'; '.join(assumed)}"
    )
    return model


def _context(read: Reader, assumed: list[str]) -> int:
    read.ignore(*POSITIONS)
    for key in POSITIONS:
        if read.has(key):
            return read.optional(key) or ASSUMED_CONTEXT
    assumed.append(f"a longest context of {ASSUMED_CONTEXT}")
    return ASSUMED_CONTEXT


def _stated(read: Reader, key: str, otherwise: str, assumed: list[str]) -> bool:
    if not read.has(key):
        assumed.append(otherwise)
    return read.switch(key, False)


def _norms(read: Reader, assumed: list[str]) -> Shape:
    """Layer norms only where the config speaks of nothing else."""
    layernorm = any(read.has(key) for key in ("layer_norm_eps", "layer_norm_epsilon", "layernorm_epsilon"))
    if layernorm and not read.has("rms_norm_eps"):
        assumed.append("layer norms with biases")
        return {"norm": "layernorm", "norm_bias": True}
    assumed.append("rmsnorm")
    return {}


def _biases(read: Reader, assumed: list[str]) -> Shape:
    """Biases that the config states."""
    all_linear = read.switch("use_bias", False) or read.switch("bias", False)
    qkv = read.switch("attention_bias", False) or read.switch("qkv_bias", False) or read.switch("use_qkv_bias", False)
    output = read.switch("attention_out_bias", read.switch("attention_bias", False))
    mlp = read.switch("mlp_bias", False)
    read.ignore("use_bias", "bias", "qkv_bias", "use_qkv_bias")
    if not (all_linear or qkv or mlp):
        assumed.append("no biases")
    return {"qkv": qkv or all_linear, "o": output or all_linear, "mlp": mlp or all_linear}


def _foreign(read: Reader, known: tuple[str, ...]) -> None:
    """Refuse keys of parts that a plain decoder does not have."""
    read.ignore("max_window_layers" if not read.config.get("use_sliding_window") else "use_sliding_window")
    keys = [key for key in read.strangers(FOREIGN_WORDS) if read.config[key] not in (None, False, 0, "", [], {})]
    if not keys:
        return
    read.ignore(*keys)
    near = nearest(read.architecture, known)
    message = f"{shown(read.architecture)} is not known, and no plain decoder: {', '.join(map(printable, keys))}"
    read.problems.append(Problem(message, "architectures", read.file, allowed=known, suggestion=near))
    for key in keys:
        read.problem(printable(key), f"changes the shape in a way that is not known for {shown(read.architecture)}")

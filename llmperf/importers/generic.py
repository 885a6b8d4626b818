"""Architectures without a mapping of their own: read by the keys that decoders share, or refused in one line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from llmperf.errors import Problem, nearest, shown
from llmperf.importers.parts import Shape
from llmperf.importers.reader import FOREIGN_WORDS, HOW, Reader, printable
from llmperf.importers.standard import UNGATED, Traits, decoder

USUAL = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
"""Keys without which nothing can be estimated."""

OTHERS = {
    "hidden_size": ("n_embd", "d_model", "dim_model"),
    "num_hidden_layers": ("num_layers", "n_layer", "n_layers", "decoder_layers"),
    "num_attention_heads": ("n_head", "n_heads", "num_heads", "attention_heads", "decoder_attention_heads"),
    "intermediate_size": ("n_inner", "ffn_dim", "dim_ff", "dff", "ffn_hidden_size", "decoder_ffn_dim"),
    "max_position_embeddings": ("n_positions", "n_ctx"),
    "head_dim": ("dim_head",),
    "hidden_act": ("activation_function", "afn", "hidden_activation"),
}
"""What older architectures call these keys."""

NO_DECODER = (
    "JetMoeForCausalLM",
    "ForMaskedLM",
    "Classification",
    "ForQuestionAnswering",
    "ForCTC",
    "Detection",
    "Segmentation",
)
"""Ends of the names of architectures that do not generate text, or not as their keys say (JetMoE's experts attend)."""

TYPO = 0.94
"""How alike a known architecture is that was meant. [1]"""


def renamed(read: Reader) -> None:
    """Give the keys of older architectures the names that the others have."""
    own: dict[str, Any] = {}
    for key, others in OTHERS.items():
        there = [name for name in others if read.has(name)]
        if not read.has(key) and there:
            own[key] = read.config[there[0]]
            read.ignore(there[0])
    if own:
        read.config = {**read.config, **own}


def is_plain(read: Reader, name: object) -> bool:
    """Whether a config has what a decoder needs, and does not call itself something else."""
    if not isinstance(name, str) or name.endswith(NO_DECODER) or read.config.get("is_encoder_decoder") is True:
        return False
    return all(any(read.has(one) for one in (key, *OTHERS.get(key, ()))) for key in USUAL)


def not_mapped(read: Reader, named: object, known: Iterable[str]) -> Problem:
    """Why an architecture is refused that has no mapping and not the keys of a decoder: one line, with a way on."""
    if named is None:
        message = "neither architectures nor model_type says what the model is"
    else:
        message = f"architecture {shown(named)} is not supported"
    if isinstance(named, str) and not named.endswith(NO_DECODER):
        absent = [key for key in USUAL if not any(read.has(one) for one in (key, *OTHERS.get(key, ())))]
        message += f", and the config lacks {', '.join(absent)}" if absent else ""
    near = nearest(named, known, TYPO) if isinstance(named, str) else None
    hint = f"did you mean {near}? Otherwise {HOW}" if near else HOW
    return Problem(message, "architectures", read.file, suggestion=hint)


def refused(read: Reader) -> Problem | None:
    """All that is wrong with a config that no mapping knows, in one line; None where nothing is."""
    if not (read.problems or read.missing):
        return None
    parts = [f"it lacks {', '.join(dict.fromkeys(read.missing))}"] if read.missing else []
    parts += [f"{problem.path.removeprefix(read.prefix)}: {problem.message}" for problem in read.problems]
    more = f"; and {len(parts) - 3} more" if len(parts) > 3 else ""
    message = f"{shown(read.architecture)} has no mapping, and is no decoder of the usual keys: {'; '.join(parts[:3])}"
    return Problem(message + more, "architectures", read.file, suggestion=HOW)


def plain_decoder(read: Reader, known: Iterable[str]) -> Shape:
    """A decoder of the usual keys; one warning lists what was assumed. `known` are architectures with a mapping."""
    del known
    renamed(read)
    assumed: list[str] = []
    norm = read.switch("use_qk_norm", False) or read.switch("qk_layernorm", False)
    read.ignore("use_qk_norm", "qk_layernorm", "hidden_act", "activation_function")
    layernorm = _layernorm(read)
    ungated = _ungated(read, layernorm)
    if not any(read.has(key) for key in ("intermediate_size", "moe_intermediate_size")):
        read.config = {**read.config, "intermediate_size": 4 * (read.optional("hidden_size") or 1)}
        assumed.append("a network of four times the hidden width")
    if not read.has("tie_word_embeddings"):
        assumed.append("untied embeddings")
    if not read.has("num_key_value_heads") and not read.has("kv_lora_rank"):
        assumed.append("as many key-value heads as query heads")
    model = decoder(read, Traits(qk_norm="head" if norm else "", ungated=ungated))
    if layernorm:
        model.update(norm="layernorm", norm_bias=True)
    _foreign(read)
    assumed += _assumed(read, model, norm, layernorm)
    said = f"{shown(read.architecture)} has no mapping of its own; assumed are {'; '.join(assumed)}"
    read.warn("architectures", said)
    return model


def _layernorm(read: Reader) -> bool:
    """Layer norms only where the config speaks of nothing else."""
    keys = ("layer_norm_eps", "layer_norm_epsilon", "layernorm_epsilon", "norm_epsilon", *OTHERS["hidden_act"][:2])
    return any(read.has(key) for key in keys) and not read.has("rms_norm_eps")


def _ungated(read: Reader, layernorm: bool) -> bool:
    """Whether the network has two matrices: squared or plain rectifiers; gelu, or nothing said, beside layer norms."""
    act = read.config.get("hidden_act") or read.config.get("mlp_hidden_act") or ("gelu" if layernorm else None)
    return isinstance(act, str) and (act in UNGATED or (layernorm and act.startswith("gelu")))


def _assumed(read: Reader, model: Shape, norm: bool, layernorm: bool) -> list[str]:
    """What nothing in a config says, in words."""
    found = ["norms on queries and keys a head wide"] if norm else []
    part = model["attention"]
    if read.config.get("layer_types") is None and part.get("windowed_layers"):
        found.append("a window in every layer")
    found.append("layer norms with biases" if layernorm else "rmsnorm")
    if not any(model["bias"].values()):
        found.append("no biases")
    found.append("two norms a layer, attention before the feed-forward network")
    act = shown(read.config.get("hidden_act"))
    gated = model.get("gated_mlp", True)
    found.append(f"{'a gated MLP' if gated else 'an MLP without a gate'} (activation {act})")
    if moe := model.get("moe"):
        found.append(f"experts of width {moe['expert_ffn']:,} without a bias of the router")
    return found


def _foreign(read: Reader) -> None:
    """Refuse keys of parts that a decoder of the usual keys does not have."""
    keys = [key for key in read.strangers(FOREIGN_WORDS) if read.config[key] not in (None, False, 0, "", [], {})]
    if keys:
        read.ignore(*keys)
        said = f"{', '.join(map(printable, keys))} speak{'s' if len(keys) == 1 else ''} of what a plain decoder has not"
        read.problem("", said)

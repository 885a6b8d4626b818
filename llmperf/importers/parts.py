"""Parts of a model that the families of Hugging Face share: dimensions, heads, windows, experts.

Defaults are those of transformers' own configuration classes. Where transformers would fill a missing main
dimension (``hidden_size`` and the like) with the size of some example model, the key is required instead.
"""

from __future__ import annotations

from typing import Any

from llmperf.errors import shown
from llmperf.importers.reader import Reader

Shape = dict[str, Any]
"""Fields of a model descriptor, or of one of its parts."""

WINDOWED = {"sliding_attention", "chunked_attention"}
FULL = "full_attention"
RECURRENT = "linear_attention"


def decoder(read: Reader, tied: bool = False) -> Shape:
    """Dimensions that every decoder of the Llama lineage has."""
    return {**dimensions(read, tied), "ffn": read.whole("intermediate_size")}


def dimensions(read: Reader, tied: bool = False) -> Shape:
    """Those dimensions without the width of a dense network."""
    return {
        "layers": read.whole("num_hidden_layers"),
        "hidden": read.whole("hidden_size"),
        "vocab": read.whole("vocab_size"),
        "max_context": read.whole("max_position_embeddings"),
        "tied_embeddings": read.switch("tie_word_embeddings", tied),
    }


def attention(read: Reader, hidden: int, kv_heads: int | None = None, head_dim: int | None = None) -> Shape:
    """Heads; `kv_heads` and `head_dim` are the class defaults of transformers, None where it derives them."""
    heads = read.whole("num_attention_heads")
    return {
        "heads": heads,
        "kv_heads": kv(read, heads, kv_heads),
        "head_dim": read.optional("head_dim") or head_dim or divided(read, hidden, heads),
    }


def plain_heads(read: Reader, hidden: int, heads: int) -> Shape:
    """As many key-value heads as query heads, which divide the hidden width."""
    return {"heads": heads, "kv_heads": heads, "head_dim": divided(read, hidden, heads)}


def kv(read: Reader, heads: int, default: int | None) -> int:
    """Key-value heads: null means one a query head; absent means the class default of transformers."""
    given = read.optional("num_key_value_heads")
    if given is not None:
        return given
    if default is None or "num_key_value_heads" in read.config:
        return heads
    read.warn("num_key_value_heads", f"not given; {default} is taken, as transformers does")
    return default


def divided(read: Reader, hidden: int, heads: int) -> int:
    """Width of a head where the config gives none."""
    if hidden % heads and not read.missing:
        read.problem("head_dim", f"is needed: {heads} heads do not divide the hidden width {hidden}")
    return max(hidden // heads, 1)


def layer_types(read: Reader, layers: int, *others: str) -> list[str] | None:
    """Kind of each layer, when the config lists them; `others` are kinds beside full and sliding attention."""
    read.known.add("layer_types")
    kinds = read.config.get("layer_types")
    if kinds is None:
        return None
    allowed = (FULL, "sliding_attention", *others)
    if not isinstance(kinds, list) or any(kind not in allowed for kind in kinds):
        read.problem("layer_types", f"{shown(kinds)} must list attention kinds", allowed)
        return None
    if len(kinds) != layers and "num_hidden_layers" not in read.missing:
        read.problem("layer_types", f"lists {len(kinds)} layers, but there are {layers}")
    return kinds


def window(
    read: Reader, model: Shape, default: int | None, rule: int, used: bool = True, key: str = "sliding_window"
) -> Shape:
    """Sliding window and the number of layers that have it: by ``layer_types``, else `rule`.

    A window that no context fills is none.
    """
    kinds = layer_types(read, model["layers"])
    width = read.optional(key)
    if width is None and key not in read.config:
        width = default
    windowed = sum(kind in WINDOWED for kind in kinds) if kinds is not None else max(rule, 0)
    if not used or width is None or not windowed or width >= model["max_context"]:
        return {}
    return {"window": width, "windowed_layers": windowed}


def experts(read: Reader, count: tuple[str, ...], width: int, top_k: str = "num_experts_per_tok") -> Shape:
    """Routed experts: keys of their number, and their width."""
    return {"experts": read.whole(*count), "top_k": read.whole(top_k), "expert_ffn": width}


def every(read: Reader, model: Shape, period: int, offset: int, dense: str | None = None) -> Shape:
    """Layers with experts: every `period`-th from `offset` on, without the first ones that `dense` lists."""
    found = {"period": period, "offset": offset} if period > 1 else {}
    only_dense = sorted(set(read.numbers(dense) or [])) if dense else []
    if only_dense and only_dense != list(range(len(only_dense))):
        read.problem(dense or "", f"{shown(only_dense)} is not modelled: dense layers among those with experts")
    if only_dense:
        found["first_dense"] = min(len(only_dense), model["layers"])
    return found


def predictions(read: Reader, key: str = "num_nextn_predict_layers", each: int = 1) -> Shape:
    """Multi-token-prediction layers: counted apart and not run."""
    count = (read.optional(key, least=0) or 0) * each
    if not count:
        return {}
    read.warn(key, f"{count} multi-token-prediction layer(s) are counted apart and not run")
    return {"prediction_layers": count}


def layernorm_style(biased: bool, head: bool = False) -> Shape:
    """What GPT-2 and its descendants have in common."""
    bias = {"qkv": biased, "o": biased, "mlp": biased, **({"lm_head": True} if head else {})}
    return {"gated_mlp": False, "norm": "layernorm", "norm_bias": True, "bias": bias}


def context(read: Reader, fallback: int, why: str, *keys: str) -> int:
    """Longest context under one of `keys`, else `fallback` with a warning that says `why`."""
    read.ignore(*keys)
    for key in keys:
        if read.has(key):
            return read.optional(key) or fallback
    read.warn(keys[0], f"not given; {fallback} is taken as the longest context ({why})")
    return fallback

"""Models from a Hugging Face ``config.json``: one small function a family, and no key that may shape it ignored.

Defaults are those of transformers' own configuration classes. Where transformers would fill a missing main
dimension (``hidden_size`` and the like) with the size of some example model, the key is required instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from llmperf.descriptors.fields import Count
from llmperf.descriptors.model import Model, contradictions
from llmperf.errors import InputError, Problem, nearest, shown

SHAPE_WORDS = (
    "expert",
    "head",
    "layer",
    "hidden",
    "intermediate",
    "window",
    "rank",
    "state",
    "moe",
    "mlp",
    "vocab",
)
"""A key with one of these in its name may change the shape: it must be understood, or be listed as irrelevant."""

IRRELEVANT = frozenset(
    {
        "cross_attention_hidden_size",
        "hidden_act",
        "hidden_activation",
        "hidden_dropout",
        "hidden_dropout_prob",
        "layer_norm_eps",
        "layer_norm_epsilon",
        "layerdrop",
        "output_hidden_states",
        "output_past",
        "pruned_heads",
        "scale_attn_by_inverse_layer_idx",
    }
)
"""Keys that hold a shape word but change neither parameters nor operations."""

DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32", "half": "fp16", "float": "fp32"}
"""Names of torch dtypes, and the names of the model descriptor."""

SSM_CONTEXT = 2048
"""Context of a state-space model whose config names none: the training length of Mamba-2 (arXiv:2405.21060)."""

SSM_IRRELEVANT = frozenset(
    {
        "A_init_range",
        "conv_init",
        "dt_init_floor",
        "dt_limit",
        "dt_max",
        "dt_min",
        "norm_before_gate",
        "use_mem_eff_path",
    }
)
"""Keys of ``ssm_cfg`` that change neither parameters nor operations."""

LAYER_TYPES = ("full_attention", "sliding_attention")


@dataclass(frozen=True, slots=True)
class Imported:
    """What a config.json says.

    Parameters
    ----------
    model : dict
        A document of `llmperf.descriptors.model.Model`.
    weights, kv_cache : str or None
        Names of the formats that the config's quantization implies; None where it implies none.
    warnings : tuple of str
        What was assumed or left out.
    """

    model: dict[str, Any]
    weights: str | None = None
    kv_cache: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reader:
    """Reads keys, remembers which are known, and gathers problems instead of stopping at the first."""

    config: Mapping[str, Any]
    file: str | None
    architecture: str = ""
    known: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def problem(self, path: str, message: str, allowed: tuple[str, ...] = (), suggestion: str | None = None) -> None:
        """Note one fault."""
        self.problems.append(Problem(message, path, self.file, allowed=allowed, suggestion=suggestion))

    def ignore(self, *keys: str) -> None:
        """Mark keys as understood although they do not count here."""
        self.known.update(keys)

    def is_null(self, key: str) -> bool:
        """Whether `key` is written as null, which transformers tells from an absent key."""
        return key in self.config and self.config[key] is None

    def optional(self, key: str, least: int = 1) -> int | None:
        """Whole number under `key`; None when the key is absent, null or wrong (and the fault noted)."""
        self.known.add(key)
        value = self.config.get(key)
        if value is None:
            return None
        try:
            return int(Count(least).check(value))
        except ValueError as error:
            self.problem(key, str(error))
            return None

    def whole(self, key: str, *others: str, least: int = 1) -> int:
        """Required whole number under `key`, or under one of its `others` names in transformers' attribute map."""
        found = [name for name in (key, *others) if self.config.get(name) is not None]
        self.ignore(key, *others)
        if not found:
            self.missing.append(key)
            return max(least, 1)
        values = [self.optional(name, least) for name in found]
        if len({value for value in values if value is not None}) > 1:
            self.problem(found[1], f"{values[1]} contradicts {found[0]} {values[0]}")
        return values[0] if values[0] is not None else max(least, 1)

    def switch(self, key: str, default: bool) -> bool:
        """True or false under `key`."""
        self.known.add(key)
        value = self.config.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.problem(key, f"{shown(value)} must be true or false")
            return default
        return value

    def text(self, key: str) -> str | None:
        """Text under `key`."""
        self.known.add(key)
        value = self.config.get(key)
        if value is not None and not isinstance(value, str):
            self.problem(key, f"{shown(value)} is not a text")
            return None
        return value

    def mapping(self, key: str) -> Mapping[str, Any]:
        """Mapping under `key`, empty when absent or null."""
        self.known.add(key)
        value = self.config.get(key)
        if value is not None and not isinstance(value, Mapping):
            self.problem(key, f"{shown(value)} is not a mapping")
        return value if isinstance(value, Mapping) else {}

    def must_be(self, key: str, wanted: bool, default: bool, why: str) -> None:
        """Refuse a switch that the model descriptor cannot express."""
        if self.switch(key, default) is not wanted:
            self.problem(key, f"{str(not wanted).lower()} is not modelled: {why}")


def from_config(config: Mapping[str, Any], file: str | None = None) -> Imported:
    """Model, weight format and KV-cache format that a Hugging Face ``config.json`` describes.

    Parameters
    ----------
    config : mapping
        The parsed ``config.json``.
    file : str, optional
        Where it was read, for messages and for the model's `sources`.

    Returns
    -------
    Imported
        The model document, and what was assumed on the way.

    Raises
    ------
    InputError
        With every fault found: unknown architecture, missing, renamed or malformed keys, unknown quantization.
    """
    if not isinstance(config, Mapping):
        raise InputError(Problem(f"{shown(config)} is not a mapping of keys, as config.json must be", file=file))
    warnings: list[str] = []
    inner = _unwrap(config, warnings)
    read = _Reader(inner, file, warnings=warnings)
    read.architecture = _architecture(read)
    family = FAMILIES[read.architecture]
    model = {"name": _name(inner, file), "family": family.name, **family.build(read)}
    model["dtype"] = _dtype(read)
    model["sources"] = {"all": "Hugging Face config.json: " + (_printable(file) or "not read from a file")}
    weights, kv_cache = _quantization(read)
    _unknown_keys(read, moe=family.moe)
    if not read.problems:
        read.problems.extend(_contradictions(model, file))
    if read.problems:
        raise InputError(read.problems)
    return Imported(model, weights, kv_cache, tuple(read.warnings))


def _unwrap(config: Mapping[str, Any], warnings: list[str]) -> Mapping[str, Any]:
    """The language model's part of a config that nests it, as multimodal models do."""
    inner = config.get("text_config")
    if not isinstance(inner, Mapping):
        return config
    warnings.append("text_config: only the language model is imported; encoders of other media are left out")
    kept = ("torch_dtype", "dtype", "quantization_config", "_name_or_path")
    outer = {key: config[key] for key in kept if config.get(key) is not None}
    return {**outer, **inner}


def _architecture(read: _Reader) -> str:
    """Name of the family to use; an unknown one ends the import, for nothing can be checked without it."""
    allowed = tuple(FAMILIES)
    named: Any = read.config.get("architectures")
    if isinstance(named, Sequence) and not isinstance(named, str):
        named = named[0] if named else None
    if named is None and (model_type := read.config.get("model_type")) is not None:
        named = _by_model_type(model_type)
    if named is None and "d_model" in read.config and "n_layer" in read.config:
        named = "Mamba2ForCausalLM"
    if isinstance(named, str) and named in FAMILIES:
        return named
    if named is None:
        message = "neither architectures nor model_type says what the model is"
    else:
        message = f"architecture {shown(named)} is not supported"
    suggestion = nearest(named, allowed) if isinstance(named, str) else None
    raise InputError(Problem(message, "architectures", read.file, allowed=allowed, suggestion=suggestion))


def _by_model_type(model_type: object) -> object:
    """Architecture of a `model_type`: nested configs often name only that."""
    # state-spaces' own tools write "mamba" for Mamba-2 too; ssm_cfg tells them apart later.
    for architecture, family in FAMILIES.items():
        if model_type == family.model_type:
            return architecture
    return None if model_type == "mamba" else model_type


def _printable(text: str | None) -> str:
    """`text` as a name may hold it: one printable line, its end kept when it is long."""
    return "".join(c if c.isprintable() else "?" for c in text or "")[-150:].strip()


def _name(config: Mapping[str, Any], file: str | None) -> str:
    """Name of the model: its file's, or its folder's when the file is plain ``config.json``."""
    if file:
        path = PurePath(file)
        name = path.parent.name if path.name == "config.json" else path.stem
        if _printable(name):
            return _printable(name)
    given = config.get("_name_or_path")
    return (_printable(PurePath(given).name) if isinstance(given, str) else "") or "imported"


def _dtype(read: _Reader) -> str:
    """Dtype of the checkpoint; newer configs call it ``dtype``, older ones ``torch_dtype``."""
    value = read.text("torch_dtype") or read.text("dtype")
    if value is None:
        read.warnings.append("torch_dtype: not given; bf16 is taken")
        return "bf16"
    dtype = DTYPES.get(value.removeprefix("torch."))
    if dtype is None:
        read.problem("torch_dtype", f"{shown(value)} is not a known dtype", tuple(DTYPES), nearest(value, DTYPES))
    if dtype == "fp32":
        read.warnings.append("torch_dtype: the checkpoint is fp32; engines usually serve it as bf16")
    return dtype or "bf16"


def _contradictions(model: dict[str, Any], file: str | None) -> list[Problem]:
    """What in the finished document contradicts itself."""
    from pydantic import TypeAdapter, ValidationError

    try:
        checked = TypeAdapter(Model).validate_python(model)
    except ValidationError as error:
        # Each key was checked, but what is derived from several of them may still be out of range.
        return [Problem(e["msg"], ".".join(map(str, e["loc"])), file) for e in error.errors(include_url=False)]
    return [Problem(message, path, file) for path, message in contradictions(checked)]


def _unknown_keys(read: _Reader, moe: bool) -> None:
    """Name every key that may shape the model and was not understood: faults when something is missing, else warnings.

    A dense family with keys of experts is always a fault: its counts would be those of another model.
    """
    keys = [key for key in read.config if isinstance(key, str) and key not in read.known | IRRELEVANT]
    strangers = [key for key in keys if any(word in key.lower() for word in SHAPE_WORDS)]
    for key in read.missing:
        near = nearest(key, strangers)
        hint = f"is it written {near} here?" if near else None
        read.problem(key, f"is missing, and {read.architecture} needs it", suggestion=hint)
    for key in strangers:
        near = nearest(key, read.missing) or nearest(key, read.known)
        if not moe and any(word in key.lower() for word in ("expert", "moe")) and read.config[key]:
            read.problem(_printable(key), f"{read.architecture} is modelled as dense, but this key speaks of experts")
        elif read.missing:
            read.problem(_printable(key), "is not understood, and may change the shape", (near,) if near else (), near)
        else:
            like = f"; the nearest known key is {near}" if near else ""
            read.warnings.append(f"{_printable(key)}: not understood and left out, but may change the shape{like}")


# --- Parts that families share ---------------------------------------------------------------------------------------


def _decoder(read: _Reader, tied: bool = False) -> dict[str, Any]:
    """Dimensions that every decoder of the Llama lineage has."""
    return {
        "layers": read.whole("num_hidden_layers"),
        "hidden": read.whole("hidden_size"),
        "vocab": read.whole("vocab_size"),
        "max_context": read.whole("max_position_embeddings"),
        "ffn": read.whole("intermediate_size"),
        "tied_embeddings": read.switch("tie_word_embeddings", tied),
    }


def _attention(read: _Reader, hidden: int, kv_heads: int | None = None, head_dim: int | None = None) -> dict[str, Any]:
    """Heads; `kv_heads` and `head_dim` are the class defaults of transformers, None where it derives them."""
    heads = read.whole("num_attention_heads")
    return {
        "heads": heads,
        "kv_heads": _kv_heads(read, heads, kv_heads),
        "head_dim": read.optional("head_dim") or head_dim or _divided(read, hidden, heads),
    }


def _kv_heads(read: _Reader, heads: int, default: int | None) -> int:
    """Key-value heads: null means one a query head; absent means the class default of transformers."""
    given = read.optional("num_key_value_heads")
    if given is not None:
        return given
    if default is None or "num_key_value_heads" in read.config:
        return heads
    read.warnings.append(f"num_key_value_heads: not given; {default} is taken, as transformers does")
    return default


def _divided(read: _Reader, hidden: int, heads: int) -> int:
    """Width of a head where the config gives none."""
    if hidden % heads and not read.missing:
        read.problem("head_dim", f"is needed: {heads} heads do not divide the hidden width {hidden}")
    return max(hidden // heads, 1)


def _layer_types(read: _Reader, layers: int) -> list[str] | None:
    """Kind of each layer, when the config lists them."""
    read.known.add("layer_types")
    kinds = read.config.get("layer_types")
    if kinds is None:
        return None
    if not isinstance(kinds, list) or any(kind not in LAYER_TYPES for kind in kinds):
        read.problem("layer_types", f"{shown(kinds)} must list attention kinds", LAYER_TYPES)
        return None
    if len(kinds) != layers and "num_hidden_layers" not in read.missing:
        read.problem("layer_types", f"lists {len(kinds)} layers, but there are {layers}")
    return kinds


def _window(read: _Reader, layers: int, default: int | None, rule: int, used: bool = True) -> dict[str, Any]:
    """Sliding window and the number of layers that have it: by ``layer_types``, else `rule`."""
    kinds = _layer_types(read, layers)
    window = read.optional("sliding_window")
    if window is None and "sliding_window" not in read.config:
        window = default
    windowed = kinds.count("sliding_attention") if kinds is not None else max(rule, 0)
    if not used or window is None or not windowed:
        return {}
    return {"window": window, "windowed_layers": windowed}


def _no_bias(read: _Reader, *keys: str) -> None:
    """Warn of bias switches that this family's class in transformers does not read."""
    for key in keys:
        if read.switch(key, False):
            read.warnings.append(f"{key}: {read.architecture} of transformers has no such bias; none is counted")


# --- Families --------------------------------------------------------------------------------------------------------


def _llama(read: _Reader) -> dict[str, Any]:
    model = _decoder(read)
    model["attention"] = _attention(read, model["hidden"])
    attention_bias = read.switch("attention_bias", False)
    model["bias"] = {"qkv": attention_bias, "o": attention_bias, "mlp": read.switch("mlp_bias", False)}
    return model


def _mistral(read: _Reader) -> dict[str, Any]:
    model = _decoder(read)
    model["attention"] = _attention(read, model["hidden"], kv_heads=8)
    model["attention"].update(_window(read, model["layers"], default=4096, rule=model["layers"]))
    _no_bias(read, "attention_bias", "mlp_bias")
    return model


def _mixtral(read: _Reader) -> dict[str, Any]:
    model = _decoder(read)
    model["attention"] = _attention(read, model["hidden"], kv_heads=8)
    model["attention"].update(_window(read, model["layers"], default=None, rule=model["layers"]))
    # Every layer is routed, so the feed-forward width is the experts', and no dense one is left.
    model["moe"] = {
        "experts": read.whole("num_local_experts"),
        "top_k": read.whole("num_experts_per_tok"),
        "expert_ffn": model.pop("ffn"),
    }
    _no_bias(read, "attention_bias", "mlp_bias")
    return model


def _qwen_window(read: _Reader, layers: int) -> dict[str, Any]:
    """Qwen's window: off by default, and then only in the layers above ``max_window_layers``."""
    used = read.switch("use_sliding_window", False)
    full = read.optional("max_window_layers", least=0)
    return _window(read, layers, default=4096, rule=layers - (28 if full is None else full), used=used)


def _qwen2(read: _Reader) -> dict[str, Any]:
    model = _decoder(read)
    model["attention"] = _attention(read, model["hidden"], kv_heads=32)
    model["attention"].update(_qwen_window(read, model["layers"]))
    model["bias"] = {"qkv": True}
    return model


def _qwen3(read: _Reader) -> dict[str, Any]:
    model = _decoder(read)
    model["attention"] = {**_attention(read, model["hidden"], kv_heads=32, head_dim=128), "qk_norm": True}
    model["attention"].update(_qwen_window(read, model["layers"]))
    attention_bias = read.switch("attention_bias", False)
    model["bias"] = {"qkv": attention_bias, "o": attention_bias}
    return model


def _gemma(read: _Reader) -> dict[str, Any]:
    model = _decoder(read, tied=True)
    model["attention"] = _attention(read, model["hidden"], kv_heads=16, head_dim=256)
    attention_bias = read.switch("attention_bias", False)
    model["bias"] = {"qkv": attention_bias, "o": attention_bias}
    return model


def _gemma2(read: _Reader) -> dict[str, Any]:
    model = _decoder(read, tied=True)
    attention = _attention(read, model["hidden"], kv_heads=4, head_dim=256)
    # Layers 0, 2, 4, ... have the window, so an odd number of layers has one more with it than without.
    attention.update(_window(read, model["layers"], default=4096, rule=(model["layers"] + 1) // 2))
    attention["softcap"] = not read.is_null("attn_logit_softcapping")
    read.ignore("sliding_window_size")  # a duplicate of sliding_window that transformers does not read
    attention_bias = read.switch("attention_bias", False)
    return {
        **model,
        "attention": attention,
        "norms_per_layer": 4,
        "bias": {"qkv": attention_bias, "o": attention_bias},
    }


def _deepseek(read: _Reader, first_dense: int, router_bias: bool) -> dict[str, Any]:
    """DeepSeek-V2 and later: latent attention, shared experts, dense first layers."""
    model = _decoder(read)
    heads = read.whole("num_attention_heads")
    mla = {key: read.whole(key) for key in ("kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")}
    if "q_lora_rank" not in read.config:
        read.missing.append("q_lora_rank")  # null is the way to say that queries are not compressed
    mla["q_lora_rank"] = read.optional("q_lora_rank", least=0) or 0
    model["mla"] = mla
    model["attention"] = {
        "heads": heads,
        "kv_heads": _kv_heads(read, heads, None),
        "head_dim": mla["qk_nope_head_dim"] + mla["qk_rope_head_dim"],
    }
    model["moe"] = _deepseek_moe(read, first_dense, router_bias)
    read.ignore("head_dim", "qk_head_dim")  # transformers derives them from the two widths above
    read.must_be("attention_bias", False, False, "biases of latent attention")
    mtp = read.optional("num_nextn_predict_layers", least=0)
    if mtp:
        read.warnings.append(f"num_nextn_predict_layers: {mtp} multi-token-prediction layer(s) are left out")
    return model


def _deepseek_moe(read: _Reader, first_dense: int, router_bias: bool) -> dict[str, Any]:
    """Experts of DeepSeek; `first_dense` is the class default."""
    if "n_shared_experts" not in read.config:
        read.missing.append("n_shared_experts")
    dense = read.optional("first_k_dense_replace", least=0)
    if read.optional("moe_layer_freq") not in (None, 1):
        read.problem("moe_layer_freq", "only 1 is modelled: experts in every layer after the dense first ones")
    return {
        "experts": read.whole("n_routed_experts"),
        "top_k": read.whole("num_experts_per_tok"),
        "expert_ffn": read.whole("moe_intermediate_size"),
        "shared_experts": read.optional("n_shared_experts", least=0) or 0,
        "first_dense": first_dense if dense is None else dense,
        "router_bias": router_bias,
    }


def _deepseek_v2(read: _Reader) -> dict[str, Any]:
    return _deepseek(read, first_dense=0, router_bias=False)


def _deepseek_v3(read: _Reader) -> dict[str, Any]:
    # The bias is e_score_correction_bias, which balances the experts without an auxiliary loss.
    return _deepseek(read, first_dense=3, router_bias=True)


def _gpt2(read: _Reader) -> dict[str, Any]:
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
        "attention": {"heads": heads, "kv_heads": heads, "head_dim": _divided(read, hidden, heads)},
        "tied_embeddings": read.switch("tie_word_embeddings", True),
        **_layernorm_style(True),
    }


def _opt(read: _Reader) -> dict[str, Any]:
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
        "attention": {"heads": heads, "kv_heads": heads, "head_dim": _divided(read, hidden, heads)},
        "tied_embeddings": read.switch("tie_word_embeddings", True),
        **_layernorm_style(read.switch("enable_bias", True)),
    }


def _layernorm_style(biased: bool) -> dict[str, Any]:
    """What GPT-2 and its descendants have in common."""
    return {
        "gated_mlp": False,
        "norm": "layernorm",
        "norm_bias": True,
        "bias": {"qkv": biased, "o": biased, "mlp": biased},
    }


def _mamba2(read: _Reader) -> dict[str, Any]:
    """Mamba-2, in the keys of transformers or in those of state-spaces/mamba."""
    if "ssm_cfg" in read.config or "d_model" in read.config:
        return _mamba2_original(read)
    model: dict[str, Any] = {
        "layers": read.whole("num_hidden_layers"),
        "hidden": read.whole("hidden_size"),
        "vocab": read.whole("vocab_size"),
        # Mamba2Config sets it to False, unlike the checkpoints of state-spaces, which say so themselves.
        "tied_embeddings": read.switch("tie_word_embeddings", False),
        "norms_per_layer": 1,
    }
    ssm = _ssm(read, model, ("state_size", "head_dim", "expand", "n_groups", "conv_kernel", "chunk_size"), groups=8)
    inner = ssm["expand"] * model["hidden"]
    for key, wanted in (("num_heads", inner // ssm["head_dim"]), ("intermediate_size", inner)):
        given = read.optional(key)
        if given not in (None, wanted) and not read.missing:
            read.problem(key, f"{given} contradicts expand and head_dim, which make it {wanted}")
    read.must_be("use_bias", False, False, "biases of the projections")
    read.must_be("use_conv_bias", True, True, "a convolution without bias")
    read.ignore("time_step_rank", "n_layer", "pad_vocab_size_multiple")  # left over from Mamba-1 and conversion
    return {**model, "ssm": ssm, "max_context": _ssm_context(read)}


def _mamba2_original(read: _Reader) -> dict[str, Any]:
    """The config of state-spaces/mamba (``MambaConfig``), whose mixer options sit in ``ssm_cfg``."""
    vocab, multiple = read.whole("vocab_size"), read.optional("pad_vocab_size_multiple") or 8
    layernorm = not read.switch("rms_norm", True)
    model: dict[str, Any] = {
        "layers": read.whole("n_layer"),
        "hidden": read.whole("d_model"),
        "vocab": -(-vocab // multiple) * multiple,
        "tied_embeddings": read.switch("tie_embeddings", True),
        "norms_per_layer": 1,
        "norm": "layernorm" if layernorm else "rmsnorm",
        "norm_bias": layernorm,
    }
    _no_hybrid(read)
    return {**model, "ssm": _ssm_options(read, model), "max_context": _ssm_context(read)}


def _no_hybrid(read: _Reader) -> None:
    """Refuse attention layers and feed-forward networks between Mamba-2 mixers."""
    read.ignore("attn_cfg", "attn_layer_idx")
    if read.config.get("attn_layer_idx"):
        read.problem("attn_layer_idx", "attention layers between Mamba-2 layers are not modelled from this file")
    if read.optional("d_intermediate", least=0):
        read.problem("d_intermediate", "feed-forward networks between Mamba-2 layers are not modelled from this file")


def _ssm_options(read: _Reader, model: dict[str, Any]) -> dict[str, Any]:
    """Mixer from ``ssm_cfg``: the arguments of ``Mamba2`` in state-spaces/mamba, and its defaults."""
    options = _Reader(read.mapping("ssm_cfg"), read.file, missing=read.missing)
    kind = options.text("layer") or "Mamba1"
    if kind != "Mamba2":
        options.problem("layer", f"{shown(kind)} is not modelled (absent means Mamba1)", ("Mamba2",))
    ssm = _ssm(options, model, ("d_state", "headdim", "expand", "ngroups", "d_conv", "chunk_size"), groups=1)
    options.must_be("bias", False, False, "biases of the projections")
    options.must_be("conv_bias", True, True, "a convolution without bias")
    options.must_be("rmsnorm", True, True, "a mixer without inner norm")
    options.must_be("D_has_hdim", False, False, "a skip weight for each channel")
    for p in options.problems:
        read.problem(f"ssm_cfg.{p.path}", p.message, p.allowed, p.suggestion)
    for key in sorted(map(str, set(options.config) - options.known - SSM_IRRELEVANT)):
        read.warnings.append(f"ssm_cfg.{_printable(key)}: not understood and left out, but may change the shape")
    return ssm


def _ssm(read: _Reader, model: dict[str, Any], keys: tuple[str, ...], groups: int) -> dict[str, Any]:
    """Mixer of Mamba-2; `keys` name state, head width, expansion, groups, convolution and chunk, in this order."""
    state, head_dim, expand, group, conv, chunk = (read.optional(key) for key in keys)
    ssm = {
        "layers": model["layers"],
        "state": state or 128,
        "head_dim": head_dim or 64,
        "expand": expand or 2,
        "groups": group or groups,
        "conv": conv or 4,
        "chunk": chunk or 256,
    }
    inner = ssm["expand"] * model["hidden"]
    if inner % ssm["head_dim"] and not read.missing:
        read.problem(keys[1], f"{ssm['head_dim']} does not divide the inner width {inner}")
    return ssm


def _ssm_context(read: _Reader) -> int:
    """Longest context: a state-space model has no limit of its own, so its training length stands in."""
    given = read.optional("max_position_embeddings")
    if given is None:
        read.warnings.append(f"max_position_embeddings: not given; {SSM_CONTEXT} is taken as the longest context")
    return given or SSM_CONTEXT


@dataclass(frozen=True, slots=True)
class _Family:
    name: str
    model_type: str
    build: Callable[[_Reader], dict[str, Any]]
    moe: bool = False


FAMILIES: dict[str, _Family] = {
    "LlamaForCausalLM": _Family("llama", "llama", _llama),
    "MistralForCausalLM": _Family("mistral", "mistral", _mistral),
    "MixtralForCausalLM": _Family("mixtral", "mixtral", _mixtral, moe=True),
    "Qwen2ForCausalLM": _Family("qwen2", "qwen2", _qwen2),
    "Qwen3ForCausalLM": _Family("qwen3", "qwen3", _qwen3),
    "GemmaForCausalLM": _Family("gemma", "gemma", _gemma),
    "Gemma2ForCausalLM": _Family("gemma2", "gemma2", _gemma2),
    "DeepseekV2ForCausalLM": _Family("deepseek-v2", "deepseek_v2", _deepseek_v2, moe=True),
    "DeepseekV3ForCausalLM": _Family("deepseek-v3", "deepseek_v3", _deepseek_v3, moe=True),
    "Mamba2ForCausalLM": _Family("mamba2", "mamba2", _mamba2),
    "GPT2LMHeadModel": _Family("gpt2", "gpt2", _gpt2),
    "OPTForCausalLM": _Family("opt", "opt", _opt),
}
"""Supported architectures, by the name that config.json gives them."""


# --- Quantization ----------------------------------------------------------------------------------------------------

FORMATS = ("fp8", "int8 weights and activations", "int4 weights in groups of 128", "nvfp4")
"""What a quantization may be, in words."""


def _quantization(read: _Reader) -> tuple[str | None, str | None]:
    """Weight format and KV-cache format of ``quantization_config``."""
    # compressed-tensors called it compression_config before transformers adopted it.
    key = "compression_config" if read.config.get("compression_config") else "quantization_config"
    quantization = read.mapping(key)
    read.ignore("quantization", "kv_cache_dtype", "kv_cache_torch_dtype")
    kv_cache = _kv_cache(read, key, quantization)
    if not quantization:
        return None, kv_cache
    method = quantization.get("quant_method")
    if not isinstance(method, str) or method.lower() not in METHODS:
        known = tuple(METHODS)
        near = nearest(method, known) if isinstance(method, str) else None
        said = "is missing" if method is None else f"{shown(method)} is not supported"
        read.problem(f"{key}.quant_method", said, known, near)
        return None, kv_cache
    weights = METHODS[method.lower()](quantization)
    if weights is None:
        read.problem(key, f"this {method} scheme is not supported", FORMATS)
    return weights, kv_cache


def _kv_cache(read: _Reader, key: str, quantization: Mapping[str, Any]) -> str | None:
    """KV-cache format: the three places where tools write it."""
    scheme = quantization.get("kv_cache_scheme")
    if isinstance(scheme, Mapping):
        if (scheme.get("type"), scheme.get("num_bits")) != ("float", 8):
            read.problem(f"{key}.kv_cache_scheme", f"{shown(dict(scheme))} is not supported", ("fp8",))
        return "fp8"
    named = quantization.get("kv_cache_quant_algo") or read.config.get("kv_cache_torch_dtype")
    named = named or read.config.get("kv_cache_dtype")
    if named is None or named == "auto":
        return None
    if not isinstance(named, str) or not named.lower().startswith(("fp8", "float8")):
        read.problem(f"{key}.kv_cache_quant_algo", f"KV cache {shown(named)} is not supported", ("fp8",))
    return "fp8"


def _fp8(_: Mapping[str, Any]) -> str | None:
    """``fp8``: one scale a tensor, or DeepSeek's scale a block."""
    return "fp8"


def _compressed_tensors(quantization: Mapping[str, Any]) -> str | None:
    """compressed-tensors: groups of layers, which must all have one format to be one."""
    groups = quantization.get("config_groups")
    if not isinstance(groups, Mapping):
        return None
    formats = {_compressed_group(group, quantization.get("format")) for group in groups.values()}
    return formats.pop() if len(formats) == 1 else None


def _compressed_group(group: object, packing: object) -> str | None:
    """Format of one group of layers."""
    if not isinstance(group, Mapping) or not isinstance(weights := group.get("weights"), Mapping):
        return None
    inputs = group.get("input_activations")
    kind, bits = weights.get("type"), weights.get("num_bits")
    if (group.get("format") or packing) == "nvfp4-pack-quantized" and (kind, bits) == ("float", 4):
        return "nvfp4" if isinstance(inputs, Mapping) else None
    if (kind, bits) == ("float", 8):
        return "fp8"
    if (kind, bits) == ("int", 4) and inputs is None and weights.get("group_size") == 128:
        return "w4a16-g128"
    int8 = isinstance(inputs, Mapping) and (inputs.get("type"), inputs.get("num_bits")) == ("int", 8)
    return "w8a8-int8" if (kind, bits) == ("int", 8) and int8 else None


def _four_bits(quantization: Mapping[str, Any]) -> str | None:
    """AWQ and GPTQ: 4-bit weights in groups of 128; AutoAWQ's own file has other names for the two."""
    bits = quantization.get("bits", quantization.get("w_bit"))
    group = quantization.get("group_size", quantization.get("q_group_size"))
    return "w4a16-g128" if bits == 4 and group == 128 else None


def _modelopt(quantization: Mapping[str, Any]) -> str | None:
    """NVIDIA Model Optimizer."""
    algorithm = quantization.get("quant_algo")
    return {"FP8": "fp8", "NVFP4": "nvfp4"}.get(algorithm.upper()) if isinstance(algorithm, str) else None


METHODS: dict[str, Callable[[Mapping[str, Any]], str | None]] = {
    "fp8": _fp8,
    "compressed-tensors": _compressed_tensors,
    "awq": _four_bits,
    "gptq": _four_bits,
    "modelopt": _modelopt,
}
"""Supported values of ``quant_method``; each gives the weight format, or None where it is another."""

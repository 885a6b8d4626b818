"""The shape of a model from the header of a GGUF file (llama.cpp): its metadata, checked against its tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from llmperf.descriptors.fields import Count
from llmperf.descriptors.model import Model, contradictions
from llmperf.descriptors.parameters import parameters
from llmperf.errors import InputError, Problem, nearest, shown
from llmperf.importers.checkpoint import LEAST
from llmperf.importers.gguf import SPLIT, GgufArray, GgufHeader, checkpoint, complete, is_linear

SHAPE_WORDS = ("count", "length", "expert", "layer", "window", "rank", "vocab", "ssm")
"""A key of the architecture with one of these in its name may change the shape."""

IRRELEVANT = frozenset(
    {
        "attention.layer_norm_epsilon",
        "attention.layer_norm_rms_epsilon",
        "expert_gating_func",
        "expert_weights_norm",
        "expert_weights_scale",
        "tensor_data_layout",
    }
)
"""Keys that hold a shape word but change neither parameters nor operations; those under ``rope.`` are others."""

NO_WEIGHTS = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")
"""Tensors that are tables of the position encoding, which no parameter count includes."""

DTYPES = {"F32": "fp32", "F16": "fp16", "BF16": "bf16"}


@dataclass(slots=True)
class _Keys:
    """Reads the keys of an architecture, and gathers problems instead of stopping at the first."""

    header: GgufHeader
    architecture: str
    known: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def problem(self, path: str, message: str) -> None:
        """Note one fault."""
        self.problems.append(Problem(message, path, self.header.files[0]))

    def whole(self, key: str, least: int = 1) -> int | None:
        """Whole number under `key`; None when the key is absent or wrong (and the fault noted)."""
        self.known.add(key)
        path = f"{self.architecture}.{key}"
        value = self.header.metadata.get(path)
        if isinstance(value, GgufArray):
            if not value.values or len(set(value.values)) > 1:
                self.problem(path, "differs between layers, which is not modelled")
                return None
            value = value.values[0]
        try:
            return None if value is None else int(Count(least).check(value))
        except ValueError as error:
            self.problem(path, str(error))
            return None

    def need(self, key: str) -> int:
        """Required whole number under `key`; 1 when it is missing, and the fault noted."""
        before = len(self.problems)
        value = self.whole(key)
        if value is None and len(self.problems) == before:
            self.problem(f"{self.architecture}.{key}", "is missing")
        return value or 1

    def has(self, name: str) -> bool:
        """Whether the first block holds the tensor `name`."""
        return f"blk.0.{name}" in self.header.tensors


def to_model(header: GgufHeader) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Model that a GGUF header describes.

    Parameters
    ----------
    header : GgufHeader
        Of the whole model: `read_parts` joins the parts of a split one.

    Returns
    -------
    dict
        A document of `llmperf.descriptors.model.Model`.
    tuple of str
        What was assumed or left out.

    Raises
    ------
    InputError
        With every fault found: an unknown architecture, missing, malformed or contradicting keys, missing tensors.
    """
    keys = _Keys(header, _architecture(header))
    family = FAMILIES[keys.architecture]
    for warning in header.warnings or complete(header).warnings:
        keys.problem("", f"the tensors do not tell the model's shape: {warning}")
    hidden, layers = keys.need("embedding_length"), keys.need("block_count")
    model: dict[str, Any] = {
        "name": _name(header),
        "family": keys.architecture,
        "layers": layers,
        "hidden": hidden,
        "vocab": _vocab(keys, hidden),
        "max_context": keys.need("context_length"),
        "attention": _attention(keys, hidden),
        "tied_embeddings": "output.weight" not in header.tensors,
        "bias": {"qkv": keys.has("attn_q.bias"), "o": keys.has("attn_output.bias"), "mlp": keys.has("ffn_up.bias")},
        **_network(keys),
    }
    family(keys, model)
    model["dtype"] = _dtype(keys)
    model["sources"] = {"all": "GGUF header: " + _printable(header.files[0])}
    _unknown_keys(keys)
    if not keys.problems:
        _check(keys, model)
    if keys.problems:
        raise InputError(keys.problems)
    return model, tuple(keys.warnings)


def _architecture(header: GgufHeader) -> str:
    """Name of the architecture; an unknown one ends the import."""
    named, allowed = header.metadata.get("general.architecture"), tuple(FAMILIES)
    if isinstance(named, str) and named in FAMILIES:
        return named
    message = "is missing" if named is None else f"architecture {shown(named)} is not supported"
    near = nearest(named, allowed) if isinstance(named, str) else None
    raise InputError(Problem(message, "general.architecture", header.files[0], allowed=allowed, suggestion=near))


def _printable(text: str) -> str:
    """`text` as a name may hold it: one printable line, its end kept when it is long."""
    return "".join(c if c.isprintable() else "?" for c in text)[-150:].strip()


def _name(header: GgufHeader) -> str:
    """Name of the model: its file's, without the number of the part."""
    name = PurePath(header.files[0]).name
    match = SPLIT.match(name)
    return _printable(match[1] if match else PurePath(name).stem) or "imported"


def _vocab(keys: _Keys, hidden: int) -> int:
    """Rows of the embedding table, which a key or the tokenizer may contradict."""
    said = keys.whole("vocab_size")
    table = keys.header.tensors.get("token_embd.weight")
    if table is None:
        keys.problem("token_embd.weight", "this tensor is missing; is the file a vocabulary or an adapter alone?")
        return said or 1
    if len(table.shape) != 2 or table.shape[0] != hidden:
        shape = shown(list(table.shape))
        keys.problem("token_embd.weight", f"its shape {shape} contradicts embedding_length {hidden}")
        return said or 1
    if said not in (None, table.shape[1]):
        keys.warnings.append(f"vocab_size: {said} differs from the {table.shape[1]} embeddings, which are taken")
    return table.shape[1]


def _attention(keys: _Keys, hidden: int) -> dict[str, Any]:
    """Heads and their width, as llama.cpp derives them where a key is absent."""
    heads = keys.need("attention.head_count")
    width = keys.whole("attention.key_length")
    if width is None:
        width = max(hidden // heads, 1)
        if hidden % heads and not keys.problems:
            keys.problem(
                f"{keys.architecture}.attention.key_length",
                f"is needed: {heads} heads do not divide embedding_length {hidden}",
            )
    value = keys.whole("attention.value_length")
    if value not in (None, width):
        path = f"{keys.architecture}.attention.value_length"
        keys.problem(path, f"{value} differs from the key width {width}, which is not modelled")
    kv_heads = keys.whole("attention.head_count_kv") or heads
    return {"heads": heads, "kv_heads": kv_heads, "head_dim": width, "qk_norm": keys.has("attn_q_norm.weight")}


def _network(keys: _Keys) -> dict[str, Any]:
    """Feed-forward network: dense, or experts in every layer (Mixtral)."""
    experts = keys.whole("expert_count", least=0)
    used = keys.whole("expert_used_count", least=0)
    width = keys.need("feed_forward_length")
    of_expert = keys.whole("expert_feed_forward_length", least=0)
    if not experts:
        return {"ffn": width}
    if keys.architecture != "llama":
        path = f"{keys.architecture}.expert_count"
        keys.problem(path, f"{keys.architecture} is modelled as dense, but this key speaks of experts")
    if not used:
        keys.problem(f"{keys.architecture}.expert_used_count", "is missing, and a mixture of experts needs it")
    return {"moe": {"experts": experts, "top_k": used or 1, "expert_ffn": of_expert or width}}


def _llama(keys: _Keys, model: dict[str, Any]) -> None:
    """Llama, Mistral and Mixtral, which GGUF does not tell apart."""
    window = keys.whole("attention.sliding_window", least=0)
    if window:
        model["attention"].update(window=window, windowed_layers=model["layers"])
        keys.warnings.append(f"attention.sliding_window: every layer is taken to see the last {window} tokens only")
    if "moe" in model:
        model["family"] = "mixtral"


def _qwen(keys: _Keys, _: dict[str, Any]) -> None:
    """Qwen2 and Qwen3: without the window, which llama.cpp does not apply to them."""
    if keys.whole("attention.sliding_window", least=0):
        keys.warnings.append(f"attention.sliding_window: left out, {keys.architecture} is run without")


def _gemma2(keys: _Keys, model: dict[str, Any]) -> None:
    """Gemma 2: layers 0, 2, 4, ... have the window, 4096 tokens where no key says otherwise (llama.cpp)."""
    window = keys.whole("attention.sliding_window", least=0)
    window = 4096 if window is None else window
    if window:
        model["attention"].update(window=window, windowed_layers=(model["layers"] + 1) // 2)
    model["attention"]["softcap"] = True
    model["norms_per_layer"] = 4


FAMILIES: dict[str, Callable[[_Keys, dict[str, Any]], None]] = {
    "llama": _llama,
    "qwen2": _qwen,
    "qwen3": _qwen,
    "gemma2": _gemma2,
}
"""Supported values of ``general.architecture``."""


def _dtype(keys: _Keys) -> str:
    """Dtype of the weights, when they are not quantized; else bf16, and a warning."""
    bits = checkpoint(keys.header).linear_bits
    sizes: Counter[str] = Counter()
    for name, tensor in keys.header.tensors.items():
        if is_linear(name, tensor):
            sizes[tensor.dtype] += tensor.bytes
    if bits is None:
        return "bf16"
    most = sizes.most_common(1)[0][0]
    if len(sizes) > 1 or most not in DTYPES:
        said = f"weights: quantized, mostly {most}, {bits:.4g} bits an element of linear layers"
        keys.warnings.append(f"{said}; the model is imported as bf16, so choose the weight format yourself")
        return "bf16"
    return DTYPES[most]


def _unknown_keys(keys: _Keys) -> None:
    """Warn of every key of the architecture that may shape the model and was not understood."""
    prefix = f"{keys.architecture}."
    for key in keys.header.metadata:
        name = key.removeprefix(prefix)
        if name == key or name in keys.known | IRRELEVANT or name.startswith("rope."):
            continue
        if any(word in name for word in SHAPE_WORDS):
            keys.warnings.append(f"{_printable(key)}: not understood and left out, but may change the shape")


def _check(keys: _Keys, model: dict[str, Any]) -> None:
    """Note what in the finished document contradicts itself, or the file's own tensors."""
    from pydantic import TypeAdapter, ValidationError

    try:
        checked = TypeAdapter(Model).validate_python(model)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            keys.problem(".".join(map(str, fault["loc"])), fault["msg"])
        return
    for path, message in contradictions(checked):
        keys.problem(path, message)
    for name, wanted in _expected_shapes(checked):
        tensor = keys.header.tensors.get(name)
        if tensor is not None and tensor.shape != wanted:
            keys.problem(name, f"its shape {shown(list(tensor.shape))} contradicts the metadata: {shown(list(wanted))}")
    held = sum(tensor.elements for name, tensor in keys.header.tensors.items() if name not in NO_WEIGHTS)
    counted = parameters(checked)
    if held < LEAST * counted and not keys.problems:
        keys.problem("", f"the file holds {held} parameters, far less than the {counted} that its metadata describe")
    elif held != counted and not keys.problems:
        keys.warnings.append(f"the file holds {held} parameters, but its metadata describe {counted}")


def _expected_shapes(model: Model) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Shapes of a block's main matrices, fastest dimension first."""
    attention = model.attention
    if attention is not None:
        yield "blk.0.attn_q.weight", (model.hidden, attention.heads * attention.head_dim)
        yield "blk.0.attn_k.weight", (model.hidden, attention.kv_heads * attention.head_dim)
    if model.ffn:
        yield "blk.0.ffn_up.weight", (model.hidden, model.ffn)
    if model.moe:
        yield "blk.0.ffn_up_exps.weight", (model.hidden, model.moe.expert_ffn, model.moe.experts)

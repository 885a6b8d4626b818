"""Exact sizes and model shapes from the headers of GGUF files (llama.cpp); no tensor is read.

The format is that of ggml's docs/gguf.md: magic, version, counts; metadata; tensor infos; aligned data. Metadata
arrays may be large (a tokenizer's vocabulary), so only the short ones are kept and of the others the length.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path, PurePath
from typing import Any, BinaryIO, TypeAlias

from llmperf.descriptors.fields import Count
from llmperf.descriptors.importers.checkpoint import (
    MAX_ELEMENTS,
    MAX_HEADER,
    MAX_SHARDS,
    MAX_TENSORS,
    Checkpoint,
    TensorInfo,
    is_file,
    opened,
    overlap,
    summed,
)
from llmperf.descriptors.model import Model, contradictions
from llmperf.descriptors.parameters import parameters
from llmperf.errors import InputError, Problem, nearest, shown

VERSIONS = (2, 3)
MAX_METADATA = 65_536
"""Most metadata keys."""
MAX_KEY = 65_535
"""Longest metadata key [B] (docs/gguf.md)."""
MAX_NAME = 1024
"""Longest name of a tensor [B]; the format says 64, some forks more."""
MAX_DIMS = 4
"""Most dimensions of a tensor (``GGML_MAX_DIMS`` in ggml.h)."""
MAX_KEPT = 4096
"""Longest array whose values are kept."""
MAX_VALUES = 4_000_000
"""Most strings, arrays and kept values of one file; a vocabulary and its merges are some 800 000."""
MAX_NESTING = 4
"""Deepest nesting of arrays."""
MAX_ALIGNMENT = 2**20
"""Largest alignment of tensor data [B]."""

GGML_TYPES: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 36),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18),
}
"""Name, elements of a block, and bytes of a block [B] of each ggml type.

Numbers from ``enum ggml_type`` in ggml/include/ggml.h; sizes from the ``static_assert`` of each block in
ggml/src/ggml-common.h (``QK_K`` 256). Numbers that are missing were removed from the format.
"""

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""`struct` codes of the metadata's value types (``gguf_metadata_value_type`` in docs/gguf.md)."""
_BOOL, _STRING, _ARRAY = 7, 8, 9
_SPLIT = re.compile(r"^(.*)-(\d{5})-of-(\d{5})\.gguf$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class GgufArray:
    """A metadata array: its length, and its values (None where there are more than `MAX_KEPT`)."""

    length: int
    values: tuple[Value, ...] | None


Value: TypeAlias = "int | float | bool | str | GgufArray"


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """The header of one GGUF file, or of all the parts of a split one.

    Parameters
    ----------
    version : int
        Version of the format.
    metadata : dict
        Values by key.
    tensors : dict
        `TensorInfo` of each name: dimensions with the fastest first, ggml type, bytes [B], offset in its file [B].
    files : tuple of str
        The files that were read.
    warnings : tuple of str
        Parts that are missing.
    """

    version: int
    metadata: dict[str, Value]
    tensors: dict[str, TensorInfo]
    files: tuple[str, ...]
    warnings: tuple[str, ...] = ()


# --- Reading ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Cursor:
    """Reads a header forward; no request is larger than what is left of the file and of `MAX_HEADER`."""

    stream: BinaryIO
    size: int
    file: str
    position: int = 0
    values: int = 0

    def fault(self, message: str, path: str = "") -> InputError:
        """An error about this file."""
        return InputError(Problem(message, path, self.file))

    def _claim(self, count: int) -> None:
        if count > self.size - self.position:
            raise self.fault(f"ends inside its header: {count} bytes are needed at byte {self.position}")
        if count > MAX_HEADER - self.position:
            raise self.fault(f"its header is larger than {MAX_HEADER // 2**20} MiB")
        self.position += count

    def take(self, count: int) -> bytes:
        """The next `count` bytes [B]."""
        self._claim(count)
        data = self.stream.read(count)
        if len(data) < count:
            raise self.fault("changed while it was read")
        return data

    def skip(self, count: int) -> None:
        """Pass over `count` bytes [B]."""
        self._claim(count)
        self.stream.seek(self.position)

    def spend(self, count: int = 1) -> None:
        """Count values, and refuse more than `MAX_VALUES`."""
        self.values += count
        if self.values > MAX_VALUES:
            raise self.fault(f"its metadata hold more than {MAX_VALUES} values")

    def whole(self, code: str) -> int:
        """The next number of a `struct` code of integers."""
        value: int = struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]
        return value

    def name(self, most: int, what: str) -> str:
        """The next string, which names something and so must be short and valid."""
        length = self.whole("Q")
        if not 0 < length <= most:
            raise self.fault(f"{what} at byte {self.position} would be {length} bytes long, allowed are 1 to {most}")
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise self.fault(f"{what} before byte {self.position} is not UTF-8 text") from None


def read_header(path: Path) -> GgufHeader:
    """Metadata and tensors of one GGUF file of version 2 or 3, little-endian.

    Parameters
    ----------
    path : Path
        The file; of a split model, this part alone (see `read_parts`).

    Returns
    -------
    GgufHeader
        What the header holds.

    Raises
    ------
    InputError
        With the first fault: a damaged or truncated file, an unknown type, more than can be trusted.
    """
    with opened(path) as (stream, size):
        cursor = _Cursor(stream, size, str(path))
        version, tensor_count, metadata_count = _start(cursor)
        metadata = _metadata(cursor, metadata_count)
        tensors = _tensors(cursor, tensor_count)
    _check_layout(cursor, tensors, _alignment(cursor, metadata))
    return GgufHeader(version, metadata, tensors, (str(path),))


def _start(cursor: _Cursor) -> tuple[int, int, int]:
    """Version, number of tensors and number of metadata keys."""
    if cursor.size < 24 or cursor.take(4) != b"GGUF":
        raise cursor.fault("is not a GGUF file: it does not start with GGUF and its counts")
    version = cursor.whole("I")
    if version not in VERSIONS:
        hint = "; it is big-endian" if version & 0xFFFF == 0 else ""
        raise cursor.fault(f"GGUF version {version} is not supported{hint}; allowed: 2, 3 (little-endian)")
    tensors, metadata = cursor.whole("Q"), cursor.whole("Q")
    if tensors > MAX_TENSORS:
        raise cursor.fault(f"would hold {tensors} tensors, more than {MAX_TENSORS}")
    if metadata > MAX_METADATA:
        raise cursor.fault(f"would hold {metadata} metadata keys, more than {MAX_METADATA}")
    return version, tensors, metadata


def _metadata(cursor: _Cursor, count: int) -> dict[str, Value]:
    """All metadata."""
    found: dict[str, Value] = {}
    for _ in range(count):
        key = cursor.name(MAX_KEY, "a metadata key")
        if key in found:
            raise cursor.fault("this metadata key stands twice", key)
        found[key] = _value(cursor, cursor.whole("I"), 0)
    return found


def _value(cursor: _Cursor, kind: int, depth: int) -> Value:
    """One value of type `kind`."""
    cursor.spend()
    if kind == _STRING:
        return cursor.take(cursor.whole("Q")).decode("utf-8", "replace")
    if kind == _ARRAY:
        return _array(cursor, depth + 1)
    if kind not in _SCALARS:
        raise cursor.fault(f"metadata type {kind} before byte {cursor.position} is not known")
    return _scalars(cursor, kind, 1)[0]


def _scalars(cursor: _Cursor, kind: int, count: int) -> tuple[Value, ...]:
    """The next `count` numbers or booleans; `count` is small."""
    code = f"<{count}{_SCALARS[kind]}"
    data = cursor.take(struct.calcsize(code))
    if kind == _BOOL and max(data, default=0) > 1:
        raise cursor.fault(f"a boolean before byte {cursor.position} is neither 0 nor 1")
    return struct.unpack(code, data)


def _array(cursor: _Cursor, depth: int) -> GgufArray:
    """An array, whose values are passed over when there are more than `MAX_KEPT`."""
    if depth > MAX_NESTING:
        raise cursor.fault(f"its metadata arrays are nested deeper than {MAX_NESTING} levels")
    kind, length = cursor.whole("I"), cursor.whole("Q")
    kept = length <= MAX_KEPT
    if kind in _SCALARS:
        if not kept:
            cursor.skip(length * struct.calcsize("<" + _SCALARS[kind]))
            return GgufArray(length, None)
        cursor.spend(length)
        return GgufArray(length, _scalars(cursor, kind, length))
    if kind not in (_STRING, _ARRAY):
        raise cursor.fault(f"metadata type {kind} before byte {cursor.position} is not known")
    cursor.spend(length)  # before the loop: a length that the file cannot hold ends here or at its end
    if kept:
        return GgufArray(length, tuple(_value(cursor, kind, depth) for _ in range(length)))
    for _ in range(length):
        if kind == _STRING:
            cursor.skip(cursor.whole("Q"))
        else:
            _array(cursor, depth + 1)
    return GgufArray(length, None)


def _tensors(cursor: _Cursor, count: int) -> dict[str, TensorInfo]:
    """All tensor infos."""
    found: dict[str, TensorInfo] = {}
    for _ in range(count):
        name = cursor.name(MAX_NAME, "the name of a tensor")
        if name in found:
            raise cursor.fault("this tensor stands twice", name)
        found[name] = _tensor(cursor, name)
    return found


def _tensor(cursor: _Cursor, name: str) -> TensorInfo:
    """Dimensions, type and offset of one tensor."""
    rank = cursor.whole("I")
    if rank > MAX_DIMS:
        raise cursor.fault(f"has {rank} dimensions, more than {MAX_DIMS}", name)
    dims: tuple[int, ...] = struct.unpack(f"<{rank}Q", cursor.take(8 * rank))
    kind, offset = cursor.whole("I"), cursor.whole("Q")
    if kind not in GGML_TYPES:
        raise cursor.fault(f"ggml type {kind} is not known, or was removed from the format", name)
    if prod(dims) > MAX_ELEMENTS or max(dims, default=0) > MAX_ELEMENTS:
        raise cursor.fault(f"dimensions {shown(list(dims))} are more elements than 64 bits count", name)
    dtype, block, size = GGML_TYPES[kind]
    if (dims[0] if dims else 1) % block:
        message = f"{dtype} packs {block} elements of a row, which do not divide its {shown(list(dims))}"
        raise cursor.fault(message, name)
    return TensorInfo(dtype, dims, prod(dims) // block * size, offset)


def _alignment(cursor: _Cursor, metadata: Mapping[str, Value]) -> int:
    """Alignment of the tensor data. [B]"""
    value = metadata.get("general.alignment", 32)
    if type(value) is not int or not 0 < value <= MAX_ALIGNMENT or value & (value - 1):
        raise cursor.fault(f"{shown(value)} is not a power of two up to {MAX_ALIGNMENT}", "general.alignment")
    return value


def _check_layout(cursor: _Cursor, tensors: Mapping[str, TensorInfo], alignment: int) -> None:
    """Refuse tensors that overlap, are not aligned, or reach beyond the file."""
    data = cursor.size - -(-cursor.position // alignment) * alignment
    for name, tensor in tensors.items():
        if tensor.offset % alignment:
            raise cursor.fault(f"its offset {tensor.offset} is no multiple of the alignment {alignment}", name)
        if tensor.bytes and tensor.offset + tensor.bytes > data:
            needed = tensor.offset + tensor.bytes
            raise cursor.fault(f"is truncated: its data end at byte {needed}, {max(data, 0)} are there", name)
    if both := overlap(tensors):
        raise cursor.fault(f"its data overlap those of {shown(both[0])}", both[1])


# --- Sizes -----------------------------------------------------------------------------------------------------------


def read_parts(path: Path) -> GgufHeader:
    """The header of a GGUF file, with the tensors of all parts beside it when it is one part of a split model.

    Parameters
    ----------
    path : Path
        The file, or any part (``NAME-00001-of-00003.gguf``).

    Returns
    -------
    GgufHeader
        Metadata of the first part that is there, tensors of all; its warnings name what is missing.

    Raises
    ------
    InputError
        If a part is damaged, or two parts hold the same tensor.
    """
    match = _SPLIT.match(path.name)
    if match is None or int(match[3]) <= 1:
        return _complete(read_header(path))
    count = int(match[3])
    if count > MAX_SHARDS:
        raise InputError(Problem(f"is one of {count} parts, more than {MAX_SHARDS}", file=str(path)))
    parts = [path.with_name(f"{match[1]}-{number + 1:05d}-of-{count:05d}.gguf") for number in range(count)]
    missing = [part for part in parts if part != path and not is_file(part)]
    headers = [read_header(part) for part in parts if part not in missing]
    tensors: dict[str, TensorInfo] = {}
    for header in headers:
        if twice := tensors.keys() & header.tensors.keys():
            raise InputError(Problem("this tensor stands in two parts", min(twice), header.files[0]))
        tensors.update(header.tensors)
        if len(tensors) > 4 * MAX_TENSORS:
            raise InputError(Problem(f"its parts hold more than {4 * MAX_TENSORS} tensors", file=str(path)))
    files = tuple(header.files[0] for header in headers)
    warnings = (f"{len(missing)} of {count} parts are missing, first {missing[0].name}",) if missing else ()
    return _complete(replace(headers[0], tensors=tensors, files=files, warnings=warnings))


def _complete(header: GgufHeader) -> GgufHeader:
    """`header`, with a warning where it holds another number of tensors than the model was split into."""
    wanted = header.metadata.get("split.tensors.count")
    if wanted is None or wanted == len(header.tensors):
        return header
    said = f"{len(header.tensors)} of the model's {shown(wanted)} tensors are there"
    return replace(header, warnings=(*header.warnings, said))


def exact_bytes(path: Path) -> Checkpoint:
    """What a GGUF model holds, all parts of a split one together.

    Parameters
    ----------
    path : Path
        The file, or any part of a split model.

    Returns
    -------
    Checkpoint
        Exact bytes [B] by ggml type; `Checkpoint.linear_bits` is the mean of the linear layers.

    Raises
    ------
    InputError
        If the file or one of its parts is damaged.
    """
    return checkpoint(read_parts(path))


def checkpoint(header: GgufHeader) -> Checkpoint:
    """The `Checkpoint` of a header that was read before."""
    linear = [name for name, tensor in header.tensors.items() if _is_linear(name, tensor)]
    return summed(header.tensors, header.files, header.warnings, linear)


def _is_linear(name: str, tensor: TensorInfo) -> bool:
    """Whether a tensor is the weight of a linear layer: in a block, a matrix, and neither norm nor router."""
    inner = name.startswith("blk.") and name.endswith(".weight") and len(tensor.shape) >= 2
    return inner and not any(word in name for word in ("norm", "ffn_gate_inp", "conv1d"))


# --- Model -----------------------------------------------------------------------------------------------------------

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
    for warning in header.warnings or _complete(header).warnings:
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
    match = _SPLIT.match(name)
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
        if _is_linear(name, tensor):
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
    if held != counted and not keys.problems:
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

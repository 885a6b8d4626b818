"""Exact sizes and model shapes from the headers of GGUF files (llama.cpp); no tensor is read.

The format is that of ggml's docs/gguf.md: magic, version, counts; metadata; tensor infos; aligned data. Metadata
arrays may be large (a tokenizer's vocabulary), so only the short ones are kept and of the others the length.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from llmperf.errors import InputError, Problem, shown
from llmperf.importers.checkpoint import (
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

GGML_BITS = {name.lower(): 8.0 * size / block for name, block, size in GGML_TYPES.values()}
"""Bits of an element of each type, scales included."""

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""`struct` codes of the metadata's value types (``gguf_metadata_value_type`` in docs/gguf.md)."""
_BOOL, _STRING, _ARRAY = 7, 8, 9
SPLIT = re.compile(r"^(.*)-(\d{5})-of-(\d{5})\.gguf$", re.DOTALL)


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
    match = SPLIT.match(path.name)
    if match is None or int(match[3]) <= 1:
        return complete(read_header(path))
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
    return complete(replace(headers[0], tensors=tensors, files=files, warnings=warnings))


def complete(header: GgufHeader) -> GgufHeader:
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
    linear = [name for name, tensor in header.tensors.items() if is_linear(name, tensor)]
    return summed(header.tensors, header.files, header.warnings, linear)


def is_linear(name: str, tensor: TensorInfo) -> bool:
    """Whether a tensor is the weight of a linear layer: in a block, a matrix, and neither norm nor router."""
    inner = name.startswith("blk.") and name.endswith(".weight") and len(tensor.shape) >= 2
    return inner and not any(word in name for word in ("norm", "ffn_gate_inp", "conv1d"))


def cache_format(types: Sequence[str]) -> dict[str, Any] | None:
    """The KV-cache format of keys and values of two ggml types; None where both have 16 bits."""
    if set(types) in ({"f16"}, {"bf16"}):
        return None
    return {
        "name": "-".join(dict.fromkeys(types)),
        "bits": sum(GGML_BITS[name] for name in types) / len(types),
        "sources": {"all": "ggml block sizes of the types of keys and values"},
    }

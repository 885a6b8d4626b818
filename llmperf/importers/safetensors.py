"""Exact sizes of safetensors checkpoints, from the headers of their files; no tensor is read.

The format (github.com/huggingface/safetensors, README.md and safetensors/src/tensor.rs): eight bytes with the length
of the header, little-endian; the header, a JSON object of tensors; the tensors' data. The checks are those of the
reference reader, which refuses holes, overlaps and a file that is longer or shorter than its header says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from llmperf.errors import InputError, Problem, nearest, shown
from llmperf.importers.checkpoint import (
    MAX_ELEMENTS,
    MAX_HEADER,
    MAX_SHARDS,
    MAX_TENSORS,
    Checkpoint,
    TensorInfo,
    is_file,
    is_folder,
    opened,
    summed,
)

BITS: dict[str, int] = {
    **dict.fromkeys(("F4",), 4),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
}
"""Bits of one element of each dtype (``Dtype::bitsize`` in safetensors/src/tensor.rs)."""

INDEX = "model.safetensors.index.json"
MAX_RANK = 64
"""Most dimensions of a tensor; real ones have at most five."""
MAX_MARKS = 12 * MAX_TENSORS
"""Most brackets, braces and commas of a header: what bounds the memory of its parsed form."""
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.safetensors$")


@dataclass(frozen=True, slots=True)
class Index:
    """What a ``model.safetensors.index.json`` says.

    Parameters
    ----------
    total_size : int or None
        Size of all tensors [B], as the tool that wrote the shards counted it; None where it is not given.
    weight_map : dict
        The file of each tensor; plain names of files beside the index.
    """

    total_size: int | None
    weight_map: dict[str, str]


def read_header(path: Path) -> dict[str, TensorInfo]:
    """Tensors of one ``.safetensors`` file, in the order of their data.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        `TensorInfo` of each name.

    Raises
    ------
    InputError
        With the first fault: a damaged, truncated or overlong file, an unknown dtype, more than can be trusted.
    """
    file = str(path)
    with opened(path) as (stream, size):
        header, data = _header_bytes(stream, size, file)
    document = _json(header, file)
    document.pop("__metadata__", None)
    if len(document) > MAX_TENSORS:
        raise InputError(Problem(f"names more than {MAX_TENSORS} tensors", file=file))
    tensors = {name: _tensor(name, entry, file) for name, entry in document.items()}
    ordered = dict(sorted(tensors.items(), key=lambda item: (item[1].offset, item[1].bytes)))
    _check_layout(ordered, data, file)
    return ordered


def _header_bytes(stream: BinaryIO, size: int, file: str) -> tuple[bytes, int]:
    """The header's text, and the bytes of data that follow it."""
    length = int.from_bytes(stream.read(8), "little")
    if size < 8:
        raise InputError(Problem(f"holds {size} bytes, too few for a safetensors file", file=file))
    if length > MAX_HEADER:
        message = f"its header would be {length} bytes long, more than {MAX_HEADER // 2**20} MiB"
        raise InputError(Problem(message, file=file, suggestion="is it a safetensors file?"))
    if length > size - 8:
        raise InputError(Problem(f"ends inside its header: {size - 8} of {length} bytes are there", file=file))
    header = stream.read(length)
    if len(header) < length:
        raise InputError(Problem("changed while it was read", file=file))
    return header, size - 8 - length


def _json(content: bytes, file: str) -> dict[str, Any]:
    """A JSON object, of bounded depth and number of values, without duplicate keys."""
    if not content.lstrip().startswith(b"{"):
        raise InputError(Problem("its header is not a JSON object", file=file))
    if sum(map(content.count, (b"{", b"[", b","))) > MAX_MARKS:
        raise InputError(Problem(f"its header holds more than {MAX_MARKS} values", file=file))

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        out = dict(pairs)
        if len(out) < len(pairs):
            raise InputError(Problem("its header names a key twice", file=file))
        return out

    try:
        document = json.loads(content.decode("utf-8"), object_pairs_hook=mapping)
    except InputError:
        raise
    except UnicodeDecodeError as error:
        raise InputError(Problem(f"its header is not UTF-8 text (byte {error.start})", file=file)) from None
    except json.JSONDecodeError as error:
        raise InputError(Problem(f"its header is not JSON: {error.msg}", file=file)) from None
    except RecursionError:
        raise InputError(Problem("its header is nested too deep", file=file)) from None
    except ValueError:
        raise InputError(Problem("its header holds a number too long to read", file=file)) from None
    checked: dict[str, Any] = document
    return checked


def _tensor(name: str, entry: Any, file: str) -> TensorInfo:
    """One entry of a header, its size checked against its shape."""
    path = _name(name, file)
    if not isinstance(entry, Mapping):
        raise InputError(Problem(f"{shown(entry)} is not a mapping of dtype, shape and data_offsets", path, file))
    dtype = entry.get("dtype")
    if not isinstance(dtype, str) or dtype not in BITS:
        near = nearest(dtype, BITS) if isinstance(dtype, str) else None
        raise InputError(Problem(f"dtype {shown(dtype)} is not known", path, file, None, tuple(BITS), near))
    shape = _whole_numbers(entry.get("shape"), "shape", path, file)
    offsets = _whole_numbers(entry.get("data_offsets"), "data_offsets", path, file)
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        raise InputError(Problem(f"data_offsets {shown(offsets)} must be a begin and an end", path, file))
    bits = prod(shape) * BITS[dtype]
    if bits != 8 * (offsets[1] - offsets[0]):
        message = f"data_offsets {shown(offsets)} do not fit {dtype} of shape {shown(shape)}"
        raise InputError(Problem(message, path, file))
    return TensorInfo(dtype, tuple(shape), offsets[1] - offsets[0], offsets[0])


def _name(name: str, file: str) -> str:
    """The name of a tensor; one that is no Unicode text (lone surrogates) is refused."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(Problem(f"the name {shown(name)} is not Unicode text", file=file)) from None
    return name


def _whole_numbers(value: Any, key: str, path: str, file: str) -> list[int]:
    """A short list of whole numbers, none of which is negative or beyond 64 bits."""
    wrong = not isinstance(value, list) or len(value) > MAX_RANK
    if wrong or any(type(number) is not int or not 0 <= number <= MAX_ELEMENTS for number in value):
        raise InputError(Problem(f"{key} {shown(value)} must list up to {MAX_RANK} whole numbers", path, file))
    numbers: list[int] = value
    return numbers


def _check_layout(tensors: Mapping[str, TensorInfo], data: int, file: str) -> None:
    """Refuse tensors (in the order of their data) that do not fill the `data` bytes [B] without hole or overlap."""
    end = 0
    for name, tensor in tensors.items():
        if tensor.offset != end:
            what = "overlap those of another tensor" if tensor.offset < end else "leave a hole before them"
            raise InputError(Problem(f"its data {what}, at byte {tensor.offset}", name, file))
        end += tensor.bytes
    if end != data:
        what = "is truncated" if end > data else "is longer than its header says"
        raise InputError(Problem(f"{what}: {end} bytes of tensors are named, {data} are there", file=file))


def read_index(path: Path) -> Index:
    """The index of a checkpoint in several files (``model.safetensors.index.json``).

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Index
        Its total size [B] and the file of each tensor.

    Raises
    ------
    InputError
        If it is no such index, or names a file outside its own folder.
    """
    file = str(path)
    with opened(path) as (stream, size):
        content = stream.read(MAX_HEADER + 1) if size <= MAX_HEADER else b""
    if size > MAX_HEADER or len(content) > MAX_HEADER:
        raise InputError(Problem(f"is larger than {MAX_HEADER // 2**20} MiB", file=file))
    document = _json(content, file)
    weight_map = document.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise InputError(Problem("is missing, or no mapping of tensors to files", "weight_map", file))
    for name, shard in weight_map.items():
        _name(name, file)
        if not isinstance(shard, str) or not _is_plain(shard):
            raise InputError(Problem(f"{shown(shard)} is not the name of a file beside the index", name, file))
    if len(set(weight_map.values())) > MAX_SHARDS:
        raise InputError(Problem(f"names more than {MAX_SHARDS} files", "weight_map", file))
    return Index(_total_size(document.get("metadata"), file), weight_map)


def _is_plain(name: str) -> bool:
    """Whether `name` is a file's name alone: printable, and without any path."""
    return name.isprintable() and 0 < len(name) <= 255 and name not in {".", ".."} and not set(name) & set("/\\:")


def _total_size(metadata: Any, file: str) -> int | None:
    """``metadata.total_size`` [B]; some tools write it as a float."""
    value = metadata.get("total_size") if isinstance(metadata, Mapping) else None
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_ELEMENTS:
        raise InputError(Problem(f"{shown(value)} is not a size in bytes", "metadata.total_size", file))
    return int(value)


def exact_bytes(path: Path) -> Checkpoint:
    """What a safetensors checkpoint holds, from the headers of all its files.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file, an index (``.json``), or the folder that holds either.

    Returns
    -------
    Checkpoint
        Exact bytes [B] of the files that are there. Its warnings say when they are not the whole checkpoint.

    Raises
    ------
    InputError
        If there is no checkpoint, or one of its files is damaged.
    """
    if is_folder(path):
        return _folder(path)
    if path.suffix == ".json":
        return _indexed(path)
    warnings = []
    if (shard := _SHARD.search(path.name)) and int(shard[2]) > 1:
        warnings.append(f"{path.name} is one of {int(shard[2])} files; only it is counted")
    return _total({path: read_header(path)}, warnings)


def _folder(folder: Path) -> Checkpoint:
    """The checkpoint of a folder: by its index, else its one model file, else all its safetensors files."""
    index, single = folder / INDEX, folder / "model.safetensors"
    files = _listed(folder, "*.safetensors")
    indices = [index] if is_file(index) else _listed(folder, "*.safetensors.index.json")
    if len(indices) == 1:
        return _indexed(indices[0])
    if single in files:
        files, others = [single], len(files) - 1
        warnings = [f"{others} other safetensors file(s) of the folder are not counted"] if others else []
    else:
        warnings = [f"no {INDEX}: all {len(files)} safetensors files are counted"] if len(files) > 1 else []
    if not files:
        raise InputError(Problem(f"holds neither {INDEX} nor any .safetensors file", file=str(folder)))
    return _total({file: read_header(file) for file in files}, warnings)


def _listed(folder: Path, pattern: str) -> list[Path]:
    """Files of a folder, sorted; a folder of too many, or one that cannot be read, is refused."""
    try:
        found = sorted(path for path in folder.glob(pattern) if is_file(path))
    except OSError as error:
        raise InputError(Problem(f"cannot be read: {error.strerror or error}", file=str(folder))) from None
    if len(found) > MAX_SHARDS:
        raise InputError(Problem(f"holds more than {MAX_SHARDS} files {pattern}", file=str(folder)))
    return found


def _indexed(path: Path) -> Checkpoint:
    """The checkpoint of an index, and every way in which the files beside it differ from what it says."""
    index = read_index(path)
    names = sorted(set(index.weight_map.values()))
    missing = [name for name in names if not is_file(path.parent / name)]
    if len(missing) == len(names):
        raise InputError(Problem(f"none of its {len(names)} files is there, first {names[0]}", file=str(path)))
    headers = {path.parent / name: read_header(path.parent / name) for name in names if name not in missing}
    warnings = [f"{len(missing)} of {len(names)} files are missing, first {missing[0]}"] if missing else []
    others = sum(file.name not in names for file in _listed(path.parent, "*.safetensors"))
    if others:
        warnings.append(f"{others} safetensors file(s) that the index does not name are not counted")
    warnings += _differences(index, headers, set(missing))
    total = _total(headers, warnings)
    if index.total_size is None or index.total_size == total.bytes:
        return total
    said = f"the index says {index.total_size} bytes, but the headers of its files add up to {total.bytes}"
    return _total(headers, [*warnings, said])


def _differences(index: Index, headers: Mapping[Path, Mapping[str, TensorInfo]], missing: set[str]) -> list[str]:
    """Tensors that are not in the file that the index names, and those that it does not name."""
    stored = {(name, file.name) for file, tensors in headers.items() for name in tensors}
    named = {(name, shard) for name, shard in index.weight_map.items() if shard not in missing}
    found = []
    for pairs, what in ((named - stored, "is not in the file"), (stored - named, "is not named by the index for")):
        if pairs:
            name, shard = min(pairs)
            found.append(f"{len(pairs)} tensor(s) differ from the index: {shown(name)} {what} {shard}")
    return found


def _total(headers: Mapping[Path, Mapping[str, TensorInfo]], warnings: list[str]) -> Checkpoint:
    """Sum of files; a tensor that stands in several counts once."""
    tensors: dict[str, TensorInfo] = {}
    twice = 0
    for header in headers.values():
        twice += len(tensors.keys() & header.keys())
        tensors.update((name, tensor) for name, tensor in header.items() if name not in tensors)
        if len(tensors) > 4 * MAX_TENSORS:
            raise InputError(Problem(f"the files name more than {4 * MAX_TENSORS} tensors"))
    if twice:
        warnings = [*warnings, f"{twice} tensor(s) stand in several files; each is counted once"]
    shards = [int(match[2]) for file in headers if (match := _SHARD.search(file.name))]
    found = summed(tensors, (str(file) for file in headers), warnings)
    return replace(found, whole=max(shards, default=0) <= len(headers))

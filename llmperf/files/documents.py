"""Files as data: safe, and bounded in size and depth. Those of JSON are read here."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from llmperf.errors import InputError, Problem
from llmperf.records import dataclass

MAX_BYTES = 4 * 2**20
"""Largest file that is read; a descriptor is a few KiB, a Hugging Face config.json at most some hundred."""
MAX_DEPTH = 24
"""Deepest nesting of mappings and lists."""
MAX_NODES = 50_000
"""Most values in a document, counted after aliases are expanded."""


@dataclass(frozen=True, slots=True)
class Document:
    """Data of one file, and the line and column at which each dotted path stands (an empty path: the whole).

    Where it extends others, `layers` are the documents that it is made of, itself first.
    """

    data: Any
    file: str | None = None
    lines: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, int] = field(default_factory=dict)
    layers: tuple[Document, ...] = ()

    def line(self, path: str) -> int | None:
        """The line of `path`, or of the nearest key above it."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path.rpartition(".")[0]
        return self.lines.get("")

    def where(self, path: str) -> tuple[str | None, int | None]:
        """File and line of `path`: of the first layer that says something of its first key."""
        head = path.partition(".")[0]
        said = next((one for one in self.layers if isinstance(one.data, Mapping) and head in one.data), self)
        return said.file, said.line(path)


def raw_bytes(path: Path, most: int) -> bytes:
    """The bytes of a file of at most `most` bytes, whatever they are.

    Raises
    ------
    InputError
        If the file cannot be read, is no regular file, or is too large.
    """
    file = str(path)
    try:
        if not path.is_file():
            raise InputError(Problem(irregular(path), file=file))
        with path.open("rb") as stream:
            content = stream.read(most + 1)
    except OSError as error:
        raise InputError(Problem(f"cannot be read: {error.strerror or error}", file=file)) from None
    return small_enough(content, most, file)


def small_enough(content: bytes, most: int, file: str) -> bytes:
    """The content, which was read up to one byte beyond `most`; refused as `raw_bytes` does if it is larger."""
    if len(content) > most:
        raise InputError(Problem(f"is larger than {most // 2**20} MiB", file=file))
    return content


def read_bytes(path: Path) -> bytes:
    """The bytes of a text file of at most `MAX_BYTES`.

    Raises
    ------
    InputError
        If the file cannot be read, is no regular file, is empty, too large, or binary.
    """
    return _no_binary(raw_bytes(path, MAX_BYTES), str(path))


def _no_binary(content: bytes, file: str) -> bytes:
    if not content.strip():
        raise InputError(Problem("is empty", file=file))
    if b"\0" in content:
        raise InputError(Problem("is a binary file, not text", file=file))
    return content


def decoded(content: bytes, file: str) -> str:
    """UTF-8 text, with or without a byte order mark.

    Raises
    ------
    InputError
        If it is empty, binary or not UTF-8.
    """
    try:
        return _no_binary(content, file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(Problem(f"is not UTF-8 text (byte {error.start})", file=file, line=line)) from None


def irregular(path: Path) -> str:
    """Why a path is not a file that can be read."""
    if path.is_dir():
        return "is a directory, not a file"
    return "is not a regular file" if path.exists() else "no such file"


def parse_json(content: bytes, file: str) -> Document:
    """JSON text to a `Document`.

    Raises
    ------
    InputError
        On a syntax error, NaN or Infinity (which JSON does not know, but Python writes: a configuration of
        transformers may hold them), a duplicate key, more than `MAX_DEPTH` levels or `MAX_NODES` values.
    """
    nodes = 0
    constants: list[str] = []

    def constant(text: str) -> float:
        constants.append(text)
        return float(text)

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal nodes
        nodes += len(pairs)
        if nodes > MAX_NODES:
            raise InputError(Problem(f"holds more than {MAX_NODES} values", file=file))
        out = dict(pairs)
        if len(out) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise InputError(Problem("this key stands twice", twice, file))
        return out

    def parsed() -> Any:
        try:
            return json.loads(decoded(content, file), parse_constant=constant, object_pairs_hook=mapping)
        except json.JSONDecodeError as error:
            raise InputError(Problem(f"is not JSON: {error.msg}", file=file, line=error.lineno)) from None

    data = bounded(parsed, file)
    if constants and not (isinstance(data, Mapping) and any(key in data for key in _OF_TRANSFORMERS)):
        raise InputError(Problem(f"{constants[0]} is not a JSON number", file=file))
    return Document(data, file)


_OF_TRANSFORMERS = ("architectures", "model_type")
"""Keys of a configuration that transformers wrote."""


def bounded(parsed: Callable[[], Any], file: str) -> Any:
    """What a parser of the standard library makes of a file, if that is at most `MAX_DEPTH` levels deep.

    Raises
    ------
    InputError
        If it is nested deeper, or a number has more digits than Python reads; what the parser itself raises so.
    """
    try:
        data = parsed()
    except InputError:
        raise
    except RecursionError:
        raise InputError(Problem(f"is nested deeper than {MAX_DEPTH} levels", file=file)) from None
    except ValueError:
        raise InputError(Problem("holds a number too long to read", file=file)) from None
    if deeper_than(data, MAX_DEPTH):
        raise InputError(Problem(f"is nested deeper than {MAX_DEPTH} levels", file=file))
    return data


def deeper_than(data: Any, depth: int) -> bool:
    """Whether mappings and lists are nested more than `depth` levels deep."""
    if not isinstance(data, Mapping | list | tuple):
        return False
    if depth == 0:
        return True
    return any(deeper_than(value, depth - 1) for value in (data.values() if isinstance(data, Mapping) else data))


def finite(value: Any) -> Any:
    """`value` with every NaN and infinity replaced by None, for JSON output."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value

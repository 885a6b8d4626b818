"""YAML and JSON files as data: safe, bounded in size, depth and aliases, with the line of every key.

Files are read by PyYAML's C parser as a stream of events, so that nothing is built before its depth and size are
known; no tag of the file chooses a Python type.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from llmperf.errors import InputError, Problem, shown

MAX_BYTES = 4 * 2**20
"""Largest file that is read; a descriptor is a few KiB, a Hugging Face config.json at most some hundred."""
MAX_DEPTH = 24
"""Deepest nesting of mappings and lists."""
MAX_NODES = 50_000
"""Most values in a document, counted after aliases are expanded."""
MAX_DOCUMENTS = 1_000
"""Most documents of one file."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "timestamp", "value")}


@dataclass(frozen=True, slots=True)
class Document:
    """Data of one file, and the line and column at which each dotted path stands (an empty path: the whole)."""

    data: Any
    file: str | None = None
    lines: dict[str, int] = field(default_factory=dict)
    columns: dict[str, int] = field(default_factory=dict)

    def line(self, path: str) -> int | None:
        """The line of `path`, or of the nearest key above it."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path.rpartition(".")[0]
        return self.lines.get("")


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


def read(path: Path) -> Document:
    """Read a ``.json`` file as JSON and any other as YAML (see `parse_yaml`)."""
    content = read_bytes(path)
    return parse_json(content, str(path)) if path.suffix == ".json" else parse_yaml(content, str(path))


def parse_json(content: bytes, file: str) -> Document:
    """JSON text to a `Document`.

    Raises
    ------
    InputError
        On a syntax error, NaN or Infinity (which JSON does not know), a duplicate key, more than `MAX_DEPTH` levels
        or `MAX_NODES` values.
    """
    nodes = 0

    def refuse(constant: str) -> float:
        raise InputError(Problem(f"{constant} is not a JSON number", file=file))

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
            return json.loads(decoded(content, file), parse_constant=refuse, object_pairs_hook=mapping)
        except json.JSONDecodeError as error:
            raise InputError(Problem(f"is not JSON: {error.msg}", file=file, line=error.lineno)) from None

    return Document(bounded(parsed, file), file)


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


def parse_yaml(content: bytes, file: str, most: int = MAX_NODES) -> Document:
    """YAML text to a `Document`.

    Raises
    ------
    InputError
        With file and line: on a syntax error, a tag, a duplicate or nested key, or more than `MAX_DEPTH` levels or
        `most` values.
    """
    return _built(_Builder(file, most), content)[-1]


def parse_yaml_stream(content: bytes, file: str) -> list[Document]:
    """YAML text of other tools to its documents: there may be several, and keys may be merged (``<<``).

    Raises
    ------
    InputError
        As `parse_yaml`; the limits hold for all documents together, merged values counted as often as they are used.
    """
    return _built(_Builder(file, MAX_NODES, foreign=True), content)


def _built(builder: _Builder, content: bytes) -> list[Document]:
    """The documents of a text, as the builder takes its events."""
    file = builder.file
    try:
        for event in yaml.parse(decoded(content, file), Loader=_Loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise InputError(
            Problem(f"is not YAML: {error.problem}", file=file, line=mark.line + 1 if mark else None)
        ) from None
    except yaml.YAMLError as error:
        raise InputError(Problem(f"is not YAML: {shown(str(error))}", file=file)) from None
    return [*builder.finished, Document(builder.root, file, builder.lines, builder.columns)]


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being filled."""

    value: dict[str, Any] | list[Any]
    path: str
    anchor: str | None
    first: int
    key: str | None = None


class _Builder:
    """Builds plain data from parser events without recursion; `foreign`: of several documents, with merged keys."""

    def __init__(self, file: str, most: int, foreign: bool = False) -> None:
        self.file, self.most = file, most
        self.foreign = foreign
        self.finished: list[Document] = []
        self.root: Any = None
        self.lines: dict[str, int] = {}
        self.columns: dict[str, int] = {}
        self.nodes = 0
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.documents = 0
        self.resolver: Any = yaml.resolver.Resolver()
        self.constructor: Any = yaml.constructor.SafeConstructor()

    def fail(self, message: str, event: Any, path: str = "") -> InputError:
        return InputError(Problem(message, path=path, file=self.file, line=event.start_mark.line + 1))

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self.scalar(event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self.open(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            done = self.stack.pop()
            if self.foreign and isinstance(done.value, dict) and "<<" in done.value:
                self.merge(done.value, event)
            if done.anchor:
                self.anchors[done.anchor] = (done.value, self.nodes - done.first)
        elif isinstance(event, yaml.AliasEvent):
            self.alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self.next(event)

    def next(self, event: Any) -> None:
        """Begin a further document."""
        if not self.foreign:
            raise self.fail("holds more than one YAML document", event)
        self.finished.append(Document(self.root, self.file, self.lines))
        self.root, self.lines, self.anchors = None, {}, {}
        if len(self.finished) >= MAX_DOCUMENTS:
            raise self.fail(f"holds more than {MAX_DOCUMENTS} documents", event)

    def merge(self, value: dict[str, Any], event: Any) -> None:
        """Give a mapping what its merge key names; its own keys and the first named win."""
        named = value.pop("<<")
        for base in named if isinstance(named, list) else [named]:
            if not isinstance(base, dict):
                raise self.fail("<< must name mappings", event)
            for key, item in base.items():
                value.setdefault(key, item)

    def count(self, nodes: int, event: Any) -> None:
        self.nodes += nodes
        if self.nodes > self.most:
            raise self.fail(f"holds more than {self.most} values", event)

    def open(self, event: Any) -> None:
        if event.tag is not None and not event.implicit:
            raise self.fail(f"tags are not allowed: {shown(event.tag)}", event)
        if len(self.stack) >= MAX_DEPTH:
            raise self.fail(f"is nested deeper than {MAX_DEPTH} levels", event)
        if self.stack and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None:
            raise self.fail("a key must be a plain text", event)
        value: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        first = self.nodes
        path = self.place(value, event)
        self.stack.append(_Open(value, path, event.anchor, first))

    def alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            raise self.fail(f"alias {shown(event.anchor)} names nothing complete before it", event)
        value, nodes = self.anchors[event.anchor]
        self.count(nodes, event)
        self.place(value, event)

    def scalar(self, event: Any) -> None:
        parent = self.stack[-1] if self.stack else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            path = f"{parent.path}.{event.value}" if parent.path else event.value
            if event.value in parent.value:
                raise self.fail("this key stands twice", event, path)
            if event.value == "<<" and not self.foreign:
                raise self.fail("merge keys are not allowed; use extends", event, parent.path)
            parent.key = event.value
            self.mark(path, event)
            return
        value = self.plain(event)
        self.place(value, event)
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)

    def plain(self, event: Any) -> Any:
        if event.tag is not None and not any(event.implicit):
            raise self.fail(f"tags are not allowed: {shown(event.tag)}", event)
        tag = self.resolver.resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag not in _PLAIN_TAGS:
            raise self.fail(f"tags are not allowed: {shown(tag)}", event)
        if tag.endswith((":timestamp", ":value", ":str")):
            return event.value
        try:
            return self.constructor.construct_object(yaml.ScalarNode(tag, event.value))
        except (ValueError, OverflowError):
            raise self.fail(f"{shown(event.value)} is not a value", event) from None

    def mark(self, path: str, event: Any) -> None:
        self.lines[path] = event.start_mark.line + 1
        self.columns[path] = event.start_mark.column + 1

    def place(self, value: Any, event: Any) -> str:
        self.count(1, event)
        if not self.stack:
            self.root = value
            return ""
        parent = self.stack[-1]
        if isinstance(parent.value, list):
            path = f"{parent.path}.{len(parent.value)}" if parent.path else str(len(parent.value))
            parent.value.append(value)
            self.mark(path, event)
            return path
        key = parent.key or ""
        parent.value[key], parent.key = value, None
        return f"{parent.path}.{key}" if parent.path else key


def finite(value: Any) -> Any:
    """`value` with every NaN and infinity replaced by None, for JSON output."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value

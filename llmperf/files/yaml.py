"""YAML files as data: safe, bounded in size, depth and aliases, with the line of every key.

Files are read by PyYAML's C parser as a stream of events, so that nothing is built before its depth and size are
known; no tag of the file chooses a Python type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from llmperf.errors import InputError, Problem, shown
from llmperf.files.documents import MAX_DEPTH, MAX_NODES, Document, decoded

MAX_DOCUMENTS = 1_000
"""Most documents of one file."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "timestamp", "value")}


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

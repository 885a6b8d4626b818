"""A place in a document that another tool's file holds: its value, its path and its line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmperf.errors import InputError, Problem, shown
from llmperf.files.documents import Document

MAX_REPLICAS = 1_000_000


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a document; what is absent or null is a node without a value.

    A value of a wrong type is refused where it is read, with its path and line.
    """

    value: Any
    document: Document
    path: str = ""

    @property
    def file(self) -> str:
        """The file."""
        return self.document.file or ""

    @property
    def line(self) -> int | None:
        """The line of the value or of the nearest key above it."""
        line = self.document.line(self.path)
        return min(self.document.lines.values(), default=None) if line is None and not self.path else line

    def __bool__(self) -> bool:
        return self.value is not None

    def at(self, *keys: str) -> Node:
        """The value at keys."""
        node = self
        for key in keys:
            inner = node.mapping().get(key)
            node = Node(inner, self.document, f"{node.path}.{key}" if node.path else key)
        return node

    def mapping(self) -> Mapping[str, Any]:
        """The mapping, empty where there is none."""
        if self.value is None:
            return {}
        if not isinstance(self.value, Mapping):
            raise self.wrong("a mapping")
        return self.value

    def entries(self) -> dict[str, Node]:
        """The values of a mapping by key."""
        return {key: self.at(key) for key in self.mapping()}

    def kind(self) -> str:
        """The ``kind`` of an object, empty where the value is none."""
        kind = self.value.get("kind") if isinstance(self.value, Mapping) else None
        return kind if isinstance(kind, str) else ""

    def items(self) -> list[Node]:
        """The elements of a list."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        prefix = f"{self.path}." if self.path else ""
        return [Node(item, self.document, f"{prefix}{index}") for index, item in enumerate(self.value)]

    def text(self) -> str:
        """A scalar as text, empty where there is none."""
        if self.value is None:
            return ""
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        if not isinstance(self.value, str | int | float):
            raise self.wrong("a text or a number")
        return str(self.value)

    def whole(self, otherwise: int) -> int:
        """A whole number, which may be written as text."""
        if self.value is None:
            return otherwise
        text = self.text().strip()
        if not text.isascii() or not text.isdigit() or len(text) > 7 or int(text) > MAX_REPLICAS:
            raise self.wrong("a whole number")
        return int(text)

    def truth(self, otherwise: bool) -> bool:
        """A switch."""
        if self.value is None:
            return otherwise
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def wrong(self, what: str) -> InputError:
        """The fault that the value is not what it must be."""
        return InputError(Problem(f"{shown(self.value)} is not {what}", self.path, self.document.file, self.line))

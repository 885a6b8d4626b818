"""TOML files as data: bounded in size, depth and values."""

from __future__ import annotations

import sys
from typing import Any

from llmperf.errors import InputError, Problem, shown
from llmperf.files.documents import MAX_NODES, Document, bounded, decoded


def parse(content: bytes, file: str) -> Document:
    """TOML text to a `Document`, with the lines of its tables and keys.

    Raises
    ------
    InputError
        On a syntax error, more than `MAX_DEPTH` levels or `MAX_NODES` values.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    text = decoded(content, file)

    def parsed() -> Any:
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InputError(Problem(f"is not TOML: {shown(str(error))}", file=file)) from None

    data = bounded(parsed, file)
    if _nodes(data) > MAX_NODES:
        raise InputError(Problem(f"holds more than {MAX_NODES} values", file=file))
    return Document(data, file, _lines(text, data))


def _nodes(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(_nodes(item) for item in value.values())
    return 1 + sum(_nodes(item) for item in value) if isinstance(value, list) else 1


def _lines(text: str, data: Any) -> dict[str, int]:
    """Lines of plain keys of plain tables, which is how configurations are written."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        plain = line.strip()
        if plain.startswith("[") and not plain.startswith("[["):
            table = plain.partition("#")[0].strip().strip("[]").strip()
            lines.setdefault(table, number)
        elif "=" in plain and not plain.startswith("#"):
            key = plain.partition("=")[0].strip().strip("'\"")
            inner: Any = data
            for part in [*table.split("."), *key.split(".")] if table else key.split("."):
                inner = inner.get(part) if isinstance(inner, dict) else None
            if inner is not None:
                lines.setdefault(f"{table}.{key}" if table else key, number)
    return lines

"""The catalog on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmperf.interfaces.console.style import console, count, table, text

_COLUMNS = {
    "model": ("family", "parameters", "active_parameters", "max_context"),
    "hardware": ("kind", "vendor", "year", "devices"),
    "weights": ("bits", "group"),
    "kv_cache": ("bits", "group"),
}


def show(found: dict[str, list[dict[str, Any]]]) -> None:
    """Print every entry of every kind."""
    out = console()
    for kind, lines in found.items():
        columns = _COLUMNS.get(kind, ())
        made = table(kind, *columns, "aliases")
        made.columns[-1].justify = "left"
        made.columns[-1].no_wrap = False
        for line in lines:
            cells = [_cell(column, line.get(column)) for column in columns]
            made.add_row(text(line["name"]), *cells, text(", ".join(line["aliases"])))
        out.print(made)
        out.print()


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    return text(count(value)) if "parameters" in column or column == "max_context" else text(value)


def show_entry(found: dict[str, Any]) -> None:
    """Print one entry: each value beside its source."""
    out = console()
    out.print(f"[bold]{text(found['name'])}[/bold] ({found['kind']}), {text(found['file'])}")
    if found["aliases"]:
        out.print(f"also: {text(', '.join(found['aliases']))}")
    for name, value in found.get("derived", {}).items():
        out.print(f"{name.replace('_', ' ')}: {count(value)}")
    made = table("key", "value", "source", left=3)
    for column in made.columns[1:]:
        column.no_wrap = False
    for path, value in _leaves(found["values"], ""):
        made.add_row(text(path), text(value), text(_source(path, found["sources"])))
    out.print(made)
    if found["notes"]:
        out.print(f"notes: {text(found['notes'])}")


def _leaves(value: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        inner = [leaf for key, item in value.items() for leaf in _leaves(item, f"{path}.{key}" if path else str(key))]
        return inner or [(path, "{}")]
    return [] if value is None else [(path, ", ".join(map(str, value)) if isinstance(value, list) else value)]


def _source(path: str, sources: Mapping[str, str]) -> str:
    """The source of the longest prefix of a path, or that of all."""
    while path:
        if path in sources:
            return sources[path]
        path = path.rpartition(".")[0]
    return sources.get("all", "")

"""The catalog on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmperf.interfaces.console.style import console, table, text
from llmperf.interfaces.console.tables import bold
from llmperf.words.quantities import count

_ALIASES_WIDTH = 22
_COLUMNS = {
    "model": ("family", "parameters", "active_parameters", "max_context"),
    "hardware": ("kind", "vendor", "year", "devices"),
    "weights": ("bits", "group", "bits_with_scales"),
    "kv_cache": ("stage", "bits_with_scales", "stored_at_128k", "read_at_128k"),
    "attention": ("mechanisms",),
    "link": ("kind", "bandwidth"),
    "tier": ("kind", "capacity", "bandwidth"),
    "traffic": ("input", "output", "prefix_hit"),
    "published": ("category", "year", "claims", "not_expressible"),
}


def show(found: dict[str, list[dict[str, Any]]]) -> None:
    """Print every entry of every kind."""
    out = console()
    for kind, lines in found.items():
        columns = _COLUMNS.get(kind, ())
        names = (column.replace("active_parameters", "active").replace("_", " ") for column in columns)
        made = table(kind, *names, "aliases")
        made.columns[-1].right, made.columns[-1].folds = False, True
        if "mechanisms" in columns:
            made.columns[0].folds, made.columns[1].folds, made.columns[1].right = False, True, False
        for before, line in zip([None, *lines], lines, strict=False):
            if before is not None and before.get("stage") != line.get("stage"):
                made.add_section()
            cells = [_cell(column, line.get(column)) for column in columns]
            made.add_row(text(line["name"]), *cells, text(_some(line["aliases"])))
        out.print(made)
        out.print()


def _some(aliases: list[str]) -> str:
    """Aliases that a line has room for, whole, and how many more there are."""
    shown: list[str] = []
    for alias in aliases:
        if len(", ".join([*shown, alias])) <= _ALIASES_WIDTH:
            shown.append(alias)
    more = len(aliases) - len(shown)
    return " ".join([*([", ".join(shown)] if shown else []), *([f"+{more}"] if more else [])])


def show_gaps(found: list[dict[str, Any]]) -> None:
    """Print what descriptors lack, and which answers that forbids."""
    out = console()
    made = table("descriptor", "lacks", "without it there is no", left=3)
    for column in made.columns[1:]:
        column.folds = True
    for line in found:
        for index, lack in enumerate(line["missing"]):
            made.add_row(text(line["name"]) if index == 0 else "", text(lack["what"]), text(lack["forbids"]))
    out.print(made)


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if "parameters" in column:
        return _billions(value)
    if column == "bits_with_scales":
        return f"{value:.4g}"
    if column.endswith("_at_128k"):
        return f"{value:.1%}"
    return text(count(value)) if column in ("max_context", "input", "output") else text(value)


def _billions(value: float) -> str:
    return f"{value / 1e9:,.2f} B" if value >= 1e9 else f"{value / 1e6:,.0f} M"


def show_entry(found: dict[str, Any]) -> None:
    """Print one entry: each value beside its source."""
    out = console()
    out.print(f"{bold(text(found['name']))} ({found['kind']}), {text(found['file'])}")
    if found["aliases"]:
        out.print(f"also: {text(', '.join(found['aliases']))}")
    for name, value in found.get("derived", {}).items():
        out.print(f"{name.replace('_', ' ')}: {count(value)}")
    made = table("key", "value", "source", left=3)
    for column in made.columns[1:]:
        column.folds = True
    for path, value in _leaves(found["values"], ""):
        made.add_row(text(path), text(value), text(_source(path, found["sources"])))
    out.print(made)
    if found.get("price_age"):
        out.print(f"its price is {text(found['price_age'])}")
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

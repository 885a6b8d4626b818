"""A scenario as the command line that asks about it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llmperf.scenarios.flags import flag
from llmperf.scenarios.keys import FLAT, flattened

ORDER = (
    *("model", "hardware", "devices", "tp", "pp", "dp", "ep", "cp", "replicas"),
    *("weights", "activations", "kv_cache", "engine", "attention", "rent"),
    *("batch", "input", "output", "shared_prefix", "traffic"),
    *("request_rate", "concurrency", "users", "think_time", "requests", "burstiness", "prefix_hit"),
    *("traffic.input.cv", "traffic.output.cv", "ttft", "tpot", "itl", "e2e", "percentile"),
)
"""Keys of a scenario that are flags of every command, as they are written; all others are said by ``--set``."""


def command(question: str, reference: Mapping[str, Any] | str | Path | None, asked: Mapping[str, Any]) -> str:
    """The command that asks a question about a scenario with keys on top.

    Parameters
    ----------
    question : str
        A command: ``serve``.
    reference : mapping, str, path or None
        The scenario: its name or file, or as data.
    asked : mapping
        Keys, short names and dotted paths; those of 1 in a layout are left out.
    """
    words = ["llmperf", question]
    if isinstance(reference, Mapping):
        asked = {**_leaves(flattened(reference)), **asked}
    elif reference is not None:
        words.append(str(reference))
    place = {key: ORDER.index(short) if (short := _short(key)) in ORDER else len(ORDER) for key in asked}
    for key, value in sorted(asked.items(), key=lambda item: place[item[0]]):
        if value is not None and not (FLAT.get(key, key).startswith("parallelism.") and value == 1):
            words += _words(key, value)
    return shlex.join(words)


def _short(key: str) -> str:
    return next((name for name, path in FLAT.items() if path == key), key)


def _words(key: str, value: Any) -> list[str]:
    short = _short(key)
    if short in ORDER and not isinstance(value, Mapping):
        return [flag(short), _said(value)]
    inner = _leaves({FLAT.get(key, key): value})
    return [word for path, one in inner.items() for word in ("--set", f"{path}={_json(one)}")]


def _said(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _json(value: Any) -> str:
    return value if isinstance(value, str) else _said(value) if isinstance(value, float) else json.dumps(value)


def _leaves(data: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Values of nested mappings by their dotted paths."""
    return dict(_pairs(data, above))


def _pairs(data: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, value in data.items():
        path = f"{above}.{key}" if above else str(key)
        if isinstance(value, Mapping):
            yield from _pairs(value, path)
        else:
            yield path.removesuffix(".extends"), value

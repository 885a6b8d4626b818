"""Reading a benchmark's output: bounded, and recognized by what it holds, never by its name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmperf.errors import InputError, Problem
from llmperf.evidence import tables
from llmperf.evidence.runs import aiperf, llama_bench, metadata, sglang, tensorrt, vllm
from llmperf.evidence.runs.run import Fields, Run
from llmperf.files.documents import MAX_DEPTH, decoded, deeper_than, raw_bytes

MAX_BYTES = 64 * 2**20
"""Largest file that is read; a result with every token's time has some MiB."""
MAX_RUNS = 1000
"""Most runs of one file."""
_SPACE = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class Format:
    """One tool's records: its name, keys that tell them, and how they are told and read."""

    name: str
    keys: tuple[str, ...]
    recognizes: Callable[[Mapping[str, Any]], bool]
    run: Callable[[Fields], Run]


FORMATS = (
    Format(llama_bench.NAME, llama_bench.KEYS, llama_bench.recognizes, llama_bench.run),
    Format(tensorrt.NAME, tensorrt.KEYS, tensorrt.recognizes, tensorrt.run),
    Format(f"{aiperf.AIPERF} and {aiperf.GENAI_PERF}", aiperf.KEYS, aiperf.recognizes, aiperf.run),
    Format(sglang.NAME, sglang.KEYS, sglang.recognizes, sglang.run),
    Format(vllm.SERVE, vllm.SERVE_KEYS, vllm.is_serve, vllm.serve),
    Format(vllm.LATENCY, vllm.LATENCY_KEYS, vllm.is_latency, vllm.latency),
)
"""In the order in which a record is tried."""

Records = list[tuple[int, Mapping[str, Any]]]
"""Records of a file, each with the line on which it begins."""


def read(path: Path) -> tuple[Run, ...]:
    """The runs of a file: JSON, JSON lines, CSV, a Markdown table or a textual report.

    Parameters
    ----------
    path : Path
        At most `MAX_BYTES` bytes and `MAX_RUNS` runs.

    Raises
    ------
    InputError
        If it cannot be read, is of no known format (names all of them and their keys), or holds values that no
        measurement has; lists every fault.
    """
    file = str(path)
    text = decoded(raw_bytes(path, MAX_BYTES), file)
    records = _records(text, file)
    if not records:
        raise InputError(Problem("holds no run", file=file))
    if len(records) > MAX_RUNS:
        raise InputError(Problem(f"holds {len(records):,} runs; at most {MAX_RUNS:,} are compared", file=file))
    runs: list[Run] = []
    problems: list[Problem] = []
    for line, data in records:
        known = next((item for item in FORMATS if item.recognizes(data)), None)
        if known is None:
            problems.append(_unknown(file, line, data))
            continue
        fields = Fields(data, file, line)
        runs.append(metadata.completed(known.run(fields), fields))
        problems += fields.problems
    if problems:
        raise InputError(problems)
    return tuple(runs)


def _records(text: str, file: str) -> Records:
    if text.lstrip()[:1] in ("{", "["):
        return _json(text, file)
    if tensorrt.HEADING in text:
        return [(1, tensorrt.from_text(text))]
    if llama_bench.is_markdown(text):
        return list(llama_bench.from_markdown(text, file))
    first = text.lstrip().partition("\n")[0]
    if all(key in first for key in llama_bench.KEYS):
        table = tables.parse(text.encode(), file)
        rows = zip(*table.columns.values(), strict=True)
        return [
            (int(line), dict(zip(table.columns, row, strict=True))) for line, row in zip(table.lines, rows, strict=True)
        ]
    raise InputError(_unknown(file, None, {}))


def _json(text: str, file: str) -> Records:
    """All JSON values of a text, one after the other; a list stands for its items.

    NaN and Infinity, which Python's writers emit, are read: an infinite request rate means something, and what may
    not be infinite is judged key by key.
    """
    decoder = json.JSONDecoder()
    out: Records = []
    position, line, counted = 0, 1, 0
    while True:
        position = _SPACE.match(text, position).end()  # type: ignore[union-attr]
        if position == len(text):
            return out
        line, counted = line + text.count("\n", counted, position), position
        try:
            value, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            said = f"is not JSON: {error.msg}"
            raise InputError(Problem(said, file=file, line=error.lineno)) from None
        except RecursionError:
            raise InputError(Problem(f"is nested deeper than {MAX_DEPTH} levels", file=file, line=line)) from None
        except ValueError:
            raise InputError(Problem("holds a number too long to read", file=file, line=line)) from None
        if deeper_than(value, MAX_DEPTH):
            raise InputError(Problem(f"is nested deeper than {MAX_DEPTH} levels", file=file, line=line))
        for item in value if isinstance(value, list) else (value,):
            if not isinstance(item, Mapping):
                raise InputError(_unknown(file, line, {}))
            out.append((line, item))


def _unknown(file: str, line: int | None, data: Mapping[str, Any]) -> Problem:
    """Which formats there are, and which of their keys a record has."""
    has = [key for item in FORMATS for key in item.keys if key in data]
    said = "is no output of a benchmark that is recognized"
    if has:
        said += f" (of their keys it has only {', '.join(dict.fromkeys(has))})"
    formats = tuple(f"{item.name} ({', '.join(item.keys)})" for item in FORMATS)
    return Problem(said, file=file, line=line, allowed=formats)

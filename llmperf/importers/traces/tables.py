"""Traces that are tables: CSV of Azure, BurstGPT, Vidur and others, in pieces that memory holds."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from llmperf.errors import InputError, Problem
from llmperf.importers.traces import names
from llmperf.importers.traces.checked import finished
from llmperf.importers.traces.trace import UNITS, Faults, Floats, Requests, Trace, Wanted, Wholes

CHUNK = 20_000
"""Rows that are read at once."""
MAX_LINE = 2**20
"""Longest line. [character]"""
DATE = "date"
"""The unit of times that are dates."""
KNOWN = {
    frozenset({"TIMESTAMP", "ContextTokens", "GeneratedTokens"}): "Azure LLM inference trace",
    frozenset({"Timestamp", "Model", "Request tokens", "Response tokens"}): "BurstGPT",
    frozenset({"arrived_at", "num_prefill_tokens", "num_decode_tokens"}): "Vidur",
}
"""Columns that tell a trace."""


@dataclass(slots=True)
class _Columns:
    """The columns of a table, and what its first requests have settled."""

    names: list[str]
    delimiter: str
    found: dict[str, str]
    kept: dict[int, str]
    """Index of a column -> the value that is asked for."""
    unit: str | None = None
    sessions: dict[str, int] = field(default_factory=dict)
    others: int = 0

    def places(self) -> Iterator[tuple[str, int]]:
        """Each role and the index of its column."""
        return ((role, self.names.index(name)) for role, name in self.found.items())


def read(path: Path, asked: Wanted) -> Trace:
    """A trace with a line for each request and a header that names their columns."""
    file, faults = str(path), Faults(str(path))
    parts: list[Requests] = []
    line = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            columns = _columns(stream.readline(MAX_LINE), asked, file)
            lines = iter(partial(stream.readline, MAX_LINE), "")
            reader = csv.reader(lines, delimiter=columns.delimiter, strict=True)
            for rows, numbered in _chunks(reader, len(columns.names), faults):
                line = int(numbered[-1]) if len(numbered) else line
                wanted, numbered = _wanted(rows, numbered, columns)
                if wanted:
                    parts.append(_rows(wanted, numbered, columns, asked, faults))
    except UnicodeDecodeError:
        raise InputError(Problem("is not UTF-8 text", file=file, line=line)) from None
    except csv.Error as error:
        raise InputError(Problem(f"is no CSV table: {error}", file=file, line=line)) from None
    if not parts:
        faults.check()
        raise InputError(Problem(f"holds no request{' that is asked for' if columns.kept else ''}", file=file))
    left_out = {"not asked for": columns.others} if columns.others else {}
    kind = next((name for keys, name in KNOWN.items() if keys <= set(columns.names)), "CSV")
    said = ", ".join(f"{role} from {name}" for role, name in columns.found.items())
    note = f"{said}{f'; times in {columns.unit}' if columns.unit in UNITS else ''}"
    return finished(_joined(parts), faults, kind, left_out, (note,))


def _columns(head: str, asked: Wanted, file: str) -> _Columns:
    """The columns that a header names."""
    delimiter = max(",;\t|", key=head.count)
    known = [name.strip() for row in csv.reader([head], delimiter=delimiter, strict=True) for name in row]
    found = names.roles(known, asked, file, 1)
    return _Columns(known, delimiter, found, {known.index(name): value for name, value in asked.where.items()})


def _wanted(rows: list[list[str]], lines: Wholes, columns: _Columns) -> tuple[list[list[str]], Wholes]:
    """The rows that are asked for."""
    if not columns.kept:
        return rows, lines
    chosen = np.array([all(row[at].strip() == value for at, value in columns.kept.items()) for row in rows], bool)
    columns.others += int((~chosen).sum())
    return [row for row, one in zip(rows, chosen, strict=True) if one], lines[chosen]


def _chunks(reader: Any, width: int, faults: Faults) -> Iterator[tuple[list[list[str]], Wholes]]:
    """Rows of a table, many at once, and the line on which each begins; blank lines are none."""
    begin = 2
    while rows := list(islice(reader, CHUNK)):
        after = reader.line_num + 2
        heights = [1] * len(rows)
        if after - begin != len(rows):  # cells with ends of lines in them
            heights = [1 + sum(cell.count("\n") for cell in row) for row in rows]
        lines = begin + np.concatenate(([0], np.cumsum(heights)))[:-1]
        begin = after
        if set(map(len, rows)) != {width}:
            for row, line in zip(rows, lines, strict=True):
                if row and len(row) != width:
                    faults.add(f"has {len(row)} cells, the header {width}", int(line))
            whole = np.array([len(row) == width for row in rows])
            lines, rows = lines[whole], [row for row in rows if len(row) == width]
        yield rows, lines.astype(np.int64)


def _rows(rows: list[list[str]], lines: Wholes, columns: _Columns, asked: Wanted, faults: Faults) -> Requests:
    """The requests of some rows; the unit of times is what the first of all settles."""
    found = columns.found
    cells = {role: [row[index] for row in rows] for role, index in columns.places()}
    times: Floats | None = None
    if "time" in cells:
        if columns.unit is None and names.is_date(cells["time"][0]):
            columns.unit = DATE
        if columns.unit == DATE:
            times = names.dates(cells["time"], lines, found["time"], faults)
        else:
            times = names.numbers(cells["time"], lines, found["time"], faults)
            columns.unit = columns.unit or names.unit_of(found["time"], float(times[0]), asked)
            times = times * UNITS[columns.unit]
    numbered: Wholes | None = None
    if "session" in cells:
        known = columns.sessions
        numbered = np.array(
            [known.setdefault(one, len(known)) if one else -1 for one in map(str.strip, cells["session"])]
        )
    inputs, outputs = (names.numbers(cells[role], lines, found[role], faults) for role in ("input", "output"))
    return Requests(lines, inputs, outputs, times, None, numbered)


def _joined(parts: Sequence[Requests]) -> Requests:
    def of(name: str) -> Any:
        columns = [getattr(part, name) for part in parts]
        return None if columns[0] is None else np.concatenate(columns)

    return Requests(*(of(name) for name in ("lines", "inputs", "outputs", "times", "ends", "sessions")))

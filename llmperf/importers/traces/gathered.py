"""Requests of records while they are read, column by column."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from llmperf.errors import InputError, Problem, shown, sort_of
from llmperf.importers.traces.trace import Blocks, Faults, Requests, Wanted

MOST = 1e20
"""Numbers beyond it are typing errors."""
_WHOLE = ("lines", "sessions", "counts")
"""Columns of whole numbers."""


@dataclass(slots=True)
class Gathered:
    """Requests as they are read, column by column."""

    asked: Wanted
    faults: Faults
    columns: dict[str, Any] = field(default_factory=dict)
    sessions: dict[Any, int] = field(default_factory=dict)
    ids: list[Any] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def add(self, line: int, values: Mapping[str, float], ids: list[Any] | None = None) -> None:
        """One request."""
        self.extend((line,), {name: (value,) for name, value in values.items()}, None if ids is None else [ids])

    def extend(self, lines: Sequence[int], columns: Mapping[str, Any], ids: Sequence[list[Any]] | None) -> None:
        """Many requests at once, of which the same must be known as of the first."""
        found = {**columns, "lines": lines, **({} if ids is None else {"counts": list(map(len, ids))})}
        if not self.columns:
            self.columns = {name: array("q" if name in _WHOLE else "d") for name in found}
        if found.keys() != self.columns.keys():
            self.faults.add("says other things of a request than lines before it", lines[0])
            return
        for name, values in found.items():
            column = self.columns[name]
            if isinstance(values, np.ndarray):
                column.frombytes(values.tobytes())
            else:
                column.extend(values)
        self.ids += chain.from_iterable(ids or ())

    def session(self, key: Any) -> int:
        """The number of a conversation."""
        return self.sessions.setdefault(key, len(self.sessions))

    def number(self, line: int, record: Mapping[str, Any], key: str) -> float | None:
        """A number of a record; what is none is noted."""
        value = record.get(key)
        if (type(value) is int or type(value) is float) and abs(value) < MOST:  # which no NaN is
            return float(value)
        self.faults.add("is missing" if value is None else f"{shown(value)} is not a number", line, key)
        return None

    def tokens(self, line: int, text: Any, path: str) -> float:
        """Tokens of a text, by the characters of one that the caller states."""
        if self.asked.chars_per_token is None:
            said = "holds texts, whose tokens depend on the tokenizer: say how many characters make one"
            hint = "--chars-per-token 4, about right for English"
            raise InputError(Problem(said, path, self.faults.file, line, suggestion=hint))
        if not isinstance(text, str):
            self.faults.add(f"must be a text, not {sort_of(text)}", line, path)
            return 0.0
        return len(text) / self.asked.chars_per_token

    def requests(self) -> Requests:
        """All requests."""
        found: dict[str, Any] = {name: np.frombuffer(column, column.typecode) for name, column in self.columns.items()}
        counts = found.pop("counts", None)
        blocks = None if counts is None else Blocks(self._numbered(), counts)
        if "times" in found and np.isnan(found["times"]).any():
            del found["times"]
            self.notes.append("later turns have delays and no times: no rate and no burstiness")
        return Requests(**found, blocks=blocks)

    def _numbered(self) -> Any:
        if {*map(type, self.ids)} <= {int} and -(2**63) <= min(self.ids, default=0) <= max(self.ids, default=0) < 2**63:
            return np.array(self.ids, dtype=np.int64)
        known: dict[Any, int] = {}
        return np.array([known.setdefault(one, len(known)) for one in self.ids], dtype=np.int64)

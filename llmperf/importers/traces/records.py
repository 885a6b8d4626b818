"""Traces that are records: JSON lines, or one JSON list, of Mooncake, Qwen, aiperf and of chats with their texts."""

from __future__ import annotations

import json
import math
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from llmperf.errors import InputError, Problem, shown, sort_of
from llmperf.files.documents import MAX_DEPTH, decoded, raw_bytes
from llmperf.importers.traces import names
from llmperf.importers.traces.trace import UNITS, Blocks, Faults, Requests, Trace, Wanted, finished

MAX_LINE = 64 * 2**20
"""Longest line; one with the ids of a million tokens in blocks of 16 has half a MiB. [byte]"""
MAX_LIST = 2**30
"""Largest file that is one list, which is read whole; that of ShareGPT has 642 MiB. [byte]"""
_WHOLE = ("lines", "sessions", "counts")
"""Columns of whole numbers."""
_SPACE = re.compile(r"[\s,]*")
_ASKS, _ANSWERS = ("human", "user", "system", "tool"), ("gpt", "assistant", "model", "chatgpt", "bing", "bard")
"""Who speaks in a chat."""


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

    def add(self, line: int, values: dict[str, float], ids: list[Any] | None = None) -> None:
        """One request, of which the same must be known as of the first."""
        values["lines"] = line
        if ids is not None:
            values["counts"] = len(ids)
        if not self.columns:
            self.columns = {name: array("q" if name in _WHOLE else "d") for name in values}
        if values.keys() != self.columns.keys():
            self.faults.add("says other things of a request than lines before it", line)
            return
        for name, value in values.items():
            self.columns[name].append(value)
        self.ids += ids or ()

    def session(self, key: Any) -> int:
        """The number of a conversation."""
        return self.sessions.setdefault(key, len(self.sessions))

    def number(self, line: int, record: Mapping[str, Any], key: str) -> float | None:
        """A number of a record; what is none is noted."""
        value = record.get(key)
        if (type(value) is int or type(value) is float) and abs(value) < 1e20:  # which no NaN is
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

    def rows(self) -> Requests:
        """All requests."""
        found: dict[str, Any] = {name: np.frombuffer(column, column.typecode) for name, column in self.columns.items()}
        counts = found.pop("counts", None)
        blocks = None if counts is None else Blocks(self._numbered(), counts)
        if "times" in found and np.isnan(found["times"]).any():
            del found["times"]
            self.notes.append("later turns have delays and no times: no rate and no burstiness")
        return Requests(**found, blocks=blocks)

    def _numbered(self) -> Any:
        known: dict[Any, int] = {}
        return np.array([known.setdefault(one, len(known)) for one in self.ids], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of records: its name, keys that tell it, and what makes requests of one."""

    name: str
    keys: tuple[str, ...]
    add: Callable[[Gathered, int, Mapping[str, Any]], None]


def read(path: Path, asked: Wanted) -> Trace:
    """A trace of JSON lines, or of one list."""
    faults = Faults(str(path))
    gathered = Gathered(asked, faults)
    form: Form | None = None
    for line, record in _elements(path, faults):
        if not isinstance(record, Mapping):
            faults.add(f"must be a mapping, not {sort_of(record)}", line)
            continue
        form = form or _form(record, gathered, line)
        if all(str(record.get(key)) == value for key, value in asked.where.items()):
            form.add(gathered, line, record)
        else:
            gathered.left_out["not asked for"] += 1
    if form is None or not gathered.columns:
        faults.check()
        raise InputError(Problem("holds no request", file=faults.file))
    rows = gathered.rows()
    return finished(rows, faults, form.name, gathered.left_out, tuple(gathered.notes))


def _elements(path: Path, faults: Faults) -> Iterator[tuple[int, Any]]:
    """Every record of a file, and the line on which it begins."""
    with path.open("rb") as stream:
        start = stream.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:1] == b"[":
        yield from _of_list(path, faults)
        return
    with path.open("rb") as stream:
        for line, content in enumerate(iter(lambda: stream.readline(MAX_LINE + 1), b""), 1):
            if len(content) > MAX_LINE:
                raise InputError(Problem(f"is longer than {MAX_LINE // 2**20} MiB", file=faults.file, line=line))
            bare = content.strip().removeprefix(b"\xef\xbb\xbf")
            if bare:
                try:
                    yield line, json.loads(bare)
                except (ValueError, RecursionError) as error:
                    faults.add(_unread(error), line)


def _of_list(path: Path, faults: Faults) -> Iterator[tuple[int, Any]]:
    text = decoded(raw_bytes(path, MAX_LIST), faults.file)
    decoder = json.JSONDecoder()
    place = text.index("[") + 1
    line, counted = 1, 0
    while True:
        place = _SPACE.match(text, place).end()  # type: ignore[union-attr]
        line, counted = line + text.count("\n", counted, place), place
        if text[place : place + 1] == "]":
            return
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            faults.add(_unread(error), getattr(error, "lineno", line))
            return
        yield line, value


def _unread(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return f"is nested deeper than {MAX_DEPTH} levels"
    if isinstance(error, json.JSONDecodeError):
        return f"is not JSON: {error.msg}"
    return "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else "holds a number too long to read"


def _form(record: Mapping[str, Any], gathered: Gathered, line: int) -> Form:
    """The kind of a trace, by the keys of its first record."""
    for form in FORMS:
        if set(form.keys) <= set(record):
            return form
    found = names.roles(record, gathered.asked, gathered.faults.file, line)
    unit: str | None = None
    if "time" in found and type(first := record[found["time"]]) in (int, float):
        unit = names.unit_of(found["time"], first, gathered.asked)
        if gathered.asked.time_unit is None and found["time"] == "timestamp" and found["input"] == "input_length":
            unit = "s" if "chat_id" in record else "ms"  # Qwen's traces; Mooncake's and those that aiperf replays
    name = "Qwen trace" if "chat_id" in record else "Mooncake trace" if "hash_ids" in record else "JSON lines"
    said = ", ".join(f"{role} from {key}" for role, key in found.items())
    gathered.notes.append(f"{said}{f'; times in {unit}' if unit else ''}")
    blocks = "hash_ids" in record
    return Form(name, (), lambda into, at, one: _flat(into, at, one, found, unit, blocks))


def _flat(
    into: Gathered, line: int, record: Mapping[str, Any], found: Mapping[str, str], unit: str | None, blocks: bool
) -> None:
    """A request whose lengths are keys of its record."""
    values: dict[str, float] = {}
    for role, name in (("input", "inputs"), ("output", "outputs")):
        number = into.number(line, record, found[role])
        if number is None:
            return
        values[name] = number
    if "time" in found:
        time = _time(into, line, record, found, unit)
        if time is None:
            return
        values["times"] = time
    if "chat_id" in record:
        parent = record.get("parent_chat_id")
        before = into.sessions.get(_key(parent))
        number_of = into.session(_key(record["chat_id"])) if before is None else before
        into.sessions[_key(record["chat_id"])] = number_of
        values["sessions"] = number_of
    elif "session" in found:
        key = record.get(found["session"])
        values["sessions"] = -1 if key is None else into.session(_key(key))
    ids = None
    if blocks:
        ids = record.get("hash_ids")
        if not isinstance(ids, list) or not {*map(type, ids)} <= {int, str}:
            into.faults.add(f"{shown(ids)} is no list of ids", line, "hash_ids")
            return
    into.add(line, values, ids)


def _time(
    into: Gathered, line: int, record: Mapping[str, Any], found: Mapping[str, str], unit: str | None
) -> float | None:
    """When a request came; not a number where it follows on the turn before it. [s]"""
    value = record.get(found["time"])
    if value is None and "session" in found and "delay" in record:
        return math.nan
    if unit is not None:
        number = into.number(line, record, found["time"])
        return None if number is None else number * UNITS[unit]
    if not isinstance(value, str) or not names.is_date(value):
        into.faults.add(f"{shown(value)} is no time", line, found["time"])
        return None
    return float(names.dates([value], np.array([line]), found["time"], into.faults)[0])


def _key(value: Any) -> Any:
    """What a conversation is known by: anything that can be told apart."""
    return value if isinstance(value, str | int | float) else repr(value)[:200]


def _measured(into: Gathered, line: int, record: Mapping[str, Any]) -> None:
    """A request that aiperf has sent (profile_export.jsonl): its lengths are those of the answer that came."""
    about, metrics = record.get("metadata"), record.get("metrics")
    if not isinstance(about, Mapping) or not isinstance(metrics, Mapping):
        into.faults.add("must hold mappings", line, "metadata, metrics")
        return
    if about.get("benchmark_phase", about.get("credit_phase")) == "warmup":
        into.left_out["warming up"] += 1
        return
    if record.get("error") or about.get("was_cancelled"):
        into.left_out["failed or cancelled"] += 1
        return
    values: dict[str, float] = {}
    for name, key in (("inputs", "input_sequence_length"), ("outputs", "output_sequence_length")):
        metric = metrics.get(key)
        number = into.number(line, metric if isinstance(metric, Mapping) else {}, "value")
        if number is None:
            return
        values[name] = number
    begin = "request_start_ns" if "request_start_ns" in about else "timestamp_ns"
    time = into.number(line, about, begin)
    if time is None:
        return
    if "request_end_ns" in about:
        end = into.number(line, about, "request_end_ns")
        values["ends"] = math.nan if end is None else end * 1e-9
    values |= {"times": time * 1e-9, "sessions": into.session(_key(about.get("conversation_id", line)))}
    into.add(line, values)


def _chat(into: Gathered, line: int, record: Mapping[str, Any]) -> None:
    """A chat with its texts: each answer is a request whose prompt is all that was said before."""
    key = "conversations" if "conversations" in record else "messages"
    turns = record[key]
    if not isinstance(turns, Sequence) or isinstance(turns, str):
        into.faults.add(f"must be a list, not {sort_of(turns)}", line, key)
        return
    number, said, cached = into.session(line), 0.0, 0.0
    for turn in turns:
        if not isinstance(turn, Mapping):
            into.faults.add(f"must hold mappings, not {sort_of(turn)}", line, key)
            return
        who = str(turn.get("from", turn.get("role"))).lower()
        length = into.tokens(line, turn.get("value", turn.get("content")), key)
        if who in _ANSWERS:
            if said and length:
                lengths = {"inputs": max(said, 1.0), "outputs": max(length, 1.0)}
                if into.asked.first_turn:
                    into.add(line, lengths)
                    return
                into.add(line, {**lengths, "sessions": number, "reused": cached})
                cached = said + length
        elif who not in _ASKS:
            into.faults.add(f"{shown(who)} is nobody who speaks in a chat", line, key)
            return
        said += length


FORMS = (
    Form("aiperf records", ("metadata", "metrics"), _measured),
    Form("ShareGPT", ("conversations",), _chat),
    Form("chats", ("messages",), _chat),
)
"""Kinds of records that are told by their keys; others have lengths under names that are known or asked for."""

"""Kinds of records: what makes requests of those of Mooncake, Qwen and aiperf, and of chats with their texts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from llmperf.errors import shown, sort_of
from llmperf.importers.traces import names
from llmperf.importers.traces.gathered import MOST, Gathered
from llmperf.importers.traces.trace import UNITS

_ASKS, _ANSWERS = ("human", "user", "system", "tool"), ("gpt", "assistant", "model", "chatgpt", "bing", "bard")
"""Who speaks in a chat."""


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of records: its name, keys that tell it, and what makes requests of one."""

    name: str
    keys: tuple[str, ...]
    add: Callable[[Gathered, int, Mapping[str, Any]], None]
    extend: Callable[[Gathered, Sequence[int], Sequence[Mapping[str, Any]]], bool] = lambda _, __, ___: False
    """The same of many records at once, where that is possible; False where it is not."""


def form_of(record: Mapping[str, Any], gathered: Gathered, line: int) -> Form:
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
    return Form(
        name,
        (),
        lambda into, at, one: _flat(into, at, one, found, unit, blocks),
        lambda into, lines, records: _flats(into, lines, records, found, unit, blocks),
    )


def _flats(
    into: Gathered,
    lines: Sequence[int],
    records: Sequence[Mapping[str, Any]],
    found: Mapping[str, str],
    unit: str | None,
    blocks: bool,
) -> bool:
    """Requests whose lengths are keys of their records, at once: where all of them are numbers, and none a turn."""
    if "session" in found or ("time" in found and unit is None) or any("chat_id" in one for one in records):
        return False
    names_of = {f"{role}s": name for role, name in found.items()}
    columns: dict[str, Any] = {role: [one.get(name) for one in records] for role, name in names_of.items()}
    ids: list[Any] | None = [one.get("hash_ids") for one in records] if blocks else None
    if any(not {*map(type, column)} <= {int, float} for column in columns.values()):
        return False
    if ids is not None and not ({*map(type, ids)} <= {list} and {*map(type, chain.from_iterable(ids))} <= {int, str}):
        return False
    try:
        numbers = {name: np.array(column, dtype=float) for name, column in columns.items()}
    except OverflowError:
        return False
    if not all((np.abs(column) < MOST).all() for column in numbers.values()):  # which no NaN is
        return False
    if "times" in numbers and unit is not None:
        numbers["times"] *= UNITS[unit]
    into.extend(lines, numbers, ids)
    return True


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
    turns = record.get(key)
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

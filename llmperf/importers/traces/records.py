"""Traces that are records: JSON lines, or one JSON list."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmperf.errors import InputError, Problem, sort_of
from llmperf.files.documents import MAX_DEPTH, decoded, raw_bytes
from llmperf.importers.traces.checked import finished
from llmperf.importers.traces.forms import Form, form_of
from llmperf.importers.traces.gathered import Gathered
from llmperf.importers.traces.trace import Faults, Trace, Wanted

MAX_LINE = 64 * 2**20
"""Longest line; one with the ids of a million tokens in blocks of 16 has half a MiB. [byte]"""
MAX_LIST = 2**30
"""Largest file that is one list, which is read whole; that of ShareGPT has 642 MiB. [byte]"""
BATCH = 2**22
"""Lines that are read at once. [byte]"""
_MARK = b"\xef\xbb\xbf"
"""A byte order mark."""
_SPACE = re.compile(r"[\s,]*")


def read(path: Path, asked: Wanted) -> Trace:
    """A trace of JSON lines, or of one list."""
    faults = Faults(str(path))
    gathered = Gathered(asked, faults)
    form: Form | None = None
    for lines, records in _batches(path, faults):
        found = _wanted(gathered, lines, records)
        if not found:
            continue
        form = form or form_of(found[0][1], gathered, found[0][0])
        if not form.extend(gathered, *zip(*found, strict=True)):
            for line, record in found:
                form.add(gathered, line, record)
    if form is None or not gathered.columns:
        faults.check()
        raise InputError(Problem("holds no request", file=faults.file))
    requests = gathered.requests()
    return finished(requests, faults, form.name, gathered.left_out, tuple(gathered.notes))


def _wanted(into: Gathered, lines: Sequence[int], records: Sequence[Any]) -> list[tuple[int, Mapping[str, Any]]]:
    """Records that are mappings and asked for, each with its line."""
    if not into.asked.where and {*map(type, records)} <= {dict}:
        return list(zip(lines, records, strict=True))
    found: list[tuple[int, Mapping[str, Any]]] = []
    for line, record in zip(lines, records, strict=True):
        if type(record) is not dict:
            into.faults.add(f"must be a mapping, not {sort_of(record)}", line)
        elif all(str(record.get(key)) == value for key, value in into.asked.where.items()):
            found.append((line, record))
        else:
            into.left_out["not asked for"] += 1
    return found


def _batches(path: Path, faults: Faults) -> Iterator[tuple[Sequence[int], list[Any]]]:
    """Records of a file, many at once, and the lines on which they begin."""
    with path.open("rb") as stream:
        start = stream.read(4096).removeprefix(_MARK).lstrip()
    if start[:1] == b"[":
        for line, value in _of_list(path, faults):
            yield (line,), [value]
        return
    with path.open("rb") as stream:
        begin = 1
        while contents := stream.readlines(BATCH):
            yield _batch(contents, begin, faults)
            begin += len(contents)


def _batch(contents: Sequence[bytes], begin: int, faults: Faults) -> tuple[Sequence[int], list[Any]]:
    """The records of some lines: all at once, or where one is broken one by one."""
    with contextlib.suppress(ValueError, RecursionError):
        if max(map(len, contents)) <= MAX_LINE:
            records = json.loads(b"[%b]" % b",".join(contents))
            if len(records) == len(contents):
                return range(begin, begin + len(records)), records
    lines, found = [], []
    for line, content in enumerate(contents, begin):
        if len(content) > MAX_LINE:
            raise InputError(Problem(f"is longer than {MAX_LINE // 2**20} MiB", file=faults.file, line=line))
        bare = content.strip().removeprefix(_MARK)
        if bare:
            try:
                found.append(json.loads(bare))
                lines.append(line)
            except (ValueError, RecursionError) as error:
                faults.add(_unread(error), line)
    return lines, found


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

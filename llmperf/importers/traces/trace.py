"""A trace: the requests of a service one by one, as arrays; how it may be read, and what no trace can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.errors import MAX_PROBLEMS, InputError, Problem, nearest
from llmperf.records import dataclass

Floats = NDArray[np.float64]
Wholes = NDArray[np.int64]

ROLES = ("time", "input", "output", "session")
"""What is known of a request: when it came, tokens of its prompt and of its answer, the conversation it belongs to."""
UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
"""Units of times, in seconds."""
MAX_TOKENS = 1e9
"""Lengths above this are typing errors. [token]"""
BLOCK_TOKENS = (16, 32, 64, 128, 256, 512, 1024, 2048)
"""Sizes of blocks that are tried: 512 of Mooncake, 16 of vLLM and of the traces of Qwen, 64 of agents' traces."""
FITTING = 0.95
"""Share of the prompts that have to have the right number of blocks: last ones may be shared or dropped."""
OUT_OF_ORDER_S = 60.0
"""How much earlier than one before it a request may have come: some logs write a request when it ends. [s]"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a trace is to be read, where it does not say so itself.

    Attributes
    ----------
    columns : mapping
        Role (`ROLES`) -> name of the column or key that holds it.
    where : mapping
        Column or key -> the value that requests must have to be counted.
    time_unit : str or None
        Of the times, a key of `UNITS`.
    chars_per_token : float or None
        Characters of a token, where the trace holds texts.
    first_turn : bool
        Whether only the first exchange of a conversation counts, as in the benchmark of vLLM.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    time_unit: str | None = None
    chars_per_token: float | None = None
    first_turn: bool = False

    def check(self) -> None:
        """Raise what is asked for and does not exist."""
        wrong = [
            Problem("is not known of a request", f"--column {role}", None, None, ROLES, nearest(role, ROLES))
            for role in self.columns
            if role not in ROLES
        ]
        if self.time_unit is not None and self.time_unit not in UNITS:
            wrong.append(Problem("is no unit of time", f"--time-unit {self.time_unit}", allowed=tuple(UNITS)))
        if self.chars_per_token is not None and not 0.1 <= self.chars_per_token <= 100.0:
            wrong.append(Problem("must lie between 0.1 and 100", "--chars-per-token"))
        if wrong:
            raise InputError(wrong)


class Faults:
    """What is wrong with a file, line by line; more than a message lists are not looked for."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def add(self, text: str, line: int | None, path: str = "") -> None:
        """Note a fault; raise all where there are as many as are listed."""
        self.problems.append(Problem(text, path, self.file, line))
        if len(self.problems) >= MAX_PROBLEMS:
            self.problems.sort(key=lambda one: one.line or 0)
            raise InputError([*self.problems[:-1], Problem("is not read further: too many faults", file=self.file)])

    def refuse(self, wrong: NDArray[np.bool_], lines: Wholes, text: str, path: str) -> None:
        """Note every line at which something is wrong."""
        for line in lines[wrong][:MAX_PROBLEMS]:
            self.add(text, int(line), path)

    def check(self) -> None:
        """Raise what has been noted."""
        if self.problems:
            raise InputError(sorted(self.problems, key=lambda one: one.line or 0))


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks of prompts: equal ids are equal tokens after equal ones, so that their keys and values can be reused."""

    ids: Wholes
    """Of all requests, one after the other."""
    counts: Wholes
    """Of each request. [1]"""


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests as a file has them, in its order; what it does not say is None."""

    lines: Wholes
    inputs: Floats
    outputs: Floats
    times: Floats | None = None
    ends: Floats | None = None
    sessions: Wholes | None = None
    """Number of the conversation; below zero of a request that belongs to none."""
    reused: Floats | None = None
    """Prompt tokens that an earlier turn of the same conversation has left in a cache. [token]"""
    blocks: Blocks | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests that were answered, in the order in which they came.

    Attributes
    ----------
    file, format : str
        The file, and what kind of trace it is.
    rows : Requests
        The requests; times are in order, from the first. [s]
    left_out : mapping
        Why requests do not count -> how many.
    notes : tuple of str
        What a reader of the statistics should know.
    """

    file: str
    format: str
    rows: Requests
    left_out: Mapping[str, int]
    notes: tuple[str, ...]


def finished(rows: Requests, faults: Faults, kind: str, left_out: Mapping[str, int], notes: tuple[str, ...]) -> Trace:
    """The trace of what a file has, once nothing in it is impossible.

    Raises
    ------
    InputError
        With what has been noted before; if there is no request with an answer, a length is none, or times are not in
        order.
    """
    with np.errstate(invalid="ignore"):
        for name, lengths, some in (
            ("input", rows.inputs, rows.inputs > 0.0),
            ("output", rows.outputs, rows.outputs >= 0.0),
        ):
            faults.refuse(~some | (lengths > MAX_TOKENS), rows.lines, "is no number of tokens", name)
    if rows.times is not None:
        known = np.isfinite(rows.times)
        faults.refuse(~known, rows.lines, "is no time", "time")
        times, lines = rows.times[known], rows.lines[known]
        late = np.maximum.accumulate(times) - times if len(times) else times
        text = f"is more than {OUT_OF_ORDER_S:g} s earlier than one before it"
        faults.refuse(late > OUT_OF_ORDER_S, lines, text, "time")
    faults.check()
    answered = rows.outputs > 0.0
    out = dict(left_out)
    if not answered.all():
        out["without an answer"] = out.get("without an answer", 0) + int((~answered).sum())
    if not answered.any():
        raise InputError(Problem("holds no request with an answer", file=faults.file))
    return Trace(faults.file, kind, _in_order(rows, answered), out, notes)


def _in_order(rows: Requests, answered: NDArray[np.bool_]) -> Requests:
    """The requests that were answered, in the order in which they came, with times from the first.

    Blocks stay those of all requests: one that failed has filled the cache as well.
    """
    kept = np.flatnonzero(answered)
    if rows.times is not None:
        kept = kept[np.argsort(rows.times[kept], kind="stable")]
    reused = reused_tokens(rows) if rows.blocks is not None else rows.reused
    start = rows.times[kept[0]] if rows.times is not None else 0.0

    def of(column: Any, start: float = 0.0) -> Any:
        return None if column is None else column[kept] - start if start else column[kept]

    return Requests(
        rows.lines[kept],
        rows.inputs[kept],
        rows.outputs[kept],
        of(rows.times, start),
        of(rows.ends, start),
        of(rows.sessions),
        of(reused),
    )


def block_tokens(blocks: Blocks, inputs: Floats) -> int | None:
    """Tokens of a block: the size of which prompts have as many as their lengths ask for; None where none fits."""
    fits = {size: np.mean(np.ceil(inputs / size) == blocks.counts) for size in BLOCK_TOKENS}
    best = max(fits, key=lambda size: fits[size])
    return best if fits[best] >= FITTING else None


def reused_tokens(rows: Requests) -> Floats | None:
    """Tokens of each prompt that prompts before it have left in a cache without limits.

    They are those of its leading blocks, up to the first that no earlier request had (the reuse of prefixes; Mooncake,
    FAST 2025, section 3.1). None where the blocks do not fit the lengths.
    """
    blocks = rows.blocks
    size = None if blocks is None else block_tokens(blocks, rows.inputs)
    if blocks is None or size is None:
        return None
    order = np.arange(len(rows.inputs)) if rows.times is None else np.argsort(rows.times, kind="stable")
    begins = np.concatenate(([0], np.cumsum(blocks.counts)))[:-1]
    counts = blocks.counts[order]
    offsets = np.concatenate(([0], np.cumsum(counts)))
    owner = np.repeat(np.arange(len(order)), counts)
    place = np.arange(len(owner)) - offsets[owner]
    ids = blocks.ids[begins[order][owner] + place]
    _, first, which = np.unique(ids, return_index=True, return_inverse=True)
    unknown = owner[first[which]] >= owner  # first seen in this request itself
    leading = counts.copy()
    np.minimum.at(leading, owner[unknown], place[unknown])
    out = np.empty(len(order))
    out[order] = np.minimum(leading * float(size), rows.inputs[order])
    return out

"""A trace: the requests of a service one by one, as arrays, and how it may be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

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
    requests : Requests
        The requests; times are in order, from the first. [s]
    left_out : mapping
        Why requests do not count -> how many.
    notes : tuple of str
        What a reader of the statistics should know.
    """

    file: str
    format: str
    requests: Requests
    left_out: Mapping[str, int]
    notes: tuple[str, ...]

"""Errors that a user can act on: what is wrong, where, and what is allowed instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

MAX_SHOWN = 60
"""Characters of a user's value that a message repeats; the rest is cut."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the input.

    Parameters
    ----------
    message : str
        What is wrong, in one line.
    path : str
        Dotted path of the key, empty when the whole document is meant.
    file, line : str or None, int or None
        Where it was read; None when it came from flags or Python.
    allowed : tuple of str
        What may stand there instead.
    suggestion : str or None
        The nearest allowed name, or the step that would help.
    """

    message: str
    path: str = ""
    file: str | None = None
    line: int | None = None
    allowed: tuple[str, ...] = field(default=())
    suggestion: str | None = None

    def __str__(self) -> str:
        where = self.file or ""
        if self.line is not None:
            where += f":{self.line}"
        parts = [part for part in (where, self.path) if part]
        text = (": ".join(parts) + ": " if parts else "") + self.message
        if self.suggestion:
            text += f" (did you mean {self.suggestion}?)" if self.allowed else f" ({self.suggestion})"
        if self.allowed and len(self.allowed) <= 16:
            text += f"; allowed: {', '.join(self.allowed)}"
        return text

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return {**asdict(self), "allowed": list(self.allowed)}


class InputError(ValueError):
    """The input is wrong; `problems` lists every fault found, at least one."""

    def __init__(self, problems: Problem | str | Sequence[Problem]) -> None:
        if isinstance(problems, str):
            problems = Problem(problems)
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def shown(value: object) -> str:
    """`value` as a message may repeat it: one line, printable, cut at `MAX_SHOWN` characters."""
    text = repr(value[: 2 * MAX_SHOWN]) if isinstance(value, str) else repr_bounded(value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def repr_bounded(value: object) -> str:
    """``repr`` that stays small for huge or deep values."""
    import reprlib

    return reprlib.repr(value)


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """The allowed name most like `name`, or None when none is near."""
    found = difflib.get_close_matches(name.lower()[:200], {a.lower(): a for a in allowed}, n=1, cutoff=0.55)
    by_lower = {a.lower(): a for a in allowed}
    return by_lower.get(found[0]) if found else None

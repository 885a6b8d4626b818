"""Errors that a user can act on: what is wrong, where, and what is allowed instead."""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, field
from typing import Any, Literal

from llmperf.records import dataclass

MAX_SHOWN = 60
"""Characters of a user's value that a message repeats; the rest is cut."""
MAX_PROBLEMS = 50
"""Faults of one input that are listed; more would hide the first ones."""
MAX_ALLOWED = 16
"""Longest list of allowed values that a message spells out."""
Kind = Literal["wrong", "unknown_name", "not_yet"]
"""A mistake; a name that no catalog knows, and another catalog may; what this version cannot do."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the input.

    Attributes
    ----------
    message : str
        What is wrong, in one line.
    path : str
        Dotted path of the key, empty when the whole document is meant.
    file, line : str or None, int or None
        Where it was read; None when it came from flags or Python.
    column : int or None
        Where on the line, as far as it is known; the first is 1.
    allowed : tuple of str
        What may stand there instead.
    suggestion : str or None
        The nearest allowed name, or the step that would help.
    kind : str
        What sort of fault it is (`Kind`), for code that must tell them apart; no part of the plain data.
    """

    message: str
    path: str = ""
    file: str | None = None
    line: int | None = None
    allowed: tuple[str, ...] = field(default=())
    suggestion: str | None = None
    column: int | None = None
    kind: Kind = "wrong"

    def __str__(self) -> str:
        said = self.to_dict()
        where: str = said["file"] or ""
        if self.line is not None:
            where += f":{self.line}" if self.column is None else f":{self.line}:{self.column}"
        parts = [part for part in (where, said["path"]) if part]
        text: str = (": ".join(parts) + ": " if parts else "") + said["message"]
        if self.suggestion:
            text += f" (did you mean {said['suggestion']}?)" if self.allowed else f" ({said['suggestion']})"
        if self.allowed and len(self.allowed) <= MAX_ALLOWED:
            text += f"; allowed: {', '.join(said['allowed'])}"
        return text

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``; foreign text is printable and cut."""
        column = {} if self.column is None else {"column": self.column}
        return {
            **{key: value for key, value in asdict(self).items() if key not in ("column", "kind")},
            **column,
            "message": _clean(self.message, 1000),
            "path": _clean(self.path, 200),
            # of a long path the end says which file is meant
            "file": None if self.file is None else _clean(self.file[-300:], 300),
            "allowed": [_clean(item, 200) for item in self.allowed],
            "suggestion": None if self.suggestion is None else _clean(self.suggestion, 300),
        }


def _clean(text: str, most: int) -> str:
    """`text` on one line, without control characters, cut at `most` characters."""
    cut = text[:most]
    safe = cut if cut.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in cut)
    return safe + "..." if len(text) > most else safe


class InputError(ValueError):
    """The input is wrong; `problems` lists every fault found, at least one and at most `MAX_PROBLEMS`."""

    def __init__(self, problems: Problem | str | Sequence[Problem]) -> None:
        if isinstance(problems, str):
            problems = Problem(problems)
        found = (problems,) if isinstance(problems, Problem) else tuple(problems)
        if len(found) > MAX_PROBLEMS:
            found = (*found[: MAX_PROBLEMS - 1], Problem(f"and {len(found) - MAX_PROBLEMS + 1} more faults"))
        self.problems: tuple[Problem, ...] = found
        super().__init__("\n".join(str(problem) for problem in self.problems))


def shown(value: object) -> str:
    """`value` as a message may repeat it: one line, printable, cut at `MAX_SHOWN` characters."""
    text = repr(value[: 2 * MAX_SHOWN]) if isinstance(value, str) else repr_bounded(value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def repr_bounded(value: object) -> str:
    """``repr`` that stays small for huge or deep values."""
    import reprlib

    try:
        return reprlib.repr(value)
    except ValueError:  # an integer of more digits than Python prints
        return f"a {type(value).__name__} too long to show"


def sort_of(value: object) -> str:
    """What a value is, without saying what it holds: it may be of a file that nobody meant to show."""
    if isinstance(value, bool):
        return "a truth value"
    sorts = {
        str: "a text",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a mapping",
        type(None): "nothing",
    }
    return sorts.get(type(value), f"a {type(value).__name__}")


def nearest(name: str, allowed: Iterable[str], like: float = 0.55) -> str | None:
    """The allowed name most like `name`, or None when none is as alike as `like` (1: the same)."""
    by_lower = {a.lower(): a for a in allowed}
    found = difflib.get_close_matches(name.lower()[:200], by_lower, n=1, cutoff=like)
    return by_lower.get(found[0]) if found else None


def nearest_by_tokens(name: str, allowed: Iterable[str]) -> str | None:
    """The allowed name that shares most of the words of `name`, rare words and families counting more.

    Of long names, letters alone mislead. None where no family is shared: a size alone makes no model alike.
    """
    words = {one: tokens(one) for one in allowed}
    often = Counter(word for one in words.values() for word in one)
    asked = tokens(name[:200])

    def weight(word: str) -> float:
        rare = math.log((1 + len(words)) / (1 + often[word])) + 0.1
        return 3.0 * rare if word.isalpha() and often[word] else rare

    best, most = None, 0.0
    for one, its in words.items():
        alike = {word: max((_alike(word, other) for other in its), default=0.0) for word in asked}
        if not any(share and word.isalpha() and len(word) > 2 for word, share in alike.items()):
            continue
        shared = sum(weight(word) * share for word, share in alike.items())
        shared -= 0.1 * sum(weight(word) for word in its - asked)
        if shared > most:
            best, most = one, shared
    return best


def tokens(name: str) -> frozenset[str]:
    """Words of a name: what separators, and letters before digits, keep apart (``Qwen3-30B`` is qwen, 3 and 30b)."""
    return frozenset(re.findall(r"[a-z]*\d[\d.]*[a-z]{1,2}(?![a-z\d])|\d[\d.]*|[a-z]+", name.lower()))


def _alike(word: str, other: str) -> float:
    """How alike two words are: letters up to a typing error, numbers of one unit by their ratio."""
    if word == other:
        return 1.0
    if word.isalpha() and other.isalpha():
        ratio = difflib.SequenceMatcher(None, word, other).ratio()
        return ratio if ratio >= 0.75 else 0.0
    one, another = _NUMBER.fullmatch(word), _NUMBER.fullmatch(other)
    if one is None or another is None or one[1] != another[1]:
        return 0.0
    low, high = sorted((float(one[2]), float(another[2])))
    if one[3] != another[3]:  # "8" of 8b, whose unit was forgotten
        return 0.9 if low == high and "" in (one[3], another[3]) else 0.0
    return 0.7 * low / high if high else 0.0


_NUMBER = re.compile(r"([a-z]*)(\d+\.?\d*)([a-z]*)", re.ASCII)

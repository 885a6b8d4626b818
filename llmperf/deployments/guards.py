"""Tests before commands of a script (``[ -n "$1" ] && MODEL=$1``), as far as the file itself decides them.

Operators: POSIX, test. A script is taken to be called as it stands, without arguments.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llmperf.deployments import expansion
from llmperf.deployments.expansion import Scope
from llmperf.deployments.lexer import Part, Token

_ARGUMENT = re.compile(r"\$(?:(\d+)|\{(\d+)(?::?-)?\}|([@*#])|\{([@*#])\})", re.ASCII)
_OPENS = {"[": "]", "[[": "]]", "test": None}
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)
_NUMBERS: dict[str, Callable[[int, int], bool]] = {
    "-eq": operator.eq,
    "-ne": operator.ne,
    "-gt": operator.gt,
    "-ge": operator.ge,
    "-lt": operator.lt,
    "-le": operator.le,
}


@dataclass(slots=True)
class Guard:
    """Whether the next command of a chain (``a && b || c``) is known not to run."""

    skips: bool = False
    status: bool | None = None
    """Whether the last command that ran has succeeded; None where that is not known."""

    def step(self, command: Sequence[Token], end: str, scope: Scope) -> None:
        """Go past a command that ends in `end`."""
        if not self.skips:
            self.status = truth(command, scope)
        if end not in ("&&", "||"):
            self.status = None
        self.skips = self.status is (end == "||") if end in ("&&", "||") else False


def truth(command: Sequence[Token], scope: Scope) -> bool | None:
    """Whether a test holds; None of what is none, or of what the file does not decide."""
    words = [_text(token, scope) for token in command]
    if not words or words[0] not in _OPENS:
        return None
    closing = _OPENS[words[0]]
    if closing is not None and words[-1] != closing:
        return None
    return _holds(words[1:] if closing is None else words[1:-1])


def _holds(words: Sequence[str | None]) -> bool | None:
    if words[:1] == ["!"]:
        held = _holds(words[1:])
        return None if held is None else not held
    if None in words:
        return None
    if len(words) == 1:
        return words[0] != ""
    if len(words) == 2 and words[0] in ("-n", "-z"):
        return (words[1] == "") == (words[0] == "-z")
    if len(words) != 3:
        return None
    left, sign, right = (str(word) for word in words)
    if sign in ("=", "==", "!="):
        return None if re.search(r"[*?[]", right) else (left == right) == (sign != "!=")
    if sign in _NUMBERS and _WHOLE.fullmatch(left) and _WHOLE.fullmatch(right):
        return _NUMBERS[sign](int(left), int(right))
    return None


def _text(token: Token, scope: Scope) -> str | None:
    """The text of a word; None where the file does not say it. Arguments that are not given are empty."""
    parts = [Part(said, "literal") if (said := _argument(part, scope)) is not None else part for part in token.parts]
    text, missing = expansion.joined(parts, scope)
    return None if missing else text


def _argument(part: Part, scope: Scope) -> str | None:
    match = _ARGUMENT.fullmatch(part.text) if part.quote != "literal" else None
    if match is None:
        return None
    given = [name for name in scope.variables if name.isdigit() and name != "0"]
    if number := match[1] or match[2]:
        return None if number == "0" else scope.variables.get(number, "")
    if "#" in (match[3], match[4]):
        return str(len(given))
    return " ".join(scope.variables[name] for name in sorted(given, key=int))

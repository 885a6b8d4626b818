"""Functions of shell scripts: every call as the commands of the function's body, with the arguments of that call."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from llmperf.deployments.lexer import Part, Token
from llmperf.deployments.words import MAX_WORDS

MAX_CALLS = 8
"""Deepest calls within calls."""
BETWEEN = ("do", "then", "else", "elif", "!", "{", "time")
"""Words before a command that are no part of it."""
_ASSIGNS = re.compile(r"[A-Za-z_]\w*\+?=", re.ASCII)
_NUMBERED = re.compile(r"\$(?:(\d)|\{(\d{1,3})(?:(:?[-=?+])(.*))?\})", re.ASCII | re.DOTALL)
_ALL = ("$@", "${@}", "$*", "${*}")


@dataclass(frozen=True, slots=True)
class _Body:
    """Where a function stands: its name, the braces of its body."""

    head: int
    start: int
    stop: int


def inlined(tokens: list[Token]) -> list[Token]:
    """Tokens in which calls of functions are their bodies; a function that is never called stays where it stands.

    A script that grows beyond all measure by that stays as it is.
    """
    found = _bodies(tokens)
    calls = _calls(tokens, found) if found else {}
    bodies = {
        name: body
        for name, body in found.items()
        if any(not body.head <= place <= body.stop for place in calls.get(name, ()))
    }
    if not bodies:
        return tokens
    most = len(tokens) + MAX_WORDS
    script = _Script(tokens, bodies, {body.head: body for body in bodies.values()})
    out = list(itertools.islice(script.commands(0, len(tokens)), most + 1))
    return out if len(out) <= most else tokens


def _bodies(tokens: Sequence[Token]) -> dict[str, _Body]:
    """The functions of a script (``name() { ... }``, ``function name { ... }``)."""
    found: dict[str, _Body] = {}
    opened: list[tuple[str, int, int]] = []
    for index, token in enumerate(tokens):
        if token.plain == "{":
            name, head = _name(tokens, index)
            opened.append((name, head, index))
        elif token.plain == "}" and opened and (index == 0 or tokens[index - 1].end):
            name, head, start = opened.pop()
            if name:
                found[name] = _Body(head, start, index)
    return found


def _name(tokens: Sequence[Token], index: int) -> tuple[str, int]:
    """The function whose body the brace at `index` opens, and where it begins; no name where it opens none."""
    before = index
    while before and tokens[before - 1].end == "\n":
        before -= 1
    if before >= 3 and [one.end for one in tokens[before - 2 : before]] == ["(", ")"]:
        before -= 2
    elif not (before >= 2 and tokens[before - 2].plain == "function"):
        return "", index
    name = tokens[before - 1].plain or ""
    head = before - 1
    return name, head - 1 if head and tokens[head - 1].plain == "function" else head


def _calls(tokens: Sequence[Token], known: Collection[str]) -> dict[str, list[int]]:
    """Where commands call functions."""
    found: dict[str, list[int]] = {}
    index = 0
    while index < len(tokens):
        end = _end(tokens, index)
        place = _place(tokens, index, end)
        name = tokens[place].plain if place < end < len(tokens) else None
        if name in known and tokens[end].end != "(":
            found.setdefault(str(name), []).append(place)
        index = end + 1
    return found


def _end(tokens: Sequence[Token], index: int) -> int:
    return next((place for place in range(index, len(tokens)) if tokens[place].end), len(tokens))


def _place(tokens: Sequence[Token], index: int, end: int) -> int:
    """Where the program of a command stands, behind words such as ``then`` and assignments."""
    while index < end and (tokens[index].plain in BETWEEN or _assigns(tokens[index])):
        index += 1
    return index


def _assigns(token: Token) -> bool:
    first = token.parts[0] if token.parts else None
    return first is not None and first.quote == "literal" and _ASSIGNS.match(first.text) is not None


@dataclass(slots=True)
class _Script:
    """A script while its calls are put in; `active` are the functions whose bodies are being put in."""

    tokens: Sequence[Token]
    bodies: Mapping[str, _Body]
    heads: Mapping[int, _Body]
    active: list[str] = field(default_factory=list)
    size: int = 0

    def commands(self, index: int, stop: int, given: list[Token] | None = None) -> Iterator[Token]:
        """The commands of a stretch of tokens; `given` are the arguments of the call that it is the body of."""
        while index < stop:
            if index in self.heads:
                index = self.heads[index].stop + 1
                continue
            end = min(_end(self.tokens, index), stop)
            place = _place(self.tokens, index, end)
            name = self.tokens[place].plain if place < end else None
            if given is not None and name == "shift" and end - place <= 2:
                count = self.tokens[place + 1].plain if end - place == 2 else "1"
                given = given[int(count) if count and count.isdigit() else 1 :]
            elif self._calls(name, end):
                yield from self._filled(index, place, given)
                yield from self._body(str(name), list(self._filled(place + 1, end, given)))
            else:
                yield from self._filled(index, end, given)
            yield from self.tokens[end : min(end + 1, stop)]
            index = end + 1

    def _calls(self, name: str | None, end: int) -> bool:
        calls = name in self.bodies and name not in self.active and self.tokens[end : end + 1]
        return bool(calls) and self.tokens[end].end != "(" and len(self.active) < MAX_CALLS and self.size < MAX_WORDS

    def _body(self, name: str, given: list[Token]) -> Iterator[Token]:
        body = self.bodies[name]
        self.size += body.stop - body.start + len(given)
        self.active.append(name)
        yield from self.commands(body.start + 1, body.stop, given)
        self.active.pop()

    def _filled(self, index: int, end: int, given: list[Token] | None) -> Iterator[Token]:
        for token in self.tokens[index:end]:
            if given is None:
                yield token
            elif len(token.parts) == 1 and token.parts[0].text in _ALL:
                yield from given
            else:
                parts = tuple(part for one in token.parts for part in _with(one, given))
                if parts or not token.parts:
                    yield replace(token, parts=parts)


def _with(part: Part, given: Sequence[Token]) -> Sequence[Part]:
    """A part of a word with the arguments of the call put in."""
    if part.quote == "literal":
        return (part,)
    if part.text in _ALL:
        words = [[*one.parts, Part(" ", "literal")] for one in given]
        return [inner for word in words for inner in word][:-1]
    if part.text in ("$#", "${#}"):
        return (Part(str(len(given)), "literal"),)
    match = _NUMBERED.fullmatch(part.text)
    number = int(match[1] or match[2]) if match else 0
    if match is None or number == 0:
        return (part,)
    isset = number <= len(given)
    if match[3] and (match[3].endswith("+") or not isset):
        return (part,)  # another text than the argument, which the shell's own rules give
    if not isset:
        return (Part("", "literal"),) if part.quote == "quoted" else ()
    parts = given[number - 1].parts
    return [replace(one, quote="quoted") if one.quote == "open" and part.quote == "quoted" else one for one in parts]

"""Shell text as tokens: words with their quotations, ends of commands, here-documents; nothing is expanded or run.

The grammar is that of POSIX (2.2 Quoting, 2.3 Token Recognition, 2.7 Redirection) with bash's arrays, ``$'...'`` and
``<<<``.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Literal

from llmperf.deployments.words import MAX_WORDS
from llmperf.errors import InputError, Problem

Quote = Literal["literal", "quoted", "open"]
"""``literal``: text as it stands. ``quoted`` and ``open``: an expansion, which is split into words where it is open."""

_CHUNK = re.compile(r"[^\s\\'\"$`;&|()<>]+")
_QUOTED_CHUNK = re.compile(r"[^\\\"$`]+")
_VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9@*#?$!-])", re.ASCII)
_OPERATOR = re.compile(r";;&?|;&|&&|\|[|&]?|[;&()]")
_REDIRECTION = re.compile(r"&>>?|(<<<)|(<<-?)|[<>]{1,2}[&|]?-?")
_DESCRIPTOR = re.compile(r"\d+(?=[<>])|\{\w+\}(?=[<>])", re.ASCII)
_NESTING = re.compile(r"[\\'\"`(){}]|\$[({]")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a word: text, or one expansion as it is written (``${X:-4}``)."""

    text: str
    quote: Quote


@dataclass(slots=True)
class Here:
    """A here-document: its text, whether it is expanded, the file that its command writes, and where it begins."""

    delimiter: str
    expands: bool
    tabs: bool
    target: str = ""
    text: str = ""
    line: int = 1


@dataclass(frozen=True, slots=True)
class Token:
    """A word in its parts, or what ends a command (`end`, without parts), with the here-documents of that command."""

    parts: tuple[Part, ...]
    line: int
    end: str = ""
    documents: tuple[Here, ...] = ()

    @property
    def plain(self) -> str | None:
        """The text of a word without expansions."""
        known = not self.end and all(part.quote == "literal" for part in self.parts)
        return "".join(part.text for part in self.parts) if known else None


@dataclass(slots=True)
class Lexer:
    """Reads a text once, from its start to its end.

    Attributes
    ----------
    text, file : str
    first : int
        Line of the file on which the text begins.
    tokens : list of Token
    """

    text: str
    file: str = ""
    first: int = 1
    tokens: list[Token] = field(default_factory=list)
    at: int = 0
    _breaks: list[int] = field(default_factory=list)
    _pending: list[Here] = field(default_factory=list)
    _target: str = ""
    _documents: list[Here] = field(default_factory=list)

    def run(self) -> Lexer:
        """Read the whole text.

        Raises
        ------
        InputError
            If a quotation is not closed, or there are too many words.
        """
        self.text = self.text.replace("\r\n", "\n").replace("\r", " ")
        self._breaks = [match.start() for match in re.finditer("\n", self.text)]
        while self.at < len(self.text):
            self._step()
            if len(self.tokens) > MAX_WORDS:
                raise self._wrong(f"has more than {MAX_WORDS} words of commands")
        self._end("\n")
        return self

    def _line(self) -> int:
        return self.first + bisect_left(self._breaks, self.at)

    def _wrong(self, message: str) -> InputError:
        return InputError(Problem(message, file=self.file, line=self._line()))

    def _step(self) -> None:
        character = self.text[self.at]
        if character == "\n":
            self._end("\n")
            self.at += 1
            self._bodies()
        elif character.isspace():
            self.at += 1
        elif self.text.startswith("\\\n", self.at):
            self.at += 2
        elif character == "#":
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end
        elif character in "<>" or self.text.startswith("&>", self.at) or _DESCRIPTOR.match(self.text, self.at):
            self._redirection()
        elif match := _OPERATOR.match(self.text, self.at):
            self._end(match[0])
            self.at = match.end()
        else:
            line = self._line()
            self.tokens.append(Token(self.word(), line))

    def _end(self, operator: str) -> None:
        """End a command; the here-documents that it names are read at the end of the line."""
        for here in self._pending:
            here.target = here.target or self._target
        self.tokens.append(Token((), self._line(), operator, tuple(self._documents)))
        self._target = ""
        self._documents = []

    def _redirection(self) -> None:
        """``> file``, ``2>&1``, ``<<EOF``: no words of the command; ``<(...)`` is one that only a shell could tell."""
        if match := _DESCRIPTOR.match(self.text, self.at):
            self.at = match.end()
        if self.text[self.at + 1 : self.at + 2] == "(" and self.text[self.at] in "<>":
            start, line = self.at, self._line()
            self.at = self._closed(self.at + 2, ")")
            self.tokens.append(Token((Part(f"${self.text[start + 1 : self.at]}", "quoted"),), line))
            return
        match = _REDIRECTION.match(self.text, self.at)
        assert match is not None
        self.at = match.end()
        while self.text[self.at : self.at + 1] in (" ", "\t"):
            self.at += 1
        start, line, parts = self.at, self._line(), self.word()
        written = "".join(part.text for part in parts)
        if match[2] and written:
            quoted = any(mark in self.text[start : self.at] for mark in "'\"\\")
            here = Here(written, not quoted, match[2] == "<<-", self._target)
            self._pending.append(here)
            self._documents.append(here)
        elif match[1]:
            self._documents.append(Here("", True, False, "", written, line))
        elif match[0].startswith((">", "&>")):
            self._target = written.rpartition("/")[2]

    def _bodies(self) -> None:
        """The lines of the here-documents that the line before has named."""
        for here in self._pending:
            here.line = self._line()
            lines = []
            while self.at < len(self.text):
                end = self.text.find("\n", self.at)
                end = len(self.text) if end < 0 else end
                line = self.text[self.at : end]
                self.at = min(end + 1, len(self.text))
                if line.strip() == here.delimiter:
                    break
                lines.append(line.lstrip("\t") if here.tabs else line)
            here.text = "\n".join(lines)
        self._pending = []

    def word(self, ends: bool = True) -> tuple[Part, ...]:
        """The parts of the word at this place; without `ends` of all that follows."""
        parts: list[Part] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            if ends and (character.isspace() or character in ";&|()<>"):
                break
            if character == "\\":
                following = self.text[self.at + 1 : self.at + 2]
                if following != "\n":
                    parts.append(Part(following, "literal"))
                self.at += 2
            elif character == "'" or self.text.startswith("$'", self.at):
                parts.append(self._single(character == "$"))
            elif character == '"' or self.text.startswith('$"', self.at):
                self.at += 1 if character == '"' else 2
                parts += self.double() or [Part("", "literal")]
                self.at += 1
            elif character in "$`":
                parts.append(self._expansion("open"))
            else:
                match = _CHUNK.match(self.text, self.at)
                text = match[0] if match else character
                parts.append(Part(text, "literal"))
                self.at += len(text)
        return tuple(parts)

    def _single(self, escapes: bool) -> Part:
        """``'...'``, in which nothing has a meaning, or ``$'...'``."""
        start = self.at + (2 if escapes else 1)
        end = self.text.find("'", start)
        while escapes and end > 0 and self.text[end - 1] == "\\":
            end = self.text.find("'", end + 1)
        if end < 0:
            raise self._wrong("is not a command: no closing quotation")
        self.at = end + 1
        text = self.text[start:end]
        return Part(re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), text) if escapes else text, "literal")

    def double(self, ends: bool = True) -> list[Part]:
        """What stands in double quotes, up to the closing one; without `ends` all that follows."""
        parts: list[Part] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == '"' and ends:
                return parts
            if character == "\\":
                following = self.text[self.at + 1 : self.at + 2]
                kept = "" if following in ('"', "\\", "$", "`", "\n") else "\\"
                parts.append(Part(kept + following.strip("\n"), "literal"))
                self.at += 2
            elif character in "$`":
                parts.append(self._expansion("quoted"))
            else:
                match = _QUOTED_CHUNK.match(self.text, self.at)
                text = match[0] if match else character
                parts.append(Part(text, "literal"))
                self.at += len(text)
        if ends:
            raise self._wrong("is not a command: no closing quotation")
        return parts

    def _expansion(self, quote: Quote) -> Part:
        """A variable, a substitution, arithmetic; a lone ``$`` is text."""
        start = self.at
        opened = self.text[start : start + 2]
        if opened in ("${", "$("):
            self.at = self._closed(start + 2, "}" if opened == "${" else ")")
        elif opened.startswith("`"):
            self.at = self._closed(start + 1, "`")
        elif match := _VARIABLE.match(self.text, start):
            self.at = match.end()
        else:
            self.at = start + 1
            return Part("$", "literal")
        return Part(self.text[start : self.at], quote)

    def _closed(self, index: int, closer: str) -> int:
        """The place behind what closes an expansion, whose content begins at an index."""
        stack = [closer]
        while stack:
            match = _NESTING.search(self.text, index)
            if match is None:
                raise self._wrong("is not a command: no closing quotation")
            found, index, top = match[0], match.end(), stack[-1]
            if top == "'":
                if found == "'":
                    stack.pop()
            elif found == "\\":
                index += 1
            elif found == top:
                stack.pop()
            elif found in ("$(", "${"):
                stack.append(")" if found == "$(" else "}")
            elif found == "(" and top == ")":
                stack.append(")")
            elif found in '"`' or (found == "'" and top != '"' and '"' not in stack):
                stack.append(found)
        return index

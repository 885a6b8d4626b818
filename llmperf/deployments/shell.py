"""Shell scripts as data: their commands, variables and here-documents; nothing of them is run.

Words are split by `shlex`. What only a running shell could answer (substitutions, conditions, loops) is left as it
stands, and a word that needs it is reported where it is used.
"""

from __future__ import annotations

import itertools
import re
import shlex
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

from llmperf.deployments.words import MAX_EXPANDED, MAX_WORDS, OUTPUT, SHELL, Word, expanded
from llmperf.errors import InputError, Problem

MAX_TEXT = 2**20
"""Longest script that is split into words [characters]."""
MAX_SIZE = 1_000_000
"""Most words and variables of all commands together, once variables are put in."""
TOO_LONG = "grows too long where its variables are put in"
_ENDS = re.compile(r"[;&|()<>\n]+")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\+?)=(.*)", re.ASCII | re.DOTALL)
_HERE = re.compile(r"<<-?[ \t]*(['\"]?)(\w+)\1", re.ASCII)
_TARGET = re.compile(r">[ \t]*([^\s<>&|;]+)")
_REDIRECTION = re.compile(r"(?:(?<=\s)\d|&)?[<>]{1,3}(?:&\d|&-|-?[ \t]*[^\s;&|()<>]+)?", re.ASCII)
_DECLARES = ("export", "readonly", "local", "declare", "set")
_ENDINGS = {"for": "done", "while": "done", "until": "done", "select": "done", "if": "fi", "case": "esac"}
LOOPS = tuple(word for word, end in _ENDINGS.items() if end == "done")
_BETWEEN = ("do", "then", "else", "elif", "!", "{", "time")
"""Words before a command that are no part of it."""


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command: its words, the variables set before it, and the loops and conditions that it stands in."""

    words: list[Word]
    variables: dict[str, str]
    within: tuple[str, ...] = ()


@dataclass(slots=True)
class Script:
    """A script's commands in their order, and the texts that it writes to files."""

    commands: list[Command] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    size: int = 0
    """Words and variables of all commands."""


def parse(text: str, file: str, first: int = 1, known: dict[str, str] | None = None) -> Script:
    """The commands of a script.

    Parameters
    ----------
    text : str
    file : str
        For messages.
    first : int
        Line of the file on which the text begins.
    known : dict of str to str, optional
        Variables of the environment.

    Raises
    ------
    InputError
        If a quotation is not closed, or there is more than can be trusted.
    """
    if len(text) > MAX_TEXT:
        raise InputError(Problem(f"has more than {MAX_TEXT} characters of script", file=file, line=first))
    script = Script()
    starts = [index for index, character in enumerate(text) if character == "\n"]
    prepared = _prepared(text, script.files)
    variables: dict[str, str] = dict(known or {})
    arrays: dict[str, list[Word]] = {}
    command: list[Word] = []
    within: list[str] = []
    array: str | None = None
    nested = 0  # parentheses of a substitution that are open
    for word, end in [*_words(prepared, starts, file, first), (Word("\n"), True)]:
        if nested:
            nested = max(nested + word.text.count("(") - word.text.count(")"), 0) if end else nested
            continue
        if array is not None:
            if end and ")" in word.text:
                array = None
            elif not end:
                arrays[array].append(word)
            continue
        if not end:
            command.append(word)
            continue
        if "(" in word.text and command and (match := re.fullmatch(r"([A-Za-z_]\w*)\+?=", command[-1].text, re.ASCII)):
            array = match[1]
            if "+" not in command.pop().text:
                arrays[array] = []
            arrays.setdefault(array, [])
            continue
        if word.text.startswith("(") and command and command[-1].text.endswith("$"):
            command[-1] = Word(f"{command[-1].text}(...)", command[-1].line, (OUTPUT,))
            nested = max(word.text.count("(") - word.text.count(")"), 0)
            continue
        _nest(command, within)
        _take(command, variables, arrays, script, tuple(within))
        command = []
    return script


def _nest(command: list[Word], within: list[str]) -> None:
    """Open and close the loops and conditions that stand before a command."""
    for word in command:
        if word.text in _ENDINGS:
            within.append(word.text)
        elif within and word.text == _ENDINGS[within[-1]]:
            within.pop()
        elif word.text not in _BETWEEN:
            return


def _take(
    command: list[Word],
    variables: dict[str, str],
    arrays: dict[str, list[Word]],
    script: Script,
    within: tuple[str, ...],
) -> None:
    """One simple command: assignments before it, its words expanded."""
    if sum(len(_array(given, arrays)) for given in command) > MAX_WORDS:
        raise InputError(Problem(TOO_LONG, line=command[0].line))
    plain = itertools.dropwhile(lambda word: word.text in _BETWEEN, command)
    words = [word for given in plain for word in _array(given, arrays)]
    own: dict[str, str] = {}
    declares = bool(words) and words[0].text in _DECLARES
    rest = words[1:] if declares else words
    while rest and (match := _ASSIGNMENT.fullmatch(rest[0].text)):
        value = expanded([Word(match[3])], {**variables, **own}, SHELL)
        if not any(word.missing for word in value):
            joined = " ".join(word.text for word in value)
            own[match[1]] = (variables.get(match[1], "") + joined if match[2] else joined)[:MAX_EXPANDED]
        else:
            own.pop(match[1], None)
        rest = rest[1:]
    if declares or not rest:
        variables.update(own)
        return
    seen = {**variables, **own}
    found = expanded(rest, seen, SHELL)
    script.size += len(found) + len(seen)
    if script.size > MAX_SIZE:
        raise InputError(Problem(TOO_LONG, line=rest[0].line))
    script.commands.append(Command(found, seen, within))


def _array(word: Word, arrays: dict[str, list[Word]]) -> list[Word]:
    match = re.fullmatch(r"\$\{([A-Za-z_]\w*)\[[@*]\]\}", word.text, re.ASCII)
    return arrays[match[1]] if match and match[1] in arrays else [word]


def _prepared(text: str, files: dict[str, str]) -> str:
    """The text with continuations, comments and here-documents blanked, every character in its place."""
    text = re.sub(r"\\(\r?\n)", lambda match: "  " + " " * (len(match[1]) - 1), text).replace("\r", " ")
    out: list[str] = []
    ends: list[tuple[str, str]] = []
    body: list[str] = []
    quote = ""
    for line in text.split("\n"):
        if ends:
            if line.strip() == ends[0][0]:
                files[ends.pop(0)[1]] = "\n".join(body)
                body = []
            else:
                body.append(line)
            out.append(" " * len(line))
            continue
        kept, quote, quoted = _without_comment(line, quote)
        if not quote:
            target = _TARGET.search(kept)
            here = [match for match in _HERE.finditer(kept) if match.start() not in quoted]
            ends = [(match[2], target[1].rpartition("/")[2] if target else "") for match in here]
        out.append(_REDIRECTION.sub(lambda m, q=quoted: m[0] if m.start() in q else " " * len(m[0]), kept))  # type: ignore[misc]
    return "\n".join(out)


def _without_comment(line: str, quote: str) -> tuple[str, str, set[int]]:
    """A line with its comment blanked, the quotation that is open at its end, and which characters are quoted."""
    before, escaped = " ", False
    quoted: set[int] = set()
    for index, character in enumerate(line):
        if quote or escaped:
            quoted.add(index)
        if escaped:
            escaped = False
        elif character == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "#" and before in " \t;&|(":
            return line[:index] + " " * (len(line) - index), quote, quoted
        before = character
    return line, quote, quoted


def _words(text: str, starts: list[int], file: str, first: int) -> list[tuple[Word, bool]]:
    """Words and what ends commands, each with its line; lines of the text as it was written end at `starts`."""
    lexer: Any = shlex.shlex(text, posix=True, punctuation_chars=";&|()<>\n")
    lexer.whitespace = " \t"
    lexer.whitespace_split = True
    lexer.commenters = ""
    found: list[tuple[Word, bool]] = []
    while True:
        try:
            token = lexer.get_token()
        except ValueError as error:
            line = first + bisect_right(starts, lexer.instream.tell())
            raise InputError(Problem(f"is not a command: {str(error).lower()}", file=file, line=line)) from None
        if token is None:
            return found
        # the lexer has read one character beyond the token, where there is one
        line = first + bisect_right(starts, max(lexer.instream.tell() - 2, 0)) - token.count("\n")
        found.append((Word(token, max(line, first)), _ENDS.fullmatch(token) is not None))
        if len(found) > MAX_WORDS:
            raise InputError(Problem(f"has more than {MAX_WORDS} words of commands", file=file, line=line))

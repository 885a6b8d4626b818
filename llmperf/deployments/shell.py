"""Shell scripts as data: their commands, variables and here-documents; nothing of them is run.

What only a running shell could answer (substitutions, conditions, loops) is left as it stands, and a word that needs it
is reported where it is used.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from llmperf.deployments import expansion
from llmperf.deployments.expansion import Scope
from llmperf.deployments.functions import BETWEEN, inlined
from llmperf.deployments.guards import Guard
from llmperf.deployments.lexer import Here, Lexer, Token
from llmperf.deployments.words import MAX_EXPANDED, MAX_WORDS, Word
from llmperf.errors import InputError, Problem

MAX_TEXT = 2**20
"""Longest script that is split into words [characters]."""
MAX_SIZE = 1_000_000
"""Most words and variables of all commands together, once variables are put in."""
TOO_LONG = "grows too long where its variables are put in"
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)(\+?)=", re.ASCII)
_REFERENCE = re.compile(r"\$\{?[#!]?([A-Za-z_]\w*)", re.ASCII)
_DECLARES = ("export", "readonly", "local", "declare", "typeset", "set")
_ENDINGS = {"for": "done", "while": "done", "until": "done", "select": "done", "if": "fi", "case": "esac"}
LOOPS = tuple(word for word, end in _ENDINGS.items() if end == "done")


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command.

    Attributes
    ----------
    words : list of Word
    variables : dict of str to str
        Those that are set before it.
    within : tuple of str
        The loops and conditions that it stands in.
    given : tuple of (str, int)
        Texts that it reads (``<<EOF``), and their first lines.
    stray : list of Word
        Words that begin with a flag and stand where the next command would: the command has ended before them.
    """

    words: list[Word]
    variables: dict[str, str]
    within: tuple[str, ...] = ()
    given: tuple[tuple[str, int], ...] = ()
    stray: list[Word] = field(default_factory=list)
    branched: tuple[str, ...] = ()
    """Variables of its words that were set in a loop or a branch."""
    lines: dict[str, int] = field(default_factory=dict)
    """Where its variables are set."""


@dataclass(slots=True)
class Script:
    """A script's commands in their order, and the texts that it writes to files."""

    commands: list[Command] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    size: int = 0
    """Words and variables of all commands."""
    branched: set[str] = field(default_factory=set)
    """Variables that were set in a loop or a branch."""


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
    tokens = inlined(Lexer(text, file, first).run().tokens)
    script, scope = Script(), Scope(dict(known or {}))
    command: list[Token] = []
    within: list[str] = []
    array: str | None = None
    piped: tuple[tuple[str, int], ...] = ()
    guard = Guard()
    for token in tokens:
        if array is not None:
            if token.end == ")":
                array = None
            elif not token.end:
                scope.arrays[array] += expansion.words(token, scope)
                if len(scope.arrays[array]) > MAX_WORDS:
                    raise InputError(Problem(TOO_LONG, file=file, line=token.line))
            continue
        if not token.end:
            command.append(token)
            continue
        match = _ASSIGNED.fullmatch(command[-1].plain or "") if command and token.end == "(" else None
        if match is not None:
            command.pop()
            array = match[1]
            _note_branch(array, within, script)
            scope.arrays[array] = list(scope.arrays.get(array, [])) if match[2] else []
            continue
        _nest(command, within)
        given = (*piped, *_given(token.documents, scope, script))
        if not guard.skips:
            _take(command, scope, script, tuple(within), given)
        guard.step(command, token.end, scope)
        command = []
        piped = given if token.end == "|" else ()
    return script


def _given(documents: Sequence[Here], scope: Scope, script: Script) -> tuple[tuple[str, int], ...]:
    """Here-documents of a command: those that it writes to a file are kept by the file's name."""
    given = []
    for here in documents:
        text = here.text
        if here.expands:
            text = expansion.joined(Lexer(text).double(ends=False), scope)[0]
        if here.target:
            script.files[here.target] = text
        else:
            given.append((text, here.line))
    return tuple(given)


def _nest(command: list[Token], within: list[str]) -> None:
    """Open and close the loops and conditions that stand before a command."""
    for token in command:
        word = token.plain
        if word in _ENDINGS:
            within.append(str(word))
        elif within and word == _ENDINGS[within[-1]]:
            within.pop()
        elif word not in BETWEEN:
            return


def _take(
    command: list[Token],
    scope: Scope,
    script: Script,
    within: tuple[str, ...],
    given: tuple[tuple[str, int], ...],
) -> None:
    """One simple command: assignments before it, its words expanded."""
    tokens = list(itertools.dropwhile(lambda token: token.plain in BETWEEN, command))
    declares = bool(tokens) and tokens[0].plain in _DECLARES
    if declares:
        tokens = tokens[1:]
    if declares or all(_assigned(token) for token in tokens):
        for token in tokens:
            if (match := _assigned(token)) is not None:
                _note_branch(match[1], within, script)
                _assign(token, match, scope)
        return
    own = Scope(dict(scope.variables), scope.arrays, dict(scope.lines))
    while (match := _assigned(tokens[0])) is not None:
        _assign(tokens.pop(0), match, own)
    words: list[Word] = []
    for token in tokens:
        words += expansion.words(token, own)
        if len(words) > MAX_WORDS:
            raise InputError(Problem(TOO_LONG, line=token.line))
    script.size += sum(1 + len(word.text) // 100 for word in words) + len(own.variables)
    if script.size > MAX_SIZE:
        raise InputError(Problem(TOO_LONG, line=tokens[0].line))
    for name in own.variables.keys() - scope.variables.keys() - _names(command):
        scope.variables[name] = own.variables[name]  # ${X:=4} sets X for what follows, X=4 before a command does not
    if not words:
        return
    if words[0].is_flag and script.commands:
        script.commands[-1].stray.extend(words)
    else:
        branched = _named(tokens) & script.branched if script.branched else ()
        found = Command(words, own.variables, within, given, branched=tuple(sorted(branched)), lines=own.lines)
        script.commands.append(found)


def _assigned(token: Token) -> re.Match[str] | None:
    """The name that a word assigns to."""
    first = token.parts[0] if token.parts else None
    return _ASSIGNED.match(first.text) if first and first.quote == "literal" else None


def _note_branch(name: str, within: Sequence[str], script: Script) -> None:
    """Remember what is set where no reading tells whether it is: what is set again outside is known again."""
    if within:
        script.branched.add(name)
    else:
        script.branched.discard(name)


def _named(tokens: list[Token]) -> set[str]:
    """Variables that words name."""
    parts = (part.text for token in tokens for part in token.parts if part.quote != "literal")
    return {name for text in parts for name in _REFERENCE.findall(text)}


def _names(command: list[Token]) -> set[str]:
    return {match[1] for token in command if (match := _assigned(token))}


def _assign(token: Token, match: re.Match[str], own: Scope) -> None:
    value, missing = expansion.joined(token.parts, own)
    name = match[1]
    if missing:
        own.variables.pop(name, None)
        return
    before = own.variables.get(name, "") if match[2] else ""
    own.lines[name] = token.line
    own.variables[name] = (before + value[match.end() :])[:MAX_EXPANDED]

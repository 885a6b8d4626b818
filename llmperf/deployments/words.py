"""Command lines as words, and words as flags; nothing is executed, and variables are known from the file alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmperf.deployments.deployment import Flag
from llmperf.deployments.node import Node
from llmperf.errors import InputError, Problem

MAX_WORDS = 20_000
"""Most words of one file's commands."""
MAX_FLAGS = 1_000
"""Most flags of one command or configuration; the longest real ones have some fifty."""
MAX_EXPANDED = 10_000
"""Longest text of a word after its variables are put in."""
MAX_TEXT = 2**20
"""Most characters of all words of a command after that."""

KUBERNETES = re.compile(r"\$\(([A-Za-z_]\w*)\)", re.ASCII)
"""Variables of Kubernetes arguments."""
PLACEHOLDER = re.compile(r"\S*\$\{([A-Za-z_]\w*)\}\S*", re.ASCII)
"""Words of a description that something (``envsubst``) is yet to put a value into."""
OUTPUT = "the output of a command"
"""What a word lacks that only running something would tell."""
_NUMBER = re.compile(r"-\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command, its line, and the variables in it that are not known."""

    text: str
    line: int | None = None
    missing: tuple[str, ...] = ()

    @property
    def is_flag(self) -> bool:
        """Whether it is the name of a flag, not a value."""
        return self.text.startswith("-") and len(self.text) > 1 and not _NUMBER.fullmatch(self.text)


def expanded(words: Sequence[Word], known: Mapping[str, str]) -> list[Word]:
    """Words with the variables put in that a container defines (``$(X)``)."""
    out: list[Word] = []
    size = 0
    for word in words:
        text, missing = _filled(word.text, known)
        out.append(Word(text, word.line, (*word.missing, *missing)) if text != word.text or missing else word)
        size += len(text)
        if size > MAX_TEXT:
            raise InputError(Problem("a command grows too long where its variables are put in", line=word.line))
    return out


def _filled(text: str, known: Mapping[str, str]) -> tuple[str, list[str]]:
    missing: list[str] = []
    left = MAX_EXPANDED

    def put(match: re.Match[str]) -> str:
        nonlocal left
        if match[1] not in known:
            missing.append(f"${match[1]}")
            return match[0]
        cut = known[match[1]][: max(left, 0)]
        left -= len(known[match[1]])
        return cut

    filled = KUBERNETES.sub(put, text) if "$(" in text else text
    if "${" in text and (match := PLACEHOLDER.fullmatch(text)):
        missing.append(f"${match[1]}")
    return filled, missing


def flags(
    words: Sequence[Word], is_switch: Callable[[str], bool], is_list: Callable[[str], bool]
) -> tuple[list[Flag], list[Word]]:
    """The flags of a command, and the words that belong to none.

    Parameters
    ----------
    words : sequence of Word
        What follows the command.
    is_switch, is_list : callable
        Whether a flag of this name takes no value, or all words up to the next flag; any other takes one, if it is
        followed by one.
    """
    found: list[Flag] = []
    others: list[Word] = []
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if not word.is_flag:
            others.append(word)
            continue
        if word.text == "--":
            others += words[index:]
            break
        written, equals, value = word.text.partition("=")
        name = normal(written)
        taken = [Word(value, word.line, word.missing)] if equals else []
        most = 0 if equals or is_switch(name) else len(words) if is_list(name) else 1
        while len(taken) < most and index < len(words) and not words[index].is_flag:
            taken.append(words[index])
            index += 1
        missing = tuple(variable for one in (word, *taken) for variable in one.missing)
        found.append(Flag(name, written, tuple(one.text for one in taken), missing, None, word.line))
        if len(found) > MAX_FLAGS:
            raise InputError(Problem(f"a command has more than {MAX_FLAGS} flags", line=word.line))
    return found, others


def normal(written: str) -> str:
    """The name of a flag or key: ``--max_model_len`` and ``maxModelLen`` are ``max-model-len``."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", written.lstrip("-")) if not written.startswith("-") else written
    return name.lstrip("-").replace("_", "-").lower()


def from_mapping(node: Node, *, prefix: str = "") -> list[Flag]:
    """The keys of a configuration as flags, nested ones with dotted names."""
    found: list[Flag] = []
    for key, inner in node.entries().items():
        name = f"{prefix}{normal(key)}"
        if isinstance(inner.value, Mapping) and inner.value:
            found += from_mapping(inner, prefix=f"{name}.")
            continue
        values: tuple[str, ...]
        if isinstance(inner.value, list):
            values = tuple(item if isinstance(item, str) else json.dumps(item) for item in inner.value)
        else:
            values = (_scalar(inner.value),)
        written = f"{prefix.replace('-', '_')}{key}" if prefix else key
        found.append(Flag(name, written, values, (), node.document.file, inner.line))
        if len(found) > MAX_FLAGS:
            raise InputError(Problem(f"has more than {MAX_FLAGS} settings", inner.path, node.document.file, inner.line))
    return found


def _scalar(value: Any) -> str:
    """A scalar of a configuration as a flag would have it."""
    if isinstance(value, str):
        return value
    return json.dumps(value)

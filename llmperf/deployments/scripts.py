"""Scripts that commands call, and what else of a deployment lies where a command finds it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from llmperf.deployments import shell
from llmperf.deployments.deployment import Finding
from llmperf.deployments.words import Word

SHELLS = ("sh", "bash", "dash", "ash", "zsh", "ksh")
CARRIERS = ("ssh", "tmux", "screen", "sbatch", "eval", "su", "runuser")
"""Commands whose argument is itself a command line."""
MAX_CALLS = 3
"""Most scripts that call each other."""
_COMMAND = re.compile(r"-[a-z]*c")
_TAKES = ("-o", "-O", "+o", "+O", "--rcfile", "--init-file")
TALK = ("echo", "printf", "pip", "curl", "wait-for-it", "cat", "grep", "sed", "cp", "chmod")
"""Commands that start nothing of what they name."""


@dataclass(frozen=True, slots=True)
class Files:
    """What a deployment has besides a command.

    Attributes
    ----------
    lookup : callable
        Content and name of a file that a command names, where the deployment has it.
    config_maps : mapping
        Variables of each ConfigMap, with their lines.
    unread : list of Finding
        What of the file is no deployment, but must be said with each.
    file : str
    indented : bool
        Whether scripts stand below their keys, as in YAML.
    """

    lookup: Callable[[str], tuple[bytes, str] | None] = lambda _: None
    config_maps: Mapping[str, Mapping[str, tuple[str, int | None]]] = field(default_factory=dict)
    unread: list[Finding] = field(default_factory=list)
    file: str = ""
    indented: bool = False

    def with_written(self, written: Mapping[str, str], file: str) -> Files:
        """The same, with the texts that a script has written before."""
        if not written:
            return self

        def known(name: str) -> tuple[bytes, str] | None:
            text = written.get(name)
            return (text.encode(), f"{file} ({name})") if text is not None else self.lookup(name)

        return replace(self, lookup=known)

    def miss(self, name: str, message: str, line: int | None) -> None:
        """Say something of the file that is no deployment."""
        self.unread.append(Finding("not_understood", name, message=message, line=line))


@dataclass(frozen=True, slots=True)
class _Called:
    """A script that a command calls, its first line, and the arguments of the call."""

    text: str
    line: int
    rest: tuple[Word, ...] = ()


def commands(
    text: str,
    files: Files,
    line: int = 1,
    known: Mapping[str, str] | None = None,
    rest: Sequence[Word] | None = None,
    depth: int = 0,
) -> Iterator[tuple[shell.Command, Files]]:
    """The simple commands of a script, those of the scripts that it calls in place of the calls."""
    numbered = {str(index): word.text for index, word in enumerate(rest or (), 1)}
    parsed = shell.parse(text, files.file, line, {**(known or {}), **numbered})
    files = files.with_written(parsed.files, files.file)
    for command in parsed.commands:
        words = command.words
        if rest is not None:  # of a script that is called: "$@" are the arguments of the call
            words = [part for word in words for part in (rest if word.text in ("$@", "$*") else [word])]
        yield from _within(replace(command, words=words), files, depth)


def of_words(words: Sequence[Word], files: Files, known: Mapping[str, str]) -> Iterator[tuple[shell.Command, Files]]:
    """The simple commands of one command that is given in words."""
    yield from _within(shell.Command(list(words), dict(known)), files, 0)


def _within(command: shell.Command, files: Files, depth: int) -> Iterator[tuple[shell.Command, Files]]:
    called = _called(command, files) if depth < MAX_CALLS else []
    if not called:
        yield command, files
    for script in called:
        inner = commands(script.text, files, script.line, command.variables, script.rest, depth + 1)
        for each, its in inner:
            within, stray = (*command.within, *each.within), [*each.stray, *command.stray]
            branched = (*command.branched, *each.branched)
            lines = {**command.lines, **each.lines}
            yield replace(each, within=within, stray=stray, branched=branched, lines=lines), its


def _called(command: shell.Command, files: Files) -> list[_Called]:
    """The scripts that a command hands to a shell: ``-c``, a file, or what it reads."""
    words = command.words
    names = [PurePosixPath(word.text).name for word in words]
    if not words or names[0] in TALK or _is_container(words):
        return []
    place = next((index for index, name in enumerate(names) if name in SHELLS), None)
    if place is not None:
        return _of_shell(words, place, command, files)
    if names[0] in CARRIERS:
        lines = [word for word in words[1:] if " " in word.text.strip()]
        given = [_Called(text, line) for text, line in command.given]
        return [_Called(word.text.removeprefix("--wrap="), word.line or 1) for word in lines] + given
    file = words[1] if names[0] in (".", "source") and len(words) > 1 else words[0]
    if file is words[0] and not names[0].endswith((".sh", ".bash")):
        return []
    return _of_file(file, tuple(words[words.index(file) + 1 :]), files)


def _is_container(words: Sequence[Word]) -> bool:
    """Whether a container is started, whose arguments its image may have a say in."""
    texts = [word.text for word in words[:3]]
    return any(PurePosixPath(text).name in ("docker", "podman", "nerdctl") for text in texts) and any(
        word.text == "run" for word in words
    )


def _of_shell(words: list[Word], place: int, command: shell.Command, files: Files) -> list[_Called]:
    index = place + 1
    while index < len(words) and words[index].text.startswith(("-", "+")):
        word = words[index].text
        if _COMMAND.fullmatch(word):
            # further flags may stand between -c and the script: bash -c -l "..."
            index = next((i for i in range(index + 1, len(words)) if not words[i].is_flag), len(words))
            if index == len(words):
                return []
            text, line = words[index].text, words[index].line or 1
            below = files.indented and "\n" in text.strip()
            return [_Called(text, line + below, tuple(words[index + 2 :]))]
        index += 2 if word in _TAKES else 1
    if index < len(words):
        return _of_file(words[index], tuple(words[index + 1 :]), files)
    return [_Called(text, line) for text, line in command.given]


def _of_file(word: Word, rest: tuple[Word, ...], files: Files) -> list[_Called]:
    name = PurePosixPath(word.text).name
    content = files.lookup(name) if name and not word.missing else None
    if content is None:
        return []
    return [_Called(content[0].decode("utf-8", "replace"), 1, rest)]

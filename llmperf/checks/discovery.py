"""Which files hold checks, and which checks a change of the repository can have touched."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from llmperf.checks.files import ENDINGS
from llmperf.errors import InputError, Problem, shown
from llmperf.files.documents import MAX_BYTES
from llmperf.files.store import packaged
from llmperf.files.yaml import parse_yaml

LOCK = "llmperf.lock.yaml"
"""Name of the file of baselines, beside the checks."""
SKIPPED = ("node_modules", "__pycache__", "site-packages")
"""Directories that hold nothing of the user's; hidden ones, and linked ones, are left out too."""
MOST_PARSED = 2**16
"""Largest file that is parsed to see whether it holds a check. [B]"""
_HUNK = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", re.MULTILINE)
_EXPECTS = re.compile(rb"^expect[ \t]*:", re.MULTILINE)


def discover(paths: Iterable[Path | str]) -> tuple[list[Path], list[Problem]]:
    """Files with checks: those named, and in directories ``*.llmperf.yaml`` and scenarios with ``expect``.

    Returns
    -------
    files : list of Path
        Sorted within a directory, each once.
    problems : list of Problem
        Of paths that do not exist, and of directories without any check.
    """
    found: dict[Path, None] = {}
    problems = []
    for given in paths:
        path = Path(given)
        if path.is_dir():
            inside = list(_inside(path))
            if not inside:
                hint = f"a file NAME{ENDINGS[0]} or a scenario with expect: makes one"
                problems.append(Problem("holds no checks", file=str(path), suggestion=hint))
            found.update(dict.fromkeys(inside))
        elif path.exists():
            found[path] = None
        else:
            problems.append(Problem("no such file or directory", file=str(path)))
    return list(found), problems


def _inside(top: Path) -> Iterator[Path]:
    for folder, directories, names in os.walk(top):
        directories[:] = sorted(
            name
            for name in directories
            if not name.startswith(".") and name not in SKIPPED and not _environment(folder, name)
        )
        for name in sorted(names):
            path = Path(folder) / name
            if name != LOCK and (name.endswith(ENDINGS) or (name.endswith((".yaml", ".yml")) and expects(path))):
                yield path


def _environment(folder: str, name: str) -> bool:
    """Whether a directory is a virtual environment."""
    return Path(folder, name, "pyvenv.cfg").is_file()


def expects(path: Path) -> bool:
    """Whether a file looks like a scenario with limits; one that cannot be read is none."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return False
        content = path.read_bytes()
        if _EXPECTS.search(content) is not None or b"expect" not in content or len(content) > MOST_PARSED:
            return _EXPECTS.search(content) is not None
        data = parse_yaml(content, str(path)).data  # quoted, or in braces
        return isinstance(data, Mapping) and "expect" in data
    except (OSError, InputError):
        return False


def changed_since(reference: str, beside: Path | None = None) -> dict[Path, bool]:
    """The files that differ from a commit of git, and whether each has come or gone since; unknown ones have come.

    Raises
    ------
    InputError
        If git does not know the commit, or there is no repository.
    """
    if not reference or reference.startswith("-"):
        raise InputError(Problem(f"{shown(reference)} is no commit", "--changed-since", suggestion="origin/main"))
    root = Path(_git(["rev-parse", "--show-toplevel"], beside).rstrip("\n"))
    diff = ["diff", "--name-only", "--no-renames", "-z"]
    names = _git([*diff, reference, "--"], root).split("\0")
    moved = _git([*diff, "--diff-filter=AD", reference, "--"], root).split("\0")
    moved += _git(["ls-files", "--others", "--exclude-standard", "-z"], root).split("\0")
    return {(root / name).resolve(): name in moved for name in (*names, *moved) if name}


def changed_lines(reference: str, files: Iterable[str | None]) -> frozenset[tuple[str, int]]:
    """The lines of files that differ from a commit of git, and those before and behind what was taken out."""
    out: set[tuple[str, int]] = set()
    for file in sorted({one for one in files if one}):
        path = Path(file)
        options = ["--unified=0", "--no-color", "--no-ext-diff", "--no-renames"]
        try:
            text = _git(["diff", *options, reference, "--", path.name], path.parent)
        except InputError:  # of another repository, or of none
            continue
        for match in _HUNK.finditer(text):
            first, lines = int(match[1]), int(match[2] or 1)
            out |= {(file, line) for line in (range(first, first + lines) if lines else (first, first + 1))}
    return frozenset(out)


def _git(arguments: list[str], folder: Path | None) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(Problem(f"git cannot be run: {error}", "--changed-since")) from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it failed"]
        raise InputError(Problem(f"git: {said[0]}", "--changed-since"))
    return done.stdout.decode("utf-8", "surrogateescape")


def touched(files: Iterable[str], changed: Mapping[Path, bool]) -> bool:
    """Whether a check that rests on these files and directories, or on what ships, can be another after a change.

    A directory of descriptors matters where a file came or went: it may take a name from another.
    """
    home = packaged().resolve()
    parts = [path.relative_to(home).parts[0] for path in changed if path.is_relative_to(home)]
    if {"hardware", "workloads", "llmperf"} & set(parts):
        return True
    moved = {path.parent for path, come_or_gone in changed.items() if come_or_gone}
    return any((path := Path(file).resolve()) in changed or path in moved for file in files)

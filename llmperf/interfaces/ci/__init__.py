"""Reports of checks in the formats of machines that read them: one file a format."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from llmperf.checks import Checks
from llmperf.checks.discovery import LOCK
from llmperf.checks.files import ENDINGS
from llmperf.errors import InputError, Problem, nearest
from llmperf.files.store import write_atomically
from llmperf.interfaces.ci.github import github
from llmperf.interfaces.ci.gitlab import gitlab
from llmperf.interfaces.ci.junit import junit
from llmperf.interfaces.ci.markdown import markdown
from llmperf.interfaces.ci.sarif import sarif
from llmperf.interfaces.console.check import plain


def as_json(checks: Checks) -> str:
    """The result as JSON."""
    return json.dumps(checks.to_dict(), indent=2, allow_nan=False) + "\n"


FORMATS: dict[str, Callable[[Checks], str]] = {
    "text": plain,
    "json": as_json,
    "junit": junit,
    "github": github,
    "gitlab": gitlab,
    "sarif": sarif,
    "markdown": markdown,
}
"""Format -> what writes it."""


def requested(text: str) -> tuple[str, Path | None]:
    """``FORMAT`` or ``FORMAT:FILE`` of ``--format``.

    Raises
    ------
    InputError
        If there is no such format, or no file after the colon.
    """
    name, colon, file = text.partition(":")
    if name not in FORMATS:
        allowed = tuple(FORMATS)
        raise InputError(Problem(f"unknown format {name!r}", "--format", None, None, allowed, nearest(name, allowed)))
    if colon and not file:
        raise InputError(Problem(f"{text!r} names no file", "--format", suggestion=f"--format {name}:FILE"))
    return name, Path(file) if file else None


def chosen(written: Sequence[str], json_wanted: bool) -> list[tuple[str, Path | None]]:
    """The formats that are asked for, text on the terminal where none of them goes there.

    Raises
    ------
    InputError
        If several programs are to read the same output, a file is named twice, is one of checks, or in no directory.
    """
    found = [requested(text) for text in dict.fromkeys(written)]
    if json_wanted:
        found = [("json", None), *(one for one in found if one != ("json", None))]
    printed = [name for name, file in found if file is None]
    read = [name for name in printed if name not in ("text", "github")]
    if len(read) > 1 or (read and len(printed) > 1):
        text = f"{' and '.join(printed)} cannot both be printed"
        raise InputError(Problem(text, "--format", suggestion=f"--format {read[0]}:FILE"))
    files = [file for _, file in found if file is not None]
    twice = next((file for file in files if files.count(file) > 1), None)
    if twice is not None:
        raise InputError(Problem("is named for two reports", "--format", str(twice)))
    for file in files:
        if file.name == LOCK or file.name.endswith(ENDINGS):
            raise InputError(Problem("is no name of a report: such files hold checks", "--format", str(file)))
        if not file.parent.is_dir():
            raise InputError(Problem(f"there is no directory {file.parent}", "--format", str(file)))
    return found if printed else [("text", None), *found]


def write(checks: Checks, name: str, file: Path) -> None:
    """Write a report so that a reader sees the old or the new one; the summary of a GitHub step is added to.

    Raises
    ------
    InputError
        If the file cannot be written, or the checks were read from it.
    """
    if os.path.realpath(file) in _inputs(checks):
        raise InputError(Problem("is what the checks were read from: a report would replace it", file=str(file)))
    text = FORMATS[name](checks)
    try:
        if os.environ.get("GITHUB_STEP_SUMMARY") == str(file) and file.is_file():
            text = file.read_text("utf-8", "replace") + text
        write_atomically(file, text)
    except OSError as error:
        raise InputError(Problem(f"cannot be written: {error.strerror or error}", file=str(file))) from None


def _inputs(checks: Checks) -> set[str]:
    """The files that checks rest on."""
    found = {problem.file for problem in checks.problems if problem.file}
    for result in checks.results:
        found |= {*result.check.files, *(result.answered.files if result.answered else ())}
    out = set()
    for file in found:
        with contextlib.suppress(OSError, ValueError):  # no name of a file
            out.add(os.path.realpath(file))
    return out

"""Reading a trace: bounded, and told by what it holds, never by its name."""

from __future__ import annotations

from pathlib import Path

from llmperf.errors import InputError, Problem
from llmperf.files.documents import irregular
from llmperf.importers.traces.trace import Trace, Wanted

MAX_BYTES = 2 * 2**30
"""Largest file that is read; a week of Azure's conversations has 1.1 GiB."""


def read(path: Path, asked: Wanted) -> Trace:
    """The requests of a trace.

    Parameters
    ----------
    path : Path
        At most `MAX_BYTES` bytes: CSV, JSON lines, or a JSON list.
    asked : Wanted
        How it is to be read, where it does not say so itself.

    Raises
    ------
    InputError
        If it cannot be read, holds no trace, or a line is broken or impossible; lists faults with their lines, as many
        as messages list.
    """
    asked.check()
    file = str(path)
    try:
        if not path.is_file():
            raise InputError(Problem(irregular(path), file=file))
        if path.stat().st_size > MAX_BYTES:
            raise InputError(Problem(f"is larger than {MAX_BYTES // 2**20:,} MiB", file=file))
        with path.open("rb") as stream:
            start = stream.read(4096)
        if not start.strip():
            raise InputError(Problem("is empty", file=file))
        if start.startswith(b"\x1f\x8b"):
            raise InputError(Problem("is packed", file=file, suggestion=f"gunzip {path.name}"))
        if b"\0" in start:
            raise InputError(Problem("is a binary file, not text", file=file))
        if start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
            from llmperf.importers.traces.records import read as records

            return records(path, asked)
        from llmperf.importers.traces.tables import read as tables

        return tables(path, asked)
    except OSError as error:
        raise InputError(Problem(f"cannot be read: {error.strerror or error}", file=file)) from None

"""Outputs that nobody reads, or that cannot be written: the exit code says what a command found all the same."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any, TextIO


class _Read(io.FileIO):
    """An output whose reader may go when it likes (``| head``): what comes after that is dropped."""

    def write(self, data: Any) -> int:
        """Write some bytes, or drop them."""
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes


def prepare() -> None:
    """Give this process outputs: closed ones lead nowhere, and a reader that goes ends nothing."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:  # closed by who started this process; the next file that is opened would take its number
            _fill(number)
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115 (open till the end)
        elif stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, _read(stream))


def _fill(number: int) -> None:
    """Let the numbers of streams up to one that is closed lead nowhere."""
    while (taken := os.open(os.devnull, os.O_RDWR)) < number:
        pass
    if taken != number:
        os.close(taken)


def _read(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Read(stream.fileno(), "wb", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def drop(stream: TextIO) -> None:
    """Let an output lead nowhere, so that Python does not try at its end what has failed already."""
    with contextlib.suppress(io.UnsupportedOperation):  # a stream of Python's own, which nothing writes at the end
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)

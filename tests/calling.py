"""The command line called in the running process: what a process of its own would answer, without its start."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

SECONDS = 60
"""Longest time that a command may take. [s]"""


def called(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a command writes and its exit code, through the entry point of the installed command.

    Parameters
    ----------
    *arguments : str
        As on a command line.
    cwd : Path, optional
        The working directory; by default the present one.
    **environment : str
        Variables beside those of this process.
    """
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding, write_through=True) for _ in range(2))
    process = _as_a_process(["llmperf", *arguments], cwd, environment)
    with process, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = _exit_code()
    return subprocess.CompletedProcess(["llmperf", *arguments], code, *(_written(stream) for stream in (out, err)))


def _exit_code() -> int:
    from llmperf.interfaces.cli import main

    try:
        main()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except Exception:  # as Python ends a process
        traceback.print_exc()
        return 1
    return 0


def _written(stream: io.TextIOWrapper) -> str:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode(stream.encoding).replace("\r\n", "\n")


@contextlib.contextmanager
def _as_a_process(argv: list[str], cwd: Path | None, environment: dict[str, str]) -> Iterator[None]:
    """Arguments, directory and environment of a call, a limit of time, and nothing left of it afterwards."""
    from llmperf.interfaces.console import style

    before = sys.argv, sys.stdin, dict(os.environ), Path.cwd(), signal.signal(signal.SIGALRM, _too_long), style._plain
    sys.argv = argv
    os.environ.update(environment)
    signal.alarm(SECONDS)
    try:
        os.chdir(cwd or before[3])
        with Path(os.devnull).open() as sys.stdin:
            yield
    finally:
        signal.alarm(0)
        sys.argv, sys.stdin, variables, folder, handler, style._plain = before
        signal.signal(signal.SIGALRM, handler)
        os.chdir(folder)
        for name in os.environ.keys() - variables.keys():
            del os.environ[name]
        os.environ.update(variables)


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"the command took more than {SECONDS} s")

"""Paths as the programs that read reports want them: relative to the repository, with forward slashes."""

from __future__ import annotations

import os
from pathlib import Path


def relative(file: str, *variables: str) -> str:
    """A file relative to the directory that the first of the variables of the environment names, else to this one.

    A file outside of it stays as it is.
    """
    root = next((Path(os.environ[name]) for name in variables if os.environ.get(name)), Path.cwd())
    path = Path(os.path.abspath(file))  # noqa: PTH100 (links are left alone: the repository holds them)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else Path(file).as_posix()

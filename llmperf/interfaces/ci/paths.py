"""Paths as the programs that read reports want them: relative to the repository, with forward slashes."""

from __future__ import annotations

import os
from pathlib import Path

from llmperf.checks.limits import Place

ROOTS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")
"""Variables in which GitHub and GitLab say where the repository is."""


def relative(file: str, *variables: str) -> str:
    """A file relative to its repository.

    The repository is the directory that the first of the variables of the environment names, else the nearest one above
    this directory that git has made, else this one. A file outside of it stays as it is.
    """
    named = next((Path(os.environ[name]) for name in variables if os.environ.get(name)), None)
    root = named or _repository(Path.cwd())
    path = Path(os.path.abspath(file))  # noqa: PTH100 (links are left alone: the repository holds them)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else Path(file).as_posix()


def _repository(here: Path) -> Path:
    return next((one for one in (here, *here.parents) if (one / ".git").exists()), here)


def placed(place: Place) -> str:
    """``file:line`` of a place, relative to its repository; empty of what is written nowhere."""
    if place.file is None:
        return ""
    return f"{relative(place.file, *ROOTS)}:{place.line or 1}"

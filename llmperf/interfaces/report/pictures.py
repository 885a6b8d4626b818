"""Figures as static pictures: PNG, SVG and PDF by kaleido, which draws with the Chrome or Chromium of the system."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from llmperf.errors import InputError, Problem
from llmperf.files.store import write_atomically
from llmperf.interfaces.figures import theme
from llmperf.interfaces.figures.drawing import Drawing

FORMATS = ("png", "svg", "pdf")
WIDTH = 960
"""Width of a picture. [px]"""


def require(option: str) -> None:
    """Check that pictures can be made.

    Raises
    ------
    InputError
        If kaleido is not installed.
    """
    if find_spec("kaleido") is None:
        raise InputError(Problem("pictures need kaleido", option, suggestion="pip install 'llmperf[pictures]'"))


def targets(drawings: list[tuple[str, Drawing]], folders: Mapping[str, Path]) -> list[tuple[str, Path]]:
    """Format and file of every picture, format by format."""
    return [(form, folder / f"{name}.{form}") for form, folder in folders.items() for name, _ in drawings]


def save(drawings: list[tuple[str, Drawing]], folders: Mapping[str, Path], force: bool = False) -> list[Path]:
    """Write each drawing in each format into the folder that is named for it, all of them or none.

    Raises
    ------
    InputError
        If a file exists already, cannot be written, or there is no browser to draw with.
    """
    wanted = targets(drawings, folders)
    taken = [path for _, path in wanted if path.exists() and not force]
    if taken:
        raise InputError([Problem("exists already", file=str(p), suggestion="--force replaces it") for p in taken])
    with tempfile.TemporaryDirectory() as made:
        files = [Path(made) / form / path.name for form, path in wanted]
        _draw(drawings, folders, Path(made))
        try:
            for file, (_, path) in zip(files, wanted, strict=True):
                write_atomically(path, file.read_bytes())
        except OSError as error:
            text = f"cannot be written: {error.strerror or error}"
            raise InputError(Problem(text, file=str(path))) from None
    return [path for _, path in wanted]


def _draw(drawings: list[tuple[str, Drawing]], folders: Mapping[str, Path], made: Path) -> None:
    """Draw everything with one browser."""
    from plotly.io import write_images

    figures, files = [], []
    for form in folders:
        (made / form).mkdir()
        for name, drawing in drawings:
            figures.append(_titled(drawing))
            files.append(str(made / form / f"{name}.{form}"))
    heights = [int(figure.layout.height) for figure in figures]
    try:
        write_images(figures, files, width=WIDTH, height=heights)
    except Exception as error:  # kaleido has errors of many kinds; what they say is for its developers
        if type(error).__name__ not in ("ChromeNotFoundError", "BrowserFailedError", "RuntimeError"):
            raise
        text = f"pictures need Chrome or Chromium: {str(error).strip().splitlines()[0]}"
        raise InputError(Problem(text, suggestion="install chromium, or name it in BROWSER_PATH")) from None


def _titled(drawing: Drawing) -> Any:
    """The figure with its title, which a page shows above it."""
    figure = type(drawing.figure)(drawing.figure)
    height = (figure.layout.height or theme.HEIGHT) + 60
    figure.update_layout(
        title={"text": drawing.title, "x": 0.02, "y": 0.98, "yanchor": "top"}, height=height, margin={"t": 100}
    )
    return figure

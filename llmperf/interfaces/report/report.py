"""A report as a file: its title, its sections, and where it is written."""

from __future__ import annotations

from pathlib import Path

from llmperf.interfaces.report.inputs import Inputs
from llmperf.interfaces.report.page import Page, document, write, write_beside
from llmperf.interfaces.report.sections import sections
from llmperf.version import __version__


def page(inputs: Inputs) -> Page:
    """The report of what was computed."""
    names = list(inputs.results)
    title = names[0] if len(names) == 1 else ("Comparison of configurations" if names else "Predicted beside measured")
    note = f"llmperf {__version__}" + (f", {inputs.date}" if inputs.date else "")
    footer = "Computed in closed form by llmperf. This file makes no request to any server."
    return Page(title, note, sections(inputs), footer)


def save(made: Page, path: Path, split: Path | None = None) -> Path:
    """Write a report.

    Parameters
    ----------
    made : Page
    path : Path
        The file.
    split : Path, optional
        A folder for the file and, beside it, the script that the reports in it share.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    target = path if split is None else split / path.name
    if split is not None:
        write_beside(split)
    write(target, document(made, split is not None))
    return target

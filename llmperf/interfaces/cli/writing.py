"""Files that commands about evidence write."""

from __future__ import annotations

from pathlib import Path

from llmperf.errors import InputError, Problem
from llmperf.evidence.calibration import Calibrated
from llmperf.evidence.validation import Validation
from llmperf.files.store import write_atomically


def write(found: Validation, html: Path | None, markdown: Path | None, bands: Path | None) -> None:
    """Write what was asked for; the bands first, since the page shows them. Without data the page is that of claims.

    Raises
    ------
    InputError
        If a file cannot be written.
    """
    if bands is not None:
        _write_bands(found, bands)
    if markdown is not None:
        from llmperf.interfaces.report import accuracy, published

        _written(markdown, accuracy.markdown(found) if found.rows else published.markdown(found.claims))
    if html is not None:
        from llmperf.interfaces.report.validation import write as write_html

        write_html(found, html)


def _write_bands(found: Validation, path: Path) -> None:
    """The table of error bands, and beside it the rows that stand in for wide ones."""
    from llmperf.evidence import bands, fitted_bands, nearest

    table = fitted_bands.bands(found.rows)
    _written(path, table.text())
    _written(path.with_name(nearest.FILE), nearest.text(found.rows, table))
    bands.forget()
    nearest.forget()


def write_constants(found: Calibrated) -> None:
    """Write the file of a calibration.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    _written(found.path, found.text)


def _written(path: Path, content: str | bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise InputError(Problem(f"cannot be written: {error.strerror or error}", file=str(path))) from None

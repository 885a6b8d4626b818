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
    from llmperf.evidence import bands as bands_module

    if bands is not None:
        _written(bands, bands_module.text(bands_module.bands(found.rows)))
        bands_module.shipped.cache_clear()
    if markdown is not None:
        from llmperf.interfaces.report import accuracy, published

        _written(markdown, accuracy.markdown(found) if found.rows else published.markdown(found.claims))
    if html is not None:
        from llmperf.interfaces.report.validation import write as write_html

        write_html(found, html)


def write_constants(found: Calibrated) -> None:
    """Write the file of a calibration.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    _written(found.path, found.text)


def _written(path: Path, content: str) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise InputError(Problem(f"cannot be written: {error.strerror or error}", file=str(path))) from None

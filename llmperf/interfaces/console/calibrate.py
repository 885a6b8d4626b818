"""A calibration on a terminal."""

from __future__ import annotations

from llmperf.evidence.calibration import Calibrated
from llmperf.interfaces.console.style import console, table, text
from llmperf.words.quantities import count


def show(found: Calibrated) -> None:
    """Print every fit with its error on rows that it has not seen, and what could not be fitted."""
    out = console()
    made = table("fit", "rows", "median error", "p90 error", "bias")
    for section, fits in found.calibration.fits.items():
        for selector, fit in fits.items():
            name = text(f"{section}.{selector}")
            made.add_row(name, count(fit.rows), f"{fit.median:.1%}", f"{fit.p90:.1%}", f"{fit.bias:+.1%}")
    out.print(made)
    cache = found.calibration.cache
    if cache is not None:
        out.print(f"operands that fit {cache.share:.0%} of the last-level cache are read {cache.speedup:g} x faster")
    for name, why in found.calibration.refused:
        out.print(f"not fitted: {text(name)}: {text(why)}")
    reasons: dict[str, int] = {}
    for _, why in found.omitted:
        reasons[why] = reasons.get(why, 0) + 1
    for why, rows in reasons.items():
        out.print(f"{rows} rows left out: {text(why)}")
    out.print(f"wrote {text(found.path)}: {count(found.calibration.rows)} kernel times, errors on rows held out")

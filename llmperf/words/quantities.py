"""Numbers as a person reads them: the one printer of terminals, figures, reports, checks and explanations.

Three significant digits where nothing asks for others; whole numbers with separators of thousands from a hundred on;
memory that is held in GiB, traffic and everything else with prefixes of a thousand. What does not exist is a dash.
NumPy is imported where arrays may come: plain numbers, such as those of the catalog, are printed without it.
"""

from __future__ import annotations

import math
from typing import Any

from llmperf import units
from llmperf.outputs import BOUND_BY, CAPACITY, DIMENSIONS, MEMORY_CLASSES, Output

DIGITS = 3
GIB = 2.0**30
NONE, UNLIMITED = "-", "unlimited"
_PLAIN = {"money": (1.0, "USD"), "money_rate": (3600.0, "USD/h")}
"""Dimensions that are said without prefixes, and in which unit: how many of it are one in SI."""
_WHOLE = 1e12
"""Number from which on a count is said by its magnitude."""


def quantity(value: Any, dimension: str, digits: int = DIGITS) -> str:
    """A value with its unit: ``16.8 ms``.

    Parameters
    ----------
    value : number or None
        In the SI unit of its dimension.
    dimension : str
        A key of `llmperf.units.DIMENSIONS`.
    digits : int
        Significant digits.
    """
    if value is None or not math.isfinite(value):
        return NONE
    if dimension in _PLAIN:
        factor, unit = _PLAIN[dimension]
        return f"{count(value * factor, digits)} {unit}"
    return units.scaled(float(value), dimension, digits)


def count(value: Any, digits: int = DIGITS) -> str:
    """A number of things: ``1.25``, ``12,345``, ``1.23e+13``; whole where it has at least so many digits."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return UNLIMITED
    value = float(value)
    if value == int(value) or 10.0 ** (digits - 1) <= abs(value):
        return f"{value:,.0f}" if abs(value) < _WHOLE else f"{value:.{digits}g}"
    return f"{value:,.{digits}g}"


def tokens(rate: Any) -> str:
    """Tokens in a second: ``1,234 tokens/s``."""
    return NONE if rate is None or not math.isfinite(rate) else f"{count(rate)} tokens/s"


def gib(size: Any, decimals: int = 2) -> str:
    """Bytes that are held, in GiB, without the unit. [GiB]"""
    return f"{float(size) / GIB:,.{decimals}f}"


def share(part: Any, decimals: int = 1) -> str:
    """A part of a whole: ``12.3%``."""
    return f"{float(part):.{decimals}%}"


def times(ratio: Any, digits: int = DIGITS) -> str:
    """A ratio: ``2.41x``."""
    return f"{count(ratio, digits)}x"


def arrow(before: float, after: float, unit: str) -> str:
    """Two values, the unit once where both have the same: ``16.8 -> 3.2 GB``, ``24 -> 96``."""
    first, then = measured(before, unit), measured(after, unit)
    number, _, written = first.partition(" ")
    same = not before or then.endswith(f" {written}")
    return f"{number if same else first} -> {then}"


def measured(value: Any, unit: str, digits: int = DIGITS) -> str:
    """A value in an SI unit as results have them, with that unit: also ``FLOP``, and ``GiB`` of a number of GiB."""
    if value is None or not math.isfinite(value):
        return count(value, digits)
    if unit in ("1", "1/s"):
        return f"{count(value, digits)}{unit[1:]}"
    if unit == "FLOP":
        return quantity(value, "compute", digits).removesuffix("/s")
    if unit in DIMENSIONS or not unit:
        return quantity(value, DIMENSIONS.get(unit, "fraction"), digits)
    return f"{count(value, digits)} {unit}"


def percent(change: float) -> str:
    """A change, with its sign: ``+12.3 %``."""
    return f"{'+' if change >= 0 else '-'}{count(100.0 * abs(change))} %"


def said(about: Output, value: Any, digits: int = DIGITS) -> str:
    """A value of an output: ``516 ms``, ``yes``, ``link.host``; what memory holds in GiB."""
    if value is None:
        return "does not exist"
    if _is_truth(value):
        return "yes" if value else "no"
    if about is BOUND_BY or isinstance(value, str):
        return str(value)
    if about.unit == "B" and math.isfinite(value) and any(about in group for group in (MEMORY_CLASSES, CAPACITY)):
        return f"{count(value / GIB, digits)} GiB"
    return measured(value, about.unit, digits)


def cell(about: Output, value: Any) -> str:
    """A value of an output below or beside its label, which says already that it is a rate; of many their range."""
    if _is_truth(value):
        return said(about, value)
    return _between(*(count(one) if about.unit == "1/s" else said(about, one) for one in _ends(value)))


def span(value: Any) -> str:
    """A number of things, or the range of many: ``1 to 4,096``."""
    return _between(*map(count, _ends(value)))


def _is_truth(value: Any) -> bool:
    import numpy as np

    return isinstance(value, bool | np.bool_)


def _ends(value: Any) -> tuple[Any, ...]:
    from llmperf.numeric import ends

    return tuple(ends(value))


def _between(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"

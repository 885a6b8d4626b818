"""Written quantities and SI floats: ``"3.35 TB/s"`` is 3.35e12 inside, everywhere.

Decimal prefixes are powers of 1000 (GB), binary ones powers of 1024 (GiB); ``b`` is a bit, ``B`` a byte.
A bare number is taken to be in the SI unit of its dimension.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache

from llmperf.errors import shown
from llmperf.records import dataclass

PREFIXES = {
    "": 1.0,
    "k": 1e3,
    "K": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
    "m": 1e-3,
    "u": 1e-6,
    "µ": 1e-6,
    "n": 1e-9,
    "p": 1e-12,
    "f": 1e-15,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
}

_LARGE = ("", "k", "K", "M", "G", "T", "P", "E")
_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi")
_SMALL = ("", "m", "u", "µ", "n", "p", "f")


@dataclass(frozen=True, slots=True)
class Dimension:
    """What a quantity measures: its SI unit and the units it may be written in (unit -> (factor, prefixes))."""

    name: str
    unit: str
    written: Mapping[str, tuple[float, tuple[str, ...]]]
    example: str

    def factors(self) -> dict[str, float]:
        """Every accepted spelling and what one of it is in the SI unit."""
        return {
            prefix + unit: factor * PREFIXES[prefix]
            for unit, (factor, prefixes) in self.written.items()
            for prefix in prefixes
        }


_TIME = {"s": (1.0, _SMALL), "min": (60.0, ("",)), "h": (3600.0, ("",)), "d": (86400.0, ("",))}
_OPS = dict.fromkeys(("FLOP/s", "FLOPS", "FLOPs", "OP/s", "OPS", "OPs"), (1.0, _LARGE))

DIMENSIONS = {
    dimension.name: dimension
    for dimension in (
        Dimension("bytes", "B", {"B": (1.0, _LARGE + _BINARY), "b": (0.125, _LARGE)}, "80 GiB"),
        Dimension(
            "bandwidth",
            "B/s",
            {"B/s": (1.0, _LARGE + _BINARY), "b/s": (0.125, _LARGE), "bit/s": (0.125, _LARGE)},
            "3.35 TB/s",
        ),
        Dimension("compute", "FLOP/s", _OPS, "989 TFLOP/s"),
        Dimension("time", "s", _TIME, "2 us"),
        Dimension("frequency", "Hz", {"Hz": (1.0, _LARGE)}, "1.83 GHz"),
        Dimension("power", "W", {"W": (1.0, (*_LARGE, "m"))}, "700 W"),
        Dimension("energy", "J", {"J": (1.0, _SMALL + _LARGE[1:]), "Wh": (3600.0, _LARGE)}, "3 pJ"),
        Dimension("money", "USD", {"USD": (1.0, ("", "k", "M")), "$": (1.0, ("",))}, "30000 USD"),
        Dimension("money_rate", "USD/s", {"USD/s": (1.0, ("",)), "USD/h": (1 / 3600, ("",))}, "3.9 USD/h"),
        Dimension(
            "rate", "1/s", dict.fromkeys(("/s", "1/s", "req/s", "tok/s", "tokens/s"), (1.0, ("", "k", "M"))), "4 req/s"
        ),
        Dimension("fraction", "", {"%": (0.01, ("",))}, "90 %"),
    )
}

_WRITTEN = re.compile(r"\s*([+-]?(?:\d[\d_]*)?\.?\d+(?:[eE][+-]?\d+)?|[+-]?\d+\.)\s*(\S*)\s*")


class UnitError(ValueError):
    """A quantity that cannot be read; `allowed` lists units, `suggestion` an example."""

    def __init__(self, message: str, allowed: tuple[str, ...], suggestion: str) -> None:
        super().__init__(message)
        self.allowed, self.suggestion = allowed, suggestion


@cache
def _factors(dimension: str) -> dict[str, float]:
    return DIMENSIONS[dimension].factors()


def parse(written: object, dimension: str) -> float:
    """Read a written quantity.

    Parameters
    ----------
    written : str or float
        ``"80 GiB"``, ``"2 us"``, or a number in the SI unit.
    dimension : str
        A key of `DIMENSIONS`.

    Returns
    -------
    float
        The value in the SI unit of the dimension.

    Raises
    ------
    UnitError
        If it is no number, not finite, or in a unit of another dimension.
    """
    if isinstance(written, bool) or not isinstance(written, _READABLE):
        raise _fault(f"{shown(written)} is not a quantity of {dimension}", dimension)
    if isinstance(written, str):
        match = _WRITTEN.fullmatch(written[:80])
        if match is None:
            raise _fault(f"{shown(written)} is not a quantity of {dimension}", dimension)
        number, unit = match.groups()
        factors = _factors(dimension)
        if unit and unit not in factors:
            raise _fault(f"{shown(written)} has no unit of {dimension}", dimension)
        value = float(number.replace("_", "")) * (factors[unit] if unit else 1.0)
    else:
        try:
            value = float(written)
        except OverflowError:
            value = math.inf
    if not math.isfinite(value):
        raise _fault(f"{shown(written)} is not a finite number", dimension)
    return value


_READABLE = (str, int, float)

COUNT = r"(\d[\d_]*(?:\.\d+)?(?:[eE]\+?\d{1,2})?)\s*([kmgKMG]i?)?(?:\s*tok(?:en)?s?)?"
"""Pattern of a written count: its number, and k or K and their like."""
_COUNT = re.compile(COUNT, re.ASCII)
_COUNTED = {"k": 10**3, "m": 10**6, "g": 10**9, "K": 2**10, "M": 2**20, "G": 2**30}


def count(written: str) -> float | None:
    """A written count; None where it is none, or no more than the text of a number.

    Parameters
    ----------
    written : str
        ``1e3``, which YAML takes for a text; ``32k`` is 32,000 and ``32K`` 32,768, as vLLM reads its flags; ``32ki``
        and ``32Ki`` are 32,768.
    """
    match = _COUNT.fullmatch(written.strip()) if len(written) <= 40 else None
    if match is None or written.strip().isdigit():
        return None
    number, unit = match.groups()
    factor = _COUNTED[unit[0].upper() if unit.endswith("i") else unit] if unit else 1
    return float(number.replace("_", "")) * factor


def _fault(text: str, dimension: str) -> UnitError:
    kind = DIMENSIONS[dimension]
    return UnitError(text, tuple(kind.written), f'write it like "{kind.example}"')


def scaled(value: float, dimension: str, digits: int = 4) -> str:
    """`value` (SI) as a person reads it: ``scaled(3.35e12, "bandwidth") == "3.35 TB/s"``."""
    kind = DIMENSIONS[dimension]
    if dimension == "fraction":
        return f"{100 * value:.{digits}g} %"
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {kind.unit}"
    if dimension in ("money", "money_rate", "rate"):
        return f"{value:.{digits}g} {kind.unit}"
    steps = [p for p in ("f", "p", "n", "u", "m", "", "k", "M", "G", "T", "P", "E") if p in kind.written[kind.unit][1]]
    rounded = abs(float(f"{value:.{digits}g}"))  # 999.96 MB is 1 GB in three digits
    fitting = [p for p in steps if rounded >= PREFIXES[p]]
    prefix = fitting[-1] if fitting else steps[0]
    return f"{value / PREFIXES[prefix]:.{digits}g} {prefix}{kind.unit}"

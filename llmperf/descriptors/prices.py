"""Prices: what one device costs, of which kind that price is, and of when."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from llmperf import units
from llmperf.descriptors.fields import FORBID_UNKNOWN_KEYS, Dollars, Marker, Positive, Share, Text
from llmperf.errors import shown
from llmperf.records import dataclass

PriceKind = Literal["on_demand", "reserved", "marketplace", "purchase"]
"""Kinds of prices, of which none compares with another: rent by the hour, for a term, of a market; a device bought."""
LARGEST = 1e6
"""Largest rent of a device. [USD/h]"""
HOURS_A_YEAR = 8766.0
"""Hours of a year of 365.25 days. [h]"""


@dataclass(frozen=True, slots=True)
class Hourly(Marker):
    """A rent: a number in USD an hour, as price lists have it, or a written one (``3.9 USD/h``)."""

    def check(self, value: Any) -> float:
        """The rent. [USD/h]"""
        try:
            number = units.parse(value, "money_rate")
        except units.UnitError as error:
            raise units.UnitError(f"{shown(value)} is no rent", error.allowed, error.suggestion) from None
        number *= 3600.0 if isinstance(value, str) and _has_unit(value) else 1.0
        if not 0.0 <= number <= LARGEST:
            raise ValueError(f"{shown(value)} must lie between 0 and {LARGEST:g} USD/h")
        return number

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of what a user may write."""
        number = {"type": "number", "minimum": 0, "maximum": LARGEST}
        return {"anyOf": [{"type": "string"}, number], "description": "USD an hour", "examples": ["3.9 USD/h"]}


def _has_unit(written: str) -> bool:
    return re.search(r"[A-Za-z$]", written.replace("e", "")) is not None


Rent = Annotated[float, Hourly()]


@dataclass(frozen=True, slots=True)
class Prices:
    """What one device costs: a rent, or its purchase over the years that it serves. Without, what its file says."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    rent: Rent | None = None
    """Of one device. [USD/h]"""
    purchase: Dollars | None = None
    """Of one device with its share of the machine. [USD]"""
    years: Positive | None = None
    """Over which a purchase is written off."""
    kind: PriceKind | None = None
    date: Text | None = None
    """When the price was read: ``2026-11``, ``2026-11-30``."""
    utilization: Share = 1.0
    """Share of the paid time in which the devices do this work."""


_DATE = re.compile(r"20\d\d(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")


def is_date(written: str) -> bool:
    """Whether a text is a year, a month of one, or a day."""
    return _DATE.fullmatch(written) is not None


def contradictions(prices: Prices) -> list[tuple[str, str]]:
    """What in prices contradicts itself: (path, message) pairs."""
    found = []
    if prices.rent is not None and prices.purchase is not None:
        found.append(("purchase", "stands beside a rent: a price is one of both"))
    if prices.purchase is not None and prices.years is None:
        found.append(("years", "is missing: a purchase is paid over the years that a device serves"))
    if prices.years is not None and prices.purchase is None:
        found.append(("years", "serves a purchase only"))
    if prices.purchase is not None and prices.kind not in (None, "purchase"):
        found.append(("kind", f"{prices.kind} is no kind of a purchase"))
    if prices.rent is not None and prices.kind == "purchase":
        found.append(("kind", "purchase is no kind of a rent"))
    if prices.rent is None and prices.purchase is None and (prices.kind is not None or prices.date is not None):
        found.append(("rent", "is missing: a kind and a date are of a price"))
    if prices.date is not None and not is_date(prices.date):
        found.append(("date", f"{shown(prices.date)} is no date such as 2026-11"))
    return found

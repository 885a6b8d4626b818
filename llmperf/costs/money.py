"""Money: what the devices of a scenario cost while they serve it, and whether two prices may be compared.

All are formulas of outputs (`llmperf.outputs.TIMES`): functions of the scenario, the definition and the figures before
them. At a given rent a bound on time is a bound on cost.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from llmperf.descriptors.prices import HOURS_A_YEAR
from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, choose
from llmperf.records import dataclass

APART = 12
"""Months between two prices from which on they are not compared without saying so."""


def rate(scenario: Scenario) -> Real:
    """Rent of one device, or its purchase over the hours of its years; NaN where no price is known. [USD/h]"""
    prices, hardware = scenario.prices, scenario.hardware
    if prices.rent is not None:
        return prices.rent
    if prices.purchase is not None and prices.years is not None:
        return prices.purchase / (prices.years * HOURS_A_YEAR)
    return np.nan if hardware.rent is None else hardware.rent * 3600.0


def device_hours(scenario: Scenario, definition: str, figures: Any) -> Real:  # noqa: ARG001 (a formula's arguments)
    """Hours of all devices that the workload takes. [h]"""
    hours: Real = figures.e2e_s * scenario.parallelism.devices / 3600.0
    return hours


def cost(scenario: Scenario, definition: str, figures: Any) -> Real:  # noqa: ARG001
    """What the workload costs, the time in which its devices stand idle included. [USD]"""
    total: Real = rate(scenario) * figures.device_hours / scenario.prices.utilization
    return total


def per_mtok(scenario: Scenario, definition: str, figures: Any) -> Real:  # noqa: ARG001
    """Cost over a million tokens, prompt and generated alike. [USD]"""
    work = scenario.workload
    blended: Real = 1e6 * figures.cost_usd / (work.batch * (work.input + work.output))
    return blended


def per_mtok_input(scenario: Scenario, definition: str, figures: Any) -> Real:  # noqa: ARG001
    """Cost of the time until the last first token, over a million prompt tokens. [USD]

    Times the prompt tokens, and `per_mtok_output` times the generated ones, it makes the whole cost.
    """
    work = scenario.workload
    share = choose(work.output > 1, figures.ttft_s / figures.e2e_s, 1.0)
    prompts: Real = 1e6 * figures.cost_usd * share / (work.batch * work.input)
    return prompts


def per_mtok_output(scenario: Scenario, definition: str, figures: Any) -> Real:  # noqa: ARG001
    """Cost of the time of decoding, over a million generated tokens; NaN where nothing is decoded. [USD]"""
    work = scenario.workload
    share = choose(work.output > 1, 1.0 - figures.ttft_s / figures.e2e_s, np.nan)
    generated: Real = 1e6 * figures.cost_usd * share / (work.batch * work.output)
    return generated


@dataclass(frozen=True, slots=True)
class Basis:
    """What a price is: its kind, and when it was read; empty where that is not known."""

    kind: str
    date: str

    def __str__(self) -> str:
        kind, date = self.kind.replace("_", " ") or "of unknown kind", self.date or "undated"
        return f"{kind}, {date}"


def basis(scenario: Scenario) -> Basis | None:
    """What the price of a scenario is; None where it has none."""
    prices, hardware = scenario.prices, scenario.hardware
    if prices.purchase is not None:
        return Basis("purchase", prices.date or "")
    if prices.rent is not None:
        return Basis(prices.kind or "", prices.date or "")
    return None if hardware.rent is None else Basis(hardware.rent_kind or "", hardware.rent_date or "")


def apart(one: Basis | None, other: Basis | None) -> str:
    """Why two prices do not compare: of different kinds, or `APART` months or more from each other.

    Parameters
    ----------
    one, other : Basis or None
        What is not known of a price is no reason: a rent that a user types is his own, and compares with any.

    Returns
    -------
    str
        The reason in words; empty where they compare, or where one of both is missing.
    """
    if one is None or other is None:
        return ""
    if one.kind and other.kind and one.kind != other.kind:
        return f"their prices are of different kinds ({one} against {other})"
    months = [_months(each.date) for each in (one, other)]
    if None not in months and abs(months[0] - months[1]) >= APART:  # type: ignore[operator]
        return f"their prices are a year or more apart ({one} against {other})"
    return ""


def _months(date: str) -> int | None:
    """Months since year 0; of a year alone its middle."""
    found = re.match(r"(\d{4})(?:-(\d\d))?", date)
    return 12 * int(found[1]) + int(found[2] or 6) if found else None


HOURS_A_MONTH = HOURS_A_YEAR / 12.0
"""Hours of a month. [h]"""


def served_per_month(scenario: Scenario, definition: str, figures: Any) -> Real:  # noqa: ARG001
    """Rent of all devices of a service for a month. [USD]"""
    rent: Real = _hourly(scenario) * HOURS_A_MONTH
    return rent


def served_per_mtok(scenario: Scenario, definition: str, figures: Any) -> Real:  # noqa: ARG001
    """Rent over a million tokens of a service, prompt and generated alike. [USD]"""
    blended: Real = _per_second(scenario) * 1e6 / figures.total_tokens_per_s
    return blended


def served_per_mtok_output(scenario: Scenario, definition: str, figures: Any) -> Real:  # noqa: ARG001
    """Rent over a million generated tokens of a service. [USD]"""
    generated: Real = _per_second(scenario) * 1e6 / figures.output_tokens_per_s
    return generated


def _per_second(scenario: Scenario) -> Real:
    """Rent of all devices, the time in which they stand idle besides included. [USD/s]"""
    return _hourly(scenario) / 3600.0 / scenario.prices.utilization


def _hourly(scenario: Scenario) -> Real:
    """Rent of all devices of a service, those of both pools where there are two. [USD/h]"""
    own = rate(scenario) * scenario.parallelism.devices
    return own if scenario.prefill_pool is None else own + _hourly(scenario.prefill_pool)

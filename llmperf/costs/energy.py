"""Energy of a workload: what its devices draw over the time that it takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real


def rated(scenario: Scenario, definition: str, figures: Any) -> Real:
    """Energy of all devices at their rated power over the projected time, an upper estimate. [J]

    Parameters
    ----------
    scenario : Scenario
    definition : str
        ``projection``; of a bound or a roofline no power is known, so that they have no energy (NaN).
    figures : Figures
        With ``e2e_s``.
    """
    watts = scenario.hardware.tdp
    if definition != "projection" or watts is None:
        return np.nan
    energy: Real = figures.e2e_s * watts * scenario.parallelism.devices
    return energy


def per_output_token(scenario: Scenario, definition: str, figures: Any) -> Real:  # noqa: ARG001 (a formula's arguments)
    """`rated` energy over generated tokens. [J]"""
    energy: Real = figures.energy_j / (scenario.workload.batch * scenario.workload.output)
    return energy


def power(scenario: Scenario, definition: str, figures: Any) -> Real:  # noqa: ARG001
    """Mean power of all devices. [W]"""
    watts: Real = figures.energy_j / figures.e2e_s
    return watts


def served_power(scenario: Scenario, definition: str, figures: Any) -> Real:
    """Rated power of all devices of a service. [W]"""
    watts = scenario.hardware.tdp
    if definition != "projection" or watts is None:
        return np.nan
    own = watts * scenario.parallelism.devices
    pool = scenario.prefill_pool
    return own if pool is None else own + served_power(pool, definition, figures)


def served_per_output_token(scenario: Scenario, definition: str, figures: Any) -> Real:  # noqa: ARG001
    """Rated power over generated tokens. [J]"""
    energy: Real = figures.power_w / figures.output_tokens_per_s
    return energy

"""Energy and money, where the hardware says what it draws and what it costs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from llmperf.answers.answer import Answer
from llmperf.interfaces.figures.drawing import quantity
from llmperf.interfaces.report.html import Html, h, table
from llmperf.interfaces.report.inputs import Inputs

TITLE = "Energy and cost"


def applies(inputs: Inputs) -> bool:
    """Whether the power or the rent of some hardware is known."""
    chips = [result.scenario.hardware for result in inputs.results.values()]
    return any(chip.tdp is not None or chip.rent is not None for chip in chips)


def render(inputs: Inputs) -> Iterator[Html]:
    """Energy and rent of the batch and of its tokens."""
    head = (
        "configuration",
        "energy of the batch",
        "energy a token",
        "rent of the devices",
        "USD for 1M output tokens",
        "as of",
    )
    yield table(head, [_row(name, result) for name, result in inputs.results.items()])
    yield h(
        "p",
        "Energy is that of all devices at their rated power over the projected time: an upper estimate, without hosts, "
        "network and cooling. Rent is what the catalog has for one device, times the devices, as if always as busy.",
        class_="note",
    )


def _row(name: str, result: Answer) -> tuple[str, ...]:
    hardware, part = result.scenario.hardware, result.projection
    devices = float(np.max(result.scenario.parallelism.devices))
    rent = None if hardware.rent is None else float(np.max(hardware.rent)) * devices
    return (
        name,
        quantity(part.energy_j, "energy"),
        quantity(part.energy_per_output_token_j, "energy"),
        "-" if rent is None else f"{rent * 3600.0:,.2f} USD/h",
        "-" if rent is None else f"{1e6 * rent / float(part.output_tokens_per_s):,.3g}",
        hardware.price_date or "-",
    )

"""Energy and money, where the hardware says what it draws, or a price is known."""

from __future__ import annotations

from collections.abc import Iterator

from llmperf.answers.answer import Answer
from llmperf.costs.money import basis
from llmperf.interfaces.report.html import Html, h, items, table
from llmperf.interfaces.report.inputs import Inputs
from llmperf.outputs import TIMES, Output
from llmperf.words.quantities import cell

TITLE = "Energy and cost"


def applies(inputs: Inputs) -> bool:
    """Whether the power of some hardware is known, or a price."""
    results = inputs.having("energy_j").values()
    return any(one.scenario.hardware.tdp is not None or basis(one.scenario) is not None for one in results)


def render(inputs: Inputs) -> Iterator[Html | None]:
    """Energy and cost of the batch and of its tokens, and what the prices are."""
    head = ("configuration", *(output.label for output in _outputs()), "price")
    yield table(head, [_row(name, result) for name, result in inputs.having("energy_j").items()])
    if inputs.comparison is not None:
        yield items(inputs.comparison.notes)
    yield h(
        "p",
        "Energy is that of all devices at their rated power over the projected time: an upper estimate, without hosts, "
        "network and cooling. Costs are the price of one device times the devices that are needed; the price is the "
        "scenario's, or else what the catalog has.",
        class_="note",
    )


def _outputs() -> tuple[Output, ...]:
    return tuple(output for output in TIMES if output.unit in ("J", "W", "USD"))


def _row(name: str, result: Answer) -> tuple[str, ...]:
    values = (cell(output, result.projection.of(output.name)) for output in _outputs())
    price = basis(result.scenario)
    return (name, *values, "-" if price is None else str(price))

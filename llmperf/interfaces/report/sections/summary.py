"""The first thing a reader sees: does it fit, does it serve the purpose, how fast is it, what limits it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from llmperf.interfaces.confidence import METRICS, error_bands
from llmperf.interfaces.console.estimate import described, maximum
from llmperf.interfaces.figures.drawing import count, gib, quantity, share
from llmperf.interfaces.report.html import Html, h, items, join
from llmperf.interfaces.report.inputs import Inputs
from llmperf.interfaces.results import Estimate
from llmperf.outputs import RESOURCES

TITLE = "Summary"
LIMITS = {"ttft_s": "TTFT", "tpot_s": "TPOT"}
PHASES = {"ttft_s": "prefill", "tpot_s": "decode"}


def applies(inputs: Inputs) -> bool:
    """Whether there are results."""
    return bool(inputs.results)


def render(inputs: Inputs) -> Iterator[Html | None]:
    """A verdict, the numbers and their limits, for each result."""
    for name, result in inputs.results.items():
        if len(inputs.results) > 1 or name != result.scenario.name:
            yield h("h3", name)
        yield h("p", described(result.scenario), ".", class_="note")
        if result.scenario.description:
            yield h("p", result.scenario.description)
        if chosen := maximum(result.scenario):
            yield h("p", chosen)
        verdicts = [fits(result), *(served(result, metric, most) for metric, most in inputs.limits.items())]
        yield h(
            "ul", *(h("li", h("b", word), " ", text, class_=kind) for kind, word, text in verdicts), class_="verdicts"
        )
        yield h("div", *_cards(result), class_="cards")
        yield items(_limits(result))
    notes = dict.fromkeys(
        note for result in inputs.results.values() for note in (*result.extrapolated, *result.warnings)
    )
    if notes:
        yield h("h4", "What to know")
        yield items(notes)
    yield h(
        "p",
        "A bound is physics: no system is faster. A projection is what a good implementation reaches. A band is where "
        "8 of 10 measured results of the class lie.",
        class_="note",
    )


Verdict = tuple[str, str, str]
"""Class of its colour, its word, and why."""


def fits(result: Estimate) -> Verdict:
    """Whether the workload has a place in memory."""
    memory = result.memory
    if memory.fits:
        room = f"{gib(memory.required)} of {gib(memory.usable)} GiB of each device; {count(memory.max_batch)} such"
        return "good", "Fits.", f"{room} sequences would fit."
    from llmperf.phases.remedies import remedies

    found = remedies(result.scenario, result.evaluated[0])
    would = f" It would fit with one of: {'; '.join(found)}." if found else ""
    text = f"{quantity(memory.missing, 'bytes')} a device too much; the times below assume that it did."
    return "bad", "Does not fit.", text + would


def served(result: Estimate, metric: str, most: float) -> Verdict:
    """Whether a time is within a limit: for certain, by the projection, or not even by the bound."""
    value, bound = (float(getattr(part, metric)) for part in (result.projection, result.bound))
    name, limit = LIMITS[metric], quantity(most, "time")
    if not math.isfinite(value):
        return "unsure", f"{name}: no answer.", "No further token is generated."
    said = f"{name} {quantity(value, 'time')} projected, limit {limit}"
    band = error_bands(result.scenario).get(PHASES[metric])
    if bound > most:
        return "bad", f"{name} cannot be met.", f"{said}: even the bound is {quantity(bound, 'time')}."
    if value > most:
        return "bad", f"{name} is missed.", f"{said}; the bound of {quantity(bound, 'time')} would allow it."
    if band is None:
        return "unsure", f"{name} is met.", f"{said}; no measured results say how sure that is."
    worst = quantity(value * band.high, "time")
    if value * band.high > most:
        return "unsure", f"{name} is met, not surely.", f"{said}; the upper end of the band is {worst}."
    return "good", f"{name} is met.", f"{said}, and at the upper end of the band {worst}."


def _cards(result: Estimate) -> Iterator[Html]:
    bands = error_bands(result.scenario)
    for metric, title in (
        ("ttft_s", "Time to first token"),
        ("tpot_s", "Time per output token"),
        ("e2e_s", "End to end"),
    ):
        phase = next(phase for phase, name in METRICS.items() if name == metric)
        value, bound = getattr(result.projection, metric), getattr(result.bound, metric)
        if np.isfinite(value):
            band = bands.get(phase)
            ends = f"band {_between(value * band.low, value * band.high)}" if band else "no measured band"
            yield _card(title, quantity(value, "time"), f"bound {quantity(bound, 'time')}", ends)
    rates = [float(part.output_tokens_per_s) for part in (result.projection, result.bound)]
    each = f"{count(round(rates[0] / float(np.max(result.scenario.parallelism.devices)), 1))} a device"
    yield _card("Output tokens/s", count(round(rates[0])), f"bound {count(round(rates[1]))}", each)
    memory = result.memory
    used = f"{share(memory.required / memory.capacity)} of {gib(memory.capacity)} GiB"
    yield _card("Memory of a device", f"{gib(memory.required)} GiB", used, "the fullest device")


def _between(low: Any, high: Any) -> str:
    return f"{quantity(low, 'time', 2)} to {quantity(high, 'time', 2)}"


def _card(name: str, value: str, *small: str) -> Html:
    return h(
        "div",
        h("div", name, class_="name"),
        h("div", value, class_="value"),
        *(h("div", line, class_="small") for line in small),
        class_="card",
    )


def _limits(result: Estimate) -> Iterator[Html]:
    """What each phase waits for, in words."""
    for phase, name in result.bottleneck.items():
        if name is None:
            continue
        waits = {key: float(np.max(value)) for key, value in getattr(result.evaluated[0], phase).waits.items()}
        shares = sorted(((value / sum(waits.values()), key) for key, value in waits.items()), reverse=True)
        said = ", ".join(f"{part:.0%} {RESOURCES[key].partition(':')[0]}" for part, key in shares if part >= 0.1)
        yield join(f"{phase.capitalize()} is limited by ", h("b", RESOURCES[name].partition(":")[0]), f": {said}.")

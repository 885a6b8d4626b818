"""The first thing a reader sees: does it fit, does it serve the purpose, how fast is it, what limits it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from llmperf.answers.answer import Answer
from llmperf.answers.questions import QUESTIONS
from llmperf.evidence.confidence import error_bands, extrapolated_of
from llmperf.interfaces.report.html import Html, h, items, join, table
from llmperf.interfaces.report.inputs import SERVICE, Inputs
from llmperf.interfaces.report.verdicts import Verdict, of_batch, of_service
from llmperf.outputs import TIMES, Output
from llmperf.resources import RESOURCES
from llmperf.words.quantities import cell, gib, share
from llmperf.words.scenario import described, maximum
from llmperf.words.tables import outputs

TITLE = "Summary"


def applies(inputs: Inputs) -> bool:
    """Whether there are results."""
    return bool(inputs.results)


def _verdicts(inputs: Inputs) -> dict[str, list[Verdict]]:
    """Verdicts on static batches and services; results without are shown as what they have (`others`)."""
    batches = inputs.having(*(output.name for output in TIMES.shown("card")), "fits").items()
    found = {name: list(of_batch(result, inputs.limits)) for name, result in batches}
    return found | {name: list(of_service(result)) for name, result in inputs.having(*SERVICE, "fits").items()}


def _tables(inputs: Inputs, names: Iterable[str]) -> Iterator[Html]:
    """All numbers of results side by side, a table for each question."""
    questions: dict[str, dict[str, Answer]] = {}
    for name in names:
        questions.setdefault(inputs.results[name].question, {})[name] = inputs.results[name]
    for results in questions.values():
        shown = outputs(next(iter(results.values())), "card")
        head = ("configuration", "fits", *(output.head for output in shown), "memory [GiB]", "limited by")
        yield table(head, [_row(name, result) for name, result in results.items()])


def render(inputs: Inputs) -> Iterator[Html | None]:
    """A verdict, the numbers and their limits, for each result; of several, all numbers in one table first."""
    several, verdicts = len(inputs.results) > 1, _verdicts(inputs)
    if several:
        yield from _tables(inputs, (name for name in inputs.results if name in verdicts))
    said = set[str]()
    for name, result in inputs.results.items():
        if several:
            yield h("h3", name)
        yield h("p", described(result.scenario), ".", class_="note")
        if result.scenario.description and result.scenario.description not in said:
            yield h("p", result.scenario.description)
            said.add(result.scenario.description)
        if chosen := maximum(result.scenario):
            yield h("p", chosen)
        if name not in verdicts:
            yield from others(result)
            continue
        lines = (h("li", h("b", word), " ", text, class_=kind) for kind, word, text in verdicts[name])
        yield h("ul", *lines, class_="verdicts")
        if not several:
            yield h("div", *_cards(result), class_="cards")
        yield items(_limits(result))
    notes = dict.fromkeys(note for one in inputs.results.values() for note in (*extrapolated_of(one), *one.warnings))
    if notes:
        yield h("h4", "What to know")
        yield items(notes)
    text = (
        "A bound is physics: no system is faster. A projection is what a good implementation reaches. A band is where "
        "8 of 10 measured results of the class lie."
    )
    yield h("p", text, class_="note")


def others(result: Answer) -> Iterator[Html | None]:
    """All outputs of an answer to another question, by part, and what limits its phases."""
    yield h("p", f"{result.question}: {QUESTIONS[result.question].label}.")
    for part in QUESTIONS[result.question].parts:
        values = result.parts[part.name]
        rows = [
            (one.label, cell(one, values.of(one.name)), one.description) for one in part.outputs if one.name in values
        ]
        yield table((part.name, "value", "meaning"), rows, text=1)
    yield items(_limits(result))


def _row(name: str, result: Answer) -> tuple[str, ...]:
    part, memory = result.projection, result.memory
    limits = [limit for limit in result.bottleneck.values() if limit is not None]
    return (
        name,
        "yes" if memory.fits else "no",
        *(cell(output, part.of(output.name)) for output in outputs(result, "card")),
        f"{gib(memory.required)} of {gib(memory.usable)}",
        RESOURCES[limits[-1]].short,
    )


def _cards(result: Answer) -> Iterator[Html]:
    for output in outputs(result, "card"):
        value, bound = (float(part.of(output.name)) for part in (result.projection, result.bound))
        if math.isfinite(value):
            title = output.label[:1].upper() + output.label[1:]
            below = (f"bound {cell(output, bound)}", _beside(result, output, value)) if math.isfinite(bound) else ()
            yield _card(title, cell(output, value), *below)
    memory = result.memory
    used = f"{share(memory.required / memory.capacity)} of {gib(memory.capacity)} GiB"
    yield _card("Memory of a device", f"{gib(memory.required)} GiB", used, "the fullest device")


def _beside(result: Answer, output: Output, value: float) -> str:
    """What a card says below: of a time where measured ones lie, of a rate what each device gives."""
    if output.unit == "1/s":
        return f"{cell(output, value / float(np.max(result.scenario.parallelism.devices)))} a device"
    band = error_bands(result).get(output.band)
    if band is None or output.unit != "s":
        return "no measured band"
    return f"band {cell(output, value * band.low)} to {cell(output, value * band.high)}"


def _card(name: str, value: str, *small: str) -> Html:
    return h(
        "div",
        h("div", name, class_="name"),
        h("div", value, class_="value"),
        *(h("div", line, class_="small") for line in small),
        class_="card",
    )


def _limits(result: Answer) -> Iterator[Html]:
    """What each phase waits for, in words."""
    for phase, name in result.bottleneck.items():
        if name is None:
            continue
        waits = {key: float(np.max(value)) for key, value in result.evaluated[0].phases[phase].waits.items()}
        shares = sorted(((value / sum(waits.values()), key) for key, value in waits.items()), reverse=True)
        said = ", ".join(f"{share(part, 0)} {RESOURCES[key].short}" for part, key in shares if part >= 0.1)
        yield join(f"{phase.capitalize()} is limited by ", h("b", RESOURCES[name].short), f": {said}.")

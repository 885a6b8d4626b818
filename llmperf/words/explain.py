"""A result as a colleague would explain it: what limits it, what would help, how sure that is, what it assumes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from llmperf.answers.answer import Answer
from llmperf.answers.ceilings import ENGINE, ceilings
from llmperf.answers.changes import FASTER, NOTICED, Effect, changes, faster_parts, weighed
from llmperf.answers.questions import QUESTIONS
from llmperf.answers.remedies import NOTHING_FITS, remedies
from llmperf.answers.sweep import load
from llmperf.errors import InputError, Problem
from llmperf.evidence.confidence import METRICS, extrapolated_of
from llmperf.numeric import first
from llmperf.outputs import PHASES, by_path
from llmperf.words.confidence import items as confidence
from llmperf.words.explain_service import of_service, serves
from llmperf.words.items import Explanation, Item
from llmperf.words.labels import noun
from llmperf.words.quantities import arrow, gib, quantity, share, times
from llmperf.words.traffic import coming
from llmperf.words.waits import physics, waits

HELPS, TRADES, NOTES, REASONS = 3, 2, 3, 2
"""Changes, those that also cost something, notes and reasons that are told; the others are counted or left out."""


def explain(result: Answer) -> Explanation:
    """Explain the result of one configuration.

    Raises
    ------
    InputError
        If the result holds arrays.
    """
    if result.shape:
        raise InputError(Problem("an explanation is of one configuration, not of arrays"))
    phases = [phase for phase, limit in result.bottleneck.items() if limit is not None]
    items = list(of_service(result)) if serves(result) else [_limit(result, phase) for phase in phases]
    if "memory" in result.parts and not (serves(result) and result.memory.fits):
        items.append(_memory(result))
    if weighed(result):
        items += [*_help(result), *_confidence(result)]
    return Explanation((*items, *_assumptions(result)))


def _limit(result: Answer, phase: str) -> Item:
    """What one phase waits for, and how far it is from what physics allows."""
    head, takes = _takes(result, phase)
    time, bound = list(takes.values())[:2]
    waiting, largest, values = waits(result, phase)
    text = ". ".join(filter(None, (head, waiting, physics(time, bound), largest))) + "."
    return Item("limit", text, {"phase": phase, **takes, **values})


def _takes(result: Answer, phase: str) -> tuple[str, dict[str, float]]:
    """How long a phase takes, in words; and that time, its bound and its share of the whole, where they are outputs."""
    metric, work = METRICS.get(phase, ""), result.scenario.workload
    if not {metric, f"bound.{metric}", "e2e_s"} <= set(result.paths):
        part, kind = result.evaluated[0].phases[phase], PHASES[phase]
        takes = {"projection_s": first(part.projection), "bound_s": first(part.bound)}
        label = kind.label[:1].upper() + kind.label[1:]
        return f"{label} takes {quantity(takes['projection_s'], 'time')} a {kind.per[0]}", takes
    time, bound = float(result.value(metric)), float(result.value(f"bound.{metric}"))
    if phase == "prefill":
        of = "the batch" if work.batch > 1 else "the prompt"
        head, part_of_all = f"Prefill of {of} takes {quantity(time, 'time')}", time / float(result.e2e_s)
    else:
        head = f"Decode takes {quantity(time, 'time')} a token"
        part_of_all = time * (float(work.output) - 1.0) / float(result.e2e_s)
    takes = {metric: time, f"bound.{metric}": bound, "share_of_e2e": part_of_all}
    return f"{head}, {share(part_of_all, 0)} of it all", takes


def _memory(result: Answer) -> Item:
    memory = result.memory
    need, usable = float(memory.required), float(memory.usable)
    values = {"required": need, "usable": usable, "fits": bool(memory.fits), "max_batch": float(memory.max_batch)}
    held = f"{gib(need, 1)} GiB a device, of {gib(usable, 1)} usable ones"
    if memory.fits:
        most = float(memory.max_batch)
        full = ", as many as the engine runs at once" if ceilings(result)["max_batch"] == ENGINE else ""
        room = f"; {most:,.0f} such sequences would fit{full}" if np.isfinite(most) else ""
        return Item("memory", f"It fits: it needs {held}{room}.", values)
    found = remedies(result.resolved, result.evaluated[0])
    lacks = f"{gib(memory.missing, 1)} GiB a device find no place; the times assume that they had one"
    would = f"It would with one of: {'; '.join(found)}." if found else NOTHING_FITS
    return Item("memory", f"It does not fit: {lacks}. {would}", {**values, "would_fit": found})


def _help(result: Answer) -> Iterator[Item]:
    """Changes by their gain, and what faster hardware would give."""
    every = changes(result)
    found = [one for one in every if one.fits]
    if every and not found:
        found, would = every, remedies(result.resolved, result.evaluated[0])
        first_of_all = f"It has to fit first: {' or '.join(would)}. " if would else ""
        text = f"{first_of_all}None of the changes below fits alone; their times assume that it did."
        yield Item("help", text, {"kind": "fit", "would_fit": would})
    first = {one.flag: one for one in reversed(found) if one.best >= NOTICED and not one.trades}
    helpful = sorted(first.values(), key=lambda one: -one.best)[:HELPS]
    trading = [one for one in found if one.best >= NOTICED and one.trades and one.flag not in first]
    for one in helpful:
        yield Item("help", f"{_told(one)}.", {"kind": "change", **_values(one)})
    for one in _opposed(trading):
        yield Item("help", f"At a price: {_told(one)}.", {"kind": "trade", **_values(one)})
    idle = [one.change for one in found if one.best < NOTICED]
    if idle:
        yield Item("help", f"Little or no gain: {', '.join(idle)}.", {"kind": "no_gain", "changes": idle})
    parts = faster_parts(result)
    said = [
        f"{one.change} {noun(name)} {times(gain)}" if gain >= NOTICED else f"{one.change} no gain"
        for one in parts
        for name, gain in [_largest_gain(one)]
    ]
    work = result.scenario.workload
    here = "" if work.maximize is None else f" at this {'input' if work.maximize == 'context' else 'batch'}"
    text = f"With hardware {FASTER:g} times as fast{here}: {', '.join(said)}."
    values = {one.change: one.gains for one in parts}
    yield Item("help", text, {"kind": "hardware", "times_as_fast": FASTER, "gains": values})


def _values(one: Effect) -> dict[str, Any]:
    values = asdict(one)
    return {**values.pop("results"), **values, "gains": one.gains}


def _rate(name: str) -> bool:
    """Whether an output counts what is done in a second."""
    return by_path()[name].unit == "1/s"


def _opposed(trading: list[Effect]) -> list[Effect]:
    """Of changes that gain and lose, the best for the rate and the best for times, that each waits less."""

    def gain(one: Effect) -> float:
        return next(each for name, each in one.gains.items() if _rate(name))

    rate = [one for one in trading if gain(one) >= NOTICED]
    times = [one for one in trading if one not in rate]
    best = sorted(rate, key=lambda one: -gain(one))[:1]
    return (best + times[:1])[:TRADES]


def _largest_gain(one: Effect) -> tuple[str, float]:
    gains = {name: gain for name, gain in one.gains.items() if gain == gain}
    # of an interactive result: what a reader waits for, unless only the whole gains
    name = max(gains, key=lambda name: (round(gains[name], 2), not _rate(name)))
    return name, gains[name]


def _told(one: Effect) -> str:
    """A change with what it does, the gains first."""
    parts = []
    for name, gain in sorted(one.gains.items(), key=lambda item: -item[1] if item[1] == item[1] else np.inf):
        if gain != gain or 1.0 / NOTICED < gain < NOTICED:
            continue
        before, after = one.results[name]
        each = " a device" if _rate(name) and one.devices != 1.0 else ""
        words = arrow(before, after, "1" if _rate(name) else "s")
        parts.append(f"{noun(name)} {words} ({times(gain)}{each})")
    return f"{one.change}{_grown(one)}: {', '.join(parts)}"


def _grown(one: Effect) -> str:
    """What a change makes of the batch or the input that is as large as memory allows."""
    if one.maximized is None:
        return ""
    before, after = one.maximized
    return f" ({one.axis} {before:,.0f} -> {after:,.0f})"


def _confidence(result: Answer) -> Iterator[Item]:
    """Error bands as times to expect, and why the evidence may not hold here."""
    yield from confidence(result)
    reasons = extrapolated_of(result)
    if reasons:
        more = f"; and {len(reasons) - REASONS} more" if len(reasons) > REASONS else ""
        text = f"Outside of the evidence: {'; '.join(reasons[:REASONS])}{more}."
        yield Item("confidence", text, {"extrapolated": reasons})


def _assumptions(result: Answer) -> Iterator[Item]:
    scenario = result.scenario
    basis, engine = scenario.hardware.achieved, scenario.engine
    graphs = "captured graphs" if engine.graphs else "no captured graphs"
    batch, length = float(scenario.workload.batch), float(scenario.workload.input)
    prompts = f"{batch:,.0f} prompts at once, each" if batch > 1 else "one prompt"
    asked = f"A static batch: {prompts} of {length:,.0f} tokens"
    if serves(result):
        comes = coming(scenario)
        asked = comes[:1].upper() + comes[1:] if load(result) == "requests" else f"The steady state of {comes}"
    elif result.question != next(iter(QUESTIONS)):
        asked = f"{result.question}: {QUESTIONS[result.question].label}"
    text = f"{asked}. Engine {engine.name}, {graphs}; {basis.basis} constants of {basis.name}."
    yield Item("assumption", text, {"engine": engine.name, "constants": basis.name, "basis": basis.basis})
    for note in result.warnings[:NOTES]:
        yield Item("assumption", f"{note[:1].upper()}{note[1:]}.")
    if len(result.warnings) > NOTES:
        yield Item("assumption", f"And {len(result.warnings) - NOTES} more notes, which llmperf estimate prints.")

"""How sure a projection is, in sentences: where measured results lie, or the nearest where that says too little."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from llmperf.answers.answer import Answer
from llmperf.evidence.bands import Band
from llmperf.evidence.confidence import Expected, error_bands, metric_of, neighbours, phases_of
from llmperf.evidence.nearest import Neighbour
from llmperf.numeric import first
from llmperf.words.items import Item
from llmperf.words.labels import noun
from llmperf.words.quantities import count, percent, quantity

REGIMES = {
    "single": "one device",
    "tp": "several devices",
    "moe": "experts",
    "offload": "data outside of the device",
}
"""Last part of a class but the engine, in words."""


def items(result: Answer) -> Iterator[Item]:
    """Of each phase where measured results lie beside the projection, or that none say so."""
    bands = error_bands(result)
    for phase in phases_of(result):
        metric = metric_of(result, phase)
        assert metric is not None
        value = result.projection.of(metric)
        if not np.isfinite(np.asarray(value)).any():
            continue
        one = bands.get(phase)
        if one is not None:
            yield _item(result, phase, metric, one)
    if not bands:
        yield Item("confidence", "There are no measured results of this kind: no error band can be given.")


def _item(result: Answer, phase: str, metric: str, one: Expected) -> Item:
    """One phase's: ends of times for one configuration, factors for several."""
    band = one.band
    values: dict[str, object] = {
        "metric": metric,
        "class": band.name,
        "rows": band.n,
        "groups": band.groups,
        "sources": band.sources,
        "wide": one.wide,
    }
    if result.shape:
        return Item("confidence", _factors(metric, one), values)
    time = first(result.projection.of(metric))
    low, middle, high = (time * first(end) for end in (one.low, one.middle, one.high))
    values |= {"low_s": low, "middle_s": middle, "high_s": high}
    if one.wide:
        near = neighbours(result, phase)
        return Item("confidence", _nearest(metric, one, near), {**values, "nearest": [row.id for row in near]})
    ends = " to ".join(quantity(end, "time") for end in (low, high))
    text = f"{noun(metric)} {ends} for 8 of 10 measured, half below {quantity(middle, 'time')} ({basis(one)})."
    return Item("confidence", text, values)


def _factors(metric: str, one: Expected) -> str:
    low, high = np.min(one.low), np.max(one.high)
    return f"{noun(metric)} {low:.2g} to {high:.2g} x the projection for 8 of 10 measured ({basis(one)})."


def basis(one: Expected) -> str:
    """What a band rests on: rows, of how many models and chips, of which class; and what widens it."""
    band = one.band
    parts = [f"{count(band.n)} rows of {count(band.groups)} models and chips: {described(band)}"]
    if one.elsewhere:
        parts.append("ends that hold for chips left out")
    if one.calibration:
        parts.append(f"with {percent(math.expm1(one.calibration))} of the chip's own kernel fits")
    return "; ".join(parts)


def described(band: Band) -> str:
    """The class of a band in words: ``vllm, several devices, gpu-hbm``."""
    parts = band.name.split("/")[1:]
    said = [REGIMES.get(part, part) for part in reversed(parts)]
    return ", ".join(said) or "all hardware"


def _nearest(metric: str, one: Expected, near: list[Neighbour]) -> str:
    """What is said in place of a band that says too little."""
    spread = float(np.max(np.asarray(one.high) / np.asarray(one.low)))
    head = f"{noun(metric)}: measured results of its kind are {spread:.2g}-fold apart ({basis(one)})"
    if not near:
        return f"{head}, and none is near."
    return f"{head}; the nearest: {'; '.join(map(neighbour, near))}."


def neighbour(row: Neighbour) -> str:
    """A measured row: what it is of, and what was measured and projected."""
    about = row.subject
    devices = f"{about.devices:,.0f} x {about.chip}" if about.devices > 1 else about.chip
    kind = f"{about.model} on {devices}, {about.engine}, {about.batch:,.0f} at once, prompts of {about.length:,.0f}"
    rate = row.metric.endswith("_per_s")
    numbers = [f"{count(value)}/s" if rate else quantity(value, "time") for value in (row.measured, row.projection)]
    return f"{kind}: {numbers[0]} measured, {numbers[1]} projected ({row.id})"

"""How sure a projection is, in words: where measured results lie, or the nearest where that says too little."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from llmperf.answers.answer import Answer
from llmperf.evidence.bands import Band
from llmperf.evidence.confidence import Expected, error_bands, metric_of, neighbours
from llmperf.evidence.nearest import Neighbour
from llmperf.numeric import first
from llmperf.records import dataclass
from llmperf.words.labels import noun
from llmperf.words.quantities import count, percent, quantity

if TYPE_CHECKING:
    from llmperf.words.items import Item

REGIMES = {
    "single": "one device",
    "tp": "several devices",
    "moe": "experts",
    "offload": "data outside of the device",
}
"""Part of a class that says how a model runs, in words."""
NONE = "There are no measured results of this kind: no error band can be given."


@dataclass(frozen=True, slots=True)
class Sure:
    """What is known of one time.

    Attributes
    ----------
    metric, noun : str
        The time, and what it is called.
    ends, middle : str
        Where 8 of 10 measured results lie, and what half are below; of many configurations times the projection.
    basis : str
        The rows that this rests on.
    nearest : tuple of str
        Of a band that is too wide, the measured results nearest to the question.
    values : dict of str to object
        The numbers.
    """

    metric: str
    noun: str
    ends: str
    middle: str
    basis: str
    nearest: tuple[str, ...]
    values: dict[str, object]


def sure(result: Answer) -> list[Sure]:
    """What is known of each time that has an error band and a value."""
    out = []
    for phase, one in error_bands(result).items():
        metric = metric_of(result, phase)
        if metric is not None and np.isfinite(np.asarray(result.projection.of(metric))).any():
            near = neighbours(result, phase) if one.wide and not result.shape else []
            out.append(_sure(result, metric, one, near))
    return out


def _sure(result: Answer, metric: str, one: Expected, near: list[Neighbour]) -> Sure:
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
        low, middle, high = float(np.min(one.low)), float(np.median(one.middle)), float(np.max(one.high))
        ends, half = f"{low:.2g} to {high:.2g} x", f"{middle:.2g} x"
    else:
        time = first(result.projection.of(metric))
        low, middle, high = (time * first(end) for end in (one.low, one.middle, one.high))
        values |= {"low_s": low, "middle_s": middle, "high_s": high, "nearest": [row.id for row in near]}
        ends, half = f"{quantity(low, 'time')} to {quantity(high, 'time')}", quantity(middle, "time")
    return Sure(metric, noun(metric), ends, half, basis(one), tuple(map(neighbour, near)), values)


def items(result: Answer) -> Iterator[Item]:
    """The same in sentences."""
    from llmperf.words.items import Item

    known = sure(result)
    for one in known:
        if one.nearest:
            wide = f"{one.noun} {one.ends} for 8 of 10 measured ({one.basis}), which says little"
            yield Item("confidence", f"{wide}. The nearest: {one.nearest[0]}.", one.values)
        else:
            text = f"{one.noun} {one.ends} for 8 of 10 measured, half below {one.middle} ({one.basis})."
            yield Item("confidence", text, one.values)
    if not known:
        yield Item("confidence", NONE)


def basis(one: Expected) -> str:
    """What a band rests on: rows, of how many models and chips, of which class; and what widens it."""
    band = one.band
    parts = [f"{count(band.n)} rows, {count(band.groups)} models and chips: {described(band)}"]
    if one.elsewhere:
        parts.append("as of a chip left out")
    if one.calibration:
        parts.append(f"{percent(math.expm1(one.calibration))} by the chip's own fits")
    return "; ".join(parts)


def described(band: Band) -> str:
    """The class of a band in words: ``vllm, several devices, gpu-hbm``."""
    parts = band.name.split("/")[1:]
    return ", ".join(REGIMES.get(part, part) for part in reversed(parts)) or "all hardware"


def neighbour(row: Neighbour) -> str:
    """A measured row: what was measured and projected, and what it is of."""
    about = row.subject
    rate = row.metric.endswith("_per_s")
    measured, projected = (
        f"{count(value)}/s" if rate else quantity(value, "time") for value in (row.measured, row.projection)
    )
    devices = f"{about.devices:,.0f} x {about.chip}" if about.devices > 1 else about.chip
    kind = f"{about.model} on {devices}, {about.engine}, {about.batch:,.0f} at once, prompts of {about.length:,.0f}"
    return f"{measured} measured, {projected} projected: {kind} ({row.id})"

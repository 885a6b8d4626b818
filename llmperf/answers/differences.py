"""What differs between two configurations: the work of each part of a phase, the time it takes, and the memory.

Nothing here knows a format, a kernel or a technique: parts are the kinds of operators of either table (an operator that
only one of them has stands by itself) and what else a phase waits for; quantities are the columns of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, replace

import numpy as np

from llmperf.costs.pricing.priced import Priced
from llmperf.numeric import Array, first
from llmperf.outputs import CAPACITY, MEMORY_CLASSES, PHASES, Output
from llmperf.phases.answered import Evaluated
from llmperf.phases.phase import Phase
from llmperf.phases.serving.scheduled import alone
from llmperf.records import dataclass
from llmperf.resources import FLOPS, MATRIX, MEMORIES, OVERLAP, VECTOR, is_link, kind_of

COLUMNS = {
    "weights_read": ("weights_read", "B"),
    "kv_read": ("kept_read", "B"),
    "kv_written": ("kept_written", "B"),
    "kv_fetched": ("kv_away", "B"),
    "activations_moved": ("activation_bytes", "B"),
    "messages": ("message", "B"),
    "vector_flops": ("vector_flops", "FLOP"),
}
"""Quantity -> column of the operator table, and unit; matrix products are counted by dtype, as ``flops.bf16``."""


@dataclass(frozen=True, slots=True)
class Change:
    """A number before and after; ``unit`` is an SI unit, or 1."""

    name: str
    unit: str
    before: float
    after: float

    @property
    def relative(self) -> float:
        """Difference over the larger of both; 0 where both are 0. [1]"""
        larger = max(abs(self.before), abs(self.after))
        return abs(self.after - self.before) / larger if larger else 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a phase: what it moves and computes, and how long it waits for what. [B], [FLOP], [s]"""

    name: str
    kind: str
    work: Mapping[str, float]
    waits: Mapping[str, float]

    @property
    def time_s(self) -> float:
        """Projected time. [s]"""
        return sum(self.waits.values())

    @property
    def limit(self) -> str:
        """The resource that it waits for longest."""
        return max(self.waits, key=lambda name: self.waits[name], default="")

    @property
    def products(self) -> str:
        """The dtype of most of its matrix products; empty where it has none."""
        found = {name: amount for name, amount in self.work.items() if name.startswith(FLOPS)}
        return max(found, key=lambda name: found[name], default="").removeprefix(FLOPS)


@dataclass(frozen=True, slots=True)
class PartChange:
    """A part in both configurations; None where one does not have it."""

    name: str
    kind: str
    before: Part | None
    after: Part | None

    @property
    def time(self) -> Change:
        """Projected time. [s]"""
        return Change("time_s", "s", *(part.time_s if part else 0.0 for part in (self.before, self.after)))

    @property
    def effect_s(self) -> float:
        """How much longer the phase takes for it. [s]"""
        return self.time.after - self.time.before

    @property
    def work(self) -> list[Change]:
        """Every quantity that either of them has."""
        sides = [part.work if part else {} for part in (self.before, self.after)]
        return [Change(name, unit(name), *(side.get(name, 0.0) for side in sides)) for name in {**sides[0], **sides[1]}]


@dataclass(frozen=True, slots=True)
class Wait:
    """What a phase waits for longest: the part, the resource, the quantity that loads it most, and its share. [1]"""

    part: str
    kind: str
    resource: str
    quantity: str
    share: float


@dataclass(frozen=True, slots=True)
class PhaseChange:
    """One phase in both configurations.

    Attributes
    ----------
    name : str
        ``prefill`` or ``decode``.
    per : str
        What its numbers are of: ``batch`` (all prompts), ``step`` (one more token of all sequences); where batches
        differ, ``prompt`` and ``token``; of services ``prompt`` and ``step``.
    time : Change
    parts : tuple of PartChange
        The largest effect first.
    longest : tuple of two Wait
    """

    name: str
    per: str
    time: Change
    parts: tuple[PartChange, ...]
    longest: tuple[Wait, Wait]


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs between two configurations; memory is that of the fullest device."""

    workload: tuple[Change, ...]
    phases: tuple[PhaseChange, ...]
    memory: tuple[Change, ...]
    capacity: tuple[Change, ...]


def unit(quantity: str) -> str:
    """The unit of a quantity of `Part.work`."""
    return COLUMNS[quantity][1] if quantity in COLUMNS else "1" if quantity == "operators" else "FLOP"


def difference(before: Evaluated, after: Evaluated) -> Difference:
    """What differs between two evaluations of plain numbers.

    Of services, the batch is none that anybody asked for: it is the requests that run at a time. There, prefill is that
    of one prompt by itself, and decode a step of all, which each of them waits for.
    """
    before, after = both = _of_requests(before), _of_requests(after)
    served = any(map(_serves, both))
    works = [part.setup.scenario.workload for part in (before, after)]
    lengths = [
        Change(item.name, "1", *(float(getattr(work, item.name)) for work in works))
        for item in fields(works[0])
        if isinstance(getattr(works[0], item.name), int | float) and not (served and item.name == "batch")
    ]
    phases = [
        _phase(name, *_per(name, both), (before.phases[name], after.phases[name]))
        for name in before.phases
        if name in after.phases and np.all(before.phases[name].runs) and np.all(after.phases[name].runs)
    ]
    return Difference(
        tuple(change for change in lengths if change.before != change.after),
        tuple(phases),
        _footprints(before, after, MEMORY_CLASSES),
        _footprints(before, after, [output for output in CAPACITY if output.unit in ("B", "1")]),
    )


def _serves(part: Evaluated) -> bool:
    return part.setup.scenario.traffic is not None


def _of_requests(part: Evaluated) -> Evaluated:
    """The evaluation of a service with the prefill of one request; any other as it is."""
    if not _serves(part) or "prefill" not in part.phases:
        return part
    return replace(part, phases={**part.phases, "prefill": alone(part.setup.scenario).phases["prefill"]})


def _per(name: str, both: tuple[Evaluated, Evaluated]) -> tuple[str, tuple[float, float]]:
    """What the time of a phase is of, and how many of it each side has."""
    whole, one = PHASES[name].per
    sizes = tuple(1.0 if _serves(part) else float(part.setup.scenario.workload.batch) for part in both)
    if any(map(_serves, both)):
        return (one, (sizes[0], sizes[1])) if whole == "batch" else (whole, (1.0, 1.0))
    return (one, (sizes[0], sizes[1])) if sizes[0] != sizes[1] else (whole, (1.0, 1.0))


def _footprints(before: Evaluated, after: Evaluated, outputs: Iterable[Output]) -> tuple[Change, ...]:
    if not all("memory" in part.parts for part in (before, after)):
        return ()
    return tuple(
        Change(one.name, one.unit, *(first(part.parts["memory"].of(one.name)) for part in (before, after)))
        for one in outputs
    )


def _phase(name: str, per: str, sizes: tuple[float, float], both: tuple[Phase, Phase]) -> PhaseChange:
    before, after = (parts(phase, float(size)) for phase, size in zip(both, sizes, strict=True))
    changes = [PartChange(one, kind, *pair) for (one, kind), pair in _paired(before, after).items()]
    changes.sort(key=lambda change: -abs(change.effect_s))
    longest = _longest(before), _longest(after)
    times = (first(phase.projection) / size for phase, size in zip(both, sizes, strict=True))
    return PhaseChange(name, per, Change("time_s", "s", *times), tuple(changes), longest)


def _paired(before: list[Part], after: list[Part]) -> dict[tuple[str, str], tuple[Part | None, Part | None]]:
    """Parts of both sides by name and kind; operators of a kind come together where both sides have them."""
    names = [{part.name for part in side} for side in (before, after)]
    kinds = [{part.kind for part in side} for side in (before, after)]

    def key(part: Part) -> tuple[str, str]:
        alone = not all(part.name in side for side in names) and all(part.kind in side for side in kinds)
        return (part.name if alone else part.kind, part.kind)

    grouped = [_grouped(side, key) for side in (before, after)]
    return {one: (grouped[0].get(one), grouped[1].get(one)) for one in {**grouped[0], **grouped[1]}}


def _grouped(found: list[Part], key: Callable[[Part], tuple[str, str]]) -> dict[tuple[str, str], Part]:
    out: dict[tuple[str, str], Part] = {}
    for part in found:
        name = key(part)
        out[name] = _together(out[name], part) if name in out else Part(*name, part.work, part.waits)
    return out


def _together(a: Part, b: Part) -> Part:
    def added(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
        return {name: one.get(name, 0.0) + other.get(name, 0.0) for name in {**one, **other}}

    return Part(a.name, a.kind, added(a.work, b.work), added(a.waits, b.waits))


def parts(phase: Phase, size: float = 1.0) -> list[Part]:
    """A phase as a sum of parts on one device: its operators, and what it waits for beside them.

    Parameters
    ----------
    phase : Phase
        Of plain numbers.
    size : number
        Sequences that the numbers are divided by. [1]

    Returns
    -------
    list of Part
        Their times add up to the projection of the phase: parts of an operator that overlap are brought to the time
        that they make together.
    """
    scale = first(phase.steps) / size
    out = [part for priced in phase.costs.priced for part in _operators(priced, scale)]
    for resource, waited in phase.waits.items():
        inside = phase.costs.limits[resource].total if resource in phase.costs.limits else 0.0
        beside = first(waited) - first(inside)
        if beside > 1e-6 * first(waited):
            out.append(Part(resource, resource, {}, {resource: beside * scale}))
    whole = first(phase.projection) / size
    rest = whole - sum(part.time_s for part in out)
    if abs(rest) > 1e-6 * whole:
        out.append(Part(OVERLAP, OVERLAP, {}, {OVERLAP: rest}))
    return out


def _operators(priced: Priced, scale: float) -> Iterator[Part]:
    block = priced.block
    for row, name in enumerate(block.names):

        def at(column: Array, row: int = row) -> float:
            return float(column[row if column.shape[0] > 1 else 0, 0])

        runs = at(block.repeat) * scale
        if runs <= 0.0:
            continue
        work = {quantity: runs * at(block.column(column)) for quantity, (column, _) in COLUMNS.items()}
        if at(block.flops):
            work[FLOPS + block.dtypes[row]] = runs * at(block.flops)
        work["operators"] = runs
        limits = {resource: at(np.asarray(limit)) for resource, limit in priced.limits.items()}
        share = runs * at(priced.time) / (sum(limits.values()) or 1.0)
        waits = {resource: share * limit for resource, limit in limits.items() if limit}
        yield Part(name, block.kind, {quantity: value for quantity, value in work.items() if value}, waits)


def _longest(found: list[Part]) -> Wait:
    """The longest wait of a phase, parts of a kind together."""
    kinds = _grouped([part for part in found if part.name != OVERLAP], lambda part: (part.kind, part.kind)).values()
    whole = sum(part.time_s for part in kinds)
    part, resource = max(
        ((part, resource) for part in kinds for resource in part.waits), key=lambda pair: pair[0].waits[pair[1]]
    )
    busy = load(part, resource)
    return Wait(part.name, part.kind, resource, busy[0] if busy else "", part.waits[resource] / whole)


def load(part: Part, resource: str) -> list[str]:
    """The quantities of a part that a resource is busy with, the largest first; those of less than a tenth left out."""
    if kind_of(resource) == MEMORIES:
        wanted = [quantity for quantity in COLUMNS if unit(quantity) == "B" and quantity != "messages"]
    elif resource == MATRIX:
        wanted = [name for name in part.work if name.startswith(FLOPS)]
    else:
        wanted = ["vector_flops"] if resource == VECTOR else []
        wanted += ["messages"] if is_link(resource) else []
    amounts = {quantity: part.work[quantity] for quantity in wanted if part.work.get(quantity)}
    least = sum(amounts.values()) / 10
    return sorted((name for name in amounts if amounts[name] >= least), key=lambda name: -amounts[name])

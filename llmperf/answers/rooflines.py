"""Rooflines as numbers: the ceilings of a device, where they meet, and the operators of a scenario below them.

The terminal, the HTML page, notebooks and ``llmperf roofline --json`` read the same objects.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from llmperf.answers.answer import Answer, answer
from llmperf.answers.breakdown import Operator, operators
from llmperf.costs.machine import Machine
from llmperf.descriptors.hardware import BEHIND, Hardware, Link
from llmperf.errors import InputError, Problem
from llmperf.operators.kinds import KINDS, kind
from llmperf.operators.tensors import READ_ONLY
from llmperf.phases.answered import Evaluated
from llmperf.phases.memory import sharers
from llmperf.phases.placement import bandwidths, transfers
from llmperf.resources import CACHE, LINK, MEMORY, SCALE_OUT, SCALE_UP
from llmperf.scenarios.components import built, frozen
from llmperf.scenarios.names import changed, distinct
from llmperf.scenarios.resolve import resolve, written

STEP = "whole step"
"""Name of the point that stands for all operators of a step together."""


@dataclass(frozen=True, slots=True)
class Peak:
    """A horizontal ceiling: the dense peak of an engine in one or more dtypes.

    Attributes
    ----------
    engine, kind : str
        Name of the engine in the hardware's file; ``matrix`` or ``vector``.
    dtypes : tuple of str
        Dtypes that have this peak.
    flops_per_s : float
        On one device. [FLOP/s]
    used : bool
        Whether operators of the scenario compute so; True without a scenario.
    """

    engine: str
    kind: str
    dtypes: tuple[str, ...]
    flops_per_s: float
    used: bool

    @property
    def label(self) -> str:
        """Its dtypes, with the engine where that is no matrix engine: ``bf16, fp16``, ``vector fp32``."""
        return ("" if self.kind == "matrix" else f"{self.engine} ") + ", ".join(self.dtypes)


@dataclass(frozen=True, slots=True)
class Feed:
    """A diagonal ceiling: what a memory or a link delivers to one device.

    Attributes
    ----------
    name : str
        The tier or link in the hardware's file.
    resource : str
        A key of `llmperf.resources.RESOURCES`.
    bytes_per_s : float
        Links: one direction. Memories behind the device: this device's share, through its link. [B/s]
    """

    name: str
    resource: str
    bytes_per_s: float


@dataclass(frozen=True, slots=True)
class Point:
    """An operator, or a whole step, below the ceilings; of one device.

    Attributes
    ----------
    name, phase, engine, dtype : str
        The operator (`STEP`: all of them), ``prefill`` or ``decode``, and what it computes on and in.
    resource : str
        The memory or link whose bytes the intensity counts: a key of `llmperf.resources.RESOURCES`. Of an operator
        whose operands the cache still holds, the cache.
    intensity : float
        Operations for each byte. [FLOP/B]
    flops_per_s, roofline_flops_per_s : float
        Rate in the projected time, and in the time at the peaks; of a cache whose bandwidth is not known, the projected
        one. [FLOP/s]
    time_s, share : float
        Projected time of all its runs in a step, and its part of the step's device time. [s], [1]
    limited_by : str
        What it waits for most.
    """

    name: str
    phase: str
    engine: str
    dtype: str
    resource: str
    intensity: float
    flops_per_s: float
    roofline_flops_per_s: float
    time_s: float
    share: float
    limited_by: str

    @property
    def of_roof(self) -> str:
        """Part of its roofline that it reaches, as a percentage; ``cached`` where only the cache could tell."""
        share = self.flops_per_s / self.roofline_flops_per_s
        return "cached" if self.resource == CACHE and share == 1.0 else f"{share:.0%}"


@dataclass(frozen=True, slots=True)
class Roofline:
    """The ceilings of one device, the highest peak and the fastest memory first, and what runs below them."""

    label: str
    hardware: str
    peaks: tuple[Peak, ...]
    feeds: tuple[Feed, ...]
    points: tuple[Point, ...] = ()

    @property
    def drawn(self) -> tuple[Peak, ...]:
        """The peaks that a picture shows: those that are used."""
        return tuple(peak for peak in self.peaks if peak.used)

    def feed(self, resource: str) -> Feed | None:
        """The memory or link of a resource; None where the device has none."""
        return next((feed for feed in self.feeds if feed.resource == resource), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain data: ceilings, ridge points and operators in SI units."""
        ridges = [
            {
                "dtypes": list(peak.dtypes),
                "engine": peak.engine,
                "feed": feed.name,
                "flops_per_byte": peak.flops_per_s / feed.bytes_per_s,
            }
            for peak in self.peaks
            for feed in self.feeds
        ]
        return {
            "label": self.label,
            "hardware": self.hardware,
            "compute": [asdict(peak) for peak in self.peaks],
            "feeds": [asdict(feed) for feed in self.feeds],
            "ridge_points": ridges,
            "operators": [asdict(point) for point in self.points],
        }


def rooflines(
    base: Mapping[str, Any] | str | Path | None,
    *variants: Mapping[str, Any],
    catalog: tuple[str, ...] = (),
    phases: tuple[str, ...] | None = None,
    **overrides: Any,
) -> list[Roofline]:
    """The roofline of a scenario, or of hardware alone, and of what it would be with other keys.

    Parameters
    ----------
    base : mapping, str, Path or None
        A scenario as data, or the name or file of one.
    *variants : mapping
        Keys that differ in each further roofline, as in `llmperf.compare`.
    catalog : tuple of str
        Directories whose descriptors go before the packaged ones.
    phases : tuple of str, optional
        Whose operators are shown; without, of all that the answer has.
    **overrides
        Keys on top, as in `llmperf.estimate`; numbers only, no arrays. Without a model, ``hardware`` alone.

    Raises
    ------
    InputError
        If a scenario is wrong, or holds arrays.
    """
    found = [_one(base, {**overrides, **keys}, catalog, phases) for keys in ({}, *variants)]
    labels = distinct([one.label if not index else _named(found, index, variants) for index, one in enumerate(found)])
    return [replace(one, label=label) for one, label in zip(found, labels, strict=True)]


def _named(found: list[Roofline], index: int, variants: tuple[Mapping[str, Any], ...]) -> str:
    """A variant's label: its hardware where that is all that changes, else what changes."""
    keys = variants[index - 1]
    return found[index].label if set(keys) == {"hardware"} else changed(keys)


def _one(
    base: Mapping[str, Any] | str | Path | None,
    keys: Mapping[str, Any],
    catalog: tuple[str, ...],
    phases: tuple[str, ...] | None,
) -> Roofline:
    data, _ = written(base, keys, catalog)
    if set(data) == {"hardware"}:
        hardware = built("hardware", frozen(data["hardware"], "hardware"), catalog)[0]
        return of_hardware(hardware)
    return of_estimate(answer(resolve(base, keys, catalog)), phases)


def of_hardware(hardware: Hardware) -> Roofline:
    """The ceilings of one device of a chip or system, without anything that runs on it."""
    feeds = _feeds(hardware, lambda tier: hardware.tiers[tier].sharers or hardware.devices or 1.0)
    return Roofline(hardware.name, hardware.name, _peaks(hardware), feeds)


def of_estimate(result: Answer, phases: tuple[str, ...] | None = None) -> Roofline:
    """The ceilings of one device, and the operators of a scenario's steps below them.

    Raises
    ------
    InputError
        If the result holds arrays: a roofline shows one configuration. If it has none of `phases`.
    """
    if result.shape:
        raise InputError(Problem("a roofline shows one configuration, not arrays"))
    scenario, part = result.scenario, result.evaluated[0]
    has = tuple(phase for phase, limit in result.bottleneck.items() if limit is not None)
    shown = [phase for phase in (has if phases is None else phases) if phase in has]
    if not shown and phases is not None:
        text = f"{' and '.join(phases)} is no phase of this result, which generates no second token"
        raise InputError(Problem(text, "phase", allowed=has))
    feeds = _feeds(
        scenario.hardware,
        lambda tier: sharers(scenario, scenario.hardware.tiers[tier]),
        {link.kind for link in _links(part).values()},
    )
    points = [point for phase in shown for point in _points(part, phase, feeds)]
    peaks = _peaks(scenario.hardware, {(point.engine, point.dtype) for point in points})
    label = f"{scenario.model.name} {scenario.weights.name} on {scenario.hardware.name}"
    return Roofline(label, scenario.hardware.name, peaks, feeds, tuple(points))


def _peaks(hardware: Hardware, used: set[tuple[str, str]] | None = None) -> tuple[Peak, ...]:
    """Peaks of every engine, equal ones of an engine together; all are used where it is not said which."""
    found = []
    for name, engine in hardware.engines.items():
        by_rate: dict[float, list[str]] = {}
        for dtype, rate in engine.peaks.items():
            by_rate.setdefault(float(np.max(rate)), []).append(dtype)
        for rate, dtypes in by_rate.items():
            serves = used is None or any((name, dtype) in used for dtype in dtypes)
            found.append(Peak(name, engine.kind, tuple(dtypes), rate, serves))
    return tuple(sorted(found, key=lambda peak: -peak.flops_per_s))


def _feeds(hardware: Hardware, sharers: Any, used: Collection[str] = ()) -> tuple[Feed, ...]:
    """Memories and links that feed one device; a link to a memory behind it alone, unless its kind is `used`."""
    found, behind_links = [], set()
    for name, tier in hardware.tiers.items():
        if tier.kind in BEHIND:
            rates = [] if tier.bandwidth is None else [tier.bandwidth / sharers(name)]
            if tier.via is not None:
                rates.append(hardware.links[tier.via].bandwidth)
                behind_links.add(tier.via)
            label = f"{name} via {tier.via}" if tier.via else name
            found.append(Feed(label, MEMORY[tier.kind], float(min(rates))))
        elif tier.bandwidth is not None:
            found.append(Feed(name, MEMORY.get(tier.kind, CACHE), float(tier.bandwidth)))
    found += [
        Feed(name, LINK[link.kind], float(link.bandwidth))
        for name, link in hardware.links.items()
        if name not in behind_links or link.kind in used
    ]
    return tuple(sorted(found, key=lambda feed: -feed.bytes_per_s))


def _points(part: Evaluated, phase: str, feeds: tuple[Feed, ...]) -> Iterator[Point]:
    """The operators of a step that compute something, the slowest first, and the step as a whole."""
    machine = part.setup.machine
    rows = operators(part.phases[phase])
    for row in rows:
        work = row.flops or row.vector_flops
        moved = _moved(part, row)
        if work and moved and row.roofline_s:
            yield Point(
                row.name,
                phase,
                *_computes(machine, row),
                _feeding(machine, row),
                work / moved,
                work / row.time_s,
                work / _ideal(machine, row, moved),
                row.total_s,
                row.share,
                row.limited_by,
            )
    yield from _steps(part, phase, rows, feeds)


def _feeding(machine: Machine, row: Operator) -> str:
    """The memory that an operator's operands come from."""
    return CACHE if row.from_cache else machine.runs(row.kind).memory


def _ideal(machine: Machine, row: Operator, moved: float) -> float:
    """Time of an operator at the peaks; from the cache, that of its bandwidth where that is known. [s]"""
    cache = machine.hardware.cache
    if not row.from_cache or cache is None or cache.bandwidth is None:
        return row.roofline_s
    compute = 0.0 if machine.vector_peak is None else row.vector_flops / float(np.max(machine.vector_peak))
    return min(max(moved / float(np.max(cache.bandwidth)), compute), row.time_s)


def _peak(machine: Machine, row: Operator) -> float:
    """Peak of what an operator computes on and in. [FLOP/s]"""
    engine, dtype = _computes(machine, row)
    peaks: Mapping[Any, Any] = machine.hardware.engines[engine].peaks
    return float(np.max(peaks[dtype]))


def _moved(part: Evaluated, row: Operator) -> float:
    """Bytes of one run that its roofline counts: none from tiers behind the device; of experts weights alone."""
    residence = part.placed.residence
    if residence.whole or row.kind not in KINDS:  # a collective goes by what it does
        kept = row.weight_bytes + row.kv_bytes
    else:
        memory = part.setup.machine.runs(row.kind).memory
        here = {move.tensor: float(np.min(residence.here(move.tensor, memory))) for move in kind(row.kind).moves}
        weights = min((here[tensor] for tensor in here if tensor in READ_ONLY), default=1.0)
        others = min((here[tensor] for tensor in here if tensor not in READ_ONLY), default=1.0)
        kept = row.weight_bytes * weights + row.kv_bytes * others
    return kept if row.kind == "moe" else kept + row.activation_bytes  # what experts work on may stay on chip


def _computes(machine: Machine, row: Operator) -> tuple[str, str]:
    """What an operator computes on and in; norms and activations in the usual dtype of the vector engine."""
    if row.flops:
        return machine.runs(row.kind).engine, row.dtype
    for name, engine in machine.hardware.engines.items():
        if engine.kind == "vector" and engine.peaks:
            return name, "fp32" if "fp32" in engine.peaks else next(iter(engine.peaks))
    return machine.runs(row.kind).engine, row.dtype


def _steps(part: Evaluated, phase: str, rows: list[Operator], feeds: tuple[Feed, ...]) -> Iterator[Point]:
    """The step as a whole, against each memory and link that it moves bytes through."""
    costs, scenario = part.phases[phase].costs, part.setup.scenario
    waits = {name: float(np.max(value)) for name, value in part.phases[phase].waits.items()}
    machine, work = part.setup.machine, sum(row.repeat * row.flops for row in rows)
    if not work:
        return  # what computes nothing stands below no peak
    time, ideal = sum(waits.values()), sum(row.repeat * row.roofline_s for row in rows)
    moved: dict[str, float] = {}

    def add(resource: str, size: float) -> None:
        moved[resource] = moved.get(resource, 0.0) + size

    for row in rows:
        size = _moved(part, row)
        if size and not row.from_cache:
            add(_feeding(machine, row), row.repeat * size)
    for name, link in _links(part).items():
        if name in costs.demands:
            add(LINK[link.kind], float(np.max(costs.demands[name].total)) * float(np.max(link.bandwidth)))
    sent = transfers(scenario, part.placed, costs)
    for share in part.placed.shares:
        for name, rate in bandwidths(scenario.hardware, share, sharers(scenario, share.tier)).items():
            seconds = sum(float(np.max(way[name].total)) for way in (sent.shared, sent.own) if name in way)
            moved[MEMORY[share.tier.kind]] = seconds * float(np.max(rate))
    limit = max(waits, key=lambda name: waits[name])
    on, within = _computes(machine, max((row for row in rows if row.flops), key=lambda row: _peak(machine, row)))
    rates = {feed.resource: feed.bytes_per_s for feed in reversed(feeds)}
    for name, size in moved.items():
        if size > 0.0:
            fastest = max(ideal, size / rates[name])
            yield Point(STEP, phase, on, within, name, work / size, work / time, work / fastest, time, 1.0, limit)


def _links(part: Evaluated) -> dict[str, Link]:
    """Resource that collectives wait for -> the link that it is on this machine, which may be the one to the host."""
    links = {SCALE_UP: part.setup.machine.scale_up, SCALE_OUT: part.setup.machine.scale_out}
    alone = bool(np.all(part.setup.scenario.parallelism.devices == 1))
    return {} if alone else {name: link for name, link in links.items() if link is not None}

"""Calibration: constants of a chip, or of a class of chips, from measured kernels."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain, combinations, groupby
from typing import Any, get_type_hints

import numpy as np

from llmperf.costs.collectives import at
from llmperf.costs.machine import Machine, pick
from llmperf.descriptors.achieved import COLLECTIVES, CONSTANTS, Achieved, CacheAchieved
from llmperf.descriptors.fields import TIME
from llmperf.evidence.fit import FEWEST, ROWS_PER_CONSTANT, START, Fit, NoFitError, robust
from llmperf.evidence.kernels.base import Kernels, chip, stack
from llmperf.evidence.kernels.formats import predictor
from llmperf.evidence.rows import EXPLAINED
from llmperf.numeric import Array

EARLIER = {"vidur", "apex_plus", "vtrain_nccl_tests", "llmcompass"}
"""Software of 2023 and before: measured, but no part of pooled fits where newer measurements exist."""
CACHE_SHARES = (0.1, 0.2, 0.35, 0.6, 1.0)
CACHE_SPEEDUPS = (1.5, 2.0, 2.7, 3.5)
"""Grid on which the cache's constants are searched; they act on all fits of a chip."""
REPEATED_SHARES = (0.6, 1.1)
REPEATED_SPEEDUPS = (1.5, 2.0, 3.0, 4.5)
"""The same for KV caches that repeated runs find again: in one half of a cache of two halves, each with a copy of its
own, or in all of it."""
LEAST_GAIN = 0.002
"""Held-out error that a cache must save to be believed. [1]"""
REPEATED_ROWS = 40
"""Rows of an implementation, of one head dimension, that the search for it needs."""
POINT_LEAST = ROWS_PER_CONSTANT * FEWEST
"""Rows that the fit of one number of ranks needs; where none has as many, one fit serves all."""
POINT_ROWS = 15
"""Rows that a collective needs for a protocol time beside latency and bandwidth."""
APART = 0.95
"""Share of one fit's error on rows held out that fits of its variants must stay below to be believed. [1]"""
LAUNCHED = "_eager"
"""How the name of an implementation ends whose times hold the host's launch."""
HELD_LAUNCH = "latency is that of bf16: the errors are of times that held the host's launch"
QUANTIZING = ("quantize_memory", "quantize_latency", "quantize_row")


@dataclass(slots=True)
class Calibration:
    """The fits of a chip or class.

    Attributes
    ----------
    fits : dict of str to dict of str to Fit
        By section and selector; of collectives by ``selector@ranks``.
    cache, repeated : CacheAchieved or None
    refused : list of (section.selector, why)
        What could not be fitted.
    sources : Counter
        Rows that a fit rests on, by source.
    """

    fits: dict[str, dict[str, Fit]] = field(default_factory=dict)
    cache: CacheAchieved | None = None
    repeated: CacheAchieved | None = None
    refused: list[tuple[str, str]] = field(default_factory=list)
    sources: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """Rows of all measurements."""
        return sum(self.sources.values())


@dataclass(frozen=True, slots=True)
class _Job:
    """One fit: the kernels that it rests on."""

    section: str
    selector: str
    parts: tuple[Kernels, ...]

    @property
    def pooled(self) -> str:
        """Selector of the fit of all implementations."""
        ranks = self.selector.partition("@")
        return plain(self.parts[0].scheme) + ranks[1] + ranks[2]

    @property
    def quantizes(self) -> bool:
        """Whether all of these products were measured together with the pass that quantizes their inputs."""
        return self.section == "gemm" and all(part.arguments["quantized"].all() for part in self.parts)

    @property
    def launched(self) -> bool:
        """Whether these are products that were only timed together with their launch by the host."""
        return self.section == "gemm" and all(part.kernel.endswith(LAUNCHED) for part in self.parts)


def calibrate(
    kernels: Sequence[Kernels],
    base: Achieved,
    *,
    implementations: bool = True,
    samples: int = 20,
    progress: Callable[[int, int], None] | None = None,
) -> Calibration:
    """Fit all constants that the kernels of one chip, or of several of a class, determine.

    Parameters
    ----------
    kernels : sequence of Kernels
        Of one device, or of all devices of a class, each of which weighs the same.
    base : Achieved
        Constants of the class, which stand where too few rows determine them.
    implementations : bool
        Whether each implementation gets constants of its own beside the pooled ones.
    samples : int
        Bootstrap samples for the intervals of the constants.
    progress : callable, optional
        Called with the fits done and in all.
    """
    out = Calibration()
    devices = {part.device for part in kernels}
    repeated = {device: _repeated([part for part in kernels if part.device == device], base) for device in devices}
    if len(devices) == 1:
        out.cache, out.repeated = _cache(kernels, base), *repeated.values()
    machines = {device: _machine(device, out.cache, repeated[device]) for device in devices}
    jobs = list(_jobs(kernels, implementations))
    used: dict[tuple[str, str, str], str] = {}
    for done, job in enumerate(jobs):
        if progress:
            progress(done, len(jobs))
        try:
            known = out.fits.setdefault(job.section, {})
            pooled = known.get(job.pooled)
            start = pooled.constants if pooled else _start(job, base)
            if job.quantizes and "bf16" in known:  # fixed times of the two are told apart by those of plain products
                start = replace(start, latency=known["bf16"].constants.latency)
            found = _fits(job, machines, start, samples)
            if job.launched and job.selector == job.pooled and "bf16" in known:
                found = {name: _captured(fit, known["bf16"]) for name, fit in found.items()}
            known.update(found)
            for part in job.parts:
                used |= {(job.section, part.device, row): one for row, one in zip(part.ids, part.sources, strict=True)}
        except NoFitError as error:
            out.refused.append((f"{job.section}.{job.selector}", str(error)))
    if progress:
        progress(len(jobs), len(jobs))
    out.sources.update(used.values())
    return out


def _captured(fit: Fit, usual: Fit) -> Fit:
    """The constants of launched products inside a captured step: rates as fitted, the fixed time of a bf16 product.

    An engine counts its launches itself, and a launch cannot be told from the kernel's own fixed time.
    """
    names = tuple(name for name in fit.names if name != "latency")
    low, high = ({name: value for name, value in ends.items() if name != "latency"} for ends in (fit.low, fit.high))
    constants = replace(fit.constants, latency=usual.constants.latency)
    return replace(fit, constants=constants, names=names, low=low, high=high, note=HELD_LAUNCH)


def plain(selector: str) -> str:
    """A selector without the variant of its scheme."""
    return re.sub(r"\+[a-z]+", "", selector)


def _fits(job: _Job, machines: dict[str, Machine], start: Any, samples: int) -> dict[str, Fit]:
    """The fit of a job, and fits of variants that the rows held out say are other kernels.

    Each variant is fitted apart or with all others, whatever leaves the smallest error on rows held out; fits apart
    must leave less than `APART` of that of one fit.
    """
    variants = sorted({_variant(part) for part in job.parts} - {""})
    whole = _fit(job, machines, start, 0 if variants else samples)
    if not variants:
        return {job.selector: whole}
    own = {name: _Job(job.section, job.selector.replace("/", f"+{name}/", 1), _of(job, (name,))) for name in variants}
    begin = {name: replace(whole.constants, share=1.0) if name == "wide" else whole.constants for name in variants}
    alone = {name: _try(own[name], machines, begin[name], 0) for name in variants}
    least, rest = APART * whole.mean * whole.rows, job
    apart: tuple[str, ...] = ()
    for names in chain.from_iterable(combinations(variants, count + 1) for count in range(len(variants))):
        others = replace(job, parts=_of(job, {*variants, ""}.difference(names)))
        fits = [*(alone[name] for name in names), *([_try(others, machines, start, 0)] if others.parts else [])]
        known = [fit for fit in fits if fit]
        if len(known) == len(fits) and (error := sum(fit.mean * fit.rows for fit in known)) < least:
            least, rest, apart = error, others, names
    found = {job.selector: _fit(rest, machines, start, samples) if rest.parts else whole}
    return found | {own[name].selector: _fit(own[name], machines, begin[name], samples) for name in apart}


def _variant(part: Kernels) -> str:
    """The variant of a scheme (`llmperf.descriptors.achieved.variant`); empty: none."""
    return part.scheme.partition("/")[0].partition("+")[2]


def _of(job: _Job, variants: Container[str]) -> tuple[Kernels, ...]:
    """A job's kernels of some variants."""
    return tuple(part for part in job.parts if _variant(part) in variants)


def _try(job: _Job, machines: dict[str, Machine], start: Any, samples: int) -> Fit | None:
    """The fit of a job; None where its rows are too few."""
    with suppress(NoFitError):
        return _fit(job, machines, start, samples)
    return None


def _machine(device: str, cache: CacheAchieved | None = None, repeated: CacheAchieved | None = None) -> Machine:
    hardware = chip(device)
    return Machine(replace(hardware, achieved=replace(hardware.achieved, cache=cache, repeated=repeated)))


def _jobs(kernels: Sequence[Kernels], implementations: bool) -> Iterator[_Job]:
    streams = tuple(part for part in kernels if part.section == "elementwise" and part.scheme == "quantize")
    if streams:  # of the operators of current software these alone were measured; norms stream rows as they do
        yield _Job("elementwise", "default", streams)
    groups: dict[tuple[str, str], list[Kernels]] = {}
    for part in kernels:
        groups.setdefault((part.section, plain(part.scheme)), []).append(part)
    for (section, scheme), parts in sorted(groups.items(), key=lambda item: item[0]):
        sound = [part for part in parts if not part.note.startswith(EXPLAINED)] or parts
        usual = [part for part in sound if not part.kernel.endswith(LAUNCHED)] or sound
        newer = [part for part in usual if stack(part.sources[0]) not in EARLIER] or usual
        if section in COLLECTIVES:
            newer = [part for part in newer if part.kernel == "nccl"] or newer
        stale = section == "elementwise" and stack(newer[0].sources[0]) in EARLIER
        if not stale:
            yield from _points(_Job(section, scheme, tuple(newer)))
        launched = section == "gemm" and all(part.kernel.endswith(LAUNCHED) for part in parts)
        several = len({part.kernel for part in parts}) > 1
        if implementations and (stale or launched or section.startswith("attention") or several):
            for kernel in sorted({part.kernel for part in parts}):
                own = tuple(part for part in parts if part.kernel == kernel)
                yield from _points(_Job(section, plain(own[0].selectors[1]), own))


def _points(job: _Job) -> Iterator[_Job]:
    """A job, or of collectives one for each number of ranks."""
    if job.section not in COLLECTIVES:
        yield job
        return
    if not any(count >= POINT_LEAST for count in Counter(_ranks(job)).values()):
        yield replace(job, selector=f"{job.selector}@{min(_ranks(job)):.0f}")  # one for all: wires tell them apart
        return
    for ranks in sorted(set(_ranks(job))):
        chosen = [part.take(part.arguments["ranks"] == ranks) for part in job.parts]
        chosen = [part for part in chosen if len(part)]
        yield _Job(job.section, f"{job.selector}@{ranks:.0f}", tuple(chosen))


def _ranks(job: _Job) -> list[float]:
    """Ranks of every row of a job. [1]"""
    return [float(ranks) for part in job.parts for ranks in part.arguments["ranks"]]


def _fit(job: _Job, machines: dict[str, Machine], start: Any, samples: int) -> Fit:
    measured = np.concatenate([part.measured for part in job.parts])
    devices = Counter(part.device for part in job.parts)
    weights = np.concatenate([np.full(len(part), 1.0 / len(part) / devices[part.device]) for part in job.parts])
    runs = groupby(job.parts, key=lambda part: part.device)
    forms = [predictor(list(parts), machines[device]) for device, parts in runs]

    def predicted(constants: Any) -> Array:
        return np.concatenate([form(constants) for form in forms])

    constants = _constants(job)
    return robust(job.section, predicted, measured, weights, start, constants, samples=samples)


def _start(job: _Job, base: Achieved) -> Any:
    """The class's constants of what a job fits."""
    part = job.parts[0]
    found = pick(getattr(base, job.section), part.scheme, (part.kernel,))
    if job.section not in COLLECTIVES:
        return found
    point = at(found, part.arguments["ranks"][:1].mean())
    return replace(point, root=0.0) if "tokens" in part.arguments else point


def _constants(job: _Job) -> list[str]:
    """Constants that the rows of a job can determine."""
    names = list(START[job.section])
    if job.section == "gemm" and not any(part.arguments["quantized"].any() for part in job.parts):
        names = [name for name in names if name not in QUANTIZING]
    if job.quantizes:
        names.remove("latency")
    if job.section in COLLECTIVES:
        rows, arguments = sum(len(part) for part in job.parts), job.parts[0].arguments
        names = ["bandwidth", "launch", "latency"] if "launched" in arguments else ["bandwidth", "latency"]
        if "tokens" in arguments:
            names += ["token", "expert"]
        elif rows >= POINT_ROWS:
            names += ["root"]
    return names


def _cache(kernels: Sequence[Kernels], base: Achieved) -> CacheAchieved | None:
    """The cache's constants, from 16-bit products, whose operands are read again and again by benchmarks."""
    parts = tuple(part for part in kernels if part.section == "gemm" and part.scheme == "bf16")
    newer = tuple(part for part in parts if stack(part.sources[0]) not in EARLIER) or parts
    job = _Job("gemm", "bf16", newer)

    def error(trial: CacheAchieved | None) -> float:
        device = newer[0].device
        return _fit(job, {device: _machine(device, trial)}, _start(job, base), 0).median

    return _searched(newer, error, CACHE_SHARES, CACHE_SPEEDUPS)


def _repeated(kernels: Sequence[Kernels], base: Achieved) -> CacheAchieved | None:
    """What repeated decode attention finds in the cache, from the implementations with a 16-bit KV cache."""
    groups: dict[str, list[Kernels]] = {}
    for part in kernels:
        if part.section == "attention_decode" and part.scheme.startswith(("bf16/", "bf16+mha/")):
            groups.setdefault(plain(part.selectors[1]), []).append(part)
    jobs = [
        _Job("attention_decode", name, tuple(parts))
        for name, parts in sorted(groups.items())
        if sum(map(len, parts)) >= REPEATED_ROWS
    ]

    def error(trial: CacheAchieved | None) -> float:
        device = jobs[0].parts[0].device
        fits = [_fit(job, {device: _machine(device, None, trial)}, _start(job, base), 0) for job in jobs]
        return sum(fit.mean * fit.rows for fit in fits) / sum(fit.rows for fit in fits)

    return _searched([part for job in jobs for part in job.parts], error, REPEATED_SHARES, REPEATED_SPEEDUPS)


def _searched(
    parts: Sequence[Kernels],
    error: Callable[[CacheAchieved | None], float],
    shares: Sequence[float],
    speedups: Sequence[float],
) -> CacheAchieved | None:
    """The constants of a cache under which fits err least on rows held out; None where they save no `LEAST_GAIN`."""
    cache = chip(parts[0].device).cache if parts else None
    if cache is None or cache.capacity is None:
        return None
    trials = [CacheAchieved(share, speedup) for share in shares for speedup in speedups]
    try:
        errors = [error(trial) for trial in trials]
        known = error(None)
    except NoFitError:
        return None
    return trials[int(np.argmin(errors))] if min(errors) < known - LEAST_GAIN else None


def document(calibration: Calibration, name: str, base: str, today: datetime.date | None = None) -> dict[str, Any]:
    """The calibration as a file of ``hardware/achieved``: constants on top of those of a class.

    Parameters
    ----------
    calibration : Calibration
    name, base : str
        Name of the entry, and the class whose constants stand where nothing was fitted.
    today : date, optional
        Date that is written; today by default.

    Raises
    ------
    NoFitError
        If nothing was fitted.
    """
    if not any(calibration.fits.values()):
        raise NoFitError("no fit had enough rows: nothing is written")
    out: dict[str, Any] = {"extends": base, "name": name, "basis": "calibrated"}
    fitted: dict[str, str] = {}
    for name, cache in (("cache", calibration.cache), ("repeated", calibration.repeated)):
        if cache is not None:
            out[name] = {"share": cache.share, "speedup": cache.speedup}
    for section, fits in ((section, fits) for section, fits in calibration.fits.items() if fits):
        entries: dict[str, Any] = {}
        for selector, fit in fits.items():
            place, _, ranks = selector.partition("@")
            values = {key: written(key, value) for key, value in _values(section, fit).items()}
            if ranks:
                entries.setdefault(place, {})[ranks] = values
            else:
                entries[place] = values
            fitted[f"{section}.{selector}"] = _said(fit)
        out[section] = entries
    out["fitted"] = fitted
    day = today or datetime.date.today()
    top = ", ".join(f"{source} ({count})" for source, count in calibration.sources.most_common(6))
    more = len(calibration.sources) - 6
    out["sources"] = {
        "calibration": f"llmperf calibrate, {day.isoformat()}, {calibration.rows} kernel times: {top}"
        + (f" and {more} more sources" if more > 0 else "")
    }
    return out


def _values(section: str, fit: Fit) -> dict[str, float]:
    extra = {"share": 1.0} if getattr(fit.constants, "share", 0.0) == 1.0 else {}
    known = {name: getattr(fit.constants, name) for name in START[section]}
    if section in COLLECTIVES:  # most of them have no use for the constants of exchanges and of launches
        known = {name: value for name, value in known.items() if value != 0.0 or name in fit.names}
    return known | extra


TIMES = {
    name
    for constants in CONSTANTS.values()
    for name, hint in get_type_hints(constants, include_extras=True).items()
    if TIME in getattr(hint, "__metadata__", ())
}
"""Constants that are times."""


def written(name: str, value: float) -> float | str:
    """A constant as a file states it: three digits, times with their unit."""
    if name not in TIMES:
        return float(f"{value:.3g}")
    scale, unit = (1e6, "us") if value >= 1e-7 else (1e9, "ns")
    return f"{value * scale:.3g} {unit}"


def _said(fit: Fit) -> str:
    ranges = ", ".join(
        f"{name} {written(name, low)} to {written(name, fit.high[name])}" for name, low in fit.low.items()
    )
    errors = f"{fit.rows} rows; held out: median {fit.median:.1%}, p90 {fit.p90:.1%}, bias {fit.bias:+.1%}"
    return "; ".join(filter(None, (errors, f"90 % intervals: {ranges}" if ranges else "", fit.note)))

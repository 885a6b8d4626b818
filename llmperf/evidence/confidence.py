"""How far to trust a projection: the error band of its class, and why it may lie outside of the evidence."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from llmperf.answers.questions import QUESTIONS
from llmperf.costs.machine import pick
from llmperf.costs.pricing.priced import Priced
from llmperf.descriptors.achieved import SCHEMES
from llmperf.descriptors.hardware import Hardware
from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError, Problem
from llmperf.evidence import bands
from llmperf.evidence.bands import Band
from llmperf.evidence.classes import chip_of, name_of, subject
from llmperf.evidence.nearest import Neighbour, nearest
from llmperf.numeric import first
from llmperf.operators.kinds import kind
from llmperf.outputs import Output
from llmperf.records import dataclass

if TYPE_CHECKING:
    from llmperf.answers.answer import Answer

METRICS = {"prefill": "ttft_s", "ttft": "ttft_mean_s", "decode": "tpot_s", "e2e": "e2e_s"}
"""Phase of a band -> the projected time that it belongs to."""
PHASE_OF = {"ttft": "ttft", "tpot": "decode", "itl": "decode", "e2e": "e2e"}
"""Time of a request of a service -> phase of the band that it has."""
LONGEST = 131_072
"""Longest context of the kernel measurements that ship. [1]"""
KERNELS = {"prefill": ("gemm", "attention_prefill"), "decode": ("gemm", "attention_decode")}
"""Sections of the constants that a phase takes most of its time by; of others all of these."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Where measured results lie beside a projection.

    Attributes
    ----------
    band : Band
        Of its class, or of the nearest parent that has one.
    low, middle, high : float or ndarray
        Measured over projected time: 8 of 10 lie between the outer two, half below the middle. Of an answer they are
        at least its bound over its projection. [1]
    elsewhere : bool
        Whether the class has no measurements of this chip, so that the ends are those of chips left out.
    calibration : float
        What the chip's own kernel fits err by, which widens them: ln of the factor that 9 of 10 kernels held out lie
        within. 0 where measured results of the chip show it already. [1]
    """

    band: Band
    low: Any
    middle: Any
    high: Any
    elsewhere: bool
    calibration: float = 0.0

    @property
    def wide(self) -> bool:
        """Whether the ends are too far apart to decide anything."""
        return bool(np.max(np.asarray(self.high) / np.asarray(self.low)) > self.band.widest)

    @property
    def coverage(self) -> float:
        """Share of left-out groups, or chips, that its ends hold. [1]"""
        return (self.band.of_chips if self.elsewhere and self.band.of_chips else self.band.of_groups).coverage


def expected(scenario: Scenario, phase: str) -> Expected | None:
    """Where measured results of a scenario lie beside the projection, as its class says; None without evidence.

    On a chip that the class has no measurements of, the ends are those that hold chips left out, where the class or a
    parent has enough chips for that; what its own kernel fits err by comes on top.
    """
    one = bands.of(name_of(phase, scenario))
    if one is None:
        return None
    hardware = scenario.hardware
    if chip_of(hardware) in one.chips:
        return Expected(one, one.low, one.middle, one.high, elsewhere=False)
    known = bands.shipped()
    holds = next((part for part in bands.parents(one.name) if part in known and known[part].of_chips), one.name)
    one = known[holds]
    ends = one.of_chips or one.of_groups
    error = calibration_error(hardware, phase)
    low, high = (_apart(end, one.middle, error) for end in (ends.low, ends.high))
    return Expected(one, low, one.middle, high, elsewhere=True, calibration=error)


def _apart(end: float, middle: float, error: float) -> float:
    """An end of a band with an error that is independent of its own. [1]"""
    far = math.log(end / middle)
    return middle * math.exp(math.copysign(math.hypot(far, error), far))


def calibration_error(hardware: Hardware, phase: str) -> float:
    """Logarithm of the factor that 9 of 10 kernels held out lie within, of a chip's own fits; 0 without any. [1]

    The mean over the sections of the phase's kernels, in each of the fit on most rows: a step is a sum of kernels.
    """
    achieved = hardware.achieved
    if achieved.basis != "calibrated":
        return 0.0
    sections = KERNELS.get(phase, tuple(dict.fromkeys(part for parts in KERNELS.values() for part in parts)))
    found = [error for section in sections if (error := _held_out(achieved.fitted, section)) is not None]
    return float(np.mean(found)) if found else 0.0


def _held_out(fitted: dict[str, str], section: str) -> float | None:
    """ln(1 + 90th percentile of the error on rows held out) of the section's fit on most rows. [1]"""
    said = (
        re.match(r"(\d+) rows.*?p90 ([\d.]+)%", text) for key, text in fitted.items() if key.startswith(f"{section}.")
    )
    fits = [(int(one[1]), math.log1p(float(one[2]) / 100.0)) for one in said if one]
    return max(fits)[1] if fits else None


def phases_of(result: Answer) -> list[str]:
    """Phases that an answer's question has a time of, with an error band."""
    return [phase for phase in METRICS if metric_of(result, phase) is not None]


def error_bands(result: Answer) -> dict[str, Expected]:
    """Where measured times of each phase lie beside those of an answer, none below its bound."""
    out = {}
    for phase in phases_of(result):
        one, metric = expected(result.scenario, phase), metric_of(result, phase)
        if one is not None and metric is not None:
            out[phase] = _clipped(one, result.bound.of(metric), result.projection.of(metric))
    if {"prefill", "decode", "e2e"} <= out.keys() and out["e2e"].band.name != name_of("e2e", result.scenario):
        out["e2e"] = _of_parts(result, out)
    return out


def _of_parts(result: Answer, known: dict[str, Expected]) -> Expected:
    """Ends of whole requests that were not measured as such, from those of their prompts and tokens.

    The wider classes of whole requests hold loads of other kinds. What it rests on is what the longer part does.
    """
    whole, first_token = (np.asarray(result.projection.of(name), dtype=float) for name in ("e2e_s", "ttft_s"))
    share = first_token / whole
    prefill, decode = known["prefill"], known["decode"]
    longer = prefill if float(np.mean(share)) > 0.5 else decode

    def both(prompt: Any, token: Any) -> Any:
        end = np.asarray(prompt) * share + np.asarray(token) * (1.0 - share)
        return end if end.shape else float(end)

    ends = [both(getattr(prefill, name), getattr(decode, name)) for name in ("low", "middle", "high")]
    return replace(longer, low=ends[0], middle=ends[1], high=ends[2])


def _clipped(one: Expected, bound: Any, projection: Any) -> Expected:
    """Ends that are no less than the bound."""
    with np.errstate(divide="ignore", invalid="ignore"):
        floor = np.asarray(bound, dtype=float) / np.asarray(projection, dtype=float)
    floor = np.where(np.isfinite(floor), floor, 0.0)
    low, middle, high = (np.maximum(end, floor) for end in (one.low, one.middle, one.high))
    if not floor.shape:
        low, middle, high = float(low), float(middle), float(high)
    return replace(one, low=low, middle=middle, high=high)


def neighbours(result: Answer, phase: str) -> list[Neighbour]:
    """The measured results nearest to an answer, the nearest first: what a wide band is replaced by."""
    service = result.parts.get("service")
    flying = None if service is None else first(service.in_flight)
    return nearest(subject(phase, result.scenario, flying))


def metric_of(result: Answer, phase: str) -> str | None:
    """The projected mean time of an answer that has the band of a phase: the first of its outputs that does."""
    found = QUESTIONS[result.question].paths.values()
    known = (output for part, output in found if part is not None and part.name == "projection")
    return next((one.name for one in known if one.band == phase and one.unit == "s"), None)


def unfavourable(scenario: Scenario, output: Output) -> float | None:
    """What a projected time, rate or energy is multiplied by for the unfavourable end of its error band. [1]

    The upper end of measured over projected time, of rates its reciprocal. Percentiles have the band of their mean,
    what counts whole requests that of the end-to-end time. None where the evidence has no band.
    """
    one = expected(scenario, output.band) if output.band else None
    if one is None:
        return None
    return float(one.high if output.better == "lower" else 1.0 / one.high)


def slower(scenario: Scenario, time: str) -> float:
    """What a projected time of requests is multiplied by for the unfavourable end of its error band. [1]

    Parameters
    ----------
    scenario : Scenario
    time : str
        A key of `PHASE_OF`.

    Raises
    ------
    InputError
        If the evidence has no band of it.
    """
    one = expected(scenario, PHASE_OF[time])
    if one is None:
        text = f"no measured results of {name_of(PHASE_OF[time], scenario)}: {time} has no pessimistic end"
        raise InputError(Problem(text, "confidence", allowed=("projection",)))
    return max(float(one.high), 1.0)


def to_dict(result: Answer) -> dict[str, Any] | None:
    """The bands as ``estimate --json`` prints them: quantiles of measured over projected time, and of the times."""
    out = {}
    for phase, one in error_bands(result).items():
        metric = metric_of(result, phase)
        assert metric is not None
        said = {"q10": one.low, "q50": one.middle, "q90": one.high}
        value = np.asarray(result.projection.of(metric))
        band = one.band
        out[phase] = {
            **said,
            "metric": metric,
            "times_s": {name: value * share for name, share in said.items()},
            "class": band.name,
            **{name: getattr(band, name) for name in ("n", "groups", "sources")},
            "coverage": one.coverage,
            "chip_measured": not one.elsewhere,
            "calibration_error": math.expm1(one.calibration),
            "wide": one.wide,
            "nearest": [_near(row) for row in neighbours(result, phase)] if one.wide else [],
        }
    return out or None


def _near(row: Neighbour) -> dict[str, Any]:
    about = {name: getattr(row.subject, name) for name in ("model", "chip", "engine", "devices", "batch", "length")}
    numbers = {name: getattr(row, name) for name in ("id", "metric", "measured", "projection", "ratio", "steps")}
    return {**numbers, **about}


def extrapolated(scenario: Scenario, schemes: dict[str, set[str]], phases: Iterable[str]) -> list[str]:
    """Why the query lies outside of the evidence; empty where it does not.

    Parameters
    ----------
    scenario : Scenario
    schemes : dict of str to set of str
        What each section of the constants was asked for (`llmperf.descriptors.achieved`).
    phases : iterable of str
        Phases that have an error band.
    """
    hardware, model = scenario.hardware, scenario.model
    achieved = hardware.achieved
    found = []
    if achieved.basis == "class default":
        found.append(f"no kernels of {hardware.name} were measured: its constants are those of {achieved.name}")
    else:
        found += _unmeasured(scenario, schemes)
    found += _beyond(scenario, phases)
    if model.ssm is not None or model.encoder is not None or model.vision is not None:
        found.append("the kernels of recurrent, encoder and vision layers were not measured")
    if not scenario.kv_cache.linear:
        found.append(f"no kernels of the KV-cache method {scenario.kv_cache.name} were measured")
    longest = float(np.max(np.asarray(scenario.workload.input) + np.asarray(scenario.workload.output)))
    if longest > LONGEST:
        found.append(f"contexts beyond {LONGEST} tokens were not measured")
    return found


def _beyond(scenario: Scenario, phases: Iterable[str]) -> list[str]:
    """Why bands are not those of the phase's own class and chip; empty where all are."""
    bands = {phase: expected(scenario, phase) for phase in phases}
    none = [phase for phase, one in bands.items() if one is None]
    held = {phase: one for phase, one in bands.items() if one is not None}
    wider = [one.band.name for phase, one in held.items() if one.band.name != name_of(phase, scenario)]
    elsewhere = [phase for phase, one in held.items() if one.elsewhere]
    others = [phase for phase in elsewhere if held[phase].band.of_chips is not None]
    found = []
    if none:
        found.append(f"no measured results of this kind: {', '.join(none)}")
    if wider:
        own = name_of("", scenario).strip("/")
        found.append(f"few measured results of {own}; the bands are those of {', '.join(wider)}")
    if elsewhere:
        chip = scenario.hardware.name
        text = f"; bands of {', '.join(others)} are what holds for chips left out" if others else ""
        found.append(f"none of {', '.join(elsewhere)} measured on {chip}{text}")
    return found


def _unmeasured(scenario: Scenario, schemes: dict[str, set[str]]) -> list[str]:
    """Formats whose kernels were not measured on a calibrated chip."""
    achieved = scenario.hardware.achieved
    out = []
    for section, asked in schemes.items():
        known = getattr(achieved, section)
        own = {key.partition(".")[2] for key in achieved.fitted if key.startswith(f"{section}.")}
        for scheme in sorted(asked):
            name = scheme.partition("/")[0].partition("+")[0]
            fits = [key for key in own if key.partition("/")[0].partition("+")[0] in (name, *_same(name))]
            if not fits and pick(known, scheme) is not None:
                out.append(f"{section.replace('_', ' ')} in {name} was not measured on {scenario.hardware.name}")
            elif section == "moe" and _borrowed(fits, scenario.engine.kernels):
                text = f"no expert kernel of {scenario.engine.name} in {name} was measured on {scenario.hardware.name}"
                out.append(f"{text}: those of other software stand in")
    return out


def _borrowed(fits: Sequence[str], kernels: Sequence[str]) -> bool:
    """Whether an engine that names its kernels runs none of those that were fitted."""
    fitted = {key.partition("/")[2] for key in fits} - {""}
    return bool(kernels and fitted) and fitted.isdisjoint(kernels)


def _same(name: str) -> tuple[str, ...]:
    """Schemes that are the same kernels under another name."""
    return tuple(other for other in SCHEMES.get(name, ()) if name == "fp16" and other == "bf16")


def schemes_of(priced: Sequence[Priced]) -> dict[str, set[str]]:
    """What each section of the constants was asked for."""
    out: dict[str, set[str]] = {}
    for part in priced:
        section = kind(part.block.kind).section
        if section:
            out.setdefault(section, set()).update(part.block.schemes)
    return out


def extrapolated_of(result: Answer, scenario: Scenario | None = None) -> list[str]:
    """Why an answer, or one of its configurations, lies outside of the evidence; empty where it does not."""
    phases = result.evaluated[0].phases.values()
    priced = [one for phase in phases for one in phase.costs.priced]
    return extrapolated(scenario or result.scenario, schemes_of(priced), phases_of(result))

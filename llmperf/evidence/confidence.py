"""How far to trust a projection: the error band of its class, and why it may lie outside of the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from llmperf.answers.questions import QUESTIONS
from llmperf.costs.machine import pick
from llmperf.costs.pricing.priced import Priced
from llmperf.descriptors.achieved import SCHEMES
from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError, Problem
from llmperf.evidence import bands
from llmperf.evidence.bands import Band
from llmperf.evidence.classes import band
from llmperf.operators.kinds import kind
from llmperf.outputs import Output

if TYPE_CHECKING:
    from llmperf.answers.answer import Answer

METRICS = {"prefill": "ttft_s", "decode": "tpot_s", "e2e": "e2e_s"}
"""Phase of a band -> the projected time that it belongs to."""
PHASE_OF = {"ttft": "prefill", "tpot": "decode", "itl": "decode", "e2e": "e2e"}
"""Time of a request -> phase of the band that it has."""
LONGEST = 131_072
"""Longest context of the kernel measurements that ship. [1]"""


def error_bands(scenario: Scenario) -> dict[str, Band]:
    """The band of each phase that the evidence has one for."""
    found = {phase: bands.of(band(phase, scenario)) for phase in METRICS}
    return {phase: one for phase, one in found.items() if one is not None}


def metric_of(result: Answer, phase: str) -> str | None:
    """The projected mean time of an answer that has the band of a phase: the first of its outputs that does."""
    found = QUESTIONS[result.question].paths.values()
    known = (output for part, output in found if part is not None and part.name == "projection")
    return next((one.name for one in known if one.band == phase and one.unit == "s"), None)


def unfavourable(scenario: Scenario, output: Output) -> float | None:
    """What a projected time, rate or energy is multiplied by for the unfavourable end of its error band. [1]

    The upper end of measured over projected time, of rates its reciprocal. A mean time to the first token has the band
    of prefill, what counts whole requests that of the end-to-end time. None where the evidence has no band.
    """
    one = bands.of(band(output.band, scenario)) if output.band else None
    if one is None:
        return None
    return one.high if output.better == "lower" else 1.0 / one.high


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
    name = band(PHASE_OF[time], scenario)
    one = bands.of(name)
    if one is None:
        text = f"no measured results of {name}: {time} has no pessimistic end"
        raise InputError(Problem(text, "confidence", allowed=("projection",)))
    return max(one.high, 1.0)


def to_dict(result: Answer) -> dict[str, Any] | None:
    """The bands as ``estimate --json`` prints them: quantiles of measured over projected time, and of the times."""
    out = {}
    for phase, one in error_bands(result.scenario).items():
        metric = metric_of(result, phase)
        if metric is None:
            continue
        value = result.projection.of(metric)
        said = {"q10": one.low, "q50": one.middle, "q90": one.high}
        times = {name: np.asarray(value) * share for name, share in said.items()}
        out[phase] = {
            **said,
            "metric": metric,
            "times_s": times,
            "class": one.name,
            **{key: value for key, value in asdict(one).items() if key in ("n", "sources", "coverage")},
        }
    return out or None


def extrapolated(scenario: Scenario, schemes: dict[str, set[str]]) -> list[str]:
    """Why the query lies outside of the evidence; empty where it does not.

    Parameters
    ----------
    scenario : Scenario
    schemes : dict of str to set of str
        What each section of the constants was asked for (`llmperf.descriptors.achieved`).
    """
    hardware, model = scenario.hardware, scenario.model
    achieved = hardware.achieved
    found = []
    if achieved.basis == "class default":
        found.append(f"no kernels of {hardware.name} were measured: its constants are those of {achieved.name}")
    else:
        found += _unmeasured(scenario, schemes)
    for phase in METRICS:
        name = band(phase, scenario)
        one = bands.of(name)
        if one is None:
            found.append(f"{phase}: no measured results of this kind")
        elif one.name != name:
            found.append(f"{phase}: few measured results of {name}; the band is that of {one.name}")
    if model.ssm is not None or model.encoder is not None or model.vision is not None:
        found.append("the kernels of recurrent, encoder and vision layers were not measured")
    if not scenario.kv_cache.linear:
        found.append(f"no kernels of the KV-cache method {scenario.kv_cache.name} were measured")
    longest = float(np.max(np.asarray(scenario.workload.input) + np.asarray(scenario.workload.output)))
    if longest > LONGEST:
        found.append(f"contexts beyond {LONGEST} tokens were not measured")
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
    return out


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
    return extrapolated(scenario or result.scenario, schemes_of(priced))

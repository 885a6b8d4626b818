"""Answers as the JSON contract has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from llmperf.answers.answer import Answer, with_maximum
from llmperf.answers.ceilings import ceilings
from llmperf.answers.questions import QUESTIONS, asked
from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError, Problem, nearest, shown
from llmperf.evidence import confidence
from llmperf.files.documents import finite
from llmperf.numeric import first
from llmperf.phases.notes import notes
from llmperf.scenarios.binding import Resolved
from llmperf.scenarios.components import component
from llmperf.version import __version__

MIXED = "mixed"
"""The step of decoding sequences and a chunk of a prompt together."""
SCHEMA_VERSION = 1
"""Version of the JSON output; it grows when a name changes its meaning or goes."""


def scenario_dict(scenario: Scenario) -> dict[str, Any]:
    """The resolved scenario as plain data; constants that the catalog holds are named, not repeated."""
    achieved = scenario.hardware.achieved
    try:
        same = component("achieved", achieved.name) == achieved
    except InputError:
        same = False
    data: dict[str, Any] = _mapping(scenario, {id(achieved): achieved.name} if same else {})
    for name in ("asks", "traffic", "prefill_pool"):
        if not data[name]:
            del data[name]
    return data


def _mapping(value: Any, named: Mapping[int, str]) -> Any:
    """As `dataclasses.asdict`, without copies of plain values; some objects, by identity, are said by a name."""
    if id(value) in named:
        return named[id(value)]
    if is_dataclass(value):
        return {item.name: _mapping(getattr(value, item.name), named) for item in fields(value)}
    if isinstance(value, dict):
        return {key: _mapping(item, named) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_mapping(item, named) for item in value])
    return value


def plain(value: Any) -> Any:
    """Plain data for JSON: no NumPy values, null for what is no finite number."""
    return finite(_plain(value))


def _plain(value: Any) -> Any:
    """NumPy values to lists and numbers."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def estimate_dict(result: Answer) -> dict[str, Any]:
    """Plain data as ``llmperf estimate --json`` prints it: SI units, null for what does not exist."""
    data = {
        "schema_version": SCHEMA_VERSION,
        "llmperf_version": __version__,
        "question": result.question,
        **{part.key: dict(result.parts[part.name].items()) for part in QUESTIONS[result.question].parts},
        "bottleneck": result.bottleneck,
        "error_band": confidence.to_dict(result),
        "extrapolated": confidence.extrapolated_of(result),
        "warnings": list(result.warnings),
        "scenario": scenario_dict(result.scenario),
    }
    return dict(plain(data))


def memory_dict(result: Answer) -> dict[str, Any]:
    """Plain data as ``llmperf memory --json`` prints it: classes by stage, tiers, capacity, and what would fit."""
    part = result.evaluated[0]
    need = part.need
    names = ("whole model",) if len(need.weights) == 1 else ("first", "middle", "last")
    stages = []
    for index, name in enumerate(names):
        weights, kv = first(need.weights[index]), first(need.kv_cache[index])
        if weights == 0 and kv == 0:
            continue  # two stages have no middle
        fixed = {
            "activations": first(need.activations),
            "context": first(need.context),
            "graphs": first(need.graphs),
        }
        stages.append(
            {"stage": name, "weights": weights, "kv_cache": kv, **fixed, "required": weights + kv + sum(fixed.values())}
        )
    tiers = [
        {
            "tier": share.name,
            "weights_share": first(share.weights),
            "kv_cache_share": first(share.kv_cache),
            "weights": first(share.weights_bytes),
            "kv_cache": first(share.kv_bytes),
            "kv_cache_by_method": first(share.chosen_bytes),
            "streamed": share.streamed,
        }
        for share in part.placed.shares
    ]
    footprint = dict(result.memory.items())
    data = {
        "schema_version": SCHEMA_VERSION,
        "memory_bytes_per_device": footprint,
        "stages": stages,
        "tiers": tiers,
        "transfer_overlap": part.placed.overlap if tiers else None,
        "limited_by": None if result.shape else ceilings(result),
        "would_fit": _remedies(result),
        "warnings": list(result.warnings),
        "scenario": scenario_dict(result.scenario),
    }
    return dict(plain(data))


def _remedies(result: Answer) -> list[str]:
    if result.shape or result.memory.fits:
        return []
    from llmperf.answers.remedies import remedies

    return remedies(result.resolved, result.evaluated[0])


def operators_dict(resolved: Resolved, step: str | None = None) -> dict[str, Any]:
    """Plain data as ``llmperf ops --json`` prints it: the operators of each step, the slowest first.

    Parameters
    ----------
    resolved : Resolved
    step : str, optional
        A phase of the answer, or ``mixed``; without, all its phases.

    Raises
    ------
    InputError
        If the scenario holds arrays: a table shows one configuration. If it has no such step.
    """
    from llmperf.answers.breakdown import operators
    from llmperf.phases.mixed import mixed

    if resolved.shape:
        raise InputError(Problem("the operator table shows one configuration, not arrays"))
    resolved = with_maximum(resolved)
    part = asked(resolved.scenario).evaluation(resolved.scenario)
    phases = part.phases
    if step == MIXED:
        phases = {MIXED: mixed(part.setup, part.placed)}
    elif step is not None:
        if step not in phases:
            allowed = (*phases, MIXED)
            raise InputError(
                Problem(
                    f"{shown(step)} is no step of this scenario", "--phase", None, None, allowed, nearest(step, allowed)
                )
            )
        phases = {step: phases[step]}
    listed = []
    for name, phase in phases.items():
        rows = operators(phase)
        listed.append(
            {
                "step": name,
                "steps": first(phase.steps),
                "device_time_s": sum(row.total_s for row in rows),
                "waits_s": {name: first(value) for name, value in phase.waits.items()},
                "operators": [row.to_dict() for row in rows],
            }
        )
    data = {
        "schema_version": SCHEMA_VERSION,
        "steps": listed,
        "warnings": [*resolved.warnings, *notes(resolved.scenario)],
        "scenario": scenario_dict(resolved.scenario),
    }
    return dict(plain(data))

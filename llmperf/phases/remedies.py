"""What would make a workload fit that does not: single changes of the scenario, each tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from llmperf.descriptors.components import component
from llmperf.descriptors.consistency import check_together
from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError
from llmperf.phases.estimate import Evaluated, evaluate
from llmperf.phases.placement import tier_order


def remedies(scenario: Scenario, evaluated: Evaluated) -> list[str]:
    """Single changes after which the workload fits, each in the words of a flag.

    Parameters
    ----------
    scenario : Scenario
        A scenario of plain numbers that does not fit.
    evaluated : Evaluated
        Its evaluation.
    """
    found = [words for words, changed in _changes(scenario, evaluated) if _fits(changed)]
    return found or ["no single change of batch, layout, formats or placement"]


def _fits(scenario: Scenario) -> bool:
    try:
        check_together(scenario, None)
        return bool(np.all(evaluate(scenario).footprint.fits))
    except InputError:
        return False


def _changes(scenario: Scenario, evaluated: Evaluated) -> Iterator[tuple[str, Scenario]]:
    layout, work = scenario.parallelism, scenario.workload
    batch = float(np.max(evaluated.footprint.max_batch))
    if batch >= 1:
        yield f"--batch {batch:.0f}", replace(scenario, workload=replace(work, batch=batch))
    for name, most in (("tp", 64), ("pp", 64)):
        size = getattr(layout, name) * 2
        while size <= most:
            wider = replace(layout, **{name: size})
            used: Any = wider.devices
            changed = replace(scenario, parallelism=wider, devices=used)
            if _fits(changed):
                yield f"--{name} {size:g}", changed
                break
            size *= 2
    for reference in ("fp8", "w8a8-int8", "w4a16-g128"):
        weights: Any = component("weights", reference)
        if weights.bits < scenario.weights.bits:
            yield f"--weights {reference}", replace(scenario, weights=weights, activations=weights.activations)
    for reference in ("fp8", "int4"):
        kv: Any = component("kv_cache", reference)
        if kv.bits < scenario.kv_cache.bits:
            yield f"--kv-cache {reference}", replace(scenario, kv_cache=kv)
    here = tier_order(scenario)
    behind = [
        name
        for name, tier in scenario.hardware.tiers.items()
        if tier.kind in ("host", "expansion") and tier.capacity and name not in here
    ]
    if behind:
        placement = replace(scenario.placement, tiers=[*here, *behind])
        yield f"--tiers {','.join([*here, *behind])}", replace(scenario, placement=placement)

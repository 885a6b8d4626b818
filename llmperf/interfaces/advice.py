"""What would change a result: single changes of its scenario and of its hardware, each evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from llmperf.costs.machine import dtypes
from llmperf.descriptors.components import component
from llmperf.descriptors.consistency import check_together
from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError
from llmperf.interfaces.results import Estimate
from llmperf.phases.estimate import Evaluated, evaluate

WEIGHTS, CACHES = ("fp8", "w8a8-int8", "w4a16-g128"), ("fp8", "int4")
"""Formats that are tried where they store fewer bits; where the device computes in it, NVFP4 beside them."""
NOTICED = 1.03
"""Smallest ratio of two results that is a difference. [1]"""
FASTER = 2.0
"""How many times faster a part of the hardware is imagined. [1]"""


@dataclass(frozen=True, slots=True)
class Effect:
    """One change, with the projections before and after it.

    Attributes
    ----------
    change : str
        In the words of a flag; or, of the hardware, what would be faster.
    devices : float
        How many devices there are after it, over those before. [1]
    fits : bool
        Whether the workload has a place after it.
    ttft_s, tpot_s, output_tokens_per_s : tuple of two floats
        Before and after. [s], [1/s]
    """

    change: str
    devices: float
    fits: bool
    ttft_s: tuple[float, float]
    tpot_s: tuple[float, float]
    output_tokens_per_s: tuple[float, float]

    @property
    def gains(self) -> dict[str, float]:
        """How many times better each result is; of tokens/s, for each device. NaN where there is no result. [1]"""
        return {
            "ttft_s": self.ttft_s[0] / self.ttft_s[1],
            "tpot_s": self.tpot_s[0] / self.tpot_s[1],
            "output_tokens_per_s": self.output_tokens_per_s[1] / self.output_tokens_per_s[0] / self.devices,
        }

    @property
    def flag(self) -> str:
        """What is changed, without its value."""
        return self.change.partition(" ")[0]

    @property
    def trades(self) -> bool:
        """Whether it makes something worse to make something else better."""
        return any(gain < 1.0 / NOTICED for gain in self.gains.values())

    @property
    def best(self) -> float:
        """The largest of its gains. [1]"""
        return max(gain for gain in self.gains.values() if gain == gain)


def changes(result: Estimate) -> list[Effect]:
    """Changes of formats, layout, batch and engine that can be evaluated, the one with the largest gain first."""
    found = [_effect(result, words, changed) for words, changed in _changes(result.scenario)]
    return sorted((one for one in found if one is not None), key=lambda one: -one.best)


def faster_parts(result: Estimate) -> list[Effect]:
    """What each part of the hardware would give if it were `FASTER`, the one with the largest gain first."""
    found = [_effect(result, words, changed) for words, changed in _faster(result.scenario)]
    return sorted((one for one in found if one is not None), key=lambda one: -one.best)


def _effect(result: Estimate, words: str, changed: Scenario) -> Effect | None:
    """What a change does; None where it cannot be."""
    try:
        check_together(changed, None)
        after = evaluate(changed)
    except InputError:
        return None
    before, now = result.projection, after.projection
    pairs = [
        (_number(getattr(before, name)), _number(getattr(now, name)))
        for name in ("ttft_s", "tpot_s", "output_tokens_per_s")
    ]
    grown = _number(changed.parallelism.devices) / _number(result.scenario.parallelism.devices)
    return Effect(words, grown, _fits(after), *pairs)


def _number(value: Any) -> float:
    return float(np.asarray(value).reshape(-1)[0])


def _fits(evaluated: Evaluated) -> bool:
    return bool(np.all(evaluated.footprint.fits))


def _changes(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    layout, work, engine = scenario.parallelism, scenario.workload, scenario.engine
    for batch in (work.batch * 2.0, work.batch // 2.0):
        if batch >= 1.0:
            yield f"--batch {batch:g}", replace(scenario, workload=replace(work, batch=batch))
    sizes: list[tuple[str, Any]] = [("tp", layout.tp * 2.0)]
    if layout.tp > 1:
        sizes.append(("tp", layout.tp // 2.0))
    if scenario.model.moe is not None and layout.ep == 1 and layout.devices > layout.replicas * layout.pp:
        sizes.append(("ep", layout.devices / layout.replicas / layout.pp))
    for name, size in sizes:
        other = replace(layout, **{name: size})
        used: Any = other.devices
        yield f"--{name} {size:g}", replace(scenario, parallelism=other, devices=used)
    nvfp4 = ("nvfp4",) if "fp4" in dtypes(scenario.hardware) else ()
    for reference in (*WEIGHTS, *nvfp4):
        weights = component("weights", reference)
        if weights.bits < scenario.weights.bits:
            yield f"--weights {reference}", replace(scenario, weights=weights, activations=weights.activations)
    for reference in CACHES:
        cache = component("kv_cache", reference)
        if cache.bits < scenario.kv_cache.bits:
            yield f"--kv-cache {reference}", replace(scenario, kv_cache=cache)
    if not engine.graphs:
        yield "--set engine.graphs=true", replace(scenario, engine=replace(engine, graphs=True))


def _faster(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    hardware = scenario.hardware
    main = next(name for name, tier in hardware.tiers.items() if tier.kind == "main")
    bandwidth = hardware.main.bandwidth
    assert bandwidth is not None
    memory = replace(hardware.main, bandwidth=bandwidth * FASTER)
    yield "device memory", replace(scenario, hardware=replace(hardware, tiers={**hardware.tiers, main: memory}))
    engines = {
        name: replace(engine, peaks={dtype: peak * FASTER for dtype, peak in engine.peaks.items()})
        if engine.kind == "matrix"
        else engine
        for name, engine in hardware.engines.items()
    }
    yield "matrix engines", replace(scenario, hardware=replace(hardware, engines=engines))
    if hardware.links:
        links = {name: replace(link, bandwidth=link.bandwidth * FASTER) for name, link in hardware.links.items()}
        yield "links", replace(scenario, hardware=replace(hardware, links=links))

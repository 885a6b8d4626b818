"""What would change a result: single changes of its scenario and of its hardware, each evaluated."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from llmperf.answers.answer import Answer, answer
from llmperf.answers.questions import QUESTIONS
from llmperf.answers.remedies import flags, layout
from llmperf.costs.machine import dtypes
from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError
from llmperf.numeric import first
from llmperf.outputs import by_path
from llmperf.phases.answered import Evaluated
from llmperf.scenarios.binding import Resolved
from llmperf.scenarios.components import component
from llmperf.scenarios.resolve import changed

WEIGHTS, CACHES = ("fp8", "w8a8-int8", "w4a16-g128"), ("fp8", "int4")
"""Formats that are tried where they store fewer bits; where the device computes in it, NVFP4 beside them."""
RESULTS = (
    ("ttft_s", "tpot_s", "output_tokens_per_s"),
    ("ttft_mean_s", "tpot_s", "saturation_rate_per_s"),
)
"""Outputs that changes are weighed by: of a static batch, and of a service, whose throughput is what comes."""
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
    results : dict of str to tuple of two floats
        Outputs that changes are weighed by (`RESULTS`), before and after. [s], [1/s]
    axis : str or None
        ``batch`` or ``input``, where that is as large as memory allows.
    maximized : tuple of two floats, or None
        It, before and after, where it changes. [1]
    """

    change: str
    devices: float
    fits: bool
    results: dict[str, tuple[float, float]]
    axis: str | None
    maximized: tuple[float, float] | None

    @property
    def gains(self) -> dict[str, float]:
        """How many times better each result is; of rates, for each device. NaN where there is no result. [1]"""
        return {name: self._gain(name, *both) for name, both in self.results.items()}

    def _gain(self, name: str, before: float, after: float) -> float:
        if not (math.isfinite(before) and math.isfinite(after)):
            return math.nan
        return after / before / self.devices if by_path()[name].better == "higher" else before / after

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
        """The largest of its gains; none where no result has one. [1]"""
        return max((gain for gain in self.gains.values() if gain == gain), default=1.0)


def changes(result: Answer) -> list[Effect]:
    """Changes of formats, layout, batch and engine that can be evaluated, the one with the largest gain first.

    Each is resolved and evaluated as the flag that it is: where the workload is maximized, at what is largest then.
    """
    found = [_changed(result, keys) for keys in _changes(result.resolved)]
    return sorted((one for one in found if one is not None), key=lambda one: -one.best)


def faster_parts(result: Answer) -> list[Effect]:
    """What each part of the hardware would give if it were `FASTER`, the one with the largest gain first."""
    evaluation = QUESTIONS[result.question].evaluation
    found = [_effect(result, words, evaluation(changed)) for words, changed in _faster(result.scenario)]
    return sorted(found, key=lambda one: -one.best)


def _changed(result: Answer, keys: Mapping[str, Any]) -> Effect | None:
    """What a change does; None where it cannot be."""
    try:
        after = answer(changed(result.resolved, keys))
    except InputError:
        return None
    return _effect(result, flags(keys), after.evaluated[0])


def _effect(result: Answer, words: str, after: Evaluated) -> Effect:
    before, later = result.scenario, after.setup.scenario

    axis = {None: None, "context": "input"}.get(before.workload.maximize, "batch")
    sizes = (first(getattr(before.workload, axis)), first(getattr(later.workload, axis))) if axis else (0.0, 0.0)
    return Effect(
        words,
        first(later.parallelism.devices) / first(before.parallelism.devices),
        bool(np.all(after.parts["memory"].fits)),
        {name: (first(result.value(name)), _read(after, name)) for name in weighed(result)},
        axis,
        sizes if sizes[0] != sizes[1] else None,
    )


def weighed(result: Answer) -> tuple[str, ...]:
    """Outputs that changes of a result are weighed by; none where its question has none of `RESULTS`."""
    return next((names for names in RESULTS if set(names) <= set(result.paths)), ())


def _read(found: Evaluated, name: str) -> float:
    """An output of an evaluation, whichever of its parts has it; projections before bounds."""
    parts = (found.parts[part] for part in ("projection", "service") if part in found.parts)
    return first(next(part.of(name) for part in parts if name in part))


def _changes(resolved: Resolved) -> Iterator[dict[str, Any]]:
    scenario = resolved.scenario
    spread, work = scenario.parallelism, scenario.workload
    if scenario.traffic is None and work.maximize in (None, "context"):
        yield {"batch": int(work.batch) * 2}
        if work.batch > 1:
            yield {"batch": int(work.batch) // 2}
    tp = int(spread.tp)
    yield layout(resolved, tp=tp * 2)
    if tp > 1:
        yield layout(resolved, tp=tp // 2)
    if scenario.model.moe is not None and spread.ep == 1 and spread.devices > spread.replicas * spread.pp:
        yield layout(resolved, ep=int(spread.devices / spread.replicas / spread.pp))
    nvfp4 = ("nvfp4",) if "fp4" in dtypes(scenario.hardware) else ()
    for reference in (*WEIGHTS, *nvfp4):
        if component("weights", reference).bits < scenario.weights.bits:
            yield {"weights": reference}
    for reference in CACHES:
        if component("kv_cache", reference).bits < scenario.kv_cache.bits:
            yield {"kv_cache": reference}
    if not scenario.engine.graphs:
        yield {"engine.graphs": True}


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

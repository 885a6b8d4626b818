"""Results as Python objects and as the JSON contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

import llmperf
from llmperf.costs.priced import Priced
from llmperf.descriptors.components import component
from llmperf.descriptors.documents import finite
from llmperf.descriptors.resolve import Resolved, resolve
from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError, Problem
from llmperf.numeric import choose
from llmperf.outputs import RESOURCES
from llmperf.phases.estimate import Evaluated, Footprint, Metrics, blocks, evaluate, join, notes

if TYPE_CHECKING:
    from llmperf.interfaces.explain import Explanation

SCHEMA_VERSION = 1
"""Version of the JSON output; it grows when a name changes its meaning or goes."""

T = TypeVar("T", Metrics, Footprint)
PHASES = ("prefill", "decode")


@dataclass(frozen=True, slots=True)
class Estimate:
    """The answer to one scenario; every value is a number, or an array of the shape that the inputs broadcast to.

    Attributes
    ----------
    bound, roofline, projection : Metrics
        What no system beats; the sum of every operator's own roofline; what a good implementation reaches.
    memory : Footprint
        Memory of one device.
    bottleneck : dict of str to str or ndarray
        What limits ``prefill`` and ``decode``: a key of `llmperf.outputs.RESOURCES`; None where nothing is decoded.
    warnings : tuple of str
        What the estimate assumes.
    scenario : Scenario
        Fully resolved.
    evaluated : tuple of Evaluated
        The priced steps behind the numbers; only the first block of configurations is kept of an array.
    resolved : Resolved
        What was asked, before anything was maximized.
    """

    bound: Metrics
    roofline: Metrics
    projection: Metrics
    memory: Footprint
    bottleneck: dict[str, Any]
    warnings: tuple[str, ...]
    scenario: Scenario
    shape: tuple[int, ...]
    evaluated: tuple[Evaluated, ...]
    resolved: Resolved

    def __getattr__(self, name: str) -> Any:
        """An unprefixed output is the projection's or the memory's: ``result.tpot_s``, ``result.fits``."""
        for part in ("projection", "memory"):
            if name in {item.name for item in fields(object.__getattribute__(self, part))}:
                return getattr(object.__getattribute__(self, part), name)
        raise AttributeError(f"an estimate has no {name!r}")

    def to_dict(self) -> dict[str, Any]:
        """Plain data as ``llmperf estimate --json`` prints it: SI units, null for what does not exist."""
        from llmperf.interfaces import confidence

        memory = {item.name: getattr(self.memory, item.name) for item in fields(self.memory)}
        data = {
            "schema_version": SCHEMA_VERSION,
            "llmperf_version": llmperf.__version__,
            "bound": _numbers(self.bound),
            "roofline": _numbers(self.roofline),
            "projection": _numbers(self.projection),
            "memory_bytes_per_device": memory,
            "bottleneck": self.bottleneck,
            "error_band": confidence.to_dict(self.scenario, self.projection),
            "extrapolated": self.extrapolated,
            "warnings": list(self.warnings),
            "scenario": scenario_dict(self.scenario),
        }
        return dict(plain(data))

    def explain(self) -> Explanation:
        """What limits it, what would help, how sure that is: sentences with their numbers.

        Raises
        ------
        InputError
            If the result holds arrays.
        """
        from llmperf.interfaces.explain import explain

        return explain(self)

    def plot(self, kind: str = "roofline", *, phase: str = "decode") -> Any:
        """A plotly figure (needs the extra: report).

        Parameters
        ----------
        kind : str
            Of one configuration: ``roofline``, ``operators`` (of one `phase`), ``waits``, ``memory`` or ``frontier``,
            tokens/s against time a token over the batch. Of arrays: ``frontier``, ``curves`` or ``memory``; the latter
            two where one number varies.
        phase : str
            Whose operators: ``prefill`` or ``decode``.

        Raises
        ------
        InputError
            If there is no such figure of this result, or no plotly.
        """
        from llmperf.interfaces.notebook import plot

        return plot(self, kind, phase)

    def _repr_html_(self) -> str:
        """A table for notebooks: escaped, and without scripts."""
        from llmperf.interfaces.notebook import estimate_html

        return estimate_html(self)

    @property
    def extrapolated(self) -> list[str]:
        """Why the query lies outside of the measured evidence; empty where it does not."""
        return self.extrapolated_of(self.scenario)

    def extrapolated_of(self, scenario: Scenario) -> list[str]:
        """As `extrapolated`, of one of the configurations."""
        from llmperf.interfaces import confidence

        part = self.evaluated[0]
        priced = [*part.prefill.costs.priced, *part.decode.costs.priced]
        return confidence.extrapolated(scenario, schemes_of(priced))


def schemes_of(priced: Sequence[Priced]) -> dict[str, set[str]]:
    """What each section of the constants was asked for."""
    out: dict[str, set[str]] = {}
    for part in priced:
        section = SECTIONS.get(part.block.kind)
        if section:
            out.setdefault(section, set()).update(part.block.schemes)
    return out


SECTIONS = {
    "gemm": "gemm",
    "moe": "moe",
    "attention.prefill": "attention_prefill",
    "attention.decode": "attention_decode",
}
"""Section of the constants that operators of a kind are priced by, where formats have kernels of their own."""


def scenario_dict(scenario: Scenario) -> dict[str, Any]:
    """The resolved scenario as plain data; constants that the catalog holds are named, not repeated."""
    data = asdict(scenario)
    achieved = scenario.hardware.achieved
    try:
        same = component("achieved", achieved.name) == achieved
    except InputError:
        same = False
    if same:
        data["hardware"]["achieved"] = achieved.name
    return data


def _numbers(metrics: Metrics) -> dict[str, Any]:
    return {item.name: getattr(metrics, item.name) for item in fields(metrics)}


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


def estimate(
    scenario: Mapping[str, Any] | str | Path | None = None, *, catalog: tuple[str, ...] = (), **overrides: Any
) -> Estimate:
    """Estimate a static batch.

    Parameters
    ----------
    scenario : mapping, str or Path, optional
        A scenario as data, or the name or file of one.
    catalog : tuple of str
        Directories whose descriptors go before the packaged ones.
    **overrides
        Keys of a scenario, short names (``tp``, ``pp``, ``dp``, ``ep``, ``cp``, ``batch``, ``input``, ``output``,
        ``shared_prefix``, ``replicas``, ...) or, in a mapping, dotted paths. Numbers may be arrays that broadcast
        against each other.

    Returns
    -------
    Estimate
        Numbers where all inputs are numbers, arrays of the broadcast shape otherwise. [SI units]

    Raises
    ------
    InputError
        If the scenario is wrong; lists every fault.
    """
    return answer(resolve(scenario, overrides, catalog))


def answer(resolved: Resolved) -> Estimate:
    """Evaluate a resolved scenario, block by block."""
    asked, resolved = resolved, _maximized(resolved)
    shape = resolved.shape
    size = int(np.prod(shape)) if shape else 1
    first: Evaluated | None = None
    parts: list[tuple[Any, ...]] = []
    for scenario in blocks(resolved.scenario, size) if shape else (resolved.scenario,):
        part = evaluate(scenario)
        first = first or part
        parts.append(
            (part.bound, part.roofline, part.projection, part.footprint, *(_limiting(part, phase) for phase in PHASES))
        )
    assert first is not None
    bound, roofline, projection, footprint, *limiting = zip(*parts, strict=True)
    return Estimate(
        _joined(Metrics, bound, size, shape),
        _joined(Metrics, roofline, size, shape),
        _joined(Metrics, projection, size, shape),
        _joined(Footprint, footprint, size, shape),
        {phase: _named(found, size, shape) for phase, found in zip(PHASES, limiting, strict=True)},
        (*resolved.warnings, *notes(resolved.scenario)),
        resolved.scenario,
        shape,
        (first,),
        asked,
    )


def _maximized(resolved: Resolved) -> Resolved:
    """With the batch or input that the workload wants as large as possible."""
    if resolved.scenario.workload.maximize is None:
        return resolved
    from llmperf.phases.capacity import maximized

    size = int(np.prod(resolved.shape)) if resolved.shape else None
    return replace(resolved, scenario=maximized(resolved.scenario, size))


def _joined(cls: type[T], parts: Sequence[T], size: int, shape: tuple[int, ...]) -> T:
    values = {}
    for item in fields(cls):
        found = [getattr(part, item.name) for part in parts]
        values[item.name] = _scalar(found[0]) if not shape else join(found, size, item.name == "fits").reshape(shape)
    return cls(**values)


def _scalar(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.reshape(-1)[0].item()
    return value.item() if isinstance(value, np.generic) else value


def _named(found: Sequence[Any], size: int, shape: tuple[int, ...]) -> Any:
    """Names of resources from their indices."""
    names = [*RESOURCES, None]
    if not shape:
        return names[int(_scalar(found[0]))]
    return np.array(names, dtype=object)[join(found, size).astype(int)].reshape(shape)


def _limiting(part: Evaluated, phase: str) -> Any:
    """Index into `RESOURCES` of what a phase waits for most; one beyond where no token is decoded."""
    waits = getattr(part, phase).waits
    order = list(RESOURCES)
    best: Any = -1.0
    index: Any = 0
    for name, value in waits.items():
        longer = value > best
        best, index = choose(longer, value, best), choose(longer, order.index(name), index)
    index = choose(part.footprint.fits, index, order.index("capacity"))
    return choose(part.setup.scenario.workload.output > 1, index, len(order)) if phase == "decode" else index


def memory_dict(result: Estimate) -> dict[str, Any]:
    """Plain data as ``llmperf memory --json`` prints it: classes by stage, tiers, capacity, and what would fit."""
    part = result.evaluated[0]
    need = part.need
    names = ("whole model",) if len(need.weights) == 1 else ("first", "middle", "last")
    stages = []
    for index, name in enumerate(names):
        weights, kv = _first(need.weights[index]), _first(need.kv_cache[index])
        if weights == 0 and kv == 0:
            continue  # two stages have no middle
        fixed = {
            "activations": _first(need.activations),
            "context": _first(need.context),
            "graphs": _first(need.graphs),
        }
        stages.append(
            {"stage": name, "weights": weights, "kv_cache": kv, **fixed, "required": weights + kv + sum(fixed.values())}
        )
    tiers = [
        {
            "tier": share.name,
            "weights_share": _first(share.weights),
            "kv_cache_share": _first(share.kv_cache),
            "weights": _first(share.weights_bytes),
            "kv_cache": _first(share.kv_bytes),
            "kv_cache_by_method": _first(share.chosen_bytes),
            "streamed": share.streamed,
        }
        for share in part.placed.shares
    ]
    footprint = {item.name: getattr(result.memory, item.name) for item in fields(result.memory)}
    data = {
        "schema_version": SCHEMA_VERSION,
        "memory_bytes_per_device": footprint,
        "stages": stages,
        "tiers": tiers,
        "transfer_overlap": part.placed.overlap if tiers else None,
        "would_fit": _remedies(result),
        "warnings": list(result.warnings),
        "scenario": scenario_dict(result.scenario),
    }
    return dict(plain(data))


def _first(value: Any) -> float:
    return float(np.asarray(value).reshape(-1)[0])


def _remedies(result: Estimate) -> list[str]:
    if result.shape or result.memory.fits:
        return []
    from llmperf.phases.remedies import remedies

    return remedies(result.resolved, result.evaluated[0])


def operators_dict(resolved: Resolved, steps: list[str]) -> dict[str, Any]:
    """Plain data as ``llmperf ops --json`` prints it: the operators of each step, the slowest first.

    Raises
    ------
    InputError
        If the scenario holds arrays: a table shows one configuration.
    """
    from llmperf.phases.breakdown import operators
    from llmperf.phases.mixed import mixed

    if resolved.shape:
        raise InputError(Problem("the operator table shows one configuration, not arrays"))
    resolved = _maximized(resolved)
    part = evaluate(resolved.scenario)
    phases = {"prefill": part.prefill, "decode": part.decode}
    if "mixed" in steps:
        phases["mixed"] = mixed(part.setup, part.placed)
    shown = []
    for step in steps:
        phase = phases[step]
        rows = operators(phase)
        shown.append(
            {
                "step": step,
                "steps": _first(phase.steps),
                "device_time_s": sum(row.total_s for row in rows),
                "waits_s": {name: _first(value) for name, value in phase.waits.items()},
                "operators": [row.to_dict() for row in rows],
            }
        )
    data = {
        "schema_version": SCHEMA_VERSION,
        "steps": shown,
        "warnings": [*resolved.warnings, *notes(resolved.scenario)],
        "scenario": scenario_dict(resolved.scenario),
    }
    return dict(plain(data))

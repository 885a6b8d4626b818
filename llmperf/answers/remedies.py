"""What would make a workload fit that does not: single changes of the scenario, each tried as the flag that it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from llmperf.errors import InputError
from llmperf.phases.answered import Evaluated
from llmperf.phases.estimate import evaluate
from llmperf.phases.placement import tier_order
from llmperf.scenarios.binding import Resolved
from llmperf.scenarios.components import component
from llmperf.scenarios.flags import FLAGS, flag
from llmperf.scenarios.resolve import changed

NOTHING_FITS = "It would fit with no single change of batch, layout, formats or placement."
"""What to say where there are no remedies."""
MOST = 64
"""Largest tensor-parallel size and most pipeline stages that are tried. [1]"""

Keys = Mapping[str, Any]
"""Keys of a scenario that change it."""
Accepts = Callable[[Resolved], bool]
"""Whether a changed scenario is what is wanted; an `InputError` is no."""


def fits(resolved: Resolved) -> bool:
    """Whether the workload of a scenario fits."""
    return bool(np.all(evaluate(resolved.scenario).parts["memory"].fits))


def remedies(resolved: Resolved, evaluated: Evaluated, accepts: Accepts = fits) -> list[str]:
    """Single changes after which the workload fits, each in the words of a flag; empty where none helps.

    Another layout says how many devices it takes.

    Parameters
    ----------
    resolved : Resolved
        A scenario of plain numbers that does not fit.
    evaluated : Evaluated
        Its evaluation.
    accepts : callable
        What a change must bring about, where more is wanted than that the workload fits.
    """
    found = _changes(resolved, evaluated, accepts)
    return [_said(resolved, keys) for keys in found if helps(resolved, keys, accepts)]


def _said(resolved: Resolved, keys: Keys) -> str:
    if keys.keys().isdisjoint(("tp", "pp")):
        return flags(keys)
    return f"{flags(keys)} ({changed(resolved, keys).scenario.devices:g} devices)"


def flags(keys: Keys) -> str:
    """Keys of a scenario as they are written on the command line: ``--kv-cache fp8``."""

    def text(value: Any) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        return ",".join(value) if isinstance(value, list) else str(value)

    return " ".join(
        f"--set {key}={text(value)}" if "." in key and key not in FLAGS else f"{flag(key)} {text(value)}"
        for key, value in keys.items()
    )


def layout(resolved: Resolved, **sizes: int) -> dict[str, Any]:
    """Keys that change sizes of the layout; with all devices, and what they are used for, where their number is given.

    A given number of devices is a tensor-parallel size until a layout is given as well.
    """
    before = resolved.scenario.parallelism
    keys: dict[str, Any] = dict(sizes)
    if resolved.asked.get("devices") is not None:
        if resolved.asked.get("parallelism") is None:
            keys = {"tp": int(before.tp), **keys}
        keys["devices"] = int(replace(before, **keys).devices)
    return keys


def helps(resolved: Resolved, keys: Keys, accepts: Accepts) -> bool:
    """Whether a change is possible and brings about what is wanted."""
    try:
        return accepts(changed(resolved, keys))
    except InputError:
        return False


def _wider(resolved: Resolved, name: str, accepts: Accepts) -> Iterator[Keys]:
    """The smallest layout that doubles one size again and again until the workload fits."""
    size = int(getattr(resolved.scenario.parallelism, name)) * 2
    while size <= MOST:
        keys = layout(resolved, **{name: size})
        if helps(resolved, keys, accepts):
            yield keys
            return
        size *= 2


def _changes(resolved: Resolved, evaluated: Evaluated, accepts: Accepts) -> Iterator[Keys]:
    scenario = resolved.scenario
    batch = float(np.max(evaluated.parts["memory"].max_batch))
    if batch >= 1:
        yield {"batch": int(batch)}
    for name in ("tp", "pp"):
        yield from _wider(resolved, name, accepts)
    for reference in ("fp8", "w8a8-int8", "w4a16-g128"):
        if component("weights", reference).bits < scenario.weights.bits:
            yield {"weights": reference}
    for reference in ("fp8", "int4"):
        if component("kv_cache", reference).bits < scenario.kv_cache.bits:
            yield {"kv_cache": reference}
    here = tier_order(scenario)
    behind = [
        name
        for name, tier in scenario.hardware.tiers.items()
        if tier.kind in ("host", "expansion") and tier.capacity and name not in here
    ]
    if behind:
        yield {"tiers": [*here, *behind]}

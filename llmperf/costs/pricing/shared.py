"""Prices of operators that several engines share: each computes a part of the outputs, all at the same time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from llmperf.costs.machine import Machine
from llmperf.costs.pricing.priced import Priced
from llmperf.costs.residence import Residence
from llmperf.numeric import Array, Real
from llmperf.operators.table import Block
from llmperf.resources import resource_of


def price(
    block: Block,
    machine: Machine,
    residence: Residence,
    shares: Mapping[str, Real],
    one: Callable[[Block, Machine, Residence], Priced],
) -> Priced:
    """Operators shared by engines, priced: times in seconds.

    Parameters
    ----------
    block : Block
    machine : Machine
    residence : Residence
    shares : mapping of str to number or array
        By engine: the part of the outputs that it computes, for which it reads the same part of weights and cache. [1]
    one : callable
        The price of the kind on one engine.

    Returns
    -------
    Priced
        As long as the slowest engine, or as what several of them need of one memory or vector engine together; what it
        waits for is that one's. An input that several engines read counts once.
    """
    parts = [
        one(block.part(share), machine.placing({block.kind: engine}), residence) for engine, share in shares.items()
    ]
    demands: dict[str, Array] = {}
    cold: dict[str, Any] = {}
    streamed: dict[str, Any] = {}
    for part in parts:
        for key, need in part.demands.items():
            demands[key] = demands[key] + need if key in demands else need
        cold[part.memory] = cold.get(part.memory, 0.0) + part.cold
        streamed[part.memory] = streamed.get(part.memory, 0.0) + part.limits.get(part.memory, 0.0)
    ideal = parts[0].roofline
    for need in (*(part.roofline for part in parts[1:]), *demands.values(), *cold.values()):
        ideal = np.maximum(ideal, need)
    time, limits = parts[0].time, parts[0].limits
    for part in parts[1:]:
        time, limits = _longer(time, limits, part.time, part.limits)
    for key, need in (*demands.items(), *streamed.items()):
        time, limits = _longer(time, limits, need, {resource_of(key): need})
    return Priced(block, time, ideal, limits, demands, parts[0].memory, parts=tuple(parts))


def _longer(
    time: Array, limits: dict[str, Array], other: Array, beside: dict[str, Array]
) -> tuple[Array, dict[str, Array]]:
    """The longer of two times, and what it waits for."""
    longer = other > time
    names = dict.fromkeys((*limits, *beside))
    waits = {name: np.where(longer, beside.get(name, 0.0), limits.get(name, 0.0)) for name in names}
    return np.maximum(time, other), waits

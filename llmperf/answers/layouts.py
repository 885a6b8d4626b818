"""Which layouts a copy of a model may have on a chip, all at once: those that chip, model and engine allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.descriptors.parallelism import Parallelism
from llmperf.descriptors.scenario import Scenario
from llmperf.operators.divisions import divisions
from llmperf.scenarios.consistency import within

LARGEST = 64
"""Devices of a copy beyond which none is looked for, where one scale-up domain has fewer. [1]"""
WAYS = ("tp", "pp", "dp", "ep")
"""What a layout is looked for in."""


def layouts(scenario: Scenario, said: Mapping[str, Any]) -> Parallelism:
    """The layouts that one copy may have, each of its numbers an array: (layouts,).

    Parameters
    ----------
    scenario : Scenario
        Of plain numbers; its layout does not matter.
    said : mapping
        Numbers of the layout that are given: only layouts that have them are looked for.

    Returns
    -------
    Parallelism
        Without those that model, hardware or engine refuse; empty where they refuse all.

    Notes
    -----
    Tensor parallelism stays within a scale-up domain or a host (`within`); it goes in powers of two and in what divides
    the domain. Pipeline stages and data-parallel ranks, which share the experts of a model that has some, go in powers
    of two; a copy that leaves the domain fills whole ones. Experts are spread over all devices of a stage, or each of
    them is split among all.
    """
    domain, most = within(scenario.hardware), _most(scenario)
    powers = [2.0**power for power in range(int(np.log2(max(most, 1))) + 1)]
    grid = {
        "tp": sorted({*(size for size in powers if size <= domain), *_divisors(domain)}),
        "pp": powers,
        "dp": powers if scenario.model.moe else [1.0],
        "ep": [0.0, 1.0] if scenario.model.moe else [0.0],  # whether experts are spread
    }
    every: Any = np.meshgrid(*(_given(grid[way], said, way) for way in WAYS))
    tp, pp, dp, spread = (one.reshape(-1) for one in every)
    cp = float(said.get("cp", 1))
    group = tp * cp * dp
    ep: Any = np.where(spread == 1.0, group, 1.0) if "ep" not in said else spread
    found = Parallelism(tp=tp, pp=pp, dp=dp, ep=ep, cp=cp)
    keep = _fits_hardware(found, domain, most) & _fits_model(scenario, found)
    keep &= ~((spread == 1.0) & (group == 1.0)) if "ep" not in said else group % ep == 0  # that is no spreading
    found = where(found, keep)
    return where(found, _started(scenario, found)) if np.size(found.tp) else found


def _most(scenario: Scenario) -> int:
    """Most devices of a copy."""
    hardware = scenario.hardware
    if not hardware.links and hardware.devices is None:
        return 1
    domain, link = within(hardware), hardware.link("scale_up")
    stays = link is not None and link.domain is not None and hardware.link("scale_out") is None
    most = domain if stays else max(domain, LARGEST)
    return most if hardware.devices is None else min(most, int(hardware.devices))


def _divisors(number: int) -> list[float]:
    return [float(size) for size in range(1, number + 1) if number % size == 0]


def _given(sizes: list[float], said: Mapping[str, Any], way: str) -> list[float]:
    return [float(said[way])] if way in said else sizes


def _fits_hardware(layout: Parallelism, domain: int, most: int) -> NDArray[np.bool_]:
    devices: Any = layout.devices
    keep = (layout.tp <= domain) & (devices <= most)
    return np.asarray(keep & ((devices <= domain) | (devices % domain == 0)))


def _fits_model(scenario: Scenario, layout: Parallelism) -> NDArray[np.bool_]:
    model = scenario.model
    heads = model.attention.heads if model.attention else np.inf
    experts = model.moe.experts if model.moe else 1.0
    return np.asarray((layout.tp <= heads) & (layout.pp <= model.layers) & (layout.ep <= experts))


def _started(scenario: Scenario, layout: Parallelism) -> NDArray[np.bool_]:
    """Which of the layouts the engine starts."""
    keep = np.ones(np.shape(layout.tp), dtype=bool)
    for one in divisions(scenario.model, scenario.weights, layout):
        if one.part in scenario.engine.divides:
            keep &= ~np.asarray(one.uneven)
    return keep


def where(layout: Parallelism, keep: NDArray[Any]) -> Parallelism:
    """Some of the layouts, by their indices or by whether each is one of them."""
    values = {item.name: getattr(layout, item.name) for item in fields(layout)}
    return replace(layout, **{name: one[keep] for name, one in values.items() if isinstance(one, np.ndarray)})

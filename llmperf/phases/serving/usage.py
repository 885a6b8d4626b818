"""What a steady state keeps busy: how much of the time each resource would work at its peak."""

from __future__ import annotations

from typing import Any

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, least, most
from llmperf.phases.bounds import demands
from llmperf.phases.mixed import mixed
from llmperf.phases.phase import Phase
from llmperf.phases.placement import transfers
from llmperf.phases.serving.loop import Loop
from llmperf.phases.serving.request import ranks
from llmperf.resources import COMPUTE, LINKS, MAIN, kind_of

USED = {COMPUTE: "compute_utilization", MAIN: "memory_utilization", LINKS: "link_utilization"}
"""Kinds of resources, or one of them, by output."""


def busy(scenario: Scenario, loop: Loop) -> dict[str, Any]:
    """Shares of the time of the busiest resource of each kind, up to 1.

    Decode steps follow each other; a prompt adds to those that it joins what a mixed step has beyond one without.
    """
    one, crowd = loop.request, loop.request.crowd
    decode = _times(crowd, crowd.phases["decode"])
    beside = _times(crowd, mixed(crowd.setup, crowd.placed, 1.0))
    own = 1.0 if scenario.prefill_pool is None else 0.0  # others prefill
    prompts = own * loop.in_flight / one.e2e / ranks(scenario) * one.chunks
    steps = loop.in_flight / most(one.in_flight, 1.0) / one.token  # none run while the server is idle
    found: dict[str, Any] = dict.fromkeys(USED.values(), 0.0)
    for name, whole in beside.items():
        output = USED.get(name) or USED.get(kind_of(name))
        if output is None:
            continue
        each = decode.get(name, 0.0)
        share = steps * each + prompts * most(whole - each, 0.0)
        found[output] = most(found[output], least(share, 1.0))
    return found


def _times(crowd: Any, phase: Phase) -> dict[str, Real]:
    """Time of each resource at its peak in one step. [s]"""
    setup, placed = crowd.setup, crowd.placed
    moved = transfers(setup.scenario, placed, phase.costs)
    step = setup.decode_step
    found = demands(setup, phase.costs, moved, placed.residence, 1.0, step.members)
    return {name: part.busiest for name, part in found.items()}

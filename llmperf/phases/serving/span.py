"""Stretches of time that explain themselves: bound, projection, and what each resource takes of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, ceil_div, choose, most
from llmperf.phases.answered import Evaluated
from llmperf.phases.bounds import demands
from llmperf.phases.placement import transfers
from llmperf.phases.serving.loop import Loop
from llmperf.phases.serving.request import at, ranks
from llmperf.resources import resource_of

OTHERS = "prefill of other prompts"
"""What decoding waits for in a loop, beside the resources."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time; numbers or arrays.

    Attributes
    ----------
    bound, projection : number or array
        [s]
    waits, needed : mapping of str to number or array
        What each resource takes of the projection, and of the bound: there the longest takes all. [s]
    """

    bound: Real
    projection: Real
    waits: Mapping[str, Real]
    needed: Mapping[str, Real]

    def __add__(self, other: Span) -> Span:
        """One after the other."""
        return Span(
            self.bound + other.bound,
            self.projection + other.projection,
            _sum(self.waits, other.waits),
            _sum(self.needed, other.needed),
        )

    def __mul__(self, times: Real) -> Span:
        """So many times."""
        return Span(self.bound * times, self.projection * times, _times(self.waits, times), _times(self.needed, times))

    def lasting(self, projection: Real) -> Span:
        """The same with another projection, its parts in proportion."""
        return replace(self, projection=projection, waits=_times(self.waits, projection / self.projection))

    def bounded(self, by: Span) -> Span:
        """The same projection with another bound."""
        return replace(self, bound=by.bound, needed=by.needed)

    def gap(self) -> dict[str, Real]:
        """Shares of what the projection has beyond the bound, by what it waits for. [1]

        The resource that the bound waits for explains only what it takes beyond the bound.
        """
        beyond = {name: most(value - self.needed.get(name, 0.0), 0.0) for name, value in self.waits.items()}
        whole = sum(beyond.values())
        if not whole:  # the projection is its bound
            return beyond
        return {name: value / whole for name, value in beyond.items()}


def _sum(a: Mapping[str, Real], b: Mapping[str, Real]) -> dict[str, Real]:
    return {name: a.get(name, 0.0) + b.get(name, 0.0) for name in {**a, **b}}


def _times(parts: Mapping[str, Real], times: Real) -> dict[str, Real]:
    return {name: value * times for name, value in parts.items()}


def span(part: Evaluated, phase: str) -> Span:
    """Prefill of a whole batch, or one decode step of it."""
    found = part.phases[phase]
    moved = transfers(part.setup.scenario, part.placed.alone or part.placed, found.costs)
    step = part.setup.prefill_step if phase == "prefill" else part.setup.decode_step
    times = demands(part.setup, found.costs, moved, part.placed.residence, found.steps, step.members)
    longest: Any = 0.0
    for time in times.values():
        longest = most(longest, time.busiest)
    needed: dict[str, Real] = {}
    for name, time in times.items():
        resource = resource_of(name)
        takes = choose(np.asarray(time.busiest >= longest), found.bound, 0.0)
        needed[resource] = most(needed.get(resource, 0.0), takes)
    # parts of an operator overlap: their sum is brought to the time that they make together
    whole = Span(found.bound, sum(found.waits.values()), found.waits, needed)
    return whole.lasting(found.projection)


def first_token(loop: Loop) -> Span:
    """A request's time to its first token in a loop."""
    one, output = loop.request, loop.alone.setup.scenario.workload.output
    before = one.steps - (output - 1.0)
    own = span(loop.alone, "prefill")
    joined = before * one.token
    parts = own.lasting(one.ttft - joined).waits
    return Span(own.bound, one.ttft, _sum(parts, _times(token(loop).waits, before)), own.needed)


def token(loop: Loop) -> Span:
    """A request's time between two tokens in a loop; its bound is that of a step of all that decode."""
    one = loop.request
    step = span(one.crowd, "decode").lasting(one.step)
    return replace(step, projection=one.token, waits={**step.waits, OTHERS: one.token - one.step})


def whole_request(loop: Loop) -> Span:
    """A request in a loop, from its arrival to its last token."""
    output = loop.alone.setup.scenario.workload.output
    return first_token(loop) + token(loop) * (output - 1.0)


def fastest_round(scenario: Scenario, in_flight: Real) -> Span:
    """The least time in which as many requests complete as are in flight, as bound; its projection says nothing.

    The longest of three: one request alone; all prompts; all decode steps. These need not add up: prefills of some
    requests may use what decode steps of others leave of a resource.
    """
    copies, tokens = ranks(scenario), scenario.workload.output - 1.0
    fullest = ceil_div(in_flight, copies)
    alone, crowd = at(scenario, 1.0), at(scenario, ceil_div(in_flight, 1.0))
    out = span(alone, "prefill") + span(alone, "decode") * tokens
    for other in (span(crowd, "prefill"), span(crowd, "decode") * tokens):
        longer = np.asarray(other.bound > out.bound)
        needed = {
            name: choose(longer, other.needed.get(name, 0.0), out.needed.get(name, 0.0))
            for name in {**out.needed, **other.needed}
        }
        out = Span(choose(longer, other.bound, out.bound), other.projection, other.waits, needed)
    # what is bounded is the fullest rank: others may have one sequence less
    return out * (in_flight / (fullest * copies))

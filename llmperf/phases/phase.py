"""One phase of a question: its times, what it waits for, and the step that it is made of."""

from __future__ import annotations

from typing import Any

from llmperf.costs.step import StepCosts
from llmperf.numeric import Real
from llmperf.records import dataclass


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase: times in seconds, by what they wait for, and the priced step that they are made of.

    Attributes
    ----------
    bound, roofline, projection : number or array
        Time of the phase (prefill), or of one token (decode). [s]
    mean : number or array
        Prefill: mean time to the first token of a sequence, by projection, roofline and bound. [s]
    waits : dict of str to number or array
        Projected time by what it waits for, in one step. [s]
    steps : number or array
        Steps of the phase, or micro-batches of one token. [1]
    runs : bool or array
        Whether the phase takes place at all.
    busiest : number or array
        Projected time of one step in the busiest stage of a pipeline. [s]
    """

    bound: Real
    roofline: Real
    projection: Real
    waits: dict[str, Real]
    costs: StepCosts
    steps: Real
    mean: tuple[Real, Real, Real] = (0.0, 0.0, 0.0)
    runs: Any = True
    busiest: Real = 0.0

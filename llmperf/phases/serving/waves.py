"""Waves: a batch that does not fit runs in parts, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, anywhere, ceil_div, choose, least
from llmperf.phases.answered import Evaluated
from llmperf.phases.estimate import evaluate
from llmperf.phases.serving.request import at, fitting


@dataclass(frozen=True, slots=True)
class Waves:
    """A batch in parts; numbers or arrays.

    Attributes
    ----------
    whole, part : Evaluated
        The batch as if it did fit, and the part of it that fits; the same where all of it does.
    sequences : number or array
        Sequences of a full part. [1]
    parts : number or array
        How many there are; infinity where not even one sequence fits. [1]
    e2e : number or array
        From the first prompt to the last token of all, projected; where not even one sequence fits, as if all did. [s]
    """

    whole: Evaluated
    part: Evaluated
    sequences: Real
    parts: Real
    e2e: Real


def waves(scenario: Scenario) -> Waves:
    """The batch of a scenario, as many sequences of it at a time as fit.

    Notes
    -----
    Sequences of equal lengths end together, so that as many as fit make way for the next as many; the last part is
    smaller. Lengths are whole ones: unlike in a loop, all sequences are of one age.
    """
    whole, batch = evaluate(scenario), scenario.workload.batch
    room = fitting(whole)
    if not anywhere(np.asarray(batch > room)):
        return Waves(whole, whole, batch, 1.0, whole.parts["projection"].e2e_s)
    some = np.asarray(room >= 1.0)
    fits = choose(some, least(batch, room), batch)
    parts = ceil_div(batch, fits)
    part, last = at(scenario, fits), at(scenario, batch - (parts - 1.0) * fits)
    e2e = (parts - 1.0) * part.parts["projection"].e2e_s + last.parts["projection"].e2e_s
    return Waves(whole, part, fits, choose(some, parts, np.inf), e2e)

"""The mean request of a service, and the static batches that stand for moments of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, anywhere, ceil_div, choose, log, most, root
from llmperf.phases.answered import Evaluated
from llmperf.phases.estimate import evaluate


@dataclass(frozen=True, slots=True)
class Request:
    """Mean times of a request, projected; numbers or arrays.

    Attributes
    ----------
    in_flight : number or array
        Requests in flight that it meets, itself included, on all ranks. [1]
    step : number or array
        A decode step of those that decode. [s]
    prompt : number or array
        What a prompt adds to the steps that it joins, for the others in them. [s]
    own : number or array
        What its own prompt takes to its first token, beside the step that it joins. [s]
    token : number or array
        Between two tokens, with the prompts of others that join the steps. [s]
    ttft, e2e : number or array
        From its arrival to its first and to its last token. [s]
    steps : number or array
        Steps that the request stays for, the running one that it waits for included. [1]
    chunks : number or array
        Steps that its prompt joins. [1]
    arriving : number or array
        What an arrival waits for besides, where requests do not come as others are complete. [s]
    crowd : Evaluated
        The static batch of those that decode.
    elasticity, pace : number or array
        Relative growth of `e2e`, and of `token`, over that of the requests in flight, where a curve knows them. [1]
    """

    in_flight: Real
    step: Real
    prompt: Real
    own: Real
    token: Real
    ttft: Real
    e2e: Real
    steps: Real
    chunks: Real
    arriving: Real
    crowd: Evaluated
    elasticity: Real = 0.0
    pace: Real = 0.0

    @property
    def prompting(self) -> Real:
        """Share of the time that steps are longer by prompts of others. [1]"""
        return 1.0 - self.step / most(self.token, 1e-300)


def at(scenario: Scenario, batch: Real, **lengths: Real) -> Evaluated:
    """The static batch of so many sequences, as a mean over time; other keys of its workload stay, but for those given.

    Independent copies share what is in flight evenly. Ranks of one copy step together, so that the fullest counts.
    """
    layout = scenario.parallelism
    changed: Any = {"batch": batch, **lengths}
    each: Any = batch / (layout.dp * layout.replicas)
    fullest = each
    if anywhere(layout.dp > 1):
        fullest = choose(layout.dp > 1, ceil_div(each, 1.0) + uneven(scenario, each), each)
    return evaluate(replace(scenario, workload=replace(scenario.workload, **changed)), most(fullest, 1.0))


def uneven(scenario: Scenario, each: Real) -> Any:
    """Sequences of the fullest data-parallel rank beyond the mean, where requests go to each in turn. [1]

    Notes
    -----
    Requests of equal lengths leave as evenly as they come; of lengths that scatter far, the number on a rank is that of
    a Poisson process. The largest of ``d`` normal numbers lies about ``sqrt(2 ln d)`` standard deviations above their
    mean.
    """
    traffic = scenario.traffic
    if traffic is None or scenario.engine.balances == "least_loaded":
        return 0.0
    square = traffic.output.cv**2
    return root(2.0 * log(scenario.parallelism.dp) * each * square / (1.0 + square))


def fitting(batch: Evaluated) -> Real:
    """Sequences of the lengths of a static batch of which memory and engine have room. [1]"""
    found: Real = batch.parts["memory"].max_batch
    return float(found.item()) if type(found) is np.ndarray and found.size == 1 else found


def ranks(scenario: Scenario) -> Real:
    """Data-parallel ranks of all replicas, each of which serves sequences of its own. [1]"""
    return scenario.parallelism.dp * scenario.parallelism.replicas


def interrupted(step: Real, prompt: Real, others: Real, steps: Real) -> Real:
    """Mean time of a decode step that the prompts of others join.

    Parameters
    ----------
    step : number or array
        A decode step without prompts. [s]
    prompt : number or array
        What one prompt adds to the steps that it joins. [s]
    others : number or array
        Further requests on the same data-parallel rank. [1]
    steps : number or array
        Steps that a request stays for: in as many, each of the others is replaced once. [1]

    Returns
    -------
    number or array
        [s]

    Notes
    -----
    Device time is conserved: one round of all requests takes ``steps`` steps and a prompt of each.
    """
    return step + others * prompt / most(steps, 1.0)

"""One request among others that a server works on: the times that closed and open loops are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, ceil_div, choose, everywhere, least, most
from llmperf.phases.answered import Evaluated
from llmperf.phases.estimate import evaluate
from llmperf.phases.mixed import mixed

RUNNING = 0.5
"""Steps that a request waits for the one that runs when it comes: half of one on average. [1]"""


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
        What a prompt adds to the steps that it joins. [s]
    token : number or array
        Between two tokens, with the prompts of others that join the steps. [s]
    ttft, e2e : number or array
        From its arrival to its first and to its last token. [s]
    steps : number or array
        Steps that the request stays for, the running one that it waits for included. [1]
    crowd : Evaluated
        The static batch of those that decode.
    """

    in_flight: Real
    step: Real
    prompt: Real
    token: Real
    ttft: Real
    e2e: Real
    steps: Real
    crowd: Evaluated


def at(scenario: Scenario, batch: Real, **lengths: Real) -> Evaluated:
    """The static batch of so many sequences; other keys of its workload stay, but for those given."""
    changed: Any = {"batch": batch, **lengths}
    return evaluate(replace(scenario, workload=replace(scenario.workload, **changed)))


def fitting(batch: Evaluated) -> Real:
    """Sequences of the lengths of a static batch of which memory and engine have room. [1]"""
    found: Real = batch.parts["memory"].max_batch
    return float(found.item()) if isinstance(found, np.ndarray) and found.size == 1 else found


def ranks(scenario: Scenario) -> int:
    """Data-parallel ranks of all replicas, each of which serves sequences of its own. [1]"""
    return int(scenario.parallelism.dp * scenario.parallelism.replicas)


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


def request(scenario: Scenario, in_flight: Real, alone: Evaluated) -> Request:
    """A request that shares the server with others, each of which is replaced when it is complete.

    Parameters
    ----------
    scenario : Scenario
        Its `workload.batch` is not used.
    in_flight : number or array
        Requests in flight, this one included; at least one. [1]
    alone : Evaluated
        The batch of one.

    Notes
    -----
    With ``n`` requests a rank, of ``c`` chunks of a prompt and ``o`` tokens, a request waits for half of the step that
    runs, joins ``c`` steps with its prompt, and ``o - 1`` more:

        ``k = 1/2 + c + o - 1``, ``token = s + (n - 1) p / k``,
        ``ttft = q + (1/2 + c) token + p``, ``e2e = ttft + (o - 1) token = q + k s + n p``.

    ``s`` is the decode step of those that have their first token, ``n (o - 1) / k`` of them; ``p`` is what a prompt
    adds to a step that reads the weights anyway (`added`), ``q`` the engine's host time of a request. Alone, a request
    joins nothing: its prompt is a prefill of its own. Between one and two requests a rank the two are mixed.

    References
    ----------
    .. [1] Agrawal et al., "Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve",
       arXiv:2403.02310, sec. 4.2: prompts join decode steps.
    .. [2] Little, "A Proof for the Queuing Formula L = lambda W", Operations Research 9, 1961: how many decode.
    """
    output, engine = scenario.workload.output, scenario.engine
    several = np.asarray(output > 1.0)
    each = in_flight / ranks(scenario)
    others = most(each - 1.0, 0.0)
    joins = least(others, 1.0)
    new = alone.setup.new_tokens
    chunks = new / least(new, most(engine.token_budget - each, 1.0))
    before = joins * (RUNNING + chunks)
    steps = before + output - 1.0
    decoding = most(ceil_div(in_flight * (output - 1.0), most(steps, 1.0)), 1.0)
    crowd = at(scenario, choose(several, decoding, most(ceil_div(in_flight, 1.0), 1.0)))
    step = choose(several, crowd.phases["decode"].projection, 0.0)
    prompt = added(crowd, most(ceil_div(each, most(steps, 1.0)), 1.0))
    if not everywhere(several):  # nobody decodes: prompts read the weights for themselves
        whole = crowd.phases["prefill"].projection - engine.request_time
        prompt = choose(several, prompt, whole / most(each, 1.0))
    own = joins * prompt + (1.0 - joins) * (alone.phases["prefill"].projection - engine.request_time)
    token = interrupted(step, prompt, others, steps)
    ttft = engine.request_time + before * token + own
    return Request(in_flight, step, prompt, token, ttft, ttft + (output - 1.0) * token, steps, crowd)


def added(crowd: Evaluated, joining: Real) -> Any:
    """Time that a prompt adds to the decode steps that it joins, in chunks of what they leave of the token budget.

    Parameters
    ----------
    crowd : Evaluated
        The static batch of the sequences that decode.
    joining : number or array
        Prompts that come in one step of a rank; no more join it than the budget has room for. [1]

    Returns
    -------
    number or array
        [s]
    """
    setup = crowd.setup
    left = most(setup.scenario.engine.token_budget - setup.decode_step.sequences, 1.0)
    new = setup.new_tokens
    chunk = least(new, left)
    together = least(joining, most(left // chunk, 1.0))
    step = mixed(setup, crowd.placed, together).projection
    return (new / chunk) * most(step - crowd.phases["decode"].projection / crowd.phases["decode"].steps, 0.0) / together

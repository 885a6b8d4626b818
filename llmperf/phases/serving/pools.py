"""Two pools: prompts run on workers of their own, which hand the KV cache over to workers that decode."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, choose, floor_div, least, most
from llmperf.phases.answered import Evaluated
from llmperf.phases.serving.lengths import mix
from llmperf.phases.serving.request import Request, at, ranks
from llmperf.records import dataclass

FULLEST = 0.999
"""Share of its time that a worker may be busy at most for its queue to have a mean. [1]"""


@dataclass(frozen=True, slots=True)
class Prefill:
    """A pool of workers that prefill; numbers or arrays.

    Attributes
    ----------
    alone : Evaluated
        A prompt by itself on one worker.
    prompt, busy : number or array
        Time of a prompt by itself, and of each of as many as fill the token budget. [s]
    handed : number or array
        Time until the KV cache of a prompt is where it decodes. [s]
    workers : number or array
        [1]
    """

    alone: Evaluated
    prompt: Real
    busy: Real
    handed: Real
    workers: Real

    @property
    def capacity(self) -> Real:
        """Most prompts in a second. [1/s]"""
        return self.workers / self.busy


def prefill(scenario: Scenario) -> Prefill:
    """The pool of a scenario that prefills, for the prompts of its workload.

    Notes
    -----
    A cache is handed over by all devices of a worker at once, each its share, through the slower of both sides' links:
    those between domains, or where one has none those within.

    References
    ----------
    .. [1] Zhong et al., "DistServe: Disaggregating Prefill and Decoding for Goodput-optimized Large Language Model
       Serving", arXiv:2401.09670, sec. 3.1: queues of prompts, M/D/1.
    .. [2] Patel et al., "Splitwise: Efficient Generative LLM Inference Using Phase Splitting", arXiv:2311.18677,
       sec. 4: transfers of the cache.
    """
    own = scenario.prefill_pool
    assert own is not None
    lengths = mix(scenario)
    pool = replace(own, workload=replace(scenario.workload, output=1.0), traffic=scenario.traffic)
    changed = {name: value for name, value in lengths.prompts.items() if name != "output"}
    copies = own.parallelism.dp * own.parallelism.replicas
    alone = at(pool, copies, **changed)  # one a rank: all of them run at once
    host = pool.engine.request_time
    together = most(floor_div(pool.engine.token_budget, alone.setup.new_tokens), 1.0)
    batch = at(pool, copies * together, **changed)
    share = lengths.prompt_share
    prompt = (alone.phases["prefill"].projection - host) * share
    each = least((batch.phases["prefill"].projection - host) * share / together, prompt)
    cache = alone.parts["memory"].kv_cache
    handed = cache / least(_bandwidth(own), _bandwidth(scenario))
    return Prefill(alone, prompt, each, handed, copies)


def _bandwidth(scenario: Scenario) -> Real:
    """Bytes that a device hands over in a second. [B/s]"""
    hardware = scenario.hardware
    links = (hardware.link(kind) for kind in ("scale_out", "scale_up", "host"))
    found = next((link for link in links if link is not None), None)
    return math.inf if found is None else found.bandwidth


def handed_over(scenario: Scenario, in_flight: Real) -> Request:
    """A request among others that decode, whose prompts have run elsewhere.

    Parameters
    ----------
    scenario : Scenario
    in_flight : number or array
        Requests in flight on the workers that decode, this one included. [1]

    Notes
    -----
    No prompt interrupts it. Its times are those on these workers: from when its cache is sent.
    """
    lengths, engine = mix(scenario), scenario.engine
    crowd = at(scenario, in_flight, **lengths.decoding)
    step = crowd.phases["decode"].projection
    each = in_flight / ranks(scenario)
    before = least(most(each - 1.0, 0.0), 1.0) * (0.5 + engine.ahead)
    steps = before + lengths.output - 1.0
    handed = prefill(scenario).handed
    whole = handed + steps * step
    zero = 0.0 * step
    return Request(in_flight, step, zero, zero, step, handed + before * step, whole, steps, 1.0, 0.0, crowd)


def queued(pool: Prefill, rate: Real, scatter: Real) -> Any:
    """Mean time that a prompt waits for its worker. [s]

    Parameters
    ----------
    pool : Prefill
    rate : number or array
        Arrivals. [1/s]
    scatter : number or array
        Squared coefficients of variation of gaps and of prompts together. [1]

    References
    ----------
    .. [1] Kingman, "The single server queue in heavy traffic", 1961; of Poisson arrivals it is Pollaczek and
       Khinchine's mean.
    """
    load = rate / pool.capacity
    below = least(load, FULLEST)
    found = pool.busy * below / (1.0 - below) * scatter / 2.0
    return choose(load < 1.0, found, math.inf)


def whole(scenario: Scenario, decoding: Request, rate: Real) -> tuple[Request, Prefill]:
    """The request of both pools, from its arrival to its last token, at a rate of arrivals.

    The first token comes from the worker that prefills; the cache is handed over before the second.
    """
    pool, traffic = prefill(scenario), scenario.traffic
    scatter: Any = 1.0
    if traffic is not None:
        scatter = 1.0 / traffic.burstiness + traffic.input.cv**2
    engine = pool.alone.setup.scenario.engine
    waits = queued(pool, rate, scatter)
    first = engine.request_time + engine.front_time + waits + pool.prompt
    output = scenario.workload.output
    further = most(output - 1.0, 1.0)
    token = choose(output > 1.0, decoding.e2e / further, decoding.token)  # the hand-over delays the second token
    one = replace(
        decoding,
        prompt=0.0 * decoding.step,
        own=pool.prompt,
        token=token,
        ttft=first,
        e2e=first + (output - 1.0) * token,
    )
    return one, pool

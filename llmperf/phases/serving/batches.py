"""Request-level batches: the next begins when the last request of the one before is complete."""

from __future__ import annotations

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, log, most, root
from llmperf.phases.serving.lengths import mix
from llmperf.phases.serving.request import Request, at, ranks


def batched(scenario: Scenario, in_flight: Real) -> Request:
    """A request in a batch that all of them begin together, as engines without iteration-level scheduling run them.

    Parameters
    ----------
    scenario : Scenario
        Its `workload.batch` is not used.
    in_flight : number or array
        Requests of a batch, on all ranks. [1]

    Notes
    -----
    All prompts run first; then every sequence takes part in the steps until the longest is complete, which of ``n``
    lognormal lengths is the one at about the quantile ``sqrt(2 ln n)``. A request that is complete waits for the
    others, and one that arrives for the end of the running batch: half of it on average.

    References
    ----------
    .. [1] Yu et al., "Orca: A Distributed Serving System for Transformer-Based Generative Models", OSDI 2022, sec. 2:
       request-level scheduling.
    """
    lengths, engine = mix(scenario), scenario.engine
    longest = longest_of(scenario, in_flight / ranks(scenario))
    changed = {**lengths.prompts, "output": longest}
    batch = at(scenario, in_flight, **changed)
    prefill = batch.phases["prefill"]
    step = batch.phases["decode"].projection
    whole = prefill.projection + (longest - 1.0) * step
    prompt = (prefill.projection - engine.request_time) * ranks(scenario) / most(in_flight, 1.0)
    return Request(
        in_flight,
        step,
        prompt,
        prefill.projection - engine.request_time,
        step,
        prefill.projection + engine.front_time,
        whole + engine.front_time,
        longest,
        1.0,
        whole / 2.0,
        batch,
    )


def longest_of(scenario: Scenario, sequences: Real) -> Real:
    """Expected length of the longest of so many outputs. [1]"""
    output, traffic = scenario.workload.output, scenario.traffic
    if traffic is None:
        return output
    from numpy import exp

    spread: Real = log(1.0 + traffic.output.cv**2)
    longest: Real = output * exp(root(2.0 * spread * log(most(sequences, 1.0))) - spread / 2.0)
    return most(longest, output)

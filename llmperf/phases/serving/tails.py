"""How far requests lie from the mean one: percentiles of waiting, of tokens and of whole requests.

What makes them differ is named: where in a running step a request comes, how many prompts join a step, how many
requests are in flight while it stays, how long it is, and whether it waits for room. Each is a variance; what one time
has of them is a gamma distribution above the least time, and what lengths add is joined by squares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, choose, least, most, root
from llmperf.phases.serving.gaps import Gaps, beside, gaps
from llmperf.phases.serving.lengths import mix, quantile, score
from llmperf.phases.serving.loop import NO_WAIT, Wait
from llmperf.phases.serving.request import Request, ranks
from llmperf.phases.serving.scheduled import gated

Moved = Callable[[float], Any]
"""Of a percentile, how far it lies from the mean. [s]"""
TINY = 1e-300
ENDLESS = 1e12
"""What stands for waiting without end. [s]"""


@dataclass(frozen=True, slots=True)
class Spread:
    """A time that scatters; numbers or arrays.

    Attributes
    ----------
    least, mean, variance : number or array
        [s], [s], [s2]
    lengths : callable
        Of a percentile: how far lengths of requests alone move the time from its mean. [s]
    late : callable
        Of a percentile: what waiting for room adds to the mean of it. [s]
    length_variance : number or array
        Of the time, by lengths alone. [s2]
    """

    least: Real
    mean: Real
    variance: Real
    lengths: Moved
    late: Moved
    length_variance: Real = 0.0

    def percentile(self, percent: float) -> Real:
        """A percentile. [s]"""
        own = self._gamma(score(percent), self.variance) - self.mean
        found: Real = self.mean + beside(own, self.lengths(percent)) + self.late(percent)
        return found

    def within(self, limit: Real) -> Real:
        """Share of requests that take at most so long. [1]"""
        excess = most(self.mean - self.least, TINY)
        shape = most(excess**2 / most(self.variance + self.length_variance, TINY), SHARPEST)
        ratio = most(limit - self.least, 0.0) / excess
        far = 3.0 * root(shape) * (ratio ** (1.0 / 3.0) - 1.0 + 1.0 / (9.0 * shape))
        far = least(most(far, -8.0), 8.0)
        share: Real = choose(limit < self.least, 0.0, 1.0 / (1.0 + np.exp(-1.5976 * far - 0.07056 * far**3)))
        return share

    def _gamma(self, normal: float, variance: Real) -> Any:
        """The quantile of a gamma distribution above the least time, by Wilson and Hilferty's cube. [s]"""
        excess = most(self.mean - self.least, TINY)
        shape = most(excess**2 / most(variance, TINY), SHARPEST)
        cube = 1.0 - 1.0 / (9.0 * shape) + normal / (3.0 * root(shape))
        return self.least + excess * most(cube, 0.0) ** 3.0


SHARPEST = 0.12
"""Least shape of a gamma distribution for which the cube holds: below it is a distribution of rare, long waits. [1]"""


def tails(
    scenario: Scenario,
    one: Request,
    flying: Real = 0.0,
    seen: Real = 1.0,
    wait: Wait = NO_WAIT,
    clumps: Real = 0.0,
) -> dict[str, Spread | Gaps]:
    """How TTFT, ITL, TPOT and E2E of requests scatter.

    Parameters
    ----------
    scenario : Scenario
    one : Request
        The mean request.
    flying : number or array
        Variance of the number in flight over the square of its mean; 0 of a closed loop. [1]
    seen : number or array
        Share of that variance that a request sees while it stays. [1]
    wait : Wait
        For room.
    clumps : number or array
        Requests that come in the same step beyond those of a Poisson process. [1]

    Returns
    -------
    dict of str to Spread
        By ``ttft``, ``itl``, ``tpot``, ``e2e``.

    References
    ----------
    .. [1] Wilson and Hilferty, "The Distribution of Chi-Square", PNAS 17, 1931.
    """
    output, traffic = mix(scenario).output, scenario.traffic
    least_first, first = _first(scenario, one, clumps)
    wait = Wait(wait.share, least(wait.mean, ENDLESS))
    lengths_in, lengths_out = _moved(scenario, one, output)

    def late(percent: float) -> Any:
        return wait.percentile(percent) - wait.mean

    busy = 0.0 if scenario.engine.schedule == "static" else one.prompting
    numbers = one.pace**2 * flying * seen
    paced = numbers + busy * one.prompt / most(one.steps * one.token, TINY)
    generating = (output - 1.0) * one.token
    return {
        "ttft": Spread(
            least_first,
            one.ttft + wait.mean,
            first,
            lengths_in,
            late,
            (one.own * traffic.input.cv) ** 2 if traffic is not None else 0.0,
        ),
        "tpot": Spread(least(one.step, one.token), one.token, paced * one.token**2, nowhere, nowhere),
        "itl": gaps(scenario, one, one.pace**2 * flying),
        "e2e": Spread(
            choose(output > 1.0, 0.0 * one.e2e, least_first),
            one.e2e + wait.mean,
            first + paced * generating**2,
            lambda percent: beside(lengths_in(percent), lengths_out(percent)),
            late,
            (one.token * output) ** 2 * (traffic.output.cv**2 if traffic is not None else 0.0),
        ),
    }


def _first(scenario: Scenario, one: Request, clumps: Real) -> tuple[Any, Any]:
    """The least time to a first token, and the variance of that time. [s], [s2]

    Notes
    -----
    A step of mean ``S`` takes a prompt of each that came in the one before: with the share ``u`` of prompts in the
    time, its variance is ``v = p u S / (1 - u^2)`` and its third moment about the mean ``p^2 u S``. An arrival comes
    evenly anywhere in a step ``S'`` that it meets with a weight of its length, waits for the rest of it, and shares the
    next one with ``m`` others: ``E[S'^2] / 12 + p^2 m + (1/2 + u)^2 Var(S')``.

    References
    ----------
    .. [1] Takagi, "Queueing Analysis", vol. 1, 1991, ch. 2: gated service, residual times.
    """
    engine = scenario.engine if scenario.prefill_pool is None else scenario.prefill_pool.engine
    host = engine.request_time + engine.front_time
    before = most(one.ttft - one.own - host, 0.0)
    if scenario.engine.schedule == "static":
        return one.ttft - before, before**2 / 12.0
    if scenario.prefill_pool is not None:  # M/D/1: Takagi, ch. 1
        return one.ttft - before, before**2 + before * one.own * (2.0 / 3.0)
    others = most(one.in_flight / ranks(scenario) - 1.0, 0.0)
    busy, step = choose(one.step > 0.0, one.prompting, 0.0), one.token  # prompts alone run one after the other
    met = gated(step, one.prompt, busy, others)
    joining = least(busy * met / most(one.prompt, TINY) + clumps, others)
    wide = one.prompt * busy * (1.0 + clumps)
    squares = step**2 + 3.0 * wide * step / most(1.0 - busy**2, 0.05) + one.prompt * wide
    longer = most(squares - met**2, 0.0)
    residual = least(met / 2.0, before)
    variance = residual**2 / 3.0 * (squares / most(met**2, TINY)) + one.prompt**2 * joining + (0.5 + busy) ** 2 * longer
    return most(one.ttft - residual - one.prompt * joining, 0.0), variance


def _moved(scenario: Scenario, one: Request, output: Real) -> tuple[Moved, Moved]:
    """How far lengths alone move the time to the first token, and the time from there to the last."""
    traffic = scenario.traffic
    if traffic is None:
        return nowhere, nowhere
    given, taken, work = traffic.input, traffic.output, scenario.workload
    return (
        lambda percent: one.own * (quantile(given, work.input, percent) / work.input - 1.0),
        lambda percent: one.token * (quantile(taken, output, percent) - output),
    )


def nowhere(percent: float) -> Any:  # noqa: ARG001 (any percentile)
    """What does not move a time. [s]"""
    return 0.0

"""Times between two tokens of a request: decode steps, and prompts of others that run before some of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, choose, least, most, root
from llmperf.phases.serving.lengths import mix, score
from llmperf.phases.serving.request import Request, ranks

TINY = 1e-12
ENDLESS = 1e12
"""Of a step that takes all prompts that are there. [s]"""


@dataclass(frozen=True, slots=True)
class Gaps:
    """The distribution of times between tokens; numbers or arrays.

    Attributes
    ----------
    step, mean : number or array
        Without prompts, and of all. [s]
    some, spilled : number or array
        Of all gaps, the share with prompts that have come in the gap before, and with what of them no step had room
        for. [1]
    middle, spread : number or array
        Median of what prompts add to the former, and standard deviation of its logarithm. [s], [1]
    fullest : number or array
        The most that prompts add. [s]
    numbers : number or array
        Variance of a step by the requests in flight, over its square. [1]
    """

    step: Real
    mean: Real
    some: Real
    spilled: Real
    middle: Real
    spread: Real
    fullest: Real
    numbers: Real = 0.0

    def percentile(self, percent: float) -> Real:
        """A percentile. [s]"""
        above = (1.0 - percent / 100.0 - self.spilled) / self.some
        inside = least(most(above, TINY), 1.0 - TINY)
        added = least(self.middle * np.exp(self.spread * normal_above(inside)), self.fullest)
        added = choose(above >= 1.0, 0.0, choose(above <= 0.0, self.fullest, added))
        crowd = score(percent) * root(self.numbers) * self.mean
        found: Real = self.mean + beside(self.step + added - self.mean, crowd)
        return found

    def within(self, limit: Real) -> Real:
        """Share of tokens that come after at most so long. [1]"""
        room = limit - self.step
        above = least(self.spilled + self.some * longer(self.middle, self.spread, most(room, TINY)), 1.0)
        found: Real = 1.0 - choose(room >= self.fullest, 0.0, choose(room < 0.0, 1.0, above))
        return found


def beside(a: Any, b: Any) -> Any:
    """How far two quantities that vary independently lie from their mean together: by squares, with their signs."""
    moved = a * most(a, -a) + b * most(b, -b)
    size = root(most(moved, -moved))
    return choose(moved >= 0.0, size, -size)


def gaps(scenario: Scenario, one: Request, numbers: Real = 0.0) -> Gaps:
    """The times between tokens of the mean request.

    Parameters
    ----------
    scenario : Scenario
    one : Request
    numbers : number or array
        Variance of a step by the requests in flight, over its square. [1]

    Notes
    -----
    With ``m`` prompts a step, of a mean ``p`` and a coefficient of variation ``c``, that take a share ``u`` of the
    time: those that come in a step join the next one, which holds any with the probability ``f = 1 - exp(-m)``, then
    ``m p / f`` on average, of a second moment of ``p^2 (m (1 + c^2) / (1 - u^2) + m^2) / f``: taken as lognormal, as
    lengths are. A step has room for prompts of the token budget only; what is beyond fills the steps that follow. An
    engine that decodes only when no prompt is left runs those as well that come meanwhile: busy periods of a mean
    ``p / (1 - u)`` and of a second moment of ``p^2 (1 + c^2) / (1 - u)^3``, one for each that comes in a decode step.

    References
    ----------
    .. [1] Takagi, "Queueing Analysis", vol. 1, 1991, ch. 1 and 2: busy periods of M/G/1, gated service.
    .. [2] Agrawal et al., "Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve",
       arXiv:2403.02310, sec. 4.3: token budgets.
    """
    engine, traffic = scenario.engine, scenario.traffic
    apart = engine.schedule == "prefill_first"
    busy = least(most(1.0 - one.step / most(one.token, TINY), 0.0), 0.95)
    size: Any = most(one.prompt, TINY)
    number: Any = most((one.token - one.step) / size, TINY) * engine.prefill_interval
    square: Any = 1.0 if traffic is None else 1.0 + traffic.input.cv**2
    if apart:
        number, size, square = number * (1.0 - busy), size / (1.0 - busy), square / (1.0 - busy)
        fullest: Any = ENDLESS + 0.0 * size
    else:
        square = square / (1.0 - busy**2)
        decoding = one.in_flight / ranks(scenario) * (mix(scenario).output - 1.0) / most(one.steps, 1.0)
        left = most(engine.token_budget - decoding, 1.0)
        fullest = size * left / (scenario.workload.input - mix(scenario).cached)
    some: Any = 1.0 - np.exp(-least(number, 50.0))
    mean = size * number / some
    scatter = most(size**2 * (number * square + number**2) / some / mean**2 - 1.0, TINY)
    spread, middle = root(np.log(1.0 + scatter)), mean / root(1.0 + scatter)
    over = longer(middle, spread, fullest)
    held = mean * (1.0 - longer(middle * np.exp(spread**2), spread, fullest)) + fullest * over  # of the mean, in a step
    spilled = most(size * number - some * held, 0.0) / fullest
    return Gaps(
        one.step,
        one.token,
        some / engine.prefill_interval,
        spilled / engine.prefill_interval,
        middle,
        spread,
        fullest,
        numbers,
    )


def longer(middle: Real, spread: Real, than: Real) -> Any:
    """Share of a lognormal quantity beyond a value, to a thousandth. [1]

    References
    ----------
    .. [1] Page, "Approximations to the Cumulative Normal Function", Applied Statistics 26, 1977.
    """
    far = least(most(np.log(than / middle) / spread, -8.0), 8.0)
    return 1.0 / (1.0 + np.exp(1.5976 * far + 0.07056 * far**3))


def normal_above(share: Real) -> Any:
    """The value that a share of a standard normal quantity lies above, to some ten-thousandths. [1]

    References
    ----------
    .. [1] Abramowitz and Stegun, "Handbook of Mathematical Functions", 1964, 26.2.23.
    """
    tail = least(share, 1.0 - share)
    t: Any = root(-2.0 * np.log(tail))
    value = t - (2.515517 + 0.802853 * t + 0.010328 * t**2) / (1.0 + 1.432788 * t + 0.189269 * t**2 + 0.001308 * t**3)
    return choose(share > 0.5, -value, value)

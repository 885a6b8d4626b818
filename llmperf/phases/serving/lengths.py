"""Requests of unequal lengths in one batch: which lengths stand for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.descriptors.traffic import Lengths
from llmperf.numeric import Real, anywhere, least, most
from llmperf.records import dataclass

NORMAL = {50: 0.0, 90: 1.2815515655446004, 99: 2.3263478740408408}
"""Quantiles of the standard normal distribution by per cent."""


@dataclass(frozen=True, slots=True)
class Mix:
    """The lengths at which costs that are linear or quadratic in them are those of the mean request.

    Attributes
    ----------
    output : number or array
        Mean tokens that a request generates: how many steps it stays. [1]
    decoding, prompts : mapping of str to number or array
        Keys of a workload at which decode steps, and prompts, are evaluated; empty where they are the workload's own.
    prompt_share : number or array
        Cost of the mean prompt over that of the prompt that is evaluated. [1]
    cached : number or array
        Tokens of a prompt that lie in the prefix cache. [1]
    hits : bool
        Whether more of it lies there than the prefix that all share.
    """

    output: Real
    decoding: Mapping[str, Real]
    prompts: Mapping[str, Real]
    prompt_share: Real
    cached: Real
    hits: bool


def mix(scenario: Scenario) -> Mix:
    """What stands for requests of unequal lengths.

    Notes
    -----
    A request of ``O`` tokens stays for ``O`` steps, so that a step meets it with a weight of ``O``: the mean context is
    ``E[I O] / E[O] + E[O^2] / (2 E[O])``. A prompt costs ``a I + b I^2``; that is what the prompt of
    ``I' = E[I^2] / E[I]`` tokens costs, times ``E[I] / I'``.
    """
    work, traffic = scenario.workload, scenario.traffic
    if traffic is None:
        return Mix(work.output, {}, {}, 1.0, work.shared_prefix, False)
    given, taken = traffic.input.cv, traffic.output.cv
    scatter = anywhere(most(given, taken) > 0.0)
    hits = anywhere(traffic.prefix_hit > 0.0)
    behind = traffic.prefix_hit * (work.input - work.shared_prefix)
    cached: Any = least(work.shared_prefix + behind, work.input - 1.0) if hits else work.shared_prefix
    decoding: dict[str, Real] = {}
    prompts: dict[str, Real] = {}
    share: Real = 1.0
    if scatter:
        share = 1.0 / (1.0 + given**2)
        held = work.input * most(1.0 + traffic.correlation * given * taken, 0.0)
        decoding = {"input": most(held, 1.0), "output": work.output * (1.0 + taken**2)}
        prompts = {**decoding, "input": work.input / share}
    if hits:
        part = cached / work.input
        prompts = {**prompts, "shared_prefix": part * prompts.get("input", work.input)}
    return Mix(work.output, decoding, prompts, share, cached, hits)


def quantile(lengths: Lengths, mean: Real, percent: int) -> Real:
    """A quantile of lengths: as it was counted, else that of the lognormal distribution. [1]

    Parameters
    ----------
    lengths : Lengths
    mean : number or array
        Of what is asked; what was counted goes with it in proportion. [1]
    percent : int
        A key of `NORMAL`.
    """
    counted = getattr(lengths, f"p{percent}")
    if counted is not None:
        scaled: Real = counted * (mean / lengths.mean if lengths.mean is not None else 1.0)
        return scaled
    spread = np.log(1.0 + lengths.cv**2)
    found: Real = mean * np.exp(NORMAL[percent] * np.sqrt(spread) - spread / 2.0)
    return found

"""Requests of unequal lengths in one batch: which lengths stand for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from statistics import NormalDist
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


def score(percent: float) -> float:
    """The quantile of the standard normal distribution. [1]"""
    known = {float(key): far for key, far in NORMAL.items()}
    return known[percent] if percent in known else NormalDist().inv_cdf(percent / 100.0)


def quantile(lengths: Lengths, mean: Real, percent: float) -> Real:
    """A quantile of lengths: as it was counted, or between those that were; else that of the lognormal distribution.

    Parameters
    ----------
    lengths : Lengths
    mean : number or array
        Of what is asked; what was counted goes with it in proportion. [1]
    percent : float

    Returns
    -------
    number or array
        [1]
    """
    far = score(percent)
    spread = np.log(1.0 + lengths.cv**2)
    counted = [(NORMAL[key], value) for key in NORMAL if (value := getattr(lengths, f"p{key}")) is not None]
    if not counted:
        usual: Real = mean * np.exp(far * np.sqrt(spread) - spread / 2.0)
        return usual
    scaled: Any = mean / lengths.mean if lengths.mean is not None else 1.0
    ends = [ends for ends in pairwise(counted) if ends[0][0] <= far <= ends[1][0]]
    if not ends:  # beyond what was counted, as far apart as lognormal lengths
        near, value = min(counted, key=lambda one: abs(one[0] - far))
        beyond: Real = scaled * value * np.exp((far - near) * np.sqrt(spread))
        return beyond
    (low, less), (high, more) = ends[0]
    between: Real = scaled * less * (more / less) ** ((far - low) / (high - low))
    return between

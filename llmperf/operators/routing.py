"""How tokens fall on experts, and experts on devices: distinct experts, skewed loads, the hottest rank."""

from __future__ import annotations

import numpy as np

from llmperf.numeric import Array, Real, least, log, most, root
from llmperf.records import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """Tokens' choices and distinct experts of a rank: the mean, and those of the most loaded rank. [1]"""

    rows: Real
    hit: Real
    most_rows: Real
    most_hit: Real


def experts_hit(experts: Real, top_k: Real, tokens: Real, diversity: Real) -> Real:
    """Expected distinct experts of `tokens` tokens that choose uniformly.

    Parameters
    ----------
    experts, top_k : number or array
        Experts of a layer, and experts a token chooses. [1]
    tokens : number or array
        Tokens of the whole expert-parallel group. [1]
    diversity : number or array
        0: all tokens choose alike; 1: independently. [1]

    Returns
    -------
    number or array
        ``E (1 - (1 - k/E)^T)``, T the number of independent choices; between `top_k` and `experts`. [1]
    """
    independent = 1.0 + most(tokens - 1.0, 0.0) * diversity
    return experts * (1.0 - (1.0 - top_k / experts) ** independent)


def hottest(mean: Real, ranks: Real, ceiling: Real) -> Real:
    """Expected load of the most loaded of `ranks` ranks whose loads scatter around `mean` like counts.

    Notes
    -----
    The expected maximum of n normal variates is about ``mean + sigma sqrt(2 ln n)``; sigma^2 of a count that falls
    on one of n ranks is ``mean (1 - 1/n)``. No rank can get more than `ceiling`.
    """
    return least(mean + root(2.0 * log(ranks) * mean * (1.0 - 1.0 / ranks)), most(ceiling, mean))


def balanced(experts: Array, top_k: Array, tokens: Array, ranks: Array) -> Load:
    """Loads where tokens take turns over the experts, so that all are hit before one is hit twice.

    Parameters
    ----------
    experts, top_k, tokens, ranks : ndarray, (configurations,)
        Experts of a layer, experts a token chooses, tokens, and expert-parallel ranks. [1]

    Returns
    -------
    Load
        Equal on all ranks but for what cannot be divided.
    """
    rows = tokens * top_k / ranks
    hit = np.minimum(rows, experts / ranks)
    return Load(rows, hit, np.maximum(rows, 1.0), np.maximum(hit, 1.0))


def power_law(experts: Array, top_k: Array, tokens: Array, ranks: Array, exponent: Array) -> Load:
    """Loads of experts whose popularity follows a power law, on the mean and on the most loaded rank.

    Parameters
    ----------
    experts, top_k, tokens, ranks : ndarray, (configurations,)
        Experts of a layer, experts a token chooses, tokens, and expert-parallel ranks. [1]
    exponent : ndarray, (configurations,)
        Exponent of the density of loads, which lie between 1 and 0.8 of the tokens (0.01 and 2 where there are fewer
        choices than experts). [1]

    Returns
    -------
    Load

    Notes
    -----
    Quantiles of the law stand for the experts; loads are rounded, no expert gets more than all tokens, and what is
    then missing goes to those that have least: the routing with which public kernel benchmarks are made
    (ai-dynamo/aiconfigurator, collector/helper.py, ``power_law_logits_v3``). The most loaded rank is where the most
    popular expert is, or the largest of sums that scatter, whichever is more.
    """
    loads = _loads(experts, top_k, tokens, exponent)
    total = tokens * top_k
    rows, per = total / ranks, experts / ranks
    valid = ~np.isnan(loads)
    filled = np.where(valid, loads, 0.0)
    hit_share = (filled > 0.5).sum(axis=0) / experts
    deviation = np.sqrt(np.maximum((filled**2).sum(axis=0) / experts - (total / experts) ** 2, 0.0))
    scatter = rows + deviation * np.sqrt(per * 2.0 * np.log(ranks) * (1.0 - 1.0 / ranks))
    top = filled.max(axis=0)
    beside = top + (per - 1.0) * (total - top) / np.maximum(experts - 1.0, 1.0)
    heaviest = np.where(ranks > 1, np.minimum(np.maximum(scatter, beside), tokens * np.minimum(top_k, per)), rows)
    # no expert has more than the most popular one: that many must share the load at least
    sharing = np.maximum(per * hit_share, heaviest / np.maximum(top, 1.0))
    most_hit = np.minimum(np.maximum(np.minimum(sharing, per), 1.0), np.maximum(heaviest, 1.0))
    return Load(rows, per * hit_share, np.maximum(heaviest, 1.0), most_hit)


def _loads(experts: Array, top_k: Array, tokens: Array, exponent: Array) -> Array:
    """Tokens of each expert, the least popular first: (most experts, configurations), NaN beyond the last expert."""
    index = np.arange(experts.max())[:, None]
    exists = index < experts
    few = tokens * top_k <= experts
    low, high = np.where(few, 0.01, 1.0), np.where(few, 2.0, np.maximum(0.8 * tokens, 1.0))
    tail = np.where(np.abs(1.0 - exponent) < 1e-3, 1e-3, 1.0 - exponent)
    quantile = np.minimum((index + 0.5) / experts, 1.0)
    drawn = np.where(exists, (low**tail + quantile * (high**tail - low**tail)) ** (1.0 / tail), 0.0)
    total = tokens * top_k
    loads = np.minimum(np.round(drawn / drawn.sum(axis=0) * total), tokens)
    missing = total - loads.sum(axis=0)
    # whole rounds over all experts first, the rest to the least popular
    loads = loads + np.where(missing > 0, missing // experts, 0.0) + (index < np.maximum(missing, 0.0) % experts)
    loads = np.minimum(loads, tokens)
    loads = loads * np.where(missing < 0, total / np.maximum(total - missing, 1.0), 1.0)
    return np.where(exists, loads, np.nan)

"""Demands on resources, and the bound and roofline that follow from them alone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from llmperf.numeric import Array, Real, choose, everywhere, least, most


def roofline(*times: Array) -> Array:
    """Time of an operator by the roofline: the slowest of its resources, each at its peak. [s]

    References
    ----------
    .. [1] Williams, Waterman, Patterson, "Roofline: an insightful visual performance model", CACM 52(4), 2009.
    """
    out = times[0]
    for time in times[1:]:
        out = np.maximum(out, time)
    return out


def main_memory_bytes(stored: Real, cache: Real, apart: tuple[Real, Real, Real] | None = None) -> Real:
    """Main-memory traffic that no schedule avoids. [B]

    Parameters
    ----------
    stored : number or array
        Distinct bytes that all sequences read together: what they share (weights), and what each has for itself. [B]
    cache : number or array
        What the last-level cache holds. [B]
    apart : tuple of number or array, optional
        The number of sequences [1], what all of them have for themselves [B], and the least that one reads of what they
        share if it runs by itself [B]; None where that does not fit the cache.

    Returns
    -------
    number or array
        Bytes beyond the cache, of all sequences together; or, where the cache holds what is shared, of each by itself:
        a schedule may run them one after the other, and each has the whole cache then. Parts of a batch lie between:
        ``(shared - cache) / n`` a sequence rises or falls with their size n.
    """
    together = most(stored - cache, 0.0)
    if apart is None:
        return together
    sequences, own, alone = apart
    each = sequences * most(alone + own / sequences - cache, 0.0)
    if everywhere(alone < cache):
        return least(each, together)
    return choose(alone < cache, least(each, together), together)


def resident(fill: Array, speedup: Real | Array) -> Array:
    """Time to stream operands that a cache may still hold, over that of streaming them from the main memory.

    Parameters
    ----------
    fill : ndarray
        Operands over the capacity that serves them. [1]
    speedup : number or ndarray
        Rate of the cache over that of the main memory. [1]

    Returns
    -------
    ndarray
        ``1 / speedup`` while the operands are small, growing to 1 where they outgrow the cache; half of the way at
        a fill of 1. [1]
    """
    with np.errstate(over="ignore", invalid="ignore"):
        filled = np.minimum(fill, 1e6)
        cubed = filled * filled * filled
    return (cubed + 1.0 / speedup) / (cubed + 1.0)


def bound(demands: Iterable[Real]) -> Real:
    """Time that no execution beats: the busiest resource, all others in its shadow. [s]"""
    out: Real = 0.0
    for demand in demands:
        out = most(out, demand)
    return out

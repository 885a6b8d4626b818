"""Demands on resources, and the bound and roofline that follow from them alone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from llmperf.numeric import Array, Real, most


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


def main_memory_bytes(stored: Real, cache: Real) -> Real:
    """Main-memory traffic that no execution avoids: distinct stored bytes less what the cache can hold. [B]"""
    return most(stored - cache, 0.0)


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

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


def bound(demands: Iterable[Real]) -> Real:
    """Time that no execution beats: the busiest resource, all others in its shadow. [s]"""
    out: Real = 0.0
    for demand in demands:
        out = most(out, demand)
    return out

"""Operators that stream activations through the vector engine: norms, activations, rotary embedding, additions."""

from __future__ import annotations

import numpy as np

from llmperf.costs.roofline import resident
from llmperf.descriptors.achieved import ElementwiseAchieved
from llmperf.numeric import Array


def time(fit: ElementwiseAchieved, compute: Array, memory: Array, fill: Array) -> tuple[Array, Array]:
    """Time of an elementwise operator.

    Parameters
    ----------
    fit : ElementwiseAchieved
        Constants: numbers, or columns of them.
    compute, memory : ndarray
        Time at the vector engine's peak and at the full bandwidth. [s]
    fill : ndarray
        Operands over the capacity of the last-level cache; infinite where none is known. [1]

    Returns
    -------
    time, memory : ndarray
        ``latency + max(compute, memory)``, and the memory time at the reached bandwidth. [s]
    """
    slowed = memory / fit.memory * resident(fill, fit.cached)
    return fit.latency + np.maximum(compute, slowed), slowed

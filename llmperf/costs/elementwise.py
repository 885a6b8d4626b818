"""Operators that stream activations through the vector engine: norms, activations, rotary embedding, additions."""

from __future__ import annotations

import numpy as np

from llmperf.descriptors.achieved import ElementwiseAchieved
from llmperf.numeric import Array


def time(fit: ElementwiseAchieved, compute: Array, memory: Array) -> tuple[Array, Array]:
    """Time of an elementwise operator.

    Parameters
    ----------
    fit : ElementwiseAchieved
        Constants: numbers, or columns of them.
    compute, memory : ndarray
        Time at the vector engine's peak and at the full bandwidth. [s]

    Returns
    -------
    time, memory : ndarray
        ``latency + max(compute, memory)``, and the memory time at the reached bandwidth. [s]
    """
    slowed = memory / fit.memory
    return fit.latency + np.maximum(compute, slowed), slowed

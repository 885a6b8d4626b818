"""Operators that stream activations through the vector engine: norms, activations, rotary embedding, quantization."""

from __future__ import annotations

import numpy as np

from llmperf.numeric import Array, Real


def time(compute: Array, memory: Array, latency: Real) -> Array:
    """Time of an elementwise operator.

    Parameters
    ----------
    compute, memory : ndarray
        Time at the vector engine's peak and at the reached bandwidth. [s]
    latency : number
        Fixed time. [s]

    Returns
    -------
    ndarray
        ``latency + max(compute, memory)``. [s]
    """
    return np.asarray(latency + np.maximum(compute, memory))

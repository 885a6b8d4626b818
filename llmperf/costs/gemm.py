"""Matrix products."""

from __future__ import annotations

import numpy as np

from llmperf.costs.overlap import smooth_max
from llmperf.numeric import Array, Real


def serial_k(k: Array, k_latency: Real, k_half: Real) -> Array:
    """Time of the serial chain over the inner dimension, which split-K bounds.

    Parameters
    ----------
    k : ndarray
        Inner dimension. [1]
    k_latency : number
        Time that 4096 inner elements would take in one chain. [s]
    k_half : number
        Inner dimension at which splitting has halved the chain. [1]

    Returns
    -------
    ndarray
        ``k_latency (k / 4096) / (1 + k / k_half)``. [s]
    """
    return np.asarray((k_latency / 4096.0) * k / (1.0 + k / k_half))


def time(compute: Array, memory: Array, k: Array, latency: Real, k_latency: Real, k_half: Real) -> Array:
    """Time of a matrix product.

    Parameters
    ----------
    compute, memory : ndarray
        Time at the reached compute rate and at the reached bandwidth. [s]
    k : ndarray
        Inner dimension. [1]
    latency, k_latency, k_half : number
        Fixed time, and the serial chain (see `serial_k`). [s], [s], [1]

    Returns
    -------
    ndarray
        ``latency + serial_k + sqrt(compute^2 + memory^2)``. [s]

    Notes
    -----
    Rounding to fixed tiles and waves, the textbook form, fits measurements worse: libraries choose tiles and split K
    (``docs/cost-models.md``).
    """
    return np.asarray(latency + serial_k(k, k_latency, k_half) + smooth_max(compute, memory, 0.0))

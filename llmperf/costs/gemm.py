"""Matrix products."""

from __future__ import annotations

import numpy as np

from llmperf.costs.overlap import smooth_max
from llmperf.numeric import Array


def serial_k(k: Array, k_latency: Array, k_half: Array) -> Array:
    """Time of the serial chain over the inner dimension, which split-K bounds.

    Parameters
    ----------
    k : ndarray
        Inner dimension. [1]
    k_latency : ndarray
        Time that 4096 inner elements would take in one chain. [s]
    k_half : ndarray
        Inner dimension at which splitting has halved the chain. [1]

    Returns
    -------
    ndarray
        ``k_latency (k / 4096) / (1 + k / k_half)``. [s]
    """
    return np.asarray((k_latency / 4096.0) * k / (1.0 + k / k_half))


def time(compute: Array, memory: Array, fixed: Array) -> Array:
    """Time of a matrix product.

    Parameters
    ----------
    compute, memory : ndarray
        Time at the reached compute rate and at the reached bandwidth. [s]
    fixed : ndarray
        Fixed time and serial chain (see `serial_k`). [s]

    Returns
    -------
    ndarray
        ``fixed + sqrt(compute^2 + memory^2)``. [s]

    Notes
    -----
    Rounding to fixed tiles and waves, the textbook form, fits measurements worse: libraries choose tiles and split K
    (``docs/cost-models.md``).
    """
    return np.asarray(fixed + smooth_max(compute, memory, 0.0))

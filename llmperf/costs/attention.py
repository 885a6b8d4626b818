"""Attention over prompts and over the KV cache."""

from __future__ import annotations

import numpy as np

from llmperf.costs.overlap import smooth_max
from llmperf.numeric import Array, Real

SPLIT_TOKENS = 4096.0
"""Cached tokens from which on combining the parts of a split KV cache takes its full time. [1]"""


def prefill_time(compute: Array, memory: Array, latency: Real, blend: Real) -> Array:
    """Time of causal attention over a prompt.

    Parameters
    ----------
    compute, memory : ndarray
        Time at the reached compute rate and at the reached bandwidth. [s]
    latency, blend : number
        Fixed time [s], and how far the two add (`llmperf.costs.overlap.smooth_max`): measured kernels add them almost
        in full, since the softmax between the two products hides little.

    Returns
    -------
    ndarray
        Time of one operator. [s]
    """
    return np.asarray(latency + smooth_max(compute, memory, blend))


def padded_share(group: Array, tile: Real) -> Array:
    """How many more query rows a decode kernel computes than there are: a group fills whole tiles. At least 1. [1]"""
    return np.asarray(np.ceil(group / tile) * tile / group)


def waves_time(waves: Array, cores: Real, wave: Real) -> Array:
    """Time of the waves of (sequence, KV head) pairs over the cores: at least one. [s]"""
    return np.asarray(wave * np.maximum(waves / cores, 1.0))


def split_time(context: Array, split: Real) -> Array:
    """Time to combine the parts of a split KV cache of `context` tokens. [s]"""
    return np.asarray(split * np.minimum(context / SPLIT_TOKENS, 1.0))


def decode_time(compute: Array, memory: Array, overhead: Array) -> Array:
    """Time of one decode step's attention.

    Parameters
    ----------
    compute, memory : ndarray
        Time at the reached compute rate (query rows padded to the tile) and at the reached bandwidth. [s]
    overhead : ndarray
        Fixed time, waves and combination of splits. [s]

    Returns
    -------
    ndarray
        ``overhead + sqrt(compute^2 + memory^2)``. [s]
    """
    return np.asarray(overhead + smooth_max(compute, memory, 0.0))

"""Attention over prompts and over the KV cache."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmperf.costs.overlap import smooth_max
from llmperf.descriptors.achieved import AttentionDecodeAchieved, AttentionPrefillAchieved
from llmperf.numeric import Array

QUERY_BLOCK = 128.0
"""Query tokens that one core handles together, and keys of one step of its chain. [1]"""
CONTEXT_UNIT = 4096.0
"""Cached tokens at which the time of a decode chain is stated. [1]"""


def prefill_time(
    fit: AttentionPrefillAchieved,
    compute: Array,
    memory: Array,
    query: Array,
    keys: Array,
    waves: Array,
    cores: Any,
    vector: Array | float = 0.0,
) -> tuple[Array, Array, Array, Array]:
    """Time of causal attention over a prompt.

    Parameters
    ----------
    fit : AttentionPrefillAchieved
        Constants: numbers, or columns of them.
    compute, memory : ndarray
        Time at the peak rate and at the full bandwidth. [s]
    query, keys : ndarray
        Query tokens of a prompt, and keys that the last of them sees. [1]
    waves : ndarray
        (Prompt, head, block of 128 queries) triples. [1]
    cores : number
        Cores, each with one triple at a time. [1]
    vector : ndarray
        Time of the vector engine beside the products. [s]

    Returns
    -------
    time, compute, memory, fixed : ndarray
        ``fixed + sqrt(compute^2 + memory^2)``, and its parts: half of each tile on the diagonal is masked, which
        short prompts feel; each wave begins anew; the keys of a block come one after the other. [s]
    """
    reached = compute / fit.compute * (1.0 + fit.short / query)
    slowed = memory / fit.memory
    fixed = fit.latency + fit.wave * np.ceil(waves / cores) + fit.chain * (keys / QUERY_BLOCK)
    return fixed + smooth_max(np.maximum(reached, vector), slowed, 0.0), reached, slowed, fixed


def padded_share(group: Array, tile: Any) -> Array:
    """How many more query rows a decode kernel computes than there are: a group fills whole tiles. At least 1. [1]"""
    return np.asarray(np.ceil(group / tile) * tile / group)


def decode_time(
    fit: AttentionDecodeAchieved,
    compute: Array,
    memory: Array,
    group: Array,
    context: Array,
    waves: Array,
    cores: Any,
    vector: Array | float = 0.0,
) -> tuple[Array, Array, Array, Array]:
    """Time of one decode step's attention.

    Parameters
    ----------
    fit : AttentionDecodeAchieved
        Constants: numbers, or columns of them.
    compute, memory : ndarray
        Time at the peak rate and at the full bandwidth. [s]
    group, context : ndarray
        Query heads of a KV head, and cached tokens of a sequence. [1]
    waves : ndarray
        (Sequence, KV head) pairs. [1]
    cores : number
        Cores, each with one pair at a time. [1]
    vector : ndarray
        Time of the vector engine beside the products. [s]

    Returns
    -------
    time, compute, memory, fixed : ndarray
        ``fixed + sqrt(compute^2 + memory^2 + wave^2 + blend wave memory)``, and its parts; what waves add to memory
        and compute counts as fixed. Kernels that do not share the cache among a group read it again for each query.
        The chain over the context ends where the cache is split over more cores. [s]
    """
    reached = np.maximum(compute * padded_share(group, fit.query_tile) / fit.compute, vector)
    reads = np.ceil(group / fit.share)
    slowed = memory * reads / fit.memory
    wave = fit.wave * np.maximum(waves * reads / cores, 1.0)
    streaming = np.sqrt(reached * reached + slowed * slowed + wave * (wave + fit.blend * slowed))
    chain = (fit.chain / CONTEXT_UNIT) * context / (1.0 + context / fit.chain_half)
    time = fit.latency + chain + streaming
    return time, reached, slowed, time - np.maximum(reached, slowed)

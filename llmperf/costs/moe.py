"""Grouped matrix products of the experts of a layer, and the passes over their tokens."""

from __future__ import annotations

import numpy as np

from llmperf.costs.gemm import K_UNIT
from llmperf.costs.overlap import smooth_max
from llmperf.descriptors.achieved import MoeAchieved
from llmperf.numeric import Array


def time(
    fit: MoeAchieved,
    compute: Array,
    memory: Array,
    passes: Array,
    foreign: Array,
    k: Array,
    rows: Array,
    hit: Array,
    vector: Array | float = 0.0,
) -> tuple[Array, Array, Array, Array]:
    """Time of one grouped product and of the passes before or behind it.

    Parameters
    ----------
    fit : MoeAchieved
        Constants: numbers, or columns of them.
    compute, memory : ndarray
        Time at the peak rate of all tokens' products, and at the full bandwidth of the weights that are hit. [s]
    passes : ndarray
        Time at the full bandwidth to sort, activate and combine the tokens of the device's own experts. [s]
    foreign : ndarray
        The same of the tokens that are on the device, but whose experts are on others. [s]
    k : ndarray
        Inner dimension. [1]
    rows, hit : ndarray
        Tokens of an expert that is hit, and experts hit. [1]
    vector : ndarray
        Time of the vector engine beside the products (dequantization). [s]

    Returns
    -------
    time, compute, memory, fixed : ndarray
        ``fixed + memory of passes + sqrt(compute^2 + memory^2 + blend compute memory)``, and its parts. [s]

    Notes
    -----
    Some kernels run their passes over every (token, expert) pair on the device, also over those whose expert is
    elsewhere: with expert parallelism behind tensor-parallel attention that is most of their time.
    """
    reached = compute * (1.0 + fit.padding / rows) / fit.compute
    slowed = memory / fit.memory
    streamed = (passes + fit.foreign * foreign) / fit.passes
    fixed = fit.latency + fit.k_latency * (k / K_UNIT) + fit.expert * hit
    return (
        fixed + streamed + smooth_max(np.maximum(reached, vector), slowed, fit.blend),
        reached,
        slowed + streamed,
        fixed,
    )

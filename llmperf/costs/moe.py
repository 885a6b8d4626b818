"""Grouped matrix products of the experts of a layer, and the passes over their tokens."""

from __future__ import annotations

import numpy as np

from llmperf.costs.gemm import K_UNIT
from llmperf.costs.overlap import smooth_max
from llmperf.descriptors.achieved import MoeAchieved
from llmperf.numeric import Array, Real, log

MOST_TILE = 64.0
"""Rows of the largest tile. [1]"""
LN_2 = 0.6931471805599453


def time(
    fit: MoeAchieved,
    compute: Array,
    memory: Array,
    passes: Array,
    foreign: Array,
    k: Array,
    rows: Array,
    hit: Array,
    n: Array,
    cores: Real,
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
    n : ndarray
        Columns of an expert's weights on the device. [1]
    cores : number
        Cores of the device; 1 where they are not known. [1]
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

    Each expert that is hit is a work group for each few of its columns. Where there are fewer groups than cores, the
    memory serves only those that have one. Tiles have a power of two of rows, as many as an expert has tokens
    (TensorRT-LLM, trtllmGenKernels/blockScaleMoe: 8 to 64), and a larger one takes longer to begin and to end.
    """
    groups = np.maximum(hit, 1.0) * np.maximum(n / fit.columns, 1.0)
    reached = compute * (1.0 + fit.padding / rows) / fit.compute
    slowed = memory * np.maximum(cores / groups, 1.0) / fit.memory
    streamed = (passes + fit.foreign * foreign) / fit.passes
    doublings = log(1.0 + np.minimum(rows, MOST_TILE)) / LN_2
    fixed = fit.latency + fit.k_latency * (k / K_UNIT) + fit.expert * hit + fit.tile * doublings
    return (
        fixed + streamed + smooth_max(np.maximum(reached, vector), slowed, fit.blend),
        reached,
        slowed + streamed,
        fixed,
    )

"""Matrix products, and the pass that quantizes their inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmperf.costs.overlap import smooth_max
from llmperf.descriptors.achieved import GemmAchieved
from llmperf.numeric import Array

K_UNIT = 4096.0
"""Inner dimension at which the time of the serial chain is stated. [1]"""
POWER_TIME = 2e-3
"""Compute time at which a product has used half of what the power limit lets it keep. [s]"""


def serial_k(k: Array, k_latency: Any, k_half: Any) -> Array:
    """Time of the serial chain over the inner dimension, which split-K bounds.

    Parameters
    ----------
    k : ndarray
        Inner dimension. [1]
    k_latency : number or ndarray
        Time that 4096 inner elements would take in one chain. [s]
    k_half : number or ndarray
        Inner dimension at which splitting has halved the chain. [1]

    Returns
    -------
    ndarray
        ``k_latency (k / 4096) / (1 + k / k_half)``. [s]
    """
    time: Array = (k_latency / K_UNIT) * k / (1.0 + k / k_half)
    return time


def sustained(compute: Array, sustained: Any) -> Array:
    """Compute time when clocks fall at the power limit of long products.

    Parameters
    ----------
    compute : ndarray
        Time at the peak. [s]
    sustained : number or ndarray
        Time of a long product over that of a short one of the same rate. [1]

    Returns
    -------
    ndarray
        ``compute (1 + (sustained - 1) compute / (compute + 2 ms))``. [s]
    """
    time: Array = compute * (1.0 + (sustained - 1.0) * compute / (compute + POWER_TIME))
    return time


def time(
    fit: GemmAchieved, compute: Array, memory: Array, k: Array, vector: Array | float = 0.0
) -> tuple[Array, Array, Array, Array]:
    """Time of a matrix product.

    Parameters
    ----------
    fit : GemmAchieved
        Constants: numbers, or columns of them. The shares are divided by here.
    compute, memory : ndarray
        Time at the peak rate and at the full bandwidth. [s]
    k : ndarray
        Inner dimension. [1]
    vector : ndarray
        Time of the vector engine, which works beside the matrix engine (dequantization). [s]

    Returns
    -------
    time, compute, memory, fixed : ndarray
        ``fixed + sqrt(compute^2 + memory^2)``, and its parts. [s]

    Notes
    -----
    Rounding to fixed tiles and waves, the textbook form, fits measurements worse: libraries choose tiles and split K.
    A free exponent in place of the root of squares gains 0.2 % of the median error (``docs/cost-models.md``).
    """
    reached = sustained(compute, fit.sustained) / fit.compute
    slowed = memory / fit.memory
    fixed = fit.latency + serial_k(k, fit.k_latency, fit.k_half)
    return fixed + smooth_max(np.maximum(reached, vector), slowed, 0.0), reached, slowed, fixed


def quantize_time(fit: GemmAchieved, memory: Array, rows: Array) -> tuple[Array, Array, Array]:
    """Time of the pass that quantizes inputs, as benchmarks of quantized products hold it.

    Engines quantize an input once for all products that read it, in a kernel of its own or inside of the operator
    before: estimates price it as such (``quantize`` of `llmperf.operators.build.Build`), and products without it.

    Parameters
    ----------
    fit : GemmAchieved
        Constants of the product.
    memory : ndarray
        Time at the full bandwidth to read the inputs and to write them quantized. [s]
    rows : ndarray
        Tokens: kernels that give each token a group of threads need a time a token, whatever its width. [1]

    Returns
    -------
    time, memory, fixed : ndarray
        Their sum, and its parts. [s]
    """
    slowed, fixed = memory / fit.quantize_memory, fit.quantize_latency + rows * fit.quantize_row
    return slowed + fixed, slowed, fixed

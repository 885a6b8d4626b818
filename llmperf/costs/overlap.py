"""How two times that share an operator or a step combine."""

from __future__ import annotations

import numpy as np

from llmperf.numeric import Real, least


def smooth_max(a: Real, b: Real, blend: Real) -> Real:
    """Two resources that overlap imperfectly.

    Parameters
    ----------
    a, b : ndarray
        Time that each resource needs by itself. [s]
    blend : number
        0: root of the sum of squares (a p-norm of 2); 2: the plain sum. [1]

    Returns
    -------
    ndarray
        ``sqrt(a^2 + blend a b + b^2)``, never less than either; a rational family with the same two limits as a
        p-norm, at a fifth of its price on arrays. [s]
    """
    return np.sqrt(a * a + b * (blend * a + b))


def hidden(time: Real, beside: Real, fraction: Real) -> Real:
    """`time` and `beside` when `fraction` of the shorter hides behind the longer: their sum less what is hidden. [s]"""
    return time + beside - fraction * least(time, beside)

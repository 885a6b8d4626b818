"""Grouped matrix products of the experts of a layer."""

from __future__ import annotations

import numpy as np

from llmperf.numeric import Array, Real


def padded_share(rows: Array, tile: Real) -> Array:
    """How much more rows a kernel computes than tokens choose an expert.

    Parameters
    ----------
    rows : ndarray
        Mean tokens of an expert that is hit. [1]
    tile : number
        Rows that an expert's tokens are rounded up to. [1]

    Returns
    -------
    ndarray
        Expected rounding up of a scattered count: one tile while the mean is below half a tile, half a tile more
        than the tokens beyond. At least 1. [1]
    """
    return np.asarray(np.maximum(tile / rows, 1.0 + 0.5 * tile / rows))

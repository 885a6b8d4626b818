"""Arithmetic that serves one number or an array alike; plain numbers stay plain, which keeps one estimate fast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Real = float | Array
"""A number, or a one-dimensional array of numbers: one a configuration."""


def least(a: Real, b: Real) -> Real:
    """The smaller of two, element by element."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.minimum(a, b)
    return a if a < b else b


def most(a: Real, b: Real) -> Real:
    """The larger of two, element by element."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.maximum(a, b)
    return a if a > b else b


def floor_div(a: Real, b: Real) -> Real:
    """``a / b`` rounded down; of whole numbers exact up to 2^53, at a tenth of the price of ``//`` on arrays."""
    quotient = a / b
    if isinstance(quotient, np.ndarray):
        return np.floor(quotient)
    return quotient // 1.0 if abs(quotient) < math.inf else quotient


def ceil_div(a: Real, b: Real) -> Real:
    """``a / b`` rounded up; exact as `floor_div` is."""
    quotient = a / b
    if isinstance(quotient, np.ndarray):
        return np.ceil(quotient)
    return -(-quotient // 1.0) if abs(quotient) < math.inf else quotient


def root(a: Real) -> Real:
    """The square root."""
    return np.sqrt(a) if isinstance(a, np.ndarray) else math.sqrt(a)


def log(a: Real) -> Real:
    """The natural logarithm."""
    return np.log(a) if isinstance(a, np.ndarray) else math.log(a)


def choose(condition: Any, a: Real, b: Real) -> Real:
    """`a` where the condition holds, else `b`."""
    if isinstance(condition, np.ndarray) and condition.size > 1:
        return np.where(condition, a, b)
    return a if condition else b


def codes(value: Any) -> Any:
    """Small whole numbers in 8 bit."""
    return value.astype(np.uint8) if isinstance(value, np.ndarray) else np.uint8(value)


def everywhere(condition: Any) -> bool:
    """Whether a condition holds for every configuration."""
    return bool(condition.all()) if isinstance(condition, np.ndarray) else bool(condition)


def anywhere(condition: Any) -> bool:
    """Whether a condition holds for some configuration."""
    return bool(condition.any()) if isinstance(condition, np.ndarray) else bool(condition)


def first(value: Any) -> float:
    """The number of one configuration, or that of the first of many."""
    return float(np.asarray(value, dtype=float).reshape(-1)[0])


def ends(value: Any) -> tuple[float, float]:
    """The smallest and the largest of numbers, NaN left out where there are others."""
    numbers = np.asarray(value, dtype=float)
    known = numbers[~np.isnan(numbers)]
    return (float(known.min()), float(known.max())) if known.size else (math.nan, math.nan)


def bytes_of(array: Array, most: int) -> bytes | None:
    """What tells an array from others, to remember what was made of it; None of one of more than `most` numbers."""
    return array.tobytes() if type(array) is np.ndarray and array.size <= most else None


def stack(rows: Sequence[Real]) -> Array:
    """Rows one above the other: shape (rows, configurations), one configuration where all are plain numbers."""
    try:
        out = np.array(rows, dtype=float)
    except ValueError:  # numbers beside arrays: repeat the numbers
        out = np.stack(np.broadcast_arrays(*rows))
    return out if out.ndim == 2 else out.reshape(-1, 1)


def weighted_sum(weights: Array, values: Array) -> Array:
    """Sum over rows of ``weights * values``.

    Parameters
    ----------
    weights : ndarray, (..., rows, configurations or 1)
    values : ndarray, (rows or 1, configurations or 1)

    Returns
    -------
    ndarray, (..., configurations)
    """
    if weights.shape[-1] == 1 and values.shape[0] == weights.shape[-2]:
        return weights[..., 0] @ values
    total: Array = np.add.reduce(weights * values, axis=-2)
    return total

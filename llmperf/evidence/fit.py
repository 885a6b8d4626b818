"""Robust fits of the constants of a closed form to measured times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from llmperf.descriptors.achieved import CONSTANTS, Fitted
from llmperf.errors import InputError, Problem
from llmperf.numeric import Array

LOSS_SCALE = 0.1
"""Relative error beyond which a row counts linearly, not squared. [1]"""
ROWS_PER_CONSTANT = 4
"""Rows that a fit needs for each of its constants; with fewer rows, the last constants of `START` are not fitted."""
FEWEST = 2
"""Constants that every fit has."""
PRIOR = 0.05
"""Residual of a constant that is 2.7 times (e) what the class, or the pooled fit, says: that of a row 5 % off. [1]"""
AT_LIMIT = 1e-3
"""Relative distance from a limit of its range at which a constant stands at it. [1]"""
SEED = 20250101
"""Seed of the halves and of the bootstrap, so that a fit can be repeated."""

START: dict[str, dict[str, tuple[float, float, float]]] = {
    section: {
        name: (found.start, found.low, found.high)
        for name, hint in get_type_hints(constants, include_extras=True).items()
        for found in getattr(hint, "__metadata__", ())
        if isinstance(found, Fitted)
    }
    for section, constants in CONSTANTS.items()
}
"""Start, lower and upper bound of every constant that a section's fit has, as its class says (`Fitted`)."""
RE_READ = 8.0
"""Most that a re-read from the last-level cache may be faster than the main memory. [1]"""


class NoFitError(Exception):
    """A fit that must not be used: too few rows, or no convergence."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Fitted constants and how well they hold.

    Attributes
    ----------
    constants : dataclass of `llmperf.descriptors.achieved`
    names : tuple of str
        Constants that were fitted; the others are those of the class.
    rows : int
        Rows that it rests on. [1]
    median, p90, bias, mean : float
        Of the error on rows held out: median and 90th percentile of its size, its median, and the mean size of its
        logarithm. [1]
    low, high : dict of str to float
        5th and 95th percentile of each constant over bootstrap samples; empty without them.
    note : str
        What else must be said of the constants.
    """

    constants: Any
    names: tuple[str, ...]
    rows: int
    median: float
    p90: float
    bias: float
    mean: float
    low: dict[str, float]
    high: dict[str, float]
    note: str = ""


def robust(
    section: str,
    predict: Callable[[Any], Array],
    measured: Array,
    weights: Array,
    base: Any,
    names: Sequence[str] | None = None,
    *,
    samples: int = 0,
) -> Fit:
    """Fit the constants of a section.

    Parameters
    ----------
    section : str
        Key of `START`.
    predict : callable
        Time of every row with given constants. [s]
    measured : ndarray, (rows,)
        Measured times. [s]
    weights : ndarray, (rows,)
        Weight of each row; equal sums for groups of unequal size.
    base : dataclass of `llmperf.descriptors.achieved`
        Constants of the class, which stand where there are too few rows.
    names : sequence of str, optional
        Constants that the rows can determine.
    samples : int
        Bootstrap samples for intervals.

    Returns
    -------
    Fit
        Constants of all rows; the errors are those of each half under constants of the other half.

    Raises
    ------
    NoFitError
        With fewer than `ROWS_PER_CONSTANT` rows for each of `FEWEST` constants, or if the optimizer does not converge.

    Notes
    -----
    Least squares of ``ln(predicted / measured)`` with a soft-l1 loss, over the logarithms of the constants, within
    bounds (`scipy.optimize.least_squares`). Each constant has a weak prior (`PRIOR`) around the one in `base`: where
    the rows do not say, it stays there, and does not run to the limit of its range.
    """
    names = tuple(names or START[section])[: len(measured) // ROWS_PER_CONSTANT]
    if len(names) < FEWEST:
        raise NoFitError(f"{len(measured)} rows, {ROWS_PER_CONSTANT * FEWEST} are needed")
    problem = _Problem(section, base, names, predict, np.log(measured), np.sqrt(weights / weights.mean()))
    everything = np.arange(len(measured))
    theta = problem.solve(everything, None)
    half = np.random.default_rng(SEED).permutation(everything) % 2 == 0
    errors = np.empty(len(measured))
    for part in (half, ~half):
        errors[~part] = problem.residuals(problem.solve(everything[part], theta))[~part]
    low, high = _intervals(problem, theta, samples)
    size = np.abs(np.expm1(errors))
    return Fit(
        problem.constants(theta),
        names,
        len(measured),
        float(np.median(size)),
        float(np.percentile(size, 90.0)),
        float(np.median(np.expm1(errors))),
        float(np.mean(np.abs(errors))),
        low,
        high,
        problem.limits(theta),
    )


def _intervals(problem: _Problem, theta: Array, samples: int) -> tuple[dict[str, float], dict[str, float]]:
    if not samples:
        return {}, {}
    draw = np.random.default_rng(SEED + 1)
    count = len(problem.target)
    found = np.exp([problem.solve(draw.integers(0, count, count), theta) for _ in range(samples)])
    low, high = np.percentile(found, 5.0, axis=0), np.percentile(found, 95.0, axis=0)
    return dict(zip(problem.names, low.tolist(), strict=True)), dict(zip(problem.names, high.tolist(), strict=True))


@dataclass(slots=True)
class _Problem:
    section: str
    base: Any
    names: tuple[str, ...]
    predict: Callable[[Any], Array]
    target: Array
    weights: Array

    def constants(self, theta: Array) -> Any:
        return replace(self.base, **dict(zip(self.names, np.exp(theta).tolist(), strict=True)))

    def bounds(self, name: str) -> tuple[float, float, float]:
        """Start, lower and upper bound; a cache that is read again for each query comes from the chip's own cache."""
        start, low, high = START[self.section][name]
        again = name == "memory" and getattr(self.base, "share", 2.0) == 1.0
        return start, low, RE_READ if again else high

    def limits(self, theta: Array) -> str:
        """What must be said of constants that stand at the limit of their range."""
        ends = [np.log(self.bounds(name)[1:]) for name in self.names]
        found = [
            name
            for name, at, (low, high) in zip(self.names, theta, ends, strict=True)
            if min(at - low, high - at) < AT_LIMIT
        ]
        return f"at the limit of its range: {', '.join(found)}" if found else ""

    def expected(self) -> Array:
        """Logarithms of the constants of `base`; where it has none, of the starts."""
        known = [(getattr(self.base, name), self.bounds(name)) for name in self.names]
        return np.log([value if low <= value <= high else start for value, (start, low, high) in known])

    def residuals(self, theta: Array) -> Array:
        """Logarithm of predicted over measured of every row. [1]"""
        return np.asarray(np.log(np.maximum(self.predict(self.constants(theta)), 1e-12)) - self.target)

    def solve(self, rows: NDArray[Any], start: Array | None) -> Array:
        least_squares = optimizer()
        bounds = np.log([self.bounds(name) for name in self.names])
        begin = bounds[:, 0] if start is None else np.clip(start, bounds[:, 1] + 1e-9, bounds[:, 2] - 1e-9)
        weight, expected = self.weights[rows], self.expected()
        solution = least_squares(
            lambda theta: np.append(self.residuals(theta)[rows] * weight, PRIOR * (theta - expected)),
            begin,
            bounds=(bounds[:, 1], bounds[:, 2]),
            loss="soft_l1",
            f_scale=LOSS_SCALE,
            max_nfev=300,
            ftol=1e-6,
            xtol=1e-6,
        )
        if solution.status < 0 or not np.isfinite(solution.cost):
            raise NoFitError(f"the fit did not converge: {solution.message}")
        return np.asarray(solution.x)


def optimizer() -> Any:
    """SciPy's least squares.

    Raises
    ------
    InputError
        Where SciPy is not installed.
    """
    try:
        from scipy.optimize import least_squares
    except ImportError:
        raise InputError(Problem("needs SciPy", "calibrate", suggestion="pip install 'llmperf[calibrate]'")) from None
    return least_squares

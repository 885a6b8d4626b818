"""How many requests are in flight: how far that lies from its mean, and what a request sees of it."""

from __future__ import annotations

from typing import Any

from llmperf.numeric import Real, least, most
from llmperf.phases.serving.request import Request

STIFFEST = 0.95
"""Elasticity beyond which numbers in flight are no longer normal about the fixed point. [1]"""


def varying(one: Request, flying: Real, room: Real, bursts: Real = 0.0) -> tuple[Any, Any]:
    """Variance of the number in flight over the square of its mean, and what share of it a request sees.

    Parameters
    ----------
    one : Request
        The mean request, with its `elasticity`.
    flying, room : number or array
        Mean requests in flight, and the most that there is room for. [1]
    bursts : number or array
        Requests that arrivals find beyond those of a Poisson process. [1]

    Notes
    -----
    About the fixed point of a queue whose pace depends on the number ``n`` in it, the number is normal with the
    variance ``n / (1 - e)``, ``e`` the elasticity; with gaps of a squared coefficient of variation ``1 / b`` in place
    of a Poisson process, that many times it. A request that stays as long as all that it meets sees two thirds of the
    variance as a mean over its stay, and all of it where the number changes slower.

    References
    ----------
    .. [1] Kelly, "Reversibility and Stochastic Networks", 1979, ch. 3: numbers in a symmetric queue do not depend on
       the distribution of lengths.
    """
    elastic = least(one.elasticity, STIFFEST)
    wide = (1.0 + 2.0 * bursts) / most(flying, 1.0) / (1.0 - elastic)
    slack = most(most(room, 1.0) / most(flying, 1.0) - 1.0, 0.0)  # no more than there is room for
    return least(wide, most(slack**2, 1e-12)), 1.0 - (1.0 - most(elastic, 0.0)) / 3.0

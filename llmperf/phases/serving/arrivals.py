"""An open loop: requests arrive at a rate, whatever is in flight; or users ask, read, and ask again."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import Real, anywhere, choose, least, most, root
from llmperf.phases.serving.curve import TIMES, Curve, curve
from llmperf.phases.serving.loop import Loop, Wait
from llmperf.phases.serving.numbers import varying
from llmperf.phases.serving.request import Request, ranks
from llmperf.phases.serving.scheduled import request


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The steady state of requests that come by themselves.

    Attributes
    ----------
    loop : Loop
        That of as many requests as are in flight.
    saturated : bool or array
        Where more arrive than the server can answer: they queue without end, and the loop is that of all that it has
        room for.
    curve : Curve
        The server, from one request in flight to all that it has room for.
    variance : number or array
        Of the number in flight, over the square of its mean. [1]
    seen : number or array
        Share of that variance that a request sees while it stays. [1]
    clumps : number or array
        Requests that come in the same step beyond those of a Poisson process (`clumped`). [1]
    """

    loop: Loop
    saturated: Any
    curve: Curve
    variance: Real = 0.0
    seen: Real = 1.0
    clumps: Real = 0.0


def open_loop(scenario: Scenario, rate: Real, limit: Real = math.inf, sent: Real = math.inf) -> Arrivals:
    """The steady state of arrivals at a rate.

    Parameters
    ----------
    scenario : Scenario
        Its `workload.batch` is not used.
    rate : number or array
        Arrivals. [1/s]
    limit : number or array
        Most requests that the client has in flight; more arrivals wait for it. [1]
    sent : number or array
        Requests that come in all: where more come than can be answered, no more queue. [1]

    Notes
    -----
    Little's law gives the mean number in flight, ``rate e2e``. An arrival of a Poisson process finds as many, and is
    one more; those of other processes, whose gaps are of a gamma distribution of shape ``b``, find ``(1 / b - 1) / 2``
    more. What it meets is the fixed point of ``n = 1 + rate e2e(n)``, which lies between two points of the server's
    curve; there the server is evaluated once more, and one step of Newton's method corrects what was linear between.

    References
    ----------
    .. [1] Wolff, "Poisson Arrivals See Time Averages", Operations Research 30, 1982.
    """
    traffic, copies = scenario.traffic, ranks(scenario)
    bursts = (1.0 / traffic.burstiness - 1.0) / 2.0 if traffic is not None else 0.0
    server = curve(scenario, limit)

    def met(e2e: Real) -> Any:
        return copies + rate * e2e + bursts * least(rate * e2e, 1.0)

    found = _steady(server, met)
    most_flying, full, peak = least(limit, most(server.room, 1.0)), server.full, server.peak
    flying = least(rate * found.loop.request.e2e, most_flying)
    saturated = (rate > peak) & (limit >= server.room)
    wait = waiting(scenario, rate, full, peak)
    if anywhere(sent < math.inf):  # the queue grows until the last has come
        behind = most(least(sent, 1e15) * (1.0 / peak - 1.0 / rate), 0.0) / 2.0
        wait = Wait(wait.share, least(wait.mean, most(behind, most(full.e2e - found.loop.request.e2e, 0.0))))
    variance, seen = varying(found.loop.request, flying / copies, found.curve.full.in_flight / copies, bursts)
    one = found.loop.request
    clumps = clumped(rate / ranks(scenario) * one.token, traffic.burstiness) if traffic is not None else 0.0
    one = replace(one, ttft=one.ttft + clumps * one.prompt, e2e=one.e2e + clumps * one.prompt)
    loop = replace(found.loop, request=one, in_flight=least(rate * one.e2e, most_flying), wait=wait)
    return replace(found, loop=loop, saturated=saturated, variance=variance, seen=seen, clumps=clumps)


def clumped(arriving: Real, shape: Real) -> Any:
    """Requests that come within a step beside an arrival, beyond those of a Poisson process. [1]

    Parameters
    ----------
    arriving : number or array
        Mean arrivals in a step, ``a``. [1]
    shape : number or array
        Of the gamma distribution of gaps, ``b``. [1]

    Notes
    -----
    A gap is shorter than a step with about the probability ``(b a)^b / Gamma(1 + b)``, in place of ``a``; on both sides
    of an arrival, and in the long run no more than ``1 / b - 1``.

    References
    ----------
    .. [1] Abramowitz and Stegun, "Handbook of Mathematical Functions", 1964, 6.1.35: the gamma function.
    """
    shape = least(shape, EVENEST)
    b = least(shape, 1.0)
    gamma = 1.0 + b * (-0.5748646 + b * (0.9512363 + b * (-0.6998588 + b * (0.4245549 - 0.1010678 * b))))
    soon = (shape * arriving) ** shape / gamma - arriving
    return 2.0 * most(least(soon, most(1.0 / shape - 1.0, 0.0) / 2.0), -arriving)


def of_users(scenario: Scenario, users: Real, think: Real) -> Arrivals:
    """The steady state of users, each of whom reads an answer before the next request.

    Notes
    -----
    A request meets those of the other users that do not read: ``n = 1 + (U - 1) e2e / (think + e2e)``, the arrival
    theorem of closed networks. More than there is room for wait.

    References
    ----------
    .. [1] Reiser and Lavenberg, "Mean-Value Analysis of Closed Multichain Queuing Networks", JACM 27, 1980.
    """
    server, copies = curve(scenario), ranks(scenario)
    found = _steady(server, lambda e2e: copies + most(users - copies, 0.0) * e2e / (think + e2e))
    one = found.loop.request
    flying = users * one.e2e / (think + one.e2e)
    fits = least(flying, most(server.room, 1.0))  # where not even one request fits, as of one
    queue = most(users / (fits / one.e2e) - think - one.e2e, 0.0)  # one round of all users, by Little's law
    wait = Wait(choose(flying > server.room, 1.0, 0.0), queue)
    variance, seen = varying(one, fits / copies, found.curve.full.in_flight / copies)
    reading = think / (think + one.e2e)  # where nobody reads, as many are in flight as there are users
    loop = replace(found.loop, in_flight=fits, wait=wait)
    saturated = flying > server.room
    return replace(found, loop=loop, saturated=saturated, variance=variance * reading, seen=seen)


TINY = 1e-300
EVENEST = 50.0
"""Shape of gaps from which on they are as good as equal. [1]"""


def _steady(server: Curve, met: Callable[[Real], Any]) -> Arrivals:
    """The request that meets as many as its own time in the server lets be there."""
    low, high, part = server.crossing(lambda one: met(one.e2e + one.arriving) - one.in_flight)
    near = server.between(low, high, part)
    exact = request(server.scenario, near.in_flight, server.alone)
    exact = replace(exact, ttft=exact.ttft + exact.arriving, e2e=exact.e2e + exact.arriving)
    apart = high.in_flight - low.in_flight
    width = choose(apart > 0.0, apart, 1.0)
    slopes = {name: (getattr(high, name) - getattr(low, name)) / width for name in TIMES}
    over = met(exact.e2e) - exact.in_flight
    growth = met(exact.e2e + slopes["e2e"]) - met(exact.e2e)  # of what is met, for one more that is
    step = over / choose(growth < 1.0, 1.0 - growth, 1.0)
    step = choose(growth < 1.0, step, 0.0)
    last = most(server.full.in_flight, 1.0)
    step = most(least(exact.in_flight + step, last), 1.0) - exact.in_flight
    values = {name: getattr(exact, name) + step * slopes[name] for name in TIMES}
    found = replace(exact, **values)
    grown: dict[str, Any] = {
        name: least(slopes[of] * found.in_flight / most(getattr(found, of), TINY), 1.0)
        for name, of in (("elasticity", "e2e"), ("pace", "token"))
    }
    return Arrivals(Loop(replace(found, **grown), server.alone, found.in_flight, server.room), False, server)


def waiting(scenario: Scenario, rate: Real, full: Request, peak: Real) -> Wait:
    """What arrivals wait for one of the places of a server that is full at times.

    Parameters
    ----------
    scenario : Scenario
    rate : number or array
        Arrivals. [1/s]
    full : Request
        A request where all places are taken.
    peak : number or array
        Most requests that the server completes in a second. [1/s]

    Notes
    -----
    As in a queue of ``c`` servers, each of which takes ``e2e`` for a request: ``(e2e / c) rho^(sqrt(2 (c + 1)) - 1) /
    (1 - rho)``, times half the squared coefficients of variation of gaps and of lengths together. Infinite where more
    arrive than can be answered.

    References
    ----------
    .. [1] Sakasegawa, "An Approximation Formula L_q = alpha rho^beta / (1 - rho)", Ann. Inst. Stat. Math. 29, 1977.
    .. [2] Allen, "Probability, Statistics and Queueing Theory", 1978: other processes of arrivals and of service.
    """
    traffic = scenario.traffic
    scatter: Any = 0.5
    if traffic is not None:
        scatter = (1.0 / traffic.burstiness + traffic.output.cv**2) / 2.0
    copies = scenario.parallelism.replicas
    places = full.in_flight / copies
    load = rate / peak
    below = least(load, 1.0 - 1e-9)
    share = below ** (root(2.0 * (places + 1.0)) - 1.0)
    found = scatter * (full.e2e / places) * share / (1.0 - below)
    return Wait(choose(load < 1.0, share, 1.0), choose(load < 1.0, found, math.inf))

"""Limits of a service: who keeps them, and how many requests come before too many do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llmperf.descriptors.traffic import Limits, Traffic
from llmperf.numeric import Real, choose, least, most
from llmperf.phases.serving.curve import Curve
from llmperf.phases.serving.numbers import varying
from llmperf.phases.serving.pools import whole
from llmperf.phases.serving.request import Request, ranks
from llmperf.phases.serving.tails import tails

LIMITED = ("ttft", "tpot", "itl", "e2e")
"""Times that may have a limit."""


def kept(limits: Limits, times: Any) -> Any:
    """Share of requests that keep every limit, times taken as independent. [1]"""
    share: Any = 1.0
    for name in LIMITED:
        limit = getattr(limits, name)
        if limit is not None:
            share = share * times[name].within(limit)
    return share


def capacity(server: Curve, traffic: Traffic) -> Real:
    """Most arrivals at which the stated share of requests keeps each limit; that at saturation without limits. [1/s]"""
    return within(server, traffic)[1]


def within(server: Curve, traffic: Traffic) -> tuple[Real, Real, Real]:
    """The most requests that a server takes within limits.

    Parameters
    ----------
    server : Curve
    traffic : Traffic
        Its `limits`, and how requests come; neither how many they are.

    Returns
    -------
    tuple of number or array
        Requests in flight, arrivals [1/s], and which limit ends them: an index into `LIMITED`, its length where the
        room does, and one more where not even a request alone keeps them all (then there are none in flight).
    """
    limits, full, copies = traffic.limits, server.full, ranks(server.scenario)
    flying: Any = full.in_flight
    index: Any = float(len(LIMITED)) + 0.0 * flying
    none: Any = 0.0 * flying > 1.0
    for place, name in enumerate(LIMITED):
        limit = getattr(limits, name)
        if limit is None:
            continue
        over = _over(server, traffic, name, limit)
        low, high, part = server.crossing(_negative(over))
        here = low.in_flight + part * (high.in_flight - low.in_flight)
        none = none | (over(server.points[0]) > 0.0)
        index = choose(here < flying, float(place), index)
        flying = least(here, flying)
    flying = choose(none | (server.room < 1.0), 0.0, flying)
    one = server.at(most(flying, 1.0))
    found = flying
    if traffic.concurrency is None:  # an arrival meets those that are there, and itself
        found = choose(flying < full.in_flight, most(flying - copies, 0.0), flying)
    return flying, found / one.e2e, choose(flying > 0.0, index, len(LIMITED) + 1.0)


def _negative(function: Callable[[Request], Any]) -> Callable[[Request], Any]:
    return lambda one: -function(one)


def _over(server: Curve, traffic: Traffic, name: str, limit: Real) -> Callable[[Request], Any]:
    """By how much a percentile of requests is beyond a limit, as a function of the request. [s]"""
    copies = ranks(server.scenario)
    percent, room = traffic.limits.percentile, server.full.in_flight / copies
    closed = traffic.concurrency is not None
    bursts = (1.0 / traffic.burstiness - 1.0) / 2.0

    def over(one: Request) -> Any:
        if server.scenario.prefill_pool is not None:
            one, _ = whole(server.scenario, one, one.in_flight / one.e2e)
        numbers = (0.0, 1.0) if closed else varying(one, most(one.in_flight / copies - 1.0, 0.0), room, bursts)
        return tails(server.scenario, one, *numbers)[name].percentile(percent) - limit

    return over

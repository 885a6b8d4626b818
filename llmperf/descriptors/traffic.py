"""Traffic: how requests come to a service, how long they are, and what their users wait for at most."""

from __future__ import annotations

from dataclasses import field
from itertools import pairwise
from typing import Annotated

from llmperf.descriptors.fields import (
    FORBID_UNKNOWN_KEYS,
    TIME,
    Fraction,
    NonNegative,
    Number,
    Positive,
    Seconds,
    Text,
    Whole,
)
from llmperf.records import dataclass

Percentile = Annotated[float, Number(50.0, 99.9)]
Limit = Annotated[float, TIME]


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of a request: their mean, how far they scatter, and quantiles where a trace was counted.

    With a mean and a coefficient of variation alone, they are lognormal.
    """

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    mean: Positive | None = None
    """Without, what the workload says."""
    cv: NonNegative = 0.0
    """Coefficient of variation: standard deviation over mean; 0 of equal lengths."""
    p50: Positive | None = None
    p90: Positive | None = None
    p99: Positive | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a user waits for at most; what counts as served for goodput."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    ttft: Limit | None = None
    tpot: Limit | None = None
    itl: Limit | None = None
    e2e: Limit | None = None
    percentile: Percentile = 90.0
    """Of all requests, which of each time has to keep its limit."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """A steady state: requests that arrive, by themselves or as others are complete, or all at once.

    Exactly one of `request_rate`, `concurrency`, `users` and `requests` says how they come; `requests` may stand beside
    `request_rate` or `concurrency`: so many are sent in all.
    """

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    name: Text | None = None
    sources: dict[Text, Text] = field(default_factory=dict)
    aliases: list[Text] = field(default_factory=list)
    notes: Text | None = None
    request_rate: Positive | None = None
    """Arrivals, whatever is in flight: an open loop. [1/s]"""
    burstiness: Positive = 1.0
    """Shape of the gamma distribution of times between arrivals: 1 Poisson, below it bursts, above it more even."""
    concurrency: Whole | None = None
    """Requests in flight, each replaced when it is complete: a closed loop. [1]"""
    users: Whole | None = None
    """Users, each of whom reads an answer for `think_time` before the next request. [1]"""
    think_time: Seconds = 0.0
    requests: Whole | None = None
    """Requests of a burst, all there at time zero; beside another way to come, those that are sent in all. [1]"""
    input: Lengths = field(default_factory=Lengths)
    output: Lengths = field(default_factory=Lengths)
    correlation: Annotated[float, Number(-1.0, 1.0)] = 0.0
    """Of prompt and output lengths. [1]"""
    prefix_hit: Fraction = 0.0
    """Share of prompt tokens behind `shared_prefix` that earlier turns have left in the prefix cache."""
    limits: Limits = field(default_factory=Limits)


PERCENTILES = (50.0, 90.0, 99.0)
"""Percentiles of times that are known, so that limits may be on them. [%]"""
WAYS = ("request_rate", "concurrency", "users", "requests")
"""How requests may come."""


def contradictions(traffic: Traffic) -> list[tuple[str, str]]:
    """What in the traffic of a scenario contradicts itself: (path, message) pairs."""
    found = statistics(traffic)
    ways = [name for name in WAYS if getattr(traffic, name) is not None]
    if not ways:
        found.append(("", f"does not say how requests come: one of {', '.join(WAYS)}"))
    if len(ways) > 1 and ways not in (["request_rate", "requests"], ["concurrency", "requests"]):
        found.append((ways[1], f"stands beside {ways[0]}: requests come in one way"))
    if traffic.think_time and traffic.users is None:
        found.append(("think_time", "is that of users, of whom there are none"))
    if traffic.burstiness != 1.0 and traffic.request_rate is None:
        found.append(("burstiness", "is that of arrivals: it needs a request_rate"))
    if traffic.limits.percentile not in PERCENTILES:
        known = ", ".join(f"{one:g}" for one in PERCENTILES)
        found.append(("limits.percentile", f"{traffic.limits.percentile:g} is none that is known; allowed: {known}"))
    return found


def statistics(traffic: Traffic) -> list[tuple[str, str]]:
    """What in the statistics of lengths cannot be: (path, message) pairs."""
    return [*_lengths("input", traffic.input), *_lengths("output", traffic.output)]


def _lengths(name: str, lengths: Lengths) -> list[tuple[str, str]]:
    known = [(key, getattr(lengths, key)) for key in ("p50", "p90", "p99") if getattr(lengths, key) is not None]
    found = [
        (f"{name}.{key}", f"{value:g} is below {before}, {least:g}: percentiles are in order")
        for (before, least), (key, value) in pairwise(known)
        if value < least
    ]
    if known and not lengths.cv:
        found.append((f"{name}.cv", "is missing: lengths with percentiles scatter"))
    if lengths.mean is not None and lengths.p50 is not None and lengths.cv:
        most = lengths.cv * lengths.mean  # the median lies within one standard deviation of the mean
        if abs(lengths.p50 - lengths.mean) > most * (1.0 + 1e-6):
            text = f"{lengths.p50:g} is further from the mean, {lengths.mean:g}, than a standard deviation, {most:g}"
            found.append((f"{name}.p50", text))
    return found

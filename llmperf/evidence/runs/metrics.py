"""Measured metrics of a service between what no system beats and what is projected, with what explains the gap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from llmperf.descriptors.scenario import Scenario
from llmperf.evidence.runs.run import PERCENTILES, percentile
from llmperf.numeric import Real
from llmperf.outputs.serving import MEANS
from llmperf.phases.answered import Evaluated
from llmperf.phases.serving.lengths import quantile
from llmperf.phases.serving.limits import LIMITED
from llmperf.phases.serving.request import at, ranks
from llmperf.phases.serving.span import Span, span

NO_ROOM = "by this model the workload does not fit the memory; the predictions assume that it did"
ONE_TOKEN = "a request has one token only"
UNLIMITED = "the file does not say the limits that it counts by: give --ttft, --tpot, --itl or --e2e"
ROOM = "wait for room"
"""What requests wait for in a service, beside the resources and the prompts of others."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Bound and projection of one metric, what explains the gap between them, and what is left out."""

    bound: float
    projection: float
    explained_by: Mapping[str, float]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions by metric, or why there is none; requests in flight; and what holds for all of them."""

    found: Mapping[str, Prediction | str]
    concurrency: float
    notes: tuple[str, ...] = ()


def between(part: Span, note: str = "") -> Prediction:
    """A time. [s]"""
    return Prediction(number(part.bound), number(part.projection), explained(part), note)


def rate_between(part: Span, work: Real) -> Prediction:
    """As a rate of `work` done in it."""
    return Prediction(number(work / part.bound), number(work / part.projection), explained(part))


def explained(part: Span) -> dict[str, float]:
    """Shares of the gap between bound and projection, the largest first. [1]"""
    shares = {name: number(share) for name, share in part.gap().items()}
    return {name: shares[name] for name in sorted(shares, key=lambda key: -shares[key]) if shares[name] > 0.0}


def number(value: Any) -> float:
    """One number, of what may be an array of one."""
    return float(np.asarray(value, dtype=float).reshape(-1)[0])


def waiting_for(time: Real) -> Span:
    """Time in which nothing is done for a request."""
    return Span(0.0, time, {ROOM: time}, {})


def times_of(
    scenario: Scenario,
    measured: Mapping[str, float],
    flying: float,
    one: Evaluated,
    spans: Mapping[str, Span],
    percentiles: Mapping[str, Real],
) -> dict[str, Prediction | str]:
    """Times and their percentiles, each between what no server beats and what is projected."""
    output = scenario.workload.output
    decoding = _decoding(scenario, measured, flying)
    prompt, fastest = span(one, "prefill"), span(at(scenario, decoding), "decode")
    few = f"the bound is that of the {decoding} sequences that decode" if decoding < round(flying) else ""
    means = {
        "ttft": between(spans["ttft"]),
        "tpot": between(spans["tpot"].bounded(fastest), few),
        "itl": between(spans["itl"].bounded(fastest), few),
        "e2e": between(spans["e2e"].bounded(prompt + fastest * (output - 1.0))),
    }
    found: dict[str, Prediction | str] = {}
    for name, mean in means.items():
        found[MEANS[name]] = mean
        for percent in PERCENTILES:
            bound = (number(prompt.bound) if name == "ttft" else mean.bound) * _shorter(scenario, name, percent)
            key = percentile(MEANS[name], percent)
            found[key] = replace(mean, bound=bound, projection=number(percentiles[key]), note="")
    if output == 1:
        found |= {key: ONE_TOKEN for key in found if key.startswith(("tpot", "itl"))}
    return found


def _shorter(scenario: Scenario, name: str, percent: int) -> float:
    """By how much the bound of a percentile is below that of the mean, where lengths scatter. [1]

    The median request is shorter than the mean one; a prompt of a share ``r`` of its tokens takes at least ``r^2`` of
    its time, for attention is quadratic.
    """
    traffic, work = scenario.traffic, scenario.workload
    if traffic is None or name in ("tpot", "itl"):
        return 1.0
    given = number(quantile(traffic.input, work.input, percent)) / work.input
    taken = number(quantile(traffic.output, work.output, percent)) / work.output
    return min(1.0, given**2, taken if name == "e2e" else 1.0)


def rates_of(scenario: Scenario, shared: Span, flying: float, good: Real) -> dict[str, Prediction | str]:
    """What so many requests in flight deliver, and the share `good` of them that keep the limits."""
    work, traffic = scenario.workload, scenario.traffic
    requests = rate_between(shared, flying)
    limited = traffic is not None and any(getattr(traffic.limits, name) is not None for name in LIMITED)
    return {
        "requests_per_s": requests,
        "output_tokens_per_s": rate_between(shared, flying * work.output),
        "total_tokens_per_s": rate_between(shared, flying * (work.input + work.output)),
        "goodput_per_s": replace(requests, projection=requests.projection * number(good)) if limited else UNLIMITED,
    }


def _decoding(scenario: Scenario, measured: Mapping[str, float], flying: float) -> int:
    """Sequences that decoded on average, rounded down to whole ones a rank; one a rank where that is unknown.

    Little's law for decoding alone: tokens a second times the time of a token. A server may hold requests back, so
    that fewer decode than are in flight, and a token can beat the bound that all of them would have.
    """
    copies, output = int(ranks(scenario)), float(scenario.workload.output)
    rate = measured.get("output_tokens_per_s")
    each = measured.get("tpot_s", measured.get("itl_s"))
    if rate is None or each is None:
        return copies
    mean = min(rate * each * (output - 1.0) / output, flying)
    return max(int(mean // copies), 1) * copies

"""Verdicts on results: whether they fit, keep up with what comes, and keep limits; each a colour, a word and why."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from llmperf.answers.answer import Answer, answer
from llmperf.evidence.confidence import PHASE_OF, error_bands
from llmperf.numeric import first
from llmperf.outputs import by_path
from llmperf.scenarios.binding import bound as with_values
from llmperf.words.quantities import count, gib, quantity, share
from llmperf.words.service import LIMITED

Verdict = tuple[str, str, str]
"""Class of its colour, its word, and why."""


def of_batch(result: Answer, limits: Mapping[str, float]) -> Iterator[Verdict]:
    """Verdicts on a static batch, with limits of its times by output. [s]"""
    yield fits(result)
    for metric, most in limits.items():
        yield served(result, metric, most)


def of_service(result: Answer) -> Iterator[Verdict]:
    """Verdicts on a service: whether it fits, answers all that come, and keeps the limits of its traffic."""
    yield room(result)
    yield keeps_up(result)
    traffic = result.scenario.traffic
    for name in LIMITED:
        if traffic is not None and getattr(traffic.limits, name) is not None:
            yield kept(result, name)


def fits(result: Answer) -> Verdict:
    """Whether the workload has a place in memory."""
    memory = result.memory
    if memory.fits:
        room = f"{gib(memory.required)} of {gib(memory.usable)} GiB that each device may use"
        return "good", "Fits.", f"{room}; {count(memory.max_batch)} such sequences would fit."
    from llmperf.answers.remedies import NOTHING_FITS, remedies

    found = remedies(result.resolved, result.evaluated[0])
    would = f" It would fit with one of: {'; '.join(found)}." if found else f" {NOTHING_FITS}"
    text = f"{gib(memory.missing)} GiB a device too much; the times below assume that it did."
    return "bad", "Does not fit.", text + would


def served(result: Answer, metric: str, most: float) -> Verdict:
    """Whether a time is within a limit: for certain, by the projection, not even by the bound; never unless it fits."""
    value, bound = (float(getattr(part, metric)) for part in (result.projection, result.bound))
    about, limit = by_path()[metric], quantity(most, "time")
    name = about.head
    if not math.isfinite(value):
        return "unsure", f"{name}: no answer.", "No further token is generated."
    said = f"{quantity(value, 'time')} projected, limit {limit}"
    if not result.memory.fits:
        return "bad", f"{name}: not served, does not fit.", f"{said}, if it did."
    band = error_bands(result).get(about.band)
    if bound > most:
        return "bad", f"{name} cannot be met.", f"{said}: even the bound is {quantity(bound, 'time')}."
    if value > most:
        return "bad", f"{name} is missed.", f"{said}; the bound of {quantity(bound, 'time')} would allow it."
    if band is None:
        return "unsure", f"{name} is met.", f"{said}; no measured results say how sure that is."
    worst = quantity(value * band.high, "time")
    if value * band.high > most:
        return "unsure", f"{name} is met, not surely.", f"{said}; the upper end of the band is {worst}."
    return "good", f"{name} is met.", f"{said}; the upper end of the band is {worst}."


def room(result: Answer) -> Verdict:
    """Whether the requests that run have a place in memory."""
    if not result.memory.fits:
        return fits(result)
    service = result.parts["service"]
    running, most = count(first(service.in_flight)), count(first(service.preemption_onset))
    held = f"hold {share(first(service.kv_occupancy), 0)} of the KV cache that there is room for"
    return "good", "Fits.", f"{running} requests run at a time and {held}; {most} of full length would fit."


def keeps_up(result: Answer) -> Verdict:
    """Whether a service answers what comes; whether requests wait for room, where no more come than are answered."""
    service, traffic = result.parts["service"], result.scenario.traffic
    most = f"{count(first(service.saturation_rate_per_s))} requests/s"
    if traffic is None or traffic.request_rate is None:
        if service.saturated:
            waiting, time = count(first(service.queued)), quantity(first(service.queue_s), "time")
            text = f"{waiting} requests wait for room at a time, {time} on average; it answers {most}."
            return "unsure", "Full.", text
        answered = count(first(result.value("requests_per_s")))
        return "good", "Has room for all.", f"It answers {answered} requests/s; with all room taken {most}."
    come = f"{count(first(traffic.request_rate))} requests/s come"
    if service.saturated:
        return "bad", "Saturated.", f"{come}, and it can answer {most}: requests queue without end."
    part = first(traffic.request_rate) / first(service.saturation_rate_per_s)
    return "good", "Keeps up.", f"{come}, {share(part, 0)} of the {most} at which it saturates."


def kept(result: Answer, name: str) -> Verdict:
    """Whether the stated percentile of a time (a key of `LIMITED`) keeps its limit; never of what does not fit."""
    traffic = result.scenario.traffic
    assert traffic is not None
    limit, percent = first(getattr(traffic.limits, name)), f"{first(traffic.limits.percentile):g}"
    head, path = f"{LIMITED[name]}, p{percent}", f"{name}_p{percent}_s"
    if path not in result.paths:
        return _by_share(result, name, head)
    value = first(result.value(path))
    if math.isnan(value):
        return "unsure", f"{head}: no answer.", "No further token is generated."
    said = f"{quantity(value, 'time')} projected, limit {quantity(limit, 'time')}"
    if not result.memory.fits:
        return "bad", f"{head}: not served, does not fit.", f"{said}, if it did."
    if math.isinf(value):
        return "bad", f"{head} is missed.", "Requests queue without end."
    if value > limit:
        return "bad", f"{head} is missed.", f"{said}."
    band = error_bands(result).get(PHASE_OF[name])
    if band is None:
        return "unsure", f"{head} is met.", f"{said}; no measured results say how sure that is."
    worst = f"the upper end of the band of means is {quantity(value * band.high, 'time')}"
    if value * band.high > limit:
        return "unsure", f"{head} is met, not surely.", f"{said}; {worst}."
    return "good", f"{head} is met.", f"{said}; {worst}."


def _by_share(result: Answer, name: str, head: str) -> Verdict:
    """The same of a percentile that is no output, by the share of requests that keep this limit alone."""
    traffic = result.scenario.traffic
    assert traffic is not None
    alone = {f"traffic.limits.{one}": getattr(traffic.limits, one) if one == name else None for one in LIMITED}
    scenario = with_values(result.answered.template, alone)
    kept_by = first(answer(replace(result.answered, template=scenario, axes={})).value("within_limits"))
    said = f"{share(kept_by)} of requests take at most {quantity(first(getattr(traffic.limits, name)), 'time')}."
    if not result.memory.fits:
        return "bad", f"{head}: not served, does not fit.", said
    met = kept_by >= first(traffic.limits.percentile) / 100.0
    return ("unsure", f"{head} is met.", said) if met else ("bad", f"{head} is missed.", said)

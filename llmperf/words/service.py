"""What a steady state shows, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from llmperf.answers.answer import Answer
from llmperf.numeric import first
from llmperf.words.quantities import count, quantity, share

LIMITED = {"ttft": "TTFT", "tpot": "TPOT", "itl": "ITL", "e2e": "end to end"}
"""Times that may have a limit."""


def sentences(result: Answer) -> Iterator[str]:
    """What becomes of a service, where all numbers are single ones."""
    service, scenario = result.parts["service"], result.scenario
    running, room = first(service.in_flight), first(result.value("max_batch"))
    held, onset = share(first(service.kv_occupancy), 0), count(first(service.preemption_onset))
    yield (
        f"{count(running)} requests run at a time and hold {held} of the KV cache that there is room for; preemption "
        f"begins at {onset} of full length"
        if room >= 1.0
        else "not even one request fits"
    )
    most = f"{count(first(service.saturation_rate_per_s))} requests/s"
    traffic = scenario.traffic
    assert traffic is not None
    if bool(service.saturated) and traffic.request_rate is not None:
        yield f"saturated: it can answer {most}; requests queue without end"
    elif bool(service.saturated):
        waits = quantity(first(service.queue_s), "time")
        yield f"saturated: {count(first(service.queued))} wait for room, {waits} each"
    else:
        yield f"it saturates at {most}"
    if scenario.prefill_pool is not None:
        yield (
            f"workers that prefill would be busy when those that decode are at {count(first(service.pool_ratio))} "
            "times their number"
        )
    busy = {
        "matrix engines": service.compute_utilization,
        "device memory": service.memory_utilization,
        "links": service.link_utilization,
    }
    used = [f"{name} {share(first(value), 0)}" for name, value in busy.items() if first(value) >= 0.005]
    yield f"busy at their peak: {', '.join(used)}"
    if limits := stated(result):
        yield (
            f"{share(first(service.within_limits))} of requests keep {limits}: goodput "
            f"{count(first(service.goodput_per_s))} requests/s; {percentile(result)} keep each of them up to "
            f"{count(first(service.capacity_per_s))} requests/s"
        )


def percentile(result: Answer) -> str:
    """The share of requests that has to keep limits: ``90 %``."""
    traffic = result.scenario.traffic
    assert traffic is not None
    return f"{count(traffic.limits.percentile)} %"


def stated(result: Answer) -> str:
    """The limits of a scenario: ``TTFT 2 s, TPOT 50 ms``; empty without."""
    traffic = result.scenario.traffic
    assert traffic is not None
    limits = ((words, getattr(traffic.limits, name)) for name, words in LIMITED.items())
    return ", ".join(f"{words} {quantity(first(limit), 'time')}" for words, limit in limits if limit is not None)

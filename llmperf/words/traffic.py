"""Traffic in words: how requests come, and how long they are."""

from __future__ import annotations

from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import anywhere
from llmperf.words.quantities import quantity, span


def coming(scenario: Scenario) -> str:
    """How requests come: ``10 requests/s of 1,024 in, 256 out``; numbers that vary by their range."""
    traffic, work = scenario.traffic, scenario.workload
    assert traffic is not None
    if traffic.concurrency is not None:
        way = f"{span(traffic.concurrency)} requests in flight"
    elif traffic.users is not None:
        way = f"{span(traffic.users)} users"
        if anywhere(traffic.think_time > 0.0):
            way += f", who think for {_time(traffic.think_time)},"
    elif traffic.request_rate is not None:
        way = f"{span(traffic.request_rate)} requests/s"
    else:
        way = f"a burst of {span(traffic.requests)} requests"
    sent = ""
    if traffic.requests is not None and (traffic.concurrency is not None or traffic.request_rate is not None):
        sent = f", {span(traffic.requests)} in all"
    mean = "on average " if anywhere(traffic.input.cv > 0.0) or anywhere(traffic.output.cv > 0.0) else ""
    return f"{way} of {mean}{span(work.input)} in, {span(work.output)} out{sent}"


def _time(seconds: object) -> str:
    from llmperf.numeric import ends

    low, high = ends(seconds)
    return quantity(low, "time") if low == high else f"{quantity(low, 'time')} to {quantity(high, 'time')}"

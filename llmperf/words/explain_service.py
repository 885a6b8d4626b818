"""What limits a service, as a colleague would say it: how far it is from saturation, and what its users wait for."""

from __future__ import annotations

from collections.abc import Iterator

from llmperf.answers.answer import Answer
from llmperf.answers.ceilings import ENGINE, ceilings
from llmperf.answers.sweep import load
from llmperf.numeric import first
from llmperf.phases.serving.serve import solved
from llmperf.words.items import Item
from llmperf.words.quantities import count, quantity, share
from llmperf.words.service import percentile, stated
from llmperf.words.waits import listed, physics, waits

WAITS = {
    "own_prompt_s": "its own prompt",
    "others_s": "the step that runs and prompts of others",
    "front_end_s": "the engine's front end",
    "room_s": "room in memory",
}
"""What a first token waits for."""
SAID = 0.01
"""Share of a time from which on a part of it is said. [1]"""


def serves(result: Answer) -> bool:
    """Whether an answer is of a service."""
    return "saturation_rate_per_s" in result.paths


def of_service(result: Answer) -> Iterator[Item]:
    """How far a service is from saturation, what its first and its further tokens wait for, and its limits."""
    yield _load(result)
    yield _first_token(result)
    if result.bottleneck["decode"] is not None:
        yield _tokens(result)
    if said := stated(result):
        service = result.parts["service"]
        kept, most = first(service.within_limits), first(service.capacity_per_s)
        text = f"{share(kept)} of requests keep {said}; {percentile(result)} do up to {count(most)} requests/s."
        yield Item("limit", text, {"within_limits": kept, "capacity_per_s": most})


def _load(result: Answer) -> Item:
    """How much comes, how much it can answer, and what room that takes."""
    service, traffic = result.parts["service"], result.scenario.traffic
    assert traffic is not None
    rate, most = first(result.value("requests_per_s")), first(service.saturation_rate_per_s)
    running, room = first(service.in_flight), first(service.preemption_onset)
    if traffic.request_rate is not None and service.saturated:
        come = first(traffic.request_rate)
        head = (
            f"It is saturated: {count(come)} requests/s come, and it can answer {count(most)}; they queue without end"
        )
    elif service.saturated:
        waiting = count(first(service.queued))
        head = f"It is full: {waiting} requests wait for room at a time; it answers {count(rate)} requests/s"
    else:
        head = (
            f"It answers {count(rate)} requests/s, {share(rate / most, 0)} of the {count(most)} at which it saturates"
        )
    ends = "the engine runs" if ceilings(result)["max_batch"] == ENGINE else "memory has room for"
    held = f"{count(running)} run at a time and hold {share(first(service.kv_occupancy), 0)} of the KV cache"
    values = {
        "requests_per_s": rate,
        "saturation_rate_per_s": most,
        "in_flight": running,
        "kv_occupancy": first(service.kv_occupancy),
        "saturated": bool(service.saturated),
    }
    return Item("limit", f"{head}. {held}; {ends} {count(room)} of full length.", values)


def _first_token(result: Answer) -> Item:
    """What the first token of a request waits for."""
    mean, late = first(result.value("ttft_mean_s")), first(result.value("ttft_p99_s"))
    bound = first(result.value("bound.ttft_mean_s"))
    if mean == float("inf"):
        return Item("limit", "TTFT grows without end, for the queue does.", {"metric": "ttft_mean_s"})
    parts = first_token(result)
    said = [f"{quantity(time, 'time')} for {WAITS[name]}" for name, time in parts.items() if time >= SAID * mean]
    head = f"TTFT is {quantity(mean, 'time')} on average, p99 {quantity(late, 'time')}"
    text = ". ".join(filter(None, (f"{head}: {listed(said)}" if said else head, physics(mean, bound)))) + "."
    return Item("limit", text, {"metric": "ttft_mean_s", "ttft_mean_s": mean, "bound_s": bound, **parts})


def first_token(result: Answer) -> dict[str, float]:
    """Parts of the mean time to the first token, by the keys of `WAITS`. [s]

    None of a burst, whose requests all wait for each other, nor where prompts run on workers of their own.
    """
    scenario = result.answered.scenario
    traffic = scenario.traffic
    if traffic is None or load(result) == "requests" or scenario.prefill_pool is not None:
        return {}
    loop, _ = solved(scenario, traffic)
    one, front = loop.request, scenario.engine.request_time + scenario.engine.front_time
    others = one.ttft - one.own - front
    values = {"own_prompt_s": one.own, "others_s": others, "front_end_s": front, "room_s": loop.wait.mean}
    return {name: first(value) for name, value in values.items()}


def _tokens(result: Answer) -> Item:
    """What the further tokens of a request wait for: the step of all that run, and prompts that join it."""
    mean, late = first(result.value("tpot_s")), first(result.value("tpot_p99_s"))
    bound, phase = first(result.value("bound.tpot_s")), result.evaluated[0].phases["decode"]
    step = first(phase.projection) / first(phase.steps)
    head = f"TPOT is {quantity(mean, 'time')} on average, p99 {quantity(late, 'time')}"
    running = count(first(result.evaluated[0].setup.scenario.workload.batch))
    head += f": a step of the {running} that decode takes {quantity(step, 'time')}"
    joined = mean - step
    if joined >= SAID * mean:
        head += f", prompts of others that join it {quantity(joined, 'time')}"
    waiting, largest, values = waits(result, "decode")
    text = ". ".join(filter(None, (head, waiting.replace("It ", "The step "), physics(mean, bound), largest))) + "."
    times = {"metric": "tpot_s", "tpot_s": mean, "bound_s": bound, "step_s": step, "prompts_s": max(joined, 0.0)}
    return Item("limit", text, {"phase": "decode", **times, **values})

"""Outputs of a steady state: times of requests and their percentiles, rates, and what becomes of the service."""

from __future__ import annotations

from collections.abc import Iterator

from llmperf.outputs.output import Group, Output, on

PERCENTILES = (50, 90, 99)
_TIMES = (
    ("ttft", "TTFT", "time from a request's arrival to its first token", "ttft"),
    ("tpot", "TPOT", "time of each further token of a request, over all of its tokens", "decode"),
    ("itl", "ITL", "interval between two tokens as they are emitted", "decode"),
    ("e2e", "end to end", "time from a request's arrival to its last token", "e2e"),
)
MEANS = {"ttft": "ttft_mean_s", "tpot": "tpot_s", "itl": "itl_s", "e2e": "e2e_s"}
"""Names of the means: those that a static batch has, too."""
TIMES = {MEANS[name]: label for name, label, _, _ in _TIMES}
"""Means of the times of a request, with their labels."""
_EVERYWHERE = on("compare", "card", "notebook", "sweep", "lock")
_VIEWS = {"ttft": _EVERYWHERE, "tpot": _EVERYWHERE | on("frontier"), "e2e": on("compare")}


def _times() -> Iterator[Output]:
    for name, label, text, band in _TIMES:
        head = label if label != "end to end" else "E2E"
        shown = _VIEWS.get(name, on())
        yield Output(MEANS[name], "s", "lower", f"{label}, mean", f"mean {text}", f"{head}, mean", shown, band)
        for percent in PERCENTILES:
            seen = shown if percent == 99 else on()
            said = f"{percent} % of the times are at most so long: {text}"
            yield Output(f"{name}_p{percent}_s", "s", "lower", f"{label}, p{percent}", said, "", seen, band)


SERVED = Group(
    *_times(),
    Output(
        "requests_per_s",
        "1/s",
        "higher",
        "requests/s",
        "requests that are completed",
        shown=on("card", "notebook", "lock"),
        band="e2e",
    ),
    Output(
        "output_tokens_per_s",
        "1/s",
        "higher",
        "output tokens/s",
        "generated tokens of all requests in a second",
        shown=on("compare", "card", "notebook", "sweep", "lock"),
        band="e2e",
    ),
    Output(
        "total_tokens_per_s",
        "1/s",
        "higher",
        "all tokens/s",
        "prompt and generated tokens of all requests in a second",
        band="e2e",
    ),
    Output(
        "power_w",
        "W",
        "lower",
        "power",
        "power of all devices, at their rated power; the projection only",
        shown=on("aside"),
        formula="llmperf.costs.energy:served_power",
    ),
    Output(
        "energy_per_output_token_j",
        "J",
        "lower",
        "energy per output token",
        "energy of all devices at their rated power over generated tokens, an upper estimate; the projection only",
        "energy a token",
        on("compare", "notebook", "lock"),
        "e2e",
        "llmperf.costs.energy:served_per_output_token",
    ),
    Output(
        "cost_per_month_usd",
        "USD",
        "lower",
        "cost of a month",
        "rent of all devices for a month of 730.5 hours",
        shown=on("aside"),
        formula="llmperf.costs.money:served_per_month",
    ),
    Output(
        "cost_per_mtok_usd",
        "USD",
        "lower",
        "cost of 1M tokens",
        "rent of all devices over a million tokens, prompt and generated alike",
        shown=on("compare", "notebook"),
        band="e2e",
        formula="llmperf.costs.money:served_per_mtok",
    ),
    Output(
        "cost_per_mtok_output_usd",
        "USD",
        "lower",
        "cost of 1M output tokens",
        "rent of all devices over a million generated tokens",
        band="e2e",
        formula="llmperf.costs.money:served_per_mtok_output",
    ),
)
"""Times of requests and rates, by bound and projection."""

SERVICE = Group(
    Output(
        "in_flight",
        "1",
        "",
        "requests that run",
        "requests that run at a time, on average",
        shown=on("compare"),
    ),
    Output("queued", "1", "lower", "requests that wait", "requests that wait for room at a time, on average"),
    Output("queue_s", "s", "lower", "wait for room", "mean time that a request waits for room before it runs"),
    Output("saturated", "", "lower", "saturated", "whether more requests come than can be answered"),
    Output(
        "saturation_rate_per_s",
        "1/s",
        "higher",
        "saturation, requests/s",
        "arrivals from which on requests queue without end",
        shown=on("compare"),
    ),
    Output(
        "capacity_per_s",
        "1/s",
        "higher",
        "requests/s within limits",
        "most arrivals at which the stated percentile of every time keeps its limit; without limits, at saturation",
        shown=on("compare"),
    ),
    Output(
        "goodput_per_s",
        "1/s",
        "higher",
        "goodput, requests/s",
        "completed requests that keep every stated limit",
        shown=on("compare", "lock"),
    ),
    Output(
        "pool_ratio",
        "1",
        "",
        "prefill workers wanted",
        "of two pools: how many times as many workers that prefill would be busy when those that decode are",
    ),
    Output("within_limits", "", "higher", "within limits", "share of requests that keep every stated limit"),
    Output("kv_occupancy", "", "lower", "KV occupancy", "share of the KV pool that running requests hold on average"),
    Output(
        "preemption_onset",
        "1",
        "higher",
        "preemption from",
        "requests in flight from which on not all could be completed without evicting one",
    ),
    Output(
        "compute_utilization",
        "",
        "higher",
        "matrix engines in use",
        "share of the time that the matrix engines would be busy at their peak",
    ),
    Output(
        "memory_utilization",
        "",
        "higher",
        "device memory in use",
        "share of the time that the device memory would be busy at its peak",
    ),
    Output(
        "link_utilization",
        "",
        "higher",
        "links in use",
        "share of the time that the busiest links between devices would be busy at their peak",
    ),
)
"""What becomes of a service under its traffic."""

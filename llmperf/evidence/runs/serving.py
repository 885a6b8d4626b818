"""What ``vllm bench serve`` and SGLang's ``bench_serving`` share: SGLang's client descends from vLLM's."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from llmperf.evidence.runs.run import (
    NO_PREDICTION,
    OTHER_SPREADS,
    PERCENTILES,
    Fields,
    OfferedLoad,
    by_little,
    mean,
    percentile,
)

_STATISTIC = re.compile(
    r"(mean|median|std|p\d+(\.\d+)?)_.+|(min|max)_.*(ttft|tpot|itl|e2el?|latency|throughput|intvty)(_m?s)?"
)

RATES = {
    "request_throughput": "requests_per_s",
    "output_throughput": "output_tokens_per_s",
    "request_goodput": "goodput_per_s",
}
TIMES = {"mean_ttft_ms": "ttft_mean_s", "mean_tpot_ms": "tpot_s", "mean_itl_ms": "itl_s"}
IN_SECONDS = "{}: no unit stands in the name, it is read in seconds"
SAID_TWICE = "{} says the same"


def _statistics(times: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """By metric, the keys that may hold it: of means and rates their own, of percentiles each spelling."""
    found: dict[str, tuple[str, ...]] = {}
    for key, metric in times.items():
        found[metric] = (key,)
        if key.startswith("mean_"):
            of = key.removeprefix("mean_")
            for percent in PERCENTILES:
                spelled = (f"median_{of}",) if percent == 50 else ()
                found[percentile(metric, percent)] = (*spelled, f"p{percent}_{of}")
    return found


def measurements(fields: Fields, extra: dict[str, str]) -> None:
    """Read what both tools measure, and `extra` keys of one of them (key -> metric).

    Pipelines that collect results write times in seconds, as ``mean_ttft`` or ``mean_ttft_s``.
    """
    taken = set()
    for metric, keys in _statistics({**TIMES, **RATES, **extra}).items():
        plain = [key.removesuffix("_ms") for key in keys]
        spelled = [one for key in plain for one in (f"{key}_ms", f"{key}_s", key) if fields.get(one) is not None]
        for name in spelled[:1]:
            fields.measure(metric, name, 1e-3 if name.endswith("_ms") else 1.0)
        for name in spelled[1:]:
            fields.skip(name, SAID_TWICE.format(spelled[0]))
        taken.update(spelled)
    for key, value in fields.data.items():
        if key in taken or isinstance(value, str | bool | Mapping | list):
            continue
        if _STATISTIC.fullmatch(key):
            fields.skip(key, NO_PREDICTION if key.startswith("mean_") else OTHER_SPREADS)
        elif key.endswith(("_ms", "_throughput", "_tokens_per_s", "_goodput", "_throughput_retokenized")):
            fields.skip(key, NO_PREDICTION)


def read(fields: Fields, extra: dict[str, str]) -> OfferedLoad:
    """The load of a run of which some requests completed, with its measurements."""
    if fields.get("completed") == 0:
        fields.fault("completed", "no request completed")
    measurements(fields, extra)
    return load(fields)


def load(fields: Fields) -> OfferedLoad:
    """A rate that is finite makes an open loop, otherwise a limit of requests in flight a closed one."""
    requests = fields.some("completed")
    if fields.get("request_rate") == "trace" or fields.get("ramp_up_strategy") is not None:
        return OfferedLoad("unsteady", requests=requests)
    limit = fields.some("max_concurrency")
    rate = fields.number("request_rate", infinite=True)
    if rate and math.isfinite(rate):
        return OfferedLoad("open", limit, rate, requests, fields.some("burstiness") or 1.0)
    if limit is not None and (requests is None or limit < requests):
        return OfferedLoad("closed", limit, None, requests)
    if limit is None and "request_rate" not in fields.data and (found := _in_flight(fields, requests)):
        return found
    return OfferedLoad("burst", requests, None, requests)


def _in_flight(fields: Fields, requests: float | None) -> OfferedLoad | None:
    """The load by Little's law, where the keys that say it were taken out; the latency is that of TTFT and TPOT."""
    measured = {item.metric: item.value for item in fields.measured}
    latency = measured.get("e2e_s")
    if latency is None and {"ttft_mean_s", "tpot_s"} <= measured.keys():
        latency = measured["ttft_mean_s"] + ((lengths(fields)["output"] or 1) - 1) * measured["tpot_s"]
    return by_little(measured.get("requests_per_s"), latency, requests)


def lengths(fields: Fields) -> dict[str, int | None]:
    """Mean tokens a request, of those that completed."""
    done = fields.some("completed")
    return {
        "input": mean(fields.some("total_input_tokens"), done),
        "output": mean(fields.some("total_output_tokens"), done),
    }


def notes(fields: Fields, accepted: float | None) -> tuple[str, ...]:
    """What a reader should know: drafted tokens, and times whose unit is taken."""
    times = [item.key for item in fields.measured if not item.metric.endswith("_per_s")]
    bare = [key for key in times if not key.endswith(("_ms", "_s"))]
    return (*drafted(accepted), *((IN_SECONDS.format(", ".join(bare)),) if bare else ()))


def label(fields: Fields, load: OfferedLoad) -> str:
    """What tells a run from the others of its file."""
    how = {
        "open": f"{load.rate:g} requests/s" if load.rate else "",
        "closed": f"{load.concurrency:g} in flight" if load.concurrency else "",
        "burst": f"{load.requests:g} requests at once" if load.requests else "",
        "unsteady": "arrivals of a trace or a ramp",
    }[load.kind]
    given = fields.text("tag") or fields.text("label")
    return f"{given}, {how}" if given else how


def drafted(length: float | None) -> tuple[str, ...]:
    """A note on speculation, where more than one token a step was accepted."""
    if length is None or length <= 1.0:
        return ()
    return (
        f"tokens were drafted, {length:.3g} accepted a step: speculation is not modelled, and can beat the bound of "
        "a token",
    )

"""What ``vllm bench serve`` and SGLang's ``bench_serving`` share: SGLang's client descends from vLLM's."""

from __future__ import annotations

import math
import re

from llmperf.evidence.runs.run import NO_PREDICTION, ONLY_MEANS, Fields, OfferedLoad, mean

_STATISTIC = re.compile(r"(median|std|min|max|p\d+(\.\d+)?)_.+_ms$")

RATES = {"request_throughput": "requests_per_s", "output_throughput": "output_tokens_per_s"}
TIMES = {"mean_ttft_ms": "ttft_mean_s", "mean_tpot_ms": "tpot_s", "mean_itl_ms": "itl_s"}


def measurements(fields: Fields, extra: dict[str, str]) -> None:
    """Read what both tools measure, and `extra` keys of one of them (key -> metric)."""
    for key, metric in {**TIMES, **RATES, **extra}.items():
        fields.measure(metric, key, 1e-3 if key.endswith("_ms") else 1.0)
    taken = {*TIMES, *RATES, *extra}
    for key in fields.data:
        if key in taken:
            continue
        if _STATISTIC.match(key):
            fields.skip(key, ONLY_MEANS)
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
        return OfferedLoad("open", limit, rate, requests)
    if limit is not None and (requests is None or limit < requests):
        return OfferedLoad("closed", limit, None, requests)
    return OfferedLoad("burst", requests, None, requests)


def lengths(fields: Fields) -> dict[str, int | None]:
    """Mean tokens a request, of those that completed."""
    done = fields.some("completed")
    return {
        "input": mean(fields.some("total_input_tokens"), done),
        "output": mean(fields.some("total_output_tokens"), done),
    }


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

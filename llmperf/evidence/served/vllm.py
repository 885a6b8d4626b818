"""Load stages of real vLLM servers: open-loop arrivals at a rate, times to first token, between tokens, in all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.descriptors.scenario import Scenario
from llmperf.evidence.rows import Rows, unique
from llmperf.evidence.served import names
from llmperf.evidence.served.names import InexpressibleError
from llmperf.evidence.served.scenarios import Asked, Case, asked
from llmperf.evidence.tables import DataTable
from llmperf.numeric import Array
from llmperf.phases.serving.serve import evaluate as evaluate_service

NAME = "vllm"
COLUMNS = {"request_rate_per_s", "shared_prefix_len", "max_num_batched_tokens", "itl_mean_ms", "ttft_mean_ms"}

ENGINE = "vllm"
METRICS = (
    ("ttft_mean_s", "ttft_mean_ms", "ttft"),
    ("itl_s", "itl_mean_ms", "decode"),
    ("e2e_s", "e2e_mean_ms", "e2e"),
    ("ttft_p90_s", "ttft_p90_ms", "ttft"),
    ("ttft_p99_s", "ttft_p99_ms", "ttft"),
    ("e2e_p90_s", "e2e_p90_ms", "e2e"),
    ("e2e_p99_s", "e2e_p99_ms", "e2e"),
)
"""Each metric, its column, and the phase of its error band."""
_MEAN = {metric: metric for metric, _, _ in METRICS[:3]} | {
    metric: mean for metric, _, _ in METRICS[3:] for mean in ("ttft_mean_s", "e2e_s") if metric[:4] == mean[:4]
}
"""The metric whose bound is that of each metric: of percentiles that of their mean, which no tail is below."""
FORMATS = {"fp8": "fp8", "fp16": "bf16", "bf16": "bf16"}
REPEATED = 0.5
"""Share of a prompt behind the common one that earlier turns have left in the prefix cache: traffic of many turns, as
inferred from these stages (times between tokens grow with the rate half as fast as whole prompts would make them). [1]
"""
EARLY = 0.95
"""A stage that generates less than this share of the length asked for stops early: its own length counts. [1]"""


def evaluate(table: DataTable) -> Rows:
    """Means of each stage as `ttft_s`, `itl_s` and `e2e_s`: open loops (`llmperf.phases.serving.arrivals`).

    Raises
    ------
    InputError
        If the table lacks a column, or holds what is no number.
    """
    table.require(COLUMNS | {"model", "hardware", "tp", "weight_fmt", "input_len", "output_len", "e2e_mean_ms"})
    rows = Rows(NAME)
    numbers = _numbers(table)
    ids = unique(table.text("id") if "id" in table.columns else [f"line {line}" for line in table.lines])
    cases: list[Case] = []
    kept: list[int] = []
    for i, name in enumerate(ids):
        try:
            cases.append(_case(table, numbers, i))
            kept.append(i)
        except (KeyError, InexpressibleError) as error:
            rows.omit([name], f"unknown weight format {error}" if isinstance(error, KeyError) else str(error))
    if not cases:
        return rows
    rate = numbers["request_rate_per_s"][kept]
    states = steady(cases, rate)
    known = ~np.isnan(states.column("itl_s"))
    for place, fine in zip(kept, known, strict=True):
        if not fine:
            rows.omit([ids[place]], "the rate exceeds what the server can answer, or the model does not fit")
    index, flying = np.flatnonzero(known), states.column("in_flight")
    for metric, column, phase in METRICS:
        if column not in numbers:
            continue
        about = states.subjects(phase) if metric in ("ttft_mean_s", "itl_s", "e2e_s") else [None] * len(cases)
        rows.extend(
            ids=[ids[kept[i]] for i in index],
            metric=metric,
            groups=[f"{cases[i].scenario['model']}|tp{cases[i].scenario['parallelism']['tp']}" for i in index],
            measured=numbers[column][kept][index] * 1e-3,
            bound=states.column(f"bound.{_MEAN.get(metric, metric)}")[index],
            projection=states.column(metric)[index],
            notes=[f"open loop, {flying[i]:.1f} sequences at once" for i in index],
            sources=[table.text("engine")[kept[i]] for i in index],
            subjects=[about[i] for i in index],
        )
    return rows


def _numbers(table: DataTable) -> dict[str, Array]:
    found = {
        name: table.numbers(name)
        for name in ("request_rate_per_s", "tp", "input_len", "output_len", "ttft_mean_ms", "itl_mean_ms")
    }
    found["e2e_mean_ms"] = table.numbers("e2e_mean_ms")
    found |= {column: table.numbers(column) for _, column, _ in METRICS if column in table.columns}
    found["shared_prefix_len"] = table.numbers("shared_prefix_len", 0.0, above=False)
    found["max_num_batched_tokens"] = table.numbers("max_num_batched_tokens", 8192.0)
    found["max_num_seqs"] = table.numbers("max_num_seqs", 256.0)
    found["gpu_mem_util"] = table.numbers("gpu_mem_util", 0.9)
    found["implied_output_len"] = table.numbers("implied_output_len", np.nan)
    table.check()
    return found


def _case(table: DataTable, numbers: dict[str, Array], i: int) -> Case:
    implied, asked = numbers["implied_output_len"][i], numbers["output_len"][i]
    output = implied if implied < EARLY * asked else asked
    scenario: dict[str, Any] = {
        "model": names.model(table.text("model")[i]),
        "hardware": names.hardware(table.text("hardware")[i]),
        "parallelism": {"tp": int(numbers["tp"][i])},
        "weights": FORMATS[table.text("weight_fmt")[i].lower()],
        "engine": {
            "extends": ENGINE,
            "token_budget": int(numbers["max_num_batched_tokens"][i]),
            "max_sequences": int(numbers["max_num_seqs"][i]),
            "utilization": float(numbers["gpu_mem_util"][i]),
        },
        "traffic": {"request_rate": 1.0, "prefix_hit": REPEATED},  # the rate of each stage takes its place
    }
    prefix, length = float(numbers["shared_prefix_len"][i]), float(numbers["input_len"][i])
    return Case(scenario, 1.0, length, float(round(output)), min(prefix, length - 1.0))


def steady(cases: list[Case], rate: Array) -> Asked:
    """The steady state of each stage; NaN where the server saturates, or not even one request fits."""

    def ask(scenario: Scenario, places: NDArray[np.intp]) -> Mapping[str, Any]:
        assert scenario.traffic is not None
        arriving: Any = rate[places]
        found = evaluate_service(replace(scenario, traffic=replace(scenario.traffic, request_rate=arriving)))
        service, times = found.parts["service"], found.parts["projection"]
        steady = np.where(np.asarray(service.saturated) | ~np.asarray(found.parts["memory"].fits), np.nan, 1.0)
        return {
            **{metric: steady * times.of(metric) for metric, _, _ in METRICS},
            **{f"bound.{metric}": found.parts["bound"].of(metric) for metric in _MEAN.values()},
            "in_flight": service.in_flight,
        }

    return asked(cases, ask)

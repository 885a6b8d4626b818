"""Load stages of real vLLM servers: open-loop arrivals at a rate, mean times to first token, between tokens, in all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from llmperf.evidence.rows import Rows, unique
from llmperf.evidence.served import names
from llmperf.evidence.served.names import InexpressibleError
from llmperf.evidence.served.scenarios import Case, answers
from llmperf.evidence.tables import Table
from llmperf.numeric import Array
from llmperf.scenarios.components import component

NAME = "vllm"
COLUMNS = {"request_rate_per_s", "shared_prefix_len", "max_num_batched_tokens", "itl_mean_ms", "ttft_mean_ms"}

ENGINE = "vllm"
FORMATS = {"fp8": "fp8", "fp16": "bf16", "bf16": "bf16"}
REPEATED = 0.5
"""Share of a prompt behind the common one that earlier turns have left in the prefix cache: traffic of many turns, as
inferred from these stages (times between tokens grow with the rate half as fast as whole prompts would make them). [1]
"""
ROUNDS = 30
"""Steps of the fixed point; it halves its distance in each."""
EARLY = 0.95
"""A stage that generates less than this share of the length asked for stops early: its own length counts. [1]"""


def evaluate(table: Table) -> Rows:
    """Means of each stage as `ttft_s`, `itl_s` and `e2e_s`.

    Notes
    -----
    With arrivals at rate ``r``, prompts that add ``p`` to a step, and a decode step of ``s(N)`` for ``N`` sequences,

        ``itl = s(N) / (1 - r p)``, ``N = r e2e``, ``e2e = ttft + (output - 1) itl``,
        ``ttft = itl / 2 + s(N) + p + request``:

    the wait for half a running step, the step that the prompt joins, and the engine's time for a request.

    References
    ----------
    .. [1] Little, "A Proof for the Queuing Formula L = lambda W", Operations Research 9, 1961.

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
        rows.omit([name], "percentiles of open-loop arrivals: need serve")
        try:
            cases.append(_case(table, numbers, i))
            kept.append(i)
        except (KeyError, InexpressibleError) as error:
            rows.omit([name], f"unknown weight format {error}" if isinstance(error, KeyError) else str(error))
    if not cases:
        return rows
    rate = numbers["request_rate_per_s"][kept]
    found = _steady(cases, rate)
    known = ~np.isnan(found["itl_s"])
    for place, fine in zip(kept, known, strict=True):
        if not fine:
            rows.omit([ids[place]], "the rate exceeds what the server can answer, or the model does not fit")
    bands = found["bands"]
    for metric, column in (("ttft_s", "ttft_mean_ms"), ("itl_s", "itl_mean_ms"), ("e2e_s", "e2e_mean_ms")):
        index = np.flatnonzero(known)
        rows.extend(
            ids=[ids[kept[i]] for i in index],
            metric=metric,
            groups=[f"{cases[i].scenario['model']}|tp{cases[i].scenario['parallelism']['tp']}" for i in index],
            measured=numbers[column][kept][index] * 1e-3,
            bound=found[f"bound.{metric}"][index],
            projection=found[metric][index],
            notes=[f"open loop, {found['concurrency'][i]:.1f} sequences at once" for i in index],
            sources=[table.text("engine")[kept[i]] for i in index],
            classes=[bands[metric][i] for i in index],
        )
    return rows


def _numbers(table: Table) -> dict[str, Array]:
    found = {
        name: table.numbers(name)
        for name in ("request_rate_per_s", "tp", "input_len", "output_len", "ttft_mean_ms", "itl_mean_ms")
    }
    found["e2e_mean_ms"] = table.numbers("e2e_mean_ms")
    found["shared_prefix_len"] = table.numbers("shared_prefix_len", 0.0, above=False)
    found["max_num_batched_tokens"] = table.numbers("max_num_batched_tokens", 8192.0)
    found["max_num_seqs"] = table.numbers("max_num_seqs", 256.0)
    found["gpu_mem_util"] = table.numbers("gpu_mem_util", 0.9)
    found["implied_output_len"] = table.numbers("implied_output_len", np.nan)
    table.check()
    return found


def _case(table: Table, numbers: dict[str, Array], i: int) -> Case:
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
    }
    prefix, length = float(numbers["shared_prefix_len"][i]), float(numbers["input_len"][i])
    cached = min(round(prefix + REPEATED * (length - prefix)), length - 1.0)
    return Case(scenario, 1.0, length, float(round(output)), float(cached), 1.0)


def _steady(cases: list[Case], rate: Array) -> dict[str, Any]:
    """The fixed point of the concurrency, by damped steps; NaN where the server saturates."""
    output = np.array([case.output for case in cases])
    request = component("engine", ENGINE).request_time
    at_once = np.ones(len(cases))
    found: dict[str, Any] = {}
    for _ in range(ROUNDS):
        whole = np.maximum(np.round(at_once), 1.0)
        step = answers([replace(case, batch=float(n)) for case, n in zip(cases, whole, strict=True)])
        busy = rate * step.prompt
        itl = np.where(busy < 1.0, step.projection["tpot_s"] / np.where(busy < 1.0, 1.0 - busy, 1.0), np.nan)
        ttft = 0.5 * itl + step.projection["tpot_s"] + step.prompt + request
        e2e = ttft + (output - 1.0) * itl
        at_once = 0.5 * (at_once + np.minimum(np.nan_to_num(rate * e2e, nan=1.0), step.max_batch))
        found = {"ttft_s": ttft, "itl_s": itl, "e2e_s": e2e}
    single = answers([replace(case, batch=1.0) for case in cases])
    found |= {f"bound.{name}": single.bound[name] for name in ("ttft_s", "e2e_s")}
    found["bound.itl_s"] = step.bound["tpot_s"]
    found["concurrency"] = at_once
    found["bands"] = {
        metric: step.bands(phase) for metric, phase in (("ttft_s", "prefill"), ("itl_s", "decode"), ("e2e_s", "e2e"))
    }
    return found

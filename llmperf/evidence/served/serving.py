"""Throughput and latency published by vendors and labs: TensorRT-LLM tables, LLM-Inference-Bench, MLPerf and others."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.descriptors.scenario import Scenario
from llmperf.descriptors.traffic import Traffic
from llmperf.errors import shown
from llmperf.evidence.rows import Rows, unique
from llmperf.evidence.served import engines, names
from llmperf.evidence.served.loops import loops
from llmperf.evidence.served.names import InexpressibleError
from llmperf.evidence.served.scenarios import Asked, Case, asked, times
from llmperf.evidence.tables import LARGEST, DataTable
from llmperf.numeric import Array
from llmperf.phases.serving.serve import evaluate as evaluate_service
from llmperf.phases.serving.waves import waves

NAME = "serving"
COLUMNS = {"scenario", "batch_or_concurrency", "input_len", "output_len", "metric", "value", "tier", "weight_fmt"}
READ = {"model", "hardware", "engine", "date_or_version", "source_title", "kv_fmt", "n_gpus", "tp", "pp", "dp", "ep"}
"""Columns that the scenario of a row needs besides."""

HARDWARE: dict[str, Any] = {
    "mi250-128gb": {
        "extends": "mi250",
        "engines": {
            "matrix": {"peaks": {"fp64": 45.25e12, "fp32": 45.25e12, "bf16": 181e12, "fp16": 181e12, "int8": 181e12}},
            "vector": {"peaks": {"fp64": 22.6e12, "fp32": 22.6e12}},
        },
        "tiers": {"l2": {"capacity": 8 * 2**20}, "hbm": {"capacity": 64 * 2**30, "bandwidth": 1.6e12}},
        "links": {"xgmi": {"bandwidth": 150e9, "domain": 8}},
        "cores": 104,
    },
    "inferentia2": "inf2-48xlarge",
}
"""Hardware whose `tp` counts dies (half a module of the catalog), or that is named by its chip alone."""

STACKS = {
    "mi300x-192gb": "mi300x-vllm-2024",
    "mi250-128gb": "mi250-vllm-2024",
    "intel-max-1550": "max-1550-vllm-2024",
}
"""What vLLM of 2024 reached where its kernels were not yet tuned, as LLM-Inference-Bench ran it."""

NATIVE: dict[str, Any] = {"front_time": 0.0, "ahead": 0}
"""A server in C++ (the Triton backend of TensorRT-LLM), in place of the Python one of later versions."""

METRICS = {
    "ttft_ms": "ttft_s",
    "tpot_ms": "tpot_s",
    "e2e_ms": "e2e_s",
    "output_tokens_per_s": "output_tokens_per_s",
    "output_tokens_per_s_per_gpu": "output_tokens_per_s",
    "total_tokens_per_s": "total_tokens_per_s",
}
SERVED = ("ttft_mean_s", "tpot_s", "output_tokens_per_s", "total_tokens_per_s")
MANY = 1e6
"""Requests of a load that does not say how many it sends. [1]"""
PHASES = {
    "ttft_s": "prefill",
    "ttft_mean_s": "ttft",
    "tpot_s": "decode",
    "prefill_tokens_per_s": "prefill",
    "decode_tokens_per_s": "decode",
}


@dataclass(slots=True)
class ServedRow:
    """One row of the table, read: what is measured of which case, and how it runs."""

    name: str
    place: int
    metric: str
    measured: float
    case: Case
    loop: bool = False
    pool: str = ""
    rate: float = 0.0
    """Requests a second; 0 of what does not come at a rate."""
    notes: list[str] = field(default_factory=list)


def evaluate(table: DataTable) -> Rows:
    """Rows of static batches and single requests as such, those at an infinite request rate as closed loops.

    Raises
    ------
    InputError
        If the table lacks a column, or a value is no number.
    """
    table.require(sorted(COLUMNS | READ))
    values = table.numbers("value")
    table.check()
    rows = Rows(NAME)
    read: list[ServedRow] = []
    for place, name in enumerate(unique(table.text("id") if "id" in table.columns else _numbered(table))):
        try:
            read.append(_read({key: texts[place] for key, texts in table.columns.items()}, name, place, values[place]))
        except InexpressibleError as error:
            rows.omit([name], str(error))
    _static(rows, table, [row for row in read if not row.loop])
    _loops(rows, table, [row for row in read if row.loop and not row.rate])
    _arrivals(rows, table, [row for row in read if row.rate])
    return rows


def _numbered(table: DataTable) -> list[str]:
    return [f"line {line}" for line in table.lines]


def _read(cells: dict[str, str], name: str, place: int, value: float) -> ServedRow:
    if cells["tier"] == "C":
        raise InexpressibleError("tier C: sanity only, not scored")
    metric = cells["metric"]
    if metric not in METRICS:
        raise InexpressibleError(f"unknown metric {metric!r}; known are {', '.join(METRICS)}")
    pool = _pool(cells.get("notes", ""))
    output = _count(cells["output_len"])
    if pool or (metric == "ttft_ms" and output is None):
        output = 2.0 if pool == "decode" else 1.0
    given = _count(cells["input_len"])
    if given is None or output is None:
        raise InexpressibleError("no " + ("input" if given is None else "output") + " length")
    loop = cells["scenario"] in ("offline_max", "server")
    rate, sent = _arriving(cells, loop, metric)
    gpus = _count(cells["n_gpus"]) or 1.0
    scale = gpus if metric.endswith("_per_gpu") else 1e-3 if metric.endswith("_ms") else 1.0
    notes: list[str] = []
    batch = 1.0 if rate else _batch(cells, gpus, loop, given)
    case = Case(_scenario(cells, gpus, notes), batch, given, output, sent=sent)
    stated = METRICS[metric] if not pool else f"{pool}_tokens_per_s"
    if stated == "ttft_s" and loop:
        stated = "ttft_mean_s"
    return ServedRow(name, place, stated, value * scale, case, loop, pool, rate, notes)


def _arriving(cells: dict[str, str], loop: bool, metric: str) -> tuple[float, float]:
    """Requests a second, infinitely many of a burst and 0 of none, and how many are sent in all."""
    text = cells["batch_or_concurrency"]
    if not loop:
        return 0.0, math.inf
    if not text and cells["scenario"] == "server":
        raise InexpressibleError("arrives at a rate that is not stated, with lengths of a data set")
    sent = re.search(r"(\d+) requests", cells.get("notes", ""))
    count = float(sent[1]) if sent else math.inf
    if not text.startswith("QPS="):
        return 0.0, count
    rate = float(text.removeprefix("QPS=").replace("INF", "inf"))
    if rate == math.inf and metric.endswith("_per_s"):
        return 0.0, math.inf  # the most that is served, by which such rows are meant
    if rate == math.inf and count == math.inf:
        raise InexpressibleError("a burst of requests, whose number is not stated")
    return rate, count


def _pool(notes: str) -> str:
    """Which half of a disaggregated system a row is about."""
    text = notes.lower()
    if "prefill-only" in text or "profile prefill" in text:
        return "prefill"
    return "decode" if "decode-only" in text or "profile, decode" in text else ""


def _count(text: str) -> float | None:
    """A count, rounded to a whole one (mean lengths); None where there is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    if LARGEST < number < np.inf:
        raise InexpressibleError(f"{shown(text)} is no count")
    return float(max(round(number), 1)) if np.isfinite(number) and number > 0 else None


def _batch(cells: dict[str, str], gpus: float, loop: bool, length: float) -> float:
    text = cells["batch_or_concurrency"]
    tokens = text.endswith("tok/gpu")
    found = _count(text.removesuffix("tok/gpu"))
    if tokens and found is not None:
        return float(round(found / length)) * gpus
    if found is None:
        if not loop or tokens:
            raise InexpressibleError(f"no batch, but {text!r}")
        return np.inf
    return found * gpus if cells["dp"] == cells["n_gpus"] and gpus > 1 else found


def _scenario(cells: dict[str, str], gpus: float, notes: list[str]) -> dict[str, Any]:
    stack = engines.serving(cells["engine"], cells["date_or_version"], cells["source_title"])
    model = names.model(cells["model"])
    if model == "mistral-7b" and stack.startswith("tensorrt-llm"):
        model = "mistral-7b-v0.3"
        notes.append("without the window, which the engine uses only where it is told to")
    return {
        "model": model,
        "hardware": _hardware(cells, stack),
        "parallelism": _layout(cells, gpus, notes),
        "engine": {"extends": stack, **NATIVE} if "Triton" in cells["engine"] else stack,
        "weights": _weights(cells, model),
        "kv_cache": names.kv_cache(cells["kv_fmt"]),
    }


def _hardware(cells: dict[str, str], stack: str) -> Any:
    found, reached = names.hardware(cells["hardware"], HARDWARE), STACKS.get(cells["hardware"].lower())
    if reached is None or stack != "vllm-2024" or "LLM-Inference-Bench" not in cells["source_title"]:
        return found
    return {**(found if isinstance(found, dict) else {"extends": found}), "achieved": {"extends": reached}}


def _weights(cells: dict[str, str], model: str) -> Any:
    name = cells["weight_fmt"].strip().lower()
    if name in names.SIXTEEN:
        return "bf16"
    if name == "int8":
        return names.weight_only(8.0)
    if name == "int4g32":
        return names.weight_only(5.0)
    if name == "fp8":
        return names.fp8(model)
    if name in names.WEIGHTS:
        return names.WEIGHTS[name]
    raise InexpressibleError(f"unknown weight format {name!r}")


def _layout(cells: dict[str, str], gpus: float, notes: list[str]) -> dict[str, int]:
    tp, pp = _count(cells["tp"]), _count(cells["pp"]) or 1.0
    if tp is None:
        if gpus > 1:
            raise InexpressibleError("the layout over several devices is not stated")
        tp = 1.0
    if cells["dp"] == "attention_dp":
        group = gpus / pp
        if group > 1:
            notes.append("experts taken as spread over all devices")
        return {"dp": int(group), "pp": int(pp), "ep": int(group)}
    dp, ep = _count(cells["dp"]) or 1.0, _count(cells["ep"]) or 1.0
    if cells["engine"] == "Transformers-NeuronX":  # two cores a chip
        tp = gpus
    return {"tp": int(tp), "pp": int(pp), "dp": int(dp), "ep": int(ep)}


def _static(rows: Rows, table: DataTable, read: list[ServedRow]) -> None:
    found = _in_parts([row.case for row in read])
    parts, fits = found.column("parts"), found.column("sequences")
    keep = [i for i, fault in enumerate(found.faults) if not fault and np.isfinite(parts[i])]
    for i, row in enumerate(read):
        if found.faults[i]:
            rows.omit([row.name], found.faults[i])
        elif not np.isfinite(parts[i]):
            rows.omit([row.name], "the weights do not fit")
        elif parts[i] > 1.0:
            row.notes.append(f"does not fit: {parts[i]:.0f} parts one after the other")
    bound = np.array([_value(found.bound, read[i], i, read[i].case.batch) for i in keep])
    projection = np.array([_value(found.projection, read[i], i, fits[i]) for i in keep])
    _extend(rows, table, [read[i] for i in keep], bound, projection, found, np.array(keep, dtype=int))


def _in_parts(cases: list[Case]) -> Asked:
    """Static batches, in parts where they do not fit: times to tokens are those of a part that fits."""

    def ask(scenario: Scenario, _: NDArray[Any]) -> dict[str, Any]:
        found = waves(scenario)
        bound = {name: value for name, value in times(found.whole).items() if name.startswith("bound.")}
        return times(found.part) | bound | {"e2e_s": found.e2e, "parts": found.parts, "sequences": found.sequences}

    return asked(cases, ask)


def _value(found: dict[str, Array], row: ServedRow, i: int, sequences: float) -> float:
    """The metric of a row from the times of its case, `sequences` of which are served at a time."""
    case = row.case
    if row.metric in found:
        return float(found[row.metric][i])
    if row.metric == "decode_tokens_per_s":
        return sequences / float(found["tpot_s"][i])
    if row.metric == "prefill_tokens_per_s":
        return sequences * case.input / float(found["ttft_s"][i])
    tokens = case.output + (case.input if row.metric == "total_tokens_per_s" else 0.0)
    return case.batch * tokens / float(found["e2e_s"][i])


def _loops(rows: Rows, table: DataTable, read: list[ServedRow]) -> None:
    """Continuous batching at the concurrency that memory, the engine or the source allows."""
    found = loops([row.case for row in read])
    keep = []
    for i, row in enumerate(read):
        if found.faults[i]:
            rows.omit([row.name], found.faults[i])
        else:
            keep.append(i)
            row.notes.append(f"closed loop of {found.concurrency[i]:.0f}")
    index = np.array(keep, dtype=int)
    chosen = [read[i] for i in keep]
    _extend(
        rows,
        table,
        chosen,
        np.array([found.metric(row.metric, i, bound=True) for row, i in zip(chosen, keep, strict=True)]),
        np.array([found.metric(row.metric, i) for row, i in zip(chosen, keep, strict=True)]),
        found.asked,
        index,
    )


def _arrivals(rows: Rows, table: DataTable, read: list[ServedRow]) -> None:
    """Requests that come at a rate, or all at once, as the question `serve` answers them."""
    rates, sent = np.array([row.rate for row in read]), np.array([row.case.sent for row in read])

    def ask(scenario: Scenario, places: NDArray[Any]) -> dict[str, Any]:
        many: Any = np.where(np.isfinite(sent[places]), sent[places], MANY)
        rate: Any = rates[places]
        come = Traffic(requests=many) if np.isinf(rate).all() else Traffic(request_rate=rate, requests=many)
        found = evaluate_service(replace(scenario, traffic=come))
        names = (*SERVED, *(f"bound.{name}" for name in SERVED))
        return {name: found.parts["bound" if "." in name else "projection"].of(name.split(".")[-1]) for name in names}

    cases = [replace(row.case, scenario={**row.case.scenario, "name": _way(row.rate)}) for row in read]
    found = asked(cases, ask)
    keep = [i for i in range(len(read)) if not found.faults[i]]
    for i, row in enumerate(read):
        if found.faults[i]:
            rows.omit([row.name], found.faults[i])
        else:
            row.notes.append("a burst" if np.isinf(row.rate) else f"{row.rate:g} requests/s")
    bound, projection = (
        np.array([found.column(f"{part}{read[i].metric}")[i] for i in keep], dtype=float) for part in ("bound.", "")
    )
    _extend(rows, table, [read[i] for i in keep], bound, projection, found, np.array(keep, dtype=int))


def _way(rate: float) -> str:
    """What keeps bursts and arrivals apart, which are not evaluated together."""
    return "burst" if np.isinf(rate) else "arrivals"


def _extend(
    rows: Rows,
    table: DataTable,
    read: list[ServedRow],
    bound: Array,
    projection: Array,
    found: Asked,
    index: NDArray[Any],
) -> None:
    if not read:
        return
    about = {phase: found.subjects(phase) for phase in ("e2e", *PHASES.values())}
    rows.extend(
        ids=[row.name for row in read],
        metric=[row.metric for row in read],
        groups=[_group(table, row.place) for row in read],
        measured=np.array([row.measured for row in read]),
        bound=bound,
        projection=projection,
        rates=np.array([row.metric.endswith("_per_s") for row in read]),
        notes=["; ".join(row.notes) for row in read],
        sources=[table.text("source_title")[row.place] for row in read],
        subjects=[about[PHASES.get(row.metric, "e2e")][i] for row, i in zip(read, index, strict=True)],
    )


def _group(table: DataTable, place: int) -> str:
    if "group" in table.columns and table.columns["group"][place]:
        return table.columns["group"][place]
    return "|".join(table.text(name)[place] for name in ("model", "hardware", "engine"))

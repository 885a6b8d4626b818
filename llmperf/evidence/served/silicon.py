"""Served times to the first token and between tokens at a fixed concurrency, Hopper and Blackwell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from llmperf.evidence.classes import Subject
from llmperf.evidence.rows import Rows, unique
from llmperf.evidence.served import names
from llmperf.evidence.served.loops import loops
from llmperf.evidence.served.names import InexpressibleError
from llmperf.evidence.served.scenarios import Case, answers, gathered, repeated
from llmperf.evidence.tables import DataTable

NAME = "silicon"
COLUMNS = {"backend", "system", "isl", "osl", "attention_dp_size", "silicon_ttft_ms", "silicon_tpot_ms"}

ENGINES = {"trtllm": "tensorrt-llm", "sglang": "sglang", "vllm": "vllm"}
SYNCHRONOUS = re.compile(r"v?0\.(?:[89]|1[0-3])(?:\.|$)")
"""Versions of vLLM that are `vllm-2025`."""
FORMATS = {
    "fp8": "fp8",
    "fp8_block": "fp8-block",
    "nvfp4": "nvfp4",
    "int4_wo": "w4a16-g128",
    "": "bf16",
}
MOST_DEVICES = 16
"""Widest aggregated engine of these rows that is taken at its word. [1]"""
PREDICTING = {"1.2.0rc6.post3": "", "1.1.0rc2.post2": "2026-01-14"}
"""Images of TensorRT-LLM with which DeepSeek-R1 is measured with multi-token prediction, and since when: the benchmark
added it on that day and moved it to an image of its own (github.com/SemiAnalysisAI/InferenceX, perf-changelog.yaml,
pull requests 392, 632 and 642; without prediction it went from 1.1.0rc2.post2 to 1.2.0rc6.post2, 594 and 620)."""
PREDICTS = "multi-token prediction, by its image and date: several tokens a step"
COUNTS = ("isl", "osl", "batch_size", "num_workers", "tp_size", "pp_size", "attention_dp_size", "moe_ep_size")
"""Columns that hold counts, those of decoding pools with ``decode_`` before; an empty cell is one."""

HANDED_OVER = "TTFT of disaggregated pools: the prefill pool is not stated"
CLIENT = {True: 20e-3, False: 60e-3}
"""Time to the first token that clients add in the harness of rows with a date of measurement, and in the others: what
764 rows of vLLM show beyond its own 3 ms, which load stages of another client confirm. [s]"""
OTHER = "another concurrency"
SHORTEST = 0.8
SENT = {True: 10.0, False: 20.0}
"""What the harness of rows with a date of measurement sends: lengths that are even between this share of those named
and all of them, and so many times as many requests as are in flight (github.com/SemiAnalysisAI/InferenceX,
utils/bench_serving/benchmark_serving.py, sample_random_requests; RANDOM_RANGE_RATIO and --num-prompts of its
benchmarks). Others send equal lengths; how many is not said, and what 480 of their rows show. [1]"""


def evaluate(table: DataTable) -> Rows:
    """Medians of equal configurations as `tpot_s`, and of aggregated ones as `ttft_mean_s`.

    Raises
    ------
    InputError
        If the table lacks a column, or a time is no number.
    """
    table.require(sorted(COLUMNS | {"model_path", "mode", "batch_size", "tp_size", "moe_ep_size", "gemm_quant_mode"}))
    tpot = table.numbers("silicon_tpot_ms", 0.0, above=False)
    ttft = table.numbers("silicon_ttft_ms", 0.0, above=False)
    for name in table.columns:
        if name.removeprefix("decode_") in COUNTS:
            table.numbers(name, 1.0, above=False)
    table.check()
    rows = Rows(NAME)
    ids = unique(table.text("id") if "id" in table.columns else [f"line {line}" for line in table.lines])
    every = [{name: texts[i] for name, texts in table.columns.items()} for i in range(len(table))]
    rows.omit([name for name, cells in zip(ids, every, strict=True) if _predicts(cells)], PREDICTS)
    groups = gathered("" if _predicts(cells) else _key(cells) for cells in every)
    groups.pop("", None)
    together: list[tuple[str, list[int], Case]] = []
    apart: list[tuple[str, list[int], Case]] = []
    for places in groups.values():
        first = every[places[0]]
        measured = [place for place in places if tpot[place] > 0.0]
        rows.omit([ids[place] for place in places if tpot[place] <= 0.0], "no time between tokens")
        if not measured:
            continue
        try:
            alone = first["mode"] != "agg"
            case = _case(first, "decode_" if alone else "")
            (apart if alone else together).append((ids[measured[0]], measured, case))
        except InexpressibleError as error:
            rows.omit([ids[place] for place in measured], str(error))
    rows.omit([name for name, _, _ in apart], HANDED_OVER)
    _aggregated(rows, table, {"tpot_s": tpot, "ttft_mean_s": ttft}, together, ids)
    _decoding(rows, table, tpot, apart, ids)
    return rows


SAME = ("backend", "model_path", "system", "mode", "isl", "osl", "gemm_quant_mode", "moe_quant_mode")


def _key(cells: Mapping[str, str]) -> str:
    layout = [cells.get(name, "") for name in cells if name.endswith(("_size", "_workers"))]
    return "|".join([*(cells.get(name, "") for name in SAME), *layout])


def _predicts(cells: Mapping[str, str]) -> bool:
    """Whether several tokens come out of a step; the columns do not say so."""
    if cells["backend"] != "trtllm" or not cells["model_path"].endswith("DeepSeek-R1"):
        return False
    since = PREDICTING.get(cells.get("backend_version", ""))
    measured = re.search(r"measured=([\d-]+)", cells.get("silicon_data_source", ""))
    return since is not None and (measured[1] if measured else "") >= since


def _count(text: str) -> int:
    return max(int(float(text)), 1) if text else 1


def _case(cells: Mapping[str, str], pool: str) -> Case:
    """A configuration at its concurrency; of disaggregated systems, the decoding pool."""
    if not cells.get(f"{pool}batch_size"):
        raise InexpressibleError("disaggregated, without the batch of the decoding pool" if pool else "no batch")
    if pool and not cells.get("decode_num_workers"):
        raise InexpressibleError("disaggregated, without the number of workers")
    layout = _layout(cells, pool)
    model = names.model(cells["model_path"])
    form = FORMATS.get(cells["gemm_quant_mode"])
    if form is None:
        raise InexpressibleError(f"unknown format {cells['gemm_quant_mode']!r}")
    if cells["backend"] not in ENGINES:
        raise InexpressibleError(f"unknown backend {cells['backend']!r}; known are {', '.join(ENGINES)}")
    # NVIDIA's quantized checkpoints ask for fp8 caches, which vLLM follows (hf_quant_config.json, kv_cache_quant_algo)
    compressed = form != "bf16" and (cells["backend"] == "trtllm" or cells["model_path"].startswith("nvidia/"))
    engine = ENGINES[cells["backend"]]
    if engine == "vllm" and SYNCHRONOUS.match(cells.get("backend_version", "")):
        engine = "vllm-2025"
    scenario: dict[str, Any] = {
        "model": model,
        "hardware": names.hardware(cells["system"]),
        "parallelism": layout,
        "engine": engine,
        "weights": names.fp8(model) if form == "fp8" else form,
        "kv_cache": "fp8" if compressed else "bf16",
    }
    batch = float(_count(cells[f"{pool}batch_size"]) * layout["dp"])
    given, output = float(_count(cells["isl"])), float(_count(cells["osl"]))
    if not _dated(cells):
        return Case(scenario, batch, given, output, sent=SENT[False] * batch)
    mean = (1.0 + SHORTEST) / 2.0
    even = {"cv": (1.0 - SHORTEST) / 12.0**0.5 / mean}
    scenario["traffic"] = {"concurrency": 1, "input": even, "output": even}
    return Case(scenario, batch, round(mean * given), round(mean * output), sent=SENT[True] * batch)


def _contradicts(cells: Mapping[str, str]) -> bool:
    """Whether the concurrency that the source states is another one than the columns say.

    Some divide it by the devices of one model, some count several engines: which, a row does not tell. Times of the
    columns' batches are nearer to what was measured in some of these rows, and far off in others.
    """
    found = re.search(r"silicon_concurrency=(\d+)", cells.get("silicon_data_source", ""))
    ranks = _count(cells.get("attention_dp_size", ""))
    return found is not None and int(found[1]) != ranks * _count(cells.get("batch_size", ""))


def _dated(cells: Mapping[str, str]) -> bool:
    return "measured=" in cells.get("silicon_data_source", "")


def _layout(cells: Mapping[str, str], pool: str) -> dict[str, int]:
    """Devices as the experts count them; ids name the tensor-parallel width where columns multiply it twice.

    A width equal to the attention's data parallelism, with experts over its square, is one count of the same devices.
    """
    tp, dp, ep = (_count(cells.get(f"{pool}{name}", "")) for name in ("tp_size", "attention_dp_size", "moe_ep_size"))
    named = re.search(r"_tp(\d+)_ep(\d+)", cells.get("id", "")) if not pool else None
    if dp > 1 and dp == tp:
        tp, ep = 1, dp
    elif named and int(named[1]) < tp * dp:
        tp, dp, ep = (int(named[1]), 1, int(named[2])) if dp == 1 else (1, int(named[1]), int(named[2]))
    if not pool and (tp * dp > MOST_DEVICES or tp & (tp - 1)):
        raise InexpressibleError(
            f"{tp * dp} GPUs for one aggregated engine: those of a whole deployment, its layout not stated"
        )
    return {"tp": tp, "dp": dp, "pp": _count(cells.get(f"{pool}pp_size", "")), "ep": ep if (tp * dp) % ep == 0 else 1}


def _aggregated(
    rows: Rows,
    table: DataTable,
    measured: Mapping[str, Any],
    found: list[tuple[str, list[int], Case]],
    ids: Sequence[str],
) -> None:
    done = loops([case for _, _, case in found])
    kept: list[int] = []
    notes: list[str] = []
    for i, (_, places, case) in enumerate(found):
        if done.faults[i]:
            rows.omit([ids[place] for place in places], done.faults[i])
            continue
        note = f"closed loop of {done.concurrency[i]:.0f}"
        note += "" if done.concurrency[i] >= case.batch else f", {case.batch:.0f} do not fit"
        divided = _contradicts({name: texts[places[0]] for name, texts in table.columns.items()})
        note += f", {OTHER} than the source's" if divided else ""
        kept.append(i)
        notes.append("; ".join(filter(None, (note, repeated(table, places)))))
    cases = [found[i] for i in kept]
    least = _undeclared([case for _, _, case in cases], [done.concurrency[i] for i in kept])
    # rows that contradict themselves say nothing of how far a projection may be trusted
    sound = {i for i, note in zip(kept, notes, strict=True) if OTHER not in note}
    tokens, loaded = (
        [one if i in sound else None for i, one in enumerate(done.asked.subjects(phase))]
        for phase in ("decode", "ttft")
    )
    _extend(rows, table, measured["tpot_s"], cases, least, done.tpot[kept], notes, [tokens[i] for i in kept])
    first = [place for place, (_, places, _) in enumerate(cases) if all(measured["ttft_mean_s"][places] > 0.0)]
    sources = table.text("silicon_data_source")
    clients = np.array([CLIENT["measured=" in sources[cases[place][1][0]]] for place in first])
    these = [kept[place] for place in first]
    _extend(
        rows,
        table,
        measured["ttft_mean_s"],
        [cases[place] for place in first],
        done.bound_ttft[these],
        done.ttft[these] + clients,
        [notes[place] for place in first],
        [loaded[i] for i in these],
        "ttft_mean_s",
    )


def _undeclared(cases: Sequence[Case], batches: Sequence[float]) -> Any:
    """Bounds of what the columns do not say: the KV cache may be in 8 bit, and the batch of a decoding pool is what it
    was configured for, so that one sequence a rank is all that is sure. [s]
    """
    least = [
        Case({**case.scenario, "kv_cache": "fp8"}, float(batch), case.input, case.output)
        for case, batch in zip(cases, batches, strict=True)
    ]
    return answers(least).bound["tpot_s"]


def _decoding(
    rows: Rows, table: DataTable, tpot: Any, found: list[tuple[str, list[int], Case]], ids: Sequence[str]
) -> None:
    """Decoding pools, whose steps no prompt interrupts."""
    done = answers([case for _, _, case in found])
    for (_, places, _), fault in zip(found, done.faults, strict=True):
        if fault:
            rows.omit([ids[place] for place in places], fault)
    keep = np.flatnonzero(done.known)
    about = done.subjects("decode")
    _extend(
        rows,
        table,
        tpot,
        [found[i] for i in keep],
        _undeclared([found[i][2] for i in keep], [found[i][2].scenario["parallelism"]["dp"] for i in keep]),
        done.projection["tpot_s"][keep],
        ["; ".join(filter(None, ("decoding pool", repeated(table, found[i][1])))) for i in keep],
        [about[i] for i in keep],
    )


def _extend(
    rows: Rows,
    table: DataTable,
    tpot: Any,
    found: list[tuple[str, list[int], Case]],
    bound: Any,
    projection: Any,
    notes: list[str],
    about: list[Subject | None],
    metric: str = "tpot_s",
) -> None:
    if not found:
        return
    firsts = [places[0] for _, places, _ in found]
    text = {name: table.text(name) for name in ("system", "backend", "model_path")}
    rows.extend(
        ids=[name for name, _, _ in found],
        metric=metric,
        groups=["|".join(text[name][i] for name in ("system", "backend", "model_path")) for i in firsts],
        measured=np.array([np.median(tpot[places]) for _, places, _ in found]) * 1e-3,
        bound=bound,
        projection=projection,
        notes=notes,
        sources=[table.text("silicon_data_source")[i].split(";")[0] for i in firsts],
        subjects=about,
    )

"""Tokens a second on consumer GPUs, Apple silicon, phones, boards, processors, and with data outside of the device."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from llmperf.errors import shown
from llmperf.evidence.classes import Subject
from llmperf.evidence.rows import Rows, unique
from llmperf.evidence.served import engines, names
from llmperf.evidence.served.names import InexpressibleError
from llmperf.evidence.served.scenarios import Asked, Case, answers
from llmperf.evidence.tables import LARGEST, DataTable

NAME = "edge"
COLUMNS = {"params_b", "weight_fmt", "bits_per_weight", "backend", "phase", "batch", "prompt_len", "tokens_per_s"}

SHORT, GENERATED = 1.0, 128.0
"""Prompt and generated tokens where a decode row states none: an empty context, and llama-bench's 128. [1]"""

HARDWARE: dict[str, Any] = {
    "m1 max mac studio (10 core - 64gb)": "m1-max",
    "i9-13900k ddr5-6400": {"extends": "i9-13900k", "tiers": {"ddr": {"bandwidth": 102.4e9}}},
    "intel i9-14900 cpu": "i9-14900k",
    "oneplus 12 (snapdragon 8 gen 3 cpu)": "snapdragon-8-gen-3",
    "oneplus 13 (snapdragon 8 elite cpu)": {"extends": "snapdragon-8-gen-3", "tiers": {"lpddr": {"bandwidth": 84.8e9}}},
    "framework mainboard (128gb) cpu": "ryzen-ai-max-395-cpu",
    "raspberry pi 5 16gb (no numa tweak)": "raspberry-pi-5",
    "pi 500+ - 16gb": "raspberry-pi-5",
    "intel xeon 4th gen spr 48 cores": "xeon-8480-plus",
}
"""Names of machines that neither the catalog nor its reader of descriptions covers: systems named whole."""

ALIKE = {"routing_diversity": 0.0}
"""All tokens choose the same experts, as sequences of one prompt do."""

DISTRUSTED = (
    ("ANOMALOUS", "distrusted by the source's collector: anomalous"),
    ("MEMORY-LIMITED", "streams weights from storage whose rate is not stated"),
    ("PARTIAL CPU OFFLOAD", "an unknown part of the layers is computed by the host's processor"),
)


@dataclass(slots=True)
class EdgeRow:
    """One row of the table, read."""

    name: str
    place: int
    metric: str
    measured: float
    case: Case
    family: str
    notes: list[str] = field(default_factory=list)


def evaluate(table: DataTable) -> Rows:
    """Prompt and generated tokens a second, and, of offloading systems, generated tokens over the whole time.

    Raises
    ------
    InputError
        If the table lacks a column, or a rate is no number.
    """
    table.require(sorted(COLUMNS | {"model", "hardware"}))
    rates = table.numbers("tokens_per_s")
    table.numbers("bits_per_weight", 16.0, most=64.0)
    table.check()
    rows = Rows(NAME)
    read: list[EdgeRow] = []
    ids = table.text("id") if "id" in table.columns else [f"line {line}" for line in table.lines]
    for place, name in enumerate(unique(ids)):
        try:
            read.append(_read({key: texts[place] for key, texts in table.columns.items()}, name, place, rates[place]))
        except InexpressibleError as error:
            rows.omit([name], str(error))
    found = answers([row.case for row in read])
    _least_experts(read, found)
    for row, fault in zip(read, found.faults, strict=True):
        if fault:
            rows.omit([row.name], fault)
    keep = [i for i, fault in enumerate(found.faults) if not fault]
    if keep:
        _extend(rows, table, read, keep, found)
    return rows


def _least_experts(read: list[EdgeRow], found: Asked) -> None:
    """Bounds of models with experts: nobody says which ones tokens chose, so that all may have chosen alike."""
    places = [i for i, scenario in enumerate(found.scenarios) if scenario is not None and scenario.model.moe]
    if not places:
        return
    cases = [read[i].case for i in places]
    alike = answers([replace(case, scenario={**case.scenario, "workload": ALIKE}) for case in cases]).bound
    for name, column in alike.items():
        found.columns[f"bound.{name}"][places] = column


def _extend(rows: Rows, table: DataTable, read: list[EdgeRow], keep: list[int], found: Asked) -> None:
    about = {phase: found.subjects(phase) for phase in ("prefill", "decode", "e2e")}
    chosen = [read[i] for i in keep]
    phases = {"prefill_tokens_per_s": "prefill", "decode_tokens_per_s": "decode", "output_tokens_per_s": "e2e"}
    rows.extend(
        ids=[row.name for row in chosen],
        metric=[row.metric for row in chosen],
        groups=[_group(about["e2e"][i], row) for i, row in zip(keep, chosen, strict=True)],
        measured=np.array([row.measured for row in chosen]),
        bound=np.array([_rate(found.bound, row, i) for i, row in zip(keep, chosen, strict=True)]),
        projection=np.array([_rate(found.projection, row, i) for i, row in zip(keep, chosen, strict=True)]),
        rates=True,
        notes=["; ".join(row.notes) for row in chosen],
        sources=[table.text("source")[row.place] for row in chosen],
        subjects=[about[phases[row.metric]][i] for i, row in zip(keep, chosen, strict=True)],
    )
    said = table.text("notes")
    from_disk = np.array(["lowest tier disk" in said[row.place] for row in chosen])
    rows.explain(
        "the rate of the disk is rounded in its source, and host memory keeps part of what was read", from_disk
    )


def _group(about: Subject | None, row: EdgeRow) -> str:
    return f"{about.hardware if about else ''}|{row.family}"


def _rate(times: dict[str, Any], row: EdgeRow, i: int) -> float:
    case = row.case
    if row.metric == "prefill_tokens_per_s":
        return case.batch * case.input / float(times["ttft_s"][i])
    if row.metric == "decode_tokens_per_s":
        return case.batch / float(times["tpot_s"][i])
    return case.batch * case.output / float(times["e2e_s"][i])


def _read(cells: dict[str, str], name: str, place: int, rate: float) -> EdgeRow:
    said = cells.get("notes", "")
    for mark, why in DISTRUSTED:
        if mark in said:
            raise InexpressibleError(why)
    phase, whole = cells["phase"], "END-TO-END" in said
    if phase not in ("prefill", "decode"):
        raise InexpressibleError(f"unknown phase {phase!r}; known are prefill, decode")
    if not cells["batch"]:
        raise InexpressibleError("batch not stated")
    if "nvme offload" in said:
        raise InexpressibleError("weights on NVMe and KV cache in DRAM: a placement fills its tiers with weights first")
    if phase == "prefill" and "Snapdragon" in cells["hardware"]:
        raise InexpressibleError("prompts on a phone's processor or GPU: the catalog knows but the rate of its NPU")
    if "Jetson" in cells["hardware"] and re.search("CPU$", cells["backend"]):
        raise InexpressibleError("the processor of a board that the catalog has the GPU of")
    if phase == "prefill" and "GEMV" in said:
        raise InexpressibleError("prompts through kernels made for single rows")
    if "vision encoder" in said:
        raise InexpressibleError("includes a vision encoder: not expressible beside a decoder")
    used, source = cells.get("threads_or_gpus", ""), cells.get("source", "")
    family, engine = engines.edge(cells["backend"], cells["hardware"], used, source)
    notes: list[str] = []
    case = Case(
        _scenario(cells, engine, whole, notes),
        _count(cells["batch"]) or 1.0,
        *_lengths(cells, phase, notes),
    )
    metric = "output_tokens_per_s" if whole else f"{phase}_tokens_per_s"
    return EdgeRow(name, place, metric, rate, case, family, notes)


def _lengths(cells: dict[str, str], phase: str, notes: list[str]) -> tuple[float, float]:
    prompt, output = _count(cells["prompt_len"]), _count(cells.get("gen_len", ""))
    if phase == "prefill":
        if prompt is None:
            raise InexpressibleError("no prompt length")
        return prompt, 1.0
    if prompt is None and cells["prompt_len"] != "0":
        notes.append("context not stated: taken as empty")
    if output is None:
        notes.append(f"generated tokens not stated: taken as {GENERATED:.0f}")
    return prompt or SHORT, max(output or GENERATED, 2.0)


def _count(text: str) -> float | None:
    """A count; of a range (``~50-200``) its geometric middle; None where there is none."""
    found = [float(part) for part in re.findall(r"\d+(?:\.\d+)?", text)]
    if not found:
        return None
    if max(found) > LARGEST:
        raise InexpressibleError(f"{shown(text)} is no count")
    number = round(float(np.sqrt(found[0] * found[1]))) if len(found) > 1 else round(found[0])
    return float(number) if number > 0 else None


def _scenario(cells: dict[str, str], engine: str, whole: bool, notes: list[str]) -> dict[str, Any]:
    machine, stages = _machine(cells["hardware"], cells.get("threads_or_gpus", ""))
    model = names.model(cells["model"])
    out: dict[str, Any] = {
        "model": model,
        "hardware": machine,
        "engine": _threaded(engine, cells),
        "weights": _weights(cells, engine),
        "kv_cache": names.kv_cache(cells.get("kv_fmt", "")),
    }
    if stages > 1:  # layers one after the other on several cards
        out["parallelism"] = {"pp": stages, "micro_batches": 1}
        notes.append(f"layers split over {stages} devices")
    if whole:
        out["placement"] = _placement(cells.get("notes", ""), engine)
    return out


def _threaded(engine: str, cells: dict[str, str]) -> Any:
    """The engine, with the threads of a processor where a row counts them."""
    used = cells.get("threads_or_gpus", "")
    counted = engine == "llama.cpp-cpu" and used.isdigit()
    return {"extends": engine, "threads": int(used)} if counted else engine


def _machine(text: str, used: str) -> tuple[Any, int]:
    """Hardware, and how many devices share the layers."""
    cards = re.fullmatch(r"(?P<card>.+?) \* (?P<count>\d+)|(?P<first>\d+) ?x (?P<named>[^+]+)", text)
    if cards:
        return _machine(cards["card"] or cards["named"], "")[0], int(cards["count"] or cards["first"])
    for candidate in _candidates(text, used):
        with suppress(InexpressibleError):
            return names.hardware(candidate, HARDWARE), 1
    if re.search(r"\+ .*(RTX|L20)", text):
        raise InexpressibleError("experts are computed by host processors: no such system in the catalog")
    return names.hardware(text, HARDWARE), 1  # which raises, naming the nearest


def _candidates(text: str, used: str) -> list[str]:
    """Names under which the catalog may know a machine: whole, its processor, its card, without maker and memory."""
    first = text.split(" / ")[0]
    inner = re.search(r"\((.+?)\*?\)", first)
    out = [f"{text} {used}", text, first]
    # what stands in brackets is the card or the processor; the host before it counts where the host computes
    out.append(first.split(" (")[0] if used == "CPU" or not inner else inner[1])
    out += [re.sub(r"^(NVIDIA GeForce|Nvidia|NVIDIA|Apple|AMD|Intel) ", "", name) for name in out]
    out += [re.sub(r" \d+ ?GB$", "", name) for name in out]
    out += [name.replace(" ", "-") for name in out]
    return list(dict.fromkeys(out))


def _weights(cells: dict[str, str], engine: str) -> Any:
    if not cells["bits_per_weight"]:
        raise InexpressibleError("bits of a weight not stated")
    bits = float(cells["bits_per_weight"])
    form = cells["weight_fmt"].upper()
    integer = "Snapdragon" in cells["hardware"]  # the catalog knows but its integer engine
    floats = "int8" if integer else "bf16"
    if bits >= 15.0:
        return {"extends": "bf16", "activations": floats}
    whole = form.startswith(("Q", "OLLAMA", "MLX"))  # files whose stated bits are a mean over all tensors
    out = {**names.weight_only(bits, kept=bits if whole else 16.0), "activations": floats}
    if whole or engine.startswith(
        "llama.cpp"
    ):  # blocks of 32 with a scale, and where scales are scaled themselves (K), a minimum beside it
        out |= {"group": 32, "group_flops": 4, "dequantize_flops": 2 if "_K" in form else 1}
    if engine == "llama.cpp-cuda":  # quantized activations, whatever the bits of the weights
        out["activations"] = "int8"
    named = re.search(r"\((I?Q\d_\w+)\)", form)
    if named:  # bits that are stated beside a file's format are those of its name
        return {"extends": named[1].lower(), "activations": out["activations"]}
    if form.startswith("NVFP4"):
        # the recipe of its documentation quantizes the output head as well
        out = {"extends": "nvfp4", **({"kept_bits": 4.5} if engine == "tensorrt-edge-llm" else {})}
    elif form.startswith("FP8"):
        out = {"extends": "fp8"}
    elif form.startswith(("W8A8", "W2A8")):
        out["activations"] = "int8"
    return out


def _placement(said: str, engine: str) -> dict[str, Any]:
    """Where offloading systems keep what, from their own words."""
    tiers = {"gpu": ["gddr"], "cpu": ["dram"], "disk": ["dram", "ssd"]}
    lowest = re.search(r"lowest tier (gpu|cpu|disk)", said)
    if lowest:  # ZeRO-Inference streams all weights, whatever would fit
        streams = engine == "zero-inference" and lowest[1] != "gpu"
        return {"tiers": tiers[lowest[1]], **({"weights": 0.0} if streams else {})}
    return {"tiers": ["dram"], "weights": 0.0, "kv_cache": 0.0 if "KV offload yes" in said else 1.0}

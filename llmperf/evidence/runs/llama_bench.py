"""llama.cpp: ``llama-bench`` as JSON, JSON lines, CSV or Markdown, one run a row.

Keys: tools/llama-bench/llama-bench.cpp and README.md. A row is prompt processing (``pp``: `n_prompt` only), text
generation (``tg``: `n_gen` only) or one after the other (``pg``), each behind `n_depth` tokens that are cached.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from llmperf.errors import InputError, Problem, shown
from llmperf.evidence.runs.run import Fields, Measured, OfferedLoad, Run, present
from llmperf.importers.gguf import GGML_BITS, cache_format

NAME = "llama-bench"
KEYS = ("model_type", "n_prompt", "n_gen", "avg_ts")

_TEST = re.compile(r"(?:pp *(?P<pp>\d+))?\+?(?:tg *(?P<tg>\d+))?(?: *@ *d *(?P<d>\d+))?$")
_QUANTIZED = re.compile(r"[-.](I?Q\d\w*|B?F(16|32)|MXFP4\w*)$", re.IGNORECASE)
_PLAIN = ("f16", "bf16", "f32")
_BACKENDS = {
    "cuda": ("cuda", "rocm", "hip", "musa"),  # ggml-hip and ggml-musa compile the CUDA backend
    "metal": ("metal", "mtl"),
    "vulkan": ("vulkan",),
    "cpu": ("cpu", "blas", "accelerate"),
}
"""Engines of the catalog, and the backends that llama-bench names, of which a GPU's goes before a processor's."""
_NEW = "2024-07"
"""The date up to which the catalog's engines of 2024 hold (workloads/engines/llama.cpp-cuda-2024.yaml)."""


def recognizes(data: Mapping[str, Any]) -> bool:
    """Whether a record is a row of llama-bench."""
    return "avg_ts" in data and "n_prompt" in data and "n_gen" in data


def is_markdown(text: str) -> bool:
    """Whether a text holds a table of llama-bench."""
    return any(_cells(line)[-1:] == ["t/s"] for line in text.splitlines() if line.lstrip().startswith("|"))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def from_markdown(text: str, file: str) -> list[tuple[int, dict[str, Any]]]:
    """The rows of a Markdown table by line, with the keys of JSON.

    Raises
    ------
    InputError
        If a row has not the cells of its header, or a test or rate cannot be read.
    """
    header: list[str] = []
    rows: list[tuple[int, dict[str, Any]]] = []
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.lstrip().startswith("|"):
            continue
        cells = _cells(line)
        if cells[-1] == "t/s" and "test" in cells:
            header = cells
        elif header and not set(line) <= set("|-: \t"):
            if len(cells) != len(header):
                problems.append(Problem(f"has {len(cells)} cells, the header {len(header)}", file=file, line=number))
                continue
            try:
                rows.append((number, _row(dict(zip(header, cells, strict=True)))))
            except ValueError as error:
                problems.append(Problem(str(error), file=file, line=number))
    if problems:
        raise InputError(problems)
    if not rows:
        raise InputError(Problem("the table has no rows", file=file))
    return rows


def _row(cells: dict[str, str]) -> dict[str, Any]:
    test = _TEST.match(cells["test"])
    if test is None or not (test["pp"] or test["tg"]):
        raise ValueError(f"{shown(cells['test'])} is no test; pp512, tg128, pp512+tg128 and tg128 @ d4096 are")
    return {
        "model_type": cells.get("model", ""),
        "model_size": _scaled(cells.get("size", ""), {"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40}),
        "model_n_params": _scaled(cells.get("params", ""), {"M": 1e6, "B": 1e9, "T": 1e12}),
        "backends": cells.get("backend", ""),
        "n_gpu_layers": cells.get("ngl"),
        "n_ubatch": cells.get("n_ubatch"),
        "n_threads": cells.get("threads"),
        "type_k": cells.get("type_k", "f16"),
        "type_v": cells.get("type_v", "f16"),
        "n_prompt": test["pp"] or "0",
        "n_gen": test["tg"] or "0",
        "n_depth": test["d"] or "0",
        "avg_ts": cells["t/s"].split("±")[0].strip(),
    }


def _scaled(text: str, units: dict[str, float]) -> float | None:
    number, _, unit = text.partition(" ")
    try:
        return float(number) * units[unit]
    except (ValueError, KeyError):
        return None


def run(fields: Fields) -> Run:
    """One row."""
    fields.require("n_prompt", "n_gen", "avg_ts")
    prompt, generated, depth = (int(fields.number(key) or 0) for key in ("n_prompt", "n_gen", "n_depth"))
    rate = fields.number("avg_ts") or 0.0
    if rate == 0.0 and not fields.problems:
        fields.fault("avg_ts", "must be more than 0")
    if prompt == 0 and generated == 0 and not fields.problems:
        fields.fault("n_gen", "a row has a prompt, generated tokens, or both")
    if prompt and generated:
        # both phases in one rate: the time of the row is what can be predicted
        measured = Measured("e2e_s", (prompt + generated) / rate if rate else 0.0, "avg_ts")
        workload = {"input": depth + prompt, "output": generated + 1, "shared_prefix": depth}
    elif prompt:
        measured = Measured("prompt_tokens_per_s", rate, "avg_ts")
        workload = {"input": depth + prompt, "output": 1, "shared_prefix": depth}
    else:  # every generated token is a decode step; the first reads the cached depth
        measured = Measured("decode_tokens_per_s", rate, "avg_ts")
        workload = {"input": max(depth, 1), "output": generated + 1, "shared_prefix": 0}
    test = "+".join(part for part in (f"pp{prompt}" if prompt else "", f"tg{generated}" if generated else "") if part)
    devices = [name.strip() for name in fields.text("gpu_info").split(",") if name.strip()]
    kind = fields.text("model_type")
    engine = _engine(fields)
    return Run(
        NAME,
        " ".join(part for part in (kind, test, f"@ d{depth}" if depth else "") if part),
        OfferedLoad("static", concurrency=1.0),
        workload,
        (measured,),
        present(
            model=_model(fields),
            hardware=devices[0] if len(set(devices)) == 1 else "",
            weights=kind.rpartition(" ")[2] if kind.rpartition(" ")[2].lower() in _PLAIN else "",
            engine=engine,
        ),
        _formats(fields, kind),
        engine=_settings(fields, engine),
        gpu_layers=int(layers) if (layers := str(fields.get("n_gpu_layers"))).isdigit() else None,
        notes=_notes(fields, devices),
    )


def _settings(fields: Fields, engine: str) -> dict[str, Any]:
    """What a row sets of its engine: the tokens of a step, and the threads where a processor computes."""
    micro = fields.whole("n_ubatch")
    threads = fields.whole("n_threads") if engine == "llama.cpp-cpu" else None
    return {**({"token_budget": micro} if micro else {}), **({"threads": threads} if threads else {})}


def _engine(fields: Fields) -> str:
    """The engine of the catalog, by the backend that computed and the date of the test."""
    backends = {name.strip().lower() for name in re.split(r"[,+]", fields.text("backends"))}
    backend = next((engine for engine, names in _BACKENDS.items() if backends & set(names)), None)
    if backend is None:
        return ""
    old = backend in ("cuda", "metal") and "" < fields.text("test_time") < _NEW
    return f"llama.cpp-{backend}-2024" if old else f"llama.cpp-{backend}"


def _model(fields: Fields) -> str:
    """The name of the model's file without its quantization."""
    stem = PurePosixPath(fields.text("model_filename").replace("\\", "/")).name.removesuffix(".gguf")
    return _QUANTIZED.sub("", stem)


def _formats(fields: Fields, kind: str) -> dict[str, dict[str, Any]]:
    """Weights by their mean bits, and the KV cache by the block sizes of its ggml types."""
    out: dict[str, dict[str, Any]] = {}
    size, parameters = fields.some("model_size"), fields.some("model_n_params")
    if size and parameters and kind.rpartition(" ")[2].lower() not in _PLAIN:
        bits = 8.0 * size / parameters
        out["weights"] = {
            "name": kind or "gguf",
            "bits": bits,
            "kept_bits": bits,
            "weight_only": True,
            "dequantize_flops": 2,
            "sources": {"all": "model_size over model_n_params of the row: the mean of all tensors"},
        }
    types = [fields.text(key).lower() or "f16" for key in ("type_k", "type_v")]
    if any(name not in GGML_BITS for name in types):
        wrong = "type_k" if types[0] not in GGML_BITS else "type_v"
        fields.fault(wrong, f"{shown(fields.get(wrong))} is no ggml type", sorted(GGML_BITS))
    elif (cache := cache_format(types)) is not None:
        out["kv_cache"] = cache
    return out


def _notes(fields: Fields, devices: list[str]) -> tuple[str, ...]:
    found = []
    prompt, kind = fields.some("n_prompt"), fields.text("model_type").rpartition(" ")[2].lower()
    if prompt and fields.some("n_gen"):
        found.append("e2e_s is (n_prompt + n_gen) / avg_ts")
    if prompt and kind not in _PLAIN and any(name in fields.text("backends") for name in ("CUDA", "ROCm")):
        # MMQ kernels are the default where there are int8 tensor cores (docs/build.md of llama.cpp)
        found.append(
            "llama.cpp multiplies quantized weights in int8 where a GPU can; the prediction computes in 16 bit unless "
            "--activations int8 is given"
        )
    if len(devices) > 1:
        found.append(f"{len(devices)} devices are stated: give the layout (--pp {len(devices)} for split-mode layer)")
    return tuple(found)

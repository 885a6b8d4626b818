"""What runs say of their system beside the benchmark's own keys: GPU, layout, formats, engine and batch as people note.

``vllm bench serve --metadata gpu=h100-sxm tp=8 quantization=fp8`` writes such keys beside the results, pipelines that
collect results add them, and files of experiments keep them in a mapping of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from llmperf.evidence.runs.run import Fields, Run

WITHIN = (
    *("metadata", "meta", "hyperparameters", "hyper_parameters", "params", "parameters", "config", "configuration"),
    *("server", "server_config", "server_args", "engine_args", "extra_info", "args", "environment", "system"),
    *("system_info", "hardware", "gpu", "deployment"),
)
"""Mappings of a record that hold such keys."""
NAMES = {
    "model": ("model", "model_name", "model_path", "model_id"),
    "hardware": (
        *("hardware", "hw", "gpu", "gpus", "gpu_name", "gpu_type", "gpu_model", "device_name", "accelerator"),
        *("accelerator_type", "accelerator_name", "chip"),
    ),
    "weights": ("quantization", "quant", "quant_method", "weight_format", "weights", "precision", "dtype"),
    "kv_cache": ("kv_cache_dtype", "kv_cache", "kv_dtype"),
    "engine": ("engine", "framework", "serving_engine", "inference_engine", "runtime"),
}
"""Names of a scenario's components, and the keys by which people note them, the surest first."""
LAYOUT = {
    "tp": ("tp", "tp_size", "tensor_parallel", "tensor_parallel_size", "tensor_parallelism"),
    "pp": ("pp", "pp_size", "pipeline_parallel", "pipeline_parallel_size", "pipeline_parallelism"),
    "ep": ("ep", "ep_size", "expert_parallel_size", "expert_parallelism"),
}
DEVICES = ("num_gpus", "n_gpus", "gpu_count", "num_devices", "n_devices", "device_count", "count")
LENGTHS = {
    "input": ("input_len", "input_length", "isl", "input_tokens", "prompt_len", "random_input_len"),
    "output": ("output_len", "output_length", "osl", "output_tokens", "random_output_len"),
}
BATCH = ("batch_size", "batch", "global_batch_size")
UNSAID = ("", "none", "null", "auto", "default", "unknown", "n/a", "no", "false")
"""Values that name nothing."""
FIRST = {"compressed-tensors", "modelopt", "quark", "fbgemm_fp8", "torchao"}
"""Quantizations of which the checkpoint's own configuration says which."""


def completed(run: Run, fields: Fields) -> Run:
    """A run with what its metadata say, where its tool's own keys say nothing of it."""
    stated = dict(_stated(fields.data))
    names = {kind: text for kind, keys in NAMES.items() if (text := _text(stated, keys))}
    if names.get("weights", "").lower() in FIRST:
        del names["weights"]
    layout = _whole(fields, stated, LAYOUT)
    devices = _whole(fields, stated, {"devices": DEVICES})
    lengths = _whole(fields, stated, LENGTHS)
    load = run.load
    if load.kind == "static" and load.concurrency is None:
        found = _whole(fields, stated, {"batch": BATCH})
        load = replace(load, concurrency=float(found["batch"]) if found else None)
    return replace(
        run,
        load=load,
        names={**names, **{key: value for key, value in run.names.items() if value}},
        workload={**lengths, **run.workload},
        layout=run.layout or layout,
        devices=devices.get("devices") if not (run.layout or layout) else None,
    )


def _stated(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Keys and values, those of the record itself last, for they are nearest to the results."""
    for key in WITHIN:
        inner = data.get(key)
        if isinstance(inner, Mapping):
            yield from ((_plain(name), value) for name, value in inner.items() if not isinstance(value, Mapping))
            if "name" in inner and key in ("hardware", "gpu"):
                yield key, inner["name"]
    yield from ((_plain(key), value) for key, value in data.items() if not isinstance(value, Mapping))


def _plain(key: str) -> str:
    return key.lower().replace("-", "_").replace(" ", "_")


def _text(stated: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    for key in keys:
        value = stated.get(key)
        if isinstance(value, str) and value.strip().lower() not in UNSAID and not value.strip().isdigit():
            return value.strip()[:300]
    return ""


def _whole(fields: Fields, stated: Mapping[str, Any], keys: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Whole numbers by what they mean, texts of numbers included; a list of several (a sweep) says none."""
    out: dict[str, int] = {}
    for name, written in keys.items():
        key = next((one for one in written if _is_number(stated.get(one))), None)
        if key is not None:
            found = Fields({key: stated[key]}, fields.file, fields.line, fields.problems).whole(key)
            if found is not None:
                out[name] = found
    return out


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and (
        isinstance(value, int | float) or (isinstance(value, str) and value.strip().isdigit())
    )

"""Pods, nodes and devices: how many copies a workload is, and what of a device it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deployments.helping import kinds
from llmperf.deployments import Deployment, read

SGLANG = "python3 -m sglang.launch_server --model-path qwen3-32b"
VLLM = "vllm serve qwen3-32b"


def pod(command: str, gpus: int = 0, **more: Any) -> dict[str, Any]:
    limits = {"nvidia.com/gpu": gpus} if gpus else {}
    return {"containers": [{"name": "a", "command": command.split(), "resources": {"limits": {**limits, **more}}}]}


def deployed(tmp_path: Path, kind: str, spec: dict[str, Any]) -> Deployment:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"kind": kind, "metadata": {"name": "a"}, "spec": spec}))
    return read(path, hardware="h100-sxm")[0]


@pytest.mark.parametrize(
    ("kind", "count", "command", "gpus", "parallelism"),
    [
        ("StatefulSet", {"replicas": 8}, f"{SGLANG} --tp 16 --nnodes 2", 8, {"tp": 16, "replicas": 4}),
        ("StatefulSet", {"replicas": 2}, f"{SGLANG} --tp 16 --nnodes 2", 8, {"tp": 16}),
        ("StatefulSet", {"replicas": 2}, f"{VLLM} -tp 8 -pp 2 --nnodes 2", 8, {"tp": 8, "pp": 2}),
        ("StatefulSet", {"replicas": 4}, f"{VLLM} -tp 8 -pp 2", 8, {"tp": 8, "pp": 2, "replicas": 2}),
        ("Deployment", {"replicas": 4}, f"{VLLM} -tp 8", 8, {"tp": 8, "replicas": 4}),
        ("Job", {"parallelism": 4}, VLLM, 1, {"replicas": 4}),
        ("Job", {"parallelism": 4, "completions": 2}, VLLM, 1, {"replicas": 2}),
        ("Job", {"parallelism": 4, "completions": 4}, f"{SGLANG} --tp 16 --nnodes 2", 8, {"tp": 16, "replicas": 2}),
        ("Job", {}, f"{VLLM} -tp 2", 2, {"tp": 2}),
    ],
)
def test_pods_of_one_server_are_one_copy(
    kind: str, count: dict[str, int], command: str, gpus: int, parallelism: dict[str, int], tmp_path: Path
) -> None:
    one = deployed(tmp_path, kind, {**count, "template": {"spec": pod(command, gpus)}})
    assert one.scenario["parallelism"] == parallelism
    assert not any("its layout uses" in finding.message for finding in one.findings)


def test_pods_that_are_no_multiple_of_a_server_are_said(tmp_path: Path) -> None:
    spec = {"replicas": 3, "template": {"spec": pod(f"{SGLANG} --tp 16 --nnodes 2", 8)}}
    one = deployed(tmp_path, "StatefulSet", spec)
    assert "replicas" not in one.scenario["parallelism"]
    assert kinds(one)["replicas"] == "not_understood"


def test_jobs_of_a_set_are_replicated(tmp_path: Path) -> None:
    job = {"name": "w", "replicas": 3, "template": {"spec": {"parallelism": 2, "template": {"spec": pod(VLLM, 1)}}}}
    one = deployed(tmp_path, "JobSet", {"replicatedJobs": [job]})
    assert (one.name, one.scenario["parallelism"]) == ("a/w", {"replicas": 6})


@pytest.mark.parametrize(
    "name", ["nvidia.com/gpu.shared", "nvidia.com/gpumem", "aliyun.com/gpu-mem", "volcano.sh/vgpu-number"]
)
def test_a_part_of_a_device_is_said(name: str, tmp_path: Path) -> None:
    one = deployed(tmp_path, "Pod", pod(VLLM, 0, **{name: 1}))
    assert kinds(one)[name] == "not_modelled"


@pytest.mark.parametrize(
    ("label", "value", "shared"),
    [
        ("nvidia.com/gpu.product", "NVIDIA-A10G-SHARED", True),
        ("nvidia.com/gpu.sharing-strategy", "time-slicing", True),
        ("nvidia.com/gpu.sharing-strategy", "none", False),
        ("nvidia.com/gpu.replicas", "4", True),
        ("nvidia.com/gpu.replicas", "1", False),
        ("cloud.google.com/gke-gpu-sharing-strategy", "mps", True),
        ("nvidia.com/gpu.product", "NVIDIA-A10G", False),
    ],
)
def test_a_shared_device_is_said(label: str, value: str, shared: bool, tmp_path: Path) -> None:
    one = deployed(tmp_path, "Pod", {**pod(VLLM, 1), "nodeSelector": {label: value}})
    said = [finding for finding in one.findings if finding.name == label and finding.kind == "not_modelled"]
    assert bool(said) is shared

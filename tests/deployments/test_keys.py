"""Every key of pods and services has a fate: it is read, known to be harmless, or said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.helping import H100, kinds, written
from llmperf.deployments import read

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "a"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "a"}},
        "strategy": {"type": "Recreate"},
        "template": {
            "metadata": {"labels": {"app": "a"}},
            "spec": {
                "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-L40S"},
                "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
                "volumes": [{"name": "shm", "emptyDir": {"medium": "Memory"}}],
                "containers": [
                    {
                        "name": "engine",
                        "image": "vllm/vllm-openai:v0.10.0",
                        "args": ["--model", "Qwen/Qwen3-8B"],
                        "ports": [{"containerPort": 8000}],
                        "readinessProbe": {"httpGet": {"path": "/health", "port": 8000}},
                        "resources": {"limits": {"nvidia.com/gpu": 1, "cpu": "8", "rdma/hca": 1}},
                        "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],
                    },
                    {"name": "exporter", "image": "nvcr.io/nvidia/k8s/dcgm-exporter:4"},
                ],
            },
        },
    },
}
COMPOSE: dict[str, Any] = {
    "name": "x",
    "services": {
        "a": {
            "image": "vllm/vllm-openai:v0.10.0",
            "command": ["--model", "Qwen/Qwen3-8B"],
            "ipc": "host",
            "ports": ["8000:8000"],
            "runtime": "nvidia",
            "x-note": "y",
            "deploy": {
                "restart_policy": {"condition": "any"},
                "resources": {"reservations": {"devices": [{"driver": "nvidia", "count": 1}], "cpus": "2"}},
            },
        }
    },
    "volumes": {"models": None},
}
PLACES = [
    (DEPLOYMENT, ()),
    (DEPLOYMENT, ("spec",)),
    (DEPLOYMENT, ("spec", "template", "spec")),
    (DEPLOYMENT, ("spec", "template", "spec", "containers", 0)),
    (DEPLOYMENT, ("spec", "template", "spec", "containers", 0, "resources", "limits")),
    (COMPOSE, ()),
    (COMPOSE, ("services", "a")),
    (COMPOSE, ("services", "a", "deploy")),
]


def found(folder: Path, data: dict[str, Any]) -> dict[str, str]:
    (one,) = read(written(folder, "d.yaml", yaml.safe_dump(data)), hardware=H100)
    return kinds(one)


def test_what_people_write_is_known_and_harmless(tmp_path: Path) -> None:
    said = found(tmp_path, DEPLOYMENT)
    for name in (
        "selector",
        "strategy",
        "tolerations",
        "volumes",
        "ports",
        "readinessProbe",
        "cpu",
        "rdma/hca",
        "exporter",
    ):
        assert said[name] == "ignored", name
    assert "not_understood" not in said.values()
    said = found(tmp_path, COMPOSE)
    for name in ("name", "ipc", "ports", "runtime", "x-note", "deploy.restart_policy"):
        assert said[name] == "ignored", name
    assert "not_understood" not in said.values()
    assert not {"services", "command", "deploy", "deploy.resources"} & said.keys()


@pytest.mark.parametrize(
    ("data", "path"), PLACES, ids=lambda one: ".".join(map(str, one)) if isinstance(one, tuple) else ""
)
def test_a_key_that_is_not_known_is_said(data: dict[str, Any], path: tuple[Any, ...], tmp_path: Path) -> None:
    changed = yaml.safe_load(yaml.safe_dump(data))
    inner = changed
    for key in path:
        inner = inner[key]
    inner["frobnicate"] = 3
    said = found(tmp_path, changed)
    assert [kind for name, kind in said.items() if name.endswith("frobnicate")] == ["not_understood"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "template", "spec", "resourceClaims"), [{"name": "gpu", "resourceClaimTemplateName": "t"}]),
        (("spec", "template", "spec", "containers", 0, "resources", "claims"), [{"name": "gpu"}]),
        (("services", "a", "extends"), {"file": "base.yaml", "service": "b"}),
        (("services", "a", "build"), "."),
        (("include",), ["other.yaml"]),
    ],
)
def test_what_may_change_the_answer_and_is_not_read_is_said(path: tuple[Any, ...], value: Any, tmp_path: Path) -> None:
    changed = yaml.safe_load(yaml.safe_dump(COMPOSE if path[0] in ("services", "include") else DEPLOYMENT))
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    said = found(tmp_path, changed)
    assert [kind for name, kind in said.items() if name.rpartition(".")[2] == path[-1]] == ["not_understood"]

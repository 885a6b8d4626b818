"""NVIDIA Dynamo: the workers of a DynamoGraphDeployment.

Objects: ai-dynamo/dynamo, deploy/operator (nvidia.com/v1alpha1: ``spec.services``; v1beta1: ``spec.components``).
"""

from __future__ import annotations

from dataclasses import replace

from llmperf.deployments.deployment import Draft
from llmperf.deployments.node import Node
from llmperf.deployments.pods import Place, containers, deployed, devices, labels_of, launches
from llmperf.deployments.reasons import DISAGGREGATED
from llmperf.deployments.scripts import Files

KIND = "DynamoGraphDeployment"
PARTS = ("prefill", "decode", "encode")


def recognizes(root: Node) -> bool:
    """Whether a document is such a graph."""
    return root.kind() == KIND


def read(root: Node, others: list[Node], files: Files, hardware: str | None) -> list[Draft]:  # noqa: ARG001
    """The workers of a graph; frontends, planners and routers run no model."""
    graph = root.at("metadata", "name").text() or "unnamed"
    spec = root.at("spec")
    named = list(spec.at("services").entries().items())
    named += [(node.at("name").text() or "unnamed", node) for node in spec.at("components").items()]
    drafts: list[Draft] = []
    for name, service in named:
        place = Place(
            f"{graph}/{name}",
            root.file,
            f"NVIDIA Dynamo {KIND}",
            service.line,
            files,
            hardware,
            service.at("replicas").whole(1),
            max(service.at("multinode", "nodeCount").whole(1), 1),
        )
        drafts += _worker(service, place)
    return drafts


def _worker(service: Node, place: Place) -> list[Draft]:
    pod = service.at("extraPodSpec") or service.at("podTemplate", "spec")
    place = replace(place, labels=labels_of(pod), labels_line=pod.line or service.line)
    main = pod.at("mainContainer")
    drafts = [
        deployed(place, launch, devices(container) or devices(service))
        for container in ([main] if main else containers(pod))
        for launch in launches(container, place.files)
    ]
    part = service.at("subComponentType").text() or service.at("type").text()
    for draft in drafts:
        told = any(one.message == DISAGGREGATED for one in draft.findings)
        if part in PARTS and not told:
            draft.say("not_modelled", part, DISAGGREGATED)
    return drafts

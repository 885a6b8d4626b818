"""NVIDIA Dynamo: the workers of a DynamoGraphDeployment.

Objects: ai-dynamo/dynamo, deploy/operator (nvidia.com/v1alpha1: ``spec.services``; v1beta1: ``spec.components``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from llmperf.deployments.deployment import Draft, Kind
from llmperf.deployments.keys import COPIES, POD, Keys
from llmperf.deployments.node import Node
from llmperf.deployments.pods import Place, containers, deployed, devices, labels_of, launches
from llmperf.deployments.reasons import DISAGGREGATED
from llmperf.deployments.scripts import Files

KIND = "DynamoGraphDeployment"
PARTS = ("prefill", "decode", "encode")


Variables = Mapping[str, tuple[str, int | None]]
ELSEWHERE: tuple[Kind, str] = ("ignored", POD)
GRAPH = Keys(
    KIND,
    ("services", "components", "envs", "env"),
    {
        ELSEWHERE: ("annotations", "labels", "pvcs", "restart", "topologyConstraint"),
        ("ignored", "names the engine, which the command says"): ("backendFramework",),
    },
)
SERVICE = Keys(
    f"a service of {KIND}",
    (
        "replicas", "resources", "extraPodSpec", "podTemplate", "multinode", "subComponentType", "type", "name", "envs",
        "env", "componentType",
    ),
    {
        ("assumed", COPIES): ("autoscaling", "scalingAdapter"),
        ELSEWHERE: (
            "annotations", "labels", "ingress", "livenessProbe", "readinessProbe", "startupProbe", "*Probe",
            "volumeMounts",
            "dynamoNamespace", "serviceName", "envFromSecret", "pvc", "sharedMemory*", "extraPodMetadata",
            "globalDynamoNamespace", "modelRef", "dynamoComponent", "replicasPolicy", "probes",
        ),
        ("not_modelled", "memory that several services share is not modelled"): ("gpuMemoryService",),
    },
)  # fmt: skip
"""Keys of ``spec.services.*``: ai-dynamo/dynamo, deploy/operator/api/v1alpha1, dynamocomponentdeployment_types.go."""


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
    shared = _variables(spec)
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
        drafts += _worker(service, place, shared)
    for draft in drafts:
        GRAPH.tell(draft, spec)
    return drafts


def _variables(node: Node) -> Variables:
    """Variables of a graph or a service: ``envs`` (``env`` in v1beta1)."""
    return {
        item.at("name").text(): (item.at("value").text(), item.at("name").line)
        for key in ("envs", "env")
        for item in node.at(key).items()
        if item.at("value")
    }


def _worker(service: Node, place: Place, shared: Variables) -> list[Draft]:
    """A worker, with the variables of the graph, over which its own go."""
    pod = service.at("extraPodSpec") or service.at("podTemplate", "spec")
    place = replace(place, labels=labels_of(pod), labels_line=pod.line or service.line)
    main = pod.at("mainContainer")
    variables = {**shared, **_variables(service)}
    drafts = [
        deployed(place, launch, devices(container) or devices(service))
        for container in ([main] if main else containers(pod))
        for launch in launches(container, place.files, variables)
    ]
    for draft in drafts:
        SERVICE.tell(draft, service)
    part = service.at("subComponentType").text() or service.at("type").text()
    for draft in drafts:
        told = any(one.message == DISAGGREGATED for one in draft.findings)
        if part in PARTS and not told:
            draft.say("not_modelled", part, DISAGGREGATED)
    return drafts

"""llm-d: Helm values of its model service.

Values: llm-d-incubation/llm-d-modelservice, charts/llm-d-modelservice/values.yaml (``modelArtifacts``, ``decode``,
``prefill``); with ``modelCommand: vllmServe`` the chart writes the command and the parallel sizes itself.
"""

from __future__ import annotations

from llmperf.deployments.deployment import Draft
from llmperf.deployments.keys import COPIES, POD, Keys
from llmperf.deployments.launch import Launch
from llmperf.deployments.node import Node
from llmperf.deployments.pods import (
    Place,
    arguments,
    containers,
    deployed,
    devices,
    environment,
    labels_of,
    launches,
    looks_like_server,
    shares,
)
from llmperf.deployments.reasons import DISAGGREGATED
from llmperf.deployments.scripts import Files
from llmperf.deployments.words import Word

PARTS = ("decode", "prefill")
VALUES = Keys(
    "the values of llm-d",
    ("modelArtifacts.name", "modelArtifacts.uri", "accelerator.type", *PARTS),
    {
        ("ignored", POD): (
            "modelArtifacts.*", "accelerator.*", "routing", "serviceAccountOverride", "multinode", "fullnameOverride",
            "nameOverride", "schedulerName", "monitoring", "tracing", "requester", "dra", "extraObjects", "labels",
        ),
    },
)  # fmt: skip
PART = Keys(
    "a part of llm-d",
    tuple(
        f"{part}.{key}"
        for part in PARTS
        for key in (
            "create", "replicas", "parallelism", "containers", "acceleratorTypes", "nodeSelector", "affinity",
            "extraConfig",
        )
    ),
    {
        ("assumed", COPIES): ("*.autoscaling", "*.hpa"),
        ("ignored", POD): (
            "*.initContainers", "*.volumes", "*.podAnnotations", "*.annotations", "*.monitoring", "*.tolerations",
            "*.enableService", "*.hostIPC", "*.hostPID", "*.hostNetwork", "*.ports", "*.subGroup*", "*.labels",
            "*.terminationGracePeriodSeconds", "*.priorityClassName", "*.schedulerName", "*.securityContext",
            "*.imagePullSecrets", "*.runtimeClassName", "*.podSecurityContext", "*.topologySpreadConstraints",
        ),
    },
)  # fmt: skip
"""Keys of ``decode`` and ``prefill``: charts/llm-d-modelservice/values.yaml."""
RESOURCE = {"nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu"}


def recognizes(root: Node) -> bool:
    """Whether a document holds such values."""
    return isinstance(root.value, dict) and "modelArtifacts" in root.value and any(p in root.value for p in PARTS)


def read(root: Node, others: list[Node], files: Files, hardware: str | None) -> list[Draft]:  # noqa: ARG001
    """Decode and prefill workers."""
    parts = [(part, root.at(part)) for part in PARTS if root.at(part) and root.at(part, "create").truth(True)]
    drafts: list[Draft] = []
    for part, node in parts:
        drafts += _workers(root, part, node, files, hardware)
    if len(parts) > 1:
        for draft in drafts:
            draft.say("not_modelled", draft.name, DISAGGREGATED)
    return drafts


def _workers(root: Node, part: str, node: Node, files: Files, hardware: str | None) -> list[Draft]:
    labels = labels_of(node) | labels_of(node.at("extraConfig"))
    types = node.at("acceleratorTypes")
    if types:
        labels[types.at("labelKey").text()] = [value.text() for value in types.at("labelValues").items()]
    layout = node.at("parallelism")
    tensor, data = layout.at("tensor").whole(1), layout.at("data").whole(1)
    local = layout.at("dataLocal").whole(data)
    place = Place(
        part,
        root.file,
        "Helm values of llm-d",
        node.line,
        files,
        hardware,
        node.at("replicas").whole(1),
        max(-(-data // max(local, 1)), 1),
        labels,
        types.line or node.line,
    )
    drafts = []
    for container in containers(node):
        for launch in _launches(root, container, layout, files):
            asked = devices(container) or (
                RESOURCE.get(root.at("accelerator", "type").text(), "accelerator"),
                tensor * local,
            )
            drafts.append(deployed(place, launch, asked))
    for draft in drafts:
        PART.tell(draft, node, f"{part}.")
        VALUES.tell(draft, root)
    return drafts


def _launches(root: Node, container: Node, layout: Node, files: Files) -> list[Launch]:
    """What a container starts: the chart's command with the container's arguments, or its own."""
    command = container.at("modelCommand").text() or "imageDefault"
    served = command == "vllmServe" or (command == "imageDefault" and looks_like_server(container.at("image").text()))
    if not served:
        return launches(container, files)
    name, uri = root.at("modelArtifacts", "name"), root.at("modelArtifacts", "uri")
    variables = environment(container, files)
    words = arguments(container.at("args"), variables)
    written = {word.text.partition("=")[0] for word in words}
    model = name if name else uri
    added = [Word(f"--model={model.text()}", model.line)] if model and "--model" not in written else []
    if command == "vllmServe":
        for key, flag in (("tensor", "--tensor-parallel-size"), ("data", "--data-parallel-size")):
            size = layout.at(key)
            if size and flag not in written:
                added.append(Word(f"{flag}={size.text()}", size.line))
    image = container.at("image")
    launch = Launch("vllm", (*added, *words), "", image.text(), image.line, variables, shares=shares(container))
    return [launch]

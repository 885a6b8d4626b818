"""Containers of a cluster: the servers that they start, on which hardware, and how many of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod

from llmperf.deployments import accelerators, images, pod_keys
from llmperf.deployments.deployment import Draft
from llmperf.deployments.launch import Launch, drafted, finish, in_image
from llmperf.deployments.node import Node
from llmperf.deployments.scripts import Files
from llmperf.deployments.words import Word, expanded

MAX_CONTAINERS = 100
"""Most containers of one pod."""
_SLICE = re.compile(r"nvidia\.com/mig-(\d+g\.\d+gb)")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the containers of a workload run.

    Attributes
    ----------
    name, file, form : str
        Of the workload, of the file, and what it is in words.
    line : int or None
    files : callable
        Files that commands may name.
    hardware : str or None
        As the caller says, whatever the labels do.
    replicas : int
        Copies of the workload.
    pods : int
        Pods that together are one copy.
    labels : mapping of str to list of str
        Values that labels of the nodes may have.
    counted : bool
        Whether `replicas` counts pods, several of which may together be one copy.
    """

    name: str
    file: str
    form: str
    line: int | None
    files: Files
    hardware: str | None = None
    replicas: int = 1
    pods: int = 1
    labels: Mapping[str, list[str]] = field(default_factory=dict)
    labels_line: int | None = None
    counted: bool = False


def labels_of(pod: Node) -> dict[str, list[str]]:
    """Labels that a pod asks of its node, by selector or by required affinity."""
    found: dict[str, list[str]] = {}
    for label, value in pod.at("nodeSelector").entries().items():
        found[label] = [value.text()]
    terms = pod.at("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
    for term in terms.items():
        found.update(expressions(term.at("matchExpressions")))
    return found


def expressions(node: Node) -> dict[str, list[str]]:
    """Labels of ``matchExpressions``, with the values that they may have."""
    found: dict[str, list[str]] = {}
    for item in node.items():
        if item.at("operator").text() in ("In", ""):
            found[item.at("key").text()] = [value.text() for value in item.at("values").items()]
    return found


def containers(pod: Node) -> list[Node]:
    """The containers of a pod."""
    return pod.at("containers").items()


def environment(container: Node, files: Files) -> dict[str, tuple[str, int | None]]:
    """Variables that a container sets to a text, or takes from a ConfigMap of the file; secrets are not known.

    Those of ``env`` go before those of ``envFrom``, and may name each other.
    """
    found: dict[str, tuple[str, int | None]] = {}
    for source in container.at("envFrom").items():
        prefix, name = source.at("prefix").text(), source.at("configMapRef", "name").text()
        found.update({f"{prefix}{key}": value for key, value in files.config_maps.get(name, {}).items()})
    for item in container.at("env").items():
        name, line = item.at("name").text(), item.at("name").line
        reference = item.at("valueFrom", "configMapKeyRef")
        held = files.config_maps.get(reference.at("name").text(), {}).get(reference.at("key").text())
        if item.at("value"):
            plain = {key: value for key, (value, _) in found.items()}
            found[name] = (expanded([Word(item.at("value").text())], plain)[0].text, line)
        elif held is not None:
            found[name] = held
    return found


def arguments(node: Node, known: Mapping[str, tuple[str, int | None]]) -> list[Word]:
    """A list of arguments, or one text in its place, with the container's variables put in."""
    items = [node] if isinstance(node.value, str) else node.items()
    written = [Word(item.text(), item.line) for item in items]
    return expanded(written, {name: value for name, (value, _) in known.items()})


def launches(container: Node, files: Files, more: Mapping[str, tuple[str, int | None]] | None = None) -> list[Launch]:
    """The servers that a container starts.

    Parameters
    ----------
    container : Node
        With ``image``, ``command``, ``args`` and ``env``.
    files : Files
    more : mapping, optional
        Further variables.
    """
    known = {**(more or {}), **environment(container, files)}
    image = container.at("image")
    words = [word for key in ("command", "args") for word in arguments(container.at(key), known)]
    name = container.at("name").text() or image.text()
    found = in_image(image.text(), image.line, words, known, files, name, not container.at("command"))
    return [replace(one, shares=shares(container)) for one in found]


def devices(container: Node) -> tuple[str, int] | None:
    """The accelerators that a container asks for: resource and number."""
    for section in ("limits", "requests"):
        resources = container.at("resources", section)
        for name, node in resources.entries().items():
            if name in accelerators.RESOURCES or _SLICE.fullmatch(name):
                return name, node.whole(0)
    return None


def shares(container: Node) -> tuple[tuple[str, int | None], ...]:
    """Resources by which a container asks for a part of a device, and their lines."""
    sections = (container.at("resources", section).entries() for section in ("requests", "limits"))
    found = {name: node.line for section in sections for name, node in section.items()}
    return tuple((name, line) for name, line in found.items() if accelerators.SHARES.fullmatch(name))


def annotated(metadata: Node) -> tuple[tuple[str, int | None], ...]:
    """Annotations and labels of a pod by which it asks for a part of a device, and their lines (run.ai, HAMi)."""
    sections = (metadata.at(section).entries() for section in ("annotations", "labels"))
    found = [(name, node) for section in sections for name, node in section.items()]
    return tuple(
        (name, node.line)
        for name, node in found
        if accelerators.FRACTIONS.fullmatch(name) and node.text().strip() not in ("", "1", "1.0")
    )


def deployed(place: Place, launch: Launch, asked: tuple[str, int] | None, draft: Draft | None = None) -> Draft:
    """A server on its place: flags, hardware, devices and copies."""
    if draft is None:
        draft = drafted(launch, place.name, place.file, place.line, place.form, place.files)
    accelerators.settle(draft, place.labels, place.hardware, place.labels_line)
    for name, line in launch.shares:
        draft.say("not_modelled", name, accelerators.SHARED, line=line)
    match = _SLICE.fullmatch(asked[0]) if asked else None
    if match is not None and place.hardware is None:
        accelerators.sliced(draft, match[1], asked[0] if asked else "")
    finish(draft, launch)
    layout = draft.settings
    inner = prod(layout.get(f"parallelism.{way}", 1) for way in ("tp", "pp", "cp", "dp", "replicas"))
    place = _grouped(place, inner, asked, draft)
    if asked and asked[1] and asked[1] * place.pods != inner:
        said = f"a copy has {asked[1] * place.pods} devices, but its layout uses {inner}"
        draft.assume(asked[0], said, line=place.line)
    if place.replicas == 0:
        draft.assume("replicas", "0: nothing runs; one is taken", line=place.line)
    elif place.replicas > 1:
        copies = place.replicas * layout.get("parallelism.replicas", 1)
        layout["parallelism.replicas"] = copies
        of = f" of {place.pods} pods each" if place.pods > 1 else ""
        said = f"{place.replicas} copies{of}"
        draft.say("understood", "replicas", said, "parallelism.replicas", copies, place.line)
    accelerators.side_by_side(draft, inner * max(place.replicas, 1))
    return draft


def _grouped(place: Place, inner: int, asked: tuple[str, int] | None, draft: Draft) -> Place:
    """Copies of a workload whose pods are counted: several pods are one where its flags or its layout say so."""
    nodes = draft.settings.get("_nodes", 1)
    if place.pods > 1 or not place.counted:
        return place
    if nodes == 1 and asked and asked[1] and inner > asked[1] and inner % asked[1] == 0:
        nodes = inner // asked[1]
        if nodes > place.replicas:  # that the layout uses other devices than are asked for is said of its own
            return place
        draft.assume("replicas", f"a layout of {inner} devices spans {nodes} pods of {asked[1]}", line=place.line)
    if nodes == 1:
        return place
    copies, rest = divmod(place.replicas, nodes)
    if rest:
        said = f"{place.replicas} pods are no multiple of the {nodes} nodes of one server; {max(copies, 1)} taken"
        draft.say("not_understood", "replicas", said, line=place.line)
    return replace(place, replicas=max(copies, 1), pods=nodes)


def served(pod: Node, place: Place, metadata: tuple[Node, ...] = ()) -> list[Draft]:
    """Every server of a pod; `metadata` are those of the pod and of what it is a copy of."""
    place = replace(place, labels={**place.labels, **labels_of(pod)}, labels_line=place.labels_line or pod.line)
    if len(containers(pod)) > MAX_CONTAINERS:
        raise pod.at("containers").wrong(f"a list of at most {MAX_CONTAINERS} containers")
    parts = tuple(dict.fromkeys(part for one in metadata for part in annotated(one)))
    drafts, silent = [], []
    for container in [*containers(pod), *pod.at("initContainers").items()]:
        found = launches(container, place.files)
        for launch in found:
            draft = deployed(place, replace(launch, shares=(*launch.shares, *parts)), devices(container))
            pod_keys.tell(draft, pod, container)
            drafts.append(draft)
        if not found:
            silent.append(container)
    said = {one.name for one in place.files.unread}
    for draft in drafts:
        for container in silent:
            name = container.at("name").text()
            if name not in said:
                draft.say("ignored", name or "container", "starts no server that is known here", line=container.line)
    return drafts


def looks_like_server(image: str) -> bool:
    """Whether an image is one of a serving tool."""
    return images.tool_of(image) is not None

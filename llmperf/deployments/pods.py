"""Containers of a cluster: the servers that they start, on which hardware, and how many of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod

from llmperf.deployments import accelerators, images, shell
from llmperf.deployments.deployment import Draft
from llmperf.deployments.launch import Files, Launch, argument, drafted, find, finish, in_image
from llmperf.deployments.node import Node
from llmperf.deployments.words import KUBERNETES, Word, expanded

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


def environment(node: Node) -> dict[str, tuple[str, int | None]]:
    """Variables that a container sets to a text; those from secrets and fields are not known."""
    return {
        item.at("name").text(): (item.at("value").text(), item.at("name").line)
        for item in node.items()
        if item.at("name") and item.at("value")
    }


def launches(
    container: Node, before: list[Word] | None = None, more: Mapping[str, tuple[str, int | None]] | None = None
) -> Iterator[Launch]:
    """The servers that a container starts.

    Parameters
    ----------
    container : Node
        With ``image``, ``command``, ``args`` and ``env``.
    before : list of Word, optional
        A command to which the container adds its arguments.
    more : mapping, optional
        Further variables.
    """
    known = {**(more or {}), **environment(container.at("env"))}
    image = container.at("image").text()
    written = [Word(item.text(), item.line) for key in ("command", "args") for item in _listed(container.at(key))]
    plain = {name: value for name, (value, _) in known.items()}
    words = expanded([*(before or []), *written], plain, KUBERNETES)
    line = container.at("image").line
    script = _script(words, container, plain)
    if script is None:
        has_command = bool(container.at("command")) or before is not None
        single = find(words) if has_command else in_image(image, line, tuple(words), known)
        script = [(single, known)] if single else []
    for found, variables in script:
        yield replace(found, image=image, image_line=line, environment={**variables, **found.environment})


def _listed(node: Node) -> list[Node]:
    """A list, or one text in its place."""
    return [node] if isinstance(node.value, str) else node.items()


def _script(
    words: list[Word], container: Node, known: Mapping[str, str]
) -> list[tuple[Launch, dict[str, tuple[str, int | None]]]] | None:
    """The servers that a shell starts whose script is an argument; None where no shell is called."""
    index = argument(words)
    if index is None:
        return None
    text, line = words[index].text, words[index].line or 1
    rest = words[index + 2 :]
    parsed = shell.parse(text, container.file, line + 1 if "\n" in text.strip() else line, dict(known))
    found: list[tuple[Launch, dict[str, tuple[str, int | None]]]] = []
    for command in parsed.commands:
        whole = [part for word in command.words for part in (rest if word.text in ("$@", "$*") else [word])]
        launch = find(whole)
        if launch is not None:
            variables: dict[str, tuple[str, int | None]]
            variables = {name: (value, line) for name, value in command.variables.items()}
            found.append((replace(launch, within=(*command.within, *launch.within)), variables))
    return found


def devices(container: Node) -> tuple[str, int] | None:
    """The accelerators that a container asks for: resource and number."""
    for section in ("limits", "requests"):
        resources = container.at("resources", section)
        for name, node in resources.entries().items():
            if name in accelerators.RESOURCES or _SLICE.fullmatch(name):
                return name, node.whole(0)
    return None


def deployed(place: Place, launch: Launch, asked: tuple[str, int] | None, draft: Draft | None = None) -> Draft:
    """A server on its place: flags, hardware, devices and copies."""
    if draft is None:
        draft = drafted(launch, place.name, place.file, place.line, place.form, place.files)
    accelerators.settle(draft, place.labels, place.hardware, place.labels_line)
    match = _SLICE.fullmatch(asked[0]) if asked else None
    if match is not None and place.hardware is None:
        accelerators.sliced(draft, match[1], asked[0] if asked else "")
    finish(draft, launch)
    layout = draft.settings
    inner = prod(layout.get(f"parallelism.{way}", 1) for way in ("tp", "pp", "cp", "dp", "replicas"))
    if asked and asked[1] and asked[1] * place.pods != inner:
        said = f"a copy has {asked[1] * place.pods} devices, but its layout uses {inner}"
        draft.assume(asked[0], said, line=place.line)
    if place.replicas == 0:
        draft.assume("replicas", "0: nothing runs; one is taken", line=place.line)
    elif place.replicas > 1:
        copies = place.replicas * layout.get("parallelism.replicas", 1)
        layout["parallelism.replicas"] = copies
        draft.say("understood", "replicas", f"{place.replicas} copies", "parallelism.replicas", copies, place.line)
    accelerators.side_by_side(draft, inner * max(place.replicas, 1))
    return draft


def served(pod: Node, place: Place) -> list[Draft]:
    """Every server of a pod."""
    place = replace(place, labels={**place.labels, **labels_of(pod)}, labels_line=place.labels_line or pod.line)
    if len(containers(pod)) > MAX_CONTAINERS:
        raise pod.at("containers").wrong(f"a list of at most {MAX_CONTAINERS} containers")
    found = [
        (launch, devices(container))
        for container in [*containers(pod), *pod.at("initContainers").items()]
        for launch in launches(container)
    ]
    return [deployed(place, launch, asked) for launch, asked in found]


def looks_like_server(image: str) -> bool:
    """Whether an image is one of a serving tool."""
    return images.tool_of(image) is not None

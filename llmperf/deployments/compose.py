"""Docker Compose files: services that start model servers.

Keys: docs.docker.com/reference/compose-file (services, deploy, build).
"""

from __future__ import annotations

import shlex
from dataclasses import replace

from llmperf.deployments.deployment import Draft
from llmperf.deployments.launch import Files, Launch, argument, find, found_in, in_image
from llmperf.deployments.node import Node
from llmperf.deployments.pods import Place, deployed
from llmperf.deployments.shell import parse
from llmperf.deployments.words import SHELL, Word, expanded
from llmperf.errors import InputError, Problem

FORM = "Docker Compose file"


def recognizes(root: Node) -> bool:
    """Whether a document is a Compose file."""
    services = root.value.get("services") if isinstance(root.value, dict) else None
    return isinstance(services, dict) and "kind" not in root.value


def read(root: Node, others: list[Node], files: Files, hardware: str | None) -> list[Draft]:  # noqa: ARG001
    """The services that start a server."""
    drafts = []
    for name, service in root.at("services").entries().items():
        for launch in _launches(service):
            scale = service.at("deploy", "replicas") or service.at("scale")
            place = Place(name, root.file, FORM, service.line, files, hardware, scale.whole(1))
            drafts.append(deployed(place, launch, _devices(service)))
    return drafts


def _launches(service: Node) -> list[Launch]:
    variables = _environment(service.at("environment"))
    image = service.at("image")
    entry, command = _words(service.at("entrypoint")), _words(service.at("command"))
    words = expanded([*entry, *command], {}, SHELL)  # Compose knows the host's variables, which no file of ours tells
    index = argument(words)
    if index is not None:
        known = {name: value for name, (value, _) in variables.items()}
        parsed = parse(words[index].text.replace("$$", "$"), service.file, words[index].line or 1, known)
        found = [found_in(command, None) for command in parsed.commands]
        return [replace(one, image=image.text(), image_line=image.line, environment=variables) for one in found if one]
    single = find(words) if entry else in_image(image.text(), image.line, tuple(words), variables)
    if single is None:
        return []
    return [replace(single, image=image.text(), image_line=image.line, environment=variables)]


def _words(node: Node) -> list[Word]:
    """A command: a list, or a text as a shell would split it; ``$$`` stands for ``$``."""
    if isinstance(node.value, str):
        try:
            parts = shlex.split(node.value)
        except ValueError as error:
            message = f"is not a command: {str(error).lower()}"
            raise InputError(Problem(message, node.path, node.file, node.line)) from None
        return [Word(text, node.line) for text in parts]
    return [Word(item.text(), item.line) for item in node.items()]


def _environment(node: Node) -> dict[str, tuple[str, int | None]]:
    if isinstance(node.value, list):
        pairs = [(item.text().partition("="), item.line) for item in node.items()]
        return {name: (value, line) for (name, equals, value), line in pairs if equals}
    return {name: (value.text(), value.line) for name, value in node.entries().items() if value}


def _devices(service: Node) -> tuple[str, int] | None:
    """GPUs that are reserved; all of them, where the number is not said, is not known."""
    for device in service.at("deploy", "resources", "reservations", "devices").items():
        ids = device.at("device_ids").items()
        count = device.at("count")
        if ids:
            return "device_ids", len(ids)
        if count and count.text() != "all":
            return "count", count.whole(0)
    return None

"""Docker Compose files: services that start model servers.

Keys: docs.docker.com/reference/compose-file (services, deploy, build).
"""

from __future__ import annotations

import shlex

from llmperf.deployments.deployment import Draft
from llmperf.deployments.expansion import interpolated
from llmperf.deployments.launch import Launch, in_image
from llmperf.deployments.node import Node
from llmperf.deployments.pods import Place, deployed
from llmperf.deployments.scripts import Files
from llmperf.deployments.words import Word
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
        for launch in _launches(name, service, files):
            scale = service.at("deploy", "replicas") or service.at("scale")
            place = Place(name, root.file, FORM, service.line, files, hardware, scale.whole(1))
            drafts.append(deployed(place, launch, _devices(service)))
    return drafts


def _launches(name: str, service: Node, files: Files) -> list[Launch]:
    variables = _environment(service.at("environment"))
    image = service.at("image")
    entry, command = _words(service.at("entrypoint")), _words(service.at("command"))
    own = _interpolated(Word(image.text(), image.line)).text
    return in_image(own, image.line, [*entry, *command], variables, files, name, not entry)


def _words(node: Node) -> list[Word]:
    """A command: a list, or a text as a shell would split it."""
    if isinstance(node.value, str):
        try:
            parts = shlex.split(node.value)
        except ValueError as error:
            message = f"is not a command: {str(error).lower()}"
            raise InputError(Problem(message, node.path, node.file, node.line)) from None
        return [_interpolated(Word(text, node.line)) for text in parts]
    return [_interpolated(Word(item.text(), item.line)) for item in node.items()]


def _interpolated(word: Word) -> Word:
    """A word with what Compose puts in (``$$`` is ``$``); of the host's variables the defaults alone are known."""
    pieces = [interpolated(piece, {}) for piece in word.text.split("$$")]
    return Word("$".join(text for text, _ in pieces), word.line, tuple(name for _, names in pieces for name in names))


def _environment(node: Node) -> dict[str, tuple[str, int | None]]:
    """Variables of a service; those that are the host's are not known."""
    if isinstance(node.value, list):
        pairs = [(item.text().partition("="), item.line) for item in node.items()]
        given = {name: Word(value, line) for (name, equals, value), line in pairs if equals}
    else:
        given = {name: Word(value.text(), value.line) for name, value in node.entries().items() if value}
    words = {name: _interpolated(word) for name, word in given.items()}
    return {name: (word.text, word.line) for name, word in words.items() if not word.missing}


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

"""Docker Compose files: services that start model servers.

Keys: docs.docker.com/reference/compose-file (services, deploy, build).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import PurePath

from llmperf.deployments.deployment import Draft
from llmperf.deployments.expansion import interpolated
from llmperf.deployments.keys import POD, Keys
from llmperf.deployments.launch import Launch, in_image
from llmperf.deployments.node import Node
from llmperf.deployments.pods import Place, deployed
from llmperf.deployments.scripts import Files
from llmperf.deployments.words import Word
from llmperf.errors import InputError, Problem

FORM = "Docker Compose file"
_VARIABLE = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)\s*[=:](.*)", re.ASCII)


SERVICE = Keys(
    "a service",
    (
        "image", "entrypoint", "command", "environment", "env_file", "scale", "gpus", "deploy.replicas",
        "deploy.resources.reservations.devices",
    ),
    {
        ("not_understood", "the keys of another service are not read: give what docker compose config makes of it"): (
            "extends",
        ),
        ("not_understood", "the image is built elsewhere: what it starts is not known"): ("build",),
        ("not_understood", "a model of Docker's own runner is not read"): ("models", "provider"),
        ("not_understood", "devices that are reserved so are not read: give the layout"): (
            "deploy.resources.reservations.generic_resources",
        ),
        ("ignored", POD): (
            "annotations", "attach", "blkio_config", "cap_add", "cap_drop", "cgroup*", "configs", "container_name",
            "cpu*", "credential_spec", "depends_on",
            "deploy.mode", "deploy.labels", "deploy.*_config",
            "deploy.restart_policy", "deploy.placement", "deploy.endpoint_mode", "deploy.resources.limits",
            "deploy.resources.reservations.cpus", "deploy.resources.reservations.memory",
            "develop", "device_cgroup_rules", "devices", "dns*",
            "domainname", "expose", "external_links", "extra_hosts", "group_add", "healthcheck", "hostname", "init",
            "ipc", "isolation", "label*", "links", "logging", "mac_address", "mem*", "network*", "oom_*", "pid*",
            "platform", "ports", "post_start", "pre_stop", "privileged", "profiles", "pull_*", "read_only", "restart",
            "runtime", "secrets", "security_opt", "shm_size", "stdin_open", "stop_*", "storage_opt", "sysctls",
            "tmpfs", "tty", "ulimits", "use_api_socket", "user*", "uts", "volumes*", "working_dir", "x-*",
        ),
    },
)  # fmt: skip
"""Keys of a service: compose-spec/compose-spec, schema/compose-spec.json."""
FILE = Keys(
    "a Compose file",
    ("services",),
    {
        ("not_understood", "services of other files are not read"): ("include",),
        ("not_understood", "a model of Docker's own runner is not read"): ("models",),
        ("ignored", POD): ("version", "name", "networks", "volumes", "secrets", "configs", "x-*"),
    },
)


def recognizes(root: Node) -> bool:
    """Whether a document is a Compose file."""
    services = root.value.get("services") if isinstance(root.value, dict) else None
    return isinstance(services, dict) and "kind" not in root.value


def read(root: Node, others: list[Node], files: Files, hardware: str | None) -> list[Draft]:  # noqa: ARG001
    """The services that start a server."""
    drafts = []
    host = _written(".env", files)
    for name, service in root.at("services").entries().items():
        for launch in _launches(name, service, files, host):
            scale = service.at("deploy", "replicas") or service.at("scale")
            place = Place(name, root.file, FORM, service.line, files, hardware, scale.whole(1))
            draft = deployed(place, launch, _devices(service))
            SERVICE.tell(draft, service)
            FILE.tell(draft, root)
            drafts.append(draft)
    return drafts


def _launches(name: str, service: Node, files: Files, host: Mapping[str, str]) -> list[Launch]:
    variables: dict[str, tuple[str, int | None]] = {}
    given = service.at("env_file")
    for item in [given] if isinstance(given.value, str) else given.items():
        path = item.text() if isinstance(item.value, str) else item.at("path").text()
        variables |= {key: (value, item.line) for key, value in _written(PurePath(path).name, files).items()}
    variables |= _environment(service.at("environment"), host)
    image = service.at("image")
    entry, command = _words(service.at("entrypoint"), host), _words(service.at("command"), host)
    own = _interpolated(Word(image.text(), image.line), host).text
    return in_image(own, image.line, [*entry, *command], variables, files, name, not entry)


def _written(name: str, files: Files) -> dict[str, str]:
    """The variables of a file beside the deployment (``.env``): a name and a value a line, quoted or not."""
    content = files.lookup(name) if name.endswith(".env") else None
    found: dict[str, str] = {}
    for line in (content[0].decode("utf-8", "replace") if content else "").splitlines():
        match = _VARIABLE.fullmatch(line.strip())
        if match is not None:
            value = match[2].strip()
            quoted = re.fullmatch(r"(['\"])(.*)\1(\s+#.*)?", value)
            plain = quoted[2] if quoted else re.sub(r"(^|\s+)#.*", "", value)
            single = quoted is not None and quoted[1] == "'"
            found[match[1]] = plain if single else interpolated(plain, found)[0]
    return found


def _words(node: Node, host: Mapping[str, str]) -> list[Word]:
    """A command: a list, or a text as a shell would split it."""
    if isinstance(node.value, str):
        try:
            parts = shlex.split(node.value)
        except ValueError as error:
            message = f"is not a command: {str(error).lower()}"
            raise InputError(Problem(message, node.path, node.file, node.line)) from None
        return [_interpolated(Word(text, node.line), host) for text in parts]
    return [_interpolated(Word(item.text(), item.line), host) for item in node.items()]


def _interpolated(word: Word, host: Mapping[str, str]) -> Word:
    """A word with what Compose puts in (``$$`` is ``$``): of the host's variables those of ``.env``, and defaults."""
    pieces = [interpolated(piece, host) for piece in word.text.split("$$")]
    return Word("$".join(text for text, _ in pieces), word.line, tuple(name for _, names in pieces for name in names))


def _environment(node: Node, host: Mapping[str, str]) -> dict[str, tuple[str, int | None]]:
    """Variables of a service; those that are the host's are not known."""
    if isinstance(node.value, list):
        pairs = [(item.text().partition("="), item.line) for item in node.items()]
        given = {name: Word(value, line) for (name, equals, value), line in pairs if equals}
    else:
        given = {name: Word(value.text(), value.line) for name, value in node.entries().items() if value}
    words = {name: _interpolated(word, host) for name, word in given.items()}
    return {name: (word.text, word.line) for name, word in words.items() if not word.missing}


def _devices(service: Node) -> tuple[str, int] | None:
    """GPUs that are reserved; all of them, where the number is not said, is not known."""
    gpus = service.at("gpus")
    listed = gpus.items() if isinstance(gpus.value, list) else []
    for device in [*service.at("deploy", "resources", "reservations", "devices").items(), *listed]:
        ids = device.at("device_ids").items()
        count = device.at("count")
        if ids:
            return "device_ids", len(ids)
        if count and count.text() != "all":
            return "count", count.whole(0)
    return None

"""Command lines: shell scripts, and lists of arguments."""

from __future__ import annotations

from pathlib import PurePath

from llmperf.descriptors.importers.deployments import megatron, shell
from llmperf.descriptors.importers.deployments.deployment import Deployment, Draft
from llmperf.descriptors.importers.deployments.launch import Files, Launch, find
from llmperf.descriptors.importers.deployments.node import Node
from llmperf.descriptors.importers.deployments.pods import Place, deployed
from llmperf.descriptors.importers.deployments.words import Word


def read_script(text: str, file: str, files: Files, hardware: str | None) -> list[Deployment | Draft]:
    """The servers and training jobs that a script starts."""
    script = shell.parse(text, file)
    name = PurePath(file).stem

    def known(wanted: str) -> tuple[bytes, str] | None:
        written = script.files.get(wanted)
        return (written.encode(), f"{file} ({wanted})") if written is not None else files(wanted)

    found: list[Deployment | Draft] = []
    for words, variables in script.commands:
        launch = find(words)
        if launch is not None:
            line = words[0].line
            own = {key: (value, line) for key, value in variables.items()}
            launch = Launch(
                launch.tool, launch.words, launch.module, launch.image, launch.image_line, {**own, **launch.environment}
            )
            found.append(deployed(Place(name, file, "command line", line, known, hardware), launch, None))
        elif megatron.starts(words):
            found.append(megatron.read(words, name, file, hardware))
    return found


def read_list(root: Node, files: Files, hardware: str | None) -> list[Deployment | Draft]:
    """The server or training job of a list of arguments."""
    words = [Word(item.text(), item.line) for item in root.items()]
    name = PurePath(root.file).stem
    launch = find(words)
    if launch is not None:
        return [deployed(Place(name, root.file, "list of arguments", 1, files, hardware), launch, None)]
    return [megatron.read(words, name, root.file, hardware)] if megatron.starts(words) else []

"""Command lines: shell scripts, and lists of arguments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

from llmperf.deployments import megatron, shell
from llmperf.deployments.deployment import Deployment, Draft
from llmperf.deployments.launch import Files, circumstances, find, found_in
from llmperf.deployments.node import Node
from llmperf.deployments.pods import Place, deployed
from llmperf.deployments.words import Word


def read_script(text: str, file: str, files: Files, hardware: str | None) -> list[Deployment | Draft]:
    """The servers and training jobs that a script starts."""
    script = shell.parse(text, file)
    name = PurePath(file).stem

    def known(wanted: str) -> tuple[bytes, str] | None:
        written = script.files.get(wanted)
        return (written.encode(), f"{file} ({wanted})") if written is not None else files(wanted)

    found: list[Deployment | Draft] = []
    for command in script.commands:
        words = command.words
        launch = found_in(command, words[0].line)
        if launch is not None:
            found.append(deployed(Place(name, file, "command line", words[0].line, known, hardware), launch, None))
        elif megatron.starts(words):
            job = megatron.read(words, name, file, hardware)
            said = circumstances(command.within, words[0].line)
            found.append(replace(job, findings=(*job.findings, *said)))
    return found


def read_list(root: Node, files: Files, hardware: str | None) -> list[Deployment | Draft]:
    """The server or training job of a list of arguments."""
    words = [Word(item.text(), item.line) for item in root.items()]
    name = PurePath(root.file).stem
    launch = find(words)
    if launch is not None:
        return [deployed(Place(name, root.file, "list of arguments", 1, files, hardware), launch, None)]
    return [megatron.read(words, name, root.file, hardware)] if megatron.starts(words) else []

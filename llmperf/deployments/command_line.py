"""Command lines: shell scripts, and lists of arguments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

from llmperf.deployments import megatron, scripts, shell
from llmperf.deployments.deployment import Deployment, Draft
from llmperf.deployments.launch import circumstances, of_command
from llmperf.deployments.node import Node
from llmperf.deployments.pods import Place, deployed
from llmperf.deployments.scripts import Files
from llmperf.deployments.words import Word


def read_script(text: str, files: Files, hardware: str | None) -> list[Deployment | Draft]:
    """The servers and training jobs that a script starts."""
    return [
        one for command, its in scripts.commands(text, files) for one in _read(command, "command line", its, hardware)
    ]


def read_list(root: Node, files: Files, hardware: str | None) -> list[Deployment | Draft]:
    """The servers or the training job of a list of arguments."""
    words = [Word(item.text(), item.line) for item in root.items()]
    return [
        one
        for command, its in scripts.of_words(words, files, {})
        for one in _read(command, "list of arguments", its, hardware)
    ]


def _read(command: shell.Command, form: str, files: Files, hardware: str | None) -> list[Deployment | Draft]:
    name, line = PurePath(files.file).stem, command.words[0].line if command.words else None
    place = Place(name, files.file, form, line, files, hardware)
    servers = of_command(command, files)
    if servers or not megatron.starts(command.words):
        return [deployed(place, launch, None) for launch in servers]
    job = megatron.read(command.words, name, files.file, hardware)
    return [replace(job, findings=(*job.findings, *circumstances(command.within, line)))]

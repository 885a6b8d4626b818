"""Command lines: shell scripts, and lists of arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath

from llmperf.deployments import megatron, scripts, shell, slurm
from llmperf.deployments.deployment import Deployment, Draft
from llmperf.deployments.launch import circumstances, of_command
from llmperf.deployments.node import Node
from llmperf.deployments.pods import Place, deployed
from llmperf.deployments.scripts import Files
from llmperf.deployments.words import Word

APPLIERS = ("kubectl", "oc", "helm", "k3s", "microk8s", "docker-compose", "compose")
"""Programs that are handed descriptions of what to run."""
Manifests = Callable[[bytes, str, int], Sequence[Deployment | Draft]]
"""What a description deploys: its text, its file, and the line on which it begins there."""


def read_script(text: str, files: Files, hardware: str | None, manifests: Manifests) -> list[Deployment | Draft]:
    """The servers and training jobs that a script starts, those of descriptions that it hands on included."""
    found: list[Deployment | Draft] = []
    job = slurm.read(text)
    for command, its in scripts.commands(text, files, known=job.variables() if job else None):
        found += _read(command, "command line", its, hardware, job)
        for content, name, line in _handed(command, its):
            found += manifests(content, name, line)
    return found


def _handed(command: shell.Command, files: Files) -> Iterator[tuple[bytes, str, int]]:
    """The descriptions that a command hands to a cluster: what it reads (``-f - <<EOF``), and files that it names."""
    texts = [word.text for word in command.words]
    if not any(PurePath(text).name in APPLIERS for text in texts[:3]):
        return
    for flag, value in zip(texts, [*texts[1:], ""], strict=True):
        name, equals, given = flag.partition("=")
        if name not in ("-f", "--filename", "--values", "--file"):
            continue
        named = given if equals else value
        if named == "-":
            for text, line in command.given:
                yield text.encode(), files.file, line
        elif named and (content := files.lookup(PurePath(named).name)) is not None:
            yield (*content, 1)


def read_list(root: Node, files: Files, hardware: str | None) -> list[Deployment | Draft]:
    """The servers or the training job of a list of arguments."""
    words = [Word(item.text(), item.line) for item in root.items()]
    return [
        one
        for command, its in scripts.of_words(words, files, {})
        for one in _read(command, "list of arguments", its, hardware)
    ]


def _read(
    command: shell.Command, form: str, files: Files, hardware: str | None, batch: slurm.Job | None = None
) -> list[Deployment | Draft]:
    name, line = PurePath(files.file).stem, command.words[0].line if command.words else None
    place = Place(name, files.file, form, line, files, hardware)
    asked = None
    if batch and batch.option:
        labels = {batch.option: [batch.kind]} if batch.kind else {}
        place = replace(place, labels=labels, labels_line=batch.line, pods=batch.nodes)
        asked = (batch.option, batch.gpus) if batch.gpus else None
    servers = of_command(command, files)
    if servers or not megatron.starts(command.words):
        return [deployed(place, launch, asked) for launch in servers]
    job = megatron.read(command.words, name, files.file, hardware)
    return [replace(job, findings=(*job.findings, *circumstances(command.within, line)))]

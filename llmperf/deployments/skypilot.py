"""SkyPilot: tasks and services, whose `run` is a script on so many accelerators of one kind.

Keys: docs.skypilot.co, reference/yaml-spec (``resources``, ``envs``, ``num_nodes``, ``run``, ``service``).
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from llmperf.deployments import scripts
from llmperf.deployments.deployment import Draft
from llmperf.deployments.keys import COPIES, POD, Keys
from llmperf.deployments.launch import of_command
from llmperf.deployments.node import Node
from llmperf.deployments.pods import Place, deployed
from llmperf.deployments.scripts import Files

FORM = "SkyPilot task"
NAMED = ("resources", "setup", "num_nodes", "service", "file_mounts", "workdir", "envs", "secrets")
"""Keys of which a task has one beside its script."""

TASK = Keys(
    "a SkyPilot task",
    (
        "name", "envs", "secrets", "run", "num_nodes", "resources.accelerators", "service.replicas",
        "service.replica_policy", "resources.any_of", "resources.ordered",
    ),
    {
        ("ignored", POD): ("setup", "workdir", "file_mounts", "volumes", "config", "resources.*", "service.*"),
    },
)  # fmt: skip


def recognizes(root: Node) -> bool:
    """Whether a document is a task."""
    data: Any = root.value
    is_task = isinstance(data, dict) and isinstance(data.get("run"), str) and any(key in data for key in NAMED)
    return is_task and "kind" not in data and "services" not in data


def read(root: Node, others: list[Node], files: Files, hardware: str | None) -> list[Draft]:  # noqa: ARG001
    """The servers that a task's script starts, on the accelerators that it asks for."""
    chips = _accelerators(root)
    number = next(iter(chips.values()), 0)
    nodes = root.at("num_nodes").whole(1)
    known = {key: node.text() for key in ("envs", "secrets") for key, node in root.at(key).entries().items() if node}
    known |= {"SKYPILOT_NUM_NODES": str(nodes)}
    if number:
        known["SKYPILOT_NUM_GPUS_PER_NODE"] = str(number)
    replicas, policy = _copies(root.at("service"))
    run = root.at("run")
    place = Place(
        root.at("name").text() or PurePath(root.file).stem,
        root.file,
        FORM,
        run.line or root.line,
        files,
        hardware,
        replicas,
        nodes,
        {"accelerators": list(chips)} if chips else {},
        root.at("resources").line,
    )
    asked = ("resources.accelerators", number) if number else None
    drafts: list[Draft] = []
    below = "\n" in run.text().strip()
    for command, its in scripts.commands(run.text(), files, (run.line or 1) + below, known):
        drafts += [deployed(place, launch, asked) for launch in of_command(command, its)]
    for draft in drafts:
        if policy:
            draft.assume("replica_policy", COPIES, line=policy.line)
        TASK.tell(draft, root)
    return drafts


def _copies(service: Node) -> tuple[int, Node]:
    """Copies of a service, at least, and what may change them."""
    policy = service.at("replica_policy")
    least = policy.at("min_replicas") if policy else service.at("replicas")
    return least.whole(1), policy


def _accelerators(root: Node) -> dict[str, int]:
    """The kinds of accelerators that a task may have, each with their number: ``H100:8``, or a mapping, or several."""
    found: dict[str, int] = {}
    resources = root.at("resources")
    choices = [resources, *resources.at("any_of").items(), *resources.at("ordered").items()]
    for node in (one.at("accelerators") for one in choices):
        if isinstance(node.value, dict):
            # {H100: 8}, and {H100:8} without a blank, which YAML takes as a name without a value
            texts = [f"{name}:{count.whole(1)}" if count else name for name, count in node.entries().items()]
        else:
            texts = _listed(node)
        for name, _, count in (text.partition(":") for text in texts if text):
            found[name.strip()] = int(count) if count.strip().isdigit() and len(count) < 6 else 1
    return found


def _listed(node: Node) -> list[str]:
    return [item.text() for item in node.items()] if isinstance(node.value, list) else [node.text()]

"""Files of flags: ``--config`` of ``vllm serve`` and SGLang, ``--extra_llm_api_options`` of ``trtllm-serve``."""

from __future__ import annotations

from pathlib import PurePath

from llmperf.descriptors.importers.deployments.deployment import Draft
from llmperf.descriptors.importers.deployments.launch import TOOLS, Files, Launch, drafted
from llmperf.descriptors.importers.deployments.node import Node
from llmperf.descriptors.importers.deployments.options import Options, apply
from llmperf.descriptors.importers.deployments.pods import Place, deployed
from llmperf.descriptors.importers.deployments.words import from_mapping, normal

NOT_A_FLAG = ("hardware", "workload", "parallelism", "extends", "engine", "weights", "placement", "apiversion", "kind")
"""Keys of other files: a scenario's, a Kubernetes object's."""


def tool_of(root: Node) -> str | None:
    """The tool whose flags the keys are: that which knows most of them, if any key sets something."""
    if not isinstance(root.value, dict) or any(key.lower() in NOT_A_FLAG for key in root.value):
        return None
    names = [flag.name for flag in from_mapping(root)]
    scores = {tool: _score(module.OPTIONS, names) for tool, module in TOOLS.items()}
    best = max(scores, key=lambda tool: scores[tool])
    return best if scores[best][0] > 0 and scores[best][1] * 2 >= len(root.value) else None


def _score(options: Options, names: list[str]) -> tuple[int, int, int]:
    """Keys that set something, keys that are known by any name, keys that are known by their own name."""
    setting = sum(options.canonical(name) in options.rules for name in names)
    known = sum(options.knows(name) or options.knows(name.partition(".")[0]) for name in names)
    return setting, known, sum(name in options.rules for name in names)


def recognizes(root: Node) -> bool:
    """Whether a document holds flags of a tool."""
    return tool_of(root) is not None


def read(root: Node, others: list[Node], files: Files, hardware: str | None) -> list[Draft]:  # noqa: ARG001
    """The server that a file configures."""
    tool = tool_of(root) or "vllm"
    form = f"configuration of {TOOLS[tool].OPTIONS.tool}"
    place = Place(PurePath(root.file).stem, root.file, form, 1, files, hardware)
    launch = Launch(tool, ())
    draft = drafted(launch, place.name, place.file, place.line, place.form, files)
    apply(launch.options, from_mapping(root), draft)
    if "_model" not in draft.settings and normal("model") not in root.value:
        draft.say("not_understood", "model", "the file names no model: the command line does; give --model")
    return [deployed(place, launch, None, draft)]

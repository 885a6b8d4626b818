"""Files of flags: ``--config`` of ``vllm serve`` and SGLang, ``--extra_llm_api_options`` of ``trtllm-serve``."""

from __future__ import annotations

from pathlib import PurePath

from llmperf.deployments.deployment import Draft
from llmperf.deployments.launch import TOOLS as ALL
from llmperf.deployments.launch import Launch, drafted
from llmperf.deployments.node import Node
from llmperf.deployments.options import Options, apply
from llmperf.deployments.pods import Place, deployed
from llmperf.deployments.scripts import Files
from llmperf.deployments.words import from_mapping, normal
from llmperf.scenarios.components import COMPONENTS
from llmperf.scenarios.keys import FLAT, JUDGED, NOT_YET, SCALARS, SECTIONS, SEVERAL

TOOLS = {tool: ALL[tool] for tool in ("vllm", "sglang", "tensorrt-llm")}
"""Tools that have such files."""
OF_A_SCENARIO = frozenset((*COMPONENTS, *SECTIONS, *SCALARS, *FLAT, *NOT_YET, *JUDGED, *SEVERAL, "extends"))
"""Keys of scenarios and of checks."""
OF_AN_OBJECT = ("apiversion", "kind")
"""Keys of Kubernetes objects, in lower case."""


def tool_of(root: Node) -> str | None:
    """The tool whose flags the keys are: that which knows most of them.

    A file is a scenario, whatever else it holds, once one of its keys is a scenario's and no tool's; and where all that
    a tool knows of it a scenario has, too (``model``, ``tp``).
    """
    if not isinstance(root.value, dict) or any(key.lower() in OF_AN_OBJECT for key in root.value):
        return None
    shared = {key for key in root.value if key in OF_A_SCENARIO}
    if any(not _is_flag(key) for key in shared):
        return None
    flags = from_mapping(root)
    names = [flag.name for flag in flags]
    scores = {tool: _score(module.OPTIONS, names) for tool, module in TOOLS.items()}
    best = max(scores, key=lambda tool: scores[tool])
    own = any(_known(TOOLS[best].OPTIONS, flag.name) for flag in flags if flag.written not in shared)
    return best if own and scores[best][0] > 0 and scores[best][1] * 2 >= len(root.value) else None


def _is_flag(key: str) -> bool:
    """Whether a key is a flag of any tool."""
    return any(module.OPTIONS.knows(normal(key)) for module in TOOLS.values())


def _known(options: Options, name: str) -> bool:
    return options.knows(name) or options.knows(name.partition(".")[0])


def _score(options: Options, names: list[str]) -> tuple[int, int, int]:
    """Keys that set something, keys that are known by any name, keys that are known by their own name."""
    setting = sum(options.canonical(name) in options.rules for name in names)
    known = sum(_known(options, name) for name in names)
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
        draft.say("not_understood", "model", "the file names no model: the command line does; give --model", "model")
    return [deployed(place, launch, None, draft)]

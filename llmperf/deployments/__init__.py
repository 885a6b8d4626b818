"""Deployment files: what people deploy, as scenarios, with a finding for everything that is written.

Nothing of a file is run, no network is asked, and no file is read but those that lie beside it. A flag that may change
the answer and is not understood is a finding of its own kind, never left out.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmperf.deployments import (
    command_line,
    compose,
    config_file,
    deepspeed,
    dynamo,
    huggingface,
    images,
    kserve,
    kubernetes,
    llm_d,
    production_stack,
    ray_serve,
    skypilot,
    torchtitan,
)
from llmperf.deployments.deployment import Deployment, Draft, Finding
from llmperf.deployments.node import Node
from llmperf.deployments.scripts import Files
from llmperf.deployments.words import from_mapping
from llmperf.errors import InputError, Problem
from llmperf.files import toml
from llmperf.files.documents import Document, decoded, parse_json, read_bytes
from llmperf.files.yaml import parse_yaml_stream

__all__ = ["Deployment", "Finding", "is_deployment", "read"]

FORMATS: tuple[Any, ...] = (
    kubernetes,
    kserve,
    dynamo,
    production_stack,
    llm_d,
    ray_serve,
    skypilot,
    compose,
    config_file,
)
"""Formats of YAML documents, the first that recognizes one wins: modules with `recognizes` and `read`."""

SUPPORTED = (
    "command lines and shell scripts (vllm serve, sglang.launch_server, trtllm-serve, llama-server, ollama, Megatron)",
    "vllm, sglang and trtllm-serve configurations",
    "Kubernetes workloads",
    "KServe InferenceService",
    "DynamoGraphDeployment",
    "Helm values of the vLLM production stack and of llm-d",
    "VLLMRuntime",
    "Ray Serve LLM and RayService",
    "SkyPilot tasks",
    "Docker Compose",
    "torchtitan TOML",
    "DeepSpeed JSON",
    "Hugging Face config.json and safetensors index",
)

ANY_MODEL = ("llama.cpp", "ollama")
"""Tools whose servers are often told of their models later, or by a file of any name."""
MAX_DEPLOYMENTS = 200
"""Most deployments of one file."""
SCRIPTS = (".sh", ".bash", ".cmd", ".txt", ".args")
_STARTS = re.compile(
    rb"vllm\s+serve|vllm\.entrypoints|sglang\.launch_server|sglang\s+serve|trtllm-serve|python3?\s+-m\s+dynamo\.|"
    rb"docker\s+run|kubectl\s+(?:apply|create)|llama-server|ollama\s+(?:serve|run|pull)|--tensor-model-parallel-size"
)
_DOCUMENT = re.compile(rb"^---(?=\s|$)", re.MULTILINE)
_HELM = "is it a Helm template? give what helm template makes of it"
MAX_SPLIT = 200
"""Most documents of a file that are read one by one, where not all can be read."""
_SCENARIO = {"hardware", "workload", "parallelism", "extends", "weights", "engine", "placement"}


def read(path: str | Path, *, hardware: str | None = None) -> list[Deployment]:
    """The deployments of a file.

    Parameters
    ----------
    path : str or Path
        The file; what it is is recognized by its content.
    hardware : str, optional
        Name of the hardware, which goes before what labels of nodes say.

    Returns
    -------
    list of Deployment
        At least one, with distinct names, in the order of the file.

    Raises
    ------
    InputError
        If the file cannot be read, is of no known format, deploys no model, or holds a value that its own tool refuses.
    """
    file = Path(path)
    content = read_bytes(file)
    opened = [str(file)]
    unread: list[Finding] = []
    try:
        found = _found(content, file, hardware, opened, unread)
    except InputError as error:
        raise InputError([replace(p, file=p.file or str(file)) for p in error.problems]) from None
    if not found:
        raise InputError(_nothing(file, unread))
    finished = [one.finished() if isinstance(one, Draft) else one for one in _named(_whole(found), unread)]
    read_files = tuple(dict.fromkeys(opened))
    return _distinct(
        [
            replace(one, files=tuple(dict.fromkeys((*read_files, *one.files))), findings=(*one.findings, *unread))
            for one in finished
        ]
    )


def is_deployment(path: str | Path) -> bool:
    """Whether a file is read as a deployment, not as a scenario; what is neither is left to the scenario's reader."""
    file = Path(path)
    try:
        content = read_bytes(file)
        if file.suffix == ".toml" or _is_script(content, file):
            return True
        documents = _documents(content, file, [])
    except InputError:
        return False
    roots = [Node(document.data, document) for document in documents]
    for root in roots:
        data = root.value
        if isinstance(data, dict) and _SCENARIO & data.keys() and "kind" not in data and "services" not in data:
            return False
        if huggingface.recognizes(data) or deepspeed.recognizes(data) or any(f.recognizes(root) for f in FORMATS):
            return True
        words = data if isinstance(data, list) else [data]
        if _STARTS.search(" ".join(word for word in words if isinstance(word, str)).encode()):
            return True
    return False


def _nothing(file: Path, unread: Sequence[Finding]) -> list[Problem]:
    """Why a file gives no deployment: what of it could not be read, or that it is of no known kind."""
    if unread:
        return [_alone(one, str(file)) for one in unread]
    text = "is no deployment file that is known here, or deploys no model"
    return [Problem(text, file=str(file), suggestion=f"known are {'; '.join(SUPPORTED)}")]


def _alone(one: Finding, file: str) -> Problem:
    """What a file that deploys nothing else says; of a server whose settings are not read, what to do."""
    message = one.message.removesuffix(f": {images.SAME_DEVICES}")
    hint = None if message == one.message else "ask for its model by flags: --model, --hardware, --weights, --tp"
    return Problem(message, one.name, file, one.line, suggestion=hint)


def _found(
    content: bytes, file: Path, hardware: str | None, opened: list[str], unread: list[Finding]
) -> Sequence[Deployment | Draft]:
    name = str(file)
    if file.suffix == ".toml":
        document = toml.parse(content, name)
        if not torchtitan.recognizes(document.data):
            return []
        return torchtitan.read(from_mapping(Node(document.data, document)), file.stem, name, hardware)
    if _is_script(content, file):

        def manifests(text: bytes, written: str, line: int) -> Sequence[Deployment | Draft]:
            try:
                roots = _moved(_documents(text, Path(written), unread), line - 1)
            except InputError as error:
                said = f"the description at line {line} was not read: {error.problems[0].message}"
                unread.append(Finding("not_understood", "document", message=said, line=line))
                return ()
            return _of_documents(roots, file, hardware, _beside(file, roots, opened, unread))

        return command_line.read_script(decoded(content, name), _beside(file, [], opened, unread), hardware, manifests)
    roots = _moved(_documents(content, file, unread), 0)
    return _of_documents(roots, file, hardware, _beside(file, roots, opened, unread))


def _of_documents(roots: list[Node], file: Path, hardware: str | None, files: Files) -> list[Deployment | Draft]:
    found: list[Deployment | Draft] = []
    for root in roots:
        if isinstance(root.value, str):
            found += command_line.read_script(root.value, files, hardware, lambda *_: ())
        elif isinstance(root.value, list):
            found += command_line.read_list(root, files, hardware)
        elif huggingface.recognizes(root.value):
            found += huggingface.read(root.value, str(file), hardware)
        elif deepspeed.recognizes(root.value):
            found += deepspeed.read(root, file.stem, hardware)
        else:
            module = next((one for one in FORMATS if one.recognizes(root)), None)
            found += module.read(root, roots, files, hardware) if module else []
        if len(found) > MAX_DEPLOYMENTS:
            raise InputError(Problem(f"holds more than {MAX_DEPLOYMENTS} deployments", file=str(file)))
    return found


def _is_script(content: bytes, file: Path) -> bool:
    """Whether a file is a shell script: by its name or first line, or a command that no YAML or JSON is."""
    if file.suffix in SCRIPTS or content.startswith(b"#!"):
        return True
    return file.suffix not in (".yaml", ".yml", ".json") and _STARTS.search(content) is not None


def _documents(content: bytes, file: Path, unread: list[Finding]) -> list[Document]:
    """The documents of a file; one of several that cannot be read is said in `unread`, the others stand."""
    if file.suffix == ".json":
        return [parse_json(content, str(file))]
    try:
        return parse_yaml_stream(content, str(file))
    except InputError as error:
        whole = [replace(problem, suggestion=_HELM) for problem in error.problems] if b"{{" in content else None
        found = _one_by_one(content, file, unread)
        if found:
            return found
        raise InputError(whole or error.problems) from None


def _one_by_one(content: bytes, file: Path, unread: list[Finding]) -> list[Document]:
    """Those documents of a stream that can be read, where some of them cannot."""
    found: list[Document] = []
    starts = [0, *(match.start() for match in _DOCUMENT.finditer(content))]
    if not 2 < len(starts) + 1 <= MAX_SPLIT:
        return found
    missed: list[Finding] = []
    for start, end in itertools.pairwise([*starts, len(content)]):
        before = content.count(b"\n", 0, start)
        text = content[start:end]
        try:
            read = parse_yaml_stream(text, str(file)) if text.strip() else []
        except InputError as error:
            line = before + 1 + text.startswith(b"---")
            why = "is a template and was not read" if b"{{" in text else f"was not read: {error.problems[0].message}"
            said = f"the document at line {line} {why}"
            missed.append(Finding("not_understood", "document", message=said, line=line))
            continue
        for one in read:
            lines = {path: line + before for path, line in one.lines.items()}
            found.append(replace(one, lines=lines))
    if any(document.data is not None for document in found):
        unread += missed
        return found
    return []


def _moved(documents: list[Document], before: int) -> list[Node]:
    """The objects of documents that stand so many lines below the beginning of their file."""
    moved = [replace(one, lines={path: line + before for path, line in one.lines.items()}) for one in documents]
    return [inner for one in moved if one.data is not None for inner in _listed(Node(one.data, one))]


def _listed(root: Node) -> list[Node]:
    """The objects of a Kubernetes ``List``, or the document itself."""
    if isinstance(root.value, dict) and root.value.get("kind") == "List":
        return root.at("items").items()
    return [root]


def _beside(file: Path, roots: list[Node], opened: list[str], unread: list[Finding]) -> Files:
    """What a command may name: a key of a ConfigMap of the file, or a plain file in its folder.

    The names of files that are read go to `opened`.
    """
    maps = {root.at("metadata", "name").text(): root.at("data") for root in roots if root.kind() == "ConfigMap"}
    variables = {
        name: {key: (node.text(), node.line) for key, node in data.entries().items() if isinstance(node.value, str)}
        for name, data in maps.items()
    }

    def wanted(name: str) -> tuple[bytes, str] | None:
        held = next((values[name] for values in variables.values() if name in values), None)
        if held is not None:
            return held[0].encode(), f"{file} ({name})"
        path = file.parent / name
        if not _lies_beside(path, file):
            return None
        opened.append(str(path))
        return read_bytes(path), str(path)

    return Files(wanted, variables, unread, str(file), bool(roots))


def _lies_beside(path: Path, file: Path) -> bool:
    """Whether a path is a YAML file, a script or variables in a file's folder, and no link to what lies elsewhere."""
    if path.suffix not in (".yaml", ".yml", ".sh", ".bash", ".env") and path.name != ".env":
        return False
    try:
        target = path.resolve()
        return path.is_file() and target != file.resolve() and target.parent == file.parent.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, longer than the system allows, or with a NUL in it
        return False


def _whole(found: Sequence[Deployment | Draft]) -> list[Deployment | Draft]:
    """Without commands that only start a part of a server which another command of the file starts."""
    parts = [one for one in found if isinstance(one, Draft) and one.settings.get("_part")]
    return [one for one in found if one not in parts] or list(found)


def _named(found: Sequence[Deployment | Draft], unread: list[Finding]) -> list[Deployment | Draft]:
    """Without servers that may serve any model and are told none here, which others of the file are told of."""
    named = [one for one in found if not (isinstance(one, Draft) and one.tool in ANY_MODEL and _nameless(one))]
    if not named:
        return list(found)
    told = {one.tool for one in named}  # ollama run and pull tell a server that ollama serve has started
    for one in found:
        if isinstance(one, Draft) and one not in named and not (one.tool == "ollama" and one.tool in told):
            said = f"serves a model with {one.tool} that is not known here: {images.SAME_DEVICES}"
            unread.append(Finding("not_understood", one.name, message=said, line=one.line))
    return named


def _nameless(draft: Draft) -> bool:
    return "model" not in draft.settings


def _distinct(found: list[Deployment]) -> list[Deployment]:
    """Deployments with a number after each name that stands for several."""
    seen: dict[str, int] = {}
    out = []
    for one in found:
        seen[one.name] = seen.get(one.name, 0) + 1
        out.append(one if seen[one.name] == 1 else replace(one, name=f"{one.name}-{seen[one.name]}"))
    return out

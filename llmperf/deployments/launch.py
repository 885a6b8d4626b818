"""A command that starts a model server: which tool it is, and its flags as a deployment."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from llmperf.deployments import images, sglang, shell, tensorrt_llm, vllm, wrappers
from llmperf.deployments.deployment import Draft, Finding, Flag, printable
from llmperf.deployments.node import Node
from llmperf.deployments.options import Options, apply
from llmperf.deployments.words import Word, flags, from_mapping
from llmperf.errors import InputError
from llmperf.files.yaml import parse_yaml_stream

Files = Callable[[str], tuple[bytes, str] | None]
"""Content and name of a file that a command names, where the deployment has it."""

TOOLS: dict[str, Any] = {"vllm": vllm, "sglang": sglang, "tensorrt-llm": tensorrt_llm}
"""Tools that serve models: modules with `OPTIONS` and `environment`."""

MODULES = {
    "vllm.entrypoints.openai.api_server": "vllm",
    "vllm.entrypoints.api_server": "vllm",
    "vllm.entrypoints.cli.main": "vllm",
    "huggingfaceserver": "vllm",
    "sglang.launch_server": "sglang",
    "sglang_router.launch_server": "sglang",
    "dynamo.vllm": "vllm",
    "dynamo.sglang": "sglang",
    "dynamo.trtllm": "tensorrt-llm",
}
"""What ``python -m`` starts, and the tool that it is."""

SERVERS = {"vllm": ("vllm", "serve"), "sglang": ("sglang", "serve"), "trtllm-serve": ("tensorrt-llm", "")}
"""Programs: the tool, and the subcommand that serves."""

NO_SERVERS = ("disaggregated", "disaggregated_mpi_worker", "mm_embedding_serve", "grpc")
SHELLS = ("sh", "bash", "dash", "ash", "zsh")
MAX_SHELLS = 3
"""Most shells that call each other."""
_COMMAND = re.compile(r"-[a-z]*c")
_TALK = ("echo", "printf", "pip", "curl", "wait-for-it")
_DOCKER_SWITCHES = {"-d", "-i", "-t", "-it", "-ti", "-dit", "-itd", "--rm", "--privileged", "--init", "--detach", "-P"}
_NCCL = re.compile(r"(NCCL|RCCL|NVSHMEM|UCX)_(?!DEBUG|SOCKET_|IB_HCA|IB_TC|IB_SL|IB_GID|IB_TIMEOUT|IB_RETRY)\w*")


@dataclass(frozen=True, slots=True)
class Launch:
    """A server that is started.

    Attributes
    ----------
    tool : str
        A key of `TOOLS`.
    words : tuple of Word
        Its arguments.
    module : str
        The Python module, where it is started by one.
    image : str
    environment : dict of str to (str, int or None)
        Variables and the lines on which they stand.
    within : tuple of str
        Loops and conditions of a script that it stands in: ``for``, ``if``.
    """

    tool: str
    words: tuple[Word, ...]
    module: str = ""
    image: str = ""
    image_line: int | None = None
    environment: Mapping[str, tuple[str, int | None]] = field(default_factory=dict)
    within: tuple[str, ...] = ()

    @property
    def options(self) -> Options:
        """The flags of its tool, those of the module around it included."""
        options: Options = TOOLS[self.tool].OPTIONS
        return wrappers.extended(options, self.module)


def argument(words: Sequence[Word]) -> int | None:
    """Where the script stands that a command gives to a shell (``bash -c``); None where it calls none."""
    if not words or PurePosixPath(words[0].text).name not in SHELLS:
        return None
    index = next((i for i, word in enumerate(words[1:], 1) if _COMMAND.fullmatch(word.text)), None)
    return index + 1 if index is not None and index + 1 < len(words) else None


def _in_script(script: Word, depth: int) -> Launch | None:
    """The first server that a script within a command starts."""
    for command in shell.parse(script.text, "", script.line or 1).commands:
        found = found_in(command, script.line, depth + 1)
        if found is not None:
            return found
    return None


def found_in(command: shell.Command, line: int | None, depth: int = 0) -> Launch | None:
    """The server that a command of a script starts, with the script's variables, which stand on a line."""
    found = find(command.words, depth)
    if found is None:
        return None
    own = {name: (value, line) for name, value in command.variables.items()}
    return replace(found, environment={**own, **found.environment}, within=(*command.within, *found.within))


def find(words: Sequence[Word], depth: int = 0) -> Launch | None:
    """The server that a command starts; None where it starts none."""
    if not words or words[0].text in _TALK:
        return None
    index = argument(words)
    if index is not None:
        return _in_script(words[index], depth) if depth < MAX_SHELLS else None
    if PurePosixPath(words[0].text).name in ("docker", "podman", "nerdctl") or words[0].text == "sudo":
        container = _docker(words)
        if container is not None:
            return container
    for index, word in enumerate(words):
        name = PurePosixPath(word.text).name
        rest = tuple(words[index + 1 :])
        if word.text == "-m" and rest and rest[0].text in MODULES:
            module = rest[0].text
            return Launch(MODULES[module], rest[1:], module)
        if name in SERVERS:
            tool, command = SERVERS[name]
            if not command and rest and rest[0].text in NO_SERVERS:
                return None
            if rest and rest[0].text == "serve":
                return Launch(tool, rest[1:])
            if not command:
                return Launch(tool, rest)
    return None


def _docker(words: Sequence[Word]) -> Launch | None:
    """``docker run [options] IMAGE [arguments]``."""
    texts = [word.text for word in words]
    if "run" not in texts:
        return None
    environment: dict[str, tuple[str, int | None]] = {}
    index = texts.index("run") + 1
    while index < len(words) and words[index].is_flag:
        word = words[index]
        takes = "=" not in word.text and word.text not in _DOCKER_SWITCHES
        value = words[index + 1].text if takes and index + 1 < len(words) else word.text.partition("=")[2]
        if word.text.partition("=")[0] in ("-e", "--env"):
            name, _, given = value.partition("=")
            environment[name] = (given, word.line)
        index += 2 if takes else 1
    if index >= len(words):
        return None
    image, arguments = words[index], tuple(words[index + 1 :])
    return in_image(image.text, image.line, arguments, environment)


def in_image(
    image: str,
    line: int | None,
    arguments: tuple[Word, ...],
    environment: Mapping[str, tuple[str, int | None]],
) -> Launch | None:
    """What a container of an image starts: a command among the arguments, or the image's own server."""
    found = find(arguments)
    if found is None:
        # of these images only vLLM's starts the server itself, with the arguments as its flags
        entry = images.tool_of(image) == "vllm" and arguments and "/" not in arguments[0].text.partition("=")[0][:1]
        if not entry:
            return None
        found = Launch("vllm", tuple(arguments))
    return replace(found, image=image, image_line=line, environment={**environment, **found.environment})


def drafted(launch: Launch, name: str, file: str, line: int | None, form: str, files: Files) -> Draft:
    """The flags of a launch as a draft, of which `finish` of its tool is still to be called."""
    draft = Draft(name, file, line, form, launch.tool)
    draft.settings["_image"], draft.settings["_image_line"] = launch.image or None, launch.image_line
    options = launch.options
    found, others = flags(launch.words, options.is_switch, options.is_list)
    direct = [flag for flag in found if flag.name not in options.config]
    if others and "model" in (options.canonical("model"), *options.rules):
        first = others[0]
        direct.insert(0, Flag("model", "model", (first.text,), first.missing, None, first.line))
        others = others[1:]
    configured = [
        inner for flag in found if flag.name in options.config for inner in _configuration(flag, draft, files)
    ]
    for part in (configured, direct) if options.config_first else (direct, configured):
        apply(options, part, draft)
    for word in others:
        said = f"{', '.join(word.missing)} is not known here" if word.missing else "belongs to no flag"
        draft.say("not_understood", printable(word.text, 60), said, line=word.line)
    for variable, (value, where) in launch.environment.items():
        if not TOOLS[launch.tool].environment(draft, variable, value, where) and _NCCL.fullmatch(variable):
            draft.say("not_understood", variable, "may change how long collectives take", line=where)
    draft.findings += circumstances(launch.within, line)
    return draft


def circumstances(within: Sequence[str], line: int | None) -> list[Finding]:
    """What is not known of a command within loops and conditions, as no script is run."""
    found = []
    for word in dict.fromkeys(within):
        if word in shell.LOOPS:
            said = "the command stands in a loop, which may start it several times; it counts once: give --replicas"
            found.append(Finding("not_understood", word, message=said, line=line))
        else:
            said = "the command stands in a branch, which is taken to run, as is every other branch"
            found.append(Finding("assumed", word, message=said, line=line))
    return found


def _configuration(flag: Flag, draft: Draft, files: Files) -> list[Flag]:
    """The keys of a file of flags."""
    name = PurePosixPath(flag.value).name
    content = files(name) if name and not flag.missing else None
    if content is None:
        draft.note("not_understood", flag, "these settings are neither in this file nor beside it")
        return []
    text, file = content
    document = parse_yaml_stream(text, file)[-1]
    draft.note("understood", flag, f"the settings of {printable(name, 60)}")
    return from_mapping(Node(document.data, document))


def finish(draft: Draft, launch: Launch) -> None:
    """Decide what follows from all flags together.

    Raises
    ------
    InputError
        With every value that the tool itself would refuse.
    """
    launch.options.finish(draft)
    if draft.problems:
        raise InputError(draft.problems)

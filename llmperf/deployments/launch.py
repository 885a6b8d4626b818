"""A command that starts a model server: which tool it is, and its flags as a deployment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from llmperf.deployments import images, llama_cpp, ollama, scripts, sglang, shell, tensorrt_llm, vllm, wrappers
from llmperf.deployments.deployment import Draft, Finding, Flag, printable
from llmperf.deployments.node import Node
from llmperf.deployments.options import Options, apply
from llmperf.deployments.scripts import SHELLS, Files
from llmperf.deployments.words import Word, flags, from_mapping
from llmperf.errors import InputError
from llmperf.files.yaml import parse_yaml_stream

TOOLS: dict[str, Any] = {
    "vllm": vllm,
    "sglang": sglang,
    "tensorrt-llm": tensorrt_llm,
    "llama.cpp": llama_cpp,
    "ollama": ollama,
}
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

SERVERS = {
    "vllm": ("vllm", "serve"),
    "sglang": ("sglang", "serve"),
    "trtllm-serve": ("tensorrt-llm", ""),
    "llama-server": ("llama.cpp", ""),
    "ollama": ("ollama", "serve"),
}
"""Programs: the tool, and the subcommand that serves."""

NO_SERVERS = ("disaggregated", "disaggregated_mpi_worker", "mm_embedding_serve", "grpc")
CONTAINERS = ("docker", "podman", "nerdctl")
UNREAD = f"which is not read here: {images.SAME_DEVICES}"
_VARIABLE = re.compile(r"([A-Z_][A-Z0-9_]*)=(.*)", re.ASCII | re.DOTALL)
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
    stray : tuple of Word
        Lines of flags behind the command, which has ended before them.
    shares : tuple of (str, int or None)
        Resources by which its container asks for a part of a device, and their lines.
    branched : tuple of str
        Variables of its words that a script sets in a loop or a branch.
    """

    tool: str
    words: tuple[Word, ...]
    module: str = ""
    image: str = ""
    image_line: int | None = None
    environment: Mapping[str, tuple[str, int | None]] = field(default_factory=dict)
    within: tuple[str, ...] = ()
    stray: tuple[Word, ...] = ()
    shares: tuple[tuple[str, int | None], ...] = ()
    branched: tuple[str, ...] = ()

    @property
    def options(self) -> Options:
        """The flags of its tool, those of the module around it included."""
        options: Options = TOOLS[self.tool].OPTIONS
        return wrappers.extended(options, self.module)


def of_command(command: shell.Command, files: Files) -> list[Launch]:
    """The servers that a simple command starts, with the variables that are set where it stands."""
    words = command.words
    line = words[0].line if words else None
    own = {name: (value, command.lines.get(name, line)) for name, value in command.variables.items()}
    return [
        replace(
            found,
            environment={**own, **found.environment},
            within=(*command.within, *found.within),
            stray=(*found.stray, *command.stray),
            branched=(*found.branched, *command.branched),
        )
        for found in _started(words, files)
    ]


def _started(words: Sequence[Word], files: Files) -> list[Launch]:
    if not words or words[0].text in scripts.TALK:
        return []
    container = _docker(words, files)
    if container is not None:
        return container
    other = images.other_command([word.text for word in words])
    if other is not None:
        files.miss(other[0], f"serves a model with {other[1]}, {UNREAD}", words[0].line)
        return []
    found = _server(words)
    return [found] if found else []


def _server(words: Sequence[Word]) -> Launch | None:
    """The server that a command starts itself, whatever stands before it (``srun``, ``env X=1``, ``numactl``)."""
    environment: dict[str, tuple[str, int | None]] = {}
    for index, word in enumerate(words):
        if match := _VARIABLE.fullmatch(word.text):
            environment[match[1]] = (match[2], word.line)
        name = PurePosixPath(word.text).name
        rest = tuple(words[index + 1 :])
        if word.text == "-m" and rest and rest[0].text in MODULES:
            module = rest[0].text
            return Launch(MODULES[module], rest[1:], module, environment=environment)
        if name in SERVERS:
            tool, command = SERVERS[name]
            if not command and rest and rest[0].text in NO_SERVERS:
                return None
            if tool == "ollama" and rest and rest[0].text in ollama.START:
                return Launch(tool, rest[1:], environment=environment)
            serves = bool(rest) and rest[0].text == "serve"
            if serves or not command:
                return Launch(tool, rest[1:] if serves else rest, environment=environment)
    return None


def _docker(words: Sequence[Word], files: Files) -> list[Launch] | None:
    """``docker run [options] IMAGE [arguments]``; None where a command is no such one."""
    texts = [word.text for word in words]
    programs = [PurePosixPath(text).name for text in texts[:3]]
    if "run" not in texts or not any(name in CONTAINERS for name in programs):
        return None
    environment: dict[str, tuple[str, int | None]] = {}
    entry: list[Word] = []
    index = texts.index("run") + 1
    while index < len(words) and words[index].is_flag:
        word = words[index]
        takes = "=" not in word.text and word.text not in _DOCKER_SWITCHES
        value = words[index + 1].text if takes and index + 1 < len(words) else word.text.partition("=")[2]
        flag = word.text.partition("=")[0]
        if flag in ("-e", "--env"):
            name, _, given = value.partition("=")
            environment[name] = (given, word.line)
        elif flag == "--entrypoint" and value:
            entry = [Word(value, word.line)]
        index += 2 if takes else 1
    if index >= len(words):
        return []
    image, arguments = words[index], tuple(words[index + 1 :])
    return in_image(image.text, image.line, (*entry, *arguments), environment, files, image.text, not entry)


def in_image(
    image: str,
    line: int | None,
    arguments: Sequence[Word],
    environment: Mapping[str, tuple[str, int | None]],
    files: Files,
    name: str,
    entry: bool = True,
) -> list[Launch]:
    """The servers that a container starts: those of its command, or the image's own.

    Parameters
    ----------
    image : str
    line : int or None
        Where the image is named.
    arguments : sequence of Word
        The command and its arguments.
    environment : mapping
    files : Files
        Where scripts are looked up, and where is said what serves a model and is not read.
    name : str
        Of the container.
    entry : bool
        Whether the arguments are those of the image's own program.
    """
    known = {key: value for key, (value, _) in environment.items()}
    other = images.other_server(image)
    if other is not None:
        files.miss(name, f"serves a model with {other}, {UNREAD}", line)
        return []
    found = [
        launch for command, its in scripts.of_words(arguments, files, known) for launch in of_command(command, its)
    ]
    tool = images.tool_of(image)
    if not found and entry and tool is not None and _starts(tool, image, arguments, environment):
        found = [Launch(tool, tuple(arguments))]
    if (
        not found
        and tool is not None
        and _is_unclear(arguments, entry and images.OWN_VERSIONS.search(image) is not None)
    ):
        files.miss(name, f"the image is one of {tool}, but what it starts is not known here", line)
    out = []
    for one in found:
        changed = {name: it for name, it in one.environment.items() if it[0] != environment.get(name, ("",))[0]}
        out.append(replace(one, image=image, image_line=line, environment={**environment, **changed}))
    return out


def _starts(
    tool: str, image: str, arguments: Sequence[Word], environment: Mapping[str, tuple[str, int | None]]
) -> bool:
    """Whether an image starts its server itself, with the arguments as its flags: of vLLM, llama.cpp and Ollama."""
    first = arguments[0].text if arguments else ""
    own = "/" not in first.partition("=")[0][:1] and first not in SHELLS
    if tool == "vllm":
        return bool(first) and own
    if tool == "llama.cpp":
        server = "server" in image.rpartition("/")[2] or first in ("--server", "-s")
        return server and own and (bool(first) or any(name.startswith("LLAMA_ARG_") for name in environment))
    return tool == "ollama" and first in ("", "serve")


def _is_unclear(arguments: Sequence[Word], entry: bool) -> bool:
    """Whether a command may start a server, and only what is not in the file would tell: a script, a variable."""
    if not arguments:
        return entry
    return any(word.missing for word in arguments[:2]) or any(
        word.text.endswith((".sh", ".bash")) for word in arguments[:3]
    )


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
    for word in launch.stray:
        if word.is_flag:
            said = f"line {word.line} starts with a flag and belongs to no command"
            draft.say("not_understood", printable(word.text.partition("=")[0], 60), said, line=word.line)
    for variable in dict.fromkeys(launch.branched):
        said = "is set in a loop or a branch, the last of which is taken to run"
        draft.assume(f"${variable}", said, line=line)
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
    content = files.lookup(name) if name and not flag.missing else None
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

"""Which serving tool an image or a command runs, and which engine of the catalog stands for its version."""

from __future__ import annotations

import re
from collections.abc import Sequence

from llmperf.deployments.deployment import Draft, printable
from llmperf.scenarios.typed import ENGINES

TOOLS = (
    (r"llama\.cpp|llama-cpp|llama-server", "llama.cpp"),
    (r"(^|/)ollama($|/ollama)", "ollama"),
    (r"tensorrt-?llm|trt-?llm", "tensorrt-llm"),
    (r"sglang|sgl-", "sglang"),
    (r"vllm|kserve/huggingfaceserver|llm-d-(cuda|rocm|xpu|hpu|cpu|aws|gke|dev)|llm-d/llm-d", "vllm"),
)
"""Patterns in the name of an image, and the tool that it runs."""

OTHERS = (
    (r"text-generation-inference|/tgi|huggingface-pytorch-tgi", "text-generation-inference"),
    (r"lmdeploy", "lmdeploy"),
    (r"mlc-llm|mlc_llm", "mlc-llm"),
    (r"aphrodite", "aphrodite"),
    (r"localai|local-ai", "LocalAI"),
    (r"tabbyapi", "TabbyAPI"),
    (r"nvcr\.io/nim/", "NVIDIA NIM"),
    (r"text-embeddings-inference", "text-embeddings-inference"),
)
"""Patterns in the name of an image, and the server of models that it runs, whose flags are not read here."""

SAME_DEVICES = "it may use the same devices"
"""What is said of a server that is not read, beside those that are."""

OTHER_PROGRAMS = {
    "text-generation-launcher": "text-generation-inference",
    "llama-box": "llama.cpp",
    "lmdeploy": "lmdeploy",
    "mlc_llm": "mlc-llm",
    "aphrodite": "aphrodite",
    "koboldcpp": "koboldcpp",
    "llama_cpp.server": "llama.cpp",
    "lmdeploy.serve.openai.api_server": "lmdeploy",
    "fastchat.serve.model_worker": "FastChat",
}
"""Programs and modules that serve models, and whose flags are not read here."""
_SERVE = {"lmdeploy": ("serve",), "mlc_llm": ("serve",), "aphrodite": ("run",)}

OWN_VERSIONS = re.compile(
    r"(^|/)(vllm/vllm-|vllm/vllm$|(?<!lmcache/)vllm-openai|rocm/vllm|lmsysorg/sglang|tensorrt-llm/release|tensorrt-llm$)"
)
"""Images whose tag is the version of the tool itself, not that of what packs it."""

_TAG = re.compile(r"v?(\d+)\.(\d+)(?:\.\d+)?", re.ASCII)
_TRITON = re.compile(r"(\d\d)\.(\d\d)-(trtllm|vllm)")


def tool_of(image: str) -> str | None:
    """The serving tool that an image runs; None where its name does not tell."""
    name = _repository(image).lower()
    if "sim" in name.rpartition("/")[2].split("-") or "routing-sidecar" in name:
        return None
    if match := _TRITON.search(image):
        return "tensorrt-llm" if match[3] == "trtllm" else "vllm"
    return next((tool for pattern, tool in TOOLS if re.search(pattern, name)), None)


def other_server(image: str) -> str | None:
    """The server of models that an image runs, whose flags are not read here."""
    name = _repository(image).lower()
    return next((tool for pattern, tool in OTHERS if re.search(pattern, name)), None)


def other_command(words: Sequence[str]) -> tuple[str, str] | None:
    """The program of a command and the server of models that it is, whose flags are not read here."""
    for word, following in zip(words, (*words[1:], ""), strict=True):
        name = word.rpartition("/")[2]
        if name in OTHER_PROGRAMS and following in _SERVE.get(name, (following,)):
            return name, OTHER_PROGRAMS[name]
    return None


def _repository(image: str) -> str:
    head, _, last = image.partition("@")[0].rpartition("/")
    return f"{head}/{last.partition(':')[0]}" if head else last.partition(":")[0]


def version_of(image: str) -> tuple[int, int] | None:
    """The version of the tool that an image's tag states; None where it states none, or that of another thing."""
    if match := _TRITON.search(image):
        # Triton containers are numbered by year and month; TensorRT-LLM 0.17 came in 25.02, vLLM 0.8 in 25.04
        return (0, 17) if (int(match[1]), int(match[2])) >= (25, 2) else (0, 9)
    if not OWN_VERSIONS.search(_repository(image).lower()):
        return None
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    match = _TAG.match(tag)
    return (int(match[1]), int(match[2])) if match and len(match[1]) < 4 and len(match[2]) < 4 else None


def settle(draft: Draft, tool: str) -> None:
    """The engine of the catalog for the tool, and what its version is taken to be."""
    image = draft.settings.pop("_image", None)
    line = draft.settings.pop("_image_line", None)
    old = draft.settings.pop("_old_engine", None)
    if old is not None:
        draft.settings["engine"] = old
        return
    version = version_of(image) if isinstance(image, str) else None
    engines = ENGINES[tool]
    engine = tool
    if version is not None:
        engine = next(name for first, name in engines if version >= first)
        said = f"{tool} {version[0]}.{version[1]}, by the tag of its image"
    elif isinstance(image, str):
        said = f"the image {printable(image, 60)} does not say the version of {tool}; a current one is taken"
    else:
        said = f"no version of {tool} is stated; a current one is taken"
    draft.settings["engine"] = engine
    draft.assume("image" if image else tool, said, "engine", engine, line)

"""The launch line or manifest of a scenario: what `llmperf.deployments.read` reads back to the same scenario.

Flags are those of the readers beside this (`vllm`, `sglang`, `tensorrt_llm`, `kubernetes`), with the same sources.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from llmperf.deployments.accelerators import PRODUCTS
from llmperf.descriptors.engine import ServingEngine
from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError, Problem, nearest
from llmperf.scenarios.components import built, component, device_of
from llmperf.scenarios.consistency import within
from llmperf.scenarios.typed import ENGINES

FORMS = ("vllm", "sglang", "trtllm", "kubernetes")
"""What can be emitted; ``kubernetes`` runs the engine of the scenario."""
TOOLS = {"vllm": "vllm", "sglang": "sglang", "trtllm": "tensorrt-llm"}
"""Form of a launch line, and the tool whose engines it starts (`llmperf.scenarios.typed.ENGINES`)."""
AT_LOADING = {"vllm": {"fp8": "fp8"}, "sglang": {"fp8": "fp8"}, "trtllm": {}}
"""Formats of weights that a tool makes of a 16-bit checkpoint, and its word for them; others the checkpoint has."""
KV_CACHE = {"vllm": {"fp8": "fp8"}, "sglang": {"fp8": "fp8_e4m3"}, "trtllm": {"fp8": "fp8"}}
"""Formats of KV caches other than 16 bit, and a tool's word for them."""
NUMBERS = {
    "vllm": {
        "max_sequences": "--max-num-seqs",
        "token_budget": "--max-num-batched-tokens",
        "utilization": "--gpu-memory-utilization",
        "kv_block": "--block-size",
    },
    "sglang": {
        "max_sequences": "--max-running-requests",
        "token_budget": "--chunked-prefill-size",
        "utilization": "--mem-fraction-static",
        "kv_block": "--page-size",
    },
    "trtllm": {
        "max_sequences": "--max_batch_size",
        "token_budget": "--max_num_tokens",
        "utilization": "--kv_cache_free_gpu_memory_fraction",
    },
}
"""Numbers of an engine that differ from its defaults, and their flags."""
SWITCHES = {
    "vllm": {"graphs": "--enforce-eager", "shared_prefix_cache": "--no-enable-prefix-caching"},
    "sglang": {"graphs": "--disable-cuda-graph", "shared_prefix_cache": "--disable-radix-cache"},
    "trtllm": {},
}
"""Switches of an engine, and what turns them off."""
CONTEXT = {"vllm": "--max-model-len", "sglang": "--context-length", "trtllm": "--max_seq_len"}
IMAGES = {
    "vllm": "vllm/vllm-openai",
    "sglang": "lmsysorg/sglang",
    "trtllm": "nvcr.io/nvidia/tensorrt-llm/release",
}
"""Images of the tools' makers."""
GPUS = {"NVIDIA": ("nvidia.com/gpu", "nvidia.com/gpu.product"), "AMD": ("amd.com/gpu", "amd.com/gpu.product-name")}
"""Resource and label of a vendor's devices in Kubernetes."""
CONFIG = "llm-api-options.yaml"


@dataclass(slots=True)
class Launch:
    """A server's command while it is made, with what it needs beside, and what a reader must know."""

    words: list[str]
    config: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def emitted(scenario: Scenario, form: str, model: str = "") -> str:
    """A script that starts one copy of a scenario, or a manifest of all.

    Parameters
    ----------
    scenario : Scenario
        Of plain numbers.
    form : str
        One of `FORMS`.
    model : str
        The model as the tool is to be told; by default a name of it on Hugging Face.

    Raises
    ------
    InputError
        If there is no such form, or it cannot say what the scenario does.
    """
    if form not in FORMS:
        raise InputError(Problem(f"cannot emit {form[:40]!r}", "--emit", None, None, FORMS, nearest(form, FORMS)))
    tool = _tool(scenario, form)
    launch = LAUNCHES[tool](scenario, model or _on_hub(scenario))
    problems = [*_not_said(scenario, tool), *(_not_on_a_node(scenario) if form == "kubernetes" else ())]
    if problems:
        raise InputError(problems)
    _formats(launch, scenario, tool)
    _engine(launch, scenario, tool)
    return _manifest(launch, scenario, tool) if form == "kubernetes" else _script(launch, scenario)


def _tool(scenario: Scenario, form: str) -> str:
    """The tool that a form starts; of Kubernetes that of the scenario's engine."""
    if form != "kubernetes":
        return form
    for name, tool in TOOLS.items():
        if scenario.engine.name in [engine for _, engine in ENGINES[tool]]:
            return name
    return "vllm"


def _on_hub(scenario: Scenario) -> str:
    """A name of the model on Hugging Face, or where none is known, its own."""
    return next((alias for alias in scenario.model.aliases if "/" in alias), scenario.model.name)


def _vllm(scenario: Scenario, model: str) -> Launch:
    layout = scenario.parallelism
    launch = Launch(["vllm", "serve", model])
    sizes = {"tensor-parallel-size": layout.tp, "pipeline-parallel-size": layout.pp, "data-parallel-size": layout.dp}
    launch.words += [word for name, size in sizes.items() if size > 1 for word in (f"--{name}", f"{size:g}")]
    if layout.ep > 1:
        launch.words.append("--enable-expert-parallel")
    return launch


def _sglang(scenario: Scenario, model: str) -> Launch:
    layout = scenario.parallelism
    launch = Launch(["python3", "-m", "sglang.launch_server", "--model-path", model])
    sizes = {"tp-size": layout.tp * layout.dp, "pp-size": layout.pp, "dp-size": layout.dp, "ep-size": layout.ep}
    launch.words += [word for name, size in sizes.items() if size > 1 for word in (f"--{name}", f"{size:g}")]
    if layout.dp > 1:
        launch.words.append("--enable-dp-attention")
    return launch


def _trtllm(scenario: Scenario, model: str) -> Launch:
    layout = scenario.parallelism
    launch = Launch(["trtllm-serve", model])
    sizes = {"tp_size": layout.tp * layout.dp, "pp_size": layout.pp, "cp_size": layout.cp, "ep_size": layout.ep}
    launch.words += [word for name, size in sizes.items() if size > 1 for word in (f"--{name}", f"{size:g}")]
    if layout.dp > 1:
        launch.config["enable_attention_dp"] = True
    return launch


LAUNCHES: Mapping[str, Callable[[Scenario, str], Launch]] = {"vllm": _vllm, "sglang": _sglang, "trtllm": _trtllm}


def _not_said(scenario: Scenario, tool: str) -> Iterator[Problem]:
    """What of a layout a tool has no flag for."""
    layout = scenario.parallelism
    if tool == "vllm" and layout.ep not in (1, layout.expert_group):
        text = f"vLLM spreads experts over all {layout.expert_group:g} devices of a stage or none, not {layout.ep:g}"
        yield Problem(text, "parallelism.ep")
    if tool != "trtllm" and layout.cp > 1:
        yield Problem("has no flag for context parallelism of its own devices", "parallelism.cp", allowed=("trtllm",))
    if tool == "trtllm" and layout.dp > 1 and layout.tp > 1:
        text = "TensorRT-LLM makes every device a rank of the attention, or none: tp is 1 beside dp"
        yield Problem(text, "parallelism.dp")
    if scenario.kv_cache.name not in ("bf16", *KV_CACHE[tool]):
        allowed = ("bf16", *KV_CACHE[tool])
        yield Problem(f"{tool} has no KV cache of the format {scenario.kv_cache.name}", "kv_cache", allowed=allowed)


def _not_on_a_node(scenario: Scenario) -> Iterator[Problem]:
    """What keeps a copy from being one pod."""
    layout, vendor = scenario.parallelism, scenario.hardware.vendor
    devices, held = layout.devices / layout.replicas, within(scenario.hardware)
    if devices > held:
        text = f"a copy of {devices:g} devices spans several hosts of {held}: one pod cannot hold it"
        yield Problem(text, "--emit", suggestion="a layout of one host: --tp, --pp")
    if vendor not in GPUS:
        yield Problem(f"no resource of Kubernetes is known for devices of {vendor or 'this vendor'}", "--emit")


def _formats(launch: Launch, scenario: Scenario, tool: str) -> None:
    """Flags of weights and KV cache; of weights that no flag makes, what the checkpoint has to be."""
    weights, released = scenario.weights.name, scenario.model.released or "bf16"
    if weights != released:
        word = AT_LOADING[tool].get(weights) if released == "bf16" else None
        if word is None:
            launch.notes.append(f"serve a checkpoint of the model whose weights are in {weights}")
        else:
            launch.words += ["--quantization", word]
    word = KV_CACHE[tool].get(scenario.kv_cache.name)
    if word is not None:
        launch.words += ["--kv_cache_dtype" if tool == "trtllm" else "--kv-cache-dtype", word]


def _engine(launch: Launch, scenario: Scenario, tool: str) -> None:
    """Flags of what differs from the defaults of the engine, and of a context that does from the model's."""
    context = _context(scenario)
    if context is not None:
        launch.words += [CONTEXT[tool], f"{context:g}"]
    engine, known = scenario.engine, [name for _, name in ENGINES[TOOLS[tool]]]
    if engine.name not in known:
        launch.notes.append(f"sized with the engine {engine.name}, whose numbers are not those of {TOOLS[tool]}")
        return
    if engine.name != TOOLS[tool]:
        launch.notes.append(f"{TOOLS[tool]} {'.'.join(map(str, _version(scenario, tool)))}, of which {engine.name} is")
    usual: ServingEngine = built("engine", engine.name, (), device_of(scenario.hardware))[0]
    for name, flag in NUMBERS[tool].items():
        value = getattr(engine, name)
        if value is not None and value != getattr(usual, name):
            ranks = scenario.parallelism.dp if (tool, name) == ("sglang", "max_sequences") else 1
            launch.words += [flag, f"{value * ranks:g}"]
    off = (flag for name, flag in SWITCHES[tool].items() if getattr(usual, name) and not getattr(engine, name))
    launch.words += off


def _version(scenario: Scenario, tool: str) -> tuple[int, int]:
    """The first version of a tool that the engine of the catalog stands for."""
    return next(first for first, name in ENGINES[TOOLS[tool]] if name == scenario.engine.name)


def _context(scenario: Scenario) -> float | None:
    """The longest sequence, where it is not what the model of the catalog allows."""
    try:
        usual = component("model", scenario.model.name).max_context
    except InputError:
        return None
    return None if scenario.model.max_context == usual else scenario.model.max_context


def _remarks(launch: Launch, scenario: Scenario) -> list[str]:
    """What stands above a launch line."""
    layout = scenario.parallelism
    devices = layout.devices / layout.replicas
    hosts = devices / within(scenario.hardware)
    said = list(launch.notes)
    if layout.replicas > 1:
        said.append(f"one of {layout.replicas:g} copies, each on {devices:g} x {scenario.hardware.name}")
    if hosts > 1:
        said.append(f"over {hosts:g} hosts together: with the flags or the launcher of your cluster that join them")
    return [f"# {text}" for text in said]


def _script(launch: Launch, scenario: Scenario) -> str:
    return "\n".join([*_remarks(launch, scenario), *_lines(launch)]) + "\n"


def _lines(launch: Launch) -> list[str]:
    """The command, after the options that it reads from a file."""
    if not launch.config:
        return [shlex.join(launch.words)]
    before = [f"cat > {CONFIG} <<EOF", yaml.safe_dump(launch.config).rstrip(), "EOF"]
    return [*before, shlex.join([*launch.words, "--extra_llm_api_options", CONFIG])]


def _manifest(launch: Launch, scenario: Scenario, tool: str) -> str:
    """A Deployment of all copies, after a ConfigMap of the options that they read from a file."""
    layout, hardware = scenario.parallelism, scenario.hardware
    name = "".join(c if c.isalnum() else "-" for c in scenario.model.name.lower()).strip("-")
    resource, label = GPUS[hardware.vendor or ""]
    container: dict[str, Any] = {
        "name": "server",
        "image": f"{IMAGES[tool]}:{_tag(scenario, tool)}",
        "command": launch.words,
        "resources": {"limits": {resource: f"{layout.devices / layout.replicas:g}"}},
    }
    pod: dict[str, Any] = {"containers": [container]}
    documents: list[dict[str, Any]] = []
    if launch.config:
        held = f"{name}-options"
        container["command"] = [*launch.words, "--extra_llm_api_options", f"/options/{CONFIG}"]
        container["volumeMounts"] = [{"name": "options", "mountPath": "/options"}]
        pod["volumes"] = [{"name": "options", "configMap": {"name": held}}]
        data = {CONFIG: yaml.safe_dump(launch.config)}
        documents.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": held}, "data": data})
    notes = list(launch.notes)
    product = next((key for key, chip in PRODUCTS.items() if chip == hardware.name), None)
    if product is None:
        notes.append(f"on nodes with {hardware.name}: add the label that yours have")
    else:
        pod = {"nodeSelector": {label: _label(product, hardware.vendor or "")}, **pod}
    spec = {
        "replicas": int(layout.replicas),
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
    }
    documents.append({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec})
    return "".join(f"# {note}\n" for note in notes) + yaml.safe_dump_all(documents, sort_keys=False, width=1000)


def _tag(scenario: Scenario, tool: str) -> str:
    """The tag of an image: of the engine that stands for current versions, that of no one version."""
    if scenario.engine.name not in [name for _, name in ENGINES[TOOLS[tool]]] or scenario.engine.name == TOOLS[tool]:
        return "latest"
    return "v{}.{}.0".format(*_version(scenario, tool))


def _label(product: str, vendor: str) -> str:
    """A product as the device plugin of its vendor labels nodes: ``NVIDIA-H100-80GB-HBM3``, ``AMD_Instinct_...``."""
    if vendor == "NVIDIA":
        return f"NVIDIA-{product.upper()}"
    words = (word if word == "instinct" else word.upper() for word in product.split("-"))
    return "_".join("Instinct" if word == "instinct" else word for word in words)

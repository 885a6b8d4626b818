"""Ray Serve LLM: the models of a Serve configuration, and of the RayService that holds one.

Keys: docs.ray.io, serve/llm (``LLMConfig`` of ray.serve.llm: ``engine_kwargs`` are arguments of vLLM's engine) and
cluster/kubernetes (ray.io/v1 RayService: ``spec.serveConfigV2`` is the configuration as a text).
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from llmperf.deployments.deployment import Draft, Flag
from llmperf.deployments.keys import COPIES, POD, Keys
from llmperf.deployments.launch import Launch, drafted
from llmperf.deployments.node import Node
from llmperf.deployments.options import apply
from llmperf.deployments.pods import Place, deployed
from llmperf.deployments.reasons import DISAGGREGATED, LORA
from llmperf.deployments.scripts import Files
from llmperf.deployments.words import from_mapping
from llmperf.files.documents import Document
from llmperf.files.yaml import parse_yaml_stream

SERVICE = "RayService"
FORM = "Ray Serve LLM configuration"
BUILDERS = ("ray.serve.llm:build_openai_app", "ray.serve.llm:build_pd_openai_app", "ray.serve.llm:build_llm_deployment")
"""Applications of Ray that serve models; any other runs code of its own."""

MODEL = Keys(
    "LLMConfig",
    (
        "model_loading_config.model_id", "model_loading_config.model_source", "accelerator_type", "engine_kwargs",
        "deployment_config.num_replicas", "deployment_config.autoscaling_config", "runtime_env", "llm_engine",
    ),
    {
        ("not_modelled", LORA): ("lora_config",),
        ("not_understood", "places the workers of a server"): ("placement_group_config",),
        ("ignored", POD): (
            "model_loading_config.tokenizer_source", "deployment_config.*", "log_engine_metrics",
            "experimental_configs",
            "callback_config", "server_cls",
        ),
    },
)  # fmt: skip


def recognizes(root: Node) -> bool:
    """Whether a document is such a configuration, or holds one."""
    if root.kind() == SERVICE:
        return True
    applications = root.value.get("applications") if isinstance(root.value, dict) else None
    return isinstance(applications, list) and any(_is_application(one) for one in applications)


def _is_application(value: Any) -> bool:
    return isinstance(value, dict) and ("import_path" in value or "args" in value)


def read(root: Node, others: list[Node], files: Files, hardware: str | None) -> list[Draft]:  # noqa: ARG001
    """The models of every application."""
    name = PurePath(root.file).stem
    if root.kind() == SERVICE:
        name = root.at("metadata", "name").text() or "unnamed"
        root = _configuration(root.at("spec", "serveConfigV2"))
    drafts: list[Draft] = []
    for application in root.at("applications").items():
        path = application.at("import_path")
        called = application.at("name").text() or name
        if path.text() not in BUILDERS:
            files.miss(called, "is an application of Ray whose code is not here", application.line)
            continue
        arguments = application.at("args")
        configs = arguments.at("llm_configs").items()
        configs += [arguments.at(key) for key in ("prefill_config", "decode_config", "llm_config") if arguments.at(key)]
        found = [draft for config in configs for draft in _model(config, called, files, hardware)]
        if path.text() == BUILDERS[1]:
            for draft in found:
                draft.say("not_modelled", path.text(), DISAGGREGATED, line=path.line)
        drafts += found
    return drafts


def _configuration(text: Node) -> Node:
    """The configuration that stands in an object as a text, with the lines of the object's file."""
    document = parse_yaml_stream(text.text().encode(), text.file)[0]
    before = text.line or 0
    lines = {path: line + before for path, line in document.lines.items()}
    return Node(document.data, Document(document.data, text.file, lines))


def _model(config: Node, called: str, files: Files, hardware: str | None) -> list[Draft]:
    """The server of one ``LLMConfig``."""
    if not isinstance(config.value, dict):
        files.miss(called, "its configuration of a model is not in this file", config.line)
        return []
    loading, serving = config.at("model_loading_config"), config.at("deployment_config")
    source = loading.at("model_source") if isinstance(loading.at("model_source").value, str) else loading.at("model_id")
    name = loading.at("model_id").text() or called
    scaling = serving.at("autoscaling_config")
    count = serving.at("num_replicas")
    copies = scaling.at("min_replicas").whole(1) if scaling or count.text() == "auto" else count.whole(1)
    chip = config.at("accelerator_type")
    labels = {"accelerator_type": [chip.text()]} if chip else {}
    variables = config.at("runtime_env", "env_vars").entries().items()
    launch = Launch("vllm", (), environment={key: (node.text(), node.line) for key, node in variables})
    place = Place(name, config.file, FORM, config.line, files, hardware, copies, labels=labels, labels_line=chip.line)
    draft = drafted(launch, name, config.file, config.line, FORM, files)
    flags = [Flag("model", source.path.rpartition(".")[2], (source.text(),), (), None, source.line)] if source else []
    apply(launch.options, [*flags, *from_mapping(config.at("engine_kwargs"))], draft)
    if scaling or count.text() == "auto":
        draft.assume("autoscaling_config", COPIES, line=scaling.line or count.line)
    if config.at("llm_engine").text() not in ("", "vLLM", "vllm"):
        draft.say("not_understood", "llm_engine", "is no engine that is known here", line=config.at("llm_engine").line)
    MODEL.tell(draft, config)
    return [deployed(place, launch, None, draft)]

"""The vLLM production stack: Helm values of its chart.

Values: vllm-project/production-stack, helm/values.yaml (``servingEngineSpec.modelSpec``).
"""

from __future__ import annotations

from dataclasses import replace

from llmperf.deployments.deployment import Draft, Flag
from llmperf.deployments.launch import Launch, drafted
from llmperf.deployments.node import Node
from llmperf.deployments.options import apply
from llmperf.deployments.pods import Place, deployed, environment, expressions
from llmperf.deployments.reasons import LORA
from llmperf.deployments.scripts import Files
from llmperf.deployments.words import Word, from_mapping

SWITCHES = ("enableLoRA",)


def recognizes(root: Node) -> bool:
    """Whether a document holds such values."""
    return isinstance(root.value, dict) and "servingEngineSpec" in root.value


def read(root: Node, others: list[Node], files: Files, hardware: str | None) -> list[Draft]:  # noqa: ARG001
    """Every model that is enabled."""
    models = root.at("servingEngineSpec", "modelSpec").items()
    return [_model(model, files, hardware) for model in models if model.at("enabled").truth(True)]


def _model(model: Node, files: Files, hardware: str | None) -> Draft:
    config = model.at("vllmConfig")
    image = f"{model.at('repository').text()}:{model.at('tag').text()}"
    words = [Word(item.text(), item.line) for item in config.at("extraArgs").items()]
    launch = Launch("vllm", tuple(words), "", image, model.at("repository").line, environment(model, files))
    labels: dict[str, list[str]] = {}
    for term in model.at("nodeSelectorTerms").items():
        labels.update(expressions(term.at("matchExpressions")))
    place = Place(
        model.at("name").text() or "unnamed",
        model.file,
        "Helm values of the vLLM production stack",
        model.line,
        files,
        hardware,
        model.at("replicaCount").whole(1),
        1,
        labels,
        model.at("nodeSelectorTerms").line,
    )
    draft = drafted(launch, place.name, place.file, place.line, place.form, files)
    _generation(config, draft)
    url = model.at("modelURL")
    flags = [Flag("model", "modelURL", (url.text(),), (), None, url.line)] if url else []
    flags += [flag for flag in from_mapping(config) if flag.name not in ("extra-args", "v0", "v1")]
    if config and not config.at("enablePrefixCaching"):
        # the chart writes --no-enable-prefix-caching wherever vllmConfig does not ask for it
        flags.append(Flag("enable-prefix-caching", "enablePrefixCaching", ("false",), (), None, config.line))
    # extraArgs stand after these on the command line that the chart writes: where both set a value, they win
    given = {launch.options.canonical(flag.name) for flag in draft.by.values()}
    apply(launch.options, [flag for flag in flags if launch.options.canonical(flag.name) not in given], draft)
    for flag in flags:
        if launch.options.canonical(flag.name) in given:
            draft.note("ignored", flag, "overridden by extraArgs")
    _around(model, draft)
    gpus = model.at("requestGPU")
    resource = model.at("requestGPUType").text() or "nvidia.com/gpu"
    asked = (resource, gpus.whole(0)) if gpus else None
    return deployed(replace(place), launch, asked, draft)


def _generation(config: Node, draft: Draft) -> None:
    """``v0: "1"`` asks for the engine of before version 0.8."""
    if config.at("v0").text() in ("1", "true"):
        draft.settings["_old_engine"] = "vllm-2024"
        line = config.at("v0").line
        draft.say("understood", "v0", "the engine of before version 0.8", "engine", "vllm-2024", line)


def _around(model: Node, draft: Draft) -> None:
    """What of a model's entry changes the answer, and is no flag of vLLM."""
    if model.at("enableLoRA").truth(False):
        draft.say("not_modelled", "enableLoRA", LORA, line=model.at("enableLoRA").line)
    if model.at("lmcacheConfig", "enabled").truth(False):
        said = "KV cache of earlier requests in other memory is not modelled"
        draft.say("not_modelled", "lmcacheConfig", said, line=model.at("lmcacheConfig").line)
    if model.at("keda", "enabled").truth(False):
        said = "changes the number of copies; replicaCount is taken"
        draft.assume("keda", said, line=model.at("keda").line)
    for key in ("requestGPUMem", "requestGPUMemPercentage", "requestGPUCores", "limitGPUMem", "limitGPUCores"):
        if model.at(key):
            draft.say("not_modelled", key, "parts of a device are not modelled", line=model.at(key).line)

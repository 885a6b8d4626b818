"""The vLLM production stack: Helm values of its chart.

Values: vllm-project/production-stack, helm/values.yaml (``servingEngineSpec.modelSpec``).
"""

from __future__ import annotations

from dataclasses import replace

from llmperf.deployments.deployment import Draft, Flag
from llmperf.deployments.keys import COPIES, POD, Keys
from llmperf.deployments.launch import Launch, drafted
from llmperf.deployments.node import Node
from llmperf.deployments.options import apply
from llmperf.deployments.pods import Place, deployed, environment, expressions
from llmperf.deployments.reasons import LORA
from llmperf.deployments.scripts import Files
from llmperf.deployments.words import Word, from_mapping

MODEL = Keys(
    "modelSpec",
    (
        "name", "enabled", "repository", "tag", "modelURL", "replicaCount", "requestGPU", "requestGPUType",
        "vllmConfig",
        "env", "nodeSelectorTerms", "enableLoRA", "lmcacheConfig", "keda",
    ),
    {
        ("not_modelled", "parts of a device are not modelled"): (
            "requestGPUMem*", "requestGPUCores", "limitGPUMem*", "limitGPUCores",
        ),
        ("not_understood", "a server on several pods of Ray: its layout is told by vllmConfig alone"): ("raySpec",),
        ("not_understood", "is a model of another chart"): ("modelType",),
        ("ignored", POD): (
            "requestCPU", "requestMemory", "limitCPU", "limitMemory", "annotations", "labels", "podAnnotations",
            "hf_token",
            "pvc*", "storageClass", "shmSize", "imagePullSecret", "imagePullPolicy", "tolerations", "runtimeClassName",
            "priorityClassName", "schedulerName", "securityContext", "podSecurityContext", "*Probe", "initContainer*",
            "extraVolume*", "serviceAccountName", "terminationGracePeriodSeconds", "chatTemplate*", "nodeName",
            "vllmApiKey", "envFromSecret", "affinity", "hostNetwork", "strategy", "lifecycle", "extraPorts",
        ),
    },
)  # fmt: skip
"""Keys of one model: vllm-project/production-stack, helm/values.yaml."""
RUNTIME = "VLLMRuntime"
RUNTIME_KEYS = Keys(
    RUNTIME,
    (
        "model.modelURL", "model.maxModelLen", "model.dtype", "model.maxNumSeqs", "vllmConfig",
        "deploymentConfig.replicas",
        "deploymentConfig.replicaCount", "deploymentConfig.resources", "deploymentConfig.image", "lmCacheConfig",
        "model.enableLoRA",
    ),
    {
        ("ignored", POD): (
            "model.hf*", "model.name", "model.enableTool", "model.toolCallParser", "deploymentConfig.*",
            "storageConfig",
            "hfTokenSecret", "hfTokenName", "imagePull*",
        ),
        ("assumed", COPIES): ("autoscalingConfig",),
    },
)  # fmt: skip
"""Keys of its operator's object: vllm-project/production-stack, operator/api/v1alpha1/vllmruntime_types.go."""
CACHED = "KV cache of earlier requests in other memory is not modelled"


def recognizes(root: Node) -> bool:
    """Whether a document holds such values."""
    return root.kind() == RUNTIME or (isinstance(root.value, dict) and "servingEngineSpec" in root.value)


def read(root: Node, others: list[Node], files: Files, hardware: str | None) -> list[Draft]:  # noqa: ARG001
    """Every model that is enabled."""
    if root.kind() == RUNTIME:
        return [_runtime(root, files, hardware)]
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
        draft.say("not_modelled", "lmcacheConfig", CACHED, line=model.at("lmcacheConfig").line)
    if model.at("keda", "enabled").truth(False):
        said = "changes the number of copies; replicaCount is taken"
        draft.assume("keda", said, line=model.at("keda").line)
    MODEL.tell(draft, model)


def _runtime(root: Node, files: Files, hardware: str | None) -> Draft:
    """The server of a ``VLLMRuntime``, whose keys are flags of vLLM."""
    spec = root.at("spec")
    config, place_of = spec.at("vllmConfig"), spec.at("deploymentConfig")
    image = place_of.at("image")
    named = "/".join(part for key in ("registry", "name") if (part := image.at(key).text()))
    words = [Word(item.text(), item.line) for item in config.at("extraArgs").items()]
    variables = environment(config, files)
    launch = Launch("vllm", tuple(words), "", named, image.line, variables)
    count = place_of.at("replicas") or place_of.at("replicaCount")
    name = root.at("metadata", "name").text() or "unnamed"
    form = f"{RUNTIME} of the vLLM production stack"
    place = Place(name, root.file, form, root.line, files, hardware, count.whole(1))
    draft = drafted(launch, place.name, place.file, place.line, place.form, files)
    model = [flag for flag in from_mapping(spec.at("model")) if flag.name in _OF_THE_MODEL]
    flags = [replace(flag, name=_OF_THE_MODEL[flag.name]) for flag in model]
    flags += [flag for flag in from_mapping(config) if flag.name not in ("extra-args", "env", "port", "v1", "v0")]
    _generation(config, draft)
    given = {launch.options.canonical(flag.name) for flag in draft.by.values()}
    for flag in flags:
        if launch.options.canonical(flag.name) in given:
            draft.note("ignored", flag, "overridden by extraArgs")
        else:
            apply(launch.options, [flag], draft)
    if spec.at("model", "enableLoRA").truth(False):
        draft.say("not_modelled", "model.enableLoRA", LORA, line=spec.at("model").line)
    if spec.at("lmCacheConfig", "enabled").truth(False):
        draft.say("not_modelled", "lmCacheConfig", CACHED, line=spec.at("lmCacheConfig").line)
    RUNTIME_KEYS.tell(draft, spec)
    gpus = place_of.at("resources", "gpu")
    return deployed(place, launch, ("resources.gpu", gpus.whole(0)) if gpus else None, draft)


_OF_THE_MODEL = {
    "model-url": "model",
    "max-model-len": "max-model-len",
    "dtype": "dtype",
    "max-num-seqs": "max-num-seqs",
}
"""Keys of ``spec.model`` that are flags of vLLM."""

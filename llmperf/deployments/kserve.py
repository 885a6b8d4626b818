"""KServe: InferenceService and LLMInferenceService.

Objects: kserve.github.io/website, model-serving/generative-inference (serving.kserve.io/v1beta1 and v1alpha1);
the Hugging Face runtime serves generative models by vLLM and takes its flags.
"""

from __future__ import annotations

from dataclasses import replace

from llmperf.deployments import images
from llmperf.deployments.deployment import Draft, Flag
from llmperf.deployments.keys import COPIES, POD, Keys
from llmperf.deployments.launch import Launch, drafted
from llmperf.deployments.node import Node
from llmperf.deployments.options import apply
from llmperf.deployments.pods import (
    Place,
    arguments,
    containers,
    deployed,
    devices,
    environment,
    labels_of,
    launches,
    served,
    shares,
)
from llmperf.deployments.reasons import DISAGGREGATED, LORA
from llmperf.deployments.scripts import Files
from llmperf.deployments.words import Word

KINDS = ("InferenceService", "LLMInferenceService")
MOUNTED = "/mnt/models"
"""Where KServe puts the model that ``storageUri`` names."""
FOLDERS = ("--model-dir", "--model_dir")


LLM = Keys(
    "LLMInferenceService",
    (
        "model.uri", "model.name", "replicas", "parallelism", "parallelism.*", "template", "prefill",
    ),
    {
        ("not_modelled", LORA): ("model.lora", "lora"),
        ("not_modelled", "KV cache in other memory is not modelled"): ("workload.kvCacheOffloading",),
        ("not_understood", "these settings are not in this file, and may set the layout"): ("baseRefs",),
        ("not_understood", "pods of a server on several nodes are told by parallelism alone"): ("worker",),
        ("assumed", COPIES): ("scaling", "autoscaling", "minReplicas", "maxReplicas"),
        ("ignored", POD): (
            "router", "model.criticality", "storage*", "labels", "annotations", "tracing", "model.framework",
            "model.version",
        ),
    },
)  # fmt: skip
"""Keys of ``LLMInferenceService``: kserve/kserve, pkg/apis/serving, llm_inference_service_types.go."""


PREDICTOR = Keys(
    "a predictor",
    (
        "minReplicas", "maxReplicas", "nodeSelector", "affinity", "workerSpec", "containers", "initContainers",
        "model.modelFormat", "model.runtime", "model.args", "model.env", "model.envFrom", "model.resources",
        "model.storageUri", "model.command", "model.image", "model.name",
    ),
    {
        ("assumed", COPIES): ("scaleMetric*", "scaleTarget", "autoScaling", "canary*"),
        ("not_understood", "where the model lies is told elsewhere"): ("model.storage",),
        ("ignored", POD): (
            "model.protocolVersion", "model.runtimeVersion", "model.*Probe", "model.ports", "model.volumeMounts",
            "model.securityContext", "model.imagePullPolicy", "model.lifecycle", "model.workingDir", "tolerations",
            "serviceAccountName", "volumes", "imagePullSecrets", "timeout", "batcher", "logger", "*Policy",
            "containerConcurrency", "annotations", "labels", "securityContext", "runtimeClassName", "hostNetwork",
            "priorityClassName", "deploymentStrategy", "terminationGracePeriodSeconds", "hostIPC", "schedulerName",
        ),
    },
)  # fmt: skip
"""Keys of ``spec.predictor``: kserve/kserve, pkg/apis/serving/v1beta1, predictor.go and component.go."""


def recognizes(root: Node) -> bool:
    """Whether a document is such a service."""
    return root.kind() in KINDS


def read(root: Node, others: list[Node], files: Files, hardware: str | None) -> list[Draft]:
    """The servers of a service."""
    kind, name = root.kind(), root.at("metadata", "name").text() or "unnamed"
    place = Place(name, root.file, f"KServe {kind}", root.line, files, hardware)
    return _llm(root, place) if kind == KINDS[1] else _predictor(root, others, place)


def _predictor(root: Node, others: list[Node], place: Place) -> list[Draft]:
    predictor = root.at("spec", "predictor")
    least, most = predictor.at("minReplicas").whole(1), predictor.at("maxReplicas").whole(0)
    place = replace(place, replicas=least, labels=labels_of(predictor), labels_line=predictor.line)
    model = predictor.at("model")
    if not model:
        drafts = served(predictor, place)
    else:
        runtime = _runtime(model, others)
        if runtime is None and model.at("modelFormat", "name").text() not in ("huggingface", "vLLM", "vllm"):
            return []
        drafts = [_model(predictor, model, runtime, place)]
    for draft in drafts:
        if most > least:
            said = f"up to {most} copies: the {max(least, 1)} that always run are taken"
            draft.assume("maxReplicas", said, line=predictor.at("maxReplicas").line)
    return drafts


def _runtime(model: Node, others: list[Node]) -> Node | None:
    """The serving runtime that a model names, where the file has it."""
    name = model.at("runtime").text()
    for other in others:
        is_runtime = other.kind() in ("ServingRuntime", "ClusterServingRuntime")
        if is_runtime and name and other.at("metadata", "name").text() == name:
            return other
    return None


def _model(predictor: Node, model: Node, runtime: Node | None, place: Place) -> Draft:
    """A model on a runtime: the runtime's command with the model's arguments, or the Hugging Face runtime's."""
    variables = environment(model, place.files)
    words = arguments(model.at("args"), variables)
    launch = Launch("vllm", (), "huggingfaceserver", environment=variables, shares=shares(model))
    asked = devices(model)
    for container in containers(runtime.at("spec")) if runtime else []:
        found = next(iter(launches(container, place.files)), None)
        if found is not None:
            launch = replace(found, environment={**found.environment, **variables})
            asked = asked or devices(container)
            break
    uri = model.at("storageUri")
    launch = replace(launch, words=_on_storage([*launch.words, *words], uri))
    draft = drafted(launch, place.name, place.file, place.line, place.form, place.files)
    PREDICTOR.tell(draft, predictor)
    _workers(predictor.at("workerSpec"), draft, launch)
    pods = draft.settings.get("parallelism.pp", 1) if predictor.at("workerSpec") else 1
    return deployed(replace(place, pods=pods), launch, asked, draft)


def _on_storage(words: list[Word], uri: Node) -> tuple[Word, ...]:
    """Arguments in which the model that is mounted is the one that is stored."""
    kept: list[Word] = []
    named = False
    for index, word in enumerate(words):
        flag, _, value = word.text.partition("=")
        before = words[index - 1].text if index else ""
        if flag in FOLDERS or before in FOLDERS:
            continue
        mounted = MOUNTED in (word.text.rstrip("/"), value.rstrip("/"))
        if mounted and uri:
            word = Word(f"{flag}={uri.text()}" if value else uri.text(), uri.line)
        named = named or flag in ("--model", "--model-id", "--model_id") or mounted
        kept.append(word)
    if uri and not named:
        kept.append(Word(f"--model={uri.text()}", uri.line))
    return tuple(kept)


def _workers(spec: Node, draft: Draft, launch: Launch) -> None:
    """Sizes of a service on several nodes."""
    for key, name in (
        ("tensorParallelSize", "tensor-parallel-size"),
        ("pipelineParallelSize", "pipeline-parallel-size"),
    ):
        node = spec.at(key)
        if node:
            apply(launch.options, [Flag(name, f"workerSpec.{key}", (node.text(),), (), None, node.line)], draft)


def _llm(root: Node, place: Place) -> list[Draft]:
    """``LLMInferenceService``: decode workers, and perhaps prefill workers, of one model."""
    spec = root.at("spec")
    model = spec.at("model", "uri")
    drafts = [_worker(spec, model, place)]
    prefill = spec.at("prefill")
    if prefill:
        drafts.append(_worker(prefill, model, replace(place, name=f"{place.name}-prefill")))
        for draft, part in zip(drafts, ("decode", "prefill"), strict=True):
            draft.say("not_modelled", part, DISAGGREGATED)
    return drafts


def _worker(spec: Node, model: Node, place: Place) -> Draft:
    template = spec.at("template")
    place = replace(place, replicas=spec.at("replicas").whole(1), labels=labels_of(template), labels_line=spec.line)
    main = next(
        (one for one in containers(template) if one.at("name").text() in ("main", "")), Node(None, spec.document)
    )
    variables = environment(main, place.files)
    extra = variables.pop("VLLM_ADDITIONAL_ARGS", ("", None))
    words = arguments(main.at("args"), variables)
    words += [Word(text, extra[1]) for text in extra[0].split()]
    image = main.at("image").text()
    launch = next(iter(launches(main, place.files)), None) if main.at("command") else None
    launch = launch or Launch("vllm", tuple(words), "", image, main.at("image").line, variables, shares=shares(main))
    if images.tool_of(image) is None:
        launch = replace(launch, image="")
    launch = replace(launch, words=_on_storage(list(launch.words), model))
    draft = drafted(launch, place.name, place.file, place.line, place.form, place.files)
    layout = spec.at("parallelism")
    names = {"tensor": "tensor-parallel-size", "pipeline": "pipeline-parallel-size", "data": "data-parallel-size"}
    for key, node in layout.entries().items():
        if key in names:
            flag = Flag(names[key], f"parallelism.{key}", (node.text(),), (), None, node.line)
        elif key == "expert":
            flag = Flag("enable-expert-parallel", "parallelism.expert", (node.text(),), (), None, node.line)
        else:
            flag = Flag("data-parallel-size-local", f"parallelism.{key}", (node.text(),), (), None, node.line)
        apply(launch.options, [flag], draft)
    LLM.tell(draft, spec)
    local = layout.at("dataLocal").whole(0)
    data = layout.at("data").whole(1)
    pods = -(-data // local) if local else 1
    return deployed(replace(place, pods=pods), launch, devices(main), draft)

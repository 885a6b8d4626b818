"""llama.cpp: flags of ``llama-server`` and its ``LLAMA_ARG_...`` variables.

Flags: ggml-org/llama.cpp, tools/server/README.md (of 2026). Slots and how they share the context:
tools/server/server.cpp, and ``--parallel`` and ``--kv-unified`` there.
"""

from __future__ import annotations

import re

from llmperf.deployments import checkpoints, vllm
from llmperf.deployments.deployment import Draft, Flag
from llmperf.deployments.options import OFF, Options, Rule, apply, switch, text, whole
from llmperf.deployments.reasons import (
    CHECKPOINT,
    DEVICE,
    KERNELS,
    LOGS,
    LORA,
    POOL,
    SPECULATIVE,
    TEXT,
)
from llmperf.errors import InputError
from llmperf.importers.gguf import GGML_BITS, cache_format
from llmperf.scenarios import catalog

SLOTS = 4
"""Sequences at once where ``--parallel`` is not said; they share one context (server.cpp, ``n_parallel`` of auto)."""
UNSPLIT = "llama.cpp-cuda-2024"
"""Attention of the catalog without flash attention."""
PARTLY = "weights in the host's memory are not imported; give placement.tiers and placement.weights"

STARTING = "the processor's threads only start the kernels of a device"

IGNORED = {
    vllm.NETWORK: (
        "host", "port", "reuse-port", "path", "cors-*", "no-cors-credentials", "api-prefix", "ui*", "webui*", "no-ui*",
        "no-webui*", "api-key", "api-key-file", "ssl-*", "timeout", "to", "sse-ping-interval", "threads-http", "alias",
        "a", "tags", "slots", "no-slots", "slot-save-path", "props", "media-path", "models-*", "no-models-autoload",
        "tools*", "mcp-*", "agent", "ag", "no-agent", "no-ag",
    ),
    LOGS: (
        "metrics", "log-*", "no-log-*", "verbose", "v", "lv", "verbosity", "perf", "no-perf", "version", "help",
        "completion-bash",
    ),
    vllm.TEXTS: (
        "seed", "s", "samplers", "sampler-seq", "sampling-seq", "ignore-eos", "temp", "temperature", "top-*", "min-p",
        "xtc-*", "typical*", "repeat-*", "presence-penalty", "frequency-penalty", "dry-*", "adaptive-*", "dynatemp-*",
        "mirostat*", "logit-bias", "l", "grammar*", "json-schema*", "j", "jf", "backend-sampling", "bs", "jinja",
        "no-jinja", "chat-template*", "reasoning*", "rea", "no-reasoning-preserve", "escape", "e", "no-escape",
        "reverse-prompt", "r", "special", "sp", "spm-infill", "prefill-assistant", "no-prefill-assistant",
        "skip-chat-parsing", "no-skip-chat-parsing",
    ),
    vllm.LOADING: (
        "load-mode", "lm", "mlock", "mmap", "no-mmap", "direct-io", "dio", "no-direct-io", "warmup", "no-warmup",
        "check-tensors", "offline", "hf-token", "hft", "numa", "repack", "no-repack", "nr", "cache-list", "cl",
        "list-devices", "sleep-idle-seconds",
    ),
    STARTING: ("threads-batch", "tb", "cpu-*", "cb-*", "prio*", "poll*"),
    vllm.BATCH: (
        "predict", "n", "n-predict", "keep", "context-shift", "no-context-shift", "slot-prompt-similarity", "sps",
        "cache-idle-slots", "no-cache-idle-slots", "main-gpu", "mg", "cache-ram", "cram", "cont-batching", "cb",
    ),
    "a logical batch is computed in steps of --ubatch-size tokens": ("batch-size", "b"),
    "settings that are not given are those of the scenario": ("fit", "fit-*", "fitt", "fitc"),
}  # fmt: skip

UNMODELLED = {
    SPECULATIVE: (
        "model-draft", "md", "hf-repo-draft", "hfd", "hfrd", "draft*", "spec-*", "cache-type-*-draft", "ctkd", "ctvd",
        "lookup-cache-*", "lcs", "lcd", "ctx-size-draft", "cd", "device-draft", "devd", "gpu-layers-draft", "ngld",
        "n-gpu-layers-draft",
    ),
    LORA: ("lora*", "control-vector*"),
    POOL: ("swa-full", "ctx-checkpoints", "ctxcp", "swa-checkpoints", "checkpoint-min-step", "cms", "cache-reuse",
           "kv-unified-per-slot", "defrag-thold", "dt"),
    PARTLY: (
        "no-kv-offload", "nkvo", "override-tensor", "ot", "cpu-moe", "cmoe", "n-cpu-moe", "ncmoe", "moe-cache-mib",
        "n-cpu-ffn", "ncffn", "no-op-offload", "no-host", "lazy-mode", "lzm",
    ),
    "requests are taken to run together": ("no-cont-batching", "nocb"),
    CHECKPOINT: ("rope-*", "yarn-*", "override-kv"),
    TEXT: ("mmproj*", "mm", "mmu", "mmdev", "no-mmproj*", "image-*", "video-*", "mtmd-*"),
    "only generation of text is modelled": (
        "embedding", "embeddings", "rerank", "reranking", "pooling", "embd-normalize", "model-vocoder", "mv",
    ),
    "devices behind other hosts are not modelled": ("rpc",),
    DEVICE: ("device", "dev"),
    KERNELS: ("op-offload", "kv-offload", "kvo"),
}  # fmt: skip

SWITCHES = frozenset(
    (
        "reuse-port", "slots", "props", "metrics", "verbose", "v", "perf", "ignore-eos", "jinja", "escape", "e",
        "special", "sp", "spm-infill", "mlock", "mmap", "direct-io", "dio", "warmup", "check-tensors", "offline",
        "repack", "nr", "context-shift", "cache-idle-slots", "cont-batching", "cb", "swa-full", "cpu-moe", "cmoe",
        "no-host", "no-op-offload", "op-offload", "kv-offload", "kvo", "no-kv-offload", "nkvo", "no-cont-batching",
        "nocb", "embedding", "embeddings", "rerank", "reranking", "mmproj-auto", "mmproj-offload", "log-disable",
        "log-prefix", "log-timestamps", "log-jsonl", "ui", "webui", "agent", "ag", "no-ag", "no-kvu",
        "prefill-assistant", "backend-sampling", "bs", "log-verbose",
        *(f"no-{name}" for name in ("slots", "perf", "jinja", "mmap", "warmup", "context-shift", "mmproj", "escape")),
    )
)  # fmt: skip


def _layers(draft: Draft, flag: Flag) -> None:
    """Layers on the device: all of them, or fewer, the rest of which the processor computes."""
    said = flag.value.strip().lower()
    if said in ("auto", "all", "-1", "-2"):
        draft.note("understood", flag, "all layers are on the device")
    elif said.isdigit() and len(said) < 6:
        draft.put(flag, "_layers", int(said))
    else:
        draft.wrong(flag, f"{flag.value!r} is no number of layers", ("auto", "all"))


def _cache(own: str) -> Rule:
    """The type of keys or of values in the cache."""

    def take(draft: Draft, flag: Flag) -> None:
        name = flag.value.strip().lower()
        if name in GGML_BITS:
            draft.put(flag, own, name)
        else:
            draft.note("not_understood", flag, f"{flag.value!r} is no type of ggml", "kv_cache")

    return Rule(take, path="kv_cache")


def _flash(draft: Draft, flag: Flag) -> None:
    if flag.values and flag.value.strip().lower() in OFF:
        draft.put(flag, "attention", UNSPLIT)
    else:
        draft.note("understood", flag, "attention is fused, as is usual")


def _split(draft: Draft, flag: Flag) -> None:
    """Shares of the devices, whose number is that of the devices."""
    shares = [one for one in re.split(r"[,/]", flag.value) if one.strip()]
    if not shares or len(shares) > 64 or any(not re.fullmatch(r"\s*\d+(\.\d+)?\s*", one) for one in shares):
        draft.wrong(flag, f"{flag.value!r} is no list of shares, as 3,1")
        return
    draft.put(flag, "_shares", [float(one) for one in shares])


RULES = {
    "model": text("_model"),
    "hf-repo": text("_model"),
    "docker-repo": text("_model"),
    "model-url": text("_model"),
    "hf-file": text("_file"),
    "ctx-size": whole("_context", least=0),
    "parallel": whole("_slots", unset=("-1",)),
    "kv-unified": switch("_unified"),
    "ubatch-size": whole("engine.token_budget"),
    "threads": whole("_threads", unset=("-1",)),
    "gpu-layers": Rule(_layers),
    "split-mode": text("_mode"),
    "tensor-split": Rule(_split),
    "cache-type-k": _cache("_keys"),
    "cache-type-v": _cache("_values"),
    "flash-attn": Rule(_flash, path="attention"),
    "cache-prompt": switch("engine.shared_prefix_cache"),
}

ALIASES = {
    "m": "model",
    **dict.fromkeys(("hf", "hfr"), "hf-repo"),
    "hff": "hf-file",
    "dr": "docker-repo",
    "mu": "model-url",
    "c": "ctx-size",
    "np": "parallel",
    "n-parallel": "parallel",
    "kvu": "kv-unified",
    "t": "threads",
    "ub": "ubatch-size",
    "ubatch": "ubatch-size",
    "batch": "batch-size",
    **dict.fromkeys(("ngl", "n-gpu-layers"), "gpu-layers"),
    "sm": "split-mode",
    "ts": "tensor-split",
    "ctk": "cache-type-k",
    "ctv": "cache-type-v",
    "fa": "flash-attn",
}


def finish(draft: Draft) -> None:
    """What follows from several flags together."""
    settings = draft.settings
    if isinstance(settings.get("_file"), str):  # the file says which of a repository's formats
        repository = str(settings.get("_model", ""))
        settings["_model"] = f"{repository.partition(':')[0]}/{settings['_file']}" if repository else settings["_file"]
        draft.by.setdefault("_model", draft.by["_file"])
    checkpoints.settle(draft)
    _slots(draft)
    _devices(draft)
    types = [str(settings.get(own, "f16")) for own in ("_keys", "_values")]
    form = cache_format(types)
    if form is not None:
        for own in ("_keys", "_values"):
            draft.settle(own, "kv_cache", form)
    engine(draft, "llama.cpp")


def _slots(draft: Draft) -> None:
    """Sequences at once, and the context of each: a part of the whole, or all of it where they share it."""
    settings = draft.settings
    slots, context = settings.get("_slots"), settings.get("_context")
    shared = settings.get("_unified", slots is None)
    if slots is None:
        said = f"{SLOTS} slots that share one context, where --parallel is not said"
        draft.assume("--parallel", said, "engine.max_sequences", SLOTS, draft.line)
        settings["engine.max_sequences"] = SLOTS
    else:
        draft.settle("_slots", "engine.max_sequences", slots)
    if "_unified" in settings:
        draft.settle("_unified", "", None, "all slots share one context" if shared else "each slot has its own part")
    if context:
        part = context if shared else max(context // (slots or 1), 1)
        said = "shared by all slots" if shared else f"of each of {slots} slots"
        draft.settle("_context", "model.max_context", part, said)
        settings["_allocated"] = 1 if shared else slots or 1
        flag = draft.by["_context"]
        pool = f"the server allocates {context:,} tokens when it starts, and holds no more, whatever memory is left"
        draft.say("not_modelled", flag.written, pool, line=flag.line)
    elif context == 0:
        draft.settle("_context", "", None, "as long as the model allows")


def _devices(draft: Draft) -> None:
    """Layers one device after another, or rows side by side; and whether all layers are on devices."""
    settings = draft.settings
    shares, mode = settings.get("_shares"), str(settings.get("_mode", "layer")).lower()
    if mode not in ("none", "layer", "row", "tensor"):
        draft.wrong(draft.by["_mode"], f"{mode!r} is no way to split a model", ("none", "layer", "row", "tensor"))
        return
    used = 1 if mode == "none" else len([one for one in shares if one > 0]) if shares else 1
    way = "parallelism.pp" if mode == "layer" else "parallelism.tp"
    if "_shares" in settings:
        draft.settle("_shares", way, used, "even shares are taken")
    if "_mode" in settings:
        draft.settle("_mode", way if shares else "", used if shares else None)
    layers = settings.get("_layers")
    if layers is None:
        return
    held = _model_layers(settings.get("model"))
    if layers >= (held or 99):
        draft.settle("_layers", "", None, "all layers are on the device")
    else:
        of = f" of {held}" if held else ""
        draft.settle(
            "_layers", "", None, f"{layers}{of} layers are on the device, the rest is not: {PARTLY}", "not_modelled"
        )


def _model_layers(model: object) -> int | None:
    name = model.get("extends") if isinstance(model, dict) else model
    try:
        found = catalog.load("model", name).data.get("layers") if isinstance(name, str) else None
    except InputError:
        return None
    return found if isinstance(found, int) else None


BACKENDS = (
    ("llama.cpp-cuda", ("cuda", "rocm", "hip", "musa")),  # ggml-hip and ggml-musa compile the CUDA backend
    ("llama.cpp-vulkan", ("vulkan",)),
    ("llama.cpp-metal", ("metal",)),
)
"""Engines of the catalog, and words in tags of images that say so."""
KINDS = {"cpu": "llama.cpp-cpu"}


def engine(draft: Draft, tool: str) -> None:
    """The engine of the catalog: by the tag of the image, else by the hardware."""
    image = draft.settings.pop("_image", None)
    line = draft.settings.pop("_image_line", None)
    tag = str(image or "").rpartition("/")[2].partition(":")[2].lower()
    found = next((name for name, words in BACKENDS if any(word in tag for word in words)), None)
    why = f"by the tag {tag}"
    if found is None:
        found, why = _by_hardware(draft.settings.get("hardware"))
    draft.settings["engine"] = found
    draft.assume("image" if image else tool, f"the backend of {tool}: {why}", "engine", found, line)
    _threads(draft, found)


def _threads(draft: Draft, engine: str) -> None:
    """Threads that compute, where a processor does."""
    threads = draft.settings.pop("_threads", None)
    if threads is None:
        return
    if engine == "llama.cpp-cpu":
        draft.settle("_threads", "engine.threads", threads)
    else:
        draft.settle("_threads", "", None, STARTING, "ignored")


def _by_hardware(hardware: object) -> tuple[str, str]:
    try:
        data = catalog.load("hardware", hardware).data if isinstance(hardware, str) else {}
    except InputError:
        data = {}
    if data.get("kind") == "cpu":
        return "llama.cpp-cpu", "the hardware is a processor"
    if str(data.get("vendor", "")).lower() == "apple":
        return "llama.cpp-metal", "the hardware is Apple's"
    if str(data.get("vendor", "")).lower() in ("amd", "intel") and "gddr" in data.get("tiers", {}):
        return "llama.cpp-vulkan", "the hardware is a consumer card without CUDA"
    return "llama.cpp-cuda", "that of CUDA is taken"


OPTIONS = Options("llama.cpp", RULES, finish, ALIASES, IGNORED, UNMODELLED, SWITCHES)

_PREFIX = "LLAMA_ARG_"


def environment(draft: Draft, name: str, value: str, line: int | None) -> bool:
    """Take a variable that stands for a flag, which itself goes before it; whether it did."""
    if not name.startswith(_PREFIX):
        return False
    written = name.removeprefix(_PREFIX).lower().replace("_", "-")
    flag = Flag(
        {"think": "reasoning", "endpoint-metrics": "metrics"}.get(written, written), name, (value,), (), None, line
    )
    tried = Draft(draft.name, draft.file)
    apply(OPTIONS, [flag], tried)
    if set(tried.by) & set(draft.by):
        draft.note("ignored", flag, "a flag of the command goes before it")
    else:
        apply(OPTIONS, [flag], draft)
    return True

"""Ollama: the models that commands run or pull, and the variables of its server.

Variables: ollama/ollama, envconfig/config.go. What it computes with are the kernels of ggml, which are llama.cpp's.
"""

from __future__ import annotations

import re

from llmperf.deployments import checkpoints, llama_cpp, vllm
from llmperf.deployments.deployment import Draft, Flag
from llmperf.deployments.options import OFF, Options, apply, other_variable, text, whole
from llmperf.deployments.reasons import LOGS
from llmperf.importers.gguf import GGML_BITS, cache_format
from llmperf.scenarios import catalog
from llmperf.scenarios.checkpoints import GGUF_DEFAULT

START = ("run", "pull")
"""Subcommands that name a model which the server then serves."""
IGNORED = {
    vllm.TEXTS: ("format", "nowordwrap", "think", "hidethinking", "truncate", "dimensions"),
    LOGS: ("verbose",),
    vllm.LOADING: ("insecure", "keepalive"),
}
SWITCHES = frozenset(("nowordwrap", "hidethinking", "verbose", "insecure"))
RULES = {
    "model": text("_model"),
    "num-parallel": whole("engine.max_sequences", unset=("0",)),
    "context-length": whole("model.max_context", unset=("0",)),
}


def finish(draft: Draft) -> None:
    """What follows from several settings together."""
    settings = draft.settings
    reference = settings.get("_model")
    if isinstance(reference, str):
        settings["_model"] = re.sub(
            r"^(hf\.co|huggingface\.co|ollama\.com/library|registry\.ollama\.ai/library)/", "", reference
        )
    checkpoints.settle(draft)
    model = settings.get("model")
    name = model.get("extends") if isinstance(model, dict) else model
    if isinstance(name, str) and "weights" not in settings and not _released(name):
        settings["weights"] = GGUF_DEFAULT
        said = f"the library's usual format, as the tag says none: {GGUF_DEFAULT}"
        draft.assume("weights", said, "weights", GGUF_DEFAULT, draft.line)
    llama_cpp.engine(draft, "ollama")


def _released(name: str) -> bool:
    return name in catalog.paths("model") and bool(catalog.load("model", name).data.get("released"))


OPTIONS = Options("ollama", RULES, finish, ignored=IGNORED, switches=SWITCHES)

_HARMLESS = re.compile(
    r"OLLAMA_(DEBUG|HOST|ORIGINS|MODELS|KEEP_ALIVE|LOAD_TIMEOUT|NOHISTORY|NOPRUNE|MAX_QUEUE|HOME|TMPDIR|RUNNERS_DIR|REMOTES"
    r"|AUTH|EDITOR)"
)


def environment(draft: Draft, name: str, value: str, line: int | None) -> bool:
    """Take a variable of the server that means something; whether it did."""
    flag = Flag(name.removeprefix("OLLAMA_").lower().replace("_", "-"), name, (value,), (), None, line)
    if name in ("OLLAMA_NUM_PARALLEL", "OLLAMA_CONTEXT_LENGTH"):
        apply(OPTIONS, [flag], draft)
    elif name == "OLLAMA_KV_CACHE_TYPE" and value.strip().lower() in GGML_BITS:
        form = cache_format([value.strip().lower()] * 2)
        if form is None:
            draft.note("understood", flag, "16 bits, as is usual here")
        else:
            draft.put(flag, "kv_cache", form)
    elif name == "OLLAMA_FLASH_ATTENTION":
        if value.strip().lower() in OFF:
            draft.put(flag, "attention", llama_cpp.UNSPLIT)
        else:
            draft.note("understood", flag, "attention is fused, as is usual")
    elif name == "OLLAMA_MAX_LOADED_MODELS" and value.strip() == "1":
        draft.note("understood", flag, "one model at a time has the memory")
    else:
        return other_variable(draft, "Ollama", ("OLLAMA_",), _HARMLESS, name, value, line)
    return True

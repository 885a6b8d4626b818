"""Models that deployments name: ids and folders of checkpoints, as models of the catalog and formats of weights."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from llmperf.deployments.deployment import Draft, Flag
from llmperf.deployments.formats import WEIGHTS
from llmperf.errors import InputError, nearest, shown
from llmperf.importers.hub import local_config
from llmperf.importers.quantization import weight_only
from llmperf.scenarios import catalog

SAME_SHAPE = {
    "llama-3.3-70b": "llama-3.1-70b",
    "deepseek-v3.1": "deepseek-v3",
    "kimi-k2-instruct": "kimi-k2",
    "kimi-k2-thinking": "kimi-k2",
}
"""Checkpoints (without their maker, suffixes removed) that have the shape of another model, by their config.json."""

RELEASED = {
    **dict.fromkeys(("deepseek-v3", "deepseek-v3-base", "deepseek-v3-0324", "deepseek-v3.1"), "fp8-block"),
    **dict.fromkeys(("deepseek-v3.2", "deepseek-v3.2-exp"), "fp8-block"),
    **dict.fromkeys(("deepseek-r1", "deepseek-r1-zero", "deepseek-r1-0528"), "fp8-block"),
    **dict.fromkeys(("kimi-k2", "kimi-k2-base", "kimi-k2-instruct", "minimax-m2.5"), "fp8-block"),
    **dict.fromkeys(("gpt-oss-20b", "gpt-oss-120b"), "mxfp4"),
}
"""Checkpoints whose makers release quantized weights: quantization_config of their config.json on Hugging Face.

Not every checkpoint of a model's shape is: a name that is in no table here has the usual format.
"""

RELEASED_OTHERWISE = {"kimi-k2-thinking": "4-bit integers of its experts alone, of which no format here is known"}
"""Checkpoints whose makers release them in a format that the catalog lacks."""

_QUANTIZED = re.compile(
    r"[-_.](?:(fp8)(?:[-_](?:dynamic|block|kv|static))*|(nvfp4|fp4|mxfp4|mxfp8)"
    r"|(?:awq|gptq)[-_](?P<eight>int8|8bit)|(awq|gptq)(?:[-_](?:int4|4bit|marlin))?"
    r"|(bnb-4bit)|quantized[-_.](w4a16|w8a8)|(w4a16)(?:-g128)?|(w8a8)(?:-int8)?|(int4|int8)|(bf16))$",
    re.IGNORECASE | re.ASCII,
)
_PART = r"([A-Za-z0-9](?:[\w.]|-(?!-))*)"
_CACHED = re.compile(rf"(?:^|/)(?:models--{_PART}--{_PART}(?:/.*)?|{_PART}--{_PART}/?)$", re.ASCII)
"""Folders that are called as an organization and its model: those of the Hugging Face cache, and plain ones."""
_NAMELESS = re.compile(
    r"v?\d+(\.\d+)*|[0-9a-f]{7,64}|snapshots|main|latest|hf|hf[-_]?(checkpoint|model)s?|checkpoints?|models?|weights"
    r"|fp8|fp16|bf16|int4|int8|safetensors|\.*",
    re.ASCII | re.IGNORECASE,
)
_SUFFIX = re.compile(r"[-_](?:instruct|chat|it|hf|base|v0\.\d|\d{4})$", re.IGNORECASE | re.ASCII)
_METHODS = {"int4": "awq", "w8a8": "w8a8-int8", "bf16": "none"}
W8A16 = weight_only("gptq", 8, 128, zero=8)


@lru_cache(maxsize=1024)
def _known(_: tuple[str, ...]) -> dict[str, str]:
    """Names, aliases and last parts of aliases (lower case), and the names of the catalog."""
    found = {name: name for name in catalog.files("model")}
    found.update(catalog.aliases("model"))
    for alias, name in catalog.aliases("model").items():
        found.setdefault(alias.rpartition("/")[2], name)
    return found


def known() -> dict[str, str]:
    """What models of the catalog are called, in lower case, and their names."""
    return _known(tuple(str(path) for path in catalog.directories()))


def in_catalog(reference: str) -> str | None:
    """The model of the catalog that has exactly this name or alias."""
    return known().get(reference.lower()) if "/" not in reference else catalog.aliases("model").get(reference.lower())


def by_its_name(reference: str) -> tuple[str | None, Any, str]:
    """What a checkpoint's name says: its model of the catalog, the format of its weights, and what it is called then.

    Parts are removed from the end until a known name is left: what says the quantization, of which the last one holds,
    and ``-Instruct`` and its like.
    """
    name = PurePosixPath(reference.rstrip("/")).name.lower()
    weights = None
    while True:
        match = _QUANTIZED.search(name)
        if match is None:
            for form in (name, name.removeprefix("meta-")):
                found = known().get(form) or SAME_SHAPE.get(form)
                if found is not None:
                    return found, weights, form
            match = _SUFFIX.search(name)
            if match is None:
                return None, weights, ""
        elif weights is None:
            weights = _format(match)
        name = name[: match.start()]


def _format(match: re.Match[str]) -> Any:
    """The weight format that the end of a checkpoint's name says."""
    if match["eight"]:
        return W8A16
    said = next(group for group in match.groups() if group).lower()
    return WEIGHTS[_METHODS.get(said, said)][0]


def settle(draft: Draft) -> None:
    """The model and, where no flag says it, the format of its weights."""
    reference = draft.settings.pop("_model", None)
    if reference is None:
        return
    flag = draft.by["_model"]
    plain = _without_scheme(str(reference))
    exact = in_catalog(plain) if plain == str(reference) or "/" in plain else None
    served = draft.settings.get("_served")
    if exact is None and _on_disk(plain):
        draft.settings["model"] = plain
        draft.settle("_model", "model", plain)
        return
    guessed, weights, checkpoint = by_its_name(plain)
    if exact:
        guessed, weights = exact, None
    if guessed is None and isinstance(served, str):
        guessed, weights, checkpoint = by_its_name(served)
    if guessed is None:
        _unknown(draft, flag, plain)
        return
    if exact:
        draft.settle("_model", "model", exact)
    else:
        said = f"{shown(plain)} is taken as {guessed}, by its name"
        draft.settle("_model", "model", guessed, said, "assumed")
    _weights(draft, flag, checkpoint, weights)


def _without_scheme(reference: str) -> str:
    """``hf://org/name:revision`` as ``org/name``; folders and URLs of other stores by what of them names a model.

    A folder of the Hugging Face cache (``models--org--name/snapshots/...``) is that model; an OCI artifact is called as
    its repository or as its tag; of other paths the last part that is no number, revision or word for any checkpoint.
    """
    if match := _CACHED.search(reference):
        return f"{match[1] or match[3]}/{match[2] or match[4]}"
    scheme, separator, rest = reference.partition("://")
    if separator and scheme == "hf":
        return rest.partition("@")[0].partition(":")[0]
    if not separator and not reference.startswith(("/", ".", "~")):
        return reference
    parts = [part for part in rest.split("/") if part] if separator else [p for p in reference.split("/") if p]
    name = next((part for part in reversed(parts) if not _NAMELESS.fullmatch(part)), parts[-1] if parts else "")
    if parts and name != parts[-1] and _QUANTIZED.search(f"-{parts[-1]}"):  # /models/llama-3.1-8b/fp8
        return f"{name}-{parts[-1]}"
    if scheme == "oci" and separator:
        repository, _, tag = name.partition("@")[0].partition(":")
        return tag if by_its_name(repository)[0] is None and by_its_name(tag)[0] else repository
    return name


def _on_disk(reference: str) -> bool:
    """Whether the model's own configuration is in the local Hugging Face cache."""
    return local_config(reference) is not None


def _unknown(draft: Draft, flag: Flag, reference: str) -> None:
    near = nearest(reference.rpartition("/")[2], known())
    hint = f" (nearest: {known()[near]})" if near else ""
    said = f"neither the catalog nor the local Hugging Face cache has the model {shown(reference)}{hint}"
    draft.drop("_model")
    draft.note("not_understood", flag, f"{said}; give --model")


def _weights(draft: Draft, flag: Flag, checkpoint: str, said: Any) -> None:
    """Formats that a checkpoint has by its name, or as its maker releases it."""
    given = draft.settings.get("weights")
    if said is not None:
        assumed = given == WEIGHTS["gptq"][0] and said == W8A16  # the method is the same for 4 bits and for 8
        if given is not None and not assumed:
            return
        if assumed:
            draft.drop("weights")
            draft.note("understood", draft.by["weights"], "the checkpoint's name says of how many bits")
        _assume(draft, flag, said, "the format of the weights is taken from the checkpoint's name")
        return
    if given is None and checkpoint in RELEASED_OTHERWISE:
        text = f"the weights of {checkpoint} are released in {RELEASED_OTHERWISE[checkpoint]}; give --weights"
        draft.say("not_understood", flag.written, text, line=flag.line)
        return
    released = RELEASED.get(checkpoint)
    if released and (given is None or (given == "fp8" and released == "fp8-block")):
        _assume(draft, flag, released, f"the weights of {checkpoint} are released in {released}")


def _assume(draft: Draft, flag: Flag, weights: Any, why: str) -> None:
    draft.settings["weights"] = weights
    draft.assume(flag.written, why, "weights", weights, flag.line)


def has_experts(reference: Any) -> bool | None:
    """Whether a model has experts; None where it is not known."""
    name = reference.get("extends") if isinstance(reference, dict) else reference
    if not isinstance(name, str):
        return None
    try:
        data = catalog.load("model", name).data
    except InputError:
        return None
    keys = ("moe", "num_experts", "n_routed_experts", "num_local_experts")
    return any(data.get(key) for key in keys)


def is_cached(reference: Any) -> bool:
    """Whether a model's own configuration, with what it says of quantization, is in the local cache."""
    return isinstance(reference, str) and "/" in reference and in_catalog(reference) is None and _on_disk(reference)

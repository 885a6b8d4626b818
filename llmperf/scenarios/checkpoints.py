"""Checkpoints by name: which model of the catalog an id is of, and in which format its name says that it is.

Hugging Face ids, quantizers' repositories, tags (``:Q4_K_M``) and folders all end in what was done to a model. Flags,
files, deployments and benchmark runs ask here, so that one id means the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from llmperf.importers.quantization import weight_only
from llmperf.records import dataclass
from llmperf.scenarios import catalog

GGUF, GGUF_DEFAULT = "gguf", "q4_k_m"
"""A repository of GGUF files, and what llama.cpp takes of it where no tag says (common/arg.cpp, ``--hf-repo``)."""
USUAL_GROUP = 128
"""Weights that share a scale where the name of an integer format does not say it, AWQ's and GPTQ's usual."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint's name says.

    Attributes
    ----------
    model : str
        The model of the catalog.
    weights : str, mapping or None
        The format that the name says; None where it says none.
    name : str
        What the model is called there, without what says the format.
    """

    model: str
    weights: Any
    name: str


def _integers(match: re.Match[str]) -> Any:
    """AWQ, GPTQ and their like: bits and group, 4 and 128 where the name says none."""
    said = [int(group) for key, group in match.groupdict().items() if key.startswith("bits") and group]
    bits, size = said[0] if said else 4, int(match["group"] or USUAL_GROUP)
    if (bits, size) in _OF_CATALOG:
        return _OF_CATALOG[bits, size]
    return weight_only(match["tool"] or match["tool_last"] or "gptq", bits, size, zero=bits)


_OF_CATALOG = {(4, 128): "w4a16-g128", (8, 128): "w8a16-g128"}


def _weights_only(match: re.Match[str]) -> Any:
    """``w4a16-g32``: symmetric integers, as compressed-tensors packs them; 4 bits in 128 as everyone has them."""
    bits, group = int(match["bits"]), int(match["group"] or USUAL_GROUP)
    return _OF_CATALOG.get((bits, group)) or weight_only("compressed", bits, group, zero=0)


def _mlx(match: re.Match[str]) -> Any:
    """MLX: groups of 64 with a scale and a bias of 16 bits."""
    return weight_only("mlx", int(match["bits"]), int(match["group"] or 64), zero=16)


def _exl(match: re.Match[str]) -> Any:
    """ExLlama: so many bits a weight on average, scales included."""
    bits = float((match["bits"] or match["bits_first"]).replace("_", "."))
    return weight_only("exl2" if "exl3" not in match[0] else "exl3", bits, None, zero=0)


def _gguf(match: re.Match[str]) -> Any:
    """Block types of llama.cpp and their mixes; where a mix is not known, the next smaller one."""
    if match["type"] is None:
        return GGUF
    name = re.sub(r"[-_]", "_", match["type"])
    known = catalog.paths("weights")
    for form in (name, name.replace("_xl", "_m"), name.replace("_l", "_m"), name.rpartition("_")[0]):
        if form in known:
            return form
    return None


_TOOLS = "awq|gptq|gptqmodel|auto-?round|autoround"
_BITS = r"(?:int|w)?-?(?P<{0}>[2-8])-?(?:bits?|a16)?"
_BITS_FIRST = r"(?:int(?P<bits_b>[2-8])|(?P<bits_c>[2-8])-?bits?|w(?P<bits_d>[2-8])(?:a16)?)"
_GROUP = r"(?:g|gs|group-?)?(?P<{0}>16|32|64|128|1024)g?"
_TYPE = r"(?:ud[-_.]|i1[-_.])?(?P<type>i?q[1-8](?:[-_](?:k|0|1|nl|xxs|xs|s|m)(?:[-_](?:xs|s|m|l|xl))?)?|tq[12][-_]0)"

FORMATS: tuple[tuple[str, str | Callable[[re.Match[str]], Any]], ...] = (
    (r"fp8[-_]block(?:wise)?(?:[-_]\d+x\d+)?|block[-_]fp8", "fp8-block"),
    (r"(?:w8a8[-_])?(?:fp8|float8|f8)(?:[-_](?:dynamic|kv|static|e4m3|tensor|ptpc|per[-_]tensor|w8a8))*", "fp8"),
    (r"mxfp4", "mxfp4"),
    (r"mxfp8", "mxfp8"),
    (r"mxfp6", "mxfp6"),
    (r"(?:nvfp4|fp4)(?:[-_](?:awq|v\d|fp8[-_]kv|kv[-_]fp8|dynamic))*|w4a4", "nvfp4"),
    (r"(?:quantized[-_.])?(?:w8a8(?:[-_]int8)?|int8(?:[-_]w8a8)?|smoothquant|bnb[-_](?:8bit|int8))", "w8a8-int8"),
    (r"(?:quantized[-_.])?w(?P<bits>[2-8])a16(?:[-_]?g(?P<group>16|32|64|128))?", _weights_only),
    (
        rf"(?:(?P<tool>{_TOOLS})(?:[-_]{_BITS.format('bits_a')})?"
        rf"|{_BITS_FIRST}[-_](?P<tool_last>{_TOOLS}))(?:[-_]{_GROUP.format('group')})?"
        r"(?:[-_](?:marlin|sym|asym|symmetric|asymmetric|inc|actorder|true))*|int(?P<bits_e>[2-4])",
        _integers,
    ),
    (r"(?:unsloth[-_])?(?:bnb[-_](?:4bit|nf4|int4)|nf4|bitsandbytes(?:[-_]4bit)?)", "nf4"),
    (
        r"exl[23][-_:]?(?P<bits>\d(?:[._]\d+)?)(?:[-_]?bpw)?(?:[-_]h\d)?"
        r"|(?P<bits_first>\d(?:[._]\d+)?)[-_]?bpw(?:[-_]h\d)?(?:[-_]exl[23])?",
        _exl,
    ),
    (r"(?:mlx[-_])?(?P<bits>[2-8])-?bit(?:[-_]gs?(?P<group>32|64|128))?(?:[-_](?:mlx|dwq))*", _mlx),
    (rf"(?:{_TYPE}[-_.])?gguf", _gguf),
    (_TYPE, _gguf),
    (r"bf16|bfloat16|f16|fp16|float16", "bf16"),
    (r"fp32|f32|float32", "fp32"),
)
"""What names of checkpoints say of their weights, lower case, and the format: of the catalog, or written out."""

OWN_FP8 = {"qwen": "fp8-block"}
"""Makers whose checkpoints called FP8 have scales of blocks of 128 x 128 (model cards of Qwen3: "fine-grained fp8")."""

SAME_SHAPE = re.compile(
    r"[-_](?:exl[23]|instruct|chat|it|hf|base|pt|thinking|preview|latest|mlx|qat|unsloth|abliterated|uncensored|v0\.\d|\d{4})$",
    re.ASCII,
)
"""Ends of names that change no shape; of an ExLlama checkpoint a tag says the width, or nothing does."""


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[re.Pattern[str], re.Pattern[str], str | Callable[[re.Match[str]], Any]], ...]:
    return tuple(
        (re.compile(rf"(?:{text})", re.ASCII), re.compile(rf"[-_.](?:{text})$", re.ASCII), found)
        for text, found in FORMATS
    )


def format_named(text: str) -> Any:
    """The weight format that a name as tools write it stands for: ``gptq-int8``, ``4.65bpw``; None where none does."""
    plain = text.strip().lower().replace(" ", "-")
    for whole, _, found in _patterns():
        match = whole.fullmatch(plain)
        if match is not None:
            return found if isinstance(found, str) else found(match)
    return None


def _without_format(name: str) -> tuple[str, Any]:
    """A name without what says a format at its end, and that format: of those that fit the longest."""
    best: tuple[int, Any] | None = None
    for _, end, found in _patterns():
        match = end.search(name)
        if match is not None and (best is None or match.start() < best[0]):
            form = found if isinstance(found, str) else found(match)
            best = best if form is None else (match.start(), form)
    return (name, None) if best is None else (name[: best[0]], best[1])


def by_name(reference: str, extra: tuple[str, ...] = ()) -> Checkpoint | None:
    """The model that a checkpoint's name says, and the format of its weights.

    Parts are removed from the end until a known name is left: what says the quantization, of which the last one holds,
    and ``-Instruct`` and its like.

    Parameters
    ----------
    reference : str
        ``organization/name``, ``organization/name:tag``, ``name``, or a folder.
    extra : tuple of str
        Catalog directories that go before all others.
    """
    maker, _, name = reference.strip().rstrip("/\\").lower().replace("\\", "/").rpartition("/")
    name, _, tag = name.partition(":")
    weights = format_named(tag) if tag else None
    if tag and weights is None:
        name = f"{name}-{tag}"
        if not maker:  # Ollama's names: a size, and what was done to the model
            weights = "q4_0" if tag.endswith("-qat") else GGUF
    known = called(extra)
    while True:
        for form in (name, name.removeprefix("meta-")):
            found = known.get(catalog.squeezed(form))
            if found is not None:
                return Checkpoint(found, _of_gguf(found, extra) if weights == GGUF else weights, form)
        rest, said = _without_format(name)
        if said is None:
            match = SAME_SHAPE.search(name)
            if match is None or (weights is None and "exl" in match[0]):
                return None
            rest = name[: match.start()]
        elif weights is None:
            weights = OWN_FP8.get(maker.rpartition("/")[2], said) if said == "fp8" else said
        name = rest


def _of_gguf(model: str, extra: tuple[str, ...]) -> str:
    """The format of a repository of GGUF files: the usual one, or MXFP4 where the model is released in it."""
    released = catalog.load("model", model, extra).data.get("released")
    return "mxfp4" if released == "mxfp4" else GGUF_DEFAULT


def called(extra: tuple[str, ...] = ()) -> dict[str, str]:
    """What models of the catalog are called, squeezed: names, aliases and last parts of aliases, and their names."""
    return _called(tuple(catalog.paths("model", extra)), tuple(catalog.aliases("model", extra).items()))


@lru_cache(maxsize=16)
def _called(names: tuple[str, ...], aliases: tuple[tuple[str, str], ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(catalog.squeezed(name), name)
    for alias, name in aliases:
        found.setdefault(catalog.squeezed(alias), name)
    for alias, name in aliases:
        found.setdefault(catalog.squeezed(alias.rpartition("/")[2]), name)
    return found

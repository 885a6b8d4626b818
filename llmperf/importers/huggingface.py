"""Models from a Hugging Face ``config.json``: a small mapping for each architecture, a plain decoder for the rest.

No key that may shape the model is ignored: what a mapping does not read is named in a warning, or refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from llmperf.descriptors.model import Model, contradictions
from llmperf.errors import InputError, Problem, nearest, shown
from llmperf.files import store
from llmperf.importers import generic
from llmperf.importers.families import FAMILIES, GENERIC, by_model_type
from llmperf.importers.quantization import quantization
from llmperf.importers.reader import Reader, printable, unknown_keys
from llmperf.importers.towers import towers

DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32", "half": "fp16", "float": "fp32"}
"""Names of torch dtypes, and the names of the model descriptor."""

NESTED = ("text_config", "llm_config", "language_config", "thinker_config")
"""Where multimodal models keep the language model's part."""

OUTER = ("torch_dtype", "dtype", "quantization_config", "compression_config", "_name_or_path", "tie_word_embeddings")
"""Keys of the whole that hold for the language model as well."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What a config.json says.

    Parameters
    ----------
    model : dict
        A document of `llmperf.descriptors.model.Model`.
    weights : str, dict or None
        Weight format that the config's quantization implies: a name of the catalog, or a document of
        `llmperf.descriptors.weights.WeightFormat`; None where it implies none.
    kv_cache : str or None
        Name of the KV-cache format that it implies.
    warnings : tuple of str
        What was assumed or left out.
    """

    model: dict[str, Any]
    weights: str | dict[str, Any] | None = None
    kv_cache: str | None = None
    warnings: tuple[str, ...] = ()


def from_config(config: Mapping[str, Any], file: str | None = None) -> Imported:
    """Model, weight format and KV-cache format that a Hugging Face ``config.json`` describes.

    Parameters
    ----------
    config : mapping
        The parsed ``config.json``.
    file : str, optional
        Where it was read, for messages and for the model's `sources`; a ``hf_quant_config.json`` beside it is read
        where the config itself says nothing of quantization.

    Returns
    -------
    Imported
        The model document, and what was assumed on the way.

    Raises
    ------
    InputError
        With every fault found: missing, renamed or malformed keys, unknown quantization, parts that the model
        descriptor cannot express.
    """
    if not isinstance(config, Mapping):
        raise InputError(Problem(f"{shown(config)} is not a mapping of keys, as config.json must be", file=file))
    read = Reader(_unwrap(config), file)
    read.architecture = _architecture(read)
    family = FAMILIES.get(read.architecture, GENERIC)
    model = {"name": _name(read.config, file), "family": family.name, **family.build(read)}
    model["dtype"] = _dtype(read)
    model["sources"] = {"all": "Hugging Face config.json: " + (printable(file) or "not read from a file")}
    weights, kv_cache = quantization(read, _quantization_beside(read))
    if family is GENERIC and (problem := generic.refused(read)):
        raise InputError(problem)
    unknown_keys(read, moe=family.moe)
    if not read.problems:
        read.problems.extend(_contradictions(model, file))
    if read.problems:
        raise InputError(read.problems)
    beside, said = towers(config, model["hidden"])
    if beside:
        model["towers"] = beside
    return Imported(model, weights, kv_cache, (*said, *read.warnings))


def _unwrap(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The language model's part of a config that nests it, as multimodal models do."""
    for key in NESTED:
        inner = config.get(key)
        if not isinstance(inner, Mapping):
            continue
        outer = {name: config[name] for name in OUTER if config.get(name) is not None}
        if not inner.get("architectures") and not inner.get("model_type"):
            outer |= {name: config[name] for name in ("architectures", "model_type") if name in config}
        # transformers ties the head as the whole says, whatever its language model's part does
        tied = {key: outer[key] for key in ("tie_word_embeddings",) if key in outer}
        return {**outer, **inner, **tied}
    return config


def _architecture(read: Reader) -> str:
    """Name of the architecture; where none can be told the import ends, for nothing can be checked without it."""
    named: Any = read.config.get("architectures")
    if isinstance(named, Sequence) and not isinstance(named, str):
        named = named[0] if named else None
    if "d_model" in read.config and "n_layer" in read.config and "hidden_size" not in read.config and named is None:
        return "Mamba2ForCausalLM"  # state-spaces' own tools name no architecture; ssm_cfg tells which it is
    model_type = read.config.get("model_type")
    if named is None:
        named = by_model_type(model_type) or model_type
    elif isinstance(named, str) and named not in FAMILIES and (like := by_model_type(model_type)):
        read.warn("architectures", f"{shown(named)} is imported as {like}, as model_type says")
        named = like
    if isinstance(named, str) and (named in FAMILIES or generic.is_plain(read, named)):
        return named
    raise InputError(generic.not_mapped(read, named, FAMILIES))


def _name(config: Mapping[str, Any], file: str | None) -> str:
    """Name of the model: its file's, or its folder's when the file is plain ``config.json``."""
    if file:
        path = PurePath(file)
        name = path.parent.name if path.name == "config.json" else path.stem
        if path.name == "config.json" and path.parent.parent.name == "snapshots":
            # the local cache: models--organization--name/snapshots/revision/config.json
            name = path.parent.parent.parent.name.rpartition("--")[2]
        if printable(name):
            return printable(name)
    given = config.get("_name_or_path")
    return (printable(PurePath(given).name) if isinstance(given, str) else "") or "imported"


def _dtype(read: Reader) -> str:
    """Dtype of the checkpoint; newer configs call it ``dtype``, older ones ``torch_dtype``."""
    value = read.text("torch_dtype") or read.text("dtype")
    if value is None:
        read.warn("torch_dtype", "not given; bf16 is taken")
        return "bf16"
    dtype = DTYPES.get(value.removeprefix("torch."))
    if dtype is None:
        read.problem("torch_dtype", f"{shown(value)} is not a known dtype", tuple(DTYPES), nearest(value, DTYPES))
    if dtype == "fp32":
        read.warn("torch_dtype", "the checkpoint is fp32; engines usually serve it as bf16")
    return dtype or "bf16"


def _quantization_beside(read: Reader) -> Mapping[str, Any] | None:
    """The ``quantization`` of ``hf_quant_config.json``, which Model Optimizer writes beside the config."""
    if read.file is None or PurePath(read.file).name != "config.json" or read.has("quantization_config"):
        return None
    path = Path(read.file).with_name("hf_quant_config.json")
    store.touch(path)  # its coming into being changes the model as well
    try:
        if not path.is_file():
            return None
    except (OSError, ValueError):  # a path that the system refuses
        return None
    data = store.load_file(str(path)).data
    written = data.get("quantization") if isinstance(data, Mapping) else None
    if not isinstance(written, Mapping):
        raise InputError(Problem("is missing, or no mapping", "quantization", str(path)))
    return {"quant_method": "modelopt", **written} if written.get("quant_algo") is not None else None


def _contradictions(model: dict[str, Any], file: str | None) -> list[Problem]:
    """What in the finished document contradicts itself."""
    from pydantic import TypeAdapter, ValidationError

    try:
        checked = TypeAdapter(Model).validate_python(model)
    except ValidationError as error:
        # Each key was checked, but what is derived from several of them may still be out of range.
        return [Problem(e["msg"], ".".join(map(str, e["loc"])), file) for e in error.errors(include_url=False)]
    return [Problem(message, path, file) for path, message in contradictions(checked)]

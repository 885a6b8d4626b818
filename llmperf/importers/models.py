"""Models that others have described: Hugging Face configurations with their checkpoints, and GGUF files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llmperf.errors import InputError, Problem
from llmperf.files import store
from llmperf.files.documents import Document
from llmperf.importers.checkpoint import LEAST, Checkpoint
from llmperf.importers.huggingface import from_config

Found = tuple[Document, list[str], dict[str, Any]]
"""A model's document, what its importer warned of, and the formats that it implies."""


def from_configuration(document: Document) -> Found:
    """A Hugging Face config.json; safetensors beside it are summed up from their headers.

    Raises
    ------
    InputError
        If the configuration cannot be expressed.
    """
    imported = from_config(document.data, document.file)
    implied = {"weights": imported.weights, "kv_cache": imported.kv_cache}
    warnings = [*imported.warnings, *_checkpoint(document.file, imported.model)]
    return Document(imported.model, document.file), warnings, {key: value for key, value in implied.items() if value}


def _checkpoint(file: str | None, model: dict[str, Any]) -> list[str]:
    """What the safetensors beside a configuration hold, in one line, and what is wrong with them.

    Raises
    ------
    InputError
        If they hold far less than the configuration describes: one of the two is another model's.
    """
    if file is None:
        return []
    folder = Path(file).parent
    tensors = sorted(folder.glob("*.safetensors"))
    for path in (folder, *tensors):
        store.touch(path)
    if not tensors:
        return []
    from llmperf.importers.safetensors import exact_bytes

    try:
        found = exact_bytes(folder)
    except InputError as error:
        return [f"its safetensors are not read: {problem}" for problem in error.problems]
    if found.whole and (counted := _described(model)) and found.most_parameters < LEAST * counted:
        text = (
            f"the safetensors beside it hold {found.bytes / 1e9:,.3g} GB in {found.tensors:,} tensors, far less "
            f"than the {counted / 1e9:,.3g} billion parameters that it describes"
        )
        hint = "one of the two is another model's, or parts of the checkpoint are missing"
        raise InputError(Problem(text, "", file, suggestion=hint))
    dtypes = ", ".join(f"{dtype} {size / 1e9:.3g} GB" for dtype, size in found.bytes_by_dtype.items())
    summary = f"its checkpoint holds {found.bytes / 1e9:,.4g} GB in {found.tensors:,} tensors ({dtypes})"
    return [summary, *found.warnings]


def _described(model: dict[str, Any]) -> int:
    """Parameters that a model's document describes; 0 of one that is refused for another reason."""
    from pydantic import TypeAdapter, ValidationError

    from llmperf.descriptors.model import Model
    from llmperf.descriptors.parameters import parameters

    try:
        return parameters(TypeAdapter(Model).validate_python(model))
    except (ValidationError, ArithmeticError, ValueError):
        return 0


def from_gguf(file: str) -> Found:
    """A GGUF file: the shape from its metadata, the weight format from its tensors.

    Raises
    ------
    InputError
        If the file cannot be read, or its architecture is not known.
    """
    from llmperf.importers.gguf import checkpoint, read_parts
    from llmperf.importers.gguf_model import to_model

    store.touch(file)
    header = read_parts(Path(file))
    model, warnings = to_model(header)
    return Document(model, file), list(warnings), {"weights": _weights(file, checkpoint(header))}


def _weights(file: str, found: Checkpoint) -> dict[str, Any]:
    """The weight format of a checkpoint: mean bits of its linear layers, and of what else it holds."""
    others = found.parameters - found.linear_parameters
    kept = 8.0 * (found.bytes - found.linear_bytes) / others if others else 16.0
    linear = 8.0 * found.linear_bytes / found.linear_parameters if found.linear_parameters else kept
    return {
        "name": "gguf",
        "bits": linear,
        "kept_bits": kept,
        "weight_only": linear < 16.0,
        "dequantize_flops": 2 if linear < 16.0 else 0,
        "sources": {"all": f"mean over the tensors of {Path(file).name}"},
    }

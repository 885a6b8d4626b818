"""The parts of a scenario that the catalog names: found, merged with what overrides them, and built once."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, replace
from typing import Any

from llmperf.descriptors import hardware as hardware_module
from llmperf.descriptors import kv_cache as kv_cache_module
from llmperf.descriptors import model as model_module
from llmperf.descriptors import weights as weights_module
from llmperf.descriptors.achieved import Achieved
from llmperf.descriptors.attention import AttentionKernel
from llmperf.descriptors.engine import ServingEngine
from llmperf.descriptors.hardware import PARTS, Hardware, LinkEntry, TierEntry
from llmperf.descriptors.kv_cache import KvCacheFormat
from llmperf.descriptors.model import Model
from llmperf.descriptors.validation import build
from llmperf.descriptors.weights import WeightFormat
from llmperf.errors import InputError, Problem, shown
from llmperf.files import store
from llmperf.files.documents import Document
from llmperf.scenarios import catalog

COMPONENTS: dict[str, type[Any]] = {
    "model": Model,
    "hardware": Hardware,
    "weights": WeightFormat,
    "kv_cache": KvCacheFormat,
    "engine": ServingEngine,
    "attention": AttentionKernel,
}
"""Keys of a scenario that name an entry of the catalog; an engine comes before the attention kernel that it names."""

ENTRIES: dict[str, type[Any]] = {**COMPONENTS, "achieved": Achieved, "link": LinkEntry, "tier": TierEntry}
"""Kinds of the catalog that are descriptors of their own."""


def _known(kind: str) -> Callable[[Any], Collection[str]]:
    keys = frozenset(item.name for item in fields(ENTRIES[kind]))
    return lambda data: data if kind == "model" and _is_config(data) else keys


catalog.KNOWN.update({kind: _known(kind) for kind in ENTRIES})

CHECKS: dict[str, Callable[[Any], list[tuple[str, str]]]] = {
    "hardware": hardware_module.contradictions,
    "kv_cache": kv_cache_module.contradictions,
    "weights": weights_module.contradictions,
}
"""What finds contradictions within an entry of a kind."""

DEFAULTS: dict[str, Any] = {"weights": "bf16", "kv_cache": "bf16", "engine": "generic", "attention": "fused"}


def component(kind: str, reference: str, extra: tuple[str, ...] = ()) -> Any:
    """One descriptor of the catalog by name, alias or file.

    Raises
    ------
    InputError
        If there is none, or it is wrong.
    """
    return built(kind, reference, extra)[0]


def frozen(value: Any, path: str) -> Any:
    """A hashable form of a component's reference, so that the same one is built once."""
    if isinstance(value, Mapping):
        return tuple((key, frozen(item, f"{path}.{key}")) for key, item in value.items())
    if isinstance(value, list | tuple):
        return ("[]", *(frozen(item, path) for item in value))
    if value is None or isinstance(value, str | int | float):
        return value
    raise InputError(Problem(f"{shown(value)} is no name, number, list or mapping", path))


def _thawed(value: Any) -> Any:
    if isinstance(value, tuple):
        if value[:1] == ("[]",):
            return [_thawed(item) for item in value[1:]]
        return {key: _thawed(item) for key, item in value}
    return value


Built = tuple[Any, list[str], dict[str, Any]]
"""A descriptor, what its importer warned of, and the formats that a model's config implies."""

_built = store.MadeOfFiles(512)


def built(name: str, key: Any, extra: tuple[str, ...]) -> Built:
    """One component, built anew only when the reference, or a file of the user's behind it, is another."""
    where = (os.environ.get("LLMPERF_CATALOG"), os.getcwd())  # noqa: PTH109 (cheaper than a Path)
    found: Built = _built.get((name, key, extra, where), lambda: _build(name, key, extra))
    return found


def _build(name: str, key: Any, extra: tuple[str, ...]) -> Built:
    value = _thawed(key)
    if name == "model":
        document, warnings, implied = _imported(value, extra)
        return build(Model, document, _prefix(name, document), model_module.contradictions), warnings, implied
    found = _document(name, value, extra)
    document = _whole(name, found, extra)
    made = build(ENTRIES[name], document, _prefix(name, document), CHECKS.get(name))
    return made, catalog.hiding(name, found), {}


def check(kind: str, document: Document, extra: tuple[str, ...]) -> None:
    """Raise what is wrong with an entry by itself, whether or not it says enough for an estimate.

    Raises
    ------
    InputError
        With every value that is of another sort than its key takes.
    """
    if kind in ENTRIES:
        build(ENTRIES[kind], _whole(kind, document, extra), _prefix(kind, document))


def _whole(kind: str, document: Document, extra: tuple[str, ...]) -> Document:
    """An entry with what it takes from others by name."""
    return _with_achieved(_with_parts(document, extra), extra) if kind == "hardware" else document


def _imported(value: Any, extra: tuple[str, ...]) -> tuple[Document, list[str], dict[str, Any]]:
    """A model's document, from the catalog, a Hugging Face configuration or a GGUF file."""
    if isinstance(value, str) and value.endswith(".gguf"):
        from llmperf.importers.models import from_gguf

        return from_gguf(value)
    document = _document("model", value, extra)
    if not _is_config(document.data):
        return document, catalog.hiding("model", document), {}
    from llmperf.importers.models import from_configuration

    limit = {key: value[key] for key in _OF_OURS if key in value} if isinstance(value, Mapping) else {}
    if not limit:
        return from_configuration(document)
    config = {key: item for key, item in document.data.items() if key not in _OF_OURS}
    found, warnings, implied = from_configuration(Document(config, document.file, document.lines))
    return Document({**found.data, **limit}, found.file, found.lines), warnings, implied


_OF_OURS = ("max_context",)
"""Keys of a model descriptor that may stand on top of a Hugging Face configuration, which knows them by other names."""


def _prefix(name: str, document: Document) -> str:
    return "" if document.file else name


def _is_config(data: Any) -> bool:
    """Whether a model document is a Hugging Face config.json, not one of ours."""
    return isinstance(data, Mapping) and ("model_type" in data or "architectures" in data or "ssm_cfg" in data)


def _document(name: str, value: Any, extra: tuple[str, ...]) -> Document:
    if isinstance(value, str):
        return catalog.load(name, value, extra, name)
    if not isinstance(value, Mapping):
        raise InputError(Problem(f"must be a name, a file or a mapping, not {shown(value)}", name))
    base = value.get("extends")
    own = {key: item for key, item in value.items() if key != "extends"}
    if base is None:
        default = DEFAULTS.get(name) if "name" not in own else None
        if default is None:
            return Document({"name": "inline", "sources": {"all": "inline"}, **own})
        base = default
    if not isinstance(base, str):
        raise InputError(Problem(f"{shown(base)} is not a name", f"{name}.extends"))
    document = catalog.load(name, base, extra, f"{name}.extends")
    inner = own.get("achieved")
    if isinstance(inner, Mapping) and "extends" not in inner and isinstance(document.data.get("achieved"), str):
        own["achieved"] = {"extends": document.data["achieved"], **inner}
    return Document(catalog.merge(document.data, own), None if own else document.file, layers=document.layers)


def _with_parts(document: Document, extra: tuple[str, ...]) -> Document:
    """The hardware with the links and memories that it takes from the catalog in place of their names."""
    data = dict(document.data)
    for section, (kind, taken) in PARTS.items():
        parts = data.get(section)
        if not isinstance(parts, Mapping):
            continue
        for name, part in parts.items():
            if not isinstance(part, Mapping) or not isinstance(part.get("extends"), str):
                continue
            path = f"{section}.{name}"
            try:
                entry = catalog.load(kind, part["extends"], extra, f"{path}.extends").data
            except InputError as error:
                file, line = document.file, document.line(path)
                raise InputError([p if p.file else replace(p, file=file, line=line) for p in error.problems]) from None
            own = {key: value for key, value in part.items() if key != "extends"}
            base = {key: entry[key] for key in taken if key in entry}
            data[section] = {**data[section], name: catalog.merge(base, own)}
            said = "; ".join(str(source) for source in (entry.get("sources") or {}).values())
            data["sources"] = {path: said, **(data.get("sources") or {})}
    return Document(data, document.file, document.lines, layers=document.layers)


def _with_achieved(document: Document, extra: tuple[str, ...]) -> Document:
    """The hardware with the efficiencies that it names in place of their name."""
    value = document.data.get("achieved")
    if value is None and "engines" in document.data:
        raise InputError(
            Problem(
                "is missing",
                "achieved",
                document.file,
                None,
                tuple(
                    name for name in catalog.files("achieved", extra) if name not in catalog.files("hardware", extra)
                ),
                "efficiencies of its class, such as gpu-datacenter",
            )
        )
    own = {}
    if isinstance(value, Mapping):
        own = {key: item for key, item in value.items() if key != "extends"}
        value = value.get("extends")
    if not isinstance(value, str):
        return document
    try:
        data = catalog.merge(catalog.load("achieved", value, extra, "achieved").data, own)
    except InputError as error:
        file, line = document.file, document.line("achieved")
        raise InputError([p if p.file else replace(p, file=file, line=line) for p in error.problems]) from None
    return Document({**document.data, "achieved": data}, document.file, document.lines, layers=document.layers)

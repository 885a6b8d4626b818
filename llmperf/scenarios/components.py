"""The parts of a scenario that the catalog names: found, merged with what overrides them, and built once."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from llmperf.descriptors import hardware as hardware_module
from llmperf.descriptors import kv_cache as kv_cache_module
from llmperf.descriptors import model as model_module
from llmperf.descriptors import traffic as traffic_module
from llmperf.descriptors import weights as weights_module
from llmperf.descriptors.achieved import Achieved
from llmperf.descriptors.attention import AttentionKernel
from llmperf.descriptors.engine import ServingEngine
from llmperf.descriptors.hardware import PARTS, Hardware, LinkEntry, TierEntry
from llmperf.descriptors.kv_cache import KvCacheFormat
from llmperf.descriptors.model import Model
from llmperf.descriptors.traffic import Traffic
from llmperf.descriptors.validation import build
from llmperf.descriptors.weights import WeightFormat
from llmperf.errors import InputError, Problem, nearest, shown
from llmperf.files import store
from llmperf.files.documents import Document
from llmperf.kept import MadeOfObjects
from llmperf.scenarios import catalog

if TYPE_CHECKING:
    from llmperf.scenarios.checkpoints import Checkpoint

COMPONENTS: dict[str, type[Any]] = {
    "model": Model,
    "hardware": Hardware,
    "weights": WeightFormat,
    "kv_cache": KvCacheFormat,
    "engine": ServingEngine,
    "attention": AttentionKernel,
}
"""Keys of a scenario that name an entry of the catalog; an engine comes before the attention kernel that it names."""

ENTRIES: dict[str, type[Any]] = {
    **COMPONENTS,
    "achieved": Achieved,
    "link": LinkEntry,
    "tier": TierEntry,
    "traffic": Traffic,
}
"""Kinds of the catalog that are descriptors of their own."""


def _known(kind: str) -> Callable[[Any], Collection[str]]:
    keys = frozenset(item.name for item in fields(ENTRIES[kind]))
    return lambda data: data if kind == "model" and _is_config(data) else keys


catalog.KNOWN.update({kind: _known(kind) for kind in ENTRIES})

CHECKS: dict[str, Callable[[Any], list[tuple[str, str]]]] = {
    "hardware": hardware_module.contradictions,
    "kv_cache": kv_cache_module.contradictions,
    "traffic": traffic_module.statistics,
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


Implied = tuple[Any, str]
"""A format that a model implies where none is named, and why in words; empty where its own file says it."""
Built = tuple[Any, list[str], dict[str, Implied]]
"""A descriptor, what its importer warned of, and the formats that a model implies."""

_built = store.MadeOfFiles(512)


def built(name: str, key: Any, extra: tuple[str, ...], device: Device | None = None) -> Built:
    """One component, built anew only when the reference, or a file of the user's behind it, is another.

    An engine may have defaults that depend on the `device`.
    """
    where = (os.environ.get("LLMPERF_CATALOG"), os.getcwd())  # noqa: PTH109 (cheaper than a Path)
    found: Built = _built.get((name, key, extra, where, device), lambda: _build(name, key, extra, device))
    return found


Device = tuple[float, str]
"""Memory that programs see, and name of a device."""


def device_of(hardware: Hardware) -> Device:
    """What defaults of engines depend on."""
    capacity = hardware.main.capacity
    assert capacity is not None
    return capacity - hardware.main.reserved, hardware.name


def _for_device(document: Document, device: Device) -> Document:
    """An engine's entry with the defaults for a device below what it says itself."""
    rows = build(ServingEngine, document, _prefix("engine", document)).by_device
    memory, name = device
    for row, data in zip(rows, document.data.get("by_device", ()), strict=True):
        if memory >= row.memory and not any(word in name for word in row.excepted):
            values = {key: value for key, value in data.items() if key not in ("memory", "excepted")}
            return replace(document, data=catalog.merge(values, document.data))
    return document


def _build(name: str, key: Any, extra: tuple[str, ...], device: Device | None = None) -> Built:
    value = _thawed(key)
    if name == "model":
        return _built_model(value, extra)
    found = _document(name, value, extra)
    document = _whole(name, found, extra)
    if device is not None:
        document = _for_device(document, device)
    try:
        made = build(ENTRIES[name], document, _prefix(name, document), CHECKS.get(name))
    except InputError:
        if name == "hardware":
            _check_capacity(document, extra)
        raise
    return made, catalog.hiding(name, found), {}


_released: MadeOfObjects[WeightFormat] = MadeOfObjects(256)


def traffic(value: Any, document: Document, extra: tuple[str, ...]) -> Traffic:
    """Traffic of a scenario: a name of the catalog, values on top of one, or values alone.

    Raises
    ------
    InputError
        If there is no such entry, or a value is wrong.
    """
    reference = value.get("extends") if isinstance(value, Mapping) else value
    if isinstance(reference, str):
        base = catalog.load("traffic", reference, extra, "traffic").data
        own = {key: item for key, item in value.items() if key != "extends"} if isinstance(value, Mapping) else {}
        document = replace(document, data=catalog.merge(_without_way(base, own), own))
    return build(Traffic, document, "traffic")


def _without_way(base: Mapping[str, Any], own: Mapping[str, Any]) -> Mapping[str, Any]:
    """Named traffic without how its requests come, where a scenario has them come otherwise."""
    ways = [way for way in traffic_module.WAYS if own.get(way) is not None]
    if not ways or any(way in base for way in ways):  # the same way, at another rate
        return base
    return {key: value for key, value in base.items() if key not in (*traffic_module.WAYS, "think_time", "burstiness")}


def as_released(model: Model, weights: WeightFormat) -> WeightFormat:
    """A format as the makers of a model use it: what stays unquantized in their checkpoint, does where theirs is named.

    The same object for the same ones.
    """
    if weights.name != model.released or weights.keeps or not model.released_keeps:
        return weights
    return _released.get((model, weights), lambda: replace(weights, keeps=model.released_keeps))


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


def _built_model(value: Any, extra: tuple[str, ...]) -> Built:
    """A model, with the format of its weights where its file, its name or its makers say one, in this order."""
    reference = value.get("extends") if isinstance(value, Mapping) else value
    said: list[str] = []
    found = None
    try:
        document, warnings, formats = _imported(value, extra)
    except InputError as error:
        found = _by_name(reference, error, extra)
        value = {**value, "extends": found.model} if isinstance(value, Mapping) else found.model
        document, warnings, formats = _imported(value, extra)
        said = [f"{shown(reference)} is taken as {found.model}, by its name"]
    model = build(Model, document, _prefix("model", document), model_module.contradictions)
    implied: dict[str, Implied] = {key: (item, "") for key, item in formats.items()}
    if found is not None and found.weights is not None:
        implied["weights"] = (found.weights, f"by the name {shown(reference)}")
    elif (released := document.data.get("released")) is not None:
        implied.setdefault("weights", (released, f"in which {document.data['name']} is released"))
    return model, [*said, *warnings], implied


def _by_name(reference: Any, error: InputError, extra: tuple[str, ...]) -> Checkpoint:
    """What the name of a model says that neither the catalog nor the local cache has.

    Raises
    ------
    InputError
        The same, where it says nothing.
    """
    from llmperf.scenarios.checkpoints import by_name

    unknown = all(one.kind == "unknown_name" and one.path in ("model", "model.extends") for one in error.problems)
    found = by_name(reference, extra) if unknown and isinstance(reference, str) else None
    if found is None:
        raise error
    return found


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
        return _named(name, value, extra, name)
    if not isinstance(value, Mapping):
        raise InputError(Problem(f"must be a name, a file or a mapping, not {shown(value)}", name))
    base = value.get("extends")
    base = str(base) if type(base) is int else base  # aliases may be numbers: 4090
    own = {key: item for key, item in value.items() if key != "extends"}
    if base is None:
        default = DEFAULTS.get(name) if "name" not in own else None
        if default is None:
            return Document({"name": "inline", "sources": {"all": "inline"}, **own})
        base = default
    if not isinstance(base, str):
        raise InputError(Problem(f"{shown(base)} is not a name", f"{name}.extends"))
    document = _named(name, base, extra, f"{name}.extends")
    if name == "hardware":
        _check_parts(own, document.data)
    inner = own.get("achieved")
    if isinstance(inner, Mapping) and "extends" not in inner and isinstance(document.data.get("achieved"), str):
        own["achieved"] = {"extends": document.data["achieved"], **inner}
    return Document(catalog.merge(document.data, own), None if own else document.file, layers=document.layers)


def _named(kind: str, reference: str, extra: tuple[str, ...], path: str) -> Document:
    """A document of the catalog by its name, or by what people call it.

    Raises
    ------
    InputError
        If the catalog knows neither.
    """
    try:
        return catalog.load(kind, reference, extra, path)
    except InputError as error:
        found: Any = None
        if all(one.kind == "unknown_name" and one.path == path for one in error.problems):
            if kind == "hardware":
                from llmperf.scenarios.typed import hardware_described

                found = hardware_described(reference, extra)
            elif kind == "weights":
                from llmperf.scenarios.checkpoints import format_named

                found = format_named(reference)
            elif kind == "engine":
                from llmperf.scenarios.typed import engine_named

                found = engine_named(reference)
        if found is None:
            raise
    return _document(kind, found, extra) if isinstance(found, dict) else catalog.load(kind, found, extra, path)


def _check_parts(own: Mapping[str, Any], base: Mapping[str, Any]) -> None:
    """Refuse values of a memory, link or engine that the hardware does not have: a typing error is no new one.

    Raises
    ------
    InputError
        Names the nearest. A new part says its kind, or an entry of the catalog that it extends.
    """
    problems = []
    for section in ("tiers", "links", "engines"):
        parts, known = own.get(section), base.get(section)
        if not isinstance(parts, Mapping) or not isinstance(known, Mapping):
            continue
        for key, part in parts.items():
            if key not in known and isinstance(part, Mapping) and not {"kind", "extends"} & set(part):
                text = f"{base.get('name')} has no {section[:-1]} {shown(key)}; a new one needs its kind"
                near = nearest(str(key), known)
                problems.append(Problem(text, f"hardware.{section}.{key}", allowed=tuple(known), suggestion=near))
    if problems:
        raise InputError(problems)


def _check_capacity(document: Document, extra: tuple[str, ...]) -> None:
    """Refuse a processor whose memory is a choice that nobody made, with the ways to make it.

    Raises
    ------
    InputError
        If the main memory has a rate and no capacity.
    """
    tiers = document.data.get("tiers")
    mains = [key for key, tier in tiers.items() if _is_main(tier)] if isinstance(tiers, Mapping) else []
    if len(mains) != 1 or tiers[mains[0]].get("capacity") is not None or tiers[mains[0]].get("bandwidth") is None:
        return
    name = document.data.get("name")
    systems = [
        other
        for other, path in catalog.paths("hardware", extra).items()
        if (data := store.load_file(path).data) and isinstance(data, Mapping) and data.get("extends") == name
    ]
    path = f"tiers.{mains[0]}.capacity"
    hint = f"--set hardware.{path}='768 GB'" + "".join(f", or --hardware {one}, which has one" for one in systems[:2])
    text = f"needs a value: how much memory {name} has is a choice"
    file, line = document.where(f"tiers.{mains[0]}")
    raise InputError(Problem(text, path, file, line, suggestion=hint))


def _is_main(tier: Any) -> bool:
    return isinstance(tier, Mapping) and tier.get("kind") == "main"


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
        base = catalog.load("achieved", value, extra, "achieved").data
        if "fitted" in own:  # how well the base was fitted says nothing of these constants
            base = {key: item for key, item in base.items() if key != "fitted"}
        data = catalog.merge(base, own)
    except InputError as error:
        file, line = document.file, document.line("achieved")
        raise InputError([p if p.file else replace(p, file=file, line=line) for p in error.problems]) from None
    return Document({**document.data, "achieved": data}, document.file, document.lines, layers=document.layers)

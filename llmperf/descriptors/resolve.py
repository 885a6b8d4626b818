"""From what a user writes (file, flags, keywords) to a `Scenario` of frozen descriptors, with arrays bound last."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from llmperf.descriptors import catalog
from llmperf.descriptors.check import JUDGED, SEVERAL
from llmperf.descriptors.components import COMPONENTS, DEFAULTS, built, frozen
from llmperf.descriptors.consistency import check_together
from llmperf.descriptors.documents import MAX_DEPTH, Document, deeper_than
from llmperf.descriptors.model import Model
from llmperf.descriptors.parallelism import Parallelism
from llmperf.descriptors.placement import Placement
from llmperf.descriptors.scenario import Plain, Scenario
from llmperf.descriptors.validation import build
from llmperf.descriptors.workload import Workload
from llmperf.errors import InputError, Problem, nearest, shown

SECTIONS: dict[str, type[Any]] = {"parallelism": Parallelism, "placement": Placement, "workload": Workload}
"""Keys of a scenario that are mappings of their own."""

SCALARS = ("activations", "devices", "name", "description")

FLAT: dict[str, str] = {
    item.name: f"{section}.{item.name}"
    for section, cls in SECTIONS.items()
    for item in fields(cls)
    if not (section == "placement" and item.name in ("weights", "kv_cache"))
}
"""Keywords and flags that stand for a path: ``tp`` for ``parallelism.tp``, ``batch`` for ``workload.batch``."""

NOT_YET = {"training": "training", "traffic": "serving traffic"}
"""Keys that the contract reserves and this version does not answer; refused rather than ignored."""

MAX_CONFIGURATIONS = 20_000_000
"""Configurations of one call: about 3 GB of results."""

_KEYS = (*COMPONENTS, *SECTIONS, *SCALARS)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A scenario and what its resolution had to say.

    Attributes
    ----------
    scenario : Scenario
        Its arrays are flat and have one length.
    shape : tuple of int
        The broadcast shape of the arrays; empty where all are plain numbers.
    warnings : tuple of str
        What an importer assumed.
    asked : mapping
        What was written, as nested data with overrides on top; of arrays the first element.
    catalog : tuple of str
        Catalog directories that went before all others.
    """

    scenario: Scenario
    shape: tuple[int, ...]
    warnings: tuple[str, ...]
    asked: Mapping[str, Any] = field(default_factory=dict)
    catalog: tuple[str, ...] = ()

    def changed(self, keys: Mapping[str, Any]) -> Resolved:
        """What it would be with these keys on top, as flags put them there.

        Raises
        ------
        InputError
            If they do not suit the rest.
        """
        return resolve(self.asked, keys, self.catalog)


def written(
    reference: Mapping[str, Any] | str | Path | None, overrides: Mapping[str, Any], extra: tuple[str, ...] = ()
) -> tuple[dict[str, Any], Document | None]:
    """A scenario as plain nested data, from a mapping, a file or a name, with overrides on top.

    Raises
    ------
    InputError
        If a key of the overrides is unknown (names the nearest), or a scenario as data says a value twice.
    """
    document: Document | None = None
    if reference is None:
        data: dict[str, Any] = {}
    elif isinstance(reference, Mapping):
        data = flattened(without_checks(reference))
        if problems := twice(without_checks(reference)):
            raise InputError(problems)
        if isinstance(base := data.pop("extends", None), str):
            below = catalog.load("scenario", base, extra, "extends")
            data = over(without_checks(below.data, below), data)
    else:
        document = catalog.load("scenario", str(reference), extra)
        data = {
            key: catalog.beside(value, document.file) if key in COMPONENTS and isinstance(value, str) else value
            for key, value in without_checks(document.data, document).items()
        }
    return over(data, flattened(overrides)) if overrides else data, document


def without_checks(data: Mapping[str, Any], document: Document | None = None) -> dict[str, Any]:
    """A scenario without what only ``llmperf check`` reads.

    Raises
    ------
    InputError
        If it holds keys that make several scenarios of it.
    """
    several = [key for key in data if key in SEVERAL]
    if several:
        text = "makes checks of many scenarios, not one scenario"
        file = document.file if document else None
        raise InputError(
            [
                Problem(text, key, file, document.line(key) if document else None, suggestion="llmperf check runs them")
                for key in several
            ]
        )
    return {key: value for key, value in data.items() if key not in JUDGED}


def over(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """A scenario with another on top; the name of a component and values of it, one in each, come together."""
    out = catalog.merge(base, top)
    for name in COMPONENTS:
        below, above = base.get(name), top.get(name)
        if isinstance(below, str) and isinstance(above, Mapping) and not {"extends", "name"} & set(above):
            out[name] = {"extends": below, **above}
        elif isinstance(above, str) and isinstance(below, Mapping) and not {"extends", "name"} & set(below):
            out[name] = {**below, "extends": above}
    return out


def flattened(given: Mapping[str, Any]) -> dict[str, Any]:
    """Short names and dotted paths to nested mappings; in whatever order, what is written deeper goes on top."""
    out: dict[str, Any] = {}
    wrong = []
    for key, value in sorted(given.items(), key=lambda item: _path(str(item[0])).count(".")):
        if not isinstance(key, str):
            wrong.append(Problem(f"the key {shown(key)} is not a text"))
            continue
        if key.count(".") > MAX_DEPTH or deeper_than(value, MAX_DEPTH):
            wrong.append(Problem(f"is nested deeper than {MAX_DEPTH} levels", key))
            continue
        path = _path(key)
        head = path.partition(".")[0]
        if head not in _KEYS and head != "extends":
            wrong.append(_unknown(key))
            continue
        _put(out, path.split("."), value)
    if wrong:
        raise InputError(wrong)
    return out


def twice(given: Mapping[str, Any]) -> list[Problem]:
    """Values that a scenario says twice, in two spellings: ``batch: 2`` and ``workload: {batch: 8}``."""
    problems = []
    said: dict[str, tuple[str, Any]] = {}
    for key, value in given.items():
        for path, leaf in _leaves(_path(key), value):
            clash = next((one for one in said if _same(one, said[one][1], path, leaf) and said[one][0] != key), None)
            if clash is not None:
                text = f"is written twice, under {shown(said[clash][0])} and under {shown(key)}"
                problems.append(Problem(text, path, suggestion="write it once"))
            said.setdefault(path, (key, leaf))
    return problems


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every value below a path; a component that is named is what it extends, and may have values beside it."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}", inner)
    else:
        yield path.removesuffix(".extends") if isinstance(value, str) else path, value


def _same(one: str, value: Any, other: str, another: Any) -> bool:
    """Whether two paths are of the same value, or one is within the other and the other is no name."""
    if one == other:
        return True
    inside, above = (
        (other.startswith(f"{one}."), value) if len(one) < len(other) else (one.startswith(f"{other}."), another)
    )
    return inside and not isinstance(above, str)


def _path(key: str) -> str:
    return key if key in _KEYS or key == "extends" else FLAT.get(key, key)


def _unknown(key: str) -> Problem:
    if key in NOT_YET:
        return Problem(f"{NOT_YET[key]} cannot be estimated by this version", key)
    allowed = (*_KEYS, *FLAT)
    meant = FLAT.get(key) or nearest(key, allowed)  # in a file, short names stand for paths that must be written
    return Problem(f"unknown key {shown(key)}", key, allowed=allowed, suggestion=meant)


def _unknown_in_file(key: str) -> Problem:
    """An unknown key of a scenario file, where no short names and paths stand: the suggestion is nested."""
    problem = _unknown(key)
    head, *inner = _path(key if key in FLAT or "." in key else problem.suggestion or "").split(".")
    if not inner or head not in _KEYS:
        return problem
    return replace(problem, allowed=_KEYS, suggestion=f"{': {'.join((head, *inner))}: ...{'}' * len(inner)}")


def _put(out: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        inner = out.get(key)
        if isinstance(inner, str):  # a named component with an override of one of its values
            inner = {"extends": inner}
        out[key] = inner = dict(inner) if isinstance(inner, Mapping) else {}
        out = inner
    last = keys[-1]
    if isinstance(value, Mapping) and isinstance(out.get(last), Mapping):
        value = catalog.merge(out[last], value)
    elif isinstance(value, str) and isinstance(out.get(last), Mapping):
        value = {"extends": value, **out[last]}
    elif isinstance(value, Mapping) and isinstance(out.get(last), str) and not {"extends", "name"} & set(value):
        value = {"extends": out[last], **value}
    out[last] = value


def resolve(
    reference: Mapping[str, Any] | str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    extra: tuple[str, ...] = (),
) -> Resolved:
    """Resolve a scenario.

    Parameters
    ----------
    reference : mapping, str, path or None
        A scenario as data, or the name or file of one.
    overrides : mapping, optional
        Keys on top: scenario keys, short names (``tp``, ``batch``) or dotted paths (``hardware.tiers.hbm.bandwidth``).
        Numbers may be arrays; they broadcast against each other.
    extra : tuple of str
        Catalog directories that go before all others.

    Raises
    ------
    InputError
        With all faults of the scenario that can be found at once.
    """
    if isinstance(extra, str | Path):
        extra = (str(extra),)
    data, document = written(reference, overrides or {}, extra)
    arrays: dict[str, Any] = {}
    plain = _without_arrays(data, "", arrays)
    shape = _shape(arrays)
    scenario, warnings = _validated(plain, document, extra)
    for path, array in arrays.items():
        _check_extremes(plain, document, extra, path, array)
    for path, array in arrays.items():
        flat = np.ascontiguousarray(np.broadcast_to(np.asarray(array, dtype=float), shape)).reshape(-1)
        scenario = _bind(scenario, path.split("."), flat)
    if "devices" not in data and "devices" not in arrays:
        used: Any = scenario.parallelism.devices
        scenario = replace(scenario, devices=used)
    check_together(scenario, document)
    return Resolved(scenario, shape, warnings, plain, tuple(extra))


def _without_arrays(data: Mapping[str, Any], prefix: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """`data` with every numeric array replaced by its first element; the arrays go to `arrays` by path."""
    out: dict[str, Any] = {}
    for key, value in data.items():
        path = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, Mapping):
            out[key] = _without_arrays(value, path, arrays)
        elif isinstance(value, np.ndarray):
            array = value
            if array.dtype.kind not in "iuf" or array.size == 0:
                raise InputError(Problem(f"{shown(value)} is not an array of numbers", path))
            if array.ndim == 0:
                out[key] = array.item()
                continue
            arrays[path] = array
            out[key] = array.reshape(-1)[0].item()
        else:
            out[key] = value.item() if isinstance(value, np.generic) else value
    return out


def _shape(arrays: Mapping[str, Any]) -> tuple[int, ...]:
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        sizes = ", ".join(f"{path} {array.shape}" for path, array in arrays.items())
        raise InputError(Problem(f"arrays do not broadcast against each other: {sizes}")) from None
    if math.prod(shape) > MAX_CONFIGURATIONS:
        text = f"the arrays span {math.prod(shape):,} configurations, more than {MAX_CONFIGURATIONS:,} at once"
        raise InputError(Problem(text, ", ".join(arrays)))
    return shape


def _check_extremes(
    data: Mapping[str, Any], document: Document | None, extra: tuple[str, ...], path: str, array: Any
) -> None:
    """What a field allows is an interval of numbers or of whole numbers, so that the extremes stand for the rest."""
    if not np.isfinite(array).all():
        raise InputError(Problem("holds a number that is not finite", path))
    whole = array == np.floor(array)
    samples = [array.min().item(), array.max().item(), *(array[~whole][:1].tolist())]
    keys = path.split(".")
    for value in samples:
        changed: dict[str, Any] = {}
        _put(changed, keys, value)
        _validated(catalog.merge(data, changed), document, extra)


def _validated(
    data: Mapping[str, Any], document: Document | None, extra: tuple[str, ...]
) -> tuple[Scenario, tuple[str, ...]]:
    problems: list[Problem] = [_unknown_in_file(key) for key in data if key not in _KEYS]
    if document is not None:
        problems = [replace(p, file=document.file, line=document.line(p.path)) for p in problems]
    parts: dict[str, Any] = {}
    warnings: list[str] = []
    given = dict(data)
    imported: dict[str, Any] = {}
    for name in COMPONENTS:
        value = given.get(name, imported.get(name, DEFAULTS.get(name)))
        if name == "attention" and "engine" in parts:
            value = _kernel(given.get(name), parts["engine"].attention)
        if value is None:
            problems.append(_missing(name, document))
            continue
        try:
            parts[name], said, implied = built(name, frozen(value, name), extra)
            warnings += said
            imported.update(implied)
        except InputError as error:
            problems += [_located(problem, name, document) for problem in error.problems]
    for name, cls in SECTIONS.items():
        try:
            lines = document.lines if document else {}
            file = document.file if document else None
            inner = {key[len(name) + 1 :]: line for key, line in lines.items() if key.startswith(f"{name}.")}
            if name in lines:
                inner[""] = lines[name]
            section = given.get(name)
            parts[name] = build(cls, Document({} if section is None else section, file, inner), name)
        except InputError as error:
            problems += error.problems
    problems += _scalars(given, parts, document)
    if problems:
        raise InputError(problems)
    parts["workload"] = _default_lengths(parts["model"], parts["workload"], given.get("workload") or {})
    layout = parts["parallelism"]
    if "devices" in given and given.get("parallelism") is None:
        parts["parallelism"] = layout = replace(layout, tp=parts["devices"])
    return Scenario(**parts), tuple(warnings)


def _kernel(given: Any, usual: str) -> Any:
    """The attention kernel that a scenario asks for: the engine's where it names none, values on top of that one."""
    if isinstance(given, Mapping) and not {"extends", "name"} & set(given):
        return {"extends": usual, **given}
    return usual if given is None else given


def _default_lengths(model: Model, work: Workload, given: Mapping[str, Any]) -> Workload:
    """The workload with lengths that suit the model, where none are given.

    A model that sees all of its input at once has its whole input and no second token; a short one a shorter prompt.
    """
    if not model.generates:
        defaults: dict[str, Any] = {"input": model.max_context, "output": 1}
        return replace(work, **{key: value for key, value in defaults.items() if key not in given})
    if "input" not in given and work.input + work.output > model.max_context:
        return replace(work, input=max(model.max_context - work.output, 1))
    return work


def _missing(name: str, document: Document | None) -> Problem:
    example = {"model": "llama-3.1-8b", "hardware": "h100-sxm"}.get(name, "generic")
    hint = f"name one, such as {example}; llmperf list {name} shows them"
    return Problem("is missing", name, document.file if document else None, suggestion=hint)


def _located(problem: Problem, name: str, document: Document | None) -> Problem:
    """A problem of a component, under the scenario's key and line where it has no file of its own."""
    path = problem.path if problem.path.startswith(name) or problem.file else f"{name}.{problem.path}".rstrip(".")
    if problem.file or document is None:
        return replace(problem, path=path)
    return replace(problem, path=path, file=document.file, line=document.line(path))


def _scalars(given: dict[str, Any], parts: dict[str, Any], document: Document | None) -> list[Problem]:
    """The keys of a scenario that are plain values."""
    value = {key: given[key] for key in SCALARS if given.get(key) is not None}
    if "weights" in parts:
        value.setdefault("activations", parts["weights"].activations)
    lines = document.lines if document else {}
    try:
        found = build(Plain, Document(value, document.file if document else None, lines))
    except InputError as error:
        return list(error.problems)
    parts.update({key: getattr(found, key) for key in SCALARS})
    return []


def _bind(value: Any, keys: list[str], array: Any) -> Any:
    """`value` with the field at `keys` replaced by an array."""
    key, rest = keys[0], keys[1:]
    if isinstance(value, dict):
        return {**value, key: _bind(value[key], rest, array) if rest else array}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{key: _bind(getattr(value, key), rest, array) if rest else array})
    raise InputError(Problem("no array can be bound here", ".".join(keys)))

"""From what a user writes (file, flags, keywords) to a `Scenario` of frozen descriptors, with arrays bound last."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from llmperf.descriptors.model import Model
from llmperf.descriptors.parallelism import Parallelism
from llmperf.descriptors.scenario import Plain, Scenario
from llmperf.descriptors.traffic import Traffic
from llmperf.descriptors.validation import build
from llmperf.descriptors.workload import Workload
from llmperf.errors import InputError, Problem, shown
from llmperf.files.documents import Document
from llmperf.numeric import anywhere, choose, floor_div, most
from llmperf.operators import divisions
from llmperf.scenarios import catalog
from llmperf.scenarios.binding import Resolved, shape_of, without_arrays
from llmperf.scenarios.components import (
    COMPONENTS,
    DEFAULTS,
    Implied,
    as_released,
    built,
    device_of,
    frozen,
    traffic,
)
from llmperf.scenarios.consistency import check_together, within
from llmperf.scenarios.keys import (
    JUDGED,
    KEYS,
    OWN_SECTIONS,
    SCALARS,
    SECTIONS,
    SEVERAL,
    flattened,
    named,
    over,
    put,
    twice,
    unknown_in_file,
)


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
            for key, value in named(without_checks(document.data, document)).items()
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
    extra = (str(extra),) if isinstance(extra, str | Path) else tuple(extra)
    data, document = written(reference, overrides or {}, extra)
    pools = data.get("pools")
    if pools is not None:
        return _with_pools({key: value for key, value in data.items() if key != "pools"}, pools, extra)
    arrays: dict[str, Any] = {}
    plain = without_arrays(data, "", arrays)
    shape = shape_of(arrays)
    scenario, warnings = _validated(plain, document, extra)
    for path, array in arrays.items():
        _check_extremes(plain, document, extra, path, array)
    found = Resolved(scenario, shape, warnings, on_axes(arrays, shape), plain, extra)
    return checked(found, document)


def _with_pools(data: Mapping[str, Any], pools: Any, extra: tuple[str, ...]) -> Resolved:
    """A scenario of two pools: that of its workers that decode, beside that of those that prefill.

    Raises
    ------
    InputError
        If a pool is unknown or missing, or a scenario is wrong.
    """
    if not isinstance(pools, Mapping) or set(pools) != set(POOLS):
        said = tuple(pools) if isinstance(pools, Mapping) else (pools,)
        text = f"must be a mapping of {' and '.join(POOLS)}, each of keys of a scenario; it says {shown(said)}"
        raise InputError(Problem(text, "pools", allowed=POOLS))
    own, wrong = {}, []
    for name in POOLS:
        try:
            own[name] = over(data, flattened(pools[name] or {}))
            if name == "prefill":
                resolve({key: value for key, value in own[name].items() if key != "traffic"}, None, extra)
        except InputError as error:
            wrong += [
                problem if problem.file else replace(problem, path=f"pools.{name}.{problem.path}")
                for problem in error.problems
            ]
    if wrong:
        raise InputError(wrong)
    decode = resolve(own["decode"], None, extra)
    alone = {key: value for key, value in own["prefill"].items() if key not in ("traffic", "name", "description")}
    prefill = resolve(alone, {"workload": {"output": 1}} if "workload" in alone else {"output": 1}, extra)
    if decode.template.model != prefill.template.model:
        raise InputError(Problem("both pools run one model", "pools.prefill.model"))
    if prefill.shape:
        raise InputError(Problem("numbers of the workers that prefill are single ones", "pools.prefill"))
    template = replace(decode.template, prefill_pool=prefill.template)
    return replace(decode, template=template, asked={**data, "pools": pools})


POOLS = ("prefill", "decode")
"""Pools of workers that a scenario may have."""


def on_axes(arrays: Mapping[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:
    """Copies of arrays as numbers, each with as many axes as the shape that they broadcast to."""
    return {
        path: np.array(array, dtype=float).reshape((1,) * (len(shape) - array.ndim) + array.shape)
        for path, array in arrays.items()
    }


def checked(found: Resolved, document: Document | None = None) -> Resolved:
    """A scenario with what follows from its numbers where nothing is said, checked as a whole.

    Raises
    ------
    InputError
        If its parts do not suit each other.
    """
    whole = followed(found.on_axes, found.asked)
    derived: dict[str, Any] = {"workload.input": whole.workload.input, "devices": whole.devices}
    for path, value in derived.items():
        if path not in found.axes and (path == "devices" or isinstance(value, np.ndarray)):
            found = found.having(path, value)
    check_together(found.on_axes, document)
    return found


def followed(scenario: Scenario, asked: Mapping[str, Any]) -> Scenario:
    """A scenario with the default input and the devices that follow from its numbers, where they are not said.

    Parameters
    ----------
    scenario : Scenario
    asked : mapping
        What was said, as nested data; its values do not matter.
    """
    said = asked.get("workload") or {}
    work = scenario.workload if "input" in said else replace(scenario.workload, input=Workload().input)
    work = default_lengths(scenario.model, work, said, scenario.traffic)
    devices: Any = scenario.devices if "devices" in asked else scenario.parallelism.devices
    return replace(scenario, workload=work, devices=devices)


def changed(resolved: Resolved, keys: Mapping[str, Any]) -> Resolved:
    """What a resolved scenario would be with these keys on top, as flags put them there.

    Raises
    ------
    InputError
        If they do not suit the rest.
    """
    return resolve(resolved.asked, keys, resolved.catalog)


def _check_extremes(
    data: Mapping[str, Any], document: Document | None, extra: tuple[str, ...], path: str, array: Any
) -> None:
    """What a field allows is an interval of numbers or of whole numbers, so that the extremes stand for the rest."""
    keys = path.split(".")
    for value in extremes(array, path):
        changed: dict[str, Any] = {}
        put(changed, keys, value)
        _validated(catalog.merge(data, changed), document, extra)


def extremes(array: Any, path: str) -> list[float]:
    """Numbers of an array that are allowed only where all are: the smallest, the largest, and one that is not whole.

    Raises
    ------
    InputError
        If one is not finite.
    """
    if not np.isfinite(array).all():
        raise InputError(Problem("holds a number that is not finite", path))
    return [array.min().item(), array.max().item(), *(array[array != np.floor(array)][:1].tolist())]


def _validated(
    data: Mapping[str, Any], document: Document | None, extra: tuple[str, ...]
) -> tuple[Scenario, tuple[str, ...]]:
    problems = unknown_in_file(key for key in data if key not in KEYS)
    if document is not None:
        problems = [replace(p, file=file, line=line) for p in problems for file, line in (document.where(p.path),)]
    parts: dict[str, Any] = {}
    warnings = catalog.hiding("scenario", document) if document is not None else []
    given = _counted(data, extra)
    imported: dict[str, Implied] = {}
    for name in COMPONENTS:
        usual, why = imported.get(name, (DEFAULTS.get(name), ""))
        if name == "attention" and "engine" in parts:
            usual = parts["engine"].attention
        value = _over_usual(given.get(name), usual)
        if value is None:
            problems.append(_missing(name, document))
            continue
        try:
            device = device_of(parts["hardware"]) if name == "engine" and "hardware" in parts else None
            parts[name], said, implied = built(name, frozen(value, name), extra, device)
            warnings += said
            imported.update(implied)
            if why and name not in given:
                warnings.append(f"{name} are {parts[name].name}, {why}: --{name} names another")
        except InputError as error:
            problems += [_located(problem, name, document) for problem in error.problems]
    for name, cls in SECTIONS.items():
        try:
            if given.get(name) is not None:
                parts[name] = _section(name, given[name], document, extra)
            elif name in OWN_SECTIONS and name != "traffic":  # others are of a question that is not asked
                parts[name] = cls()
        except InputError as error:
            problems += error.problems
    problems += _scalars(given, parts, document)
    if problems:
        raise InputError(problems)
    parts["weights"] = as_released(parts["model"], parts["weights"])
    own = given.get("workload") or {}
    parts["workload"] = default_lengths(parts["model"], parts["workload"], own, parts.get("traffic"))
    if given.get("parallelism") is None:
        parts["parallelism"] = Parallelism(tp=parts["devices"]) if "devices" in given else _whole_system(parts)
    asks = {name: parts.pop(name) for name in SECTIONS if name in parts and name not in OWN_SECTIONS}
    return Scenario(**parts, asks=asks), tuple(warnings)


def _section(name: str, value: Any, document: Document | None, extra: tuple[str, ...]) -> Any:
    """A section of a scenario from what is written of it."""
    lines = document.lines if document else {}
    inner = {key[len(name) + 1 :]: line for key, line in lines.items() if key.startswith(f"{name}.")}
    if name in lines:
        inner[""] = lines[name]
    part = Document(value, document.file if document else None, inner)
    return traffic(value, part, extra) if name == "traffic" else build(SECTIONS[name], part, name)


def _whole_system(parts: Mapping[str, Any]) -> Parallelism:
    """All devices of a system, for which no layout is said: the largest tensor-parallel size that divides everything.

    It stays within a scale-up domain, or a host; what is left are copies side by side.
    """
    hardware = parts["hardware"]
    devices = int(hardware.devices or 1)
    sizes = (size for size in range(min(devices, within(hardware)), 0, -1) if devices % size == 0)
    whole = next(size for size in sizes if size == 1 or divisions.even(parts["model"], parts["weights"], size))
    return Parallelism(tp=whole, replicas=devices // whole)


def _counted(data: Mapping[str, Any], extra: tuple[str, ...]) -> dict[str, Any]:
    """A scenario whose hardware may come with a number; what reads that is loaded where there may be one."""
    hardware = data.get("hardware")
    reference = hardware.get("extends") if isinstance(hardware, Mapping) else hardware
    if not isinstance(reference, str) or not re.search(r"\d\s*[x×*]|[x×*]\s*\d", reference, re.IGNORECASE):
        return dict(data)
    from llmperf.scenarios.typed import counted

    return counted(data, extra)


def _over_usual(given: Any, usual: Any) -> Any:
    """What a scenario asks for: the usual where it names none, values on top of that one."""
    if usual is not None and isinstance(given, Mapping) and not {"extends", "name"} & set(given):
        return {**usual, **given} if isinstance(usual, Mapping) else {"extends": usual, **given}
    return usual if given is None else given


def default_lengths(model: Model, work: Workload, given: Mapping[str, Any], comes: Traffic | None = None) -> Workload:
    """The workload with lengths that suit the model, where none are given.

    A model that sees all of its input at once has its whole input and no second token; a short one a shorter prompt.
    Traffic has mean lengths of its own.
    """
    if comes is not None and model.generates:
        means = {name: getattr(comes, name).mean for name in ("input", "output") if name not in given}
        means = {name: most(floor_div(mean + 0.5, 1.0), 1.0) for name, mean in means.items() if mean is not None}
        work, given = replace(work, **means), {**given, **means}
    if not model.generates:
        defaults: dict[str, Any] = {"input": model.max_context, "output": 1}
        return replace(work, **{key: value for key, value in defaults.items() if key not in given})
    too_long = work.input + work.output > model.max_context
    if "input" not in given and anywhere(too_long):
        shorter: Any = choose(too_long, most(model.max_context - work.output, 1), work.input)
        return replace(work, input=shorter)
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


def _activations(parts: Mapping[str, Any]) -> str:
    """What inputs of products are computed in: as the format says, or as the engine does on such a device."""
    weights, engine, hardware = (parts.get(name) for name in ("weights", "engine", "hardware"))
    assert weights is not None
    if engine is not None and hardware is not None and engine.quantizes_inputs:
        wanted = engine.quantizes_inputs.get(weights.name)
        known = {dtype for one in hardware.engines.values() if one.kind == "matrix" for dtype in one.peaks}
        if wanted is not None and {"fp4", wanted} <= known:
            return str(wanted)
    return str(weights.activations)


def _scalars(given: dict[str, Any], parts: dict[str, Any], document: Document | None) -> list[Problem]:
    """The keys of a scenario that are plain values."""
    value = {key: given[key] for key in SCALARS if given.get(key) is not None}
    if "weights" in parts:
        value.setdefault("activations", _activations(parts))
    lines = document.lines if document else {}
    try:
        found = build(Plain, Document(value, document.file if document else None, lines))
    except InputError as error:
        return list(error.problems)
    parts.update({key: getattr(found, key) for key in SCALARS})
    return []

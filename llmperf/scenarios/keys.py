"""Keys of a scenario: what may be written, in which spellings, and where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from llmperf.descriptors.parallelism import Parallelism
from llmperf.descriptors.placement import Placement
from llmperf.descriptors.prices import Prices
from llmperf.descriptors.traffic import WAYS, Limits, Traffic
from llmperf.descriptors.workload import Workload
from llmperf.errors import MAX_PROBLEMS, InputError, Problem, nearest, shown
from llmperf.files.documents import MAX_DEPTH, deeper_than
from llmperf.scenarios import catalog
from llmperf.scenarios.components import COMPONENTS

SEVERAL = ("checks", "matrix", "variables", "deployment")
"""Keys with which a file is no single scenario by itself."""
JUDGED = ("expect", "confidence", "tolerance", "tags", "skip", "schema_version")
"""Keys that stand in a scenario file and change nothing of the scenario."""
SECTIONS: dict[str, type[Any]] = {
    "parallelism": Parallelism,
    "placement": Placement,
    "workload": Workload,
    "prices": Prices,
    "traffic": Traffic,
}
"""Keys of a scenario that are mappings of their own."""
OWN_SECTIONS = tuple(SECTIONS)
"""Fields of a scenario; others are of a question from outside, and asked by it."""

SCALARS = ("activations", "devices", "name", "description")
FLAT: dict[str, str] = (
    {
        item.name: f"{section}.{item.name}"
        for section, cls in SECTIONS.items()
        for item in fields(cls)
        if not (section == "placement" and item.name in ("weights", "kv_cache", "operators", "tensors"))
        and (section != "prices" or item.name == "rent")
        and not (
            section == "traffic" and item.name in ("name", "sources", "aliases", "notes", "input", "output", "limits")
        )
    }
    | {item.name: f"traffic.limits.{item.name}" for item in fields(Limits)}
    | {"rate": "traffic.request_rate"}
)
"""Keywords and flags that stand for a path: ``tp`` for ``parallelism.tp``, ``batch`` for ``workload.batch``."""
NOT_YET = {"training": "training"}
"""Keys that the contract reserves and this version does not answer; refused rather than ignored."""
KEYS: list[str] = [*COMPONENTS, *SECTIONS, *SCALARS, "pools"]
"""Every key of a scenario; `add_section` takes one more."""

catalog.KNOWN["scenario"] = lambda _: {*KEYS, *SEVERAL, *JUDGED, *FLAT, *NOT_YET}


def add_section(name: str, cls: type[Any]) -> None:
    """Take a section of a question from outside; its values are `Scenario.asks`."""
    SECTIONS[name] = cls
    if name not in KEYS:
        KEYS.append(name)


def over(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """A scenario with another on top; the name of a component and values of it, one in each, come together."""
    above = top.get("prices")
    if isinstance(above, Mapping) and {"rent", "purchase"} & set(above) and isinstance(base.get("prices"), Mapping):
        # another price takes the place of the one below, with its kind and date
        kept = {key: value for key, value in base["prices"].items() if key == "utilization"}
        base = {**base, "prices": kept}
    base = _without_way(base, top.get("traffic"))
    out = catalog.merge(base, top)
    for name in (*COMPONENTS, "traffic"):
        below, above = base.get(name), top.get(name)
        if isinstance(below, str) and isinstance(above, Mapping) and not {"extends", "name"} & set(above):
            out[name] = {"extends": below, **above}
        elif isinstance(above, str) and isinstance(below, Mapping) and not {"extends", "name"} & set(below):
            out[name] = {**below, "extends": above}
    return out


def _without_way(base: Mapping[str, Any], above: Any) -> Mapping[str, Any]:
    """A scenario without the way in which its requests come, where another takes its place."""
    below = base.get("traffic")
    if not isinstance(below, Mapping) or not isinstance(above, Mapping) or not set(WAYS) & set(above):
        return base
    dropped = (*WAYS, "think_time", "burstiness")
    return {**base, "traffic": {key: value for key, value in below.items() if key not in dropped}}


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
        if head not in KEYS and head != "extends":
            wrong.append(_unknown(key) if len(wrong) < MAX_PROBLEMS else Problem("unknown key", key))
            continue
        put(out, path.split("."), _name(path, value))
    if wrong:
        raise InputError(wrong)
    return out


def named(data: Mapping[str, Any]) -> dict[str, Any]:
    """A scenario in which names of components are texts, those that are numbers (``4090``) too."""
    return {key: _name(key, value) for key, value in data.items()}


def _name(key: str, value: Any) -> Any:
    return str(value) if key in COMPONENTS and type(value) is int else value


def twice(given: Mapping[str, Any]) -> list[Problem]:
    """Values that a scenario says twice, in two spellings: ``batch: 2`` and ``workload: {batch: 8}``."""
    problems = []
    said: dict[str, tuple[str, Any]] = {}
    below: dict[str, dict[str, str]] = {}  # path -> of each key that says something deeper, the first such path
    for key, value in given.items():
        for path, leaf in _leaves(_path(key), value):
            inside = list(_above(path))
            same = (
                one for one in (path, *inside) if one in said and (one == path or not isinstance(said[one][1], str))
            )
            deeper = () if isinstance(leaf, str) else below.get(path, {}).values()
            clash = next((one for one in (*same, *deeper) if said[one][0] != key), None)
            if clash is not None:
                text = f"is written twice, under {shown(said[clash][0])} and under {shown(key)}"
                problems.append(Problem(text, path, suggestion="write it once"))
            said.setdefault(path, (key, leaf))
            for one in inside:
                below.setdefault(one, {}).setdefault(key, path)
    return problems


def _above(path: str) -> Iterator[str]:
    """The paths that a path lies within; it is the same value as one of these, unless that is a name."""
    while path := path.rpartition(".")[0]:
        yield path


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every value below a path; a component that is named is what it extends, and may have values beside it."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}", inner)
    else:
        yield path.removesuffix(".extends") if isinstance(value, str) else path, value


def _path(key: str) -> str:
    return key if key in KEYS or key == "extends" else FLAT.get(key, key)


def _unknown(key: str) -> Problem:
    if key in NOT_YET:
        return Problem(f"{NOT_YET[key]} cannot be estimated by this version", key, kind="not_yet")
    allowed = (*KEYS, *FLAT)
    meant = (
        FLAT.get(key) or _within(key) or nearest(key, allowed)
    )  # in a file, short names stand for paths that must be written
    return Problem(f"unknown key {shown(key)}", key, allowed=allowed, suggestion=meant)


def _within(key: str) -> str | None:
    """The path of a value that is named without its component: ``graphs`` is ``engine.graphs``."""
    head = key.partition(".")[0]
    inside = [f"{name}.{key}" for name, cls in COMPONENTS.items() if head in cls.__annotations__]
    return inside[0] if len(inside) == 1 else None


def unknown_in_file(keys: Iterable[str]) -> list[Problem]:
    """What is wrong with the unknown keys of a scenario file, in words as far as they are listed."""
    return [
        _unknown_in_file(key) if place < MAX_PROBLEMS else Problem("unknown key", key) for place, key in enumerate(keys)
    ]


def _unknown_in_file(key: str) -> Problem:
    """An unknown key of a scenario file, where no short names and paths stand: the suggestion is nested."""
    problem = _unknown(key)
    head, *inner = _path(key if key in FLAT or "." in key else problem.suggestion or "").split(".")
    if not inner or head not in KEYS:
        return problem
    return replace(problem, allowed=tuple(KEYS), suggestion=f"{': {'.join((head, *inner))}: ...{'}' * len(inner)}")


def put(out: dict[str, Any], keys: list[str], value: Any) -> None:
    """Put a value into nested data; the name of a component and values of it, one in each, come together."""
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

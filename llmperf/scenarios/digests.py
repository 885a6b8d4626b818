"""What a scenario is made of, as hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from llmperf.descriptors.prices import Prices
from llmperf.descriptors.scenario import Scenario
from llmperf.files.store import is_path
from llmperf.kept import MadeOfObjects

_ANYWHERE = ("sources", "aliases", "notes", "year", "official", "rent_kind", "rent_date")
"""Fields of descriptors that change no output."""
_PRICE = ("price", "rent", "price_date")


def is_number(value: Any) -> bool:
    """Whether a value is a number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def components(one: Scenario, scenario: Mapping[str, Any]) -> dict[str, str]:
    """What a scenario is made of: the name of each component, and a hash of all that it resolves to.

    Parameters
    ----------
    one : Scenario
        Resolved; its workload may be that of many.
    scenario : mapping
        As it is written: what its workload says.
    """
    hardware = one.hardware
    formats = " ".join(dict.fromkeys((one.weights.name, one.kv_cache.name)))
    stated = () if one.prices == Prices() else (one.prices,)
    parts = {
        "model": (_label(scenario, "model", one.model.name), (one.model,)),
        "hardware": (_label(scenario, "hardware", hardware.name), (hardware,)),
        "price": ("", (*(getattr(hardware, name) for name in _PRICE), *stated)),
        "calibration": (hardware.achieved.name, (hardware.achieved,)),
        "formats": (formats, (one.weights, one.kv_cache, one.activations)),
        "engine": (f"{one.engine.name} {one.attention.name}", (one.engine, one.attention)),
        "layout": ("", (one.parallelism, one.placement, one.devices)),
    }
    out = {name: f"{label} {_digest(name, found)}".lstrip() for name, (label, found) in parts.items()}
    asked = {name: hashed(scenario[name]) for name in ASKED if scenario.get(name) is not None}
    return {**out, "workload": hashed(scenario.get("workload")), **asked}


ASKED = ("traffic",)
"""What a scenario asks beside its workload, as it is written."""


def _label(scenario: Mapping[str, Any], key: str, name: str) -> str:
    """What a component is called: its file where the scenario names one, for that is what a change is made in."""
    reference = scenario.get(key)
    return Path(reference).name if isinstance(reference, str) and is_path(reference) else name


_digests: MadeOfObjects[str] = MadeOfObjects(4096)


def _digest(name: str, found: tuple[Any, ...]) -> str:
    """A hash of descriptors; those of one run are the same objects, so that each is hashed once."""
    without = (*_ANYWHERE, "achieved", *_PRICE) if name == "hardware" else (*_ANYWHERE, "fitted")
    return _digests.get(found, lambda: hashed([_said(one, without) for one in found]), key=name)


def _said(value: Any, without: Sequence[str]) -> Any:
    """What a descriptor says, as plain data: values that are the default count for nothing, for a later version of
    llmperf may have more of them.
    """
    if is_dataclass(value):
        parts = {item.name: getattr(value, item.name) for item in fields(value) if item.name not in without}
        usual = {item.name: _usual(item) for item in fields(value)}
        return {name: _said(part, without) for name, part in parts.items() if not _same(part, usual[name])}
    if isinstance(value, Mapping):
        return {key: _said(item, without) for key, item in value.items() if key not in without}
    if isinstance(value, list | tuple):
        return [_said(item, without) for item in value]
    return float(value) if is_number(value) else value  # 16 and 16.0 are the same number


def _usual(item: Field[Any]) -> Any:
    return item.default_factory() if item.default_factory is not MISSING else item.default


def _same(value: Any, usual: Any) -> bool:
    """Whether a field has its default value; an array of a sweep has none."""
    return usual is not MISSING and not isinstance(value, np.ndarray) and bool(value == usual)


def hashed(value: Any) -> str:
    """A short hash of plain data."""
    plain = json.dumps(value, sort_keys=True, default=repr)
    return hashlib.sha256(plain.encode()).hexdigest()[:12]

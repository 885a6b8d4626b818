"""What is set beside each other when a service is sized: every chip with every format and engine that is asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from llmperf import units
from llmperf.errors import InputError, Problem, nearest, shown
from llmperf.scenarios.binding import Resolved
from llmperf.scenarios.keys import FLAT, put
from llmperf.scenarios.resolve import resolve

AXES = ("hardware", "weights", "kv_cache", "engine")
"""Keys of a scenario of which several may be tried, each with each."""
MOST = 64
"""Combinations of them that are tried at most. [1]"""
TOKEN = "traffic.limits.tpot"
"""What a speed of reading limits."""
FOUND = ("devices", "parallelism.replicas")
"""Keys of a scenario that are found."""


def alternatives(
    reference: Mapping[str, Any] | str | Path | None, overrides: Mapping[str, Any], catalog: tuple[str, ...]
) -> list[tuple[dict[str, Any], Resolved]]:
    """The overrides of each chip, format and engine, and the scenario that they make.

    Raises
    ------
    InputError
        With the faults of all, each once; also where no demand is said.
    """
    every, problems = _combinations(overrides)
    wrong = dict.fromkeys(problems)
    found = []
    for keys in every:
        try:
            found.append((keys, resolve(reference, keys, catalog)))
        except InputError as error:
            wrong.update(dict.fromkeys(error.problems))
    if found and not wrong:
        wrong.update(dict.fromkeys(_without_demand(found[0][1])))
    if wrong:
        raise InputError(list(wrong))
    return found


def _combinations(overrides: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[Problem]]:
    """The overrides of each combination, and what is wrong with them; a rent of a hardware goes to its own."""
    rest = {key: value for key, value in overrides.items() if key not in (*AXES, "rent", "speed")}
    wrong = list(_found_here(rest))
    if overrides.get("speed") is not None:
        if _said(rest, TOKEN):
            wrong.append(Problem("says what a limit of TPOT says, which stands beside it", "speed"))
        try:
            rest[TOKEN] = token_time(overrides["speed"])
        except InputError as error:
            wrong += error.problems
    axes = {key: _several(overrides[key]) for key in AXES if overrides.get(key) is not None}
    rents = overrides.get("rent")
    names = [str(one) for one in axes.get("hardware", ())]
    for name in rents if isinstance(rents, Mapping) else ():
        if name not in names:
            text = f"{shown(name)} is no hardware that is asked for"
            wrong.append(Problem(text, "rent", allowed=tuple(names), suggestion=nearest(str(name), names)))
    if math.prod(map(len, axes.values())) > MOST:
        return [], [*wrong, Problem(f"makes more than {MOST} combinations", ", ".join(axes))]
    found = [{**rest, **dict(zip(axes, one, strict=True))} for one in product(*axes.values())]
    own = [rents.get(one.get("hardware")) if isinstance(rents, Mapping) else rents for one in found]
    priced = [one if rent is None else {**one, "rent": rent} for one, rent in zip(found, own, strict=True)]
    return priced, wrong


def _found_here(rest: Mapping[str, Any]) -> Iterator[Problem]:
    """What is said and is to be found."""
    for key in FOUND:
        if _said(rest, key):
            hint = "--devices-max limits the devices of all copies together"
            yield Problem("is what size finds", key, suggestion=hint)


def token_time(speed: Any) -> float:
    """The time of a token, for a user who reads so many a second (``30 tok/s``). [s]

    Raises
    ------
    InputError
        If it is no speed.
    """
    try:
        rate = units.parse(speed, "rate")
    except units.UnitError as error:
        raise InputError(Problem(str(error), "speed", None, None, error.allowed, "30 tok/s")) from None
    if not 0.0 < rate < 1e6:
        raise InputError(Problem(f"{shown(speed)} is no speed of reading", "speed", suggestion="30 tok/s"))
    return 1.0 / rate


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _said(overrides: Mapping[str, Any], path: str) -> bool:
    """Whether overrides say a value, by a short name or by its path."""
    inner: Any = {}
    for key, value in overrides.items():
        put(inner, FLAT.get(key, key).split("."), value)
    for key in path.split("."):
        inner = inner.get(key) if isinstance(inner, Mapping) else None
    return inner is not None


def _without_demand(resolved: Resolved) -> Iterator[Problem]:
    """What a scenario lacks to be sized."""
    traffic = resolved.template.traffic
    hint = "--users 200, --concurrency 64 or --rate 4"
    if traffic is None:
        yield Problem("is missing: how many users, or requests, there are", "traffic", suggestion=hint)
    elif traffic.requests is not None:
        text = "are a burst, which ends: a service is sized for a steady state"
        yield Problem(text, "traffic.requests", suggestion=hint)
    if resolved.template.prefill_pool is not None:
        hint = "llmperf serve answers for them"
        yield Problem("are not sized: their ratio is what llmperf serve is asked about", "pools", suggestion=hint)
    if resolved.shape:
        yield Problem("an array of numbers cannot be sized", next(iter(resolved.axes)))

"""Measured configurations as scenarios: many of them evaluated together, those that differ in numbers only at once."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError
from llmperf.evidence.classes import Subject, subject
from llmperf.evidence.tables import DataTable
from llmperf.numeric import Array
from llmperf.phases.answered import Evaluated
from llmperf.phases.estimate import evaluate
from llmperf.scenarios.binding import Joined
from llmperf.scenarios.components import component
from llmperf.scenarios.resolve import resolve

TIMES = ("ttft_s", "tpot_s", "e2e_s")
"""What a case is asked for, by the bound and by the projection."""


@dataclass(frozen=True, slots=True)
class Case:
    """One measured configuration: a scenario without its workload, and the workload."""

    scenario: dict[str, Any]
    batch: float = 1.0
    input: float = 1.0
    output: float = 1.0
    shared_prefix: float = 0.0
    sent: float = math.inf
    """Requests that a load sends in all, where it keeps so many in flight."""

    @property
    def key(self) -> str:
        """What is equal for cases that differ in numbers only."""
        return json.dumps(self.scenario, sort_keys=True)


Columns = dict[str, Array]
Ask = Callable[[Scenario, NDArray[np.intp]], Mapping[str, Any]]
"""What is asked of the scenario of equal cases, and of which cases: numbers or arrays of one length by name."""


@dataclass(slots=True)
class Asked:
    """Answers to many cases, one entry each; NaN and a fault where a case cannot be expressed.

    Attributes
    ----------
    cases : sequence of Case
        As asked.
    columns : dict of str to ndarray
        Answers by name.
    faults : list of str
        Why a case has no answer; empty where it has one.
    scenarios : list of Scenario or None
        The resolved scenario of each case; its workload is that of all cases that it was evaluated with.
    """

    cases: Sequence[Case]
    columns: Columns
    faults: list[str]
    scenarios: list[Scenario | None]

    def subjects(self, phase: str) -> list[Subject | None]:
        """What each case is about, which sets the class of its error band; None where it has no answer."""
        known: dict[int, Subject] = {}
        out: list[Subject | None] = []
        flying = self.columns.get("concurrency")
        batches = [case.batch for case in self.cases] if flying is None else flying.tolist()
        for case, scenario, batch in zip(self.cases, self.scenarios, batches, strict=True):
            if scenario is None:
                out.append(None)
                continue
            if id(scenario) not in known:
                known[id(scenario)] = subject(phase, scenario, 0.0, 0.0)
            out.append(replace(known[id(scenario)], batch=batch, length=case.input))
        return out

    @property
    def known(self) -> NDArray[np.bool_]:
        """Cases that have an answer."""
        return np.array([not fault for fault in self.faults], dtype=bool)

    def column(self, name: str) -> Array:
        """Answers of one name; all NaN where no case has any."""
        return self.columns.get(name, np.full(len(self.faults), np.nan))

    @property
    def bound(self) -> Columns:
        """`TIMES` that no system beats. [s]"""
        return {name: self.column(f"bound.{name}") for name in TIMES}

    @property
    def projection(self) -> Columns:
        """`TIMES` as projected. [s]"""
        return {name: self.column(name) for name in TIMES}


def answers(cases: Sequence[Case]) -> Asked:
    """Static batches: `TIMES` by bound and projection."""

    def ask(scenario: Scenario, _: NDArray[np.intp]) -> Mapping[str, Any]:
        return times(evaluate(scenario))

    return asked(cases, ask)


def times(part: Evaluated) -> dict[str, Any]:
    """`TIMES` of a static batch, by projection and (``bound.``) bound. [s]"""
    named = {name: part.parts["projection"].of(name) for name in TIMES}
    return named | {f"bound.{name}": part.parts["bound"].of(name) for name in TIMES}


def asked(cases: Sequence[Case], ask: Ask) -> Asked:
    """Ask about cases; equal scenarios share one evaluation, with arrays for the workload.

    A model may be asked for more tokens than it was trained for, as benchmarks do.
    """
    size = len(cases)
    out = Asked(cases, {}, [""] * size, [None] * size)
    for places in gathered(case.key for case in cases).values():
        _fill(out, cases, places, ask)
    return out


def gathered(keys: Iterable[str]) -> dict[str, list[int]]:
    """Places of equal keys, in the order of their first."""
    out: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        out.setdefault(key, []).append(place)
    return out


def repeated(table: DataTable, places: Sequence[int]) -> str:
    """A note of rows that stand for one configuration; empty where it is measured once."""
    return "" if len(places) == 1 else f"median of lines {', '.join(str(table.lines[place]) for place in places)}"


def _fill(out: Asked, cases: Sequence[Case], places: list[int], ask: Ask) -> None:
    """Answer the cases at `places`, one by one where together they are refused."""
    try:
        scenario, columns = _evaluated([cases[place] for place in places], np.array(places), ask)
    except InputError as error:
        if len(places) == 1:
            out.faults[places[0]] = "; ".join(problem.message for problem in error.problems)
            return
        for place in places:
            _fill(out, cases, [place], ask)
        return
    for name, column in columns.items():
        out.columns.setdefault(name, np.full(len(cases), np.nan))[places] = column
    for place in places:
        out.scenarios[place] = scenario


def _evaluated(cases: Sequence[Case], places: NDArray[np.intp], ask: Ask) -> tuple[Scenario, Columns]:
    workload = {
        name: np.array([getattr(case, name) for case in cases])
        for name in ("batch", "input", "output", "shared_prefix")
    }
    longest = float((workload["input"] + workload["output"]).max())
    resolved = resolve({**cases[0].scenario, "model": _long(cases[0].scenario["model"], longest)}, workload)
    joined = Joined(resolved)
    for scenario in resolved.blocks():
        joined.add(ask(scenario, places[joined.rows]))
    return resolved.scenario, joined.columns


def _long(model: Any, tokens: float) -> Any:
    """The model, with room for `tokens` tokens where its own limit is less."""
    if isinstance(model, str) and component("model", model).max_context < tokens:
        return {"extends": model, "max_context": int(np.ceil(tokens))}
    return model

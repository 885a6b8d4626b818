"""Measured configurations as scenarios: many of them evaluated together, those that differ in numbers only at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError
from llmperf.evidence.classes import band
from llmperf.evidence.tables import Table
from llmperf.numeric import Array, least, most
from llmperf.phases.answered import Evaluated
from llmperf.phases.estimate import evaluate
from llmperf.phases.mixed import mixed
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
    prompts: float = 0.0
    """Prompts that join each decode step of a data-parallel rank (continuous batching), for `Answers.prompt`."""

    @property
    def key(self) -> str:
        """What is equal for cases that differ in numbers only."""
        return json.dumps(self.scenario, sort_keys=True)


@dataclass(slots=True)
class Answers:
    """Results of many cases, one entry each; NaN and a fault where a case cannot be expressed.

    Attributes
    ----------
    bound, projection : dict of str to ndarray
        `TIMES`. [s]
    max_batch : ndarray
        Sequences of this length that fit, or that the engine runs at once. [1]
    prompt : ndarray
        Time that one prompt adds to decode steps, as a whole or in chunks, where `Case.prompts` of them join each. [s]
    faults : list of str
        Why a case has no answer; empty where it has one.
    scenarios : list of Scenario or None
        The resolved scenario of each case; its workload is that of all cases that it was evaluated with.
    """

    bound: dict[str, Array]
    projection: dict[str, Array]
    max_batch: Array
    faults: list[str]
    scenarios: list[Scenario | None] = field(default_factory=list)
    prompt: Array = field(default_factory=lambda: np.zeros(0))

    def bands(self, phase: str) -> list[str]:
        """The class of the error band of each case (`llmperf.evidence.classes.band`)."""
        known: dict[int, str] = {}
        out = []
        for scenario in self.scenarios:
            if scenario is not None and id(scenario) not in known:
                known[id(scenario)] = band(phase, scenario)
            out.append("" if scenario is None else known[id(scenario)])
        return out

    @property
    def known(self) -> NDArray[np.bool_]:
        """Cases that have an answer."""
        return np.array([not fault for fault in self.faults], dtype=bool)


def answers(cases: Sequence[Case]) -> Answers:
    """Evaluate cases; equal scenarios share one evaluation, with arrays for the workload.

    A model may be asked for more tokens than it was trained for, as benchmarks do.
    """
    size = len(cases)
    out = Answers(
        {name: np.full(size, np.nan) for name in TIMES},
        {name: np.full(size, np.nan) for name in TIMES},
        np.full(size, np.nan),
        [""] * size,
        [None] * size,
        np.full(size, np.nan),
    )
    for places in gathered(case.key for case in cases).values():
        _fill(out, cases, places)
    return out


def gathered(keys: Iterable[str]) -> dict[str, list[int]]:
    """Places of equal keys, in the order of their first."""
    out: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        out.setdefault(key, []).append(place)
    return out


def repeated(table: Table, places: Sequence[int]) -> str:
    """A note of rows that stand for one configuration; empty where it is measured once."""
    return "" if len(places) == 1 else f"median of lines {', '.join(str(table.lines[place]) for place in places)}"


def _fill(out: Answers, cases: Sequence[Case], places: list[int]) -> None:
    """Answer the cases at `places`, one by one where together they are refused."""
    chosen = [cases[place] for place in places]
    try:
        scenario, columns = _evaluated(chosen)
    except InputError as error:
        if len(places) == 1:
            out.faults[places[0]] = "; ".join(problem.message for problem in error.problems)
            return
        for place in places:
            _fill(out, cases, [place])
        return
    for name in TIMES:
        out.bound[name][places] = columns[f"bound.{name}"]
        out.projection[name][places] = columns[name]
    out.max_batch[places] = columns["max_batch"]
    out.prompt[places] = columns["prompt"]
    for place in places:
        out.scenarios[place] = scenario


def _evaluated(cases: Sequence[Case]) -> tuple[Scenario, dict[str, Array]]:
    workload = {
        name: np.array([getattr(case, name) for case in cases])
        for name in ("batch", "input", "output", "shared_prefix")
    }
    longest = float((workload["input"] + workload["output"]).max())
    resolved = resolve({**cases[0].scenario, "model": _long(cases[0].scenario["model"], longest)}, workload)
    joined = Joined(resolved)
    joining = np.array([case.prompts for case in cases])
    for scenario in resolved.blocks():
        part = evaluate(scenario)
        prompts = joining[joined.rows]
        joined.add(
            {
                "max_batch": part.parts["memory"].max_batch,
                "prompt": _prompt_time(part, prompts) if joining.any() else np.nan,
                **{name: part.parts["projection"].of(name) for name in TIMES},
                **{f"bound.{name}": part.parts["bound"].of(name) for name in TIMES},
            }
        )
    return resolved.scenario, joined.columns


def _prompt_time(part: Evaluated, joining: Array) -> Any:
    """Time that a prompt adds to the decode steps that it joins, in chunks of what they leave of the token budget."""
    left = most(part.setup.scenario.engine.token_budget - part.setup.decode_step.sequences, 1.0)
    new = part.setup.new_tokens
    chunk = least(new, left)
    together = least(joining, most(left // chunk, 1.0))
    step = mixed(part.setup, part.placed, together).projection
    return (new / chunk) * most(step - part.phases["decode"].projection / part.phases["decode"].steps, 0.0) / together


def _long(model: Any, tokens: float) -> Any:
    """The model, with room for `tokens` tokens where its own limit is less."""
    if isinstance(model, str) and component("model", model).max_context < tokens:
        return {"extends": model, "max_context": int(np.ceil(tokens))}
    return model

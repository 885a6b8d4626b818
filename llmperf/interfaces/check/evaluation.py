"""Checks evaluated: those that differ only in numbers of their workload are one array call."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date
from operator import itemgetter
from typing import Any

import numpy as np

from llmperf.descriptors import catalog
from llmperf.descriptors.check import Check, Limit
from llmperf.descriptors.resolve import Resolved, resolve
from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError, Problem
from llmperf.interfaces import confidence
from llmperf.interfaces.results import Estimate, answer
from llmperf.numeric import choose
from llmperf.outputs import BOUND_BY, by_path, canonical
from llmperf.phases.estimate import notes, with_arrays

EQUAL = 1e-6
"""Relative difference up to which numbers are equal. [1]"""
ABOUT_MEMORY = ("fits", "missing", "kv_headroom")
"""Outputs with which a check says itself what it expects of the memory."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one limit holds.

    Attributes
    ----------
    limit : Limit
    value : float, bool, str or None
        What is judged, in SI units; None where the output does not exist.
    holds : bool
    margin : float or None
        Room up to the limit, relative to it (of fractions the difference); below 0 beyond it. None of what is no
        number, and of limits of 0. [1]
    """

    limit: Limit
    value: Any
    holds: bool
    margin: float | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The estimate of one check: values of all outputs by path, and what it rests on."""

    values: Mapping[str, Any]
    scenario: Scenario
    warnings: tuple[str, ...]
    files: tuple[str, ...]
    extrapolated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """Scenarios of one array call."""

    scenarios: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Result:
    """One check and what became of it.

    Attributes
    ----------
    check : Check
    status : str
        ``passed``, ``failed``, ``skipped``, or ``error``: it could not be evaluated, or its skip has expired.
    reason : str
        Why, where the limits do not say it.
    verdicts : tuple of Verdict
    answered : Answered or None
    problems : tuple of Problem
        Why it could not be evaluated.
    baseline : object
        What the lock file says of it (`llmperf.interfaces.check.lock.Baseline`); None without one.
    """

    check: Check
    status: str
    reason: str = ""
    verdicts: tuple[Verdict, ...] = ()
    answered: Answered | None = None
    problems: tuple[Problem, ...] = ()
    baseline: Any = field(default=None)


def judge(check: Check, answered: Answered | list[Problem], today: date) -> Result:
    """What becomes of a check, given its estimate or why there is none."""
    problems = list(check.problems)
    skip = check.keys.skip
    if skip is not None and today <= skip.until and not problems:
        known = None if isinstance(answered, list) else answered
        return Result(check, "skipped", f"{skip.reason} (until {skip.until.isoformat()})", answered=known)
    if isinstance(answered, list):
        problems += answered
    if problems or isinstance(answered, list):
        return Result(check, "error", "it cannot be evaluated", problems=tuple(problems))
    verdicts = []
    for limit in check.limits:
        verdict = judged(limit, answered)
        if isinstance(verdict, Problem):
            problems.append(verdict)
        else:
            verdicts.append(verdict)
    done = Result(check, "passed", "", tuple(verdicts), answered, tuple(problems))
    if problems:
        return replace(done, status="error", reason="it cannot be evaluated")
    if skip is not None:
        text = f"its skip has expired on {skip.until.isoformat()}: {skip.reason}"
        return replace(done, status="error", reason=text)
    if not verdicts:
        return replace(done, status="failed", reason="it asserts nothing")
    if not all(verdict.holds for verdict in verdicts):
        return replace(done, status="failed")
    if not answered.values["fits"] and not any(limit.output in ABOUT_MEMORY for limit in check.limits):
        text = "the workload does not fit; its times assume that it did (a check of that expects fits: false)"
        return replace(done, status="failed", reason=text)
    return done


def judged(limit: Limit, answered: Answered) -> Verdict | Problem:
    """One limit against the estimate."""
    value = answered.values[limit.output]
    if limit.pessimistic:
        share = confidence.unfavourable(answered.scenario, limit.about)
        if share is None:
            text = "no measured results of this kind: it has no pessimistic end"
            place = limit.place
            return Problem(text, f"expect.{limit.output}", place.file, place.line, column=place.column)
        value = None if value is None else value * share
    if value is None:
        return Verdict(limit, None, False)
    if isinstance(limit.value, bool | str):
        return Verdict(limit, value, value == limit.value)
    near = math.isclose(value, limit.value, rel_tol=EQUAL)
    room = value - limit.value if limit.side == "min" else limit.value - value
    holds = near or (limit.side != "equals" and room >= 0)
    return Verdict(limit, value, bool(holds), _margin(limit, room))


def _margin(limit: Limit, room: float) -> float | None:
    """The room up to a limit: of fractions the difference, else relative to it; of 0 and of infinity none."""
    if limit.side == "equals" or not math.isfinite(room):
        return None
    if not limit.about.unit:
        return room
    return room / abs(limit.value) if limit.value else None


def evaluate(checks: Sequence[Check], extra: tuple[str, ...] = ()) -> list[Answered | list[Problem]]:
    """The estimate of each check, or what is wrong with its scenario.

    Parameters
    ----------
    checks : sequence of Check
    extra : tuple of str
        The caller's catalog directories.
    """
    from llmperf.interfaces.check.parallel import spread

    groups: dict[str, list[int]] = {}
    for index, check in enumerate(checks):
        groups.setdefault(_key(check.scenario, index), []).append(index)
    tasks = [Task(tuple(checks[index].scenario for index in group)) for group in groups.values()]
    out: list[Answered | list[Problem]] = [[] for _ in checks]
    for group, answers in zip(groups.values(), spread(tasks, extra), strict=True):
        for index, found in zip(group, answers, strict=True):
            if isinstance(found, list):
                found = [_located(checks[index], problem) for problem in found]
            out[index] = found
    return out


def _key(scenario: Mapping[str, Any], index: int) -> str:
    """What checks of one array call have in common: all but the numbers of their workload."""
    work = scenario.get("workload")
    if not isinstance(work, Mapping) or work.get("maximize") is not None:
        return str(index)  # a maximum is sought for each by itself
    rest = {name: value for name, value in work.items() if not _plain(value)}
    kept = {**scenario, "workload": rest, "": sorted(set(work) - set(rest))}
    return json.dumps({key: value for key, value in kept.items() if key not in ("name", "description")}, default=repr)


def _plain(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def answered(task: Task, extra: tuple[str, ...]) -> list[Answered | list[Problem]]:
    """The scenarios of one array call; where that is refused, their halves, until the wrong ones stand alone."""
    scenarios = task.scenarios
    scenario = scenarios[0]
    if len(scenarios) > 1:
        works = [one["workload"] for one in scenarios]
        columns = {name: [work[name] for work in works] for name in works[0] if _plain(works[0][name])}
        arrays = {name: np.array(column) for name, column in columns.items() if len(set(column)) > 1}
        scenario = {**scenario, "workload": {**works[0], **arrays}}
    try:
        with catalog.touching() as touched:
            resolved = resolve(scenario, {}, extra)
            result = answer(resolved)
    except InputError as error:
        if len(scenarios) == 1:
            return [list(error.problems)]
        half = len(scenarios) // 2
        halves = (replace(task, scenarios=part) for part in (scenarios[:half], scenarios[half:]))
        return [one for part in halves for one in answered(part, extra)]
    files = tuple(dict.fromkeys(touched))
    said = _said(resolved, result, len(scenarios))
    return [
        Answered(one, result.scenario, warnings, files, extrapolated)
        for one, (warnings, extrapolated) in zip(values(result, len(scenarios)), said, strict=True)
    ]


def _said(resolved: Resolved, result: Estimate, size: int) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Warnings and extrapolations of each configuration; what all together do not cause, none of them does."""
    warnings, extrapolated = result.warnings, tuple(result.extrapolated)
    if size == 1 or not (warnings or extrapolated):
        yield from [(warnings, extrapolated)] * size
        return
    scenario, work = result.scenario, result.scenario.workload
    shortest = replace(scenario, workload=with_arrays(work, size, lambda array: array.min(keepdims=True)))
    alike = tuple(result.extrapolated_of(shortest)) == extrapolated  # what the shortest contexts cause, all do
    for index in range(size):
        own = replace(scenario, workload=with_arrays(work, size, itemgetter(slice(index, index + 1))))
        yield (
            (*resolved.warnings, *notes(own)) if warnings else (),
            extrapolated if alike else tuple(result.extrapolated_of(own)),
        )


def _located(check: Check, problem: Problem) -> Problem:
    if problem.file is not None:
        return problem
    place = check.locate(problem.path)
    return replace(problem, file=place.file, line=place.line, column=place.column)


def values(result: Estimate, size: int) -> Iterator[dict[str, Any]]:
    """The outputs of each configuration by path; None where one does not exist, infinity where it has no limit."""
    columns = {path: _listed(column(result, path), size) for path in by_path()}
    for index in range(size):
        yield {path: found[index] for path, found in columns.items()}


def _listed(found: Any, size: int) -> list[Any]:
    """One output of each configuration; None for what is no number."""
    many = found.reshape(-1).tolist() if isinstance(found, np.ndarray) else [found] * size
    return [None if isinstance(one, float) and math.isnan(one) else one for one in many]


def column(result: Estimate, path: str) -> Any:
    """The values of one output."""
    head, _, name = canonical(path).rpartition(".")
    if head == BOUND_BY.name:
        return result.bottleneck[name]
    part = {"bound": result.bound, "roofline": result.roofline, "memory": result.memory}.get(head)
    if part is None:
        part = result.projection if name in {item.name for item in fields(result.projection)} else result.memory
    found = getattr(part, name)
    if name == "kv_pool_tokens":  # a model that keeps nothing of a token holds any number of them
        found = choose(np.isnan(found), np.inf, found)
    return found

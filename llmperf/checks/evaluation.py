"""Checks evaluated: those that differ only in numbers of their workload are one array call."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from llmperf.answers.questions import asked
from llmperf.answers.values import EQUAL
from llmperf.checks.limits import Check, Limit, Note
from llmperf.checks.tasks import Answered, Task, plain_number
from llmperf.errors import Problem, nearest
from llmperf.evidence import confidence
from llmperf.outputs import CAPACITY, MEMORY_CLASSES

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
        number, of limits of 0, and of what assumes that a workload fits which does not. [1]
    """

    limit: Limit
    value: Any
    holds: bool
    margin: float | None = None


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
        What the lock file says of it (`llmperf.checks.lock.Baseline`); None without one.
    unclear : tuple of Note
        What of its deployment file is not understood, where that fails it.
    unfit : bool
        Whether it fails because the workload does not fit, which it does not limit.
    advice : str
        What it lacks of memory, and what would fit.
    moved : frozenset of (str, int)
        Files and lines that have changed since the commit that was asked about.
    """

    check: Check
    status: str
    reason: str = ""
    verdicts: tuple[Verdict, ...] = ()
    answered: Answered | None = None
    problems: tuple[Problem, ...] = ()
    baseline: Any = field(default=None)
    unclear: tuple[Note, ...] = ()
    unfit: bool = False
    advice: str = ""
    moved: frozenset[tuple[str, int]] = frozenset()


def judge(check: Check, answered: Answered | list[Problem], today: date, strict: bool = False) -> Result:
    """What becomes of a check, given its estimate or why there is none.

    With `strict`, it fails where something of its deployment file is not understood that may change the answer.
    """
    problems = list(check.problems)
    skip = check.keys.skip
    if skip is not None and today <= skip.until and not problems:
        known = None if isinstance(answered, list) else answered
        return Result(check, "skipped", f"{skip.reason} (until {skip.until.isoformat()})", answered=known)
    if isinstance(answered, list) and not check.unread:
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
    if strict and (unclear := tuple(one for one in check.said if one.kind == "not_understood")):
        text = f"{len(unclear)} of what its deployment file says {'is' if len(unclear) == 1 else 'are'} not understood"
        done = replace(done, status="failed", reason=text, unclear=unclear)
    if not all(verdict.holds for verdict in verdicts):
        return replace(done, status="failed")
    if answered.values.get("fits") is False and not any(limit.output in ABOUT_MEMORY for limit in check.limits):
        text = "the workload does not fit; its times assume that it did (a check of that expects fits: false)"
        text = "; ".join(part for part in (done.reason, text) if part)
        return replace(done, status="failed", reason=text, unfit=True)
    return done


def judged(limit: Limit, answered: Answered) -> Verdict | Problem:
    """One limit against the estimate."""
    if limit.output not in answered.values:
        place, allowed = limit.place, tuple(answered.values)
        text, like = (
            f"is no output of {asked(answered.scenario).name}, which is asked here",
            nearest(limit.output, allowed),
        )
        return Problem(text, f"expect.{limit.output}", place.file, place.line, allowed, like, place.column)
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
    real = answered.values.get("fits") is not False or limit.about in (*CAPACITY, *MEMORY_CLASSES)
    return Verdict(limit, value, bool(holds), _margin(limit, room) if real else None)


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
    from llmperf.checks.parallel import spread

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
    rest = {name: value for name, value in work.items() if not plain_number(value)}
    kept = {**scenario, "workload": rest, "": sorted(set(work) - set(rest))}
    return json.dumps({key: value for key, value in kept.items() if key not in ("name", "description")}, default=repr)


def _located(check: Check, problem: Problem) -> Problem:
    if problem.file is not None:
        return problem
    place = check.locate(problem.path)
    return replace(problem, file=place.file, line=place.line, column=place.column)

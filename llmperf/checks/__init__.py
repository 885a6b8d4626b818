"""Checks of sizings: discovered, evaluated together, judged against their limits and against their baselines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from llmperf.checks import advice, deployed, lock
from llmperf.checks.discovery import changed_lines, discover, touched
from llmperf.checks.discovery import changed_since as files_changed_since
from llmperf.checks.evaluation import Result, Verdict, evaluate, judge
from llmperf.checks.files import read
from llmperf.checks.limits import Check
from llmperf.errors import InputError, Problem, nearest
from llmperf.files.documents import finite
from llmperf.scenarios.components import component
from llmperf.version import __version__

SCHEMA_VERSION = 1
"""Version of ``llmperf check --json``; it grows when a name changes its meaning or goes."""

STATUSES = ("passed", "failed", "error", "skipped")
HELD, FAILED, WRONG = 0, 1, 2
"""Exit codes: all checks hold; one failed, drifted, or has an expired skip; the input is wrong."""

Source = Path | str | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Checks:
    """What became of all checks.

    Attributes
    ----------
    results : tuple of Result
        In the order of the files.
    problems : tuple of Problem
        Everything wrong with the input, of all files.
    notes : tuple of str
        What else a user should know: lock files written, entries of no check.
    """

    results: tuple[Result, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 all hold, 1 a check failed, 2 the input is wrong."""
        if self.problems:
            return WRONG
        return FAILED if any(result.status in ("failed", "error") for result in self.results) else HELD

    @property
    def counts(self) -> dict[str, int]:
        """How many checks have each status."""
        found = Counter(result.status for result in self.results)
        return {status: found[status] for status in STATUSES}

    def to_dict(self) -> dict[str, Any]:
        """Plain data as ``llmperf check --json`` prints it: SI units, null for what does not exist."""
        plain: dict[str, Any] = finite(
            {
                "schema_version": SCHEMA_VERSION,
                "llmperf_version": __version__,
                "exit_code": self.exit_code,
                "summary": self.counts,
                "checks": [_result(result) for result in self.results],
                "errors": [problem.to_dict() for problem in self.problems],
                "notes": list(self.notes),
            }
        )
        return plain


def check(
    paths: Source | Iterable[Source] | None = None,
    *,
    deployment: str | Path | Sequence[str | Path] = (),
    hardware: str | None = None,
    model: str | None = None,
    tags: Iterable[str] = (),
    changed_since: str | None = None,
    update: bool = False,
    strict: bool = False,
    catalog: tuple[str, ...] = (),
    today: date | None = None,
) -> Checks:
    """Evaluate checks.

    Parameters
    ----------
    paths : path, mapping, or several of them
        Files, directories that are searched for them, or check files as data; by default the current directory.
    deployment : path or several
        Deployment files; each model that they deploy must fit, with one sequence as long as its server accepts.
    hardware, model : str, optional
        Of deployments whose files do not say them.
    tags : iterable of str
        Only checks that have one of these.
    changed_since : str, optional
        Only checks that a change since this commit can have touched.
    update : bool
        Whether the lock files are written anew.
    strict : bool
        Whether a check fails of whose deployment file something is not understood that may change the answer.
    catalog : tuple of str
        Directories whose descriptors go before the packaged ones.
    today : date, optional
        The day on which skips are judged; by default the current one.

    Returns
    -------
    Checks
        Wrong input is in its problems; nothing is raised for what a file holds.

    Raises
    ------
    InputError
        If the arguments are wrong: nothing to check, an unknown tag, model or hardware, an unknown commit.
    """
    sources, problems = _sources(paths, deployment, _given(hardware, model, catalog), catalog)
    found = [one for _, checks, _ in sources for one in checks]
    problems += [problem for _, _, wrong in sources for problem in wrong]
    faulty = {str(source) for source, _, wrong in sources if wrong and not isinstance(source, Mapping)}
    wanted = _tagged(found, tuple(tags), problems)
    answers = evaluate(wanted, catalog)
    day = today or date.today()
    results = [judge(one, answered, day, strict) for one, answered in zip(wanted, answers, strict=True)]
    whole = len(wanted) == len(found)
    if changed_since is not None:
        changed = files_changed_since(changed_since)
        kept = [one for one in results if one.problems or touched(_files(one), changed)]
        whole, results = whole and len(kept) == len(results), kept
    results, more, notes = lock.compared(results, update, whole, faulty)
    results = advice.advised(results, catalog)
    if changed_since is not None:
        moved = changed_lines(changed_since, {one.place.file for result in results for one in result.check.said})
        results = [replace(result, moved=moved) for result in results]
    problems += more
    if changed_since is not None and not results:
        notes.append(f"no check is touched by what changed since {changed_since}")
    problems += [problem for result in results for problem in result.problems]
    unique = {(one.file, one.line, one.column, one.path, one.message): one for one in problems}
    return Checks(tuple(results), tuple(unique.values()), tuple(notes))


def collect(
    paths: Source | Iterable[Source] | None = None,
    deployment: str | Path | Sequence[str | Path] = (),
    *,
    hardware: str | None = None,
    model: str | None = None,
    catalog: tuple[str, ...] = (),
) -> tuple[list[Check], list[Problem]]:
    """The checks of files, directories and data, without evaluating them, and what is wrong with the files.

    Parameters
    ----------
    paths, deployment, hardware, model, catalog
        As of `check`.

    Raises
    ------
    InputError
        If the hardware or the model is unknown.
    """
    sources, problems = _sources(paths, deployment, _given(hardware, model, catalog), catalog)
    found = [one for _, checks, _ in sources for one in checks]
    return found, problems + [problem for _, _, wrong in sources for problem in wrong]


def _given(hardware: str | None, model: str | None, catalog: tuple[str, ...]) -> dict[str, str]:
    """What flags say of deployments; what is wrong with a flag is no fault of a file."""
    given = {"hardware": hardware, "model": model}
    for kind, name in given.items():
        if name is not None:
            try:
                component(kind, name, catalog)
            except InputError as error:
                raise InputError([replace(one, path=f"--{kind}") for one in error.problems]) from None
    return {kind: name for kind, name in given.items() if name is not None}


def _sources(
    paths: Source | Iterable[Source] | None,
    deployment: str | Path | Sequence[str | Path],
    given: Mapping[str, str],
    catalog: tuple[str, ...],
) -> tuple[list[tuple[Source, list[Check], list[Problem]]], list[Problem]]:
    """Each source with its checks and what is wrong with it; and what is wrong with the arguments."""
    others = [deployment] if isinstance(deployment, str | Path) else list(deployment)
    named = [paths] if isinstance(paths, str | Path | Mapping) else list(paths or ([] if others else ["."]))
    files, problems = discover([one for one in named if not isinstance(one, Mapping)])
    sources: list[tuple[Source, list[Check], list[Problem]]] = []
    for source in (*files, *(one for one in named if isinstance(one, Mapping))):
        checks, wrong = read(source, catalog, given)
        if not checks and not wrong:
            wrong = [Problem("holds no checks", file=None if isinstance(source, Mapping) else str(source))]
        sources.append((source, checks, wrong))
    for file in others:
        try:
            sources.append((file, deployed.checks(str(file), given), []))
        except InputError as error:
            sources.append((file, [], [one if one.file else replace(one, file=str(file)) for one in error.problems]))
    return sources, problems


def _tagged(found: list[Check], tags: tuple[str, ...], problems: list[Problem]) -> list[Check]:
    known = {tag for one in found for tag in one.keys.tags}
    unknown = [tag for tag in tags if tag not in known]
    if unknown and not problems:
        allowed = tuple(sorted(known))
        raise InputError(
            [
                Problem(f"no check has the tag {tag!r}", "--tag", None, None, allowed, nearest(tag, allowed))
                for tag in unknown
            ]
        )
    return [one for one in found if not tags or set(tags) & set(one.keys.tags)]


def _files(result: Result) -> tuple[str, ...]:
    """Everything outside of the package that a result rests on."""
    return (*result.check.files, *(result.answered.files if result.answered else ()))


def _result(result: Result) -> dict[str, Any]:
    check = result.check
    answered = result.answered
    return {
        "name": check.name,
        "file": check.place.file,
        "line": check.place.line,
        "status": result.status,
        "reason": result.reason or None,
        "advice": result.advice or None,
        "tags": list(check.keys.tags),
        "limits": [_verdict(verdict) for verdict in result.verdicts],
        "baseline": result.baseline.to_dict() if result.baseline else None,
        "outputs": dict(answered.values) if answered else None,
        "warnings": [*check.notes, *(answered.warnings if answered else ())],
        "extrapolated": list(answered.extrapolated) if answered else [],
        "errors": [problem.to_dict() for problem in result.problems],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    limit = verdict.limit
    return {
        "output": limit.output,
        "unit": limit.about.unit,
        "side": limit.side,
        "limit": limit.value,
        "confidence": "pessimistic" if limit.pessimistic else "projection",
        "value": verdict.value,
        "holds": verdict.holds,
        "margin": verdict.margin,
        **asdict(limit.place),
    }

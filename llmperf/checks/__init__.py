"""Checks of sizings: discovered, evaluated together, judged against their limits and against their baselines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from llmperf.checks import lock
from llmperf.checks.discovery import changed_since as files_changed_since
from llmperf.checks.discovery import discover, touched
from llmperf.checks.evaluation import Result, Verdict, evaluate, judge
from llmperf.checks.files import deployments, read, said
from llmperf.checks.limits import Check, CheckKeys, Limit, Place
from llmperf.descriptors.workload import Workload
from llmperf.errors import InputError, Problem, nearest
from llmperf.files.documents import finite
from llmperf.outputs import canonical
from llmperf.scenarios.catalog import load
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
    tags: Iterable[str] = (),
    changed_since: str | None = None,
    update: bool = False,
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
    hardware : str, optional
        Of deployments whose files do not say it.
    tags : iterable of str
        Only checks that have one of these.
    changed_since : str, optional
        Only checks that a change since this commit can have touched.
    update : bool
        Whether the lock files are written anew.
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
        If the arguments are wrong: nothing to check, an unknown tag, unknown hardware, a commit that git does not know.
    """
    sources, problems = _sources(paths, deployment, hardware, catalog)
    found = [one for _, checks, _ in sources for one in checks]
    problems += [problem for _, _, wrong in sources for problem in wrong]
    faulty = {str(source) for source, _, wrong in sources if wrong and not isinstance(source, Mapping)}
    wanted = _tagged(found, tuple(tags), problems)
    answers = evaluate(wanted, catalog)
    results = [judge(one, answered, today or date.today()) for one, answered in zip(wanted, answers, strict=True)]
    whole = len(wanted) == len(found)
    if changed_since is not None:
        changed = files_changed_since(changed_since)
        kept = [one for one in results if one.problems or touched(_files(one), changed)]
        whole, results = whole and len(kept) == len(results), kept
    results, more, notes = lock.compared(results, update, whole, faulty)
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
    catalog: tuple[str, ...] = (),
) -> tuple[list[Check], list[Problem]]:
    """The checks of files, directories and data, without evaluating them, and what is wrong with the files.

    Parameters
    ----------
    paths, deployment, hardware, catalog
        As of `check`.

    Raises
    ------
    InputError
        If the hardware is unknown.
    """
    sources, problems = _sources(paths, deployment, hardware, catalog)
    found = [one for _, checks, _ in sources for one in checks]
    return found, problems + [problem for _, _, wrong in sources for problem in wrong]


def _sources(
    paths: Source | Iterable[Source] | None,
    deployment: str | Path | Sequence[str | Path],
    hardware: str | None,
    catalog: tuple[str, ...],
) -> tuple[list[tuple[Source, list[Check], list[Problem]]], list[Problem]]:
    """Each source with its checks and what is wrong with it; and what is wrong with the arguments."""
    if hardware is not None:
        load("hardware", hardware, catalog, "--hardware")  # what is wrong with a flag is no fault of a file
    deployed = [deployment] if isinstance(deployment, str | Path) else list(deployment)
    given = [paths] if isinstance(paths, str | Path | Mapping) else list(paths or ([] if deployed else ["."]))
    files, problems = discover([one for one in given if not isinstance(one, Mapping)])
    sources: list[tuple[Source, list[Check], list[Problem]]] = []
    for source in (*files, *(one for one in given if isinstance(one, Mapping))):
        checks, wrong = read(source, catalog, hardware)
        if not checks and not wrong:
            wrong = [Problem("holds no checks", file=None if isinstance(source, Mapping) else str(source))]
        sources.append((source, checks, wrong))
    for file in deployed:
        try:
            sources.append((file, _deployed(str(file), hardware), []))
        except InputError as error:
            sources.append((file, [], [one if one.file else replace(one, file=str(file)) for one in error.problems]))
    return sources, problems


def _deployed(file: str, hardware: str | None) -> list[Check]:
    """One check for each model that a file deploys: that it fits, and if it is served, so does its longest sequence."""
    out = []
    for one in deployments(file, hardware):
        place = Place(file, one.line or 1)
        limits = [Limit("fits", "equals", True, "equals True", False, place)]
        expect: dict[str, Any] = {"fits": True}
        if one.tool:
            longest = canonical("max_concurrency_at_max_context")
            expect[longest] = {"min": 1}
            limits.append(Limit(longest, "min", 1.0, "min 1", False, _written(one, "model.max_context", place)))
        keys = CheckKeys(expect=expect, deployment=f"{file}#{one.name}")
        notes = (*said(one), *_assumed(one))
        out.append(Check(one.name, place, one.scenario, tuple(limits), keys, partial(_at, place), one.files, notes))
    return out


def _written(deployment: Any, path: str, otherwise: Place) -> Place:
    """Where a deployment file says a value of the scenario."""
    found = next((one for one in deployment.findings if one.path == path and one.line), None)
    return Place(found.file or otherwise.file, found.line) if found else otherwise


def _assumed(deployment: Any) -> Iterator[str]:
    """What a deployment is judged under, of which its file says nothing: traffic."""
    work = Workload()
    yield (
        f"assumed: the workload is {work.batch} sequence of {work.input} prompt and {work.output} output tokens, "
        "or of what the model takes, as the file says none"
    )
    if deployment.tool:
        longest, at_once = deployment.max_context, deployment.max_sequences
        yield (
            f"assumed: {deployment.tool} must hold one sequence of the longest context that it accepts "
            f"({_or(longest)} tokens), and runs at most {_or(at_once)} sequences at once"
        )


def _or(limit: int | None) -> str:
    return "its default number of" if limit is None else str(limit)


def _at(place: Place, _: str) -> Place:
    """The place of anything in a file of which only the beginning is known."""
    return place


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

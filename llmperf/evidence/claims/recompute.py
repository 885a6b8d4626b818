"""Published results recomputed: what is predicted beside what was claimed, and whether it holds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from llmperf.answers.answer import answer
from llmperf.answers.breakdown import measured, operators
from llmperf.errors import InputError, Problem, shown
from llmperf.evidence.claims.files import APART, UNVERIFIED, Category, Published, PublishedClaim, Source, read
from llmperf.files import store
from llmperf.files.documents import Document
from llmperf.outputs import Metric, metric
from llmperf.scenarios import catalog as catalog_module
from llmperf.scenarios.components import COMPONENTS
from llmperf.scenarios.keys import flattened, over
from llmperf.scenarios.resolve import resolve

Verdict = Literal["pass", "fail", "not_gated", "not_expressible"]
VERDICTS: tuple[Verdict, ...] = ("pass", "fail", "not_gated", "not_expressible")
"""Within tolerance, or not; recomputed but unverified, so that nothing hangs on it; cannot be described yet."""
STANDINGS = ("pass", "fail", "not_gated", *APART, "not_expressible")
"""What claims are counted by: the verdict; claims that are counted apart by the reason for that (`Claim.standing`)."""

_METRIC = "metric"
"""Path of a fault of the metric, not of the scenario."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim recomputed; SI units.

    Attributes
    ----------
    published : float, (float, float), bool or str
        A number, a range, a truth (``fits``), or a direction (``greater``, ``less than 2``).
    predicted : float or None
        None where the claim is not expressible.
    error : float or None
        ``predicted / published - 1``; of a range or a direction measured to the nearest end, 0 inside; None of a truth
        that does not hold. [1]
    tolerance : float or None
        Largest error that passes; None of a direction or a truth, which holds or does not. [1]
    verdict : str
        One of `VERDICTS`.
    why : str
        What is missing, in words, or why the claim is not gated.
    provenance : str
        Where the number stands.
    category : str
        A key of `llmperf.evidence.claims.files.CATEGORIES`.
    source : Source
        Where the system was published.
    mechanisms : tuple of str
        What a claim that is not expressible waits for, of `llmperf.evidence.claims.files.MECHANISMS`.
    apart : str
        Why it is counted apart, of `llmperf.evidence.claims.files.APART`; empty where it is not.
    """

    id: str
    system: str
    tier: str
    metric: str
    published: float | tuple[float, float] | str
    predicted: float | None
    error: float | None
    tolerance: float | None
    verdict: Verdict
    why: str
    provenance: str
    category: Category
    source: Source
    mechanisms: tuple[str, ...] = ()
    apart: str = ""

    @property
    def standing(self) -> str:
        """What it is counted by, of `STANDINGS`."""
        return self.apart if self.apart and self.verdict in ("pass", "fail") else self.verdict


def load(path: str | Path) -> Published:
    """A claims file.

    Raises
    ------
    InputError
        With all faults of the file, each with its line.
    """
    return read(store.load_file(str(path)))


def evaluate(
    paths: Iterable[str | Path] | str | Path | None = None,
    catalog: tuple[str, ...] = (),
    categories: Iterable[str] | None = None,
) -> list[Claim]:
    """Recompute published results.

    Parameters
    ----------
    paths : str, Path or several, optional
        Claims files, directories of them, or names of the catalog's; without, all of the catalog.
    catalog : tuple of str
        Directories whose descriptors go before the packaged ones.
    categories : iterable of str, optional
        Only systems of these (`llmperf.evidence.claims.files.CATEGORIES`).

    Returns
    -------
    list of Claim
        In the order of the files and of the claims within.

    Raises
    ------
    InputError
        If a file is wrong, or a scenario is for another reason than that something is not known yet; lists all faults.
    """
    problems: list[Problem] = []
    files = []
    for path in _files(paths, catalog):
        try:
            files.append((load(path), store.load_file(str(path))))
        except InputError as error:
            problems += error.problems
    problems += _twice(files)
    wanted = None if categories is None else set(categories)
    out = []
    for published, document in files:
        if wanted is not None and published.category not in wanted:
            continue
        for index, claim in enumerate(published.claims):
            try:
                out.append(_recomputed(published, claim, index, document, catalog))
            except InputError as error:
                problems += error.problems
    if problems:
        raise InputError(problems)
    return out


def counts(claims: Iterable[Claim]) -> dict[str, int]:
    """How many claims have each verdict, those that are counted apart by the reason for that."""
    found = Counter(claim.standing for claim in claims)
    return {standing: found[standing] for standing in STANDINGS}


def share(claims: Iterable[Claim], tier: str | None = None, categories: Iterable[str] | None = None) -> float:
    """Share of the gated claims that hold, of one tier and of some categories; NaN where none is gated. [1]

    Claims that are counted apart do not count.
    """
    wanted = None if categories is None else set(categories)
    held = [
        claim.verdict == "pass"
        for claim in claims
        if claim.standing in ("pass", "fail")
        and (tier is None or claim.tier == tier)
        and (wanted is None or claim.category in wanted)
    ]
    return sum(held) / len(held) if held else math.nan


def said(claims: Iterable[Claim]) -> str:
    """How many claims have each standing, in words, the most frequent first; what none has is left out."""
    listed = list(claims)
    words = []
    for number, standing in sorted(((number, name) for name, number in counts(listed).items() if number), reverse=True):
        held = sum(claim.standing == standing and claim.verdict == "pass" for claim in listed)
        words.append(f"{number} {standing.replace('_', ' ')}" + (f" ({held} hold)" if standing in APART else ""))
    return ", ".join(words)


def missing(claims: Iterable[Claim]) -> dict[str, int]:
    """How many claims wait for each mechanism, the most wanted first; one that names none counts by its reason."""
    names = (name for claim in claims if claim.predicted is None for name in claim.mechanisms or (claim.why,))
    return dict(Counter(names).most_common())


def waiting(claims: Iterable[Claim], mechanisms: Iterable[str], *, alone: bool = False) -> list[Claim]:
    """The claims that wait for one of some mechanisms; `alone`: for nothing else, so that these are all they need."""
    wanted = set(mechanisms)
    if alone:
        return [claim for claim in claims if claim.mechanisms and wanted.issuperset(claim.mechanisms)]
    return [claim for claim in claims if wanted.intersection(claim.mechanisms)]


def _files(paths: Iterable[str | Path] | str | Path | None, extra: tuple[str, ...]) -> list[Path]:
    if paths is None:
        return [path for _, path in sorted(catalog_module.files("published", extra).items())]
    given = (paths,) if isinstance(paths, str | Path) else tuple(paths)
    found: list[Path] = []
    for item in given:
        path = Path(item)
        there = _there(path) if str(item) else ""
        if there == "directory":
            inside = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml", ".json"))
            if not inside:
                raise InputError(Problem("holds no claims file (.yaml, .yml or .json)", file=str(path)))
            found += inside
        elif there or store.is_path(str(item)):
            found.append(path)
        else:
            found.append(catalog_module.find("published", str(item), extra, "claims"))
    return list(dict.fromkeys(found))


def _there(path: Path) -> str:
    """What stands at a path; nothing also where the system refuses the name."""
    try:
        return "directory" if path.is_dir() else "file" if path.exists() else ""
    except (OSError, ValueError):
        return ""


def _twice(files: list[tuple[Published, Document]]) -> list[Problem]:
    """Ids that stand in more than one file: a result is referred to by its id."""
    seen: dict[str, str | None] = {}
    found = []
    for published, document in files:
        for index, claim in enumerate(published.claims):
            path = f"claims.{index}.id"
            if seen.setdefault(claim.id, document.file) != document.file:
                text = f"{shown(claim.id)} is also the id of a claim in {seen[claim.id]}"
                found.append(Problem(text, path, document.file, document.line(path)))
    return found


def _recomputed(of: Published, claim: PublishedClaim, index: int, document: Document, extra: tuple[str, ...]) -> Claim:
    tolerance = None if claim.direction or isinstance(claim.value, bool) else claim.allowed_error

    def judged(predicted: float | None, error: float | None, verdict: Verdict, why: str = "") -> Claim:
        shape = (claim.id, of.system, claim.tier, claim.metric, _published(claim))
        where = (claim.provenance, of.category, of.source)
        return Claim(*shape, predicted, error, tolerance, verdict, why, *where, claim.mechanisms, claim.apart or "")

    if claim.not_expressible is not None:
        return judged(None, None, "not_expressible", claim.not_expressible)
    try:
        predicted = _predicted(claim, _metric(claim), document, extra)
    except InputError as error:
        if all(problem.kind != "wrong" for problem in error.problems):
            return judged(None, None, "not_expressible", "; ".join(map(_unknown, error.problems)))
        raise InputError([_located(problem, index, document) for problem in error.problems]) from None
    if not math.isfinite(predicted):
        return judged(None, None, "not_expressible", f"{claim.metric} does not exist in this scenario")
    error_, holds = _compared(claim, predicted)
    if claim.provenance.startswith(UNVERIFIED):
        return judged(predicted, error_, "not_gated", claim.provenance)
    return judged(predicted, error_, "pass" if holds else "fail")


def _published(claim: PublishedClaim) -> float | tuple[float, float] | str:
    if isinstance(claim.value, bool):
        return claim.value
    low, high = claim.limits
    if claim.direction is not None:
        return claim.direction if claim.value is None else f"{claim.direction} than {low:g}"
    return (low, high) if isinstance(claim.value, tuple) else low


def _compared(claim: PublishedClaim, predicted: float) -> tuple[float | None, bool]:
    """Error to the nearest end of what is claimed, and whether the claim holds."""
    low, high = claim.limits
    if isinstance(claim.value, bool):
        return (0.0, True) if predicted == low else (None, False)
    if claim.direction is not None:
        holds = predicted > low if claim.direction == "greater" else predicted < high
        return 0.0 if holds else (predicted / low - 1.0 if low else None), holds
    end = min(max(predicted, low), high)
    error = predicted / end - 1.0
    return error, abs(error) <= claim.allowed_error


def _metric(claim: PublishedClaim) -> Metric:
    found = metric(claim.metric)
    assert found is not None  # reading a file refuses a scenario with any other
    return found


def _predicted(claim: PublishedClaim, wanted: Metric, document: Document, extra: tuple[str, ...]) -> float:
    """The claim's metric; of several cases the mean."""
    cases = claim.cases
    return sum(_case(claim, _beside(case, document), wanted, document, extra) for case in cases) / len(cases)


def _case(
    claim: PublishedClaim, case: Mapping[str, Any], wanted: Metric, document: Document, extra: tuple[str, ...]
) -> float:
    """The metric in one case; of several baselines the best counts."""
    try:
        put = flattened(case)
    except InputError as error:
        raise InputError([_under("over", problem) for problem in error.problems]) from None
    scenario = over(_beside(claim.scenario or {}, document), put)
    value = _part("scenario", scenario, {}, wanted, extra)
    if not wanted.ratio:
        return value
    bases = [_beside(base, document) for base in claim.baseline or ({},)]
    best = min if wanted.output.better == "lower" else max
    base = best(_part("baseline", scenario, base, wanted, extra) for base in bases)
    return value / base if base else math.nan


def _part(
    name: str, scenario: Mapping[str, Any], overrides: Mapping[str, Any], wanted: Metric, extra: tuple[str, ...]
) -> float:
    """The output of the scenario or of its baseline; a fault says which of the two it is in."""
    try:
        return _value(scenario, overrides, wanted, extra)
    except InputError as error:
        raise InputError([_under(name, problem) for problem in error.problems]) from None


def _under(name: str, problem: Problem) -> Problem:
    return problem if problem.file or problem.path == _METRIC else replace(problem, path=f"{name}.{problem.path}")


def _value(scenario: Mapping[str, Any], overrides: Mapping[str, Any], wanted: Metric, extra: tuple[str, ...]) -> float:
    """The output of a scenario with overrides merged over it."""
    found = answer(resolve(scenario, overrides, extra))
    if not wanted.operator:
        return float(np.asarray(found.value(wanted.path)).reshape(-1)[0])
    try:
        rows = operators(found.evaluated[0].phases[wanted.phase])
        return measured(rows, wanted.operator, wanted.output.name, wanted.roofline)
    except InputError as error:
        raise InputError([replace(problem, path=_METRIC) for problem in error.problems]) from None


def _beside(keys: Mapping[str, Any], document: Document) -> dict[str, Any]:
    """Keys whose relative files are taken from the directory of the claims file."""
    return {
        key: catalog_module.beside(value, document.file) if key in COMPONENTS and isinstance(value, str) else value
        for key, value in keys.items()
    }


def _located(problem: Problem, index: int, document: Document) -> Problem:
    """A fault of a scenario, under the claim's key and line where it has no file of its own."""
    if problem.file is not None:
        return problem
    path = f"claims.{index}.{problem.path}".rstrip(".")
    return replace(problem, path=path, file=document.file, line=document.line(path))


def _unknown(problem: Problem) -> str:
    """What this version does not know yet, and of which part where it is the baseline."""
    return f"baseline: {problem.message}" if problem.path.startswith("baseline.") else problem.message

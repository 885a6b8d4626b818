"""A measured run beside bound and projection of its scenario."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llmperf.descriptors.scenario import Scenario
from llmperf.descriptors.traffic import WAYS
from llmperf.errors import InputError, Problem, shown
from llmperf.evidence.rows import SLACK
from llmperf.evidence.runs.metrics import Prediction
from llmperf.evidence.runs.prediction import coming, predictions, under
from llmperf.evidence.runs.run import Run
from llmperf.phases.notes import notes
from llmperf.scenarios import catalog, checkpoints, typed
from llmperf.scenarios.binding import Resolved
from llmperf.scenarios.flags import flag
from llmperf.scenarios.resolve import resolve, written

Reference = Mapping[str, Any] | str | Path | None

_VENDORS = re.compile(r"^(nvidia|amd|intel|apple)[ -]+(geforce[ -]+)?", re.IGNORECASE)
_SUSPECTS = (
    "a measurement beats the bound: look for a cached prefix, drafted tokens, answers that ended early, lengths that "
    "scatter (--input-cv, --output-cv), or another format, layout or clock than the scenario says"
)


@dataclass(frozen=True, slots=True)
class ComparedMetric:
    """One metric: measured, predicted, and what lies between.

    Attributes
    ----------
    metric : str
        ``..._s`` is a time, ``..._per_s`` a rate.
    measured, bound, projection : float
        SI units.
    explained_by : dict of str to float
        Shares of the gap between bound and projection, by what the projection waits for there. [1]
    note : str
        What the prediction leaves out, empty where nothing.
    """

    metric: str
    measured: float
    bound: float
    projection: float
    explained_by: Mapping[str, float]
    note: str

    @property
    def is_rate(self) -> bool:
        """Whether more is better."""
        return self.metric.endswith("_per_s")

    @property
    def is_percentile(self) -> bool:
        """Whether it is a percentile of a time; what explains its gap is what explains that of the mean."""
        return re.search(r"_p\d+_s$", self.metric) is not None

    @property
    def fraction_of_bound(self) -> float:
        """How much of what is physically possible was reached. [1]"""
        return self.measured / self.bound if self.is_rate else self.bound / self.measured

    @property
    def error(self) -> float:
        """``projection / measured - 1``. [1]"""
        return self.projection / self.measured - 1.0

    @property
    def violation(self) -> bool:
        """Whether the measurement beats the bound by more than the slack."""
        return self.fraction_of_bound > 1.0 / SLACK

    @property
    def verdict(self) -> str:
        """Where the measurement lies."""
        if self.violation:
            return "beats the bound"
        faster = self.measured > self.projection if self.is_rate else self.measured < self.projection
        return "between bound and projection" if faster else "slower than projected"


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """One run beside its predictions.

    Attributes
    ----------
    run : Run
    scenario : Scenario or None
        What was predicted; None where the run has no estimate.
    rows : tuple of ComparedMetric
    not_compared : tuple of (str, str)
        What the file holds beside that, and why it has no prediction.
    notes : tuple of str
    """

    run: Run
    scenario: Scenario | None
    rows: tuple[ComparedMetric, ...]
    not_compared: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def compare(
    runs: Sequence[Run], reference: Reference = None, overrides: Mapping[str, Any] | None = None, *extra: str
) -> Iterator[MeasuredRun]:
    """Compare each run with bound and projection.

    Parameters
    ----------
    runs : sequence of Run
    reference : mapping, str, Path or None
        A scenario, or the name or file of one.
    overrides : mapping, optional
        Keys on top of it: they go before what the run says, which goes before the scenario's own workload. Model,
        GPU, formats and layout that a run names hold where the user names nothing.
    *extra : str
        Catalog directories that go before all others.

    Raises
    ------
    InputError
        If the scenario is wrong or incomplete. A run of several that alone cannot be estimated (too long a context)
        is listed with the reason.
    """
    for run in runs:
        try:
            yield _compared(run, reference, overrides or {}, extra)
        except InputError as error:
            if len(runs) == 1 or not all(problem.path.startswith("workload") for problem in error.problems):
                raise
            why = "; ".join(f"{problem.path}: {problem.message}" for problem in error.problems)
            absent = (*((item.metric, why) for item in run.measured), *run.not_compared)
            yield MeasuredRun(run, None, (), absent, run.notes)


def _compared(run: Run, reference: Reference, overrides: Mapping[str, Any], extra: tuple[str, ...]) -> MeasuredRun:
    found, said = resolved(run, reference, overrides, extra)
    if found.shape:
        raise InputError(Problem("a comparison is of one configuration, not of arrays"))
    given = written(None, overrides, extra)[0].get("workload") or {}
    values = {item.metric: item.value for item in run.measured}
    scenario = under(run.load, found.scenario, "batch" in given)
    predicted = predictions(run.load, scenario, values)
    rows: list[ComparedMetric] = []
    absent: list[tuple[str, str]] = []
    for item in run.measured:
        guess = predicted.found.get(item.metric, "it is not predicted for this kind of run")
        if isinstance(guess, Prediction):
            rows.append(
                ComparedMetric(item.metric, item.value, guess.bound, guess.projection, guess.explained_by, guess.note)
            )
        else:
            absent.append((item.metric, guess))
    order = list(predicted.found)
    rows.sort(key=lambda row: order.index(row.metric))
    scenario = replace(scenario, workload=replace(scenario.workload, batch=max(1, round(predicted.concurrency))))
    remarks = (
        *(() if not any(row.violation for row in rows) else (_SUSPECTS,)),
        *run.notes,
        *said,
        *predicted.notes,
        *_offloaded(run, scenario),
        *found.warnings,
        *notes(scenario),
    )
    return MeasuredRun(run, scenario, tuple(rows), (*absent, *run.not_compared), tuple(dict.fromkeys(remarks)))


def resolved(
    run: Run, reference: Reference, overrides: Mapping[str, Any], extra: tuple[str, ...] = ()
) -> tuple[Resolved, tuple[str, ...]]:
    """The scenario of a run, and where the user contradicts it; parameters as in `compare`.

    Raises
    ------
    InputError
        If the scenario is wrong, or neither user nor run says what is needed.
    """
    user, _ = written(reference, overrides, extra)
    base, said = _named(run, user, extra)
    if not {"parallelism", "devices"} & set(user):
        if run.layout:
            base["parallelism"] = dict(run.layout)
        elif run.devices is not None:
            base["devices"] = run.devices
    if run.engine and "engine" not in user:
        base["engine"] = {"extends": base.get("engine", "generic"), **run.engine}
    stated = _stated(run, user, overrides, extra)
    return resolve(reference, {**base, **stated, **overrides}, extra), said


def _stated(
    run: Run, user: Mapping[str, Any], overrides: Mapping[str, Any], extra: tuple[str, ...]
) -> dict[str, float]:
    """Workload and traffic of a run by path, but for what the flags say of how requests come.

    Raises
    ------
    InputError
        If neither user nor run says what is needed.
    """
    load, work, flying = run.load, dict(run.workload), None
    if load.concurrency and load.kind != "open":
        work["batch"] = max(1, round(load.concurrency))
        flying = load.concurrency if load.kind == "closed" else None
    come = coming(load, flying) if load.kind in ("open", "closed", "burst") else {}
    mine = written(None, overrides, extra)[0].get("traffic")
    if isinstance(mine, Mapping) and set(WAYS) & set(mine):
        come = {}
        work.setdefault("batch", 1)
    needed = ("input", "output") if load.kind == "open" else ("batch", "input", "output")
    absent = [key for key in needed if key not in work and key not in (user.get("workload") or {})]
    if absent:
        raise InputError([Problem(f"{run.tool} does not say it: give --{key}", f"workload.{key}") for key in absent])
    return {f"workload.{key}": value for key, value in work.items()} | {
        f"traffic.{key}": value for key, value in come.items() if set(WAYS) & set(come)
    }


def _named(run: Run, user: Mapping[str, Any], extra: tuple[str, ...]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Model, hardware and formats that the run names and the user does not; and contradictions."""
    base: dict[str, Any] = {}
    said: list[str] = []
    wrong: list[Problem] = []
    checkpoint = None
    if run.names.get("model") and _known("model", run.names["model"], extra) is None:
        checkpoint = checkpoints.by_name(run.names["model"], extra)
    for kind in ("model", "hardware", "weights", "kv_cache", "engine"):
        mine, name = user.get(kind), run.names.get(kind, "")
        named = isinstance(mine, str) or (isinstance(mine, Mapping) and bool({"extends", "name"} & set(mine)))
        found: Any = _known(kind, name, extra) or run.formats.get(kind)
        if found is None and checkpoint is not None and kind in ("model", "weights"):
            found = checkpoint.model if kind == "model" else checkpoint.weights
            if found is not None and not named:
                said.append(f"{kind}: {_called(found)}, by the name {shown(run.names['model'])}")
        if found is not None and not named:
            base[kind] = found
        elif kind == "engine" and name and not named:
            said.append(f"the run names {shown(name)} as engine, which the catalog does not know: generic is taken")
        elif name and not named:
            text = f"the run names {shown(name)}, which the catalog does not know"
            wrong.append(Problem(text, kind, suggestion=f"give {flag(kind)}"))
        elif isinstance(mine, str) and isinstance(found, str) and _known(kind, mine, extra) not in (None, found):
            said.append(f"the run names {name} as {kind}, the scenario {mine}")
    if base.get("weights") == "fp8" and _released(base.get("model") or user.get("model"), extra) == "fp8-block":
        del base["weights"]  # tools call what a model is released in fp8, too
    if wrong:
        raise InputError(wrong)
    return base, tuple(said)


def _called(found: Any) -> str:
    return str(found["name"] if isinstance(found, Mapping) else found)


def _released(model: Any, extra: tuple[str, ...]) -> Any:
    """The format that a model of the catalog is released in; None where it is not known."""
    known = isinstance(model, str) and _known("model", model, extra)
    return catalog.load("model", known, extra).data.get("released") if known else None


def _known(kind: str, name: str, extra: tuple[str, ...]) -> Any:
    """The catalog's name for what a file names, or a format written out; a file cannot choose a path."""
    names = {**{key: key for key in catalog.files(kind, extra)}, **catalog.aliases(kind, extra)}
    short = _VENDORS.sub("", name) if kind == "hardware" else name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    for said in (name.lower(), short.lower()):
        for spelled in (said, said.replace(" ", "-"), said.replace("_", "-")):
            if spelled in names:
                return names[spelled]
    if kind == "weights" and name:
        return checkpoints.format_named(name)
    return typed.hardware_given(name, extra) if kind == "hardware" and name else None


def _offloaded(run: Run, scenario: Scenario) -> list[str]:
    layers = run.gpu_layers
    if layers is None or layers >= scenario.model.layers or scenario.placement.tiers is not None:
        return []
    return [f"{layers} of {scenario.model.layers} layers were on the GPU; the prediction has all of them there"]

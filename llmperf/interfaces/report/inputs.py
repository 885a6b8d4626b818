"""What a report is made of: results, what they are compared with, swept along and measured against."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llmperf.answers.answer import Answer, answer
from llmperf.answers.comparison import Comparison
from llmperf.answers.sweep import Sweep, along
from llmperf.errors import InputError, Problem
from llmperf.evidence.datasets import shipped
from llmperf.evidence.kernels.formats import FORMATS
from llmperf.evidence.rows import Rows
from llmperf.evidence.validate import validate
from llmperf.evidence.validation import Validation
from llmperf.numeric import Array
from llmperf.scenarios import catalog
from llmperf.scenarios.names import changed, distinct, named
from llmperf.scenarios.resolve import resolve
from llmperf.words.scenario import devices

if TYPE_CHECKING:
    from llmperf.deployments import Deployment


BATCH = ("ttft_s", "output_tokens_per_s")
"""Outputs of a static batch: how long its last sequence waits follows from the batch, as its throughput does."""
SERVICE = ("ttft_p90_s", "saturation_rate_per_s", "preemption_onset")
"""Outputs of a service: they follow from what it is loaded by."""


@dataclass(frozen=True)
class Inputs:
    """Everything that sections read; a section shows what is there and leaves out the rest.

    Attributes
    ----------
    results : dict of str to Answer
        Of one configuration each, by label; the first is what the others are compared with.
    sweeps : tuple of Sweep
        Each result along the knobs that were asked for.
    limits : dict of str to float
        Largest ``ttft_s`` and ``tpot_s`` that serve the purpose of a static batch; those of a service are in its
        traffic. [s]
    evidence : tuple of Rows
        Measured results that ship, where error evidence is asked for.
    validation : Validation
        Data sets that were recomputed.
    date : str
    folders : tuple of str
        Catalog directories that go before the packaged ones.
    deployments : tuple of Deployment
        Of the files that scenarios were read from.
    """

    results: dict[str, Answer] = field(default_factory=dict)
    sweeps: tuple[Sweep, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    evidence: tuple[Rows, ...] = ()
    validation: Validation = field(default_factory=Validation)
    date: str = ""
    folders: tuple[str, ...] = ()
    deployments: tuple[Deployment, ...] = ()

    def having(self, *paths: str) -> dict[str, Answer]:
        """The results whose question has all these outputs."""
        return {name: one for name, one in self.results.items() if set(paths) <= set(one.paths)}

    @cached_property
    def along_batch(self) -> dict[str, Sweep]:
        """Each result along the batch, which several sections show."""
        return {name: along(name, result) for name, result in self.having(*BATCH).items()}

    @cached_property
    def along_load(self) -> dict[str, Sweep]:
        """Each service along what it is loaded by, which several sections show."""
        return {name: along(name, result) for name, result in self.having(*SERVICE).items()}

    @cached_property
    def comparison(self) -> Comparison | None:
        """The results side by side; None of a single one."""
        if len(self.results) < 2:
            return None
        return Comparison(tuple(self.results), tuple(self.results.values()))


Reference = str | Path | Mapping[str, Any] | None


def gather(
    references: Sequence[Reference],
    overrides: Mapping[str, Any],
    *,
    variants: Sequence[Mapping[str, Any]] = (),
    sweeps: Mapping[str, Array] | None = None,
    limits: Mapping[str, float] | None = None,
    data: Sequence[str] = (),
    evidence: bool = False,
    date: str = "",
    folders: tuple[str, ...] = (),
    deployments: tuple[Deployment, ...] = (),
) -> Inputs:
    """Compute what a report shows.

    Parameters
    ----------
    references : sequence of mapping, str, Path or None
        Scenarios; None: what the overrides say alone.
    overrides : mapping
        Keys on top of every scenario.
    variants : sequence of mapping
        Further configurations: keys on top of the first scenario.
    sweeps : mapping of str to ndarray
        Values of numeric knobs; of several, all combinations.
    limits : mapping of str to float
        As in `Inputs`; limits of the requests of scenarios with traffic, on top of what these say. [s]
    data : sequence of str
        Measured data to recompute: files, directories, or names of data sets that ship.
    evidence : bool
        Whether to recompute the measured results that ship, and show those of each result's class.
    date : str
        Printed as it is.
    folders : tuple of str
        Catalog directories.
    deployments : tuple of Deployment
        Of the files that scenarios were read from.

    Raises
    ------
    InputError
        With the faults of all scenarios.
    """
    given = [(reference, dict(overrides)) for reference in references]
    given += [(references[0], {**overrides, **keys}) for keys in variants] if references else []
    given = [(reference, {**keys, **_limits(reference, keys, limits or {}, folders)}) for reference, keys in given]
    grid = _grid(sweeps or {})
    answered = _answers(given, grid, folders)
    firsts = [
        _label(reference, result, len(references)) for reference, result in zip(references, answered, strict=False)
    ]
    labels = distinct([*firsts, *(changed(keys) or "as it is" for keys in variants)])
    results = dict(zip(labels, answered, strict=True))
    swept = _swept(given, labels, grid, folders) if grid else ()
    return Inputs(
        results,
        swept,
        dict(limits or {}),
        tuple(validate([path for path in shipped() if _name(path) not in FORMATS])) if evidence else (),
        Validation(validate([_data_file(name) for name in data])) if data else Validation(),
        date,
        folders,
        deployments,
    )


Given = list[tuple[Reference, dict[str, Any]]]


def _limits(
    reference: Reference, keys: Mapping[str, Any], limits: Mapping[str, float], folders: tuple[str, ...]
) -> dict[str, float]:
    """Keys that give the requests of a service these limits; none of a static batch, nor of what is wrong by itself."""
    if not limits:
        return {}
    try:
        served = resolve(reference, keys, folders).template.traffic is not None
    except InputError:
        return {}
    return {name.removesuffix("_s"): limit for name, limit in limits.items()} if served else {}


def _answers(given: Given, grid: Mapping[str, Array], folders: tuple[str, ...]) -> list[Answer]:
    """One configuration each; of all scenarios that are wrong, every fault."""
    out: list[Answer] = []
    problems: list[Problem] = []
    for reference, keys in given:
        try:
            resolved = resolve(reference, keys, folders)
            if resolved.shape:
                raise InputError(Problem("a report shows one configuration of each scenario", suggestion="--sweep"))
            if grid:  # a wrong knob is found before anything is computed
                resolve(reference, {**keys, **{name: values[:1] for name, values in grid.items()}}, folders)
            out.append(answer(resolved))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(list(dict.fromkeys(problems)))
    return out


def _swept(
    given: Given, labels: Sequence[str], grid: Mapping[str, Array], folders: tuple[str, ...]
) -> tuple[Sweep, ...]:
    return tuple(
        Sweep(label, grid, answer(resolve(reference, {**keys, **grid}, folders)))
        for label, (reference, keys) in zip(labels, given, strict=True)
    )


def _grid(sweeps: Mapping[str, Array]) -> dict[str, Array]:
    """All combinations of the values: arrays of one length."""
    crossed = np.meshgrid(*sweeps.values(), indexing="ij") if sweeps else []
    return {name: values.reshape(-1) for name, values in zip(sweeps, crossed, strict=True)}


def _label(reference: Reference, result: Answer, several: int) -> str:
    """What a scenario is called: its name, its file, or its model and hardware."""
    scenario = result.scenario
    stem = named(reference) if several > 1 else ""
    return scenario.name or stem or f"{scenario.model.name} on {devices(scenario)}"


def _name(path: Path) -> str:
    return path.name.removesuffix(".csv.gz")


def _data_file(name: str) -> Path:
    """The file behind the name of a data set that ships, or the path itself."""
    ships = shipped([name])
    return ships[0] if ships and not Path(name).exists() else Path(name)


def catalog_hash(folders: tuple[str, ...] = ()) -> str:
    """A hash of every descriptor that could be named: names and contents, whatever their place."""
    seen = hashlib.sha256()
    for kind in catalog.KINDS:
        for name, path in sorted(catalog.files(kind, folders).items()):
            seen.update(f"{kind}/{name}\0".encode())
            seen.update(path.read_bytes())
    return seen.hexdigest()[:16]

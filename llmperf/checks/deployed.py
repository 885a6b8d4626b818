"""Deployment files in checks: what they deploy, as checks or below one's keys, and what their readers have to say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

from llmperf.checks.limits import Check, CheckKeys, Limit, Note, Place
from llmperf.descriptors.workload import Workload
from llmperf.errors import InputError, Problem, nearest, shown
from llmperf.outputs import canonical
from llmperf.scenarios import catalog

HARDWARE, MODEL = "hardware", "model"
LONGEST = canonical("max_concurrency_at_max_context")
"""How many sequences a server holds that are as long as it accepts."""


def deployments(file: str, given: Mapping[str, str]) -> list[Any]:
    """All deployments of a file.

    Parameters
    ----------
    file : str
    given : mapping
        ``hardware``, which goes before what the file's labels say, and ``model``, for those that name none.

    Raises
    ------
    InputError
        If the file cannot be read, or is of no known kind.
    """
    try:
        reader = import_module("llmperf.deployments")
    except ModuleNotFoundError:
        text = "deployment files cannot be read by this version"
        raise InputError(Problem(text, "deployment", file)) from None
    return [_modelled(one, given.get(MODEL)) for one in reader.read(file, hardware=given.get(HARDWARE))]


def _modelled(deployment: Any, model: str | None) -> Any:
    """A deployment that names no model which is known here, with the one that is given."""
    scenario = deployment.scenario
    said = scenario.get(MODEL)
    if model is None or isinstance(said, str) or (isinstance(said, Mapping) and "extends" in said):
        return deployment
    named: Any = {**said, "extends": model} if said else model
    return replace(deployment, scenario={**scenario, MODEL: named}, findings=_settled(deployment.findings, (MODEL,)))


def _settled(findings: tuple[Any, ...], paths: tuple[str, ...]) -> tuple[Any, ...]:
    """Findings without what was not understood, where something else says the same."""
    return tuple(one for one in findings if one.kind != "not_understood" or not _among(one.path, paths))


def _among(path: str, paths: tuple[str, ...]) -> bool:
    return bool(path) and any(path == one or path.startswith(f"{one}.") for one in paths)


def chosen(reference: str, beside: str | None, scenario: Mapping[str, Any], given: Mapping[str, str]) -> Any:
    """The deployment that a check names (``FILE``, ``FILE#NAME``), without doubts that the check itself settles.

    Parameters
    ----------
    reference : str
    beside : str or None
        The file that names it.
    scenario : mapping
        What the check itself says.
    given : mapping
        As of `deployments`.

    Raises
    ------
    InputError
        If it cannot be read, or deploys several models and none is named.
    """
    file, _, name = reference.partition("#")
    file = catalog.beside(file if "/" in file else f"./{file}", beside)
    named = scenario.get(HARDWARE)
    found = deployments(file, {**given, HARDWARE: named} if isinstance(named, str) else given)
    wanted = [one for one in found if not name or one.name == name]
    if len(wanted) != 1:
        names = tuple(one.name for one in found)
        text = f"deploys no {shown(name)}" if name else f"deploys {len(found)} models: name one, as {file}#NAME"
        raise InputError(Problem(text, "deployment", allowed=names, suggestion=nearest(name, names)))
    return replace(wanted[0], findings=_settled(wanted[0].findings, tuple(_paths(scenario))))


def _paths(data: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Paths of all values of nested mappings."""
    for key, value in data.items():
        path = f"{above}{key}"
        if isinstance(value, Mapping):
            yield from _paths(value, f"{path}.")
        else:
            yield path.removesuffix(".extends")


def notes(deployment: Any) -> tuple[Note, ...]:
    """What a file's reader has to say of a deployment, each at its line."""
    return tuple(
        Note(
            one.kind,
            " ".join(part for part in (one.name, one.value, f"({one.message})" if one.message else "") if part),
            Place(one.file or deployment.file, one.line),
            one.path,
        )
        for one in deployment.findings
        if one.kind in ("assumed", "not_modelled", "not_understood") or one.path
    )


def checks(file: str, given: Mapping[str, str]) -> list[Check]:
    """One check for each model that a file deploys: that it fits, and if it is served, so does its longest sequence."""
    return [_check(file, one) for one in deployments(file, given)]


def _check(file: str, one: Any) -> Check:
    place = Place(file, one.line or 1)
    limits = [Limit("fits", "equals", True, "equals True", False, _written(one, "model", place))]
    expect: dict[str, Any] = {"fits": True}
    if one.tool and not one.fits_context:
        least = one.allocated
        expect[LONGEST] = {"min": least}
        written = _written(one, "model.max_context", place)
        limits.append(Limit(LONGEST, "min", float(least), f"min {least}", False, written))
    keys = CheckKeys(expect=expect, deployment=f"{file}#{one.name}")
    said = (*notes(one), *_assumed(one, place))
    faults = () if (why := one.unmodelled) is None else (why,)
    return Check(
        one.name, place, one.scenario, tuple(limits), keys, partial(_at, place), one.files, said, faults, bool(faults)
    )


def _written(deployment: Any, path: str, otherwise: Place) -> Place:
    """Where a deployment file says a value of the scenario."""
    found = next((one for one in deployment.findings if one.path == path and one.line), None)
    return Place(found.file or otherwise.file, found.line) if found else otherwise


def _at(place: Place, _: str) -> Place:
    """The place of anything in a file of which only the beginning is known."""
    return place


def _assumed(deployment: Any, place: Place) -> Iterator[Note]:
    """What a deployment is judged under, of which its file says nothing: traffic."""
    work = Workload()
    text = (
        f"the workload is {work.batch} sequence of {work.input} prompt and {work.output} output tokens, "
        "or of what the model takes, as the file says none"
    )
    yield Note("assumed", text, place)
    if deployment.tool:
        longest, at_once = deployment.max_context, deployment.max_sequences
        must = (
            "accepts as long a context as its memory holds"
            if deployment.fits_context
            else f"must hold {_sequences(deployment.allocated)} of the longest context that it accepts "
            f"({_or(longest)} tokens)"
        )
        text = f"{deployment.tool} {must}, and runs at most {_or(at_once)} sequences at once"
        yield Note("assumed", text, place)


def _sequences(number: int) -> str:
    return "one sequence" if number == 1 else f"{number} sequences"


def _or(limit: int | None) -> str:
    return "its default number of" if limit is None else str(limit)

"""Check files: their entries with what they extend, their variables and their matrix, as `Check` objects.

An entry is a stack of layers: what the file says for all of its checks, what the entry extends, the entry itself, and
one combination of its matrix. Each layer knows where its keys are written, so that a limit that fails, and a fault, can
be shown at its line.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from llmperf.checks import deployed
from llmperf.checks.limits import (
    KEYS,
    SCHEMA_VERSION,
    Check,
    CheckKeys,
    Limit,
    Note,
    Place,
    flat,
    limits,
)
from llmperf.descriptors.validation import build
from llmperf.errors import MAX_PROBLEMS, InputError, Problem, nearest, shown
from llmperf.files.documents import Document
from llmperf.scenarios import catalog
from llmperf.scenarios.components import COMPONENTS
from llmperf.scenarios.keys import FLAT, NOT_YET, flattened, over, twice
from llmperf.scenarios.keys import KEYS as SCENARIO_KEYS

ENDINGS = (".llmperf.yaml", ".llmperf.yml")
"""How the files end that hold nothing but checks."""
MAX_COMBINATIONS = 10_000
"""Most combinations of one matrix."""
_NOT_INHERITED = ("name", "description", "skip")
_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
NOTHING: Mapping[str, str] = MappingProxyType({})
_LABEL = 60
"""Most characters of a value in a name."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What one document says of a check.

    Attributes
    ----------
    scenario, keys : dict
        Keys of the scenario, in their sections, and keys of the check.
    document : Document
    prefix : str
        Path of the entry in the document; empty for the whole.
    written : dict
        Path -> the path it is written at, where that is another.
    """

    scenario: dict[str, Any]
    keys: dict[str, Any]
    document: Document
    prefix: str = ""
    written: dict[str, str] = field(default_factory=dict)

    def place(self, path: str) -> Place | None:
        """Where a path is written in this layer, None where it is not."""
        for above in _parents(path):
            if above in self.written:
                path = self.written[above] + path[len(above) :]
                break
        full = ".".join(part for part in (self.prefix, path) if part)
        line = self.document.lines.get(full)
        return None if line is None else Place(self.document.file, line, self.document.columns.get(full))


def _parents(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class Stack:
    """The layers of one check, the weakest first."""

    layers: tuple[Layer, ...]

    def locate(self, path: str) -> Place:
        """Where a path, or the nearest key above it, is written; of layers that say it the strongest."""
        for above in _parents(path):
            for layer in reversed(self.layers):
                found = layer.place(above)
                if found is not None:
                    return found
        top = self.layers[-1]
        return top.place("") or Place(top.document.file, 1 if top.document.file else None)

    def located(self, problem: Problem) -> Problem:
        """A problem with its place, unless it has a file of its own."""
        if problem.file is not None:
            return problem
        place = self.locate(problem.path)
        return replace(problem, file=place.file, line=place.line, column=place.column)

    def merged(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Scenario and keys of the check, of all layers together."""
        scenario: dict[str, Any] = {}
        keys: dict[str, Any] = {}
        for layer in self.layers:
            scenario = over(scenario, layer.scenario)
            keys = catalog.merge(keys, layer.keys)
        return scenario, keys


def read(
    path: Path | str | Mapping[str, Any], extra: tuple[str, ...] = (), given: Mapping[str, str] = NOTHING
) -> tuple[list[Check], list[Problem]]:
    """The checks of a file, or of the same as data, and what is wrong with the file as a whole.

    Parameters
    ----------
    path : Path, str or mapping
    extra : tuple of str
        The caller's catalog directories.
    given : mapping
        ``hardware`` and ``model`` of deployments whose files do not say them.

    Returns
    -------
    checks : list of Check
        Each with its own problems.
    problems : list of Problem
    """
    try:
        if isinstance(path, Mapping):
            document, base = Document(dict(path)), path.get("extends")
            chain = [document]
            if base is not None:
                chain += catalog.chain("scenario", str(base), extra, "extends")
        else:
            chain = catalog.chain("scenario", str(path), extra)
        return _File(chain[0], chain, extra, given).checks()
    except InputError as error:
        return [], [replace(one, file=one.file or _named(path)) for one in error.problems]


def _named(path: Path | str | Mapping[str, Any]) -> str | None:
    return None if isinstance(path, Mapping) else str(path)


def stem(file: str | None) -> str:
    """What a file's only check is called."""
    name = Path(file or "check").name
    return next((name[: -len(end)] for end in ENDINGS if name.endswith(end)), Path(name).stem) or name


class _File:
    """One check file while it is read."""

    def __init__(
        self, document: Document, chain: list[Document], extra: tuple[str, ...], given: Mapping[str, str]
    ) -> None:
        self.document, self.extra, self.given = document, extra, given
        self.problems: list[Problem] = []
        self.found: list[Check] = []
        self.common = tuple(self.layer(one, one.data, "", one is document) for one in reversed(chain))
        entries = document.data.get("checks")
        self.entries: list[Any] | None = entries if isinstance(entries, list) else None
        if "checks" in document.data and not self.entries:
            text = (
                f"must be a list of checks, not {shown(entries)}" if entries else "is empty: there is nothing to check"
            )
            self.problems.append(Stack(self.common).located(Problem(text, "checks")))
        self.names = {
            entry["name"]: index
            for index, entry in reversed(list(enumerate(self.entries or ())))
            if isinstance(entry, Mapping) and isinstance(entry.get("name"), str)
        }

    def checks(self) -> tuple[list[Check], list[Problem]]:
        """All checks, and what is wrong with the file."""
        if self.version():
            if self.entries is not None:
                for index, entry in enumerate(self.entries):
                    self.entry(index, entry)
            elif "checks" not in self.document.data:
                self.expand(Stack(self.common), stem(self.document.file))
        return self.found, self.problems

    def version(self) -> bool:
        """Whether the file is of a version that can be read."""
        given = self.document.data.get("schema_version", SCHEMA_VERSION)
        if isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= SCHEMA_VERSION:
            return True
        text = f"{shown(given)} is not a version that this llmperf reads (up to {SCHEMA_VERSION})"
        self.problems.append(Stack(self.common).located(Problem(text, "schema_version")))
        return False

    def layer(self, document: Document, data: Mapping[str, Any], prefix: str, own: bool) -> Layer:
        """What a document, or an entry of it, says; its unknown keys become problems."""
        scenario: dict[str, Any] = {}
        keys: dict[str, Any] = {}
        given: dict[str, Any] = {}
        written: dict[str, str] = {}
        made = Layer(scenario, keys, document, prefix, written)
        stack = Stack((made,))
        for key, value in data.items():
            if key in ("extends", "schema_version") or (not own and key in _NOT_INHERITED):
                continue
            if key == "checks":
                if not own:
                    self.problems.append(stack.located(Problem("holds several checks and cannot be extended", key)))
                elif prefix:
                    self.problems.append(stack.located(_unknown(key)))
            elif key == "expect" and isinstance(value, Mapping):
                keys[key], paths, problems = flat(value)
                written.update(paths)
                self.problems += [stack.located(one) for one in problems]
            elif key in KEYS:
                keys[key] = value
            elif (problem := _faulty(key, brief=len(self.problems) >= MAX_PROBLEMS)) is not None:
                self.problems.append(stack.located(problem))
            else:
                given[key] = _beside(key, value, document.file)
                if key in FLAT and key not in SCENARIO_KEYS:
                    written[FLAT[key]] = key
        found, problems = _gathered(given)
        scenario.update(found)
        self.problems += [stack.located(one) for one in problems]
        return made

    def entry(self, index: int, entry: Any) -> None:
        """One entry of the list."""
        prefix = f"checks.{index}"
        if not isinstance(entry, Mapping):
            text = f"must be a mapping, not {shown(entry)}"
            self.problems.append(Stack(self.common).located(Problem(text, prefix)))
            return
        layers = self.stacked(index, ())
        stack = Stack(layers or self.common)
        name = entry.get("name")
        if layers is None:
            alone = Stack((self.layer(self.document, entry, prefix, True),))
            self.problems += self.check(alone, str(name), Place()).problems
        elif name is None or (isinstance(name, str) and self.names[name] != index):
            text = "is missing: a check of several has a name" if name is None else f"{shown(name)} stands twice"
            self.problems.append(stack.located(Problem(text, "name")))
            self.problems += self.check(stack, str(name), Place()).problems
        else:
            self.expand(stack, str(name))

    def stacked(self, index: int, seen: tuple[int, ...]) -> tuple[Layer, ...] | None:
        """The layers of an entry: the file's, those of what it extends, its own; None if that goes wrong."""
        assert self.entries is not None
        entry = self.entries[index]
        own = self.layer(self.document, entry, f"checks.{index}", True)
        base = entry.get("extends")
        if base is None:
            return (*self.common, own)
        where = Stack((own,))
        if not isinstance(base, str):
            self.problems.append(where.located(Problem(f"{shown(base)} is not a name", "extends")))
            return None
        if base in self.names and self.names[base] != index:
            if self.names[base] in seen or len(seen) >= catalog.MAX_EXTENDS:
                self.problems.append(where.located(Problem("extends itself, or too many others", "extends")))
                return None
            below = self.stacked(self.names[base], (*seen, index))
            if below is None:
                return None
            inherited = [_inherited(layer) for layer in below[len(self.common) :]]
            return (*self.common, *inherited, own)
        try:
            chain = catalog.chain("scenario", catalog.beside(base, self.document.file), self.extra, "extends")
        except InputError as error:
            known = tuple(self.names)
            near = nearest(base, known)
            for one in error.problems:
                hint = replace(one, suggestion=near, allowed=known) if near and one.path == "extends" else one
                self.problems.append(where.located(hint))
            return None
        return (*self.common, *(self.layer(one, one.data, "", False) for one in reversed(chain)), own)

    def expand(self, stack: Stack, name: str) -> None:
        """The checks of an entry: one, or one for each combination of its matrix."""
        top = stack.layers[-1].place("") or Place(self.document.file, 1 if self.document.file else None)
        _, keys = stack.merged()
        axes = keys.get("matrix")
        if not isinstance(axes, Mapping) or not axes:
            self.found.append(self.check(stack, name, top))
            return
        variables = keys.get("variables")
        variables = variables if isinstance(variables, Mapping) else {}
        choices = []
        faults = [one for axis, values in axes.items() if (one := self.axis(axis, values, variables))]
        for axis, values in axes.items() if not faults else ():
            named = values.items() if isinstance(values, Mapping) else ((_label(one), one) for one in values)
            written = values if isinstance(values, Mapping) else range(len(values))
            choices.append([(axis, label, at, one) for at, (label, one) in zip(written, named, strict=True)])
        if (count := math.prod(len(one) for one in choices)) > MAX_COMBINATIONS:
            faults.append(Problem(f"has {count:,} combinations, more than {MAX_COMBINATIONS:,}", "matrix"))
        if faults:
            self.problems += [stack.located(one) for one in faults]
            self.problems += self.check(stack, name, top).problems
            return
        taken: dict[str, int] = {}
        for combination in itertools.product(*choices):
            label = f"{name}[{','.join(f'{axis}={said}' for axis, said, _, _ in combination)}]"
            taken[label] = taken.get(label, 0) + 1
            label += f" #{taken[label]}" if taken[label] > 1 else ""
            chosen = self.chosen(stack, combination, variables)
            self.found.append(self.check(Stack((*stack.layers, chosen)), label, top))

    def axis(self, axis: str, values: Any, variables: Mapping[str, Any]) -> Problem | None:
        """What is wrong with an axis of a matrix."""
        path = f"matrix.{axis}"
        if not isinstance(values, list | Mapping) or not values:
            return Problem(f"must be a list of values, or a mapping of names to values, not {shown(values)}", path)
        if axis in variables:
            return None
        problem = _faulty(axis, (*variables, *SCENARIO_KEYS, *FLAT))
        return replace(problem, path=path) if problem else None

    def chosen(self, stack: Stack, combination: tuple[Any, ...], variables: Mapping[str, Any]) -> Layer:
        """The layer of one combination of a matrix, written where the matrix is."""
        given: dict[str, Any] = {}
        values: dict[str, Any] = {}
        written: dict[str, str] = {}
        source = next(layer for layer in reversed(stack.layers) if "matrix" in layer.keys)
        for axis, _, at, value in combination:
            if axis in variables:
                values[axis] = value
                continue
            written[FLAT.get(axis, axis) if axis not in SCENARIO_KEYS else axis] = f"matrix.{axis}.{at}"
            given[axis] = _beside(axis, value, source.document.file)
        scenario, problems = _gathered(given)
        self.problems += [
            stack.located(replace(one, path="matrix", message=f"{one.path} {one.message}")) for one in problems
        ]
        keys = {"variables": values} if values else {}
        return Layer(scenario, keys, source.document, source.prefix, written)

    def check(self, stack: Stack, name: str, top: Place) -> Check:
        """One check of all its layers."""
        scenario, raw, faults = _with_variables(*stack.merged())
        files = [layer.document.file for layer in stack.layers if layer.document.file]
        said: tuple[Note, ...] = ()
        unread = False
        if isinstance(raw.get("deployment"), str):
            try:
                below = deployed.chosen(raw["deployment"], stack.locate("deployment").file, scenario, self.given)
            except InputError as error:
                unread = True  # what the scenario lacks is no fault of its own
                faults += [_at_reference(one) for one in error.problems]
            else:
                scenario = over(below.scenario, scenario)
                if (why := replace(below, scenario=scenario).unmodelled) is not None:
                    unread = True
                    faults.append(why)
                files += below.files
                said = deployed.notes(below)
                stack = Stack((_said(said, below), *stack.layers))
        keys = CheckKeys()
        try:
            keys = build(CheckKeys, Document(raw))
        except InputError as error:
            faults += error.problems
        expect = raw.get("expect")
        found = list(limits(expect, keys.confidence, stack.locate)) if isinstance(expect, Mapping) else []
        faults += [one for one in found if isinstance(one, Problem)]
        return Check(
            name,
            top,
            scenario,
            tuple(one for one in found if isinstance(one, Limit)),
            keys,
            stack.locate,
            tuple(dict.fromkeys(files)),
            said,
            tuple(stack.located(one) for one in faults),
            unread,
        )


def _with_variables(
    scenario: dict[str, Any], raw: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], list[Problem]]:
    """Scenario and keys of a check with its variables filled in, and what is wrong with these."""
    variables = raw.get("variables")
    faults: list[Problem] = []
    if (isinstance(variables, Mapping) and variables) or "${" in repr(scenario) + repr(raw):
        values = variables if isinstance(variables, Mapping) else {}
        faults += [
            Problem("a variable cannot hold another", f"variables.{name}", suggestion="write its value")
            for name, value in values.items()
            if "${" in repr(value)
        ]
        raw = {key: value if key == "matrix" else _filled(value, values, key, faults) for key, value in raw.items()}
        scenario = {key: _filled(value, values, key, faults) for key, value in scenario.items()}
    return scenario, raw, faults


def _at_reference(problem: Problem) -> Problem:
    """A fault of a deployment file; one that has no line of its own is shown where the check names the file."""
    if problem.file is None or problem.line is not None:
        return replace(problem, path=problem.path or "deployment")
    text = f"{problem.file}: {problem.message}"
    return replace(problem, path="deployment", message=text, file=None)


def _said(notes: tuple[Note, ...], deployment: Any) -> Layer:
    """What a deployment file says of a scenario, as the weakest layer of a check: where each value is written."""
    lines = {
        one.path: one.place.line
        for one in notes
        if one.path and one.place.line is not None and one.place.file == deployment.file
    }
    return Layer(deployment.scenario, {}, Document(deployment.scenario, deployment.file, lines))


def _inherited(layer: Layer) -> Layer:
    """A layer of another check, without what is that check's alone."""
    scenario, keys = (
        {key: value for key, value in part.items() if key not in _NOT_INHERITED}
        for part in (layer.scenario, layer.keys)
    )
    return replace(layer, scenario=scenario, keys=keys)


def _gathered(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """The scenario of one layer, and what is wrong with it; null stays, to delete what a weaker layer says."""
    try:
        return flattened(given), twice(given)
    except InputError as error:
        return {}, list(error.problems)


def _beside(key: str, value: Any, file: str | None) -> Any:
    """A component that a layer names by a relative path, found from the layer's own file."""
    if key not in COMPONENTS:
        return value
    if isinstance(value, Mapping) and isinstance(value.get("extends"), str):
        return {**value, "extends": catalog.beside(value["extends"], file)}
    return catalog.beside(value, file) if isinstance(value, str) else value


def _faulty(key: str, allowed: tuple[str, ...] = (), brief: bool = False) -> Problem | None:
    """What is wrong with a key of a scenario, in brief without what may stand there; None where it is one."""
    if key in FLAT or key.partition(".")[0] in SCENARIO_KEYS:
        return None
    if brief:
        return Problem(f"unknown key {shown(key)}", key)
    return _unknown(key, allowed)


def _unknown(key: str, allowed: tuple[str, ...] = ()) -> Problem:
    if key in NOT_YET:
        return Problem(f"{NOT_YET[key]} cannot be estimated by this version", key, kind="not_yet")
    known = allowed or (*KEYS, "checks", "extends", *SCENARIO_KEYS, *FLAT)
    return Problem(f"unknown key {shown(key)}", key, allowed=known, suggestion=nearest(key, known))


def _label(value: Any) -> str:
    """A value of a matrix in the name of a check."""
    if isinstance(value, Mapping):
        text = "{" + ",".join(f"{key}={_label(item)}" for key, item in value.items()) + "}"
    else:
        text = str(value) if isinstance(value, str | bool | int) else shown(value)
    safe = "".join(c if c.isprintable() else "?" for c in text[: _LABEL + 1])
    return safe if len(safe) <= _LABEL else safe[: _LABEL - 3] + "..."


def _filled(value: Any, variables: Mapping[str, Any], path: str, faults: list[Problem]) -> Any:
    """`value` with every ``${name}`` in its texts replaced; a text of nothing else becomes the variable's value."""
    if isinstance(value, Mapping):
        return {key: _filled(item, variables, f"{path}.{key}", faults) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, variables, f"{path}.{index}", faults) for index, item in enumerate(value)]
    if not isinstance(value, str) or "${" not in value or path.startswith("variables."):
        return value
    for name in _VARIABLE.findall(value):
        if name not in variables:
            known = tuple(variables)
            faults.append(Problem(f"no variable {shown(name)}", path, allowed=known, suggestion=nearest(name, known)))
            return value
    whole = _VARIABLE.fullmatch(value)
    if whole:
        return variables[whole[1]]
    for name in _VARIABLE.findall(value):
        if variables[name] is None or isinstance(variables[name], Mapping | list):
            text = f"the variable {name!r} is {shown(variables[name])}, which cannot stand within a text"
            faults.append(Problem(text, path))
            return value
    return _VARIABLE.sub(lambda match: _within(variables[match[1]]), value)


def _within(value: Any) -> str:
    """A variable as a part of a text, as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)

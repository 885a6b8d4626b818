"""Checks: what a sizing promises, as limits on outputs, written beside the scenario that they hold for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from llmperf import units
from llmperf.descriptors.fields import FORBID_UNKNOWN_KEYS, Date, Fraction, Text
from llmperf.errors import Problem, nearest, shown
from llmperf.outputs import BOOLEANS, BOUND_BY, DIMENSIONS, LATER, Output, by_path, canonical, groups
from llmperf.resources import RESOURCES

SCHEMA_VERSION = 1
"""Version of check files; it grows when a key changes its meaning or goes."""

Confidence = Literal["projection", "pessimistic"]
"""Of a time or rate: the projection, or the unfavourable end of its error band."""

SIDES = ("min", "max", "equals")


@dataclass(frozen=True, slots=True)
class Skip:
    """Why a check is not run, and the last day on which that is accepted."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    reason: Text
    until: Date


@dataclass(frozen=True, slots=True)
class CheckKeys:
    """The keys of a check beside those of its scenario."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    expect: dict[Text, Any] = field(default_factory=dict)
    """Output -> limits."""
    confidence: Confidence = "projection"
    """Which end of a projection the limits are on; a limit may say otherwise."""
    tolerance: Fraction = 0.01
    """Relative change of an output, against the lock file, that is no drift."""
    tags: list[Text] = field(default_factory=list)
    skip: Skip | None = None
    variables: dict[Text, Any] = field(default_factory=dict)
    """Name -> value, for ``${name}`` in any text."""
    matrix: dict[Text, list[Any] | dict[Text, Any]] = field(default_factory=dict)
    """Key of the scenario, or variable -> the values it takes, by name if it is a mapping: a check each combination."""
    deployment: Text | None = None
    """A deployment file that the scenario is read from; ``FILE#NAME`` where it deploys several models."""


KEYS = tuple(item.name for item in fields(CheckKeys))


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written; nowhere when it came from Python."""

    file: str | None = None
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """What the reader of a deployment file has to say of something that is written there.

    Attributes
    ----------
    kind : str
        ``understood``, ``assumed``, ``not_modelled`` or ``not_understood``.
    text : str
        One line.
    place : Place
    path : str
        What of the scenario it sets, or would set; empty where it is not one thing.
    """

    kind: str
    text: str
    place: Place
    path: str = ""

    def __str__(self) -> str:
        return f"{self.kind.replace('_', ' ')}: {self.text}"


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit on one output.

    Attributes
    ----------
    output : str
        A path of `llmperf.outputs.by_path`.
    side : str
        ``min``, ``max`` or ``equals``.
    value : float, bool or str
        In the SI unit of the output.
    written : str
        As the user wrote it.
    pessimistic : bool
        Whether the unfavourable end of the error band is judged.
    place : Place
    """

    output: str
    side: str
    value: Any
    written: str
    pessimistic: bool = False
    place: Place = field(default_factory=Place)

    @property
    def about(self) -> Output:
        """The output that is limited."""
        return by_path()[self.output]


@dataclass(frozen=True, slots=True)
class Check:
    """One check, ready to be evaluated.

    Attributes
    ----------
    name : str
        Unique in its file.
    place : Place
        Where it begins.
    scenario : dict
        Plain nested data, as `llmperf.scenarios.resolve.resolve` takes it.
    limits : tuple of Limit
    keys : CheckKeys
        Its tags, skip and tolerance.
    locate : callable
        Dotted path of the scenario, or under ``expect`` -> where it is written.
    files : tuple of str
        The files it was read from.
    said : tuple of Note
        What the reader of its deployment file has to say.
    problems : tuple of Problem
        What is wrong with it.
    unread : bool
        Whether its deployment file could not be read, or names no model: its scenario is then not whole.
    """

    name: str
    place: Place
    scenario: dict[str, Any]
    limits: tuple[Limit, ...]
    keys: CheckKeys
    locate: Callable[[str], Place]
    files: tuple[str, ...] = ()
    said: tuple[Note, ...] = ()
    problems: tuple[Problem, ...] = ()
    unread: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of how its deployment file was understood, one line each."""
        return tuple(str(one) for one in self.said if one.kind != "understood")


def flat(expect: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str], list[Problem]]:
    """Limits by the canonical path of their output, how each path is written, and those that are written twice.

    `expect` may nest the first part of a path (``bound: {tpot_s: ...}``).
    """
    out: dict[str, Any] = {}
    written: dict[str, str] = {}
    spelled: dict[str, str] = {}
    problems = []
    for key, value in expect.items():
        grouped = key in groups() and isinstance(value, Mapping)
        for inner, limit in value.items() if grouped else ((None, value),):
            path, spelling = (f"{key}.{inner}", f"{key}: {{{inner}: ...}}") if grouped else (str(key), f"{key}: ...")
            name = canonical(path)
            if name in out:
                text = f"is written twice, as {shown(spelled[name])} and as {shown(spelling)}"
                problems.append(Problem(text, f"expect.{path}", suggestion="write its limits in one place"))
                continue
            out[name] = limit
            written[f"expect.{name}"] = f"expect.{path}"
            spelled[name] = spelling
    return out, written, problems


def limits(expect: Mapping[str, Any], usual: Confidence, locate: Callable[[str], Place]) -> Iterator[Limit | Problem]:
    """The limits of a check, and what is wrong with them.

    Parameters
    ----------
    expect : mapping
        Canonical path of an output -> limits as written.
    usual : str
        The confidence of limits that name none.
    locate : callable
        Path -> where it is written.
    """
    for path, written in expect.items():
        output = by_path().get(path)
        if output is None:
            yield _unknown(path)
            continue
        if isinstance(written, bool) or (output is BOUND_BY and isinstance(written, str)):
            written = {"equals": written}
        if not isinstance(written, Mapping):
            text = f"{shown(written)} does not say whether it is a minimum or a maximum"
            side = "min" if output.better == "higher" else "max"
            yield Problem(text, f"expect.{path}", suggestion=f"{path}: {{{side}: {shown(written)}}}")
            continue
        found = list(_limits(path, output, written, usual, locate))
        yield from found
        numbers = {one.side: one.value for one in found if isinstance(one, Limit)}
        if "min" in numbers and "max" in numbers and numbers["min"] > numbers["max"]:
            yield Problem("min is above max: nothing can hold", f"expect.{path}")


def _unknown(path: str) -> Problem:
    name = path.rpartition(".")[2]
    later = next((one for one in (path, name, f"{name}_s") if one in LATER), None)
    if later is not None:
        text = f"{shown(later)} cannot be computed by this version"
        return Problem(text, f"expect.{path}", suggestion=f"nearest: {LATER[later]}", kind="not_yet")
    known = tuple(by_path())
    return Problem("is no output", f"expect.{path}", allowed=known, suggestion=nearest(path, known))


def _limits(
    path: str, output: Output, written: Mapping[str, Any], usual: Confidence, locate: Callable[[str], Place]
) -> Iterator[Limit | Problem]:
    where = f"expect.{path}"
    allowed = (*SIDES, "confidence")
    for key in written:
        if key not in allowed:
            yield Problem("unknown key", f"{where}.{key}", allowed=allowed, suggestion=nearest(str(key), allowed))
    said = written.get("confidence", usual)
    if said not in ("projection", "pessimistic"):
        yield Problem(f"{shown(said)} is not allowed", f"{where}.confidence", allowed=("projection", "pessimistic"))
        return
    if said == "pessimistic" and "confidence" in written and not banded(path):
        text = "has no error band: only projected times, rates, energies and costs have one"
        yield Problem(text, f"{where}.confidence")
        return
    sides = [side for side in SIDES if side in written]
    if not sides and all(key in allowed for key in written):
        yield Problem("limits nothing", where, allowed=SIDES)
    for side in sides:
        value = _value(output, side, written[side])
        if isinstance(value, Problem):
            yield Problem(value.message, f"{where}.{side}", allowed=value.allowed, suggestion=value.suggestion)
            continue
        place = locate(f"{where}.{side}")
        yield Limit(
            path,
            side,
            value,
            f"{side} {' '.join(str(written[side]).split())}",
            said == "pessimistic" and banded(path),
            place,
        )


def banded(path: str) -> bool:
    """Whether an output has an error band: projected times, rates and energies."""
    found = by_path().get(path)
    return found is not None and bool(found.band) and path == found.name


def _value(output: Output, side: str, written: Any) -> Any:
    """A limit in the output's SI unit; a Problem where it is none."""
    if output.name in BOOLEANS or output is BOUND_BY:
        if side != "equals":
            return Problem("is no number: it has no minimum and no maximum", suggestion="equals")
        allowed = tuple(RESOURCES) if output is BOUND_BY else ("true", "false")
        fine = written in RESOURCES if isinstance(written, str) else False
        fine = fine if output is BOUND_BY else isinstance(written, bool)
        if fine:
            return written
        near = nearest(str(written), allowed)
        return Problem(f"{shown(written)} is not allowed", allowed=allowed, suggestion=near)
    dimension = DIMENSIONS.get(output.unit, "fraction")
    if output.unit == "1" and isinstance(written, str) and "%" in written:
        return Problem(f"{shown(written)} is no count")
    try:
        value = _hours(written) if output.unit == "h" else units.parse(written, dimension)
    except units.UnitError as error:
        return Problem(str(error), allowed=error.allowed, suggestion=error.suggestion)
    return _vacuous(output, written, value) or value


def _hours(written: Any) -> float:
    """A written time, or a number of hours. [h]"""
    in_seconds = isinstance(written, str) and any(letter.isalpha() for letter in written)
    return units.parse(written, "time") / (3600.0 if in_seconds else 1.0)


def _vacuous(output: Output, written: Any, value: float) -> Problem | None:
    """Why a limit says nothing, or what nothing can hold: it is beyond all values that the output can have."""
    if output.unit == "1/s" and isinstance(written, str):
        of_tokens = "tokens" in output.name
        if of_tokens and "req" in written:
            return Problem(f"{shown(written)} counts requests: this output counts tokens", suggestion="1000 tokens/s")
        if not of_tokens and "tok" in written:
            return Problem(f"{shown(written)} counts tokens: this output counts requests", suggestion="10 req/s")
    if not output.unit and value > 1.0:
        hint = f"{written} %" if isinstance(written, int | float) and written <= 100 else "90 %"
        return Problem(f"{shown(written)} is above 100 %, which no share is", suggestion=hint)
    if output.unit and value < 0.0:
        return Problem(f"{shown(written)} is below 0, which this output never is")
    return None

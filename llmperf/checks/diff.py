"""Any two results term by term: scenarios, checks, entries of lock files, and what ``estimate --json`` printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from llmperf.answers.answer import Answer, answer
from llmperf.answers.comparison import Comparison
from llmperf.answers.values import EQUAL, values
from llmperf.checks import lock
from llmperf.checks.discovery import LOCK
from llmperf.checks.files import ENDINGS
from llmperf.checks.files import read as read_checks
from llmperf.checks.lock import Drift
from llmperf.contract.comparison import difference_dict
from llmperf.errors import InputError, Problem, nearest, shown
from llmperf.files.documents import finite, parse_json, read_bytes
from llmperf.files.store import is_path
from llmperf.outputs import by_path, unlike
from llmperf.scenarios import digests
from llmperf.scenarios.names import named
from llmperf.scenarios.resolve import resolve
from llmperf.version import __version__
from llmperf.words.difference import explanation

SCHEMA_VERSION = 1
"""Version of ``llmperf diff --json``."""

Source = Mapping[str, Any] | str | Path


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two results.

    Attributes
    ----------
    label : str
    outputs : dict
        Values by path, in SI units.
    made_of : dict
        Hashes of the components, as a lock file has them, and the version of llmperf.
    result : Answer or None
        The estimate of today; None of an entry of a lock file.
    notes : tuple of str
    """

    label: str
    outputs: Mapping[str, Any]
    made_of: Mapping[str, Any]
    result: Answer | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Diff:
    """Two results and what differs."""

    sides: tuple[Side, Side]

    @property
    def outputs(self) -> list[Drift]:
        """Every output that both have, before and after."""
        before, after = (side.outputs for side in self.sides)
        return [Drift(path, before[path], after[path]) for path in by_path() if path in before and path in after]

    @property
    def changed(self) -> list[Drift]:
        """Those of them that differ."""
        return [one for one in self.outputs if not _equal(one.before, one.after)]

    @property
    def causes(self) -> tuple[str, ...]:
        """Which components differ; empty where no output does."""
        before, after = (dict(side.made_of) for side in self.sides)
        parts = [side.get("components", {}) for side in (before, after)]
        common = [key for key in parts[0] if key in parts[1]]
        before["components"], after["components"] = ({key: one[key] for key in common} for one in parts)
        changed = [one.output for one in self.changed]
        return lock.causes(before, after, changed) if changed else ()

    @property
    def comparison(self) -> Comparison | None:
        """Both estimates side by side; None where one is an entry of a lock file."""
        first, second = (side.result for side in self.sides)
        if first is None or second is None:
            return None
        return Comparison((self.sides[0].label, self.sides[1].label), (first, second))

    def compares(self, output: str) -> bool:
        """Whether the change of an output says anything: not of costs, where prices do not compare."""
        comparison = self.comparison
        return by_path()[output].unit != "USD" or comparison is None or not comparison.apart(1)

    @property
    def explanation(self) -> list[str]:
        """What makes the difference, in words with their numbers; empty where it cannot be said."""
        comparison = self.comparison
        return explanation(comparison, 1) if comparison else []

    @property
    def notes(self) -> list[str]:
        """What a reader should know."""
        found = [note for side in self.sides for note in side.notes]
        if self.comparison is not None:
            found += self.comparison.notes
        else:
            found.append(f"a {LOCK} holds outputs, not operators: the terms behind them cannot be compared")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain data as ``llmperf diff --json`` prints it."""
        comparison = self.comparison
        units = {path: output.unit for path, output in by_path().items()}
        outputs = [
            {**asdict(one), "relative": one.relative if self.compares(one.output) else None, "unit": units[one.output]}
            for one in self.outputs
        ]
        plain: dict[str, Any] = finite(
            {
                "schema_version": SCHEMA_VERSION,
                "llmperf_version": __version__,
                "labels": [side.label for side in self.sides],
                "outputs": outputs,
                "causes": list(self.causes),
                "difference": difference_dict(comparison.difference(1)) if comparison else None,
                "explanation": self.explanation if comparison else None,
                "notes": self.notes,
            }
        )
        return plain


def diff(before: Source, after: Source, *, catalog: tuple[str, ...] = ()) -> Diff:
    """Explain what differs between two results.

    Parameters
    ----------
    before, after : mapping, str or Path
        A scenario (data, name or file); a check, ``FILE#NAME``; an entry of a lock file, ``llmperf.lock.yaml#NAME``; or
        what ``llmperf estimate --json`` printed. Without ``#NAME`` the file must hold one.
    catalog : tuple of str
        Directories whose descriptors go before the packaged ones.

    Raises
    ------
    InputError
        If one of them cannot be read, or is none of these; lists the faults of both.
    """
    sides: list[Side] = []
    problems: list[Problem] = []
    for source in (before, after):
        try:
            sides.append(_side(source, catalog))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    if sides[0].label == sides[1].label:
        sides = [replace(side, label=f"{side.label} ({which})") for side, which in zip(sides, ("A", "B"), strict=True)]
    return Diff((sides[0], sides[1]))


def _side(source: Source, catalog: tuple[str, ...]) -> Side:
    if isinstance(source, Mapping):
        return _printed(source, "data", catalog) if _is_printed(source) else _evaluated(source, "data", catalog)
    text = str(source)
    file, _, name = (text, "", "") if Path(text).exists() else text.rpartition("#") if "#" in text else (text, "", "")
    if Path(file).name == LOCK:
        return _locked(file, name)
    if name or file.endswith(ENDINGS):
        return _checked(file, name, catalog)
    if file.endswith(".json") and is_path(file):
        data = parse_json(read_bytes(Path(file)), file).data
        if isinstance(data, Mapping) and _is_printed(data):
            return _printed(data, Path(file).stem, catalog, file)
    return _evaluated(file, named(file), catalog)


def _is_printed(data: Mapping[str, Any]) -> bool:
    return "projection" in data and isinstance(data.get("scenario"), Mapping)


def _evaluated(source: Source, label: str, catalog: tuple[str, ...]) -> Side:
    resolved = resolve(source, {}, catalog)
    if resolved.shape:
        raise InputError(Problem("a difference is of one configuration each, not of arrays"))
    result = answer(resolved)
    asked = ((name, getattr(result.scenario, name)) for name in ("workload", *digests.ASKED))
    made_of = digests.components(result.scenario, {name: asdict(one) for name, one in asked if one is not None})
    return Side(label, finite(next(values(result, 1))), {"llmperf": __version__, "components": made_of}, result)


def _printed(data: Mapping[str, Any], label: str, catalog: tuple[str, ...], file: str | None = None) -> Side:
    """What ``estimate --json`` printed: its own numbers, and today's terms of its scenario."""
    outputs = _numbers(data, file)
    now = _evaluated(data["scenario"], label, catalog)
    said = str(data.get("llmperf_version"))
    moved = [path for path, value in outputs.items() if not _equal(value, now.outputs.get(path))]
    notes: tuple[str, ...] = ()
    if moved:
        text = (
            f"{label} was computed by llmperf {said}; its scenario gives other numbers today ({', '.join(moved[:4])})"
        )
        notes = (f"{text}: the terms are today's",)
    return replace(now, outputs=outputs, made_of={**now.made_of, "llmperf": said}, notes=notes)


_SECTIONS = {
    "projection": "",
    "memory_bytes_per_device": "",
    "bound": "bound.",
    "roofline": "roofline.",
    "bottleneck": "bottleneck.",
}
"""Keys of ``estimate --json`` that hold outputs, and how the paths of those begin."""


def _numbers(data: Mapping[str, Any], file: str | None) -> dict[str, Any]:
    """The outputs that were printed, by path."""
    outputs: dict[str, Any] = {}
    problems: list[Problem] = []
    for section, prefix in _SECTIONS.items():
        inside = data.get(section) or {}
        if not isinstance(inside, Mapping):
            problems.append(Problem(f"must be a mapping, not {shown(inside)}", section, file))
            continue
        for key, value in inside.items():
            path = next((one for one in (f"{prefix}{key}", f"memory.{key}") if one in by_path()), None)
            if path is None:
                continue
            if why := unlike(path, value):
                problems.append(Problem(f"{shown(value)} {why}", f"{section}.{key}", file))
            outputs[path] = value
    if problems:
        raise InputError(problems)
    return outputs


def _checked(file: str, name: str, catalog: tuple[str, ...]) -> Side:
    checks, problems = read_checks(file, catalog)
    if problems:
        raise InputError(problems)
    one = _chosen({check.name: check for check in checks}, file, name)
    if one.problems:
        raise InputError(list(one.problems))
    side = _evaluated(one.scenario, one.name, catalog)
    made_of = digests.components(side.result.scenario, one.scenario) if side.result else {}
    return replace(side, made_of={**side.made_of, "components": made_of})


def _locked(file: str, name: str) -> Side:
    entries = lock.read(Path(file))
    found: dict[str, Any] = {}
    for checks, inside in entries.items():
        for key, entry in inside.items():
            found[f"{checks}/{key}" if key in found else key] = entry
    entry = _chosen(found, file, name)
    return Side(f"{name or next(iter(found))} (locked)", entry["outputs"], entry)


def _chosen(found: Mapping[str, Any], file: str, name: str) -> Any:
    if name in found:
        return found[name]
    if not name and len(found) == 1:
        return next(iter(found.values()))
    known = tuple(found)
    text = (
        f"holds no check {shown(name)}" if name else f"holds {len(found)} checks: name one, as {Path(file).name}#NAME"
    )
    raise InputError(Problem(text, file=file, allowed=known, suggestion=nearest(name, known)))


def _equal(before: Any, after: Any) -> bool:
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (before, after))
    if numbers:
        return bool(abs(after - before) <= max(EQUAL, lock.SAME) * max(abs(before), abs(after)))
    return bool(before == after)

"""Baselines: what checks gave when they were last reviewed, in a lock file beside them, and why they give another now.

An entry names each component of the scenario with a hash of what it resolves to, so that a change of an output is laid
to the file that made it. Entries and keys are sorted, one output a line, so that two branches merge.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from llmperf.answers.questions import Question, asked
from llmperf.checks.discovery import LOCK
from llmperf.checks.evaluation import Result
from llmperf.errors import InputError, Problem, shown
from llmperf.files.documents import Document, finite, raw_bytes
from llmperf.files.store import remembered, write_atomically
from llmperf.files.yaml import parse_yaml
from llmperf.outputs import by_path, unlike
from llmperf.scenarios.digests import components, hashed, is_number
from llmperf.version import __version__

SCHEMA_VERSION = 1
"""Version of lock files; it grows when an entry changes its meaning."""
DIGITS = 6
SAME = 5.1e-6
"""Relative difference that rounding to `DIGITS` can make: such a number is not written anew. [1]"""
MAX_BYTES, MAX_NODES = 64 * 2**20, 2_000_000
"""Largest lock file, and most values in it: some 70,000 checks."""
HEAD = """\
# What these checks gave when they were last reviewed: `llmperf check` compares with it.
# `llmperf check --update` writes it anew.
"""

_AGAIN = "remove the file and run llmperf check --update"
_CONFLICT = re.compile(rb"^(<<<<<<<|>>>>>>>|=======)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Drift:
    """An output that is another than in the lock file; None where there is none."""

    output: str
    before: Any
    after: Any

    @property
    def relative(self) -> float | None:
        """Change over the value before; None of what is no number, or next to none. [1]"""
        if not (is_number(self.before) and is_number(self.after)) or not self.before:
            return None
        change = float(self.after / self.before - 1.0)
        return change if math.isfinite(change) else None


@dataclass(frozen=True, slots=True)
class Baseline:
    """A check against its entry.

    Attributes
    ----------
    drifts : tuple of Drift
        Outputs beyond the tolerance of the check, the largest change first.
    causes : tuple of str
        What the scenario is made of that is another than it was; what drifts is laid to these.
    before : dict
        The outputs of the entry.
    """

    drifts: tuple[Drift, ...]
    causes: tuple[str, ...]
    before: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        drifts = [{**asdict(one), "relative": one.relative} for one in self.drifts]
        return {"drifted": bool(self.drifts), "drifts": drifts, "causes": list(self.causes)}


def compared(
    results: Sequence[Result], update: bool, whole: bool, faulty: Set[str] = frozenset()
) -> tuple[list[Result], list[Problem], list[str]]:
    """Results with their baselines; with `update`, the lock files are written instead.

    Parameters
    ----------
    results : sequence of Result
    update : bool
    whole : bool
        Whether these are all checks of their files: then an entry that none of them has is of a check that is gone.
    faulty : set of str
        Files that could not be read as a whole: checks of theirs are missing, so that none of their entries is touched.

    Returns
    -------
    results : list of Result
        Of a check that drifted, with the status ``failed``.
    problems : list of Problem
        Of lock files that cannot be read.
    notes : list of str
    """
    folders: dict[Path, list[Result]] = {}
    for result in results:
        if result.check.place.file is not None:
            folders.setdefault(Path(result.check.place.file).parent, []).append(result)
    problems: list[Problem] = []
    notes: list[str] = []
    found: dict[tuple[str, str], Baseline] = {}
    for folder, inside in folders.items():
        path = folder / LOCK
        try:
            entries = read(path) if path.exists() else {}
            if update:
                wrong = {Path(file).name for file in faulty if Path(file).parent == folder}
                notes += [
                    f"{path}: entries of {file} are left as they were, for it has errors" for file in sorted(wrong)
                ]
                notes.append(_update(path, entries, [one for one in inside if _file(one) not in wrong], whole))
                continue
        except InputError as error:
            problems += error.problems
            continue
        for result in inside:
            entry = _entry(entries, result)
            if entry is not None and result.answered is not None and not result.problems:
                found[_key(result)] = baseline(entry, result)
        if path.exists():
            notes += _unknown(path, entries, [one for one in inside if one.check.place.file not in faulty], whole)
    return [_judged(result, found.get(_key(result))) for result in results], problems, notes


def _key(result: Result) -> tuple[str, str]:
    return (result.check.place.file or "", result.check.name)


def _file(result: Result) -> str:
    """The name of the file of a check."""
    return Path(result.check.place.file or "").name


def _entry(entries: Mapping[str, Any], result: Result) -> Mapping[str, Any] | None:
    entry: Mapping[str, Any] | None = entries.get(_file(result), {}).get(result.check.name)
    return entry


def _judged(result: Result, against: Baseline | None) -> Result:
    if against is None:
        return result
    result = replace(result, baseline=against)
    if not against.drifts or result.status not in ("passed", "failed"):
        return result
    text = f"drifted from {LOCK}: {', '.join(against.causes)}"
    return replace(result, status="failed", reason="; ".join(part for part in (result.reason, text) if part))


def _unknown(path: Path, entries: Mapping[str, Any], inside: Sequence[Result], whole: bool) -> list[str]:
    """What the lock file holds and no check does, and the other way round."""
    have = {(_file(result), result.check.name) for result in inside}
    read_files = {file for file, _ in have}
    known = {(file, name) for file, checks in entries.items() for name in checks}
    new = sorted(name for _, name in have - known)
    deleted = _deleted(path, entries) if whole else set()
    gone = sorted(name for file, name in known - have if file in read_files | deleted) if whole else []
    limited = sorted(
        result.check.name
        for result in inside
        if (entry := _entry(entries, result)) is not None
        and any(verdict.limit.output not in entry["outputs"] for verdict in result.verdicts)
    )
    out = []
    if limited:
        out.append(f"{path}: limits are not locked yet of {_some(limited)}; llmperf check --update writes them")
    if new:
        out.append(f"{path}: has no entry of {_some(new)}; llmperf check --update writes it")
    if gone:
        out.append(f"{path}: has entries of checks that are gone: {_some(gone)}; llmperf check --update removes them")
    return out


def _deleted(path: Path, entries: Iterable[str]) -> set[str]:
    """Files of checks that a lock file has entries of, and that are no longer beside it."""
    return {file for file in entries if not (path.parent / file).exists()}


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def baseline(entry: Mapping[str, Any], result: Result) -> Baseline:
    """What became of an entry's outputs."""
    answered = result.answered
    assert answered is not None
    drifts = []
    for path, before in entry["outputs"].items():
        drift = Drift(path, before, finite(answered.values.get(path)))
        if _beyond(drift, float(result.check.keys.tolerance)):
            drifts.append(drift)
    drifts.sort(key=lambda one: -abs(one.relative if one.relative is not None else float("inf")))
    now = facts(result)
    return Baseline(
        tuple(drifts), causes(entry, now, [one.output for one in drifts]) if drifts else (), entry["outputs"]
    )


def _beyond(drift: Drift, tolerance: float) -> bool:
    before, after = drift.before, drift.after
    if not (is_number(before) and is_number(after)):
        return bool(before != after)
    return bool(abs(after - before) > max(tolerance, SAME) * max(abs(before), abs(after)))


def causes(before: Mapping[str, Any], after: Mapping[str, Any], outputs: Iterable[str]) -> tuple[str, ...]:
    """What two entries are made of that differs, in words; a price only where one of the outputs is money."""
    out = []
    money = any(output.unit.startswith("USD") for path in outputs if (output := by_path().get(path)))
    old, new = before.get("components", {}), after.get("components", {})
    for name in {**old, **new}:
        (label, _, digest), (other, _, current) = (str(part.get(name, "none")).rpartition(" ") for part in (old, new))
        if digest == current or (name == "price" and not money):
            continue
        out.append(f"{name}: {label} -> {other}" if label != other else f"{name} {label}".rstrip())
    tool, current = str(before.get("llmperf")), str(after.get("llmperf"))
    if tool != current:
        out.append(f"llmperf {tool} -> {current}")
    return tuple(out) or (f"llmperf itself: nothing that it reads has changed, nor its version {current}",)


def locked(question: Question) -> list[str]:
    """Outputs that every entry of a question holds, beside those that its check limits."""
    return [
        path
        for path, (part, output) in question.paths.items()
        if part is None or f"lock {part.definition}".removesuffix(" projection").rstrip() in output.shown
    ]


def facts(result: Result) -> dict[str, Any]:
    """An entry of the lock file."""
    assert result.answered is not None
    check = result.check
    limited = {verdict.limit.output for verdict in result.verdicts}
    values = result.answered.values
    named = components(result.answered.scenario, check.scenario)
    return {
        "inputs": hashed({key: value for key, value in check.scenario.items() if key not in ("name", "description")}),
        "catalog": hashed([one for name, one in sorted(named.items()) if name not in ("workload", "layout")]),
        "llmperf": __version__,
        "components": named,
        "outputs": {
            path: rounded(values[path]) for path in sorted({*locked(asked(result.answered.scenario)), *limited})
        },
    }


def rounded(value: Any) -> Any:
    """A number to `DIGITS` digits; whole ones without a fraction; None of one without end."""
    if not is_number(value):
        return value
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short == int(short) and abs(short) < 1e15 else short


def read(path: Path) -> dict[str, dict[str, Any]]:
    """The entries of a lock file, by the file and the name of the check.

    Raises
    ------
    InputError
        If it is no lock file, holds the marks of a merge, or is of a newer version.
    """

    def compute() -> dict[str, Any]:
        content = raw_bytes(path, MAX_BYTES)
        if _CONFLICT.search(content):
            hint = f"resolve the merge, or {_AGAIN}"
            raise InputError(Problem("holds the marks of a merge", file=str(path), suggestion=hint))
        return _entries(parse_yaml(content, str(path), MAX_NODES))

    found: dict[str, dict[str, Any]] = remembered("lock", [str(path)], compute)
    return found


def _entries(document: Document) -> dict[str, Any]:
    """The entries of a lock file, if it is one."""
    data, path = document.data, document.file
    version = data.get("schema_version") if isinstance(data, Mapping) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        text = f"is of version {version}; this llmperf reads and writes up to {SCHEMA_VERSION}"
        raise InputError(
            Problem(text, "schema_version", path, document.line("schema_version"), suggestion="update llmperf")
        )
    if version != SCHEMA_VERSION or not isinstance(data.get("checks"), Mapping):
        raise InputError(Problem("is no lock file of llmperf", file=path, line=1))
    wrong = [
        Problem("is no entry of a check", f"checks.{file}.{name}", path, document.line(f"checks.{file}.{name}"))
        for file, name, entry in _each(data["checks"])
        if not isinstance(entry, Mapping)
        or not isinstance(entry.get("outputs"), Mapping)
        or not isinstance(entry.get("components", {}), Mapping)
    ]
    if not wrong:
        wrong = [
            Problem(f"{shown(value)} {why}", where, path, document.line(where), suggestion=_AGAIN)
            for file, name, entry in _each(data["checks"])
            for output, value in entry["outputs"].items()
            if (why := unlike(output, value)) and (where := f"checks.{file}.{name}.outputs.{output}")
        ]
    if wrong:
        raise InputError(wrong)
    return {file: dict(checks) for file, checks in data["checks"].items() if isinstance(checks, Mapping)}


def _each(checks: Mapping[str, Any]) -> Iterable[tuple[str, str, Any]]:
    for file, inside in checks.items():
        for name, entry in inside.items() if isinstance(inside, Mapping) else (("", None),):
            yield file, name, entry


def _update(path: Path, entries: dict[str, dict[str, Any]], inside: Sequence[Result], whole: bool) -> str:
    """Write a lock file anew; entries of checks that were not run stay, unless all of their file were."""
    new, changed, kept = 0, 0, {file: dict(checks) for file, checks in entries.items()}
    have: dict[str, set[str]] = {}
    for result in inside:
        file = _file(result)
        have.setdefault(file, set()).add(result.check.name)
        if result.answered is None or result.problems:
            continue  # what cannot be evaluated keeps the entry that it had
        before = kept.get(file, {}).get(result.check.name)
        entry = _steady(facts(result), before)
        new += before is None
        changed += before is not None and entry != before
        kept.setdefault(file, {})[result.check.name] = entry
    gone = 0
    have |= {file: set() for file in _deleted(path, entries)}
    for file, names in have.items() if whole else ():
        for name in set(kept.get(file, {})) - names:
            del kept[file][name]
            gone += 1
    text = written(kept)
    if not (path.exists() and path.read_text("utf-8") == text):
        try:
            write_atomically(path, text)
        except OSError as error:
            raise InputError(Problem(f"cannot be written: {error.strerror or error}", file=str(path))) from None
    return f"{path}: {new} new, {changed} changed, {gone} removed"


def _steady(entry: dict[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    """An entry in which numbers that only rounding moved stay as they were."""
    old = before["outputs"] if before else {}
    outputs = {
        path: old[path] if path in old and not _beyond(Drift(path, old[path], value), 0.0) else value
        for path, value in entry["outputs"].items()
    }
    return {**entry, "outputs": outputs}


def written(entries: Mapping[str, Mapping[str, Any]]) -> str:
    """A lock file as text: sorted, one value a line."""
    lines = [HEAD + f"schema_version: {SCHEMA_VERSION}", "checks:" if any(entries.values()) else "checks: {}"]
    for file, checks in sorted(entries.items()):
        if checks:
            lines.append(f"  {scalar(file)}:")
        for name, entry in sorted(checks.items()):
            lines.append(f"    {scalar(name)}:")
            lines += [f"      {key}: {scalar(entry.get(key))}" for key in ("inputs", "catalog", "llmperf")]
            for part in ("components", "outputs"):
                lines.append(f"      {part}:" + ("" if entry.get(part) else " {}"))
                lines += [f"        {scalar(key)}: {scalar(value)}" for key, value in entry.get(part, {}).items()]
    return "\n".join(lines) + "\n"


_SAFE = re.compile(r"[A-Za-z][\w./+-]*(?: [\w./+-]+)*")
_WORDS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")


def scalar(value: Any) -> str:
    """A value in YAML: a text plain where that is safe, else quoted."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        text = repr(value)
        return text if "." in text or "e" not in text else text.replace("e", ".0e")  # YAML 1.1 wants the point
    if isinstance(value, int):
        return str(value)
    plain = _SAFE.fullmatch(str(value)) and str(value).lower() not in _WORDS
    return str(value) if plain else json.dumps(str(value).encode("utf-8", "replace").decode(), ensure_ascii=False)

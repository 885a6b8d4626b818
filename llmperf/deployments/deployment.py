"""What is found in a deployment file: a scenario, and what became of everything that is written there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from llmperf.errors import Problem, shown

Kind = Literal["understood", "assumed", "ignored", "not_modelled", "not_understood"]
"""``understood``: it became a value of the scenario. ``assumed``: the file does not say it, or not exactly.
``ignored``: it cannot change the answer. ``not_modelled``: it changes the answer in a way that is not modelled.
``not_understood``: it is not known, and may change the answer."""

_SECRET = re.compile(r"key|token|secret|passw|credential|auth", re.IGNORECASE)
_COUNTS_TOKENS = re.compile(r"tokens|tokenizer|token-", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one thing that is written.

    Attributes
    ----------
    kind : str
    name : str
        The flag, key or variable as it is written.
    value : str
        What it is set to, cut; empty where it is ignored or may be a secret.
    path : str
        Dotted path of the scenario that it sets, or would set if it were understood; empty where it sets none.
    result : object
        The value there.
    message : str
        Why, in one line.
    file : str or None
        Where it is written, if not in the deployment's own file.
    line : int or None
    """

    kind: Kind
    name: str
    value: str = ""
    path: str = ""
    result: Any = None
    message: str = ""
    file: str | None = None
    line: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return {
            "kind": self.kind,
            "name": printable(self.name),
            "value": self.value or None,
            "path": self.path or None,
            "result": self.result,
            "message": self.message,
            "file": None if self.file is None else printable(self.file),
            "line": self.line,
        }


@dataclass(frozen=True, slots=True)
class Deployment:
    """One model that a file deploys.

    Attributes
    ----------
    name : str
        Of the workload, service or script; unique in the file.
    file : str
    line : int or None
        Where it begins.
    scenario : dict
        Plain nested data, as `llmperf.scenarios.resolve.resolve` takes it.
    findings : tuple of Finding
        In the order of the file.
    format : str
        What the file is, in words.
    files : tuple of str
        Every file that was read for it, its own first.
    tool : str
        What serves the model, as the engines of the catalog are called; empty where nothing is served: training, or a
        model alone.
    fits_context : bool
        Whether the server shortens the longest context to what its memory holds.
    allocated : int
        Sequences of the longest context whose cache the server allocates when it starts.
    """

    name: str
    file: str
    line: int | None
    scenario: dict[str, Any]
    findings: tuple[Finding, ...]
    format: str = ""
    files: tuple[str, ...] = ()
    tool: str = ""
    fits_context: bool = False
    allocated: int = 1

    @property
    def max_context(self) -> int | None:
        """Tokens of the longest sequence that the server is told to accept (``--max-model-len``); None: the model's."""
        return _within(self.scenario.get("model"), "max_context")

    @property
    def max_sequences(self) -> int | None:
        """Sequences that it is told to run at once (``--max-num-seqs``); None: the engine's own limit."""
        return _within(self.scenario.get("engine"), "max_sequences")

    @property
    def unmodelled(self) -> Problem | None:
        """Why there is no model, where the file names none that is known here."""
        model = self.scenario.get("model")
        if isinstance(model, str) or (isinstance(model, Mapping) and model.keys() & {"extends", "layers"}):
            return None
        said = next((one for one in self.findings if one.path == "model" and one.kind == "not_understood"), None)
        if said is None:
            text = "is named nowhere in this file"
            return Problem(text, "model", self.file, self.line, suggestion="give it: --model")
        return Problem(said.message, said.name, said.file or self.file, said.line)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``; what the file does not limit is null."""
        return {
            "name": printable(self.name),
            "file": printable(self.file),
            "line": self.line,
            "format": self.format,
            "tool": self.tool or None,
            "files": [printable(file) for file in self.files],
            "max_context": self.max_context,
            "max_sequences": self.max_sequences,
            "findings": [finding.to_dict() for finding in self.findings],
        }


def _within(component: Any, key: str) -> int | None:
    found = component.get(key) if isinstance(component, dict) else None
    return found if isinstance(found, int) else None


def printable(text: str, most: int = 200) -> str:
    """Foreign text on one line, without control characters, cut."""
    safe = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[:most])
    return safe + "..." if len(text) > most else safe


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag of a command, or one key of a configuration.

    Attributes
    ----------
    name : str
        In lower case, with hyphens: ``tensor-parallel-size``.
    written : str
        As it stands in the file.
    values : tuple of str
        What follows it.
    missing : tuple of str
        Variables in its values that the file does not define.
    file, line : str or None, int or None
    """

    name: str
    written: str
    values: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    file: str | None = None
    line: int | None = None

    @property
    def value(self) -> str:
        """Its value, empty where there is none."""
        return " ".join(self.values)


@dataclass(slots=True)
class Draft:
    """A deployment while it is read.

    `settings` maps dotted paths of the scenario to values; paths that begin with an underscore are left to
    `finish` of the tool, and are no part of the scenario.
    """

    name: str
    file: str
    line: int | None = None
    format: str = ""
    tool: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    by: dict[str, Flag] = field(default_factory=dict)
    """The flag that set each path."""

    def note(self, kind: Kind, flag: Flag, message: str, path: str = "", result: Any = None) -> None:
        """What became of a flag."""
        hidden = kind == "ignored" or (_SECRET.search(flag.name) and not _COUNTS_TOKENS.search(flag.name))
        value = "" if hidden or not flag.values else shown(flag.value).strip("'\"")
        file = None if flag.file == self.file else flag.file
        self.findings.append(Finding(kind, flag.written, value, path, result, message, file, flag.line))

    def say(
        self, kind: Kind, name: str, message: str, path: str = "", result: Any = None, line: int | None = None
    ) -> None:
        """What is found of something that is no flag."""
        self.findings.append(Finding(kind, name, "", path, result, message, None, line))

    def assume(self, name: str, message: str, path: str = "", result: Any = None, line: int | None = None) -> None:
        """What the file does not say."""
        self.say("assumed", name, message, path, result, line)

    def put(self, flag: Flag, path: str, value: Any, message: str = "", kind: Kind = "understood") -> None:
        """Set a path of the scenario; what was set before is overridden, and its finding says so."""
        before = self.by.get(path)
        if before is not None:
            for index, finding in enumerate(self.findings):
                if finding.path == path and (finding.name, finding.line) == (before.written, before.line):
                    said = f"overridden by {flag.written}" + (f" of line {flag.line}" if flag.line else "")
                    self.findings[index] = Finding(
                        "ignored", finding.name, "", "", None, said, finding.file, finding.line
                    )
        self.by[path] = flag
        self.settings[path] = value
        hidden = path.startswith("_")
        self.note(kind, flag, message, "" if hidden else path, None if hidden else value)

    def wrong(self, flag: Flag, message: str, allowed: tuple[str, ...] = ()) -> None:
        """A fault of the file."""
        self.problems.append(Problem(message, flag.written, flag.file or self.file, flag.line, allowed))

    def settle(self, own: str, path: str, value: Any, message: str = "", kind: Kind = "understood") -> None:
        """Say what a setting of the tool's own (``_dp``) became in the scenario; without a path nothing of its own."""
        if path:
            self.settings[path] = value
        flag = self.by.get(own)
        for index, finding in enumerate(self.findings):
            if flag and finding.kind == "understood" and (finding.name, finding.line) == (flag.written, flag.line):
                self.findings[index] = replace(finding, kind=kind, path=path, result=value, message=message)
                return

    def drop(self, own: str) -> None:
        """Forget the finding of a setting of the tool's own, which gets another."""
        flag = self.by[own]
        self.findings = [one for one in self.findings if (one.name, one.line) != (flag.written, flag.line)]

    def finished(self) -> Deployment:
        """The deployment, with a scenario of nested mappings."""
        scenario = nested(self.settings)
        found = tuple(self.findings)
        fits = bool(self.settings.get("_fits_context"))
        held = int(self.settings.get("_allocated", 1))
        files = (self.file,)
        return Deployment(self.name, self.file, self.line, scenario, found, self.format, files, self.tool, fits, held)


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted paths as nested mappings; a named component with values of its own extends what it names."""
    out: dict[str, Any] = {}
    for path in sorted(key for key in settings if not key.startswith("_")):
        *parents, last = path.split(".")
        inner = out
        for key in parents:
            found = inner.get(key)
            inner[key] = found if isinstance(found, dict) else {} if found is None else {"extends": found}
            inner = inner[key]
        inner[last] = settings[path]
    return out

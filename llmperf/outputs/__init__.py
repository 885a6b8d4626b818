"""The one table of outputs: what every result is called, its unit, which direction is better, and where it is shown.

JSON output, terminal tables, comparison, checks, lock files, the schema and all else that names a result read it from
here. What is added to a group, a part or the phases at run time (`Group.add`, `add_parts`, `add_phase`) is seen by all.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from llmperf.outputs.batch import CAPACITY as CAPACITY
from llmperf.outputs.batch import MEMORY_CLASSES as MEMORY_CLASSES
from llmperf.outputs.batch import TIMES as TIMES
from llmperf.outputs.output import CHANGED
from llmperf.outputs.output import Group as Group
from llmperf.outputs.output import Output as Output
from llmperf.outputs.serving import SERVED as SERVED
from llmperf.outputs.serving import SERVICE as SERVICE
from llmperf.records import dataclass

OPERATORS = Group(
    Output("time_s", "s", "lower", "time", "time of the operator on one device"),
    Output("flops_per_s", "FLOP/s", "higher", "rate", "operations on the matrix engine of one device over that time"),
    Output("bytes", "B", "lower", "bytes", "bytes that the operator moves on one device; of a collective, its message"),
    Output("bytes_per_s", "B/s", "higher", "bandwidth", "those bytes over that time"),
)
"""Results about one operator of a step, or all operators of a kind; they have a roofline and a projection."""
BOUND_BY = Output("bottleneck", "", "", "bottleneck", "the resource that a phase waits for most; of `RESOURCES`")
"""What limits a phase: a name, not a number."""

BOOLEANS = ("fits", "saturated")
"""Outputs that are true or false."""

DIMENSIONS = {
    "s": "time",
    "J": "energy",
    "W": "power",
    "USD": "money",
    "B": "bytes",
    "1/s": "rate",
    "FLOP/s": "compute",
    "B/s": "bandwidth",
}
"""Unit of an output -> its dimension in `llmperf.units`; of the others, numbers and fractions, there is none."""


@dataclass(frozen=True, slots=True)
class PhaseKind:
    """A phase that an answer may have.

    Attributes
    ----------
    name, label : str
        Its name in JSON, and in words.
    per : tuple of two str
        What its time is of: of the whole (``batch``, ``step``, ``optimizer step``), and of one of it, which differences
        between unequal batches are of (``prompt``, ``token``).
    band : str
        The class of the evidence that says how far to trust its time; empty: none.
    color, mark : str
        Key of its colour in figures, and its mark on a terminal.
    """

    name: str
    label: str
    per: tuple[str, str]
    band: str = ""
    color: str = ""
    mark: str = "+"


PHASES: dict[str, PhaseKind] = {
    "prefill": PhaseKind("prefill", "prefill", ("batch", "prompt"), "prefill", "orange", "#"),
    "decode": PhaseKind("decode", "decode", ("step", "token"), "decode", "blue", "*"),
}
"""Phases of all questions, by name."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an answer: figures that stand together in JSON.

    Attributes
    ----------
    name : str
        As an answer has it: ``answer.projection``.
    key : str
        As JSON has it.
    groups : tuple of (Group, str)
        Its outputs, each with the prefix of the path that names it: ``bound.``, ``memory.``, or none.
    definition : str
        ``bound``, ``roofline`` or ``projection``, where the part is one of the three; their outputs can be compared as
        ratios, and have formulas.
    """

    name: str
    key: str
    groups: tuple[tuple[Group, str], ...]
    definition: str = ""
    __eq__, __hash__ = object.__eq__, object.__hash__  # one part is one row of a table

    @property
    def outputs(self) -> tuple[Output, ...]:
        """All its outputs."""
        return tuple(output for group, _ in self.groups for output in group)

    @property
    def formulas(self) -> Mapping[str, str | Callable[..., Any]]:
        """Formulas of its outputs that have one, by name."""
        return _formulas(self)


PARTS: dict[str, Part] = {
    "bound": Part("bound", "bound", ((TIMES, "bound."),), "bound"),
    "roofline": Part("roofline", "roofline", ((TIMES, "roofline."),), "roofline"),
    "projection": Part("projection", "projection", ((TIMES, ""),), "projection"),
    "memory": Part("memory", "memory_bytes_per_device", ((MEMORY_CLASSES, "memory."), (CAPACITY, ""))),
}
"""Parts of the answer to a static batch, by name."""

SERVE_PARTS: dict[str, Part] = {
    "bound": Part("bound", "bound", ((SERVED, "bound."),), "bound"),
    "projection": Part("projection", "projection", ((SERVED, ""),), "projection"),
    "service": Part("service", "service", ((SERVICE, ""),)),
    "memory": PARTS["memory"],
}
"""Parts of the answer to a steady state, by name."""

_parts: list[Part] = [*PARTS.values(), *(part for part in SERVE_PARTS.values() if part is not PARTS.get(part.name))]
"""Those of all questions."""


def add_parts(parts: Iterable[Part]) -> None:
    """Take the parts of a question from outside."""
    _parts.extend(part for part in parts if part not in _parts)
    _forget()


def add_phase(kind: PhaseKind) -> None:
    """Take a phase of a question from outside."""
    PHASES[kind.name] = kind
    _forget()


LATER = {
    "goodput": "goodput_per_s",
    "request_rate": "requests_per_s",
    "concurrency": "in_flight",
    "ttft_p95_s": "ttft_p99_s",
    "mfu": "bound.ttft_s",
    "hfu": "bound.ttft_s",
    "mbu": "bound.tpot_s",
    "step_time_s": "tpot_s",
    "samples_per_s": "total_tokens_per_s",
}
"""Outputs that users ask for and this version does not compute -> what it has that comes nearest."""


@cache
def paths(parts: tuple[Part, ...], phases: tuple[str, ...]) -> dict[str, tuple[Part | None, Output]]:
    """Outputs by the paths that name them, each with its part; what limits a phase is of none.

    Of equal paths the first part counts; what needs no prefix comes first, projections before all else.
    """
    order = sorted(parts, key=lambda part: part.definition not in ("projection", ""))
    found: dict[str, tuple[Part | None, Output]] = {}
    for bare, those in ((True, order), (False, parts)):
        for part in those:
            for group, prefix in part.groups:
                if bare == (not prefix):
                    for output in group:
                        found.setdefault(f"{prefix}{output.name}", (part, output))
    return found | {f"{BOUND_BY.name}.{phase}": (None, BOUND_BY) for phase in phases}


@cache
def by_path() -> dict[str, Output]:
    """Every output of any question by the path that names it: ``tpot_s``, ``bound.tpot_s``, ``memory.weights``."""
    return {path: output for path, (_, output) in paths(tuple(_parts), tuple(PHASES)).items()}


def unlike(path: str, value: Any) -> str:
    """Why a value that was written down is none of an output, in words; empty where it is one, or none at all (None).

    What no output is called may be a number, a text or a truth value.
    """
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return "" if by_path().get(path, BOUND_BY) is BOUND_BY else "is a text, not a number"
    if not isinstance(value, int | float):
        return "is neither a number nor a text"
    return "" if abs(value) <= _LARGEST else "is not a finite number"  # nor is a NaN


_LARGEST = sys.float_info.max


def groups() -> tuple[str, ...]:
    """First parts of paths: of JSON (``memory_bytes_per_device``), and as they are written (``memory``)."""
    return (*dict.fromkeys(name for part in _parts for name in (part.name, part.key)), BOUND_BY.name)


def canonical(path: str) -> str:
    """The path of `by_path` that another spelling means, as in JSON: ``projection.``, ``memory_bytes_per_device.``."""
    head, _, name = path.rpartition(".")
    for part in _parts:
        if head in (part.name, part.key):
            for group, prefix in part.groups:
                if name in group.names:
                    return f"{prefix}{name}"
    return name if head == "projection" else f"memory.{name}" if head in ("memory", "memory_bytes_per_device") else path


OPERATOR_PATH = re.compile(r"(ratio\.)?(roofline\.)?operator\.([^.]+)\.(.+)\.([^.]+)")
"""A metric of the operators of a step: phase, name or kind, and an output of `OPERATORS`."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A parsed metric of a claim: a path of an output, or a quantity of the operators of a phase."""

    ratio: bool
    output: Output
    path: str = ""
    """Path of the output (`by_path`); empty of operators."""
    phase: str = ""
    """Phase of the step that `operator` is of."""
    operator: str = ""
    """Name of an operator, or of a kind; only an evaluated step knows which there are."""
    roofline: bool = False
    """Whether the operators' times at the peaks are meant, instead of the projected ones."""


@cache
def metrics() -> dict[str, Metric]:
    """Every metric of a whole scenario by the name that a claim may use."""
    return {
        "ratio." * ratio + path: Metric(ratio, output, path)
        for path, output in by_path().items()
        if output is not BOUND_BY
        for ratio in (False, True)
    }


@cache
def metric(name: str) -> Metric | None:
    """A metric of a scenario or of an operator by its name; None where there is none."""
    parts = OPERATOR_PATH.fullmatch(name)
    if parts is None:
        return metrics().get(name)
    ratio, roofline, phase, operator, output = parts.groups()
    if phase not in PHASES or output not in OPERATORS.names:
        return None
    return Metric(bool(ratio), OPERATORS[output], "", phase, operator, bool(roofline))


def dimension(name: str) -> str:
    """The dimension that a metric's value is written in; a plain number for ratios."""
    known = metric(name)
    if known is not None:
        return "fraction" if known.ratio else DIMENSIONS.get(known.output.unit, "fraction")
    output = to_come().get(name)
    return "fraction" if output is None else DIMENSIONS.get(output.unit, "fraction")


def to_come() -> dict[str, Output]:
    """Outputs that no question computes yet, by name, which published results state."""
    from llmperf.outputs.coming import COMING

    return {output.name: output for output in COMING}


def loaded(home: Any) -> Any:
    """A function by its home, ``module:name``; a function is itself."""
    if not isinstance(home, str):
        return home
    module, _, name = home.partition(":")
    return getattr(import_module(module), name)


@cache
def _formulas(part: Part) -> dict[str, str | Callable[..., Any]]:
    return {output.name: output.formula for output in part.outputs if output.formula}


_generation = 0


def generation() -> int:
    """How often a registry has changed: what was made of what is registered holds for one generation."""
    return _generation


def renew() -> None:
    """Say that a registry has changed."""
    global _generation
    _generation += 1


def _forget() -> None:
    """Derive anew what is derived from the tables."""
    for derived in (paths, by_path, metrics, metric, _formulas):
        derived.cache_clear()
    renew()


CHANGED.append(_forget)

"""The one table of outputs: what every result is called, its unit, which direction is better, and where it is shown.

JSON output, terminal tables, comparison, checks, lock files, the schema and all else that names a result read it from
here. What is added to a group, a part or the phases at run time (`Group.add`, `add_parts`, `add_phase`) is seen by all.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any, Literal

from llmperf.records import dataclass


@dataclass(frozen=True, slots=True)
class Output:
    """One result.

    Attributes
    ----------
    name, unit : str
        Its name, which ends in its unit, and that SI unit; ``1`` of a count, empty of a fraction.
    better : str
        Whether ``lower`` or ``higher`` is better.
    label, description : str
        A short label, and what it means.
    short : str
        A label for heads of columns and axes; `label` where there is none.
    shown : frozenset of str
        Where it is shown beside the whole table, which holds every output but those ``aside``: ``compare``, ``card``,
        ``notebook``, ``sweep``, ``frontier``, and ``lock`` (its bound: ``lock bound``), the entries of lock files.
    band : str
        The phase whose error band it has; ``e2e`` of whole requests; empty where the evidence says nothing of it.
    formula : str or callable, optional
        Where it is computed from the others of its part, ``module:function``: a function of the scenario, the
        definition (``bound``, ``roofline``, ``projection``) and the figures before it. Without one, the question's own
        evaluation gives it.
    """

    name: str
    unit: str
    better: Literal["lower", "higher", ""]
    label: str
    description: str
    short: str = ""
    shown: frozenset[str] = frozenset()
    band: str = ""
    formula: str | Callable[..., Any] | None = None

    @property
    def head(self) -> str:
        """Its label where there is little room."""
        return self.short or self.label


class Group:
    """Outputs that belong together, in the order in which they are shown."""

    def __init__(self, *outputs: Output) -> None:
        self._outputs = {output.name: output for output in outputs}

    def __iter__(self) -> Iterator[Output]:
        return iter(self._outputs.values())

    def __len__(self) -> int:
        return len(self._outputs)

    def __contains__(self, output: object) -> bool:
        return output in self._outputs.values()

    def __getitem__(self, name: str) -> Output:
        return self._outputs[name]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(self._outputs)

    def shown(self, where: str) -> tuple[Output, ...]:
        """Those that a view shows (`Output.shown`)."""
        return tuple(output for output in self if where in output.shown)

    def add(self, output: Output) -> None:
        """Take one more output, or another one of the same name."""
        self._outputs[output.name] = output
        _forget()

    def remove(self, name: str) -> None:
        """Leave an output out again."""
        del self._outputs[name]
        _forget()


def _on(*where: str) -> frozenset[str]:
    return frozenset(where)


TIMES = Group(
    Output(
        "ttft_s",
        "s",
        "lower",
        "TTFT, last sequence",
        "time until the last sequence of the batch has its first token",
        "TTFT",
        _on("compare", "card", "notebook", "sweep", "lock", "lock bound"),
        "prefill",
    ),
    Output(
        "ttft_mean_s",
        "s",
        "lower",
        "TTFT, mean",
        "mean over sequences of the time to the first token",
        band="prefill",
    ),
    Output(
        "tpot_s",
        "s",
        "lower",
        "TPOT",
        "mean time of each further token: (e2e - ttft) / (output - 1)",
        "TPOT",
        _on("compare", "card", "notebook", "sweep", "frontier", "lock", "lock bound"),
        "decode",
    ),
    Output(
        "itl_s",
        "s",
        "lower",
        "ITL",
        "mean interval between emitted chunks of tokens",
        shown=_on("aside"),  # equals TPOT where every step emits one token
        band="decode",
    ),
    Output(
        "e2e_s",
        "s",
        "lower",
        "end to end",
        "time until the last sequence is complete",
        shown=_on("card", "notebook", "frontier", "lock"),
        band="e2e",
    ),
    Output(
        "output_tokens_per_s",
        "1/s",
        "higher",
        "output tokens/s",
        "generated tokens of the batch over e2e",
        shown=_on("compare", "card", "notebook", "sweep", "lock"),
        band="e2e",
    ),
    Output(
        "total_tokens_per_s",
        "1/s",
        "higher",
        "all tokens/s",
        "prompt and generated tokens of the batch over e2e",
        band="e2e",
    ),
    Output(
        "energy_j",
        "J",
        "lower",
        "energy",
        "energy of all devices over e2e at their rated power, an upper estimate; the projection only",
        band="e2e",
        formula="llmperf.costs.energy:rated",
    ),
    Output(
        "energy_per_output_token_j",
        "J",
        "lower",
        "energy per output token",
        "energy_j over generated tokens",
        "energy a token",
        _on("compare", "notebook", "lock"),
        "e2e",
        "llmperf.costs.energy:per_output_token",
    ),
    Output(
        "power_w",
        "W",
        "lower",
        "power",
        "mean power of all devices, at their rated power; the projection only",
        shown=_on("aside"),
        formula="llmperf.costs.energy:power",
    ),
    Output(
        "device_hours",
        "h",
        "lower",
        "device hours",
        "hours of all devices that the batch takes",
        shown=_on("aside"),
        band="e2e",
        formula="llmperf.costs.money:device_hours",
    ),
    Output(
        "cost_usd",
        "USD",
        "lower",
        "cost",
        "rent of all devices over e2e, at the stated share of paid time that is used",
        shown=_on("aside"),
        band="e2e",
        formula="llmperf.costs.money:cost",
    ),
    Output(
        "cost_per_mtok_usd",
        "USD",
        "lower",
        "cost of 1M tokens",
        "cost of a million tokens, prompt and generated alike",
        "cost of 1M tokens",
        _on("compare", "notebook"),
        "e2e",
        "llmperf.costs.money:per_mtok",
    ),
    Output(
        "cost_per_mtok_input_usd",
        "USD",
        "lower",
        "cost of 1M input tokens",
        "cost of the time until the last first token, over a million prompt tokens",
        band="prefill",
        formula="llmperf.costs.money:per_mtok_input",
    ),
    Output(
        "cost_per_mtok_output_usd",
        "USD",
        "lower",
        "cost of 1M output tokens",
        "cost of the time of decoding, over a million generated tokens",
        band="decode",
        formula="llmperf.costs.money:per_mtok_output",
    ),
)
"""Results that a bound, a roofline and a projection each have; an unprefixed name means the projection."""

MEMORY_CLASSES = Group(
    Output("weights", "B", "lower", "weights", "weights", shown=_on("lock")),
    Output(
        "kv_cache",
        "B",
        "lower",
        "KV cache and states",
        "KV cache and recurrent states of the requested workload",
        shown=_on("lock"),
    ),
    Output("activations", "B", "lower", "activations", "peak activations of the largest step"),
    Output("context", "B", "lower", "context and buffers", "device context and communication buffers"),
    Output("graphs", "B", "lower", "captured graphs", "captured graphs"),
)
"""Classes of memory of one device, the fullest pipeline stage."""

CAPACITY = Group(
    Output("capacity", "B", "higher", "capacity", "memory of one device"),
    Output("usable", "B", "higher", "usable", "part of it that may be used"),
    Output(
        "required",
        "B",
        "lower",
        "required",
        "what the workload needs on the fullest device, in all tiers",
        shown=_on("compare", "lock"),
    ),
    Output("missing", "B", "lower", "missing", "what found no place; 0 where it fits"),
    Output("fits", "", "higher", "fits", "whether the requested workload has a place", shown=_on("lock")),
    Output(
        "kv_headroom",
        "",
        "higher",
        "KV headroom",
        "share of the KV pool that the requested workload leaves free; below 0 where it needs more",
    ),
    Output(
        "kv_pool_tokens",
        "1",
        "higher",
        "KV pool, tokens",
        "tokens whose KV cache the whole system can hold",
        shown=_on("compare", "lock"),
    ),
    Output(
        "kv_pool_tokens_low",
        "1",
        "higher",
        "KV pool, at least",
        "the same, where software holds as much more as start-up logs show",
        formula="llmperf.phases.memory:pool_low",
    ),
    Output(
        "kv_pool_tokens_high",
        "1",
        "higher",
        "KV pool, at most",
        "the same, where it holds as much less",
        formula="llmperf.phases.memory:pool_high",
    ),
    Output(
        "max_batch",
        "1",
        "higher",
        "largest batch",
        "most sequences of input + output tokens that the whole system can hold",
        shown=_on("compare", "lock"),
    ),
    Output(
        "max_context",
        "1",
        "higher",
        "longest context",
        "longest sequence at the requested batch, at most what the model allows",
        shown=_on("compare"),
    ),
    Output(
        "max_concurrency_at_max_context",
        "1",
        "higher",
        "largest batch at full context",
        "most sequences of the model's maximum context",
    ),
)
"""Results about memory."""

OPERATORS = Group(
    Output("time_s", "s", "lower", "time", "time of the operator on one device"),
    Output("flops_per_s", "FLOP/s", "higher", "rate", "operations on the matrix engine of one device over that time"),
    Output("bytes", "B", "lower", "bytes", "bytes that the operator moves on one device; of a collective, its message"),
    Output("bytes_per_s", "B/s", "higher", "bandwidth", "those bytes over that time"),
)
"""Results about one operator of a step, or all operators of a kind; they have a roofline and a projection."""
BOUND_BY = Output("bottleneck", "", "", "bottleneck", "the resource that a phase waits for most; of `RESOURCES`")
"""What limits a phase: a name, not a number."""

BOOLEANS = ("fits",)
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

_parts: list[Part] = [*PARTS.values()]
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
    "goodput": "output_tokens_per_s",
    "requests_per_s": "output_tokens_per_s",
    "request_rate": "output_tokens_per_s",
    "concurrency": "max_batch",
    "queue_s": "ttft_s",
    "ttft_p50_s": "ttft_mean_s",
    "ttft_p90_s": "ttft_s",
    "ttft_p95_s": "ttft_s",
    "ttft_p99_s": "ttft_s",
    "tpot_p99_s": "tpot_s",
    "e2e_p99_s": "e2e_s",
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
    """The dimension that a metric's value is written in; a plain number for ratios and for outputs to come."""
    known = metric(name)
    return "fraction" if known is None or known.ratio else DIMENSIONS.get(known.output.unit, "fraction")


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

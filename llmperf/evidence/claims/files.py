"""Published results: one file a system, each claim with the scenario that recomputes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any, Literal

from llmperf import units
from llmperf.descriptors.fields import FORBID_UNKNOWN_KEYS, Marker, Number, Text, Whole
from llmperf.descriptors.validation import build
from llmperf.errors import InputError, Problem, nearest, shown
from llmperf.files.documents import Document
from llmperf.outputs import (
    BOOLEANS,
    OPERATOR_PATH,
    OPERATORS,
    PHASES,
    dimension,
    metric,
    metrics,
    to_come,
)

TOLERANCES = {"A": 0.10, "B": 0.25, "C": 0.20}
"""Largest error that passes, by tier: a closed form, a declared knob, beyond a range; a claim may state a smaller."""
UNVERIFIED = "unverified"
"""How the provenance of a number begins that nobody has checked against its source."""

Category = Literal[
    "weights",
    "kv-cache",
    "attention",
    "serving",
    "speculation",
    "experts",
    "offload",
    "accelerators",
    "simulators",
    "cost",
    "training",
    "reinforcement-learning",
    "fault-tolerance",
    "other",
]
CATEGORIES: dict[Category, str] = {
    "weights": "Weight formats",
    "kv-cache": "KV-cache methods",
    "attention": "Attention kernels",
    "serving": "Serving",
    "speculation": "Speculation and sampling",
    "experts": "Mixtures of experts",
    "offload": "Offloading and small devices",
    "accelerators": "Accelerators",
    "simulators": "Simulators and measurements",
    "cost": "Power and cost",
    "training": "Training",
    "reinforcement-learning": "Reinforcement learning",
    "fault-tolerance": "Fault tolerance",
    "other": "Other systems",
}
"""What systems are grouped by, in the order of pages, with its title."""
COMPRESSION: tuple[Category, ...] = ("weights", "kv-cache", "attention")
"""Categories of systems that change bytes, operations and passes of a transformer."""

MECHANISMS: dict[str, str] = {
    "training": "a training step: backward pass, gradients, optimizer",
    "reinforcement learning": "generation, scoring and training in one step",
    "fault tolerance": "failures, checkpoints and recovery",
    "transients": "runs that begin and end, and requests that come at set times",
    "schedules": "steps of prompts and of decodes in an order of their own",
    "percentiles": "percentiles other than 50, 90 and 99",
    "bubbles": "pipelines whose steps take unequal times",
    "fairness": "requests that are put aside for others, and fetched again",
    "elasticity": "scaling an instance while it serves",
    "speculation": "drafting and verifying",
    "test-time scaling": "many samples or trials of one request",
    "routing": "a router before models, and where requests or experts go",
    "kv reuse": "cached tokens that are not one common prefix of the batch",
    "kv compression": "what a compressed cache computes again",
    "sparsity": "neurons and weights that are skipped as they are predicted",
    "lora": "adapters beside the base model",
    "experts": "experts that cost nothing, or other than the rest",
    "expert offload": "experts cached on the device and fetched on a miss",
    "offload": "windows of layers and swapping beyond what a placement says",
    "placement": "operators shared by processors, or computed where data lies",
    "overlap": "collectives, memory and compute at once, operator beside operator",
    "distribution": "unequal sequences in a batch, or devices apart over the internet",
    "kernels": "schedules and limits within one operator",
    "host": "launch times of each processor",
    "power": "power and energy by phase, clock or element",
    "cost": "prices of cards, and of stages on different ones",
    "hardware": "a chip, or a number of one, that the catalog lacks",
    "model": "a model that the catalog lacks",
    "other networks": "networks that are no transformer",
    "diffusion": "many denoising steps over clips",
    "simulation": "the error of another tool",
    "unknown setup": "the source does not say what a scenario needs",
}
"""What claims wait for that have no scenario: name -> in words. A name goes when no claim waits for it any more."""
LANDS_WITH = {"training": "training"}
"""Mechanism -> the section of a scenario that comes with it (`llmperf.scenarios.keys.NOT_YET`)."""


APART = {
    "in_sample": "constants of the engine or chip were fitted on this row, or on rows of the same table",
    "tautology": "the number is a knob of the scenario, so that the prediction repeats it",
}
"""Why a claim is counted apart from those that show how right predictions are: key -> in words."""


@dataclass(frozen=True, slots=True)
class Claimed(Marker):
    """A claimed value: a number, a written quantity, a truth value, or a list of two numbers, the lower first."""

    def check(self, value: Any) -> Any:
        """The value as written, a list as a tuple; the metric's dimension is known later."""
        if isinstance(value, list | tuple):
            if len(value) != 2:
                raise ValueError(f"{shown(value)} must be one number, or a list of two: the lower and the upper end")
            return tuple(self._one(item) for item in value)
        return value if isinstance(value, bool) else self._one(value)

    def _one(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(f"{shown(value)} is not a number")
        return value

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of what a user may write."""
        one = {"anyOf": [{"type": "number"}, {"type": "string"}]}
        several = {"type": "array", "items": one, "minItems": 2, "maxItems": 2}
        return {"anyOf": [*one["anyOf"], {"type": "boolean"}, several]}


@dataclass(frozen=True, slots=True)
class Free(Marker):
    """A mapping that is read elsewhere: a scenario, or overrides of one."""

    def check(self, value: Any) -> Any:
        """The mapping itself."""
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise ValueError(f"must be a mapping, not {shown(value)}")
        return value

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of what a user may write."""
        return {"type": "object"}


@dataclass(frozen=True, slots=True)
class Each(Marker):
    """Overrides of a scenario: a mapping, or a list of several."""

    def check(self, value: Any) -> tuple[Mapping[str, Any], ...]:
        """The mappings."""
        several = value if isinstance(value, list | tuple) else [value]
        if not several:
            raise ValueError("is empty")
        return tuple(Free().check(one) for one in several)

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of what a user may write."""
        one = Free().json_schema()
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}


@dataclass(frozen=True, slots=True)
class Axes(Marker):
    """Paths of a scenario, each with the list of the values that it takes."""

    def check(self, value: Any) -> Mapping[str, Any]:
        """The mapping."""
        mapping: Mapping[str, Any] = Free().check(value)
        for key, values in mapping.items():
            if not isinstance(values, list) or not values:
                raise ValueError(f"{key} takes a list of values, not {shown(values)}")
        return mapping

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of what a user may write."""
        return {"type": "object", "additionalProperties": {"type": "array", "minItems": 1}}


@dataclass(frozen=True, slots=True)
class Waited(Marker):
    """A mechanism, or a list of several; whether each is one of `MECHANISMS` is said with the claim's other faults."""

    def check(self, value: Any) -> tuple[str, ...]:
        """The names."""
        names = value if isinstance(value, list | tuple) else [value]
        if not names or not all(isinstance(name, str) for name in names):
            raise ValueError(f"{shown(value)} must be the name of a mechanism, or a list of them")
        return tuple(dict.fromkeys(names))

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of what a user may write."""
        one = {"enum": list(MECHANISMS)}
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}


Values = Annotated[Any, Claimed()]
Mechanisms = Annotated[tuple[str, ...], Waited()]
Keys = Annotated[Mapping[str, Any], Free()]
Several = Annotated[tuple[Mapping[str, Any], ...], Each()]
Tolerance = Annotated[float, Number(1e-6, 10.0)]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a system was published."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    title: Text
    url: Text
    year: Whole
    arxiv: Text | None = None


@dataclass(frozen=True, slots=True)
class PublishedClaim:
    """One published number, range or direction, and what recomputes it."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    id: Text
    tier: Literal["A", "B", "C"]
    """A: a closed form gives it; B: it needs a knob that the source declares; C: only a direction or a range."""
    metric: Text
    """An output; ``bound.`` or ``roofline.`` before it, ``memory.`` before a class, ``operator.PHASE.NAME.`` before a
    result of an operator; ``ratio.`` first of all."""
    provenance: Text
    """Where the number stands: abstract, ``repo:``, ``page:``, ``fulltext:``, ``secondary:``; unverified: recalled."""
    value: Values | None = None
    direction: Literal["greater", "less"] | None = None
    """Than `value`; without one, than 1, which only a ratio has."""
    scenario: Keys | None = None
    baseline: Several | None = None
    """What differs in the baseline: merged over the scenario, null deletes; of several the best counts."""
    over: Annotated[Mapping[str, Any], Axes()] | None = None
    """Paths of the scenario with the values that each takes: the mean over all their combinations counts."""
    not_expressible: Text | None = None
    """What is missing, in words, in place of a scenario."""
    mechanism: Mechanisms | None = None
    """Of `MECHANISMS`: which are missing, one or several."""
    tolerance: Tolerance | None = None
    """Largest error that passes, where it is smaller than the tier's. [1]"""
    apart: Literal["in_sample", "tautology"] | None = None
    """Of `APART`: why the claim says little about how right predictions are."""
    note: Text | None = None

    @property
    def limits(self) -> tuple[float, float]:
        """The lower and the upper end of what is claimed, in SI units; equal for a number."""
        if self.value is None:
            return 1.0, 1.0
        ends = self.value if isinstance(self.value, tuple) else (self.value, self.value)
        low, high = (float(end) if isinstance(end, bool) else units.parse(end, dimension(self.metric)) for end in ends)
        return float(f"{low:.12g}"), float(f"{high:.12g}")  # 0.08395, not 0.08395000000000001

    @property
    def cases(self) -> tuple[dict[str, Any], ...]:
        """What each case of `over` puts into the scenario, by path; one that changes nothing where there are none."""
        axes = self.over or {}
        return tuple(dict(zip(axes, values, strict=True)) for values in product(*axes.values()))

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """What the claim waits for, of `MECHANISMS`: as stated, or in files without the key as the reason begins."""
        if self.mechanism is not None:
            return self.mechanism
        begin = (self.not_expressible or "").partition(":")[0]
        return (begin,) if begin in MECHANISMS else ()

    @property
    def allowed_error(self) -> float:
        """The tolerance stated, or that of the tier. [1]"""
        return TOLERANCES[self.tier] if self.tolerance is None else self.tolerance


@dataclass(frozen=True, slots=True)
class Published:
    """What one system has published about itself."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    system: Text
    source: Source
    claims: list[PublishedClaim]
    category: Category = "other"
    notes: Text | None = None


def read(document: Document) -> Published:
    """Turn the document of a claims file into a descriptor.

    Raises
    ------
    InputError
        With all faults of the file, each with its line.
    """
    published = build(Published, document)
    found = [
        Problem(message, path, document.file, document.line(path), allowed, suggestion)
        for path, message, allowed, suggestion in _faults(published)
    ]
    if found:
        raise InputError(found)
    return published


Fault = tuple[str, str, tuple[str, ...], str | None]
"""Path, message, what is allowed, and the nearest of it."""


def _faults(published: Published) -> list[Fault]:
    found: list[Fault] = []
    if not published.source.url.startswith(("https://", "http://")):
        found.append(("source.url", f"{shown(published.source.url)} is no https:// address", (), None))
    if not published.claims:
        found.append(("claims", "is empty", (), None))
    seen: set[str] = set()
    for index, claim in enumerate(published.claims):
        path = f"claims.{index}"
        if claim.id in seen:
            found.append((f"{path}.id", f"{shown(claim.id)} stands twice", (), None))
        seen.add(claim.id)
        found += [(f"{path}.{key}", text, allowed, near) for key, text, allowed, near in _wrong(claim)]
    return found


def _wrong(claim: PublishedClaim) -> list[Fault]:
    """What in one claim contradicts itself."""
    found = [(key, text, (), None) for key, text in _wrong_parts(claim)]
    out: list[Fault] = [*found, *_wrong_value(claim)]
    for name in claim.mechanism or ():
        if name not in MECHANISMS:
            text = f"no missing mechanism is called {shown(name)}"
            out.append(("mechanism", text, tuple(MECHANISMS), nearest(name, MECHANISMS)))
    if metric(claim.metric) is None and (
        claim.scenario is not None or claim.metric.removeprefix("ratio.") not in to_come()
    ):
        out.append(("metric", *_unknown_metric(claim)))
    return out


def _unknown_metric(claim: PublishedClaim) -> tuple[str, tuple[str, ...], str | None]:
    """Why a name is that of no metric, what is allowed in its place, and the nearest of it."""
    name = claim.metric
    parts = OPERATOR_PATH.fullmatch(name)
    if parts is None:
        later = () if claim.scenario is not None else tuple(f"{r}{key}" for r in ("", "ratio.") for key in to_come())
        allowed = (*metrics(), *later)
        if "operator." in name:
            allowed = tuple(
                f"{prefix}operator.PHASE.NAME.{key}" for prefix in ("", "roofline.") for key in OPERATORS.names
            )
        return f"no output is called {shown(name)}", allowed, nearest(name, allowed)
    phase, output = parts[3], parts[5]
    if phase not in PHASES:
        return f"no phase is called {shown(phase)}", tuple(PHASES), nearest(phase, PHASES)
    allowed = OPERATORS.names
    return f"no result of an operator is called {shown(output)}", allowed, nearest(output, allowed)


def _wrong_parts(claim: PublishedClaim) -> list[tuple[str, str]]:
    found = []
    ratio = claim.metric.startswith("ratio.")
    if claim.scenario is None and claim.not_expressible is None:
        found.append(("scenario", "is missing; or say with not_expressible which mechanism is"))
    if claim.scenario is not None and claim.not_expressible is not None:
        found.append(("not_expressible", "stands in place of a scenario, not beside one"))
    if claim.mechanism is not None and claim.not_expressible is None:
        found.append(("mechanism", "serves not_expressible only: it says which mechanism is missing"))
    if claim.scenario is not None and ratio and claim.baseline is None:
        found.append(("baseline", "is missing: a ratio divides the scenario by it"))
    if claim.baseline is not None and (claim.scenario is None or not ratio):
        found.append(("baseline", "serves a ratio. metric with a scenario only"))
    if claim.over is not None and (claim.scenario is None or len(claim.cases) < 2):
        found.append(("over", "takes two cases or more of a scenario: their mean counts"))
    if claim.apart is not None and claim.scenario is None:
        found.append(("apart", "serves a claim with a scenario only"))
    if claim.value is None and claim.direction is None:
        found.append(("value", "is missing; or state a direction"))
    if claim.value is None and claim.direction is not None and not ratio:
        found.append(("value", "is missing: a direction without a value is that of a ratio"))
    if claim.direction is not None and isinstance(claim.value, tuple):
        found.append(("direction", "compares with one number, not with a range"))
    if claim.tier == "C" and claim.direction is None and not isinstance(claim.value, tuple | bool):
        found.append(("value", "tier C takes a range or a direction"))
    if claim.tolerance is not None and claim.tolerance > TOLERANCES[claim.tier]:
        found.append(("tolerance", f"is wider than the {TOLERANCES[claim.tier]:.0%} of tier {claim.tier}"))
    return found


def _wrong_value(claim: PublishedClaim) -> list[Fault]:
    if claim.value is not None and isinstance(claim.value, bool) != (claim.metric in BOOLEANS):
        text = f"{claim.metric} takes true or false" if claim.metric in BOOLEANS else "is not a number"
        return [("value", text, (), None)]
    if claim.metric in BOOLEANS:
        return [] if claim.direction is None else [("direction", f"is none of {claim.metric}", (), None)]
    try:
        low, high = claim.limits
    except units.UnitError as error:
        return [("value", str(error), error.allowed, error.suggestion)]
    if low > high:
        return [("value", "the lower end of a range comes first", (), None)]
    if claim.direction is None and low <= 0:
        return [("value", "must be more than zero, since errors are relative", (), None)]
    return []

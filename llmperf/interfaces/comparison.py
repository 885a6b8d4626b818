"""Two or more configurations side by side, as a Python object and as the JSON contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import llmperf
from llmperf.descriptors.documents import finite
from llmperf.descriptors.resolve import resolve
from llmperf.errors import InputError, Problem, shown
from llmperf.interfaces.explanation import explained
from llmperf.interfaces.results import SCHEMA_VERSION, Estimate, answer
from llmperf.outputs import TIMES
from llmperf.phases.differences import Change, Difference, Part, PartChange, PhaseChange, difference

Reference = Mapping[str, Any] | str | Path | None


class Whole(dict[str, Any]):
    """A scenario of its own as data, where any other mapping says what differs from the first."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Configurations side by side; the first is what the others are compared with.

    Attributes
    ----------
    labels : tuple of str
        What each configuration is called.
    results : tuple of Estimate
        Their estimates.
    """

    labels: tuple[str, ...]
    results: tuple[Estimate, ...]

    def speedup(self, index: int, definition: str = "projection") -> dict[str, float]:
        """How many times better each output is than in the first configuration: more than 1 is better. [1]

        Parameters
        ----------
        index : int
            Which configuration.
        definition : str
            ``bound``, ``roofline`` or ``projection``.
        """
        base, other = (getattr(result, definition) for result in (self.results[0], self.results[index]))
        return {
            output.name: _ratio(getattr(base, output.name), getattr(other, output.name), output.better == "lower")
            for output in TIMES
        }

    def difference(self, index: int) -> Difference:
        """What differs from the first configuration, as numbers."""
        return difference(self.results[0].evaluated[0], self.results[index].evaluated[0])

    def explanation(self, index: int) -> list[str]:
        """What makes the difference to the first configuration, in words with their numbers, the largest first."""
        rates = (float(self.results[one].output_tokens_per_s) for one in (0, index))
        return explained(self.difference(index), Change("output_tokens_per_s", "1/s", *rates))

    def plot(self, kind: str = "speedup") -> Any:
        """A plotly figure (needs the extra: report).

        Parameters
        ----------
        kind : str
            ``speedup``, ``roofline``, ``waits``, ``memory`` or ``frontier``.

        Raises
        ------
        InputError
            If there is no such figure, or no plotly.
        """
        from llmperf.interfaces.notebook import plot_comparison

        return plot_comparison(self, kind)

    def _repr_html_(self) -> str:
        """A table for notebooks: escaped, and without scripts."""
        from llmperf.interfaces.notebook import comparison_html

        return comparison_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain data as ``llmperf compare --json`` prints it: SI units, null for what does not exist."""
        configurations = []
        for index, (label, result) in enumerate(zip(self.labels, self.results, strict=True)):
            data = result.to_dict()
            del data["schema_version"], data["llmperf_version"]
            known: dict[str, Any] = {"label": label, **data}
            known["speedup"] = {name: self.speedup(index, name) for name in ("bound", "roofline", "projection")}
            known["difference"] = difference_dict(self.difference(index)) if index else None
            known["explanation"] = self.explanation(index) if index else None
            configurations.append(known)
        plain: dict[str, Any] = finite(
            {
                "schema_version": SCHEMA_VERSION,
                "llmperf_version": llmperf.__version__,
                "configurations": configurations,
            }
        )
        return plain


def _ratio(base: float, other: float, less_is_better: bool) -> float:
    above, below = (base, other) if less_is_better else (other, base)
    return above / below if below else float("nan")


def difference_dict(found: Difference) -> dict[str, Any]:
    """What differs between two configurations as plain data."""
    return {
        "workload": [asdict(change) for change in found.workload],
        "phases": [_phase(phase) for phase in found.phases],
        "memory_bytes_per_device": [asdict(change) for change in found.memory],
        "capacity": [asdict(change) for change in found.capacity],
    }


def _phase(phase: PhaseChange) -> dict[str, Any]:
    return {
        "phase": phase.name,
        "per": phase.per,
        "before_s": phase.time.before,
        "after_s": phase.time.after,
        "longest_wait": {"before": asdict(phase.longest[0]), "after": asdict(phase.longest[1])},
        "parts": [_part(part) for part in phase.parts],
    }


def _part(part: PartChange) -> dict[str, Any]:
    return {
        "part": part.name,
        "kind": part.kind,
        "before_s": part.time.before,
        "after_s": part.time.after,
        "effect_s": part.effect_s,
        "waits_s": {"before": _waits(part.before), "after": _waits(part.after)},
        "work": [asdict(change) for change in part.work],
    }


def _waits(part: Part | None) -> dict[str, float]:
    return dict(part.waits) if part else {}


def compare(
    base: Reference, *others: Mapping[str, Any] | str | Path, catalog: tuple[str, ...] = (), **overrides: Any
) -> Comparison:
    """Set two or more configurations side by side.

    Parameters
    ----------
    base : mapping, str or Path
        A scenario as data, or the name or file of one: what the others are compared with.
    *others : mapping, str or Path
        The name or file of a scenario of its own, one as data (`Whole`), or a mapping of what differs from `base` (keys
        as in `overrides`).
    catalog : tuple of str
        Directories whose descriptors go before the packaged ones.
    **overrides
        Keys on top of every scenario, as in `llmperf.estimate`; numbers only, no arrays. What a mapping of `others`
        names goes before them. With ``maximize``, each configuration is maximized by itself.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If there is nothing to compare, or a scenario is wrong; lists every fault.
    """
    if not others:
        raise InputError(Problem("needs at least two configurations", "compare"))
    given: list[tuple[Reference, dict[str, Any], str]] = [(base, overrides, named(base) or "base")]
    for index, other in enumerate(others, 2):
        if isinstance(other, Mapping) and not isinstance(other, Whole):
            given.append((base, {**overrides, **other}, changed(other) or f"configuration {index}"))
        else:
            given.append((other, overrides, named(other) or f"configuration {index}"))
    labels = distinct([label for _, _, label in given])
    problems: list[Problem] = []
    results = []
    for (reference, keys, _), label in zip(given, labels, strict=True):
        try:
            results.append(_answer(reference, keys, catalog))
        except InputError as error:
            problems += [
                one if one.file else replace(one, message=f"{one.message} (in {label})") for one in error.problems
            ]
    if problems:
        raise InputError(list({(one.path, one.message): one for one in problems}.values()))
    return Comparison(tuple(labels), tuple(results))


def _answer(reference: Reference, keys: Mapping[str, Any], catalog: tuple[str, ...]) -> Estimate:
    resolved = resolve(reference, keys, catalog)
    if resolved.shape:
        raise InputError(Problem("a comparison shows one configuration each, not arrays"))
    return answer(resolved)


def named(reference: Reference) -> str:
    """What a scenario is called; empty where it has no name."""
    if isinstance(reference, Mapping):
        return str(reference.get("name") or "")
    return Path(reference).stem if reference else ""


def changed(keys: Mapping[str, Any]) -> str:
    """Changes of a scenario in one line; a mapping by its name."""
    return ",".join(f"{key}={_short(value)}" for key, value in keys.items())


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value["name"]) if "name" in value else "{" + changed(value) + "}"
    if isinstance(value, list | tuple):
        return ",".join(_short(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else value if isinstance(value, str) else shown(value)


def distinct(labels: list[str]) -> list[str]:
    """Labels that each stand once: equal ones are counted."""
    return [
        label if labels.count(label) == 1 else f"{label} #{labels[:index].count(label) + 1}"
        for index, label in enumerate(labels)
    ]

"""What the evaluation of a question gives, as columns: one number for each configuration, by group and name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmperf.numeric import choose, codes, most
from llmperf.phases.answered import Evaluated
from llmperf.resources import CAPACITY, RESOURCES

LIMITS = ""
"""Group of the codes of what limits each phase; others are parts of the answer."""


def columns_of(part: Evaluated) -> dict[tuple[str, str], Any]:
    """All that the evaluation of a block gave, by part and name, and what limits its phases."""
    found = {(LIMITS, phase): _limiting(part, phase) for phase in part.phases}
    for name, one in part.parts.items():
        found.update({(name, output): value for output, value in one.given.items()})
    return found


def grouped(columns: Mapping[tuple[str, str], Any]) -> dict[str, dict[str, Any]]:
    """Columns by group, and then by name."""
    found: dict[str, dict[str, Any]] = {}
    for (group, name), values in columns.items():
        found.setdefault(group, {})[name] = values
    return found


def _limiting(part: Evaluated, name: str) -> Any:
    """Index into `RESOURCES` (8 bit) of what a phase waits for most; one beyond where it does not take place."""
    phase = part.phases[name]
    order = list(RESOURCES)
    best: Any = -1.0
    index: Any = 0
    for resource, value in phase.waits.items():
        longer = value > best
        best, index = most(value, best), choose(longer, order.index(resource), index)
    if "memory" in part.parts:
        index = choose(part.parts["memory"].fits, index, order.index(CAPACITY))
    return codes(choose(phase.runs, index, len(order)))

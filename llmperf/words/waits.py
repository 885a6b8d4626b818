"""What a phase waits for, and how far it is from what physics allows, in a sentence each."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmperf.answers.answer import Answer
from llmperf.answers.breakdown import operators
from llmperf.resources import RESOURCES
from llmperf.words.quantities import count, quantity, share

MENTIONED = 0.1
"""Share of a phase from which on a wait is mentioned. [1]"""
NEAR = 1.05
"""Time over its bound up to which nothing is said to be left. [1]"""


def waits(result: Answer, phase: str) -> tuple[str, str, dict[str, Any]]:
    """What a phase waits for, its largest operators, and the numbers of both."""
    part = result.evaluated[0].phases[phase]
    found = {name: float(np.max(value)) for name, value in part.waits.items()}
    whole = sum(found.values())
    shares = {name: value / whole for name, value in sorted(found.items(), key=lambda item: -item[1])}
    said = [(name, each) for name, each in shares.items() if each >= MENTIONED] or list(shares.items())[:1]
    waiting = "It waits for " + listed([f"{RESOURCES[name].said} ({share(each, 0)})" for name, each in said])
    rows = operators(part)[:3]
    largest = f"Largest: {', '.join(f'{row.name} {share(row.share, 0)}' for row in rows)}" if rows else ""
    return waiting, largest, {"waits": shares, "largest_operators": {row.name: row.share for row in rows}}


def listed(words: list[str]) -> str:
    """Words with commas, and an ``and`` before the last."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def physics(time: float, bound: float) -> str:
    """How far a time is from its bound; nothing where there is none."""
    if not bound > 0 or not np.isfinite(time):
        return ""
    if time / bound < NEAR:
        return f"That is about the bound: physics allows {quantity(bound, 'time')}"
    return f"Physics allows {quantity(bound, 'time')}, {count(time / bound, 2)} times faster"

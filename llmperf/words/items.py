"""What there is to know about a result: sentences by topic, each with its numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

TOPICS = {
    "limit": "What limits it",
    "memory": "What limits it",
    "help": "What would help, each alone",
    "confidence": "How sure this is",
    "assumption": "What it assumes",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to know: its topic (a key of `TOPICS`), a sentence or two, and the numbers in it, in SI units."""

    topic: str
    text: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What there is to know about a result, in the order in which it is told."""

    items: tuple[Item, ...]

    def by_topic(self) -> dict[str, list[Item]]:
        """The items under the headings of `TOPICS`."""
        found: dict[str, list[Item]] = {}
        for item in self.items:
            found.setdefault(TOPICS[item.topic], []).append(item)
        return found

    def to_list(self) -> list[dict[str, Any]]:
        """Plain data, as ``llmperf estimate --explain --json`` prints it under ``explanation``."""
        return [asdict(item) for item in self.items]

    def __str__(self) -> str:
        return "\n".join(
            line
            for heading, items in self.by_topic().items()
            for line in (heading, *(f"- {item.text}" for item in items))
        )

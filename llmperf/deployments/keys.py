"""Keys of an object that its reader leaves: ignored, not modelled, or not known, but never without a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from llmperf.deployments.deployment import Draft, Kind
from llmperf.deployments.node import Node

POD = "concerns how pods are started, reached and watched, not how a server computes"
COPIES = "changes the number of copies; those that are written are taken"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a kind of object.

    Attributes
    ----------
    of : str
        What it is, in words.
    read : tuple of str
        Dotted keys that its reader takes; those below a key that is named with ``.*`` included.
    others : mapping of (str, str) to sequence of str
        Kind of finding and reason -> patterns of dotted keys.
    """

    of: str
    read: tuple[str, ...]
    others: Mapping[tuple[Kind, str], Sequence[str]] = field(default_factory=dict)

    def tell(self, draft: Draft, node: Node, prefix: str = "") -> None:
        """Say what became of every key that is not read."""
        named = (*self.read, *(one for names in self.others.values() for one in names))
        for key, inner in node.entries().items():
            name = f"{prefix}{key}"
            below = any(one.startswith(f"{name}.") for one in named)
            said = next((why for why, names in self.others.items() if _among(name, names)), None)
            if _among(name, self.read):
                continue
            if said is not None:
                draft.say(said[0], name, said[1], line=inner.line)
            elif below and isinstance(inner.value, Mapping):
                self.tell(draft, inner, f"{name}.")
            elif inner:
                draft.say("not_understood", name, f"is no key of {self.of} that is known here", line=inner.line)


def _among(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, one) for one in patterns)

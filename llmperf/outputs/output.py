"""One result, and results that belong together: their names, units, directions and where they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


CHANGED: list[Callable[[], None]] = []
"""What is called when a group has changed."""


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
        for derive in CHANGED:
            derive()

    def remove(self, name: str) -> None:
        """Leave an output out again."""
        del self._outputs[name]
        for derive in CHANGED:
            derive()


def on(*where: str) -> frozenset[str]:
    """Views that show an output (`Output.shown`)."""
    return frozenset(where)

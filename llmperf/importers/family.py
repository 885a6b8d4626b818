"""A family of models: how its configuration is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llmperf.importers.parts import Shape
from llmperf.importers.reader import Reader


@dataclass(frozen=True, slots=True)
class Family:
    """A mapping of keys to a shape.

    Parameters
    ----------
    name : str
        Name of the family in the descriptor.
    model_types : str
        Values of ``model_type`` that tell it where no architecture is named, separated by blanks.
    build : callable
        The mapping.
    moe : bool
        Whether it understands experts.
    """

    name: str
    model_types: str
    build: Callable[[Reader], Shape]
    moe: bool = False

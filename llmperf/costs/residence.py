"""Residence: which share of each tensor class comes from which memory tier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from llmperf.numeric import Real
from llmperf.operators.tensors import Tensor
from llmperf.records import dataclass
from llmperf.resources import MAIN


@dataclass(frozen=True, slots=True)
class Residence:
    """Shares of tensor classes that tiers behind the main memory deliver.

    Attributes
    ----------
    shares : mapping of str to mapping of str to number or array
        By tier, and by tensor class (`llmperf.operators.tensors`). [1]
    direct : frozenset of str
        Tiers that engines read without a link, so that the main memory need not deliver their part. What comes through
        a link lands in the main memory first, which then delivers it like all else.
    """

    shares: Mapping[str, Mapping[Tensor, Real]] = field(default_factory=dict)
    direct: frozenset[str] = frozenset()
    _beside: dict[str, Real] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        beside: dict[str, Real] = {}
        for tier in self.direct:
            for tensor, share in self.shares.get(tier, {}).items():
                beside[tensor] = beside.get(tensor, 0.0) + share
        object.__setattr__(self, "_beside", beside)

    @property
    def whole(self) -> bool:
        """Whether the main memory delivers all."""
        return not self._beside

    def here(self, tensor: str, memory: str = MAIN) -> Real:
        """Share of a tensor class that a memory delivers to the engine that it feeds. [1]

        The main memory need not deliver what lies in a tier that engines read directly; an engine that is fed by
        another memory has all of its operands from there.
        """
        return 1.0 - self._beside.get(tensor, 0.0) if memory == MAIN else 1.0


ON_DEVICE = Residence()
"""All in the main memory."""

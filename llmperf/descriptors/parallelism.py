"""Layouts: how a model is spread over devices."""

from __future__ import annotations

from llmperf.descriptors.fields import FORBID_UNKNOWN_KEYS, Real, Whole
from llmperf.records import dataclass


@dataclass(frozen=True, slots=True)
class Parallelism:
    """Ways to split; ``tp * pp * cp * dp`` devices serve one copy, `replicas` copies stand side by side.

    `dp` copies the dense layers (attention data parallelism in MoE models); `ep` spreads the experts over
    ``tp * cp * dp`` devices that it divides; what remains splits each expert (``moe_tp``).
    """

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    tp: Whole = 1
    pp: Whole = 1
    dp: Whole = 1
    ep: Whole = 1
    cp: Whole = 1
    replicas: Whole = 1
    micro_batches: Whole | None = None
    """Micro-batches in flight in a pipeline; by default as many as stages, but not more than sequences."""

    @property
    def expert_group(self) -> Real:
        """Devices that share the experts of one stage."""
        return self.tp * self.cp * self.dp

    @property
    def devices(self) -> Real:
        """Devices in all, replicas included."""
        return self.expert_group * self.pp * self.replicas

"""Classes of tensors: what a step moves, and what a memory tier can be asked to keep."""

from __future__ import annotations

from typing import Literal, NamedTuple

from llmperf.descriptors.placement import TensorClass

Tensor = TensorClass
"""Classes, as a placement names them."""

Direction = Literal["read", "write"]

READ_ONLY: tuple[Tensor, ...] = ("weights", "experts")
"""What a step only reads: steps that follow each other may share one reading of it."""
KEPT: tuple[Tensor, ...] = (*READ_ONLY, "kv_cache", "states")
"""What stays in memory from step to step, in whatever tier."""


class Move(NamedTuple):
    """What a column of the operator table moves, and in which direction."""

    column: str
    tensor: Tensor
    direction: Direction


MOVES = (
    Move("weight_bytes", "weights", "read"),
    Move("expert_bytes", "experts", "read"),
    Move("kv_read", "kv_cache", "read"),
    Move("kv_write", "kv_cache", "write"),
    Move("state_read", "states", "read"),
    Move("state_write", "states", "write"),
)
"""Columns of bytes that the memory of an operator's engine moves, activations aside, which may stay on the chip."""

AWAY = (
    Move("kv_fetched", "kv_cache", "read"),
    Move("kv_sent", "kv_cache", "write"),
)
"""Columns of bytes that go between the device and the tier that a KV-cache method names."""

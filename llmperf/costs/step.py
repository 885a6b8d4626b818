"""A step's operator table priced on a machine: the time of every operator, and the sums that phases need."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from llmperf.costs.machine import Machine
from llmperf.costs.pricing.priced import Priced
from llmperf.costs.pricing.shared import price as price_shared
from llmperf.costs.residence import ON_DEVICE, Residence
from llmperf.numeric import Array, Real, weighted_sum
from llmperf.operators.kinds import kind
from llmperf.operators.table import Block, Table
from llmperf.operators.tensors import KEPT
from llmperf.outputs import loaded
from llmperf.resources import LINKS

ALONE: Mapping[str, Mapping[str, Real]] = {}
"""Every operator runs on one engine."""
AWAY = "away"
"""Stands for the tier that a KV-cache method names, in place of a memory."""


@dataclass(slots=True)
class Sum:
    """A quantity of all operators.

    Attributes
    ----------
    stages : ndarray, (stages, configurations), or without a pipeline a number, or (configurations,)
        The quantity in each stage.
    whole : ndarray, (configurations,), or None
        The quantity in the whole model, where that differs from the one stage.
    """

    stages: Any
    whole: Any = None

    @property
    def total(self) -> Any:
        """The quantity of the whole model: a number, or (configurations,)."""
        if self.whole is not None:
            return self.whole
        return self.stages[0] if np.ndim(self.stages) == 2 else self.stages

    @property
    def busiest(self) -> Any:
        """The quantity of the stage that has most of it: a number, or (configurations,)."""
        return self.total if self.whole is None else self.stages.max(axis=0)

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.stages + other.stages, None if self.whole is None else self.whole + other.whole)


def combine(function: Callable[..., Any], *sums: Sum) -> Sum:
    """A function of arrays applied to the stages and to the whole model alike."""
    stages = function(*(part.stages for part in sums))
    if sums[0].whole is None:
        return Sum(stages)
    return Sum(stages, function(*(part.whole for part in sums)))


@dataclass(slots=True)
class StepCosts:
    """A priced step.

    Attributes
    ----------
    time, roofline : dict of str to Sum
        By engine: projected device time, roofline time. [s]
    limits : dict of str to Sum
        Projected time by what it waits for. [s]
    demands : dict of str to Sum
        Time of each compute engine and link at its peak. [s]
    moved : dict of (str, str, str) to Sum
        By memory, tensor class and direction: distinct bytes that each memory must move; under `AWAY` what goes between
        the device and the tier that a KV-cache method names. [B]
    launches : Sum
        Operators of the step. [1]
    priced : list of Priced
        The blocks.
    """

    time: dict[str, Sum] = field(default_factory=dict)
    roofline: dict[str, Sum] = field(default_factory=dict)
    limits: dict[str, Sum] = field(default_factory=dict)
    demands: dict[str, Sum] = field(default_factory=dict)
    moved: dict[tuple[str, str, str], Sum] = field(default_factory=dict)
    launches: Sum = field(default_factory=lambda: Sum(0.0))
    priced: list[Priced] = field(default_factory=list)

    def bytes(
        self, tensors: Collection[str] = KEPT, direction: str | None = None, memories: Collection[str] | None = None
    ) -> Sum | None:
        """Bytes of some tensor classes, of all memories or of some; None where nothing of them is moved. [B]"""
        found: Sum | None = None
        for (where, tensor, way), part in self.moved.items():
            here = where in memories if memories is not None else where != AWAY
            if tensor in tensors and here and direction in (None, way):
                found = part if found is None else found + part
        return found


def price(
    table: Table,
    machine: Machine,
    residence: Residence = ON_DEVICE,
    shared: Mapping[str, Mapping[str, Real]] = ALONE,
) -> StepCosts:
    """Price every operator of a table.

    Parameters
    ----------
    table : Table
        Operators of one step (`llmperf.operators.transformer.operators`).
    machine : Machine
        The device.
    residence : Residence
        Where weights, KV cache and states come from: what operators read from other tiers directly (CXL) does not pass
        the memory of the device.
    shared : mapping of str to mapping of str to number or array
        Kinds of operators that several engines share, and the part of each (`llmperf.phases.engines`). [1]

    Returns
    -------
    StepCosts
        Device times without host time, transfers or overlap of engines, which phases add.
    """
    costs = StepCosts()
    for block in table:
        declared = kind(block.kind)
        one = _price(declared.price)
        engines = shared.get(block.kind)
        if engines:
            priced = price_shared(block, machine, residence, engines, one)
            engine = "+".join(engines)
        else:
            priced = one(block, machine, residence)
            engine = LINKS if declared.engine == "link" else machine.runs(block.kind).engine
        costs.priced.append(priced)
        entries: list[tuple[dict[Any, Sum], Any, Array]] = [
            (costs.time, engine, priced.time),
            (costs.roofline, engine, priced.roofline),
            *((costs.limits, name, part) for name, part in priced.limits.items()),
            *((costs.demands, name, part) for name, part in priced.demands.items()),
            *((costs.moved, *entry) for part in priced.each for entry in _moved(part)),
        ]
        for (into, name, _), part in zip(entries, _sums(block, [entry[2] for entry in entries]), strict=True):
            into[name] = into[name] + part if name in into else part
        costs.launches = _launches(block) if len(costs.priced) == 1 else costs.launches + _launches(block)
    return costs


def _moved(priced: Priced) -> Iterator[tuple[tuple[str, str, str], Array]]:
    """Distinct bytes that operators move, by memory, tensor class and direction. [B]"""
    block, declared = priced.block, kind(priced.block.kind)
    for column, tensor, direction in declared.moves:
        moved = block.column(column)
        yield (priced.memory, tensor, direction), moved - block.kv_repeated if column == "kv_read" else moved
    for column, tensor, direction in declared.away:
        if block.column(column).any():
            yield (AWAY, tensor, direction), block.column(column)


@lru_cache(maxsize=256)
def _price(place: str | Callable[..., Priced]) -> Callable[..., Priced]:
    """The price of a kind, which is imported when its first operator is priced."""
    found: Callable[..., Priced] = loaded(place)
    return found


def _launches(block: Block) -> Sum:
    if len(block.stages) == 1:
        count = np.add.reduce(block.repeat, axis=0)
        return Sum(count.item() if count.size == 1 else count)
    return Sum(np.add.reduce(block.stages, axis=1), np.add.reduce(block.repeat, axis=0))


def _sums(block: Block, columns: list[Array]) -> list[Sum]:
    """Each column summed over the operators of the block."""
    alone = len(block.stages) == 1
    shape = block.repeat.shape
    if alone and shape[1] == 1 and all(column.shape == shape for column in columns):
        return [Sum(total) for total in (block.repeat[:, 0] @ np.concatenate(columns, axis=1)).tolist()]
    return [
        Sum(weighted_sum(block.stages, column), None if alone else weighted_sum(block.repeat, column))
        for column in columns
    ]

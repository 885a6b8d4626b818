"""Kinds of operators: one row a kind, with all that the other rooms ask of it.

A kind is data: its columns in the operator table, the engine that usually runs it, and where its price and its measured
kernels are found. `register` adds one at run time; its operators are then priced, summed up and listed like all others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any, Literal

from llmperf.errors import InputError, Problem, nearest
from llmperf.operators.tensors import AWAY, MOVES, Move
from llmperf.outputs import renew
from llmperf.records import dataclass

Collective = Literal["all_reduce", "all_gather", "reduce_scatter", "all_to_all", "p2p"]

UNITS = Literal["matrix", "vector", "link"]
"""What usually runs a kind: an execution unit of the hardware, or the links between devices."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of operators.

    Attributes
    ----------
    name : str
        As the table, the constants and a placement name it.
    label : str
        In words, in the plural.
    columns : tuple of str
        Columns that its operators fill (`llmperf.operators.table.Block` says what each means); a kind may have columns
        of its own. The others are one zero, so that they cost nothing.
    price : str or callable
        What prices it, or where that is, ``module:function``: a function of a block, a machine and the shares that are
        read from other tiers, which gives a `llmperf.costs.pricing.priced.Priced`.
    measured : str
        Table of measured kernels (`llmperf.evidence.kernels`) that its price is checked against; empty where there is
        none, `unmeasured` saying why.
    engine : str
        What usually runs it: the ``matrix`` or the ``vector`` units, or the ``link`` between devices.
    section : str
        Section of the constants where formats have kernels of their own; empty where they have none.
    rare : tuple of str
        Columns that stay one zero, too, unless an operator has something in them.
    shape : tuple of str
        Columns that tables of operators show as m, n and k.
    placed : str
        The kind that says where it runs, where that is another one.
    declared, moves, away : frozenset of str, tuple of Move
        All of its columns; those of bytes that the memory of its engine moves, and that go to another tier.
    """

    name: str
    label: str
    columns: tuple[str, ...]
    price: str | Callable[..., Any]
    measured: str = ""
    unmeasured: str = ""
    engine: UNITS = "matrix"
    section: str = ""
    rare: tuple[str, ...] = ()
    shape: tuple[str, str, str] = ("m", "n", "k")
    placed: str = ""
    declared: frozenset[str] = field(init=False, repr=False)
    moves: tuple[Move, ...] = field(init=False, repr=False)
    away: tuple[Move, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name, value in (
            ("declared", frozenset((*self.columns, *self.rare))),
            ("moves", tuple(move for move in MOVES if move.column in self.columns)),
            ("away", tuple(move for move in AWAY if move.column in self.columns)),
        ):
            object.__setattr__(self, name, value)


_PRICING = "llmperf.costs.pricing"
_WORK = ("flops", "vector_flops", "weight_bytes", "resident_bytes", "activation_bytes")
_EXPERTS = ("expert_bytes", "resident_experts")
_RARE = ("wide_flops", "dense_flops", "copy_bytes")

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "gemm",
            "linear layers",
            (*_WORK, "m", "n", "k"),
            f"{_PRICING}.products:price",
            "gemm",
            section="gemm",
            rare=_RARE,
        ),
        Kind(
            "quantize",
            "quantizing inputs",
            ("vector_flops", "activation_bytes"),
            f"{_PRICING}.streams:price",
            "elementwise",
            engine="vector",
            placed="elementwise",
        ),
        Kind(
            "convert",
            "converting weights",
            (*_WORK[1:], *_EXPERTS),
            f"{_PRICING}.streams:price_convert",
            unmeasured="no public kernel times of a pass that converts weights before their product",
            engine="vector",
        ),
        Kind(
            "moe",
            "experts",
            (
                "flops",
                "vector_flops",
                *_EXPERTS,
                "activation_bytes",
                "m",
                "n",
                "k",
                "hit",
                "padded_flops",
                "padded_bytes",
                "foreign_bytes",
            ),
            f"{_PRICING}.experts:price",
            "moe",
            section="moe",
            rare=_RARE,
        ),
        Kind(
            "attention.prefill",
            "attention",
            (
                "flops",
                "vector_flops",
                "kv_write",
                "kv_sent",
                "activation_bytes",
                "scores",
                "blocks",
                "keys",
                "query",
                "before",
                "prefix_bytes",
            ),
            f"{_PRICING}.attention:price_prefill",
            "attention_prefill",
            section="attention_prefill",
            shape=("before", "n", "k"),
        ),
        Kind(
            "attention.decode",
            "attention",
            (
                "flops",
                "vector_flops",
                "kv_read",
                "kv_write",
                "kv_repeated",
                "prefix_bytes",
                "kv_fetched",
                "activation_bytes",
                "scores",
                "cached",
                "beside_flops",
                "streams",
                "group",
                "context",
                "sequences",
            ),
            f"{_PRICING}.attention:price_decode",
            "attention_decode",
            section="attention_decode",
            shape=("sequences", "n", "k"),
        ),
        Kind(
            "recurrent",
            "recurrent layers",
            ("flops", "vector_flops", "state_read", "state_write", "activation_bytes"),
            f"{_PRICING}.products:price",
            unmeasured="no public kernel times of scans and state updates",
        ),
        Kind(
            "elementwise",
            "norms and other elementwise work",
            _WORK[1:],
            f"{_PRICING}.streams:price",
            "elementwise",
            engine="vector",
        ),
        Kind(
            "collective",
            "collectives",
            ("message", "message_out", "ranks_up", "ranks_out"),
            f"{_PRICING}.collectives:price",
            "collectives",
            engine="link",
        ),
    )
}
"""All kinds, by name."""


def kind(name: str) -> Kind:
    """The kind of a name.

    Raises
    ------
    InputError
        If there is none.
    """
    found = KINDS.get(name)
    if found is None:
        text = f"no kind of operators is called {name}"
        raise InputError(Problem(text, "operators", allowed=tuple(KINDS), suggestion=nearest(name, KINDS)))
    return found


def register(new: Kind) -> Kind:
    """Add a kind to those that tables may hold; a name that is taken gets the new meaning."""
    KINDS[new.name] = new
    renew()
    return new

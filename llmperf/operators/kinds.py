"""Kinds of operators: one row a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    pass


SECTIONS = {
    "gemm": "gemm",
    "moe": "moe",
    "attention.prefill": "attention_prefill",
    "attention.decode": "attention_decode",
}
"""Section of the constants that operators of a kind are priced by, where formats have kernels of their own."""


Kind = Literal[
    "gemm",
    "quantize",
    "convert",
    "moe",
    "attention.prefill",
    "attention.decode",
    "recurrent",
    "elementwise",
    "collective",
]


Collective = Literal["all_reduce", "all_gather", "reduce_scatter", "all_to_all", "p2p"]


_WORK = ("flops", "vector_flops", "weight_bytes", "resident_bytes", "activation_bytes")


USES: dict[Kind, tuple[str, ...]] = {
    "gemm": (*_WORK, "m", "n", "k"),
    "moe": (*_WORK, "m", "n", "k", "padded_flops", "padded_bytes", "foreign_bytes"),
    "quantize": ("vector_flops", "activation_bytes", "m"),
    "attention.prefill": (
        *_WORK[:2],
        "kv_read",
        "kv_write",
        "kv_remote",
        "activation_bytes",
        "waves",
        "context",
        "query",
        "m",
        "prefix_bytes",
    ),
    "attention.decode": (
        *_WORK[:2],
        "kv_read",
        "kv_write",
        "kv_repeated",
        "prefix_bytes",
        "kv_remote",
        "activation_bytes",
        "waves",
        "group",
        "context",
        "m",
    ),
    "recurrent": (*_WORK, "kv_read", "kv_write"),
    "elementwise": _WORK[1:],
    "convert": _WORK[1:],
    "collective": ("message", "message_out", "ranks_up", "ranks_out"),
}
"""The columns that each kind fills; the others stay one zero, so that they cost nothing."""


USES = {kind: ("repeat", *columns) for kind, columns in USES.items()}


RARE = ("wide_flops", "dense_flops", "copy_bytes")
"""Columns of products that stay one zero, too, unless a row has something in them."""

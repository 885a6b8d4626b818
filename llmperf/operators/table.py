"""The operator table: one block of arrays for each kind of operator.

Every array has the shape (operators, configurations); one row stands for all equal operators of the model, `repeat`
says how many there are. Work and bytes are those of ONE operator on ONE device (the most loaded one).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from operator import attrgetter

import numpy as np

from llmperf.numeric import Array, Real, stack, weighted_sum
from llmperf.operators.kinds import RARE, USES, Collective, Kind


@dataclass(slots=True)
class Row:
    """One distinct operator while a table is being filled; units as in `Block`."""

    name: str
    repeat: Real
    stages: tuple[Real, ...]
    dtype: str = "bf16"
    flops: Real = 0.0
    vector_flops: Real = 0.0
    weight_bytes: Real = 0.0
    resident_bytes: Real | None = None
    kv_read: Real = 0.0
    kv_write: Real = 0.0
    kv_repeated: Real = 0.0
    kv_remote: Real = 0.0
    activation_bytes: Real = 0.0
    m: Real = 0.0
    n: Real = 0.0
    k: Real = 0.0
    padded_flops: Real | None = None
    padded_bytes: Real = 0.0
    waves: Real = 0.0
    group: Real = 1.0
    context: Real = 0.0
    operation: Collective = "all_reduce"
    message: Real = 0.0
    message_out: Real = 0.0
    required: bool = True
    ranks_up: Real = 1.0
    ranks_out: Real = 1.0
    scheme: str = ""
    query: Real = 1.0
    prefix_bytes: Real = 0.0
    foreign_bytes: Real = 0.0
    wide: str = ""
    wide_flops: Real = 0.0
    dense_flops: Real = 0.0
    copy_bytes: Real = 0.0


@dataclass(slots=True)
class Block:
    """All operators of one kind.

    Attributes
    ----------
    names, dtypes : tuple of str
        Name and compute dtype of each operator.
    schemes : tuple of str
        What selects the constants of each operator: its dtype, or a format or kind that has kernels of its own, and
        of attention the head dimension (`llmperf.descriptors.achieved`).
    repeat : ndarray, (operators, configurations)
        How often the operator runs in the whole model. [1]
    stages : ndarray, (stages, operators, configurations)
        How often it runs in the first, a middle and the last pipeline stage (one stage: the whole model). [1]
    flops, vector_flops : ndarray
        Floating-point operations on the matrix engine and on the vector engine. [FLOP]
    wide, wide_flops : tuple of str, ndarray
        Another compute dtype of each operator, and the operations on the matrix engine in it. [FLOP]
    copy_bytes : ndarray
        A copy of the weights that a pass has converted and the product reads: no execution must. [B]
    weight_bytes, resident_bytes : ndarray
        Weights that one run reads, and weights that must be stored for it (all experts, the whole embedding). [B]
    kv_read, kv_write, activation_bytes : ndarray
        KV cache or recurrent state read and written; activations read and written (``moe``: by the passes that sort,
        activate and combine the tokens). [B]
    foreign_bytes : ndarray
        ``moe``: the same of tokens that are on the device, but whose experts are on others. [B]
    kv_repeated : ndarray
        The part of `kv_read` that is read for more than one sequence (a shared prefix), or layer. [B]
    kv_remote : ndarray
        KV cache that passes the link to the tier where the method keeps it: fetched by ``attention.decode``, sent by
        ``attention.prefill``; not part of `kv_read` and `kv_write`. [B]
    m, n, k : ndarray
        Dimensions of a matrix product (``gemm``, ``moe``); rows that a ``quantize`` pass reads; sequences of decode
        attention; tokens of a prompt that were cached before it came. [1]
    padded_flops, padded_bytes : ndarray
        ``moe``: two a multiply-add of the rank with most tokens, weights that the rank with most experts reads.
        [FLOP], [B]
    dense_flops : ndarray
        ``moe``: two a multiply-add of all ranks' mean, where `flops` is not that. [FLOP]
    waves, group, context : ndarray
        Decode attention: (sequence, KV head) pairs, query heads of a KV head, cached tokens of a sequence; prefill
        attention: (prompt, head, block of queries) triples, and keys that a prompt's last query sees. [1]
    query : ndarray
        Prefill attention: query tokens of a prompt. [1]
    prefix_bytes : ndarray
        Keys and values of a prefix that prompts or sequences share, read again for each further one: part of the
        `activation_bytes` of prefill, of the `kv_repeated` of decode. [B]
    operations : tuple of str
        ``collective``: what is communicated.
    message, message_out, ranks_up, ranks_out : ndarray
        ``collective``: bytes of the whole message on a device, those of an all-to-all that are sent once to each other
        domain; ranks inside a scale-up domain, and domains. [B], [B], [1], [1]
    required : tuple of bool
        ``collective``: whether no execution can do without.
    """

    kind: Kind
    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    schemes: tuple[str, ...]
    operations: tuple[Collective, ...]
    required: tuple[bool, ...]
    repeat: Array
    stages: Array
    flops: Array
    vector_flops: Array
    weight_bytes: Array
    resident_bytes: Array
    kv_read: Array
    kv_write: Array
    kv_repeated: Array
    kv_remote: Array
    activation_bytes: Array
    m: Array
    n: Array
    k: Array
    padded_flops: Array
    padded_bytes: Array
    waves: Array
    group: Array
    context: Array
    message: Array
    message_out: Array
    ranks_up: Array
    ranks_out: Array
    query: Array
    prefix_bytes: Array
    foreign_bytes: Array
    wide: tuple[str, ...]
    wide_flops: Array
    dense_flops: Array
    copy_bytes: Array

    def uses(self, column: str) -> bool:
        """Whether operators of this kind fill a column."""
        return column in USES[self.kind]

    def fills(self, column: str) -> bool:
        """Whether any operator has something in a column that few weight formats need."""
        return getattr(self, column) is not _UNUSED

    @property
    def kv_bytes(self) -> Array:
        """KV cache or state that one operator reads and writes. [B]"""
        return self.kv_read + self.kv_write

    @property
    def bytes(self) -> Array:
        """Bytes that one operator moves to and from memory. [B]"""
        return self.weight_bytes + self.copy_bytes + self.kv_bytes + self.activation_bytes


_UNUSED = np.zeros((1, 1))
_READ = {kind: attrgetter(*columns) for kind, columns in USES.items()}
_LABELS = attrgetter("name", "dtype", "scheme", "operation", "required", "wide")
_COLUMNS = tuple(item.name for item in fields(Block) if item.type == "Array" and item.name != "stages")


def block(kind: Kind, rows: list[Row]) -> Block:
    """Stack rows of one kind into arrays."""
    uses = USES[kind]
    for row in rows:
        if row.resident_bytes is None:
            row.resident_bytes = row.weight_bytes
        if row.padded_flops is None:
            row.padded_flops = row.flops
        if not row.scheme:
            row.scheme = row.dtype
    columns = dict.fromkeys(_COLUMNS, _UNUSED)
    values = [_READ[kind](row) for row in rows]
    try:  # all plain numbers: one array for all columns
        whole = np.array(values, dtype=float)
        columns.update(zip(uses, whole.T[:, :, None] if whole.ndim == 2 else whole.swapaxes(0, 1), strict=True))
    except ValueError:
        columns.update(zip(uses, map(stack, zip(*values, strict=True)), strict=True))
    for name in RARE if kind in ("gemm", "moe") else ():
        found = [getattr(row, name) for row in rows]
        if any(isinstance(value, np.ndarray) or value for value in found):
            columns[name] = stack(found)
    stages = columns["repeat"][None]
    if len(rows[0].stages) > 1:
        each = [stack([row.stages[stage] for row in rows]) for stage in range(len(rows[0].stages))]
        stages = np.stack(np.broadcast_arrays(*each))
    names, dtypes, schemes, operations, required, wide = zip(*map(_LABELS, rows), strict=True)
    return Block(kind, names, dtypes, schemes, operations, required, stages=stages, wide=wide, **columns)


@dataclass(frozen=True, slots=True)
class Table:
    """The operators of one step, by kind."""

    blocks: tuple[Block, ...]

    def __iter__(self) -> Iterator[Block]:
        return iter(self.blocks)

    def total(self, column: str) -> Array:
        """A column summed over all operators of the whole model on one device of each stage: (configurations,)."""
        parts = [weighted_sum(b.repeat, getattr(b, column)) for b in self.blocks]
        return np.asarray(sum(parts), dtype=float)

    def by_stage(self, column: str) -> Array:
        """A column summed over the operators of each stage: (stages, configurations)."""
        parts = [weighted_sum(b.stages, getattr(b, column)) for b in self.blocks if getattr(b, column) is not _UNUSED]
        return np.asarray(sum(parts), dtype=float)


def table(rows: dict[Kind, list[Row]]) -> Table:
    """A table of the kinds that have rows."""
    return Table(tuple(block(kind, found) for kind, found in rows.items() if found))

"""The operator table: one block of arrays for each kind of operator.

Every array has the shape (operators, configurations); one row stands for all equal operators of the model, `repeat`
says how many there are. Work and bytes are those of ONE operator on ONE device (the most loaded one).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from operator import attrgetter
from typing import Any

import numpy as np

from llmperf.numeric import Array, Real, stack, weighted_sum
from llmperf.operators.kinds import Collective, kind
from llmperf.records import dataclass

UNUSED = np.zeros((1, 1))
"""A column that no operator of a block fills."""

DEFAULTS = {"group": 1.0, "query": 1.0, "ranks_up": 1.0, "ranks_out": 1.0}
"""What an operator has in a column that says nothing of it, where that is not zero. [1]"""

WHOLE = frozenset(
    ("m", "k", "hit", "query", "keys", "before", "sequences", "context", "group", "resident_bytes", "resident_experts")
)
"""Columns that stay as they are where engines share the outputs of an operator."""

LIKE = {"resident_bytes": "weight_bytes", "resident_experts": "expert_bytes", "padded_flops": "flops"}
"""Columns that are as another one unless an operator says otherwise."""


class Row:
    """One distinct operator while a table is being filled.

    Parameters
    ----------
    name : str
    repeat : number or array
        How often it runs in the whole model. [1]
    stages : tuple of number or array
        How often in each pipeline stage that is looked at. [1]
    dtype, scheme, wide : str
        Compute dtype, what selects the constants (by default the dtype), and another compute dtype of a part.
    operation : str
        What a collective communicates.
    required : bool
        Whether no execution can do without.
    **columns
        Numbers or arrays in the columns of its kind (`Block`).
    """

    __slots__ = ("columns", "dtype", "name", "operation", "repeat", "required", "scheme", "stages", "wide")

    def __init__(
        self,
        name: str,
        repeat: Real,
        stages: tuple[Real, ...],
        dtype: str = "bf16",
        *,
        scheme: str = "",
        wide: str = "",
        operation: Collective = "all_reduce",
        required: bool = True,
        **columns: Real,
    ) -> None:
        self.name = name
        self.repeat = repeat
        self.stages = stages
        self.dtype = dtype
        self.scheme = scheme or dtype
        self.wide = wide
        self.operation = operation
        self.required = required
        self.columns = columns


class Block:
    """All operators of one kind.

    Attributes
    ----------
    kind : str
        A name of `llmperf.operators.kinds.KINDS`, which says what columns the operators fill.
    names, dtypes : tuple of str
        Name and compute dtype of each operator.
    schemes : tuple of str
        What selects the constants of each operator: its dtype, or a format or kind that has kernels of its own, and
        of attention the head dimension (`llmperf.descriptors.achieved`).
    operations : tuple of str
        ``collective``: what is communicated.
    required : tuple of bool
        Whether no execution can do without.
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
        Weights that one run reads, and weights that must be stored for it (the whole embedding). [B]
    expert_bytes, resident_experts : ndarray
        The same of weights of experts: of those that are hit, and of all. [B]
    kv_read, kv_write : ndarray
        Attention: KV cache read and written. [B]
    state_read, state_write : ndarray
        ``recurrent``: state read and written. [B]
    activation_bytes : ndarray
        Activations read and written (``moe``: by the passes that sort, activate and combine the tokens). [B]
    foreign_bytes : ndarray
        ``moe``: the same of tokens that are on the device, but whose experts are on others. [B]
    kv_repeated : ndarray
        The part of `kv_read` that is read for more than one sequence (a shared prefix), or layer. [B]
    kv_fetched, kv_sent : ndarray
        KV cache that ``attention.decode`` fetches from the tier where the method keeps it, and that
        ``attention.prefill`` sends there; not part of `kv_read` and `kv_write`. [B]
    m, n, k : ndarray
        Rows, outputs and inner dimension of a product (``moe``: rows of an expert that is hit). [1]
    padded_flops, padded_bytes : ndarray
        ``moe``: two a multiply-add of the rank with most tokens, weights that the rank with most experts reads.
        [FLOP], [B]
    hit : ndarray
        ``moe``: experts that the rank with most of them hits. [1]
    dense_flops : ndarray
        ``moe``: two a multiply-add of all ranks' mean, where `flops` is not that. [FLOP]
    scores : ndarray
        Attention: scores of query and key that pass through a softmax. [1]
    blocks, keys, query, before : ndarray
        Prefill attention: (prompt, head, block of queries) triples; of each prompt the keys that its last query sees,
        its query tokens, and its tokens that were cached before it came. [1]
    sequences, context : ndarray
        Decode attention: sequences, and cached tokens of each. [1]
    streams, group : ndarray
        Decode attention: (sequence, KV head) pairs, and query heads of a KV head. [1]
    cached, beside_flops : ndarray
        Decode attention: cached elements that the products read, and the part of `vector_flops` that is no softmax: to
        dequantize them, to add up scores, to choose among pages. [1], [FLOP]
    prefix_bytes : ndarray
        Keys and values of a prefix that prompts or sequences share, read again for each further one: part of the
        `activation_bytes` of prefill, of the `kv_repeated` of decode. [B]
    message, message_out, ranks_up, ranks_out : ndarray
        ``collective``: bytes of the whole message on a device, those of an all-to-all that are sent once to each other
        domain; ranks inside a scale-up domain, and domains. [B], [B], [1], [1]
    """

    flops = vector_flops = wide_flops = copy_bytes = activation_bytes = UNUSED
    weight_bytes = resident_bytes = expert_bytes = resident_experts = UNUSED
    kv_read = kv_write = kv_repeated = kv_fetched = kv_sent = state_read = state_write = UNUSED
    foreign_bytes = prefix_bytes = UNUSED
    m = n = k = padded_flops = padded_bytes = hit = dense_flops = UNUSED
    scores = blocks = keys = query = before = sequences = context = streams = group = cached = beside_flops = UNUSED
    message = message_out = ranks_up = ranks_out = UNUSED

    def __init__(self, of: str, rows: list[Row], repeat: Array, stages: Array, columns: Mapping[str, Array]) -> None:
        self.kind = of
        self.names: tuple[str, ...]
        self.dtypes: tuple[str, ...]
        self.schemes: tuple[str, ...]
        self.wide: tuple[str, ...]
        self.operations: tuple[Collective, ...]
        self.required: tuple[bool, ...]
        labels: Any = zip(*map(_LABELS, rows), strict=True)
        self.names, self.dtypes, self.schemes, self.wide, self.operations, self.required = labels
        self.repeat = repeat
        self.stages = stages
        self.__dict__.update(columns)

    def column(self, name: str) -> Array:
        """A column by its name, such as one that only this kind has; one zero where no operator fills it."""
        found: Array = getattr(self, name, UNUSED)
        return found

    def part(self, share: Real) -> Block:
        """A part of the outputs of every operator: of what it computes and moves, but not of its other dimensions."""
        out = copy(self)
        divided = kind(self.kind).declared - WHOLE
        out.__dict__.update({name: self.column(name) * share for name in divided if self.fills(name)})
        return out

    def uses(self, column: str) -> bool:
        """Whether operators of this kind fill a column."""
        return column in kind(self.kind).columns

    def fills(self, column: str) -> bool:
        """Whether any operator has something in a column."""
        return self.column(column) is not UNUSED

    @property
    def weights_read(self) -> Array:
        """Weights that one operator reads, of experts or not. [B]"""
        return self.weight_bytes + self.expert_bytes

    @property
    def kept_read(self) -> Array:
        """KV cache or state that one operator reads. [B]"""
        return self.kv_read + self.state_read

    @property
    def kept_written(self) -> Array:
        """KV cache or state that one operator writes. [B]"""
        return self.kv_write + self.state_write

    @property
    def kv_away(self) -> Array:
        """KV cache that goes between the device and the tier that the method names. [B]"""
        return self.kv_fetched + self.kv_sent


_LABELS = attrgetter("name", "dtype", "scheme", "wide", "operation", "required")


def block(of: str, rows: list[Row]) -> Block:
    """Stack rows of one kind into arrays.

    Raises
    ------
    ValueError
        If a row has a column that its kind does not declare.
    """
    declared = kind(of)
    names, known = declared.columns, declared.declared
    like = [(name, source) for name, source in LIKE.items() if name in known]
    for row in rows:
        if not row.columns.keys() <= known:
            strange = ", ".join(sorted(row.columns.keys() - known))
            raise ValueError(f"{row.name}: operators of the kind {of} declare no column {strange}")
        for name, source in like:
            if name not in row.columns:
                row.columns[name] = row.columns.get(source, 0.0)
    usual = [DEFAULTS.get(name, 0.0) for name in names]
    values = [(row.repeat, *map(row.columns.get, names, usual)) for row in rows]
    columns: dict[str, Array]
    try:  # all plain numbers: one array for all columns
        whole = np.array(values, dtype=float)
        every = whole.T[:, :, None] if whole.ndim == 2 else whole.swapaxes(0, 1)
        repeat, columns = every[0], dict(zip(names, every[1:], strict=True))
    except ValueError:
        repeat, *each = map(stack, zip(*values, strict=True))
        columns = dict(zip(names, each, strict=True))
    for name in declared.rare:
        found = [row.columns.get(name, 0.0) for row in rows]
        if any(isinstance(value, np.ndarray) or value for value in found):
            columns[name] = stack(found)
    stages = repeat[None]
    if len(rows[0].stages) > 1:
        parts = [stack([row.stages[stage] for row in rows]) for stage in range(len(rows[0].stages))]
        stages = np.stack(np.broadcast_arrays(*parts))
    return Block(of, rows, repeat, stages, columns)


@dataclass(frozen=True, slots=True)
class Table:
    """The operators of one step, by kind."""

    blocks: tuple[Block, ...]

    def __iter__(self) -> Iterator[Block]:
        return iter(self.blocks)

    def total(self, column: str) -> Array:
        """A column summed over all operators of the whole model on one device of each stage: (configurations,)."""
        return sum((weighted_sum(b.repeat, b.column(column)) for b in self.blocks), UNUSED[0])

    def by_stage(self, column: str) -> Array:
        """A column summed over the operators of each stage: (stages, configurations)."""
        return sum((weighted_sum(b.stages, b.column(column)) for b in self.blocks if b.fills(column)), UNUSED)


def table(rows: Mapping[str, list[Row]]) -> Table:
    """A table of the kinds that have rows."""
    return Table(tuple(block(name, found) for name, found in rows.items() if found))

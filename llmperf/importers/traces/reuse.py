"""Reuse of prefixes: what prompts before one have left of it in a cache without limits."""

from __future__ import annotations

import numpy as np

from llmperf.importers.traces.trace import Blocks, Floats, Requests

BLOCK_TOKENS = (16, 32, 64, 128, 256, 512, 1024, 2048)
"""Sizes of blocks that are tried: 512 of Mooncake, 16 of vLLM and of the traces of Qwen, 64 of agents' traces."""
FITTING = 0.95
"""Share of the prompts that have to have the right number of blocks: last ones may be shared or dropped."""


def block_tokens(blocks: Blocks, inputs: Floats) -> int | None:
    """Tokens of a block: the size of which prompts have as many as their lengths ask for; None where none fits."""
    fits = {size: np.mean(np.ceil(inputs / size) == blocks.counts) for size in BLOCK_TOKENS}
    best = max(fits, key=lambda size: fits[size])
    return best if fits[best] >= FITTING else None


def reused_tokens(rows: Requests) -> Floats | None:
    """Tokens of each prompt that prompts before it have left in a cache without limits.

    They are those of its leading blocks, up to the first that no earlier request had; an id stands for a block and for
    all before it (Mooncake, arXiv:2407.00079, section 4.1). None where the blocks do not fit the lengths.
    """
    blocks = rows.blocks
    size = None if blocks is None else block_tokens(blocks, rows.inputs)
    if blocks is None or size is None:
        return None
    order = np.arange(len(rows.inputs)) if rows.times is None else np.argsort(rows.times, kind="stable")
    begins = np.concatenate(([0], np.cumsum(blocks.counts)))[:-1]
    counts = blocks.counts[order]
    offsets = np.concatenate(([0], np.cumsum(counts)))
    owner = np.repeat(np.arange(len(order)), counts)
    place = np.arange(len(owner)) - offsets[owner]
    ids = blocks.ids[begins[order][owner] + place]
    _, first, which = np.unique(ids, return_index=True, return_inverse=True)
    unknown = owner[first[which]] >= owner  # first seen in this request itself
    leading = counts.copy()
    np.minimum.at(leading, owner[unknown], place[unknown])
    out = np.empty(len(order))
    out[order] = np.minimum(leading * float(size), rows.inputs[order])
    return out

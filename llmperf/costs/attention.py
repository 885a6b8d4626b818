"""Attention over prompts and over the KV cache."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmperf.costs.overlap import smooth_max
from llmperf.descriptors.achieved import AttentionDecodeAchieved, AttentionPrefillAchieved
from llmperf.descriptors.attention import Split
from llmperf.numeric import Array

QUERY_BLOCK = 128.0
"""Query tokens that one core handles together, and keys of one step of its chain. [1]"""
CONTEXT_UNIT = 4096.0
"""Cached tokens at which the time of a decode chain is stated. [1]"""
MOST_SPLITS, GOOD_SHARE, FULL_SHARE = 128, 0.85, 0.8
"""FlashDecoding splits a context into the fewest parts, 128 at most, whose waves fill cores to 0.85 of the best choice;
into one where blocks fill 0.8 of the cores (`num_splits_heuristic`, github.com/Dao-AILab/flash-attention). [1]"""


def prefill_time(
    fit: AttentionPrefillAchieved,
    compute: Array,
    memory: Array,
    query: Array,
    keys: Array,
    waves: Array,
    cores: Any,
    vector: Array | float = 0.0,
) -> tuple[Array, Array, Array, Array]:
    """Time of causal attention over a prompt.

    Parameters
    ----------
    fit : AttentionPrefillAchieved
        Constants: numbers, or columns of them.
    compute, memory : ndarray
        Time at the peak rate and at the full bandwidth. [s]
    query, keys : ndarray
        Query tokens of a prompt, and keys that the last of them sees. [1]
    waves : ndarray
        (Prompt, head, block of 128 queries) triples. [1]
    cores : number
        Cores, each with one triple at a time. [1]
    vector : ndarray
        Time of the vector engine beside the products. [s]

    Returns
    -------
    time, compute, memory, fixed : ndarray
        ``fixed + sqrt(compute^2 + memory^2)``, and its parts: half of each tile on the diagonal is masked, which
        short prompts feel; each wave begins anew; the keys of a block come one after the other. [s]
    """
    reached = compute / fit.compute * (1.0 + fit.short / query)
    slowed = memory / fit.memory
    fixed = fit.latency + fit.wave * np.ceil(waves / cores) + fit.chain * (keys / QUERY_BLOCK)
    return fixed + smooth_max(np.maximum(reached, vector), slowed, 0.0), reached, slowed, fixed


def all_scores(scores: Array, query: Array, keys: Array, waves: Array) -> Array:
    """Scores of prompts without a mask, which a kernel computes that skips none. [1]

    Parameters
    ----------
    scores : ndarray
        Scores that queries see. [1]
    query, keys, waves : ndarray
        As in `prefill_time`.

    Returns
    -------
    ndarray
        Queries times the mean of the keys at the ends of their chunks; never less than `scores`. [1]
    """
    return np.maximum(scores, waves * np.minimum(query, QUERY_BLOCK) * 0.5 * (keys + query))


def padded_share(group: Array, tile: Any) -> Array:
    """How many more query rows a decode kernel computes than there are: a group fills whole tiles. At least 1. [1]"""
    share: Array = np.ceil(group / tile) * tile / group
    return share


def decode_time(
    fit: AttentionDecodeAchieved,
    compute: Array,
    memory: Array,
    group: Array,
    context: Array,
    waves: Array,
    cores: Any,
    vector: Array | float = 0.0,
    *,
    padding: Array | None = None,
    busy: Array | float = 1.0,
) -> tuple[Array, Array, Array, Array]:
    """Time of one decode step's attention.

    Parameters
    ----------
    fit : AttentionDecodeAchieved
        Constants: numbers, or columns of them.
    compute, memory : ndarray
        Time at the peak rate and at the full bandwidth. [s]
    group, context : ndarray
        Query heads of a KV head, and cached tokens of a sequence. [1]
    waves : ndarray
        (Sequence, KV head) pairs. [1]
    cores : number
        Cores, each with one pair at a time. [1]
    vector : ndarray
        Time of the vector engine beside the products. [s]
    padding : ndarray, optional
        Rows that are computed over those that there are (`padded_share` of the group). [1]
    busy : ndarray
        Share of the cores that have work (`occupancy`). [1]

    Returns
    -------
    time, compute, memory, fixed : ndarray
        ``fixed + sqrt(compute^2 + memory^2 + wave^2 + blend wave memory)``, and its parts; what waves add to memory
        and compute counts as fixed. Kernels that do not share the cache among a group read it again for each query.
        The chain over the context ends where the cache is split over more cores. [s]
    """
    padding = padded_share(group, fit.query_tile) if padding is None else padding
    reached = np.maximum(compute * padding / fit.compute, vector) / busy
    reads = np.ceil(group / fit.share)
    slowed = memory * reads / fit.memory / busy
    wave = fit.wave * np.maximum(waves * reads / cores, 1.0)
    streaming = np.sqrt(reached * reached + slowed * slowed + wave * (wave + fit.blend * slowed))
    chain = (fit.chain / CONTEXT_UNIT) * context / (1.0 + context / fit.chain_half)
    time = fit.latency + chain + streaming
    return time, reached, slowed, time - np.maximum(reached, slowed)


def occupancy(split: Split, blocks: Array, context: Array, cores: Any) -> Array | float:
    """Share of the cores that attention over the KV cache keeps busy.

    Parameters
    ----------
    split : str
        ``none``: a block has the whole context of its heads (FlashAttention-2). ``waves``: contexts are cut into equal
        parts, which fill whole waves of cores (FlashDecoding). ``even``: every core has an equal share of all contexts
        together (stream-K). ``fitted``: as the constants of the chip have it.
    blocks : ndarray
        (Sequence, head) pairs that are blocks of work. [1]
    context : ndarray
        Cached tokens of a sequence. [1]
    cores : number
        Cores; infinite where they are not known, and then all are busy. [1]

    References
    ----------
    .. [1] Sanovar et al., "Lean Attention: Hardware-aware scalable attention mechanism for the decode-phase of
       transformers", arXiv:2405.10480, sec. 4.
    """
    known = np.isfinite(cores)
    if split in ("fitted", "even") or not np.any(known):
        return 1.0
    if split == "none":
        return np.where(known, np.minimum(blocks / cores, 1.0), 1.0)
    splits = np.arange(1.0, MOST_SPLITS + 1.0)[:, None, None]
    filled = blocks * np.minimum(splits, np.ceil(context / QUERY_BLOCK)) / cores
    share = filled / np.ceil(filled)
    fewest = np.where(share >= GOOD_SHARE * share.max(axis=0), splits, MOST_SPLITS).min(axis=0)
    picked = np.where(blocks >= FULL_SHARE * cores, 1.0, fewest)
    found = np.where(splits == picked, share, 0.0).max(axis=0)
    return np.where(known, found, 1.0)


def shared_prefix(repeated: Array, read: Array, sequences: Array) -> Array:
    """Share of what decode attends to that belongs to a prefix which all sequences share. [1]

    Parameters
    ----------
    repeated, read : ndarray
        Bytes of the cache that are read for more than one sequence, and all that are read for each. [B]
    sequences : ndarray
        Sequences. [1]
    """
    several = sequences > 1.0
    return np.where(several, repeated / read * sequences / np.where(several, sequences - 1.0, 1.0), 0.0)


def cached_share(before: Array, length: Array) -> Array:
    """Share of the scores of prompts that belong to a cached prefix of `before` of their `length` tokens. [1]"""
    return np.minimum(before / (before + 0.5 * (length - before + 1.0)), 0.999999)


def io_complexity(pairs: Any, width: Any, fast: Any) -> Any:
    """Elements that attention moves between two memories, up to a constant: the published form.

    Parameters
    ----------
    pairs : array_like
        Query-key pairs; ``N^2`` of a sequence that sees all of itself. [1]
    width : array_like
        Elements d of a query, a key, a value. [1]
    fast : array_like
        Elements M that the fast memory holds. [1]

    Returns
    -------
    ndarray
        ``N^2 d^2 / M`` where ``M >= d^2``, which FlashAttention reaches; ``N^2 d / sqrt(M)`` below, which products in
        blocks reach. [1]

    References
    ----------
    .. [1] Saha, Ye, "The I/O complexity of attention, or how optimal is FlashAttention?", arXiv:2402.07443, theorems
       1.1 and 1.2.
    """
    return np.where(fast >= width * width, pairs * width * width / fast, pairs * width / np.sqrt(fast))


def io_bound(pairs: Any, width: Any, fast: Any, recomputed: Any = 1.0) -> Any:
    """Elements that attention must move between two memories, whatever its schedule: `io_complexity` with constants.

    Parameters
    ----------
    pairs, width, fast
        As in `io_complexity`; `pairs` of all heads together.
    recomputed : array_like
        ``max(1, 4 H d^2 / D^2)`` where H heads can be computed again from D elements of a token's hidden state. [1]

    Returns
    -------
    ndarray
        ``pairs d^2 / (f M + 2 sqrt(f) d sqrt(M))`` with `f` for `recomputed`; what the fast memory holds from the
        begin, M, is to be subtracted once. [1]

    Notes
    -----
    After Hong and Kung, cut a schedule into phases of M transfers. What is in the fast memory at a phase's begin and
    what it loads are 2 M elements. Every score is d products ``q_l k_l``.

    - Scores that begin and end within the phase need whole rows of both: a rows of queries and b of keys with
      ``(a + b) d <= 2 M`` make ``a b <= (M / d)^2`` scores, that is ``M^2 / d`` products.
    - The others have a partial sum at the begin (2 M at most, with what is loaded) or at the end (2 M, with what is
      stored). By Loomis and Whitney ``sqrt(A B C)`` products touch A elements of queries, B of keys and C sums:
      ``A B <= M^2`` and ``C <= 4 M`` make ``2 M^1.5``.

    ``pairs d`` products need ``pairs d / (M^2 / d + 2 M^1.5)`` phases, all but the last of M transfers. Hidden states
    in place of queries and keys raise ``a b`` to ``f (M / d)^2`` and ``A B`` to ``f M^2``: y elements of them give
    ``y / D`` rows of every head, and ``x^2 + 4 (d / D) x y + 4 H (d / D)^2 y^2 <= f (x + y)^2`` with x of queries and
    keys.
    """
    return pairs * width**2 / (recomputed * fast + 2.0 * np.sqrt(recomputed * fast) * width)

"""Attention as measured: over prompts, and over cached tokens."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmperf.costs import attention
from llmperf.costs.machine import Machine
from llmperf.descriptors.achieved import variant
from llmperf.evidence.kernels.base import Kernels, Readings, bound, groups, slug
from llmperf.evidence.kernels.schemes import HIDDEN, element, peak, schemes
from llmperf.evidence.tables import DataTable
from llmperf.numeric import Array
from llmperf.operators.formats import selector

NARROW_VALUES = {192.0: 128.0}
"""Width of values by that of keys, where kernels are run with narrower ones (latent attention). [1]"""


def read_prefill(table: DataTable) -> Readings:
    """Causal self-attention over prompts: device, dtype, kv_dtype, batch, q_len, kv_len, heads, head_dim, time."""
    out = Readings()
    dtype, kv, kernel = schemes(table), schemes(table, "kv_dtype"), table.labels("kernel")
    batch, query, keys = table.numbers("batch"), table.numbers("q_len"), table.numbers("kv_len")
    heads, kv_heads, width = table.numbers("n_heads"), table.numbers("n_kv_heads"), table.numbers("head_dim")
    causal, time, sources = table.numbers("causal", 1.0, above=False), table.seconds(), table.text("source")
    table.refuse("q_len", (query > keys) & (causal > 0), "must not be more than kv_len")
    table.refuse("n_kv_heads", kv_heads > heads, "must not be more than n_heads")
    table.check()
    for hardware, label, (kind, cached, name, dim), rows, ids in groups(table, out, dtype, kv, kernel, width):
        best = peak(hardware, kind)
        if best is None:
            out.omitted += [(row, f"{hardware.name} has no {kind}") for row in ids]
            continue
        value = NARROW_VALUES.get(dim, dim)
        b, q, s, h, g = batch[rows], query[rows], keys[rows], heads[rows], kv_heads[rows]
        seen = np.where(causal[rows] > 0, s - 0.5 * (q - 1.0), s)
        flops = 2.0 * b * q * seen * h * (dim + value)
        own, stored = element(kind), element(cached)
        size = b * q * h * (dim * own + value * HIDDEN) + b * s * g * (dim + value) * (own + stored)
        fastest = (peak(hardware, "fp8") if cached == "fp8" else None) or best
        out.kernels.append(
            Kernels(
                "attention_prefill",
                label,
                selector(_scheme(kind, cached), dim),
                slug(name),
                time[rows],
                bound(hardware, flops / fastest, size),
                {
                    "compute": flops / best,
                    "memory": size / hardware.main.bandwidth,
                    "query": q,
                    "keys": s,
                    "waves": b * h * np.ceil(q / attention.QUERY_BLOCK),
                },
                size,
                ids,
                [sources[row] for row in rows],
            )
        )
    return out


def read_decode(table: DataTable) -> Readings:
    """One decode step over cached tokens: device, dtype, kv_dtype, batch, kv_len, heads, head_dim, time."""
    out = Readings()
    dtype, kv, kernel = schemes(table), schemes(table, "kv_dtype"), table.labels("kernel")
    batch, keys, width = table.numbers("batch"), table.numbers("kv_len"), table.numbers("head_dim")
    heads, kv_heads = table.numbers("n_heads"), table.numbers("n_kv_heads")
    time, sources = table.seconds(), table.text("source")
    table.refuse("n_kv_heads", kv_heads > heads, "must not be more than n_heads")
    table.check()
    shared = np.array([variant(group) for group in heads / kv_heads], dtype=object)
    for hardware, label, (kind, cached, name, dim, form), rows, ids in groups(
        table, out, dtype, kv, kernel, width, shared
    ):
        best = peak(hardware, kind)
        if best is None:
            out.omitted += [(row, f"{hardware.name} has no {kind}") for row in ids]
            continue
        value = NARROW_VALUES.get(dim, dim)
        b, s, h, g = batch[rows], keys[rows], heads[rows], kv_heads[rows]
        flops = 2.0 * b * s * h * (dim + value)
        size = b * s * g * (dim + value) * element(cached) + b * h * (dim + value) * HIDDEN
        fastest = (peak(hardware, "fp8") if cached == "fp8" else None) or best
        out.kernels.append(
            Kernels(
                "attention_decode",
                label,
                selector(f"{_scheme(kind, cached)}{form}", dim),
                slug(name),
                time[rows],
                bound(hardware, flops / fastest, size),
                {
                    "compute": flops / best,
                    "memory": size / hardware.main.bandwidth,
                    "group": h / g,
                    "context": s,
                    "waves": b * g,
                },
                size,
                ids,
                [sources[row] for row in rows],
            )
        )
    return out


def _scheme(dtype: str, kv: str) -> str:
    """Products in 16 bit over an 8-bit cache are a scheme of their own."""
    return f"{dtype}-fp8" if kv == "fp8" and dtype != "fp8" else dtype


def prefill_time(fit: Any, machine: Machine, **arguments: Array) -> Array:
    """Attention over prompts. [s]"""
    return attention.prefill_time(fit, cores=machine.cores, **arguments)[0]


def found_again(machine: Machine, size: Array) -> Array:
    """Bytes that the main memory would deliver while a benchmark reads the same KV cache once more. [B]

    Parameters
    ----------
    machine : Machine
    size : ndarray
        Bytes that a kernel reads. [B]

    Notes
    -----
    What fits is all there, and of what does not fit nothing: a cache that replaces the least recently used loses each
    line just before it is read again.
    """
    cache, fit = machine.hardware.cache, machine.hardware.achieved.repeated
    if fit is None or cache is None or cache.capacity is None:
        return size
    return np.where(size <= fit.share * cache.capacity, size / fit.speedup, size)


def decode_time(fit: Any, machine: Machine, **arguments: Array) -> Array:
    """Attention of new tokens over cached ones. [s]"""
    return attention.decode_time(fit, cores=machine.cores, **arguments)[0]

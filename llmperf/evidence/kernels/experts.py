"""Layers of experts as measured."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.costs import moe
from llmperf.costs.machine import Machine
from llmperf.costs.roofline import resident
from llmperf.evidence.kernels.base import Kernels, Readings, bound, groups, slug
from llmperf.evidence.kernels.schemes import HIDDEN, matrix, peak, schemes
from llmperf.evidence.tables import DataTable
from llmperf.numeric import Array
from llmperf.operators.routing import Load, balanced, power_law

MOST_EXPERTS = 10_000.0
MOST_SKEW = 10.0
"""Experts of a layer, and exponent of a power law, beyond which a row is a typing error. [1]"""
UNGATED = {(1856.0, 128.0, 6.0), (2688.0, 512.0, 22.0), (5120.0, 512.0, 22.0)}
"""(inter, n_experts, topk) of models whose experts have two matrices, not three: NVIDIA Nemotron 3 Nano, Super and
Ultra (squared ReLU without a gate; their public config.json). Files without a column ``gated`` do not say it."""
GROUP_LIMITED = {(7168.0, 256.0, 8.0)}
"""(hidden, n_experts, topk) of models that choose among the experts of half of the groups only: DeepSeek-V3
(arXiv:2412.19437, sec. 2.1.2), whatever distribution of logits a benchmark offers."""


def read_moe(table: DataTable) -> Readings:
    """The experts of one expert-parallel rank: device, dtype, num_tokens, hidden, inter, topk, n_experts, ..."""
    out, kernel = Readings(), table.labels("kernel")
    tokens, hidden, inner = table.numbers("num_tokens"), table.numbers("hidden"), table.numbers("inter")
    top_k = table.numbers("topk", least=1.0, above=False)
    experts = table.numbers("n_experts", least=1.0, above=False, most=MOST_EXPERTS)
    tp, ep, time = table.numbers("moe_tp", 1.0), table.numbers("moe_ep", 1.0), table.seconds()
    distribution, sources = table.labels("distribution", "balanced"), table.text("source")
    gated = _gated(table, kernel, inner, experts, top_k)
    table.refuse("topk", top_k > experts, "must not be more than n_experts")
    table.check()
    for hardware, label, (scheme, name, routing), rows, ids in groups(table, out, schemes(table), kernel, distribution):
        best = peak(hardware, scheme)
        load = _load(routing, experts[rows], top_k[rows], tokens[rows], ep[rows])
        if best is None or load is None:
            why = f"{hardware.name} has no {scheme}" if best is None else f"routing {routing} is not known"
            out.omitted += [(row, why) for row in ids]
            continue
        matrices = np.where(gated[rows], 2.0, 1.0)
        cache_bytes = (hardware.cache.capacity if hardware.cache else None) or 1.0  # without one nothing is still there
        width, rate = inner[rows] / tp[rows], hardware.main.bandwidth
        n = np.stack([matrices * width, hidden[rows]], axis=1)
        k = np.stack([hidden[rows], width], axis=1)
        made = matrix(scheme)
        moved = HIDDEN + float(made.input)
        pairs = (tokens[rows] * top_k[rows])[:, None]
        passed = np.stack([hidden[rows] * moved + matrices * width * HIDDEN, (width + hidden[rows]) * moved], axis=1)
        row_count, hit = np.asarray(load.most_rows), np.asarray(load.most_hit)
        fewest = _fewest_hit(load, hidden[rows], experts[rows], top_k[rows], ep[rows])
        expert = np.asarray(made.stored(n, k))
        busiest, mean = (
            np.asarray(made.products(np.asarray(each)[:, None], n, k).matrix) / best for each in (row_count, load.rows)
        )
        out.kernels.append(
            Kernels(
                "moe",
                label,
                scheme,
                slug(name),
                time[rows],
                bound(hardware, mean.sum(axis=1), (fewest[:, None] * expert).sum(axis=1)),
                {
                    "compute": busiest,
                    "memory": hit[:, None] * expert / rate,
                    "passes": row_count[:, None] * passed / rate,
                    "foreign": np.maximum(pairs - row_count[:, None], 0.0) * passed / rate,
                    "n": n,
                    "k": k,
                    "rows": row_count / hit,
                    "hit": hit,
                    "fill": (hit[:, None] * expert).sum(axis=1) / cache_bytes,
                },
                None,
                ids,
                [sources[row] for row in rows],
            )
        )
    return out


def _gated(table: DataTable, kernel: NDArray[Any], inner: Array, experts: Array, top_k: Array) -> NDArray[np.bool_]:
    """Whether the experts of each row have a gate matrix beside the up matrix."""
    if "gated" in table.columns:
        return np.asarray(table.numbers("gated", 1.0, above=False) > 0.0)
    shapes = zip(inner, experts, top_k, strict=True)
    named = np.array(["nongated" in str(name) for name in kernel])
    return np.asarray(~(named | np.array([shape in UNGATED for shape in shapes])))


def _load(text: str, experts: Array, top_k: Array, tokens: Array, ranks: Array) -> Load | None:
    if text == "balanced":
        return balanced(experts, top_k, tokens, ranks)
    try:
        exponent = float(text.removeprefix("power_law_"))
    except ValueError:
        return None
    if not 0.0 < exponent <= MOST_SKEW:
        return None
    return power_law(experts, top_k, tokens, ranks, np.full(len(experts), exponent))


def _fewest_hit(load: Load, hidden: Array, experts: Array, top_k: Array, ranks: Array) -> Array:
    """Experts of a rank that are hit at least: it may hold none of those that few tokens choose. [1]"""
    limited = np.array([shape in GROUP_LIMITED for shape in zip(hidden, experts, top_k, strict=True)])
    chosen = np.minimum(np.asarray(load.hit), np.asarray(load.most_hit))
    return np.where(limited, np.minimum(top_k / ranks, 1.0), chosen)


def moe_time(fit: Any, machine: Machine, rows: Array, hit: Array, fill: Array, **products: Array) -> Array:
    """Both products of a layer: those columns have one entry for each, and their times are summed. [s]"""
    products["memory"] = products["memory"] * resident(fill, fit.cached)[:, None]
    cores = machine.hardware.cores or 1.0
    first, second = (
        moe.time(fit, **{name: each[:, half] for name, each in products.items()}, rows=rows, hit=hit, cores=cores)[0]
        for half in (0, 1)
    )
    return np.asarray(first + second)

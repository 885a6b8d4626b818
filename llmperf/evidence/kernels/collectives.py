"""Collectives as measured."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from llmperf.costs import collectives
from llmperf.costs.machine import Machine
from llmperf.descriptors.achieved import CollectiveAchieved
from llmperf.evidence.kernels.base import Kernels, Readings, groups, slug
from llmperf.evidence.rows import EXPLAINED
from llmperf.evidence.tables import DataTable
from llmperf.numeric import Array

OPERATIONS = {"send_recv": "p2p", "sendrecv": "p2p", "alltoall": "all_to_all"}
"""Name of a collective, where the files give it another one."""
_PAIRWISE = f"{EXPLAINED}timed at the receiver, which starts after the sender: up to 1.14 times the link's rate"


def read_collectives(table: DataTable) -> Readings:
    """Collectives: device, topology, op, n_ranks, bytes (the whole buffer), time."""
    out = Readings()
    topology, sources = table.text("topology"), table.text("source")
    ranks, size, time = table.numbers("n_ranks", least=1.0), table.numbers("bytes"), table.seconds()
    table.check()
    operation = np.array([_operation(*pair) for pair in zip(table.text("op"), sources, strict=True)], dtype=object)
    library = np.array([_library(*pair) for pair in zip(sources, topology, strict=True)], dtype=object)
    sizes = np.array([_per_domain(text) for text in topology])
    table.refuse("topology", sizes < 1.0, "has domains without a device")
    table.check()
    domains = np.ceil(np.maximum(1.0, ranks / sizes))
    inside = ranks / domains
    for hardware, label, (op, lib, nodes, n_inside), rows, ids in groups(
        table, out, operation, library, domains, inside
    ):
        up = hardware.link("scale_up") or hardware.link("host")
        link = up if nodes == 1 else hardware.link("scale_out") or hardware.link("host")
        if link is None:
            out.omitted += [(row, f"{hardware.name} has no link for {nodes:.0f} domains") for row in ids]
            continue
        n, s = ranks[rows], size[rows]
        wire = _wire(op, s, n, nodes)
        nominal = "deepep" in op or "trtllm" in op  # bytes of all choices: what is on the wire is less
        late = op == "p2p" and lib.endswith("pairwise")
        least = s if link.in_switch_reduction and op.startswith("all_reduce") and nodes == 1 else wire
        out.kernels.append(
            Kernels(
                "scale_up" if nodes == 1 else "scale_out",
                label,
                op,
                lib if nodes == 1 else f"{lib}_x{n_inside:.0f}",
                time[rows],
                np.full(len(rows), np.nan) if nominal else np.minimum(least, wire) / link.bandwidth,
                {
                    "wire": wire,
                    "bandwidth": np.full(len(rows), link.bandwidth),
                    "ranks": n if nodes == 1 else n / n_inside,
                },
                None,
                ids,
                [sources[row] for row in rows],
                "bytes of all choices, not of the wire: no bound" if nominal else _PAIRWISE if late else "",
            )
        )
    return out


def _wire(operation: str, size: Array, ranks: Array, domains: float) -> Array:
    """Bytes that a device sends on the link that a measurement is about. [B]

    Reductions and exchanges of a library's own are counted like those of NCCL.
    """
    like = "all_reduce" if operation.startswith("all_reduce") else "p2p" if operation == "p2p" else "all_gather"
    up, out = collectives.wire_bytes(
        [like], size[None, :], size[None, :], (ranks / domains)[None, :], np.full((1, len(size)), domains)
    )
    return np.asarray((up if domains == 1 else out)[0])


def _operation(text: str, source: str) -> str:
    """``deepep_ll_dispatch_h7168_top8_t64`` -> ``deepep_ll_dispatch``; eager kernels carry the host's launch."""
    name = re.sub(r"_(h\d|top\d).*", "", text).lower()
    name = OPERATIONS.get(name, name)
    return f"{name}_eager" if source.endswith("_eager") else name


def _per_domain(topology: str) -> float:
    """Ranks that the topology puts on one fast domain. [1]"""
    found = re.search(r"dpn(\d+)", topology) or re.match(r"\d+x(\d+)", topology)
    if found:
        return float(found.group(1))
    found = re.match(r"(\d+)node-nvlink(\d+)", topology)
    return float(found.group(2)) if found else np.inf


def _library(source: str, topology: str) -> str:
    """``nccl`` of ``aic:nccl-2.27.3``, the function of a custom kernel, and the topology where it is a special one."""
    parts = source.removeprefix("aic:").split(":")
    name = slug(re.sub(r"-?[\d.]+(post\d+|rc\d+)?", "", parts[0]))
    if len(parts) > 1:
        name = slug(parts[1])
    return f"{name}_pairwise" if "pairwise" in topology else name


def collective_time(fit: Any, _: Machine, wire: Array, bandwidth: Array, ranks: Array) -> Array:
    """A collective on one link level. [s]"""
    constants = fit if isinstance(fit, CollectiveAchieved) else collectives.at(fit, ranks)
    return collectives.time(constants, wire, bandwidth)

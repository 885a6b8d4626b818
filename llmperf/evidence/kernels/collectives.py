"""Collectives as measured."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from llmperf.costs import collectives
from llmperf.costs.machine import Machine, way
from llmperf.descriptors.achieved import CollectiveAchieved
from llmperf.descriptors.hardware import Hardware, Link
from llmperf.evidence.kernels.base import Kernels, Readings, groups, slug
from llmperf.evidence.rows import EXPLAINED
from llmperf.evidence.tables import DataTable
from llmperf.numeric import Array

OPERATIONS = {"send_recv": "p2p", "sendrecv": "p2p", "alltoall": "all_to_all"}
"""Name of a collective, where the files give it another one."""
EXCHANGES = ("deepep", "trtllm_alltoall")
"""How the names of kernels begin that take tokens to the ranks of their experts, or back."""
LAUNCHED = "_eager"
"""How the name of an operation ends that the host launches anew each time."""
THROUGH_HOST = ("through-host", "no-p2p")
"""What a topology says of a box whose devices do not reach each other's memory over the host link."""
SHARED = {("l40s", "aic")}
"""Chip and collection of such a box whose rows do not say it: its bus bandwidth falls 14-fold from 2 to 8 ranks, with
every library alike, where boxes with peer-to-peer lose less than half."""
_PAIRWISE = f"{EXPLAINED}timed at the receiver, which starts after the sender: up to 1.14 times the link's rate"
_NOMINAL = "bytes of all choices, not of the wire: no bound"


def read_collectives(table: DataTable) -> Readings:
    """Collectives: device, topology, op, n_ranks, bytes (the whole buffer), time."""
    out = Readings()
    topology, sources, names = table.text("topology"), table.text("source"), table.text("op")
    ranks, size, time = table.numbers("n_ranks", least=1.0), table.numbers("bytes"), table.seconds()
    table.check()
    operation = np.array([_operation(*pair) for pair in zip(names, sources, strict=True)], dtype=object)
    library = np.array([_library(*pair) for pair in zip(sources, topology, strict=True)], dtype=object)
    shared = np.array([any(word in text.lower() for word in THROUGH_HOST) for text in topology])
    sizes = np.array([_per_domain(text) for text in topology])
    table.refuse("topology", sizes < 1.0, "has domains without a device")
    table.check()
    domains = np.ceil(np.maximum(1.0, ranks / sizes))
    exchanged = np.array([_exchanged(text) for text in names])
    for hardware, label, (op, lib, stated, inside, through), rows, ids in groups(
        table, out, operation, library, domains, ranks / domains, shared
    ):
        nodes = _domains(hardware, stated, inside)
        link = hardware.link("scale_up") or hardware.link("host")
        if nodes > 1:
            link = hardware.link("scale_out") or hardware.link("host")
        if link is None:
            out.omitted += [(row, f"{hardware.name} has no link for {nodes:.0f} domains") for row in ids]
            continue
        section, count = "scale_out" if nodes > 1 else way(link), stated * inside
        if section == "host" and (through or (hardware.name, sources[rows[0]].partition(":")[0]) in SHARED):
            section = "through_host"
        arguments: dict[str, Array] = {
            "wire": _wire(op, size[rows], count, nodes),
            "bandwidth": np.full(len(rows), link.bandwidth),
            "ranks": np.full(len(rows), nodes if section == "scale_out" else count),
        }
        if np.isfinite(exchanged[rows]).all():
            arguments |= dict(zip(("tokens", "experts"), exchanged[rows].T, strict=True))
        if op.endswith(LAUNCHED):
            arguments["launched"] = np.ones(len(rows))
        late = op == "p2p" and lib.endswith("pairwise")
        out.kernels.append(
            Kernels(
                section,
                label,
                op,
                lib if nodes == 1 else f"{lib}_x{count / nodes:.0f}",
                time[rows],
                _least(op, link, size[rows], arguments["wire"], nodes),
                arguments,
                None,
                ids,
                [sources[row] for row in rows],
                _NOMINAL if op.startswith(EXCHANGES) else _PAIRWISE if late else "",
            )
        )
    return out


def _domains(hardware: Hardware, stated: float, inside: float) -> float:
    """Domains that ranks are spread over: as stated, else as many as their scale-up links need. [1]"""
    link = hardware.link("scale_up")
    most = float(link.domain) if link is not None and link.domain is not None else np.inf
    return float(max(stated, np.ceil(inside / most))) if stated == 1.0 else stated


def _least(operation: str, link: Link, size: Array, wire: Array, domains: float) -> Array:
    """Time that no collective beats; NaN where the bytes on the wire are not known. [s]"""
    if operation.startswith(EXCHANGES):
        return np.full(len(size), np.nan)
    adds = link.in_switch_reduction and operation.startswith("all_reduce") and domains == 1
    return np.minimum(size, wire) / link.bandwidth if adds else wire / link.bandwidth


def _wire(operation: str, size: Array, ranks: float, domains: float) -> Array:
    """Bytes that a device sends on the link that a measurement is about. [B]

    Reductions and exchanges of a library's own are counted like those of NCCL.
    """
    like = "all_reduce" if operation.startswith("all_reduce") else "p2p" if operation == "p2p" else "all_gather"
    if operation.startswith((*EXCHANGES, "all_to_all")):
        like = "all_to_all"
    up, out = collectives.wire_bytes(
        [like], size[None, :], size[None, :], np.full((1, len(size)), ranks / domains), np.full((1, len(size)), domains)
    )
    return np.asarray((up if domains == 1 else out)[0])


def _operation(text: str, source: str) -> str:
    """``deepep_ll_dispatch_fp8_h7168_top8_t64`` -> ``deepep_ll_dispatch``; eager kernels carry the host's launch."""
    name = re.sub(r"_(h\d|top\d).*", "", text).lower()
    if name.startswith("deepep"):
        name = re.sub(r"_(fp8|bf16)$", "", name)  # it dispatches in 8 and combines in 16 bit, whether a name says so
    name = OPERATIONS.get(name, name)
    return f"{name}{LAUNCHED}" if source.endswith(LAUNCHED) else name


def _exchanged(text: str) -> tuple[float, float]:
    """Tokens of a rank and experts of the layer in the name of an exchange; NaN where it does not say both. [1]"""
    found = re.search(r"_e(\d+)_t(\d+)$", text)
    return (float(found.group(2)), float(found.group(1))) if found else (np.nan, np.nan)


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


def collective_time(
    fit: Any,
    machine: Machine,
    wire: Array,
    bandwidth: Array,
    ranks: Array,
    tokens: Array | None = None,
    experts: Array | None = None,
    launched: Array | None = None,
) -> Array:
    """A collective on one way between devices. [s]"""
    constants = fit if isinstance(fit, CollectiveAchieved) else collectives.at(fit, ranks)
    if tokens is not None and experts is not None:
        return collectives.exchange_time(constants, wire, bandwidth, tokens, experts, machine.cores)
    spent = collectives.time(constants, wire, bandwidth)
    return spent if launched is None else np.maximum(spent, constants.launch)

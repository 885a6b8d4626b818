"""Collectives over a scale-up domain and across domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np

from llmperf.descriptors.achieved import CollectiveAchieved
from llmperf.numeric import Array, Real, most

MEGABYTE = 1e6
"""Bytes on the wire at which the protocol time `root` is stated. [B]"""
_POINT = tuple(item.name for item in fields(CollectiveAchieved))


def wire_bytes(
    operations: Sequence[str], message: Array, message_out: Array, ranks_up: Array, ranks_out: Array
) -> tuple[Array, Array]:
    """Bytes that one device must send on each link level.

    Parameters
    ----------
    operations : sequence of str
        For each row: ``all_reduce``, ``all_gather``, ``reduce_scatter``, ``all_to_all`` or ``p2p``.
    message : ndarray, (rows, configurations)
        Bytes of the buffer on a device: the vector that is reduced, the gathered result, the tokens that leave. [B]
    message_out : ndarray
        All-to-all: bytes if each token is sent once to each domain that wants it, and forwarded inside. [B]
    ranks_up, ranks_out : ndarray
        Ranks inside a scale-up domain, and domains. [1]

    Returns
    -------
    up, out : ndarray
        Bytes in one direction on the scale-up and on the scale-out link. [B]

    References
    ----------
    .. [1] Thakur, Rabenseifner, Gropp, "Optimization of collective communication operations in MPICH", 2005,
       sec. 4: the lower bounds (n-1)/n S and 2 (n-1)/n S. Across domains, each of the `ranks_up` devices carries its
       share of the message (hierarchical reduce-scatter, exchange, all-gather).
    """
    factor = np.array([2.0 if operation == "all_reduce" else 1.0 for operation in operations])[:, None] * message
    up = factor * (ranks_up - 1.0) / ranks_up
    out = factor * (ranks_out - 1.0) / (ranks_out * ranks_up)
    p2p, all_to_all = (np.array([one == name for one in operations])[:, None] for name in ("p2p", "all_to_all"))
    if p2p.any():
        inside = np.where(ranks_out > 1.0, 0.0, message)
        up, out = np.where(p2p, inside, up), np.where(p2p, message - inside, out)
    if all_to_all.any():
        up = np.where(all_to_all, message * (ranks_up - 1.0) / ranks_up, up)
        out = np.where(all_to_all, message_out * (ranks_out - 1.0) / ranks_out, out)
    return up, out


def reachable(ranks: Array, domain: Real) -> Array:
    """Share of a mesh's bandwidth that `ranks` of its `domain` devices have among themselves.

    Parameters
    ----------
    ranks, domain : ndarray, number
        Devices that communicate, and devices of the mesh, each with an equal link to every other. [1]

    Returns
    -------
    ndarray
        ``(ranks - 1) / (domain - 1)``; 1 for a device that is alone. [1]
    """
    return np.where(ranks > 1.0, (ranks - 1.0) / most(domain - 1.0, 1.0), 1.0)


def time(fit: CollectiveAchieved, wire: Array, bandwidth: Real | Array) -> Array:
    """Time of a collective on one level; zero where nothing is sent.

    Parameters
    ----------
    fit : CollectiveAchieved
        Constants at the number of ranks: numbers, or arrays.
    wire : ndarray
        Bytes in one direction of one device. [B]
    bandwidth : number
        Rate of the link. [B/s]

    Returns
    -------
    ndarray
        ``latency + root sqrt(wire / 1 MB) + wire / (share of bandwidth)``. [s]
    """
    spent = fit.latency + fit.root * np.sqrt(wire / MEGABYTE) + wire / (bandwidth * fit.bandwidth)
    return np.where(wire > 0.0, spent, 0.0)


def exchange_time(
    fit: CollectiveAchieved, wire: Array, bandwidth: Real | Array, tokens: Array, experts: Array, cores: Real
) -> Array:
    """Time of a kernel that sends tokens to the ranks of their experts, or brings them back.

    Parameters
    ----------
    fit : CollectiveAchieved
        Constants at the number of ranks.
    wire : ndarray
        Bytes in one direction of one device. [B]
    bandwidth : number
        Rate of the link. [B/s]
    tokens, experts : ndarray
        Tokens of a device, and experts of the layer on all devices. [1]
    cores : number
        Cores of a device. [1]

    Returns
    -------
    ndarray
        The time of `time`, one of each expert, and one of each token that a core sends after another. [s]

    References
    ----------
    .. [1] DeepEP, csrc/kernels/internode_ll.cu: a core for each expert, or for each few where there are more than
       cores; each of them quantizes and sends every so many-th token, and tells the ranks how many come.
    """
    working = np.ceil(experts / np.ceil(experts / cores))
    in_turn = np.ceil(tokens / working)
    return time(fit, wire, bandwidth) + fit.token * in_turn + fit.expert * experts


def at(points: Mapping[str, CollectiveAchieved], ranks: Array) -> CollectiveAchieved:
    """Constants at any number of ranks.

    Parameters
    ----------
    points : mapping of str to CollectiveAchieved
        Constants by number of ranks.
    ranks : ndarray
        Ranks. [1]

    Returns
    -------
    CollectiveAchieved
        Arrays of the shape of `ranks`: between two points interpolated; beyond the last one latency and protocol time
        go on growing as between the last two, since more ranks are more steps, and all else stays.
    """
    order = sorted(points, key=int)
    at = np.array([float(name) for name in order])
    table = np.array([[getattr(points[name], item) for item in _POINT] for name in order], dtype=float)
    found = {item: np.interp(ranks, at, column) for item, column in zip(_POINT, table.T, strict=True)}
    if len(at) > 1:
        beyond = np.maximum(ranks - at[-1], 0.0)
        slope = dict(zip(_POINT, np.maximum(table[-1] - table[-2], 0.0) / (at[-1] - at[-2]), strict=True))
        found |= {item: found[item] + beyond * slope[item] for item in ("latency", "root")}
    return CollectiveAchieved(**found)

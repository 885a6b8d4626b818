"""Collectives over a scale-up domain and across domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from llmperf.descriptors.achieved import CollectiveAchieved
from llmperf.numeric import Array, Real, most

MEGABYTE = 1e6
"""Bytes on the wire at which the protocol time `root` is stated. [B]"""


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
        go on growing as between the last two, since more ranks are more steps, and the bandwidth stays.
    """
    order = sorted(points, key=int)
    at = np.array([float(name) for name in order])
    table = np.array([[points[name].bandwidth, points[name].latency, points[name].root] for name in order], dtype=float)
    bandwidth, latency, root = (np.interp(ranks, at, column) for column in table.T)
    if len(at) > 1:
        beyond = np.maximum(ranks - at[-1], 0.0)
        slope = np.maximum(table[-1] - table[-2], 0.0) / (at[-1] - at[-2])
        latency, root = latency + beyond * slope[1], root + beyond * slope[2]
    return CollectiveAchieved(bandwidth, latency, root)

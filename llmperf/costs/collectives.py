"""Collectives over a scale-up domain and across domains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
    for row, operation in enumerate(operations):
        sent, inside, domains = (column[row if len(column) > 1 else 0] for column in (message, ranks_up, ranks_out))
        if operation == "p2p":
            up[row] = np.where(domains > 1.0, 0.0, sent)
            out[row] = sent - up[row]
        elif operation == "all_to_all":
            once = message_out[row if len(message_out) > 1 else 0]
            up[row] = sent * (inside - 1.0) / inside
            out[row] = once * (domains - 1.0) / domains
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
    return np.asarray(np.where(ranks > 1.0, (ranks - 1.0) / most(domain - 1.0, 1.0), 1.0))


def time(wire: Array, bandwidth: Real | Array, latency: Real, root: Real) -> Array:
    """Time of a collective on one level by the libraries' bandwidth protocols; zero where nothing is sent.

    Parameters
    ----------
    wire : ndarray
        Bytes in one direction of one device. [B]
    bandwidth : number
        Reached bandwidth of the link. [B/s]
    latency, root : number
        Fixed time, and protocol time of one megabyte that grows with the square root of the bytes. [s]

    Returns
    -------
    ndarray
        ``latency + root sqrt(wire / 1 MB) + wire / bandwidth``. [s]
    """
    spent = latency + root * np.sqrt(wire / MEGABYTE) + wire / bandwidth
    return np.asarray(np.where(wire > 0.0, spent, 0.0))


def one_shot_time(message: Array, ranks: Array, bandwidth: Real | Array, latency: Real) -> Array:
    """Time of an all-reduce in which every device reads all the others' vectors in one kernel.

    Parameters
    ----------
    message : ndarray
        Bytes of the vector. [B]
    ranks : ndarray
        Devices. [1]
    bandwidth, latency : number
        Reached bandwidth of the link [B/s] and time of the kernel and its barrier [s].

    Returns
    -------
    ndarray
        ``latency + (ranks - 1) message / bandwidth``. [s]
    """
    return np.asarray(latency + (ranks - 1.0) * message / bandwidth)

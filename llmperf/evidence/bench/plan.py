"""What is measured: the parts, the cases of each, and the tables that their rows go to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from llmperf.errors import InputError, Problem, nearest
from llmperf.evidence.bench.timing import Run

TABLES: dict[str, tuple[str, ...]] = {
    "stream": ("device", "op", "threads", "bytes", "time_us", "source"),
    "gemm": ("device", "dtype", "m", "n", "k", "time_us", "kernel", "source"),
    "elementwise": ("device", "op", "tokens", "hidden", "bytes", "time_us", "source"),
    "attention_prefill": (
        *("device", "dtype", "kv_dtype", "batch", "q_len", "kv_len", "n_heads", "n_kv_heads", "head_dim"),
        *("causal", "kernel", "time_us", "source"),
    ),
    "attention_decode": (
        *("device", "dtype", "kv_dtype", "batch", "kv_len", "n_heads", "n_kv_heads", "head_dim"),
        *("kernel", "time_us", "source"),
    ),
    "copies": ("device", "direction", "memory", "bytes", "time_us", "source"),
    "launches": ("device", "mode", "time_us", "source"),
    "collectives": ("device", "topology", "op", "n_ranks", "bytes", "time_us", "source"),
}
"""Columns of each file; calibration reads those of products, elementwise operators, attention and collectives."""


@dataclass(frozen=True, slots=True)
class BenchPart:
    """A group of cases: what it measures, and its weight when the time is divided."""

    about: str
    weight: float


PARTS: dict[str, BenchPart] = {
    "stream": BenchPart("memory bandwidth: copy, scale, add, triad, dot over arrays from in-cache to main memory", 2.0),
    "gemm": BenchPart("matrix products by data type, from one row (decode) to thousands (prefill)", 4.0),
    "elementwise": BenchPart("additions, activations, norms over activations", 1.0),
    "attention": BenchPart("attention over prompts and over cached tokens", 2.0),
    "copies": BenchPart("copies between host and device, pinned and pageable", 1.0),
    "launches": BenchPart("host time of a kernel launch, eager and in a replayed graph", 0.3),
    "collectives": BenchPart("all-reduce over the devices of this machine", 3.0),
}
"""Parts in the order in which they are measured."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One measurement.

    Attributes
    ----------
    part, table : str
        Keys of `PARTS` and of `TABLES`.
    row : dict
        Columns of the row, without device, time and source.
    flops, bytes : float
        Operations, and the least traffic, of one call. [FLOP], [B]
    build : callable
        Makes the operands and gives the operation; they live as long as it does.
    cold : bool
        Whether operands are taken in turn from so much memory that they do not come from the last-level cache.
    """

    part: str
    table: str
    row: dict[str, str | int]
    flops: float
    bytes: float
    build: Callable[[], Run]
    cold: bool = True

    def __str__(self) -> str:
        return f"{self.table} " + " ".join(f"{key}={value}" for key, value in self.row.items() if key != "kernel")


def telling_first(products: Iterable[Trial], telling: Sequence[tuple[int, int, int]]) -> list[Trial]:
    """Products in the order of their work, those of some sizes (m, n, k) before all others."""

    def key(case: Trial) -> tuple[bool, float]:
        return tuple(case.row[name] for name in ("m", "n", "k")) not in telling, case.flops

    return sorted(products, key=key)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a device without measuring it.

    `cache` and `capacity` are in bytes; `tier` names its memory, `achieved` its class of efficiencies, `extends` the
    catalog's chip that it is, where it is one.
    """

    kind: Literal["cpu", "gpu"]
    label: str
    vendor: str
    cores: int
    capacity: int
    cache: int | None
    devices: int
    tier: str
    achieved: str
    software: str
    extends: str | None = None


class Device(Protocol):
    """A device that can be measured."""

    facts: Facts
    notes: list[str]
    """What a reader must know of how it is measured; grows while it is."""

    def cases(self) -> list[Trial]:
        """All cases, in the order of `PARTS`, each part so that its first cases matter most."""

    def prepare(self) -> None:
        """Claim what all cases share."""

    def close(self) -> None:
        """Give back memory and processes."""


def chosen(cases: Sequence[Trial], only: Sequence[str]) -> list[Trial]:
    """The cases of some parts; all of them when none is named.

    Raises
    ------
    InputError
        If a name is no part, or nothing of it can be measured on the device.
    """
    wrong = [
        Problem(f"{name[:60]!r} is no part", "--only", allowed=tuple(PARTS), suggestion=nearest(name, PARTS))
        for name in only
        if name not in PARTS
    ]
    if wrong:
        raise InputError(wrong)
    found = [case for case in cases if not only or case.part in only]
    if not found:
        there = tuple(name for name in PARTS if any(case.part == name for case in cases))
        raise InputError(Problem(f"nothing of {', '.join(only)} can be measured here", "--only", allowed=there))
    return found

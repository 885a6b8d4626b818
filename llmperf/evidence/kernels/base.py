"""Measured kernels as the closed forms see them: groups of rows of one chip, and what every reader of them needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmperf.costs.roofline import main_memory_bytes
from llmperf.errors import MAX_SHOWN, InputError, nearest, shown
from llmperf.evidence.rows import unique
from llmperf.evidence.tables import DataTable
from llmperf.numeric import Array
from llmperf.scenarios import catalog
from llmperf.scenarios.components import component

FILES = (".yaml", ".yml")
"""How a device's label ends that is a hardware file."""
MOST_NEAREST = 20
"""Unknown devices of a file for which the nearest name is looked up."""


@dataclass(slots=True)
class Kernels:
    """Measured kernels of one device, one scheme and one implementation.

    Attributes
    ----------
    section : str
        Section of `llmperf.descriptors.achieved.Achieved` that holds their constants.
    device, scheme, kernel : str
        The chip, as the catalog finds it or as a file; what is computed (``bf16/d128``); which implementation.
    measured, bound : ndarray, (rows,)
        Time, and the time that no kernel beats (NaN where the wire bytes are not known). [s]
    arguments : dict of str to ndarray
        What the closed form of the section takes.
    operands : ndarray or None
        Bytes that a repeated run finds in the cache, where the form has a memory time. [B]
    ids, sources, notes : list of str
    """

    section: str
    device: str
    scheme: str
    kernel: str
    measured: Array
    bound: Array
    arguments: dict[str, Array]
    operands: Array | None
    ids: list[str]
    sources: list[str]
    note: str = ""

    @property
    def selectors(self) -> tuple[str, str]:
        """Keys of the fit of all implementations, and of this one."""
        name, slash, width = self.scheme.partition("/d")
        return self.scheme, f"{name}/{self.kernel}{slash}{width}"

    def __len__(self) -> int:
        return len(self.measured)

    def take(self, rows: NDArray[Any]) -> Kernels:
        """Some of the rows (indices or a mask)."""
        index = np.arange(len(self))[rows]
        return Kernels(
            self.section,
            self.device,
            self.scheme,
            self.kernel,
            self.measured[index],
            self.bound[index],
            {name: column[index] if np.ndim(column) else column for name, column in self.arguments.items()},
            None if self.operands is None else self.operands[index],
            [self.ids[row] for row in index],
            [self.sources[row] for row in index],
            self.note,
        )


@dataclass(slots=True)
class Readings:
    """The kernels of a file, and what could not be expressed."""

    kernels: list[Kernels] = field(default_factory=list)
    omitted: list[tuple[str, str]] = field(default_factory=list)
    copies: list[float] = field(default_factory=list)
    """Rates of copies between device and pinned host memory. [B/s]"""
    launches: list[float] = field(default_factory=list)
    """Host times of eager launches. [s]"""


@cache
def chip(name: str) -> Any:
    """A chip of the catalog by any of its names."""
    return component("hardware", name)


def slug(text: str) -> str:
    """The name of an implementation as a selector's part: lower case, without versions and paths."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower().split("/")[0]).strip("_") or "unnamed"


def stack(source: str) -> str:
    """The software behind a measurement: ``vllm`` of ``aic:vllm-0.24.0``."""
    found = re.match(r"(?:aic:)?([A-Za-z_]+)", source)
    return slug(found.group(1)) if found else "unnamed"


def _known() -> frozenset[str]:
    """Names and aliases of the catalog's hardware."""
    return frozenset(catalog.files("hardware")) | frozenset(catalog.aliases("hardware"))


def _unknown(device: str, known: frozenset[str], look: bool) -> str:
    near = nearest(device, known) if look else None
    return f"device {device[:MAX_SHOWN]}: unknown hardware {shown(device)}" + (f" (nearest: {near})" if near else "")


def groups(
    table: DataTable, out: Readings, *keys: NDArray[Any]
) -> Iterator[tuple[Any, str, Any, NDArray[Any], list[str]]]:
    """Rows of equal device and keys: (chip, its name, key, indices, ids); unknown chips are noted as omitted."""
    ids = unique(table.text("id")) if "id" in table.columns else [f"{line}" for line in table.lines]
    devices = table.labels("device")
    order: dict[Any, list[int]] = {}
    for row, key in enumerate(zip(devices, *keys, strict=True)):
        order.setdefault(key, []).append(row)
    known, unknown = _known() | table.files, dict[str, str]()
    for (device, *key), rows in order.items():
        names = [ids[row] for row in rows]
        device = str(device)
        if device not in known and device.strip().lower() not in known:
            if device not in unknown:
                unknown[device] = _unknown(device, known, len(unknown) < MOST_NEAREST)
            out.omitted += [(name, unknown[device]) for name in names]
            continue
        try:
            hardware = chip(device)
        except InputError as error:
            out.omitted += [(name, f"device {device[:MAX_SHOWN]}: {error.problems[0].message}") for name in names]
            continue
        label = device if device.endswith(FILES) else hardware.name
        yield hardware, label, key, np.array(rows), names


def bound(hardware: Any, compute: Array, size: Array) -> Array:
    """Time that no kernel beats: products at the peak, or bytes that the cache cannot hold. [s]"""
    cache_bytes = hardware.cache.capacity if hardware.cache and hardware.cache.capacity else 0.0
    return np.asarray(np.maximum(compute, main_memory_bytes(size, cache_bytes) / hardware.main.bandwidth))

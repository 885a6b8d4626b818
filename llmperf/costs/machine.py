"""Hardware as the costs see it: the peak and the memory that an operator class runs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from llmperf.costs.collectives import at
from llmperf.costs.roofline import resident
from llmperf.descriptors.achieved import FUSED, LATENT, SCHEMES, CollectiveAchieved
from llmperf.descriptors.attention import USUAL, AttentionKernel
from llmperf.descriptors.engine import ServingEngine, Tile
from llmperf.descriptors.hardware import Hardware, Link
from llmperf.errors import InputError, Problem
from llmperf.kept import MadeOfObjects
from llmperf.numeric import Array, Real, bytes_of, everywhere, most, stack
from llmperf.operators.kinds import kind
from llmperf.records import dataclass
from llmperf.resources import MAIN, MEMORY, VECTOR, matrix

WIDER = {"bf16": ("bf16", "fp16", "fp32"), "fp16": ("fp16", "bf16", "fp32")}
"""Dtypes that can stand in for a 16-bit float without loss of range that matters to time: computed wider."""


def dtypes(hardware: Hardware) -> list[str]:
    """Dtypes that a matrix engine of the hardware computes in."""
    found: dict[str, None] = {}
    for engine in hardware.engines.values():
        if engine.kind == "matrix":
            found.update(dict.fromkeys(engine.peaks))
    return list(found)


def compute_dtype(hardware: Hardware, wanted: str, operator_class: str = "gemm") -> str | None:
    """The dtype that an operator class computes in when `wanted` is asked for; None where no engine can."""
    engine = hardware.engine(operator_class)
    for dtype in WIDER.get(wanted, (wanted,)):
        if engine is not None and dtype in engine.peaks:
            return dtype
    return None


@dataclass(frozen=True, slots=True)
class Runs:
    """What an operator class runs on: the engine, its peaks by dtype, and the memory that it reads."""

    engine: str
    peaks: Mapping[Any, Real]
    bandwidth: Real
    memory: str


class Machine:
    """One device of the hardware and its links; what operators ask of it is looked up once.

    Parameters
    ----------
    hardware : Hardware
    engine : ServingEngine, optional
        Software that runs on it: which kernels, and where they fall behind those that the chip was calibrated with.
    attention : AttentionKernel, optional
        The same of attention: by default what the chip was calibrated with.

    Attributes
    ----------
    vector_peak : number, array or None
        Vector operations a second: fp32, else the first known; None where none is known. [FLOP/s]
    scale_up, scale_out : Link or None
        A device without a scale-up link reaches its peers over the host link; so does one without a network beyond
        the domain of its bridge.
    ways : tuple of str
        Sections of `llmperf.descriptors.achieved.Achieved` that hold what collectives reach over both.
    domain : number or array
        Devices that the scale-up link joins: as the link says, else all of the system, else any number. [1]
    cores : number or array
        Cores that work groups are spread over; infinite where they are not known. [1]
    one_shot : bool
        Whether all-reduces in one kernel are known.
    usual_prefill, usual_decode : bool
        Whether attention does what the kernels do that the chip was calibrated with, its reads of keys aside.
    on_chip : number or array
        Most bytes that the device holds beside its memory; infinite where that is not known. [B]
    """

    def __init__(
        self, hardware: Hardware, engine: ServingEngine | None = None, attention: AttentionKernel = USUAL
    ) -> None:
        self.hardware = hardware
        self.engine = engine
        self.attention = attention
        self.usual_prefill, self.usual_decode = _usual(attention, PREFILL), _usual(attention, DECODE)
        self.kernels = tuple(engine.kernels) if engine else ()
        self.unpacking: Real = engine.unpack_slowdown if engine else 1.0
        self.slowdown: Real = engine.gemm_slowdown if engine else 1.0
        usual = next((name for name, e in hardware.engines.items() if e.kind == "vector" and e.peaks), None)
        self.vector_name = usual
        self.vector_peak: Real | None = _usual_rate(hardware.engines[usual].peaks) if usual else None
        self.scale_up = hardware.link("scale_up") or hardware.link("host")
        self.scale_out = hardware.link("scale_out") or (hardware.link("host") if hardware.link("scale_up") else None)
        self.ways = tuple(map(way, (self.scale_up, self.scale_out)))
        self.domain = _domain(hardware, self.scale_up)
        self.cores: Real = hardware.cores or np.inf  # unknown: all work runs at once
        self.on_chip = _on_chip(hardware)
        self.one_shot = "all_reduce_custom" in _reached(hardware, self.ways[0])
        self._runs: dict[str, Runs] = {}
        self._placed_anew: dict[tuple[tuple[str, str], ...], Machine] = {}
        self._columns: dict[Any, Any] = {}

    def runs(self, name: str) -> Runs:
        """What a kind of operators runs on.

        Raises
        ------
        InputError
            If the hardware has no engine for it.
        """
        found = self._runs.get(name)
        if found is None:
            found = self._runs[name] = self._placed(name)
        return found

    def placing(self, engines: Mapping[str, str]) -> Machine:
        """The same machine with kinds of operators on other engines; the same object for the same ones."""
        key = tuple(sorted(engines.items()))
        if not key:
            return self
        found = self._placed_anew.get(key)
        if found is None:
            placement: dict[Any, str] = {**self.hardware.placement, **engines}
            hardware = replace(self.hardware, placement=placement)
            found = self._placed_anew[key] = Machine(hardware, self.engine, self.attention)
        return found

    @cached_property
    def memories(self) -> dict[str, Real]:
        """Bandwidth of each memory that an engine reads; of several of a kind the highest. [B/s]"""
        found: dict[str, Real] = {}
        for engine in self.hardware.engines.values():
            tier = self.hardware.tiers[engine.reads] if engine.reads else self.hardware.main
            assert tier.bandwidth is not None
            name = MEMORY.get(tier.kind, MAIN)
            found[name] = most(found[name], tier.bandwidth) if name in found else tier.bandwidth
        return found

    def _placed(self, name: str) -> Runs:
        hardware, declared = self.hardware, kind(name)
        placed = declared.placed or name
        engine = hardware.engine(placed, declared.engine) or hardware.engine(placed)
        if engine is None:
            raise InputError(Problem("has no matrix engine", "hardware.engines"))
        called = next(called for called, other in hardware.engines.items() if other is engine)
        tier = hardware.tiers[engine.reads] if engine.reads else hardware.main
        assert tier.bandwidth is not None
        return Runs(called, engine.peaks, tier.bandwidth, MEMORY.get(tier.kind, MAIN))

    def vector(self, name: str) -> tuple[str, Real | None]:
        """The resource that does the vector work of a kind of streaming passes, and its rate: [FLOP/s].

        The usual vector engine, or another one that the kind is placed on; without a rate where that is not known.
        """
        runs = self.runs(name)
        if (kind(name).placed or name) in self.hardware.placement and runs.engine != self.vector_name:
            return matrix(runs.engine), _usual_rate(runs.peaks)
        return VECTOR, self.vector_peak

    def peaks(self, kind: str, dtypes: tuple[str, ...]) -> Array:
        """Peak of each operator's dtype: (operators, 1), or a column a configuration. [FLOP/s]

        Raises
        ------
        InputError
            If the engine that runs the operator class has no such dtype.
        """
        found = self._columns.get(("peaks", kind, dtypes))
        if found is None:
            found = self._columns["peaks", kind, dtypes] = stack([self._peak(kind, dtype) for dtype in dtypes])
        return found

    def _peak(self, kind: str, wanted: str) -> Real:
        runs = self.runs(kind)
        for dtype in WIDER.get(wanted, (wanted,)):
            if dtype in runs.peaks:
                return runs.peaks[dtype]
        text = f"the engine {runs.engine}, which runs {kind}, has no {wanted}"
        raise InputError(Problem(text, "hardware.engines", allowed=tuple(runs.peaks)))

    def fit(self, section: str, schemes: tuple[str, ...]) -> Any:
        """Constants of a section of `llmperf.descriptors.achieved.Achieved`, a column for each operator.

        Parameters
        ----------
        section : str
            ``gemm``, ``moe``, ``attention_prefill``, ``attention_decode`` or ``elementwise``.
        schemes : tuple of str
            What each operator computes in (attention: with ``/d`` and the head dimension behind it), or its kind.

        Returns
        -------
        The section's dataclass, each field an array of shape (operators, 1), or a column a configuration.
        """
        found = self._columns.get((section, schemes))
        if found is None:
            known = getattr(self.hardware.achieved, section)
            first = self.attention.kernels if section.startswith("attention") else ()
            picked = [pick(known, scheme, (*first, *self.kernels)) for scheme in schemes]
            if section == "elementwise":
                picked = [
                    replace(fit, latency=0.0) if scheme.endswith(FUSED) else fit
                    for fit, scheme in zip(picked, schemes, strict=True)
                ]
            columns = {item.name: stack([getattr(fit, item.name) for fit in picked]) for item in fields(picked[0])}
            found = self._columns[section, schemes] = self._behind(section, type(picked[0])(**columns))
        return found

    def _behind(self, section: str, fit: Any) -> Any:
        """Constants as the engine's kernels reach them."""
        engine, hardware = self.engine, self.hardware
        if section == "attention_prefill" and hardware.generation in self.attention.peak_share:
            return replace(fit, compute=np.minimum(fit.compute, self.attention.peak_share[hardware.generation]))
        if engine is None:
            return fit
        if engine.threads is not None and hardware.kind == "cpu" and section != "elementwise":
            fit = replace(fit, compute=fit.compute * hardware.share_of(engine.threads))
        if section == "gemm" and engine.bytes_per_clock is not None:
            cores, clock, bandwidth = hardware.cores, hardware.clock, hardware.main.bandwidth
            if cores is None or clock is None:
                return fit
            assert bandwidth is not None
            most_bytes = cores * clock * engine.bytes_per_clock
            return replace(fit, memory=np.minimum(fit.memory, most_bytes / bandwidth))
        if section == "elementwise":
            return replace(fit, memory=fit.memory / engine.elementwise_slowdown)
        return fit

    def tiled(self, compute: Array, schemes: tuple[str, ...], rows: Array) -> Array:
        """Time of products whose kernels work on whole tiles of rows, from that of the rows there are. [s]

        Parameters
        ----------
        compute : ndarray
            Time of the rows there are. [s]
        schemes : tuple of str
            What selects the constants of each operator.
        rows : ndarray
            Rows of each product. [1]
        """
        tiles = self.engine.tiles if self.engine is not None else {}
        if not any(scheme in tiles for scheme in schemes):
            return compute
        whole = [tiles.get(scheme, NO_TILE) for scheme in schemes]
        tile, above = (stack([float(getattr(item, name)) for item in whole]) for name in ("rows", "above"))
        filled: Array = np.where(rows > above, np.ceil(rows / tile) * tile / np.maximum(rows, 1.0), 1.0)
        return compute * filled

    def reads(self, group: Array) -> Array | float:
        """How often decode attention reads the keys that `group` query heads share. [1]"""
        return 1.0 + (1.0 - self.attention.kv_sharing) * (group - 1.0)

    def collective(self, level: str, operations: tuple[str, ...], ranks: Array) -> CollectiveAchieved:
        """Constants of collectives: arrays of the shape of `ranks`, (operators, configurations).

        Parameters
        ----------
        level : str
            One of `ways`.
        operations : tuple of str
            One for each operator.
        ranks : ndarray
            Ranks on this level. [1]
        """
        few = bytes_of(ranks, FEW)
        key = None if few is None else (level, operations, ranks.shape[1], few)
        if key in self._columns:
            found: CollectiveAchieved = self._columns[key]
            return found
        known = _reached(self.hardware, level)
        every = np.broadcast_to(ranks, (len(operations), ranks.shape[1]))
        rows = [at(pick(known, name, self.kernels), row) for name, row in zip(operations, every, strict=True)]
        columns: list[Any] = [np.stack([getattr(row, item) for row in rows]) for item in _POINT]
        if self.engine is not None:
            columns[0] = columns[0] / self.engine.collective_slowdown
        found = CollectiveAchieved(*columns)
        if key is not None and len(self._columns) < MOST_COLUMNS:
            self._columns[key] = found
        return found

    def relieved(self, operands: Array) -> Array:
        """Bytes that the main memory would deliver in the time that operands take which the cache may still hold.

        Parameters
        ----------
        operands : ndarray
            Bytes of an operator's operands. [B]

        Returns
        -------
        ndarray
            ``operands / speedup`` while they are small, growing to `operands` where they outgrow the cache. [B]
        """
        fit = self.hardware.achieved.cache
        if fit is None:
            return operands
        return operands * resident(self.fill(operands) / fit.share, fit.speedup)

    def fill(self, operands: Array) -> Array:
        """Operands over the capacity of the last-level cache; infinite where none is known. [1]"""
        cache = self.hardware.cache
        if cache is None or cache.capacity is None:
            return np.full_like(operands, np.inf)
        return operands / cache.capacity


NO_TILE = Tile(1)
"""Kernels that cost as much as the rows they have."""
FEW, MOST_COLUMNS = 64, 4096
"""Ranks whose constants are kept for the next call, and columns that are kept in all."""
_POINT = ("bandwidth", "latency", "root")
"""Constants of collectives that steps of a model need: launches are the engine's."""


def way(link: Link | None) -> str:
    """The section of `llmperf.descriptors.achieved.Achieved` that holds what collectives reach over a link."""
    if link is None or link.kind != "host":
        return link.kind if link else "scale_out"
    return "host" if link.peer_to_peer else "through_host"


def _reached(hardware: Hardware, way: str) -> Mapping[str, Any]:
    """What collectives reach on a way between devices: by operation, then by ranks."""
    known: Mapping[str, Any] = getattr(hardware.achieved, way) or hardware.achieved.scale_up
    return known


def pick(known: Mapping[str, Any], scheme: str, kernels: tuple[str, ...] = ()) -> Any:
    """The fit of a section for a scheme.

    Parameters
    ----------
    known : mapping of str to fit
        By selector (`llmperf.descriptors.achieved`).
    scheme : str
        What is asked for; ``bf16/d128`` for a head dimension, of which the nearest that is known counts.
    kernels : tuple of str
        Kernels in the order of preference.

    Returns
    -------
    fit
        Of the first kernel that has one, else the pooled one, else that of the scheme that stands in, else the default.
    """
    name, _, width = scheme.partition("/d")
    plain, plus, kind = name.partition("+")
    # kernels of latent attention are its own: another library's come before plain ones of the engine
    for forms in ([plus + kind], [""]) if plus + kind == LATENT else ([plus + kind, ""],):
        for stand_in in (plain, *SCHEMES.get(plain, ())):
            for kernel in (*kernels, ""):
                behind = f"/{kernel}" if kernel else ""
                found = _nearest(known, [f"{stand_in}{form}{behind}" for form in dict.fromkeys(forms)], width)
                if found is not None:
                    return found
    return known["default"]


def _usual_rate(rates: Mapping[Any, Real]) -> Real | None:
    return rates.get("fp32", next(iter(rates.values()), None))


PREFILL = ("score_ops", "score_engine", "softmax_pass", "skips_masked", "prefix", "prefill_slowdown")
DECODE = (
    "score_ops",
    "score_engine",
    "head_blocks",
    "decode_products",
    "dequantize_instructions",
    "split",
    "prefix",
    "decode_slowdown",
)
"""Mechanisms of an attention kernel that change more than constants and reads of keys."""


def _usual(kernel: AttentionKernel, mechanisms: tuple[str, ...]) -> bool:
    return all(everywhere(getattr(kernel, name) == getattr(USUAL, name)) for name in mechanisms)


CORE_MEMORY = {"gpu": 2.0**20, "cpu": 2.0**22}
"""Most bytes of registers and caches of one core, below the last-level cache: a core of NVIDIA Blackwell has 256 KiB
each of registers, shared memory and tensor memory, one of Intel Granite Rapids 2 MiB of L2. [B]"""


def _on_chip(hardware: Hardware) -> Real:
    """Most bytes that a device may hold beside its memory; infinite where that is not known. [B]"""
    listed = [tier.capacity for tier in hardware.tiers.values() if tier.kind in ("cache", "onchip")]
    if not listed or any(capacity is None for capacity in listed):
        return np.inf
    total: Real = sum(capacity for capacity in listed if capacity is not None)
    core = CORE_MEMORY.get(hardware.kind)
    if core is None:
        return np.inf if hardware.kind == "soc" else 2.0 * total  # files leave out operand buffers and registers
    return np.inf if hardware.cores is None else total + hardware.cores * core


def _domain(hardware: Hardware, link: Link | None) -> Real:
    if link is None:
        return 1.0
    return link.domain if link.domain is not None else hardware.devices or 1e9


def _nearest(known: Mapping[str, Any], bases: Sequence[str], width: str) -> Any:
    """The fit of the nearest head dimension, the first of equally near; of the selector itself where none is asked for.

    A variant's fit of another head dimension says less than the common fit of this one: libraries change their kernels
    with the dimension too.
    """
    if width:
        keys = (
            key for base in bases for key in known if key.startswith(f"{base}/d") and key[len(base) + 2 :].isdigit()
        )
        found = min(keys, key=lambda key: abs(int(key.rpartition("/d")[2]) - int(width)), default=None)
        if found is not None:
            return known[found]
    return next((known[base] for base in bases if base in known), None)


_machines: MadeOfObjects[Machine] = MadeOfObjects(64)


def machine_of(hardware: Hardware, engine: ServingEngine | None = None, attention: AttentionKernel = USUAL) -> Machine:
    """The machine of a hardware, an engine and its attention kernel; the same object for the same ones."""
    return _machines.get((hardware, engine, attention), lambda: Machine(hardware, engine, attention))

"""Hardware as the costs see it: the peak and the memory that an operator class runs on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmperf.descriptors.hardware import GemmAchieved, Hardware, Link
from llmperf.errors import InputError, Problem
from llmperf.numeric import Array, Real, stack

WIDER = {"bf16": ("bf16", "fp16", "fp32"), "fp16": ("fp16", "bf16", "fp32")}
"""Dtypes that can stand in for a 16-bit float without loss of range that matters to time: computed wider."""

MEMORY = {
    "main": "memory.main",
    "internal": "memory.internal",
    "host": "memory.host",
    "expansion": "memory.expansion",
    "storage": "memory.storage",
}
"""Resource name of a memory tier's kind."""


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

    Attributes
    ----------
    hardware : Hardware
    vector_peak : number, array or None
        Vector operations a second: fp32, else the first known; None where none is known. [FLOP/s]
    scale_up, scale_out : Link or None
        A device without a scale-up link reaches its peers over the host link; so does one without a network beyond
        the domain of its bridge.
    domain : number or array
        Devices that the scale-up link joins: as the link says, else all of the system, else any number. [1]
    """

    def __init__(self, hardware: Hardware) -> None:
        self.hardware = hardware
        vector = next((e for e in hardware.engines.values() if e.kind == "vector" and e.peaks), None)
        rates: Mapping[Any, Real] = vector.peaks if vector else {}
        self.vector_peak: Real | None = rates.get("fp32", next(iter(rates.values()), None))
        self.scale_up = hardware.link("scale_up") or hardware.link("host")
        self.scale_out = hardware.link("scale_out") or (hardware.link("host") if hardware.link("scale_up") else None)
        self.domain = _domain(hardware, self.scale_up)
        self._runs: dict[str, Runs] = {}
        self._columns: dict[Any, tuple[Array, ...]] = {}

    def runs(self, kind: str) -> Runs:
        """What an operator class runs on.

        Raises
        ------
        InputError
            If the hardware has no engine for it.
        """
        found = self._runs.get(kind)
        if found is None:
            found = self._runs[kind] = self._placed(kind)
        return found

    def _placed(self, kind: str) -> Runs:
        hardware = self.hardware
        engine = hardware.engine(kind, "vector" if kind == "elementwise" else "matrix") or hardware.engine(kind)
        if engine is None:
            raise InputError(Problem("has no matrix engine", "hardware.engines"))
        name = next(name for name, other in hardware.engines.items() if other is engine)
        tier = hardware.tiers[engine.reads] if engine.reads else hardware.main
        assert tier.bandwidth is not None
        return Runs(name, engine.peaks, tier.bandwidth, MEMORY.get(tier.kind, "memory.main"))

    def peaks(self, kind: str, dtypes: tuple[str, ...]) -> Array:
        """Peak of each operator's dtype: (operators, 1), or a column a configuration. [FLOP/s]

        Raises
        ------
        InputError
            If the engine that runs the operator class has no such dtype.
        """
        found = self._columns.get((kind, dtypes))
        if found is None:
            found = self._columns[kind, dtypes] = (stack([self._peak(kind, dtype) for dtype in dtypes]),)
        return found[0]

    def _peak(self, kind: str, wanted: str) -> Real:
        runs = self.runs(kind)
        for dtype in WIDER.get(wanted, (wanted,)):
            if dtype in runs.peaks:
                return runs.peaks[dtype]
        text = f"the engine {runs.engine}, which runs {kind}, has no {wanted}"
        raise InputError(Problem(text, "hardware.engines", allowed=tuple(runs.peaks)))

    def gemm(self, dtypes: tuple[str, ...]) -> tuple[Array, ...]:
        """Columns of what matrix products of these dtypes reach: compute, memory, latency, k_latency, k_half."""
        found = self._columns.get(dtypes)
        if found is None:
            known: Mapping[Any, GemmAchieved] = self.hardware.achieved.gemm
            fits = [known.get(dtype, known["default"]) for dtype in dtypes]
            names = ("compute", "memory", "latency", "k_latency", "k_half")
            found = self._columns[dtypes] = tuple(stack([getattr(fit, name) for fit in fits]) for name in names)
        return found


def _domain(hardware: Hardware, link: Link | None) -> Real:
    if link is None:
        return 1.0
    return link.domain if link.domain is not None else hardware.devices or 1e9


_machines: dict[int, Machine] = {}
_MOST_MACHINES = 64


def machine_of(hardware: Hardware) -> Machine:
    """The machine of a hardware; the same object for the same hardware."""
    found = _machines.get(id(hardware))
    if found is None or found.hardware is not hardware:
        if len(_machines) >= _MOST_MACHINES:
            _machines.clear()
        found = _machines[id(hardware)] = Machine(hardware)
    return found

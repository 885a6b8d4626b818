"""Hardware as the costs see it: the peak and the memory that an operator class runs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmperf.descriptors.hardware import Engine, GemmAchieved, Hardware, Link
from llmperf.errors import InputError, Problem
from llmperf.numeric import Array, Real, anywhere, stack
from llmperf.operators.table import Block

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


@dataclass(slots=True)
class Machine:
    """One device of the hardware and its links.

    Attributes
    ----------
    hardware : Hardware
    elsewhere : tuple of two numbers or arrays
        Shares of weights and of KV cache that operators read from other tiers directly (CXL), not through the main
        memory. [1]
    """

    hardware: Hardware
    elsewhere: tuple[Real, Real] = (0.0, 0.0)
    _engines: dict[str, tuple[str, Engine]] = field(default_factory=dict, repr=False)

    def delivered(self, block: Block) -> Array:
        """Bytes of each operator that its memory delivers. [B]"""
        weights, kv = self.elsewhere
        if not anywhere(weights > 0.0) and not anywhere(kv > 0.0):
            return block.bytes
        return block.weight_bytes * (1.0 - weights) + block.kv_bytes * (1.0 - kv) + block.activation_bytes

    def _named(self, kind: str) -> tuple[str, Engine]:
        found = self._engines.get(kind)
        if found is None:
            hardware = self.hardware
            engine = hardware.engine(kind, "vector" if kind == "elementwise" else "matrix") or hardware.engine(kind)
            if engine is None:
                raise InputError(Problem("has no matrix engine", "hardware.engines"))
            name = next(name for name, other in hardware.engines.items() if other is engine)
            found = self._engines[kind] = (name, engine)
        return found

    def engine(self, kind: str) -> Engine:
        """The engine of an operator class."""
        return self._named(kind)[1]

    def engine_name(self, kind: str) -> str:
        """The name of that engine."""
        return self._named(kind)[0]

    def peaks(self, kind: str, wanted: Sequence[str]) -> Array:
        """Peak of each operator's dtype: (operators, 1), or a column a configuration. [FLOP/s]"""
        engine = self.engine(kind)
        return stack([self._peak(engine, kind, dtype) for dtype in wanted])

    def _peak(self, engine: Engine, kind: str, wanted: str) -> Real:
        rates: Mapping[Any, Real] = engine.peaks
        for dtype in WIDER.get(wanted, (wanted,)):
            if dtype in rates:
                return rates[dtype]
        name = self.engine_name(kind)
        raise InputError(
            Problem(f"the engine {name}, which runs {kind}, has no {wanted}", "hardware.engines", allowed=tuple(rates))
        )

    def vector_peak(self) -> Real | None:
        """Vector operations a second: fp32, else the widest known; None where none is known. [FLOP/s]"""
        engine = next((e for e in self.hardware.engines.values() if e.kind == "vector"), None)
        if engine is None or not engine.peaks:
            return None
        rates: Mapping[Any, Real] = engine.peaks
        return rates.get("fp32", next(iter(rates.values())))

    def bandwidth(self, kind: str) -> Real:
        """Bandwidth of the memory that an operator class reads. [B/s]"""
        tier = self.hardware.tiers[reads] if (reads := self.engine(kind).reads) else self.hardware.main
        assert tier.bandwidth is not None
        return tier.bandwidth

    def memory(self, kind: str) -> str:
        """Resource name of that memory."""
        reads = self.engine(kind).reads
        return MEMORY.get(self.hardware.tiers[reads].kind, "memory.main") if reads else "memory.main"

    def gemm(self, dtype: str) -> GemmAchieved:
        """Efficiencies of matrix products of a dtype."""
        fitted: Mapping[Any, GemmAchieved] = self.hardware.achieved.gemm
        return fitted.get(dtype, fitted["default"])

    def link(self, level: str) -> Link | None:
        """The link of a level; a device without a scale-up link reaches its peers over the host link."""
        found = self.hardware.link(level)
        return found or (self.hardware.link("host") if level == "scale_up" else None)

    def domain(self) -> Real:
        """Devices that the scale-up link joins: as the link says, else all of the system, else any number. [1]"""
        link = self.link("scale_up")
        if link is None:
            return 1.0
        if link.domain is not None:
            return link.domain
        return self.hardware.devices or 1e9

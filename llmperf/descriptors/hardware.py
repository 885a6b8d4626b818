"""Hardware: engines that compute, tiers that hold data, links that move it, and what is reached of each.

A *chip* is one device. A *system* is a file that ``extends`` a chip and adds host tiers, links and the number of
devices. Both are read into `Hardware`; peaks are dense, links count one direction of one device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from llmperf.descriptors import achieved as achieved_module
from llmperf.descriptors.achieved import Achieved
from llmperf.descriptors.fields import (
    FORBID_UNKNOWN_KEYS,
    Bandwidth,
    Bytes,
    BytesOrZero,
    Compute,
    DollarRate,
    Dollars,
    Fraction,
    Hertz,
    Share,
    Switch,
    Text,
    Watts,
    Whole,
)
from llmperf.descriptors.prices import PriceKind, is_date
from llmperf.descriptors.weights import Sparsity
from llmperf.numeric import Real, anywhere, least, most
from llmperf.records import dataclass

Kind = Literal["gpu", "npu", "tpu", "asic", "pim", "fpga", "dataflow", "cpu", "soc", "cxl", "storage", "csd"]
Dtype = Literal["fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "fp6", "fp4", "int8", "int4", "int1", "lookup", "add"]
"""What an engine computes; beside multiply-adds: one-bit products (AND or XOR, and count), look-ups in tables of a
register, additions without a multiplier."""
BEHIND = ("host", "expansion", "storage")
"""Kinds of tiers behind the device."""
Topology = Literal["switch", "mesh"]
OperatorClass = Literal["gemm", "moe", "attention.prefill", "attention.decode", "recurrent", "elementwise", "convert"]


@dataclass(frozen=True, slots=True)
class Engine:
    """One kind of execution unit: its dense peak by dtype, and the tier it reads (None: the main tier)."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    kind: Literal["matrix", "vector"]
    peaks: dict[Dtype, Compute]
    reads: Text | None = None
    skips: dict[Sparsity, list[Dtype]] = field(default_factory=dict)
    """Zeros of weights that it does not multiply, by where they may stand: the dtypes whose products get faster."""


@dataclass(frozen=True, slots=True)
class Tier:
    """A place that holds data.

    ``cache`` is the last-level cache, ``main`` the device memory, ``internal`` memory that only one engine
    reads (PIM banks); ``host``, ``expansion`` (CXL) and ``storage`` are reached through the link `via`, and are shared
    by `sharers` devices (not given: by all of the system), whose capacity and bandwidth together are stated.
    `reserved` is the part of the main memory's capacity that firmware and driver keep: programs see the rest.
    """

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    kind: Literal["onchip", "cache", "main", "internal", "host", "expansion", "storage"]
    capacity: Bytes | None = None
    bandwidth: Bandwidth | None = None
    via: Text | None = None
    sharers: Whole | None = None
    reserved: BytesOrZero = 0.0


@dataclass(frozen=True, slots=True)
class Link:
    """A way out of the device: bandwidth of one direction of one device, and how many devices it joins.

    Through a ``switch`` any peer is reached with the whole bandwidth; a ``mesh`` has an equal part of it to each of
    the `domain` - 1 peers. Over a host link with `peer_to_peer` devices write to each other's memory, through switches
    or root ports; without, all of them share one way through the host: a property of the box, not of the chip.
    """

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    kind: Literal["scale_up", "scale_out", "host"]
    bandwidth: Bandwidth
    domain: Whole | None = None
    in_switch_reduction: Switch = False
    topology: Topology = "switch"
    peer_to_peer: Switch = True


@dataclass(frozen=True, slots=True)
class Cores:
    """Cores of one kind, of a processor that has several: how many, and how fast one is beside one of the fastest."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    count: Whole
    rate: Share = 1.0


@dataclass(frozen=True, slots=True)
class LinkEntry:
    """A link of the catalog, which hardware names by ``links: {fabric: {extends: infiniband-ndr}}``."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    name: Text
    kind: Literal["scale_up", "scale_out", "host"]
    bandwidth: Bandwidth
    sources: dict[Text, Text]
    domain: Whole | None = None
    in_switch_reduction: Switch = False
    topology: Topology = "switch"
    peer_to_peer: Switch = True
    year: Whole | None = None
    aliases: list[Text] = field(default_factory=list)
    notes: Text | None = None


@dataclass(frozen=True, slots=True)
class TierEntry:
    """A memory of the catalog, which hardware names by ``tiers: {cxl: {extends: micron-cz120}}``."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    name: Text
    kind: Literal["host", "expansion", "storage"]
    sources: dict[Text, Text]
    bandwidth: Bandwidth | None = None
    capacity: Bytes | None = None
    year: Whole | None = None
    vendor: Text | None = None
    aliases: list[Text] = field(default_factory=list)
    notes: Text | None = None


PARTS = {
    "links": ("link", ("kind", "bandwidth", "domain", "in_switch_reduction", "topology", "peer_to_peer")),
    "tiers": ("tier", ("kind", "bandwidth", "capacity")),
}
"""Sections of a hardware file whose entries may extend a catalog entry: its kind, and the keys that are taken."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """A chip, or a system of equal chips."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS
    name: Text
    kind: Kind
    vendor: Text
    engines: dict[Text, Engine]
    tiers: dict[Text, Tier]
    achieved: Achieved
    sources: dict[Text, Text]
    links: dict[Text, Link] = field(default_factory=dict)
    aliases: list[Text] = field(default_factory=list)
    year: Whole | None = None
    generation: Text | None = None
    devices: Whole | None = None
    """Devices in the system; None: a bare chip, of which any number is assumed on its own links."""
    count: Whole | None = None
    """How many of it stand side by side, where they are asked for by number: 8 chips, or 2 systems."""
    cores: Whole | None = None
    core_kinds: list[Cores] = field(default_factory=list)
    """Of a processor whose cores differ: its kinds, the fastest first."""
    clock: Hertz | None = None
    tdp: Watts | None = None
    price: Dollars | None = None
    rent: DollarRate | None = None
    rent_kind: PriceKind | None = None
    rent_date: Text | None = None
    """When the rent was read, or held: ``2026-03``."""
    price_date: Text | None = None
    placement: dict[OperatorClass, Text] = field(default_factory=dict)
    """Operator classes that run on another engine than the first matrix or vector engine."""
    concurrency: Fraction = 0.0
    """Share of the shorter side hidden when two engines work at once (0: one waits for the other)."""
    memory_order: list[Text] = field(default_factory=list)
    """Tiers that hold weights and KV cache, in the order they fill; empty: the main tier alone."""
    memory_overlap: Fraction = 0.0
    """Share of a transfer from later tiers that hides behind computing."""
    notes: Text | None = None

    def share_of(self, threads: Real) -> Real:
        """Share of its rate that a processor reaches with so many threads, on the fastest cores first.

        Parameters
        ----------
        threads : number or array
            More than there are cores (simultaneous multithreading) are not faster. [1]

        Returns
        -------
        number or array
            1 where the number of cores is not known. [1]
        """
        kinds = self.core_kinds or ([Cores(self.cores)] if self.cores is not None else [])
        busy: Real = 0.0
        before: Real = 0.0
        for kind in kinds:
            busy = busy + kind.rate * least(most(threads - before, 0.0), kind.count)
            before = before + kind.count
        return busy / sum(kind.rate * kind.count for kind in kinds) if kinds else 1.0

    @property
    def main(self) -> Tier:
        """The device memory."""
        return next(tier for tier in self.tiers.values() if tier.kind == "main")

    @property
    def cache(self) -> Tier | None:
        """The last-level cache, or None where none is known."""
        return next((tier for tier in self.tiers.values() if tier.kind == "cache"), None)

    def behind(self, name: str) -> str | None:
        """The tier behind the device that is called so, or else the first of that kind; None where there is none."""
        found = {key: tier.kind for key, tier in self.tiers.items() if tier.kind in BEHIND}
        return name if name in found else next((key for key, kind in found.items() if kind == name), None)

    def link(self, kind: str) -> Link | None:
        """The link of a level, or None."""
        return next((link for link in self.links.values() if link.kind == kind), None)

    def engine(self, operator_class: str, kind: str = "matrix") -> Engine | None:
        """The engine that runs an operator class: the placed one, else the first of that kind."""
        placed = self.placement.get(operator_class)  # type: ignore[call-overload]
        if placed is not None:
            return self.engines[placed]
        return next((engine for engine in self.engines.values() if engine.kind == kind), None)


def missing(hardware: Hardware) -> list[tuple[str, str]]:
    """What a roofline needs and this hardware lacks: (path, what to add) pairs, empty when complete."""
    lacks = []
    main = [tier for tier in hardware.tiers.values() if tier.kind == "main"]
    if len(main) != 1 or main[0].capacity is None or main[0].bandwidth is None:
        lacks.append(("tiers", "needs exactly one tier of kind main, with capacity and bandwidth"))
    if not any(engine.kind == "matrix" and engine.peaks for engine in hardware.engines.values()):
        lacks.append(("engines", "needs an engine of kind matrix with a dense peak"))
    return lacks


def _names(parts: Mapping[str, object]) -> str:
    return ", ".join(parts) or "none"


MOST_RENT = 200.0
"""Largest rent of a device that is believed: a bare number in a file is in USD a second. [USD/h]"""


def _tier_contradictions(hardware: Hardware) -> list[tuple[str, str]]:
    found = []
    for name, tier in hardware.tiers.items():
        if anywhere(tier.reserved > 0) and tier.kind != "main":
            found.append((f"tiers.{name}.reserved", "a driver reserves a part of the main memory alone"))
        elif tier.capacity is not None and anywhere(tier.reserved >= tier.capacity):
            found.append((f"tiers.{name}.reserved", "must leave something of the capacity"))
        if tier.via is not None and tier.via not in hardware.links:
            found.append((f"tiers.{name}.via", f"{tier.via} is no link; links: {_names(hardware.links)}"))
        if tier.kind in BEHIND and tier.via is None and tier.bandwidth is None:
            found.append((f"tiers.{name}", "needs the link it is reached through (via), or a bandwidth"))
    return found


def contradictions(hardware: Hardware) -> list[tuple[str, str]]:
    """What in a hardware's fields contradicts itself: (path, message) pairs."""
    found = missing(hardware)
    if hardware.rent is not None and hardware.rent * 3600.0 > MOST_RENT:
        text = f"{hardware.rent:g} USD/s is {hardware.rent * 3600.0:,.0f} USD an hour: write the unit, as in 3.9 USD/h"
        found.append(("rent", text))
    if hardware.rent_kind == "purchase":
        found.append(("rent_kind", "purchase is no kind of a rent"))
    if hardware.rent_date is not None and not is_date(hardware.rent_date):
        found.append(("rent_date", f"{hardware.rent_date} is no date such as 2026-11"))
    found += [(f"achieved.{path}", text) for path, text in achieved_module.contradictions(hardware.achieved)]
    for name, engine in hardware.engines.items():
        if engine.reads is not None and (
            engine.reads not in hardware.tiers or hardware.tiers[engine.reads].bandwidth is None
        ):
            found.append(
                (
                    f"engines.{name}.reads",
                    f"{engine.reads} is no tier with a bandwidth; tiers: {_names(hardware.tiers)}",
                )
            )
    for name, link in hardware.links.items():
        if not link.peer_to_peer and link.kind != "host":
            found.append((f"links.{name}.peer_to_peer", "may be false of links of the kind host alone"))
        elif not link.peer_to_peer and not hardware.achieved.through_host:
            text = f"nothing is known of collectives through the host: achieved {hardware.achieved.name} has none"
            found.append((f"links.{name}.peer_to_peer", text))
    found += _tier_contradictions(hardware)
    for operator_class, name in hardware.placement.items():
        if name not in hardware.engines:
            found.append((f"placement.{operator_class}", f"{name} is no engine; engines: {_names(hardware.engines)}"))
    for name in hardware.memory_order:
        if name not in hardware.tiers or hardware.tiers[name].capacity is None:
            found.append(("memory_order", f"{name} is no tier with a capacity; tiers: {_names(hardware.tiers)}"))
    if hardware.memory_order and not found and hardware.tiers[hardware.memory_order[0]].kind != "main":
        found.append(("memory_order", "must begin with the main tier"))
    return found

"""Placement: which share of weights and KV cache lies in which memory tier, and what moving it costs.

What fits stays in the main memory, weights first; the rest goes to the next tiers in their order. A tier that is
reached through a link is streamed through that link in every step; one without a link (CXL memory of a host
processor) is read directly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from llmperf.costs.residence import Residence
from llmperf.costs.step import AWAY, StepCosts, Sum, combine
from llmperf.descriptors.hardware import Hardware, Tier
from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError, Problem, nearest
from llmperf.numeric import Real, anywhere, least, most
from llmperf.operators.tensors import KEPT, READ_ONLY, Tensor
from llmperf.phases.memory import TINY, Memory, sharers, tier_of_cache
from llmperf.resources import HOST_LINK, MEMORY, outwards


@dataclass(frozen=True, slots=True)
class Share:
    """What one tier behind the main memory holds.

    Attributes
    ----------
    name, tier : str, Tier
        Its name in the hardware's file, and the tier.
    shares, sizes : mapping of str to number or array
        Of each tensor class (`llmperf.operators.tensors.KEPT`): the share that lies here, and its bytes. [1], [B]
    weights, kv_cache : number or array
        Share of all weights, experts included, and of KV cache and states together. [1]
    chosen_bytes : number or array
        Bytes of KV cache that lie here because the KV-cache method puts them here, not for want of room. [B]
    """

    name: str
    tier: Tier
    shares: Mapping[Tensor, Real]
    sizes: Mapping[Tensor, Real]
    weights: Real = 0.0
    kv_cache: Real = 0.0
    chosen_bytes: Real = 0.0

    @property
    def weights_bytes(self) -> Real:
        """Bytes of weights, experts included. [B]"""
        return sum(self.sizes.get(tensor, 0.0) for tensor in READ_ONLY)

    @property
    def kv_bytes(self) -> Real:
        """Bytes of KV cache and states. [B]"""
        return sum(size for tensor, size in self.sizes.items() if tensor not in READ_ONLY)

    @property
    def streamed(self) -> bool:
        """Whether its content passes a link to the device in every step."""
        return self.tier.via is not None


@dataclass(frozen=True, slots=True)
class Placed:
    """Where weights, KV cache and states lie.

    Attributes
    ----------
    shares : tuple of Share
        Tiers behind the main memory, in their order; empty when all stays on the device.
    missing : number or array
        Bytes of one device that found no place. [B]
    room : number or array
        Bytes of one device that are left for KV cache, in all tiers, when steps fill the token budget. [B]
    overlap : number
        Share of a transfer that hides behind computing. [1]
    residence : Residence
        The shares, as prices ask for them.
    """

    shares: tuple[Share, ...]
    missing: Real
    room: Real
    overlap: Real
    residence: Residence = field(init=False)

    def __post_init__(self) -> None:
        held = {share.name: share.shares for share in self.shares}
        direct = frozenset(share.name for share in self.shares if not share.streamed)
        object.__setattr__(self, "residence", Residence(held, direct))


def tier_order(scenario: Scenario) -> list[str]:
    """Tiers that hold weights and KV cache, the main memory first.

    Raises
    ------
    InputError
        If the placement names a tier that the hardware lacks or whose capacity is unknown.
    """
    hardware = scenario.hardware
    main = next(name for name, tier in hardware.tiers.items() if tier.kind == "main")
    named = scenario.placement.tiers
    if named is None:
        return list(hardware.memory_order) or [main]
    usable = tuple(name for name, tier in hardware.tiers.items() if tier.kind not in ("cache", "onchip", "internal"))
    if not named:
        raise InputError(Problem("names no tier", "placement.tiers", allowed=usable))
    twice = [name for name in dict.fromkeys(named) if named.count(name) > 1]
    if twice:
        raise InputError(Problem(f"{', '.join(twice)} stands twice", "placement.tiers", allowed=usable))
    wrong = [name for name in named if name not in usable]
    if wrong:
        raise InputError(
            [
                Problem(
                    f"{hardware.name} has no memory tier called {name}",
                    "placement.tiers",
                    allowed=usable,
                    suggestion=nearest(name, usable),
                )
                for name in wrong
            ]
        )
    unknown = [name for name in named if hardware.tiers[name].capacity is None]
    if unknown:
        raise InputError([Problem(f"the capacity of {name} is not known", "placement.tiers") for name in unknown])
    return [main, *[name for name in named if name != main]]


def place(scenario: Scenario, need: Memory) -> Placed:
    """Fill the tiers.

    Parameters
    ----------
    scenario : Scenario
    need : Memory
        What one device needs (`llmperf.phases.memory.memory`).
    """
    hardware, wanted = scenario.hardware, scenario.placement
    order = tier_order(scenario)
    for name, share in (("weights", wanted.weights), ("kv_cache", wanted.kv_cache)):
        if share is not None and anywhere(share < 1.0) and len(order) == 1:
            text = f"a part of it must go to another tier, and {hardware.name} has none that is named"
            raise InputError(Problem(text, f"placement.{name}", suggestion="name them: placement.tiers"))
    weights, kv = need.weights.max(axis=0), need.kv_cache.max(axis=0)
    parts: dict[Tensor, Real] = {"experts": need.experts.max(axis=0), "states": need.states.max(axis=0)}
    whole: dict[Tensor, Real] = {"weights": weights - parts["experts"], "kv_cache": kv - parts["states"], **parts}
    room = need.usable - need.fixed
    left_weights = most(weights - most(room, 0.0), 0.0)
    if wanted.weights is not None:
        left_weights = most(left_weights, weights * (1.0 - wanted.weights))
    room_kv = room - (weights - left_weights)
    left_kv = most(kv - most(room_kv, 0.0), 0.0)
    if wanted.kv_cache is not None:
        left_kv = most(left_kv, kv * (1.0 - wanted.kv_cache))
    shares = []
    total_room = room_kv
    method, own_tier = scenario.kv_cache.offload, tier_of_cache(scenario)
    for name in order[1:]:
        tier = hardware.tiers[name]
        capacity = (tier.capacity or 0.0) / sharers(scenario, tier)
        if name == own_tier:
            capacity = most(capacity - need.away, 0.0)
        moved = least(left_weights, capacity)
        moved_kv = least(left_kv, capacity - moved)
        total_room = total_room + capacity - moved
        left_weights, left_kv = left_weights - moved, left_kv - moved_kv
        last = name == order[-1]  # what has no place is timed as if the last tier had it
        held, held_kv = (moved + left_weights, moved_kv + left_kv) if last else (moved, moved_kv)
        of_weights, of_kv = held / weights, held_kv / most(kv, TINY)
        each: dict[Tensor, Real] = {tensor: of_weights if tensor in READ_ONLY else of_kv for tensor in KEPT}
        sizes = {tensor: share * whole[tensor] for tensor, share in each.items()}
        shares.append(Share(name, tier, each, sizes, of_weights, of_kv))
    own = method.overlap if method is not None else None
    overlap = next(
        value
        for value in (wanted.overlap, own, scenario.engine.memory_overlap, hardware.memory_overlap)
        if value is not None
    )
    missing = left_weights + left_kv + most(-room, 0.0)
    if own_tier is not None:
        missing = missing + most(need.away - need.elsewhere, 0.0)
        named = {share.name: share for share in shares}
        bare = Share(own_tier, hardware.tiers[own_tier], {}, {})
        named[own_tier] = replace(named.get(own_tier, bare), chosen_bytes=need.away)
        shares = list(named.values())
    return Placed(tuple(shares), missing, total_room - (need.reserved - need.activations), overlap)


def bandwidths(hardware: Hardware, share: Share, sharers: Real) -> dict[str, Real]:
    """Rate of each resource on the way from a tier to one device. [B/s]"""
    rates: dict[str, Real] = {}
    if share.tier.bandwidth is not None:
        rates[MEMORY[share.tier.kind]] = share.tier.bandwidth / sharers
    if share.tier.via is not None:
        rates[HOST_LINK] = hardware.links[share.tier.via].bandwidth
    return rates


@dataclass(frozen=True, slots=True)
class Transfer:
    """What one step moves from the tiers behind the main memory, as time of each resource on the way. [s]

    Attributes
    ----------
    streamed, direct : dict of str to Sum
        At the reached rates: transfers through links, and reads without one.
    shared, own : dict of str to Sum
        At the peak rates: what steps that follow each other may share, having only read it (weights), and what each of
        them moves for itself (KV cache, states). A link carries both directions at once; what leaves the device is
        called ``link.host:out``.
    """

    streamed: dict[str, Sum]
    direct: dict[str, Sum]
    shared: dict[str, Sum]
    own: dict[str, Sum]


def transfers(scenario: Scenario, placed: Placed, costs: StepCosts) -> Transfer:
    """Transfers of one priced step."""
    fraction = scenario.hardware.achieved.transfer.bandwidth
    out = Transfer({}, {}, {}, {})
    for share in placed.shares:
        ways = [(tensor, way, _share_of(share, costs, tensor, way)) for tensor in KEPT for way in ("read", "write")]
        found = [(tensor, way, part) for tensor, way, part in ways if part is not None]
        for resource, rate in bandwidths(scenario.hardware, share, sharers(scenario, share.tier)).items():
            for tensor, way, part in found:
                _put(out.streamed if share.streamed else out.direct, resource, part, rate * fraction)
                name = resource if way == "read" else outwards(resource)
                _put(out.shared if tensor in READ_ONLY else out.own, name, part, rate)
    _method_transfers(scenario, costs, fraction, out)
    return out


def _share_of(share: Share, costs: StepCosts, tensor: Tensor, direction: str) -> Sum | None:
    """Bytes of a tensor class that a step moves in one direction to or from a tier; None where there are none. [B]"""
    fraction = share.shares.get(tensor, 0.0)
    if not isinstance(fraction, np.ndarray) and fraction == 0.0:
        return None
    moved = costs.bytes((tensor,), direction)
    return None if moved is None else combine(lambda size: fraction * size, moved)


def _method_transfers(scenario: Scenario, costs: StepCosts, fraction: Real, out: Transfer) -> None:
    """What the KV-cache method fetches from its tier, and what prompts send there."""
    name = tier_of_cache(scenario)
    if name is None:
        return
    share = Share(name, scenario.hardware.tiers[name], {}, {})
    for resource, rate in bandwidths(scenario.hardware, share, sharers(scenario, share.tier)).items():
        for direction, key in (("read", resource), ("write", outwards(resource))):
            moved = costs.bytes(("kv_cache",), direction, AWAY)
            if moved is not None:
                _put(out.streamed if share.streamed else out.direct, resource, moved, rate * fraction)
                _put(out.own, key, moved, rate)


def _put(into: dict[str, Sum], resource: str, moved: Sum, rate: Real) -> None:
    part = combine(lambda size: size / rate, moved)
    into[resource] = into[resource] + part if resource in into else part

"""Placement: which share of weights and KV cache lies in which memory tier, and what moving it costs.

What fits stays in the main memory, weights first; the rest goes to the next tiers in their order. A tier that is
reached through a link is streamed through that link in every step; one without a link (CXL memory of a host
processor) is read directly.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field, replace

import numpy as np

from llmperf.costs.residence import Residence
from llmperf.costs.step import AWAY, StepCosts, Sum, combine
from llmperf.descriptors.hardware import Hardware, Tier
from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError, Problem, nearest
from llmperf.numeric import Real, anywhere, least, most
from llmperf.operators.tensors import KEPT, READ_ONLY, Tensor
from llmperf.phases.memory import TINY, Memory, sharers, tier_of_cache
from llmperf.records import dataclass
from llmperf.resources import HOST_LINK, MAIN, MEMORY, outwards


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
    alone : Placed or None
        Where the same lies if sequences run one after the other, so that each has all the room; None where all stays on
        the device anyway.
    """

    shares: tuple[Share, ...]
    missing: Real
    room: Real
    overlap: Real
    alone: Placed | None = None
    residence: Residence = field(init=False)

    def __post_init__(self) -> None:
        held = {share.name: share.shares for share in self.shares}
        direct = frozenset(share.name for share in self.shares if not share.streamed)
        object.__setattr__(self, "residence", Residence(held, direct))


def usable(hardware: Hardware) -> tuple[str, ...]:
    """Tiers that can hold weights, KV cache and states."""
    return tuple(name for name, tier in hardware.tiers.items() if tier.kind not in ("cache", "onchip", "internal"))


def _faults(hardware: Hardware, named: Collection[str], path: str) -> list[Problem]:
    """What is wrong with names of tiers."""
    allowed = usable(hardware)
    found = []
    for name in named:
        if name not in allowed:
            text = f"{hardware.name} has no memory tier called {name}"
            found.append(Problem(text, path, allowed=allowed, suggestion=nearest(name, allowed)))
        elif hardware.tiers[name].capacity is None:
            found.append(Problem(f"the capacity of {name} is not known", path))
    return found


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
    if not named:
        raise InputError(Problem("names no tier", "placement.tiers", allowed=usable(hardware)))
    twice = [name for name in dict.fromkeys(named) if named.count(name) > 1]
    if twice:
        raise InputError(Problem(f"{', '.join(twice)} stands twice", "placement.tiers", allowed=usable(hardware)))
    if faults := _faults(hardware, named, "placement.tiers"):
        raise InputError(faults)
    return [main, *[name for name in named if name != main]]


def _asked(scenario: Scenario, order: list[str]) -> dict[Tensor, dict[str, Real]]:
    """Shares of tensor classes that a placement puts into tiers behind the main memory, by class and tier. [1]

    Raises
    ------
    InputError
        If a class cannot be placed, or twice, or into a tier that is not there, or more than all of it.
    """
    wanted, hardware, model = scenario.placement, scenario.hardware, scenario.model
    faults: list[Problem] = []
    out: dict[Tensor, dict[str, Real]] = {}
    lacking = {"experts": model.moe is None, "states": model.ssm is None, "kv_cache": model.attention is None}
    for tensor, given in wanted.tensors.items():
        path = f"placement.tensors.{tensor}"
        whole = sum(given.values())
        if tensor not in KEPT:
            text = f"inference keeps no {tensor} from step to step"
            faults.append(Problem(text, path, allowed=KEPT, kind="not_yet"))
        elif lacking.get(tensor):
            faults.append(Problem(f"{model.name} has no {tensor.replace('_', ' ')}", path))
        elif (wanted.weights if tensor in READ_ONLY else wanted.kv_cache) is not None:
            other = "placement.weights" if tensor in READ_ONLY else "placement.kv_cache"
            faults.append(Problem(f"is placed twice, here and by {other}", path, suggestion="write it once"))
        elif anywhere(whole > 1.0 + ROUNDING):
            faults.append(Problem("the shares are more than the whole", path))
        elif wrong := _faults(hardware, given, path):
            faults += wrong
        else:
            main = order[0]
            behind: dict[str, Real] = {name: share for name, share in given.items() if name != main}
            if main in given and anywhere(whole < 1.0 - ROUNDING):
                if len(order) == 1:
                    text = f"a part of it must go to another tier, and {hardware.name} has none that is named"
                    faults.append(Problem(text, path, suggestion="name it beside the other share"))
                    continue
                behind[order[1]] = behind.get(order[1], 0.0) + (1.0 - whole)
            out[tensor] = behind
    if faults:
        raise InputError(faults)
    return out


ROUNDING = 1e-9
"""Sum of shares beyond 1 that is no fault. [1]"""


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
    asked = _asked(scenario, order) if wanted.tensors else {}
    free_weights, free_kv = weights - _put_there(asked, whole, READ_ONLY), kv - _put_there(asked, whole, OTHERS)
    room = need.usable - need.fixed
    left_weights = most(free_weights - most(room, 0.0), 0.0)
    if wanted.weights is not None:
        left_weights = most(left_weights, weights * (1.0 - wanted.weights))
    room_kv = room - (free_weights - left_weights)
    left_kv = most(free_kv - most(room_kv, 0.0), 0.0)
    if wanted.kv_cache is not None:
        left_kv = most(left_kv, kv * (1.0 - wanted.kv_cache))
    shares = []
    total_room, over = room_kv, 0.0 * room
    limits: list[Real] = []
    method, own_tier = scenario.kv_cache.offload, tier_of_cache(scenario)
    named = dict.fromkeys(name for places in asked.values() for name in places)
    for name in (*order[1:], *(name for name in named if name not in order)):
        tier = hardware.tiers[name]
        capacity = (0.0 if tier.capacity is None else tier.capacity) / sharers(scenario, tier)
        if name == own_tier:
            capacity = most(capacity - need.away, 0.0)
        own = _put_there(asked, whole, READ_ONLY, name)
        own_kv = _put_there(asked, whole, OTHERS, name)
        over = over + most(own + own_kv - capacity, 0.0)
        left = most(capacity - own - own_kv, 0.0)
        fills = name in order
        moved = least(left_weights, left) if fills else 0.0 * left
        moved_kv = least(left_kv, left - moved) if fills else 0.0 * left
        if name in asked.get("kv_cache", {}):
            limits.append(most(capacity - own - moved, 0.0) / most(asked["kv_cache"][name], TINY))
        if fills:
            total_room = total_room + most(capacity - own, 0.0) - moved
        left_weights, left_kv = left_weights - moved, left_kv - moved_kv
        last = name == order[-1]  # what has no place is timed as if the last tier had it
        held, held_kv = (moved + left_weights, moved_kv + left_kv) if last else (moved, moved_kv)
        each: dict[Tensor, Real] = {}
        for tensor in KEPT:
            filled = held / most(free_weights, TINY) if tensor in READ_ONLY else held_kv / most(free_kv, TINY)
            there = asked.get(tensor, {})
            each[tensor] = filled if not there else there.get(name, 0.0) + filled * (1.0 - sum(there.values()))
        sizes = {tensor: share * whole[tensor] for tensor, share in each.items()}
        shares.append(Share(name, tier, each, sizes, (own + held) / weights, (own_kv + held_kv) / most(kv, TINY)))
    if limits:  # where shares are fixed, the first tier that is full ends the growth of the cache
        limits.append(total_room / most(1.0 - sum(asked["kv_cache"].values()), TINY))
        total_room = limits[0]
        for limit in limits[1:]:
            total_room = least(total_room, limit)
    own_overlap = method.overlap if method is not None else None
    overlap = next(
        value
        for value in (wanted.overlap, own_overlap, scenario.engine.memory_overlap, hardware.memory_overlap)
        if value is not None
    )
    missing = left_weights + left_kv + most(-room, 0.0) + over
    if own_tier is not None:
        missing = missing + most(need.away - need.elsewhere, 0.0)
        known = {share.name: share for share in shares}
        bare = Share(own_tier, hardware.tiers[own_tier], {}, {})
        known[own_tier] = replace(known.get(own_tier, bare), chosen_bytes=need.away)
        shares = list(known.values())
    left = total_room - left_weights - (need.reserved - need.activations)  # weights without a place leave none
    return Placed(tuple(shares), missing, left, overlap)


OTHERS: tuple[Tensor, ...] = tuple(tensor for tensor in KEPT if tensor not in READ_ONLY)


def _put_there(
    asked: Mapping[Tensor, Mapping[str, Real]],
    whole: Mapping[Tensor, Real],
    tensors: tuple[Tensor, ...],
    tier: str | None = None,
) -> Real:
    """Bytes of tensor classes that a placement puts into a tier, or into all that it names. [B]"""
    return sum(
        (
            share * whole[tensor]
            for tensor in tensors
            for name, share in asked.get(tensor, {}).items()
            if tier in (None, name)
        ),
        0.0,
    )


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


ON_DEVICE = (MAIN, MEMORY["internal"])
"""Memories that what lies in a tier must reach; an engine that reads a tier itself has it there already."""


def _share_of(share: Share, costs: StepCosts, tensor: Tensor, direction: str) -> Sum | None:
    """Bytes of a tensor class that a step moves in one direction to or from a tier; None where there are none. [B]"""
    fraction = share.shares.get(tensor, 0.0)
    if not isinstance(fraction, np.ndarray) and fraction == 0.0:
        return None
    moved = costs.bytes((tensor,), direction, ON_DEVICE)
    return None if moved is None else combine(lambda size: fraction * size, moved)


def _method_transfers(scenario: Scenario, costs: StepCosts, fraction: Real, out: Transfer) -> None:
    """What the KV-cache method fetches from its tier, and what prompts send there."""
    name = tier_of_cache(scenario)
    if name is None:
        return
    share = Share(name, scenario.hardware.tiers[name], {}, {})
    for resource, rate in bandwidths(scenario.hardware, share, sharers(scenario, share.tier)).items():
        for direction, key in (("read", resource), ("write", outwards(resource))):
            moved = costs.bytes(("kv_cache",), direction, (AWAY,))
            if moved is not None:
                _put(out.streamed if share.streamed else out.direct, resource, moved, rate * fraction)
                _put(out.own, key, moved, rate)


def _put(into: dict[str, Sum], resource: str, moved: Sum, rate: Real) -> None:
    part = combine(lambda size: size / rate, moved)
    into[resource] = into[resource] + part if resource in into else part

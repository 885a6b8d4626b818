"""What only shows when layout, hardware, model and workload of a scenario are seen together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from llmperf.descriptors import prices, traffic
from llmperf.descriptors.hardware import BEHIND, Hardware
from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError, Problem
from llmperf.files.documents import Document
from llmperf.numeric import anywhere
from llmperf.operators import divisions

HOST_DEVICES = 8
"""Accelerators that one host holds, as servers of PCIe cards are built."""

Fault = tuple[str, str]
"""Path and message."""


def check_together(scenario: Scenario, document: Document | None) -> None:
    """Check a scenario as a whole.

    Raises
    ------
    InputError
        If the layout does not suit the hardware or the model, or the workload not the model; lists all faults.
    """
    found = [
        *_layout_on_hardware(scenario),
        *_layout_of_model(scenario),
        *_workload_of_model(scenario),
        *_method_of_cache(scenario),
        *((f"prices.{path}", text) for path, text in prices.contradictions(scenario.prices)),
    ]
    if scenario.traffic is not None:
        found += [(f"traffic.{path}".rstrip("."), text) for path, text in traffic.contradictions(scenario.traffic)]
    if found:
        file = document.file if document else None
        raise InputError([Problem(text, path, file, document.line(path) if document else None) for path, text in found])
    _starts(scenario, document)


def _starts(scenario: Scenario, document: Document | None) -> None:
    """Refuse a layout that the engine refuses, where the file says it."""
    try:
        divisions.check(scenario.model, scenario.weights, scenario.engine, scenario.parallelism)
    except InputError as error:
        if document is None:
            raise
        where = ((one, document.line(one.path)) for one in error.problems)
        raise InputError([replace(one, file=document.file, line=line) for one, line in where]) from error


def _layout_on_hardware(scenario: Scenario) -> list[Fault]:
    layout, hardware, used = scenario.parallelism, scenario.hardware, scenario.parallelism.devices
    found = []
    if anywhere(used != scenario.devices):
        found.append(("devices", f"{_say(scenario.devices)} is not tp x pp x cp x dp x replicas = {_say(used)}"))
    if hardware.devices is not None and anywhere(used > hardware.devices):
        found.append(("parallelism", f"the layout uses {_say(used)} devices, {hardware.name} has {hardware.devices:g}"))
    elif anywhere(used / layout.replicas > 1) and not hardware.links:
        found.append(("parallelism", f"{hardware.name} has no link to other devices"))
    elif _leaves_domain(scenario):
        text = f"the layout leaves the scale-up domain and {hardware.name} has no scale_out link"
        found.append(("parallelism", text))
    return found


def _leaves_domain(scenario: Scenario) -> bool:
    hardware, layout = scenario.hardware, scenario.parallelism
    link = hardware.link("scale_up")
    if link is None or link.domain is None or hardware.link("scale_out") is not None:
        return False
    return anywhere(layout.devices / layout.replicas > within(hardware))


def within(hardware: Hardware) -> int:
    """Devices that reach each other without a network: those of a scale-up domain, or of a host."""
    link = hardware.link("scale_up")
    domain = 1 if link is None else int(link.domain or hardware.devices or 1)
    # cards that a bridge joins in pairs reach the others of their host over its bus
    return domain if hardware.link("host") is None else max(domain, HOST_DEVICES)


def _layout_of_model(scenario: Scenario) -> list[Fault]:
    layout, model = scenario.parallelism, scenario.model
    found = []
    heads = model.attention.heads if model.attention else 0
    if heads and anywhere(layout.tp > heads):
        found.append(("parallelism.tp", f"{_say(layout.tp)} is more than the {heads:g} attention heads"))
    if anywhere(layout.pp > model.layers):
        found.append(("parallelism.pp", f"{_say(layout.pp)} is more than the {model.layers:g} layers"))
    if anywhere(layout.expert_group % layout.ep != 0):
        group, ep = _first(layout.expert_group % layout.ep != 0, layout.expert_group, layout.ep)
        text = f"{ep:g} does not divide tp x cp x dp = {group:g}"
        found.append(("parallelism.ep", text))
    if model.moe is None and anywhere(layout.ep > 1):
        found.append(("parallelism.ep", f"{model.name} has no experts"))
    elif model.moe is not None and anywhere(layout.ep > model.moe.experts):
        found.append(("parallelism.ep", f"{_say(layout.ep)} is more than the {model.moe.experts:g} experts"))
    return found


def _workload_of_model(scenario: Scenario) -> list[Fault]:
    model, work = scenario.model, scenario.workload
    found = []
    if anywhere(work.shared_prefix >= work.input):
        found.append(("workload.shared_prefix", "must be less than input: one new token at least is computed"))
    if not model.generates and anywhere(work.output > 1):
        found.append(("workload.output", f"{model.name} generates no tokens; the output must be 1"))
    if model.vision and anywhere(work.input != model.max_context):
        found.append(("workload.input", f"{model.name} takes {model.max_context:g} tokens a picture, always"))
    encodes = model.encoder is not None and not model.encoder.positions
    length = work.output + 1 if encodes else work.input + work.output
    if model.generates and anywhere(length > model.max_context):
        text = (
            f"input + output = {_say(length)} is more than the {model.max_context:.12g} tokens that {model.name} allows"
        )
        found.append(("workload", text))
    return found


def _method_of_cache(scenario: Scenario) -> list[Fault]:
    """What a KV-cache method assumes of the model, the hardware and the workload."""
    method, model = scenario.kv_cache, scenario.model
    found = []
    if method.offload is not None:
        found += _tier_of_cache(scenario.hardware, method.offload.tier)
        text = f"{method.name} keeps its cache in {method.offload.tier}: no share of it can be placed"
        if scenario.placement.kv_cache is not None:
            found.append(("placement.kv_cache", text))
        if "kv_cache" in scenario.placement.tensors:
            found.append(("placement.tensors.kv_cache", text))
    drops = method.budget is not None or method.windowed is not None
    if drops and anywhere(scenario.workload.shared_prefix > 0):
        text = f"{method.name} drops tokens by what one request asks: a prefix that is kept for others needs them all"
        found.append(("workload.shared_prefix", text))
    if method.offload is not None and anywhere(scenario.workload.shared_prefix > 0):
        text = f"{method.name} keeps its cache in {method.offload.tier}: fetching a shared prefix is not modelled"
        found.append(("workload.shared_prefix", text))
    if model.mla is not None:
        parts = {
            "windowed": method.windowed is not None and method.windowed.by == "heads",
            "values": method.values is not None,
            "low_rank": method.low_rank is not None,
            "offload.part": method.offload is not None and method.offload.part == "values",
        }
        text = f"{model.name} keeps one latent for all heads: it has no keys and values of their own"
        found += [(f"kv_cache.{part}", text) for part, used in parts.items() if used]
    if model.indexer is not None and (drops or method.reads is not None):
        found.append(("kv_cache", f"{model.name} chooses the tokens that it reads itself: {method.name} cannot"))
    return found


def _tier_of_cache(hardware: Hardware, wanted: str) -> list[Fault]:
    name = hardware.behind(wanted)
    if name is None:
        known = ", ".join(key for key, tier in hardware.tiers.items() if tier.kind in BEHIND) or "none"
        text = (
            f"{hardware.name} has no tier behind the device that is called, or of the kind, {wanted} (it has {known})"
        )
        hint = "add one: hardware: {extends: ..., tiers: {dram: {kind: host, capacity: 512 GiB, via: pcie}}}"
        return [("kv_cache.offload.tier", f"{text}; {hint}")]
    if hardware.tiers[name].capacity is None:
        return [("kv_cache.offload.tier", f"the capacity of {name} is not known")]
    return []


def _first(wrong: Any, *values: Any) -> tuple[float, ...]:
    """Values of the first configuration that is wrong."""
    flat = [np.ravel(value) for value in np.broadcast_arrays(wrong, *values)]
    index = int(flat[0].argmax())
    return tuple(float(column[index]) for column in flat[1:])


def _say(value: Any) -> str:
    return f"up to {np.max(value):.12g}" if isinstance(value, np.ndarray) else f"{value:.12g}"

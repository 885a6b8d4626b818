"""Classes of error bands: which measured rows say something about a scenario."""

from __future__ import annotations

import numpy as np

from llmperf.descriptors.hardware import Hardware
from llmperf.descriptors.scenario import Scenario

PHASES = ("prefill", "decode", "e2e")


def band(phase: str, scenario: Scenario) -> str:
    """The class of a result: ``phase/hardware class/bits of a weight/regime``.

    Parameters
    ----------
    phase : str
        One of `PHASES`.
    scenario : Scenario
        Resolved; its layout, formats and model are those of one configuration.

    Returns
    -------
    str
        Such as ``decode/gpu-hbm/16/tp``.
    """
    return "/".join((phase, hardware_class(scenario.hardware), bits_class(scenario), regime(scenario)))


def hardware_class(hardware: Hardware) -> str:
    """The kind of a hardware and of its main memory, which set its errors: ``gpu-hbm``, ``gpu-gddr``, ``soc-lpddr``."""
    memory = next(name for name, tier in hardware.tiers.items() if tier.kind == "main")
    return f"{hardware.kind}-{memory}"


def bits_class(scenario: Scenario) -> str:
    """Bits of a weight, rounded to 16, 8 or 4."""
    bits = float(np.min(scenario.weights.bits))
    return "16" if bits > 10.0 else "8" if bits > 6.0 else "4"


def regime(scenario: Scenario) -> str:
    """What else decides: data elsewhere than in the main memory, experts, several devices, or none of these."""
    layout, hardware = scenario.parallelism, scenario.hardware
    if (
        scenario.placement.tiers
        or scenario.placement.tensors
        or len(hardware.memory_order) > 1
        or scenario.kv_cache.offload is not None
    ):
        return "offload"
    if scenario.model.moe is not None:
        return "moe"
    return "tp" if np.max(layout.devices / layout.replicas) > 1 else "single"

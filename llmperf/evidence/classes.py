"""Classes of error bands: which measured rows say something about a scenario."""

from __future__ import annotations

import re

import numpy as np

from llmperf.descriptors.hardware import Hardware
from llmperf.descriptors.parameters import parameters
from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import first
from llmperf.records import dataclass

PHASES = ("prefill", "ttft", "decode", "e2e")
"""What a row measures: prompts alone, first tokens of a service (waiting included), further tokens, whole requests."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a measured row, or an answer, is about.

    Attributes
    ----------
    phase : str
        One of `PHASES`.
    hardware, regime, engine : str
        `hardware_class`, `regime` and `engine_family`: with the phase, the class.
    model, chip : str
        Model, and chip by its own constants, else by its name; with the engine, the group: its rows are alike, and
        count as one.
    parameters, bits, devices, batch, length : float
        Size of the model, bits of a weight, devices of a copy, sequences at once, tokens of a prompt. [1]
    """

    phase: str
    hardware: str
    regime: str
    engine: str
    model: str
    chip: str
    parameters: float
    bits: float
    devices: float
    batch: float
    length: float

    @property
    def name(self) -> str:
        """The class: ``decode/gpu-hbm/tp/vllm``."""
        return "/".join((self.phase, self.hardware, self.regime, self.engine))

    @property
    def group(self) -> str:
        """Model, chip and engine, whose rows share their errors."""
        return "|".join((self.model, self.chip, self.engine))


def name_of(phase: str, scenario: Scenario) -> str:
    """The class of an answer: ``phase/hardware class/regime/engine``."""
    return "/".join((phase, hardware_class(scenario.hardware), regime(scenario), engine_family(scenario.engine.name)))


def subject(phase: str, scenario: Scenario, batch: float | None = None, length: float | None = None) -> Subject:
    """What an answer is about.

    Parameters
    ----------
    phase : str
        One of `PHASES`.
    scenario : Scenario
        Resolved; its layout, formats and model are those of one configuration.
    batch, length : float, optional
        Sequences at once and tokens of a prompt; by default those of the scenario's workload. [1]
    """
    layout, work = scenario.parallelism, scenario.workload
    return Subject(
        phase,
        hardware_class(scenario.hardware),
        regime(scenario),
        engine_family(scenario.engine.name),
        scenario.model.name,
        chip_of(scenario.hardware),
        float(parameters(scenario.model)),
        float(np.min(scenario.weights.bits)),
        float(np.max(layout.devices / layout.replicas)),
        first(work.batch) if batch is None else batch,
        first(work.input) if length is None else length,
    )


def hardware_class(hardware: Hardware) -> str:
    """The kind of a hardware and of its main memory, which set its errors: ``gpu-hbm``, ``gpu-gddr``, ``soc-lpddr``."""
    memory = next(name for name, tier in hardware.tiers.items() if tier.kind == "main")
    return f"{hardware.kind}-{memory}"


def chip_of(hardware: Hardware) -> str:
    """What a machine's errors belong to: its fitted constants, which its chip's boxes share; else its own name."""
    achieved = hardware.achieved
    return achieved.name if achieved.basis == "calibrated" else hardware.name


def engine_family(name: str) -> str:
    """An engine without its year: versions of one share their kernels and their scheduler, and most of their errors."""
    return re.sub(r"-20\d\d.*$", "", name)


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

"""A scenario in one line, and what became of it."""

from __future__ import annotations

from llmperf.answers.answer import Answer
from llmperf.descriptors.scenario import Scenario
from llmperf.numeric import anywhere
from llmperf.words.quantities import span


def headline(result: Answer) -> str:
    """The scenario of a result in one line; of many configurations with their number, and what varies by its range."""
    shape = f"{' x '.join(map(str, result.shape))} configurations: " if result.shape else ""
    return shape + described(result.scenario)


def described(scenario: Scenario) -> str:
    """A scenario in one line; numbers that vary by their range."""
    work = scenario.workload
    asked = f"{span(work.batch)} sequences of {span(work.input)} in, {span(work.output)} out"
    if scenario.traffic is not None:
        from llmperf.words.traffic import coming

        asked = coming(scenario)
    where = _workers(scenario)
    if scenario.prefill_pool is not None:
        where += f", prompts on {_workers(scenario.prefill_pool)}"
    return f"{scenario.model.name} {scenario.weights.name}, KV {scenario.kv_cache.name}, on {where}: {asked}"


def _workers(scenario: Scenario) -> str:
    """Devices of a scenario with their layout."""
    layout = scenario.parallelism
    parts = [
        f"{name} {span(getattr(layout, name))}"
        for name in ("tp", "pp", "dp", "ep", "cp", "replicas")
        if anywhere(getattr(layout, name) != 1)
    ]
    return devices(scenario) + (f" ({', '.join(parts)})" if parts else "")


def devices(scenario: Scenario) -> str:
    """Devices that a scenario runs on: ``2 x h100-sxm``; of systems, ``2 of 8 GPUs of one dgx-h100``."""
    hardware, used = scenario.hardware, span(scenario.parallelism.devices)
    if hardware.devices in (None, 1, hardware.count):
        return f"{used} x {hardware.name}"
    called = _CALLED.get(hardware.kind, "devices")
    systems = "one" if hardware.count is None else f"{hardware.count:g}"
    return f"{used} of {hardware.devices:g} {called} of {systems} {hardware.name}"


_CALLED = {"gpu": "GPUs", "tpu": "TPUs", "npu": "NPUs"}


def maximum(scenario: Scenario) -> str:
    """What `maximize` found, in words; empty where nothing was asked for."""
    if scenario.workload.maximize is None:
        return ""
    from llmperf.answers.maximize import said

    return said(scenario)

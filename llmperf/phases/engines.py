"""Which engine runs which kind of operators, as the hardware's file and the scenario's placement say."""

from __future__ import annotations

from llmperf.costs.machine import Machine
from llmperf.descriptors.scenario import Scenario
from llmperf.errors import InputError, Problem, nearest
from llmperf.numeric import Real, anywhere, most
from llmperf.operators.kinds import KINDS

ROUNDING = 1e-9
"""Sum of shares beyond 1 that is no fault. [1]"""


def engines(scenario: Scenario, machine: Machine) -> tuple[Machine, dict[str, dict[str, Real]]]:
    """The machine with the placement of a scenario, and the kinds that several engines share.

    Parameters
    ----------
    scenario : Scenario
    machine : Machine
        As the hardware's file places operators.

    Returns
    -------
    machine : Machine
    shared : dict of str to dict of str to number or array
        By kind and engine: the part of each operator's outputs that the engine computes. [1]

    Raises
    ------
    InputError
        If a kind, an engine or a sum of shares is wrong, all faults at once.
    """
    wanted = scenario.placement.operators
    if not wanted:
        return machine, {}
    hardware = scenario.hardware
    placeable = tuple(name for name, kind in KINDS.items() if kind.engine != "link" and not kind.placed)
    faults: list[Problem] = []
    alone: dict[str, str] = {}
    shared: dict[str, dict[str, Real]] = {}
    for name, given in wanted.items():
        path = f"placement.operators.{name}"
        if name not in placeable:
            text = f"{name} is no kind of operators that an engine runs"
            faults.append(Problem(text, path, allowed=placeable, suggestion=nearest(name, placeable)))
            continue
        for engine in given:
            if engine not in hardware.engines:
                text = f"{hardware.name} has no engine called {engine}"
                allowed = tuple(hardware.engines)
                faults.append(Problem(text, path, allowed=allowed, suggestion=nearest(engine, allowed)))
        parts: dict[str, Real] = {engine: share for engine, share in given.items() if anywhere(share > 0.0)}
        rest: Real = 1.0 - sum(parts.values())
        if anywhere(rest < -ROUNDING):
            faults.append(Problem("the shares are more than the whole", path))
        elif faults:
            continue
        elif anywhere(rest > ROUNDING):
            usual = machine.runs(name).engine
            parts[usual] = parts.get(usual, 0.0) + most(rest, 0.0)
        if len(parts) == 1:
            alone[name] = next(iter(parts))
        else:
            shared[name] = parts
    if faults:
        raise InputError(faults)
    return machine.placing(alone), shared

"""Answers along numeric knobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from llmperf.answers.answer import Answer, answer
from llmperf.descriptors.traffic import WAYS
from llmperf.numeric import Array
from llmperf.scenarios.binding import Resolved, bound
from llmperf.scenarios.keys import FLAT


@dataclass(frozen=True, slots=True)
class Sweep:
    """Results of many configurations.

    Attributes
    ----------
    label : str
        The scenario that is varied.
    knobs : mapping of str to ndarray, (configurations,)
        What varies, by its key in a scenario.
    result : Answer
        Its arrays have the shape (configurations,).
    """

    label: str
    knobs: Mapping[str, Array]
    result: Answer

    def __len__(self) -> int:
        return int(np.prod(self.result.shape))

    def of(self, output: str, definition: str = "projection") -> Array:
        """An output of every configuration, by one definition."""
        return np.asarray(self.result.parts[definition].of(output), dtype=float)


def against(name: str, result: Answer, knob: str, values: Array) -> Sweep:
    """A result of one configuration, along another number of its workload or its traffic.

    Parameters
    ----------
    name : str
        Label.
    result : Answer
    knob : str
        Its short name (`llmperf.scenarios.keys.FLAT`): ``batch``, ``input``, ``request_rate``.
    values : ndarray
    """
    scenario = bound(result.scenario, {"workload.maximize": None})
    resolved = Resolved(scenario, values.shape, ()).having(FLAT[knob], values)
    return Sweep(name, {knob: values}, answer(resolved))


def along(name: str, result: Answer) -> Sweep:
    """A result of one configuration along its batch; a service along what it is loaded by."""
    if result.scenario.traffic is None:
        return against(name, result, "batch", batches(result))
    return against(name, result, load(result), loads(result))


def own(result: Answer, knob: str) -> float:
    """A number of the workload or the traffic of a result of one configuration, by its short name."""
    return float(attrgetter(FLAT[knob])(result.scenario))


def batches(result: Answer, points: int = 41) -> Array:
    """Batches around what fits: from one up to twice the largest that does, evenly spaced by ratio."""
    asked = float(np.max(result.scenario.workload.batch))
    most = float(np.nan_to_num(result.memory.max_batch, nan=0.0, posinf=0.0))
    top = min(max(2.0 * most, 2.0 * asked, 16.0), 65_536.0)
    return np.unique(np.rint(np.append(np.geomspace(1.0, top, points), asked)))


def inputs(result: Answer, points: int = 41) -> Array:
    """Prompt lengths up to the model's context, evenly spaced by ratio; empty where its input is always the same."""
    model, work = result.scenario.model, result.scenario.workload
    top = model.max_context - float(np.max(work.output))
    low = max(float(work.shared_prefix) + 1.0, min(128.0, float(work.input)))
    if model.vision or not model.generates or top <= low:
        return np.zeros(0)
    return np.unique(np.rint(np.append(np.geomspace(low, top, points), float(work.input))))


NEAREST = 0.98
"""Share of the saturation up to which arrivals are varied: times grow without end where they meet it. [1]"""
BEYOND = 1.25
"""Up to how many times as many as a server has room for requests or users are varied. [1]"""


def load(result: Answer) -> str:
    """What says how many requests come to a service: ``request_rate``, ``concurrency``, ``users`` or ``requests``."""
    traffic = result.scenario.traffic
    return next(way for way in WAYS if getattr(traffic, way) is not None)


def loads(result: Answer, points: int = 41) -> Array:
    """Values of what a service is loaded by (`load`), its own among them, up to saturation, or beyond all room.

    Parameters
    ----------
    result : Answer
        Of a service, of one configuration.
    points : int
    """
    traffic, way = result.scenario.traffic, load(result)
    asked, most = own(result, way), float(result.value("saturation_rate_per_s"))
    if way == "request_rate":
        rates = np.linspace(NEAREST * most / points, NEAREST * most, points)
        return np.unique(np.append(rates, asked)) if asked < most else rates
    reading = 0.0 if traffic is None else most * float(traffic.think_time)
    room = min(BEYOND * (float(result.value("preemption_onset")) + reading), 65_536.0)
    return np.unique(np.rint(np.append(np.geomspace(1.0, max(room, asked, 16.0), points), asked)))

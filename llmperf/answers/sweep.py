"""Answers along numeric knobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from llmperf.answers.answer import Answer, answer
from llmperf.numeric import Array
from llmperf.scenarios.binding import Resolved, bound


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
    """A result of one configuration, along another batch or input.

    Parameters
    ----------
    name : str
        Label.
    result : Answer
    knob : str
        A number of the workload: ``batch``, ``input``, ``output``.
    values : ndarray
    """
    scenario = bound(result.scenario, {"workload.maximize": None})
    resolved = Resolved(scenario, values.shape, ()).having(f"workload.{knob}", values)
    return Sweep(name, {knob: values}, answer(resolved))


def batches(result: Answer, points: int = 41) -> Array:
    """Batches around what fits: from one up to twice the largest that does, evenly spaced by ratio."""
    own = float(np.max(result.scenario.workload.batch))
    most = float(np.nan_to_num(result.memory.max_batch, nan=0.0, posinf=0.0))
    top = min(max(2.0 * most, 2.0 * own, 16.0), 65_536.0)
    return np.unique(np.rint(np.append(np.geomspace(1.0, top, points), own)))


def inputs(result: Answer, points: int = 41) -> Array:
    """Prompt lengths up to the model's context, evenly spaced by ratio; empty where its input is always the same."""
    model, work = result.scenario.model, result.scenario.workload
    top = model.max_context - float(np.max(work.output))
    low = max(float(work.shared_prefix) + 1.0, min(128.0, float(work.input)))
    if model.vision or not model.generates or top <= low:
        return np.zeros(0)
    return np.unique(np.rint(np.append(np.geomspace(low, top, points), float(work.input))))

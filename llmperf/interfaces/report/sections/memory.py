"""What fills the memory, and what a larger batch, more load or a longer prompt would do to it."""

from __future__ import annotations

from collections.abc import Iterator

from llmperf.answers.answer import Answer
from llmperf.answers.sweep import Sweep, against, own
from llmperf.answers.sweep import inputs as lengths
from llmperf.interfaces.figures import memory
from llmperf.interfaces.figures.drawing import Drawing
from llmperf.interfaces.report.inputs import Inputs

TITLE = "Memory"


def applies(inputs: Inputs) -> bool:
    """Whether there are results."""
    return bool(_held(inputs))


def render(inputs: Inputs) -> Iterator[Drawing]:
    """All results side by side, then each against batch, or the load of a service, and prompt."""
    yield memory.memory(_held(inputs))
    for name, result in _held(inputs).items():
        sweeps = [_along(inputs)[name]]
        if len(values := lengths(result)) > 1:
            sweeps.append(against(name, result, "input", values))
        for sweep in sweeps:
            drawing = memory.memory_against(sweep, own(result, next(iter(sweep.knobs))))
            yield drawing if len(inputs.results) == 1 else drawing.titled(f"{drawing.title}: {name}")


def _along(inputs: Inputs) -> dict[str, Sweep]:
    """Results along the batch, or what a service is loaded by."""
    return {**inputs.along_batch, **inputs.along_load}


def _held(inputs: Inputs) -> dict[str, Answer]:
    """Results of which memory is known, along a batch or a load."""
    return {name: one for name, one in inputs.having("memory.weights").items() if name in _along(inputs)}

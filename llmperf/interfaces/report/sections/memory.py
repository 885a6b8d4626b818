"""What fills the memory, and what a larger batch or a longer prompt would do to it."""

from __future__ import annotations

from collections.abc import Iterator

from llmperf.answers.answer import Answer
from llmperf.answers.sweep import against
from llmperf.answers.sweep import inputs as lengths
from llmperf.interfaces.figures import memory
from llmperf.interfaces.figures.drawing import Drawing
from llmperf.interfaces.report.inputs import RATE, Inputs

TITLE = "Memory"


def applies(inputs: Inputs) -> bool:
    """Whether there are results."""
    return bool(_held(inputs))


def render(inputs: Inputs) -> Iterator[Drawing]:
    """All results side by side, then each against batch and prompt."""
    yield memory.memory(_held(inputs))
    for name, result in _held(inputs).items():
        work = result.scenario.workload
        drawings = [memory.memory_against(inputs.along_batch[name], float(work.batch))]
        if len(values := lengths(result)) > 1:
            drawings.append(memory.memory_against(against(name, result, "input", values), float(work.input)))
        for drawing in drawings:
            yield drawing if len(inputs.results) == 1 else drawing.titled(f"{drawing.title}: {name}")


def _held(inputs: Inputs) -> dict[str, Answer]:
    """Results of which memory, and the throughput along the batch, are known."""
    return inputs.having("memory.weights", RATE)

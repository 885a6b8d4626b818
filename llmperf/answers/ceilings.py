"""What ends the growth of a batch and of a context: memory, the engine, or the model."""

from __future__ import annotations

from llmperf.answers.answer import Answer

MEMORY, ENGINE, MODEL = "memory", "engine", "model"


def ceilings(result: Answer) -> dict[str, str]:
    """What limits the largest batch and the longest context of one configuration, by output.

    Parameters
    ----------
    result : Answer
        Of plain numbers.
    """
    scenario, memory = result.scenario, result.memory
    engine, layout = scenario.engine, scenario.parallelism
    at_once = None if engine.max_sequences is None else engine.max_sequences * layout.dp * layout.replicas
    return {
        "max_batch": ENGINE if at_once is not None and float(memory.max_batch) >= at_once else MEMORY,
        "max_context": MODEL if float(memory.max_context) >= scenario.model.max_context else MEMORY,
    }

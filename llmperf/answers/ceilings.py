"""What ends the growth of a batch and of a context: memory, the engine, the model, or a context that is asked for."""

from __future__ import annotations

from collections.abc import Mapping

from llmperf.answers.answer import Answer

MEMORY, ENGINE, MODEL, CONTEXT = "memory", "engine", "model", "context"
"""``context``: the longest context that a server is told to accept (``--max-model-len``), not the model's own."""


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
        "max_context": _of_model(result) if float(memory.max_context) >= scenario.model.max_context else MEMORY,
    }


def _of_model(result: Answer) -> str:
    """Whether the scenario gives a known model a longest context of its own."""
    model = result.resolved.asked.get("model")
    return CONTEXT if isinstance(model, Mapping) and {"extends", "max_context"} <= model.keys() else MODEL

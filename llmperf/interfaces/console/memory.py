"""Memory on a terminal."""

from __future__ import annotations

from typing import Any

from llmperf.answers.answer import Answer
from llmperf.answers.ceilings import CONTEXT, ENGINE, MODEL
from llmperf.interfaces.console.style import bar, console, table, text
from llmperf.interfaces.console.tables import bold
from llmperf.outputs import BOOLEANS, CAPACITY, MEMORY_CLASSES
from llmperf.words.quantities import gib, said, share


def memory_table(result: Answer) -> Any:
    """Memory of the fullest device, by class."""
    memory = result.memory
    made = table("memory of one device", "GiB", "of its capacity", "")
    made.columns[3].right = False
    for output in MEMORY_CLASSES:
        value = getattr(memory, output.name)
        if value:
            part = value / memory.capacity
            made.add_row(output.label, gib(value), share(part), bar(part))
    for name in ("required", "usable", "capacity"):
        value = getattr(memory, name)
        made.add_row(name, gib(value), share(value / memory.capacity), bar(value / memory.capacity))
    return made


def _limit(result: Answer, by: str) -> str:
    """What ends a batch or a context, in words."""
    scenario = result.scenario
    words = {
        ENGINE: f"{scenario.engine.name}: {scenario.engine.max_sequences or 0:,.0f} sequences at once on each rank",
        CONTEXT: f"the context that is asked for, of {scenario.model.max_context:,.0f} tokens",
        MODEL: f"{scenario.model.name}, which allows no more",
    }
    return text(words.get(by, by))


def show(result: Answer) -> None:
    """Print what devices hold, by stage and tier, and what would fit."""
    from llmperf.answers.remedies import NOTHING_FITS
    from llmperf.contract.answers import memory_dict
    from llmperf.words.scenario import headline, maximum

    out = console()
    data = memory_dict(result)
    out.print(f"{bold(text(headline(result)))}\n")
    if chosen := maximum(result.scenario):
        out.print(f"{text(chosen)}\n")
    out.print(memory_table(result))
    if len(data["stages"]) > 1:
        made = table("pipeline stage", "weights GiB", "KV cache GiB", "required GiB")
        for stage in data["stages"]:
            made.add_row(stage["stage"], gib(stage["weights"]), gib(stage["kv_cache"]), gib(stage["required"]))
        out.print(made)
    for tier in data["tiers"]:
        how = "streamed through its link" if tier["streamed"] else "read directly"
        out.print(
            f"tier {text(tier['tier'])}: {share(tier['weights_share'])} of the weights ({gib(tier['weights'])} GiB), "
            f"{share(tier['kv_cache_share'])} of the KV cache ({gib(tier['kv_cache'])} GiB), {how}; "
            f"{share(data['transfer_overlap'], 0)} of the transfer hides behind computing"
            + (f"; its method keeps {gib(kept)} GiB of KV cache there" if (kept := tier["kv_cache_by_method"]) else "")
        )
    made = table("result", "value", "meaning")
    made.columns[2].right = False
    made.columns[2].folds = True
    limits = data["limited_by"] or {}
    for output in [*CAPACITY][3:]:
        value = getattr(result.memory, output.name)
        shown = bool(value) if output.name in BOOLEANS else value
        limit = limits.get(output.name)
        ends = f"; limited by {_limit(result, limit)}" if limit else ""
        made.add_row(output.label, said(output, shown), f"{output.description}{ends}")
    out.print(made)
    if data["would_fit"]:
        out.print(f"It would fit with one of: {text('; '.join(data['would_fit']))}")
    elif not result.shape and not result.memory.fits:
        out.print(NOTHING_FITS)
    for warning in data["warnings"]:
        out.print(f"note: {text(warning)}")

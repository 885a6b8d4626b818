"""The estimate on a terminal."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmperf.answers.answer import Answer
from llmperf.answers.breakdown import operators
from llmperf.answers.ceilings import ENGINE, ceilings
from llmperf.interfaces.console import confidence
from llmperf.interfaces.console.memory import memory_table
from llmperf.interfaces.console.style import bar, console, table, text
from llmperf.interfaces.console.tables import bold
from llmperf.numeric import first
from llmperf.resources import RESOURCES
from llmperf.words.quantities import count, gib, quantity, share
from llmperf.words.scenario import headline, maximum
from llmperf.words.tables import tables

_OPERATORS_SHOWN = 8
_BAR = 8
_MENTIONED = 0.1


def show(result: Answer) -> None:
    """Print an estimate: times, limits, memory, and where the time goes."""
    out = console()
    out.print(f"{bold(text(headline(result)))}\n")
    if chosen := maximum(result.scenario):
        out.print(f"{text(chosen)}\n")
    for head, rows in tables(result):
        made = table(*head)
        for row in rows:
            made.add_row(*row)
        out.print(made)
    for phase, name in result.bottleneck.items():
        if name is None:
            continue
        out.print(f"{phase} is limited by {bold(text(name))}, {text(RESOURCES[name].label)}: {_waits(result, phase)}")
    out.print()
    if "memory" in result.parts:
        out.print(memory_table(result))
        out.print(_verdict(result))
        out.print()
    out.print(_where(result))
    if served := in_flight(result):
        out.print(served)
    confidence.show(out, result)
    for warning in result.warnings:
        out.print(f"note: {text(warning)}")


def in_flight(result: Answer) -> str:
    """What the batch would be as a service, whose requests are replaced as they are complete; empty of one request."""
    work = result.scenario.workload
    if result.shape or work.batch <= 1 or work.output <= 1 or not result.memory.fits:
        return ""
    from llmperf.phases.serving.loop import closed_loop

    one = closed_loop(result.scenario, float(work.batch)).request
    tpot, ttft = (quantity(first(value), "time") for value in (one.token, one.ttft))
    return f"with {count(work.batch)} in flight, replaced as they finish: TPOT {tpot}, TTFT {ttft} (llmperf serve)"


def _waits(result: Answer, phase: str) -> str:
    """What a step of a phase waits for, the longest first: at least a tenth of its time."""
    waits = {name: float(np.max(value)) for name, value in result.evaluated[0].phases[phase].waits.items()}
    whole = sum(waits.values())
    shares = sorted(((value / whole, name) for name, value in waits.items()), reverse=True)
    return ", ".join(f"{share(part, 0)} {name}" for part, name in shares if part >= _MENTIONED)


def _verdict(result: Answer) -> str:
    memory = result.memory
    if memory.fits:
        full = " (all that the engine runs at once)" if ceilings(result)["max_batch"] == ENGINE else ""
        most = f"at most {count(memory.max_batch)} such sequences{full}"
        context = f"or context {count(memory.max_context)} at this batch"
        return f"fits: KV pool {count(memory.kv_pool_tokens)} tokens, {most}, {context}"
    from llmperf.answers.remedies import NOTHING_FITS, remedies

    found = remedies(result.resolved, result.evaluated[0])
    would = f"It would fit with one of: {'; '.join(found)}" if found else NOTHING_FITS
    return (
        f"{bold('does not fit')}: {gib(memory.missing)} GiB a device too much; the times above assume "
        f"that it did. {text(would)}"
    )


def _where(result: Answer) -> Any:
    part = result.evaluated[0]
    phases = {
        phase: {row.name: row for row in operators(part.phases[phase])}
        for phase, limit in result.bottleneck.items()
        if limit is not None
    }
    headers = (header for phase in phases for header in (phase, "", "limited by"))
    made = table("operator", *headers, title="Where the device time goes")
    for index, column in enumerate(made.columns):
        column.right = index % 3 == 1
    shares: dict[str, float] = {}
    for rows in phases.values():
        for row in rows.values():
            shares[row.name] = shares.get(row.name, 0.0) + row.share
    names = sorted(shares, key=lambda name: (-shares[name], name))
    for name in names[:_OPERATORS_SHOWN]:
        cells = []
        for rows in phases.values():
            found = rows.get(name)
            cells += [share(found.share), bar(found.share, _BAR), found.limited_by] if found else ["", "", ""]
        made.add_row(name, *cells)
    rest = [sum(rows[n].share for n in names[_OPERATORS_SHOWN:] if n in rows) for rows in phases.values()]
    made.add_row("all others", *(words for part in rest for words in (share(part), bar(part, _BAR), "")))
    return made

"""A measurement of this machine on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llmperf.evidence.bench import Intended, Measurement
from llmperf.evidence.bench.plan import Facts, Trial
from llmperf.interfaces.console.style import console, table, text
from llmperf.interfaces.console.tables import bold
from llmperf.words.quantities import gib, quantity


@contextmanager
def progress(seconds: float) -> Iterator[Callable[[Trial, int], None] | None]:
    """A bar of the time on the terminal behind standard error; nothing where there is none."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), TimeElapsedColumn(), TextColumn("{task.fields[done]} measured, {task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("preparing", total=seconds, done=0)
        begin = time.monotonic()

        def told(case: Trial, done: int) -> None:
            shown.update(task, completed=time.monotonic() - begin, description=text(case)[:70], done=done)

        yield told


def _headline(facts: Facts) -> str:
    number = f"{facts.devices} x " if facts.devices > 1 else ""
    return f"{number}{facts.label}, {facts.cores} cores, {gib(facts.capacity)} GiB ({facts.software})"


def show(found: Measurement) -> None:
    """Print the figures, what was skipped, and what to do with the files."""
    out = console()
    out.print(f"{bold(text(found.name))}: {text(_headline(found.facts))}\n")
    made = table("best of", "", "cases", "reached by")
    made.columns[3].right, made.columns[3].folds = False, True
    for figure in found.figures:
        value = quantity(figure.value, figure.dimension)
        made.add_row(text(figure.label), value, f"{figure.of}", text(figure.case))
    out.print(made)
    out.print()
    made = table("part", "measured", "skipped", "spread of repeats")
    for part in found.parts():
        spread = "-" if part["spread"] is None else f"{part['spread']:.1%}"
        made.add_row(part["part"], f"{part['measured']}", f"{part['skipped']}", spread)
    out.print(made)
    reasons = _reasons(found)
    for why, count in reasons.items():
        out.print(f"skipped {count}: {text(why)}")
    for note in found.notes:
        out.print(f"note: {text(note)}")
    out.print(f"\nwrote {text(', '.join(str(path) for path in found.files))} in {found.outcome.seconds:.0f} s")
    if found.hardware is not None:
        folder = text(found.hardware.parent)
        out.print(f"next: llmperf calibrate {folder}/*.csv --hardware {text(found.hardware)}")
        out.print(f"      llmperf estimate --model llama-3.1-8b --hardware {text(found.hardware)}")


def _reasons(found: Measurement) -> dict[str, int]:
    """Why cases were skipped, the numbers in a reason left out, and how many."""
    counts: dict[str, int] = {}
    for _, why in found.outcome.skipped:
        kind = "not enough time for one call and its repeats" if "call" in why else why
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def show_plan(plan: Intended) -> None:
    """Print what would be measured."""
    out = console()
    out.print(f"{bold(text(_headline(plan.facts)))}\n")
    data: list[dict[str, Any]] = plan.to_dict()["parts"]
    for part in data:
        cases = part["cases"]
        out.print(f"{bold(part['part'])}: {text(part['about'])}; {len(cases) or 'no'} cases here")
        for case in cases:
            row = " ".join(f"{key}={value}" for key, value in case["row"].items() if key != "kernel")
            out.print(f"  {text(row)}")
    for note in plan.notes:
        out.print(f"note: {text(note)}")

"""Statistics of a request trace on a terminal."""

from __future__ import annotations

from pathlib import Path

from llmperf.importers.traces.arrivals import Arrivals
from llmperf.importers.traces.statistics import TraceStatistics
from llmperf.interfaces.console.style import console, filled, table, text
from llmperf.interfaces.console.tables import bold
from llmperf.words.quantities import count, quantity, share


def show(found: TraceStatistics, written: Path | None) -> None:
    """Print the statistics, what was left out, and what became of them."""
    out = console()
    head = f"{bold(text(Path(found.file).name))} ({text(found.format)}): {count(found.requests)} requests"
    out.print(head + (f", over {quantity(found.arrivals.span_s, 'time')}" if found.arrivals else ""))
    for why, number in found.left_out.items():
        out.print(f"left out, {text(why)}: {count(number)}")
    if found.arrivals is not None:
        for line in _arrivals(found.arrivals):
            out.print(filled(line, "", out.width))
    made = table("tokens", "mean", "cv", "p50", "p90", "p99")
    for name, spread in (("input", found.input), ("output", found.output)):
        cells = (spread.mean, spread.cv, spread.p50, spread.p90, spread.p99)
        made.add_row(name, *map(count, cells))
    out.print()
    out.print(made)
    out.print()
    for line in _others(found):
        out.print(filled(line, "", out.width))
    out.print(f"wrote {text(written)}" if written is not None else "--out FILE.yaml writes it, for --traffic FILE.yaml")


def _arrivals(found: Arrivals) -> list[str]:
    """Sentences on how requests came."""
    busy = [f"{count(rate)}/s in the busiest {name}" for name, rate in found.busiest.items()]
    lines = [", ".join([f"rate: {count(found.rate)} requests/s", *busy])]
    if found.steady is None:
        return [*lines, "burstiness: not told by so few times"]
    said = f"burstiness: {count(found.steady)} (1: Poisson; below: bursts)"
    if found.grid_s is not None:
        said += f", from counts, since times come in steps of {quantity(found.grid_s, 'time')}"
    lines.append(said)
    if found.drifts:
        lines.append(
            f"the rate drifts: gaps are not stationary, and over all of them it would be {count(found.burstiness)}; a "
            "steady state is one of its stretches: size by the busiest"
        )
    return lines


def _others(found: TraceStatistics) -> list[str]:
    """Sentences on correlation, reuse, conversations and how the trace was read."""
    lines = [f"correlation of prompts and answers: {count(found.correlation)}"]
    if found.prefix_hit is not None:
        lines.append(f"prefix cache without limits: hits {share(found.prefix_hit)} of prompt tokens, the most there is")
    talks = found.conversations
    if talks is not None:
        said = f"conversations: {count(talks.count)}, of {count(talks.turns_mean)} requests in the mean"
        said += f", nine of ten up to {count(talks.turns_p90)}"
        pause = f", a median of {quantity(talks.pause_p50_s, 'time')} apart" if talks.pause_p50_s is not None else ""
        lines.append(said + pause)
    return [*lines, *map(text, found.notes)]

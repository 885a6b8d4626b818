"""Verdicts in words, and what is wrong as a flat list of findings, each at its line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmperf.checks.evaluation import Result, Verdict
from llmperf.checks.limits import Note, Place
from llmperf.checks.lock import Drift
from llmperf.outputs import by_path
from llmperf.words.quantities import percent, said

if TYPE_CHECKING:
    from llmperf.checks import Checks

RULES = {
    "limit": "A limit on an output does not hold.",
    "drift": "An output is another than in the reviewed lock file.",
    "capacity": "The workload does not fit into the memory, and the check does not expect that.",
    "empty": "A check asserts nothing.",
    "not-understood": "Something of a deployment file is not understood, and may change the answer.",
    "expired-skip": "The date up to which a check was skipped has passed.",
    "input": "A check file is wrong.",
}
"""Kinds of findings."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: its rule, the check (empty: the input), what to say, and where.

    `subject` is what stays the same from run to run while the fault does: the limit, or which outputs moved, without
    their values. `related` are the lines of a deployment file that it goes back to, each with what stands there.
    """

    rule: str
    check: str
    message: str
    place: Place = field(default_factory=Place)
    subject: str = ""
    related: tuple[Note, ...] = ()

    @property
    def deployed(self) -> Place:
        """Where a change mends or has caused it: the line of the deployment, or of the limit."""
        return self.related[0].place if self.related else self.place


def findings(checks: Checks) -> Iterator[Finding]:
    """Everything that is wrong, in the order of the checks, then the faults of the input."""
    for result in checks.results:
        yield from of(result)
    for problem in checks.problems:
        path = f"{problem.path}: " if problem.path else ""
        hint = f" ({problem.suggestion})" if problem.suggestion else ""
        place = Place(problem.file, problem.line, problem.column)
        text = printable(f"{path}{problem.message}{hint}")
        yield Finding("input", "", text, place, text)


def of(result: Result) -> Iterator[Finding]:
    """What is wrong with one check, beside faults of its input."""
    name, place = result.check.name, result.check.place
    lines = related(result)
    if result.status == "failed":
        advice = f": {result.advice}" if result.advice else ""
        for verdict in result.verdicts:
            if not verdict.holds:
                about = f"{verdict.limit.output} {expected(verdict)}"
                where = verdict.limit.place if verdict.limit.place.file else place
                yield Finding("limit", name, printable(f"{name}: {failure(verdict)}{advice}"), where, about, lines)
                advice = ""  # once is enough
        for note in result.unclear:
            yield Finding("not-understood", name, printable(f"{name}: {note}"), note.place, note.text)
        if result.unclear and not (result.unfit or (result.baseline and result.baseline.drifts)):
            return
    if result.status in ("failed", "error") and result.reason and not result.problems:
        rule = "expired-skip" if result.status == "error" else "capacity"
        drifts = result.baseline.drifts if result.baseline else ()
        if drifts:
            text = f"{name}: {result.reason}: {', '.join(drifted(one) for one in drifts[:4])}"
            rule = "drift"
        else:
            text = f"{name}: {result.reason}" + (f": {result.advice}" if result.advice and result.unfit else "")
            rule = rule if result.verdicts else "empty"
        yield Finding(rule, name, printable(text), place, " ".join(one.output for one in drifts), lines)


MOST_LINES = 10
"""Lines of a deployment that a failure names."""
_COMPONENTS = {"layout": ("parallelism", "placement", "devices"), "formats": ("weights", "kv_cache", "activations")}
"""What a cause of a drift is called, and the keys of a scenario that make it; others are called alike."""
_ORDER = ("model", "hardware", "weights", "kv_cache", "parallelism", "engine", "workload")


def related(result: Result) -> tuple[Note, ...]:
    """The lines of its deployment file that a failure goes back to, the likeliest first.

    Those that have changed since the commit that was asked about; else those of the parts that the lock file has
    otherwise; else all that say something of the scenario, the model first.
    """
    found = [one for one in result.check.said if one.path and one.place.line is not None]
    causes = [one.split(" ")[0].rstrip(":") for one in (result.baseline.causes if result.baseline else ())]
    changed_parts = {key for cause in causes for key in _COMPONENTS.get(cause, (cause,))}
    moved = [one for one in found if (one.place.file, one.place.line) in result.moved]
    drifted_parts = [one for one in found if one.path.partition(".")[0] in changed_parts]
    chosen = moved or drifted_parts or found
    rank = {key: index for index, key in enumerate(_ORDER)}
    chosen.sort(key=lambda one: (rank.get(one.path.partition(".")[0], len(rank)), one.path.count(".")))
    return tuple({(one.place, one.path): one for one in chosen}.values())[:MOST_LINES]


def failure(verdict: Verdict) -> str:
    """Why a limit does not hold: ``ttft_s 516 ms, expected max 300 ms (-72.1 %)``."""
    limit = verdict.limit
    end = " at the pessimistic end" if limit.pessimistic else ""
    room = f" ({margin(verdict)})" if verdict.margin is not None else ""
    return f"{limit.output} {judged(verdict)}{end}, expected {expected(verdict)}{room}"


def judged(verdict: Verdict) -> str:
    """The value that is judged, in as many digits as tell it apart from a limit that it breaks."""
    limit = verdict.limit
    wanted = expected(verdict).removeprefix(f"{limit.side} ")
    texts = [said(limit.about, verdict.value, digits) for digits in ((3,) if verdict.holds else (3, 6, 9, 12))]
    return next((text for text in texts if text != wanted), texts[-1])


def expected(verdict: Verdict) -> str:
    """A limit as it is written, with its unit: ``max 300 ms``."""
    limit = verdict.limit
    if limit.about.unit != "1" and any(c.isalpha() or c in "%$" for c in limit.written.partition(" ")[2]):
        written = limit.written.removeprefix("equals ")
        return said(limit.about, limit.value) if isinstance(limit.value, bool) else written
    return " ".join(part for part in (limit.side.replace("equals", ""), said(limit.about, limit.value)) if part)


def margin(verdict: Verdict) -> str:
    """The room up to a limit: ``+12.3 %``; of fractions in percentage points."""
    if verdict.margin is None:
        return ""
    shown = percent(verdict.margin)
    return shown if verdict.limit.about.unit else _points(shown)


def _points(shown: str) -> str:
    """A difference of fractions, which is in percentage points."""
    return shown.replace("%", "pp")


def drifted(drift: Drift) -> str:
    """What an output was and is: ``tpot_s 16.6 ms -> 18.2 ms (+9.6 %)``."""
    output = by_path().get(drift.output)
    before, after = (said(output, one) if output else str(one) for one in (drift.before, drift.after))
    far = change(drift)
    moved = f" ({far})" if far else ""
    return f"{drift.output} {before} -> {after}{moved}"


def change(drift: Drift) -> str:
    """How far an output moved: ``+9.6 %``; of fractions in percentage points; empty of what is no number."""
    output = by_path().get(drift.output)
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (drift.before, drift.after))
    if numbers and output is not None and not output.unit:
        return _points(percent(drift.after - drift.before))
    return "" if drift.relative is None else percent(drift.relative)


def changed(result: Result) -> str:
    """What changed since the lock file, in short: the largest drift and its causes."""
    if result.baseline is None:
        return ""
    if not result.baseline.drifts:
        return "as locked"
    return f"{drifted(result.baseline.drifts[0])}: {', '.join(result.baseline.causes)}"


def printable(text: str) -> str:
    """`text` on one line, without control characters."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)

"""The accuracy page of the documentation: what ``llmperf validate --markdown`` writes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from llmperf.evidence import bands, topics
from llmperf.evidence.bands import Band, Held
from llmperf.evidence.claims.recompute import said
from llmperf.evidence.rows import Rows, Summary
from llmperf.evidence.topics import FEW, TOPICS, Line
from llmperf.evidence.validation import Validation
from llmperf.interfaces.report.markdown import line, table
from llmperf.words import claims as published

HEAD = """# Accuracy

How far projections lie from measurements and published results. This page is written by

    llmperf validate --markdown docs/accuracy.md --force

from the evidence that ships in `workloads/published/`; no number in it is typed. An error is the factor between
projection and measurement, less one: 25 % is 1.25 times too much or too little (logarithms, so that both weigh alike).
Medians and 90th percentiles are of its size, the bias is its median with its sign. A group is a model on a chip by an
engine. *Over groups* is the mean of their medians, and *all groups* that of all numbers, so that a big sweep does not
drown the others. What fewer than ten rows say is marked *few*.
"""


def markdown(found: Validation) -> str:
    """The page."""
    parts = [HEAD, by_question(found.rows), _by_engine(found.rows), _overview(found)]
    parts += [_section(rows, found.summaries) for rows in found.rows]
    if found.claims:
        parts.append(_claims(found))
    parts.append(_bands())
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _percent(value: float, signed: bool = False) -> str:
    if abs(value) >= math.log(10.0):
        return f"x {math.exp(value):.3g}"
    return f"{100.0 * math.expm1(value):{'+' if signed else ''}.1f} %"


def _rows(count: int) -> str:
    return f"{count:,}" if count >= FEW else f"{count} (few)"


def _numbers(part: Summary) -> tuple[str, ...]:
    return (
        f"{part.n:,}" if part.group == "all groups" else _rows(part.n),
        _percent(part.median_abs_log),
        _percent(part.p90_abs_log),
        _percent(part.bias_log, signed=True),
        str(part.bound_violations),
    )


COLUMNS = ("rows", "median", "90 % below", "bias", "beat the bound")


QUESTION = ("rows", "groups", "median", "90 % below", "bias", "over groups", "worst group")


def by_question(found: Sequence[Rows]) -> str:
    """Errors by question, of all engines together: the table of the README, too."""
    lines = [
        "## By question",
        "",
        *table(("question", "measured", *QUESTION), map(_question, topics.lines(found, False))),
    ]
    return "\n".join(lines) + "\n"


def _question(one: Line) -> tuple[str, ...]:
    return (TOPICS[one.topic], one.measured, *_errors(one))


def _errors(one: Line) -> tuple[str, ...]:
    numbers = (_percent(one.median), _percent(one.p90), _percent(one.bias, signed=True), _percent(one.mean))
    worst = f"{one.worst.replace('|', ', ')}: {_percent(one.worst_median)} of {_rows(one.worst_n)}"
    return (_rows(one.n), str(one.groups), *numbers, worst)


def _by_engine(found: Sequence[Rows]) -> str:
    """The same by engine, a table a question; kernels have none."""
    every = [one for one in topics.lines(found) if one.engine]
    lines = ["## By engine"]
    for name, label in TOPICS.items():
        mine = [(one.engine, one.measured, *_errors(one)) for one in every if one.topic == name]
        if mine:
            lines += ["", f"### {label[:1].upper() + label[1:]}", "", *table(("engine", "measured", *QUESTION), mine)]
    return "\n".join(lines) + "\n"


def _overview(found: Validation) -> str:
    lines = ["## By data set", "", line("data set", "metric", *COLUMNS), line(*["---"] * 7)]
    for rows in found.rows:
        mine = [part for part in found.summaries if part.dataset == rows.dataset]
        metrics = sorted({part.metric for part in mine})
        for metric in metrics:
            whole = [part for part in mine if part.metric == metric]
            lines.append(line(rows.dataset, f"`{metric}`", *_numbers(whole[-1])))
    return "\n".join(lines) + "\n"


def _section(rows: Rows, summaries: list[Summary]) -> str:
    lines = [f"## {rows.dataset}", "", line("group", "metric", *COLUMNS), line(*["---"] * 7)]
    lines += [
        line(part.group, f"`{part.metric}`", *_numbers(part)) for part in summaries if part.dataset == rows.dataset
    ]
    if not len(rows):
        lines = lines[:2]
    lines += ["", *(f"- {number} rows beat the bound: {why}" for why, number in rows.reasons())]
    reasons = rows.missing()
    lines += [f"- {number} rows are not expressible: {why}" for why, number in reasons[:15]]
    if len(reasons) > 15:
        lines.append(f"- and {len(reasons) - 15} more reasons")
    return "\n".join(lines) + "\n"


def _claims(found: Validation) -> str:
    systems = len({claim.system for claim in found.claims})
    lines = ["## Published results", "", f"{len(found.claims)} claims of {systems} systems: {said(found.claims)}.", ""]
    lines += table(published.HEAD, published.standing(found.claims))
    lines += ["", "`llmperf validate --shipped claims --markdown PAGE` lists them one by one."]
    return "\n".join(lines) + "\n"


def _bands() -> str:
    lines = [
        "## Error bands",
        "",
        "Measured over projected time (of rates the inverse) by class: phase, hardware, regime and engine, or the",
        "first of these where too few groups were measured. Groups weigh alike. The ends hold 80 % of the rows of a",
        "group (*other chip*: of a chip) that they were not made from. Where the upper one is more than "
        f"{bands.WIDEST['gpu-hbm']:g} times the lower",
        f"(GPUs with HBM; elsewhere {bands.WIDEST_ELSEWHERE:g}), the nearest measured rows are shown in its place.",
        "",
        "How that holds: each group, or chip, is left out whole, and the bands are made anew without it.",
        "",
        *table(("answers", "left out", "rows", "inside", "width", "width of rows"), map(_held, bands.table().held)),
        "",
        *table(("class", "low", "median", "high", "other chip", "rows", "groups", "chips"), map(_band, _shipped())),
    ]
    return "\n".join(lines) + "\n"


def _shipped() -> Iterable[Band]:
    return bands.shipped().values()


def _held(one: Held) -> tuple[str, ...]:
    return (one.of, str(one.units), f"{one.n:,}", f"{one.coverage:.0%}", f"{one.width:.2f}", f"{one.width_of_rows:.2f}")


def _band(one: Band) -> tuple[str, ...]:
    other = "-" if one.of_chips is None else f"{one.of_chips.low:.2f} to {one.of_chips.high:.2f}"
    ends = (f"{one.low:.2f}", f"{one.middle:.2f}", f"{one.high:.2f}")
    return (one.name, *ends, other, f"{one.n:,}", str(one.groups), str(len(one.chips)))

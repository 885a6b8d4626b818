"""The accuracy page of the documentation: what ``llmperf validate --markdown`` writes."""

from __future__ import annotations

import math

from llmperf.evidence import bands
from llmperf.evidence.claims.recompute import said
from llmperf.evidence.rows import Rows, Summary
from llmperf.evidence.validation import Validation
from llmperf.interfaces.report.markdown import line, table
from llmperf.words import claims as published

HEAD = """# Accuracy

How far projections lie from measurements and published results. This page is written by

    llmperf validate --markdown docs/accuracy.md --force

from the evidence that ships in `workloads/published/`; no number in it is typed. An error is
`projection / measured - 1`; medians and 90th percentiles are of its size, and the bias is its median with its sign.
*All groups* is the mean over groups, so that a big sweep does not drown the others.
"""


def markdown(found: Validation) -> str:
    """The page."""
    parts = [HEAD, _overview(found)]
    parts += [_section(rows, found.summaries) for rows in found.rows]
    if found.claims:
        parts.append(_claims(found))
    parts.append(_bands())
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _percent(value: float, signed: bool = False) -> str:
    if abs(value) >= math.log(10.0):
        return f"x {math.exp(value):.3g}"
    return f"{100.0 * math.expm1(value):{'+' if signed else ''}.1f} %"


def _numbers(part: Summary) -> tuple[str, ...]:
    return (
        f"{part.n:,}",
        _percent(part.median_abs_log),
        _percent(part.p90_abs_log),
        _percent(part.bias_log, signed=True),
        str(part.bound_violations),
    )


COLUMNS = ("rows", "median", "90 % below", "bias", "beat the bound")


def _overview(found: Validation) -> str:
    lines = ["## Overview", "", line("data set", "metric", *COLUMNS), line(*["---"] * 7)]
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
        "Measured over projected time (of rates the inverse) by class; the ends hold about 80 % of the rows of sources",
        "that a band was not made from (coverage).",
        "",
        line("class", "low", "median", "high", "rows", "sources", "coverage"),
        line(*["---"] * 7),
    ]
    for one in bands.shipped().values():
        cells = (f"{one.low:.2f}", f"{one.middle:.2f}", f"{one.high:.2f}", str(one.n), str(one.sources))
        lines.append(line(one.name, *cells, f"{one.coverage:.0%}"))
    return "\n".join(lines) + "\n"
